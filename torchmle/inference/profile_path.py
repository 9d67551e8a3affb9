"""The profile log-likelihood of one entry of the table: the maximum over all other parameters at each of its values.

An entry is moved on the real side of its scale (log sigma, not sigma), where the profile is nearest to a parabola.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from ..fitting.bounded import within_bounds
from ..fitting.constraints import Restrictions, in_theta
from ..fitting.coordinates import Coordinates, hold, restrict
from ..fitting.maximum import null_directions
from ..fitting.objective import Objective
from ..optim import Optimum, Status, maximize
from ..parameters import Block, Parameters
from ..transforms import Transform

if TYPE_CHECKING:
    from ..results import Results

TOLERANCE = 1e-12  # decrement of a constrained maximum
CLOSE = 1e-6  # decrement of a constrained search that ended otherwise, up to which its value is the supremum's
LAGRANGE_STEPS = 40
NOTHING: Mapping[int, float] = MappingProxyType({})
MEASURED = (Status.CONVERGED, Status.AT_BOUNDS, Status.DIVERGING, Status.PRECISION, Status.SINGULAR)


class ProfilePoint(NamedTuple):
    """One value of the entry: the log-likelihood's maximum there, its slope along the profile, and where it is."""

    value: float
    loglike: float
    slope: float
    z: Tensor

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loglike) and math.isfinite(self.slope)


class Path(Protocol):
    """The profile of an entry."""

    estimate: float  # on the real side
    unit: float  # a standard error there
    top: float  # log-likelihood at the estimate

    def at(self, value: float, near: Tensor) -> ProfilePoint:
        """The constrained maximum at a value, searched from a point; NaN where it was not found."""


def path_of(results: Results, entry: int) -> Path:
    """The profile of an entry of the table, by the simplest way there is."""
    model, layout = results.model, results.model.layout
    block = block_of(layout, entry)
    index = block.reals.start + entry - block.reported.start
    if model.linear:
        return Parabola(results, index)
    return Held(results, index) if stands_alone(layout, entry) else Level(results, entry, layout.scales()[entry])


def block_of(layout: Parameters, entry: int) -> Block:
    """The parameter that an entry of the table is of."""
    return next(block for block in layout.blocks if block.reported.start <= entry < block.reported.stop)


def stands_alone(layout: Parameters, entry: int) -> bool:
    """Whether an entry of the table can be held in theta, unlike those of a covariance matrix, which move together."""
    block = block_of(layout, entry)
    return block.is_identity or len(block.labels) == 1


def as_told(
    results: Results, held: Mapping[int, float] = NOTHING, boundary: Mapping[int, float] = NOTHING
) -> Coordinates:
    """Coordinates in which what the user fixed and tied, what collinearity took out and some entries of theta are held."""
    fit = results.fit
    coordinates = hold(results.model.coordinates, {**_held_values(results), **held}, fit.coordinates.dropped, boundary)
    return restrict(coordinates, *_equations(results))


def _equations(results: Results) -> tuple[Tensor, Tensor]:
    """Equations in theta that the fit was told of, and those of the shortest of all parameters with its predictors."""
    fit = results.fit
    told, rows = fit.settings.get("constraints"), [torch.zeros(0, len(fit.theta), dtype=torch.float64)]
    values: list[float] = []
    if told is not None:
        matrix, values = in_theta(results.model.layout, told)
        rows.append(matrix)
    if fit.coordinates.spanned:
        rows.append(null_directions(results.model, fit.z, fit.coordinates.spanned))
        values = [*values, *[0.0] * len(fit.coordinates.spanned)]
    return torch.cat(rows), torch.tensor(values, dtype=torch.float64)


def _held_values(results: Results) -> dict[int, float]:
    return {index: float(results.fit.theta[index]) for index in results.fit.coordinates.fixed}


def _standard_error(results: Results, gradient: Tensor) -> float:
    """Standard error by the information of a function with this gradient in z; a rough one where there is none."""
    fit = results.fit
    variance = float(gradient @ fit.bread @ gradient) * fit.scale
    if variance > 0 and math.isfinite(variance):
        return math.sqrt(variance)
    free = fit.coordinates.free_gradient(gradient)
    curvature = float(-free @ fit.optimum.hessian @ free)
    own = curvature / max(float(free @ free) ** 2, 1e-300)
    return 1 / math.sqrt(own) if own > 0 and math.isfinite(own) else 1.0


def _row(results: Results, index: int) -> Tensor:
    """Gradient in z of an entry of theta."""
    uncentre = results.fit.coordinates.uncentre
    return torch.eye(len(results.fit.z), dtype=torch.float64)[index] if uncentre is None else uncentre[index]


class Parabola:
    """Least squares: the profile is exactly a parabola."""

    def __init__(self, results: Results, index: int):
        self.row = _row(results, index)
        self.estimate = float(results.fit.theta[index])
        self.unit = _standard_error(results, self.row)
        self.variance = float(self.row @ results.fit.bread @ self.row)
        self.top = results.fit.optimum.value
        self.along = results.fit.bread @ self.row / self.variance
        self.origin = results.fit.z

    def at(self, value: float, near: Tensor) -> ProfilePoint:
        way = value - self.estimate
        fall = way**2 / (2 * self.variance)
        return ProfilePoint(value, self.top - fall, -way / self.variance, self.origin + way * self.along)


class Held:
    """An entry of theta is held, the others are maximised over."""

    def __init__(self, results: Results, index: int):
        self.model, self.row = results.model, _row(results, index)
        self.estimate = float(results.fit.theta[index])
        self.unit = _standard_error(results, self.row)
        self.top = results.fit.optimum.value
        others = [other for other in results.fit.coordinates.boundary if other != index]
        boundary = {other: float(results.fit.theta[other]) for other in others}
        self.results, self.index, self.boundary = results, index, boundary
        held, told = results.fit.coordinates.fixed, results.fit.settings.get("bounds", {})
        self.bounds = {other: ends for other, ends in told.items() if other not in (index, *held)}
        along = results.fit.bread @ self.row
        variance = float(self.row @ along)
        self.along = along / variance if variance > 0 else torch.zeros_like(along)
        basis = as_told(results, boundary=boundary).basis
        free = self.row if basis is None else self.row @ basis
        moved = free if basis is None else basis @ free
        self.push = moved / free.square().sum()  # moves the entry by 1, as far as what was told allows

    def at(self, value: float, near: Tensor) -> ProfilePoint:
        objective, found = self._search(value, near + (value - float(self.row @ near)) * self.along)
        if self.bounds:
            held = {**_held_values(self.results), self.index: value}
            others = Restrictions(held, *_equations(self.results), self.bounds)
            objective, found = within_bounds(
                others, objective, found, lambda asked, z: self._search(value, z, asked.active)
            )
        if found.status not in MEASURED or (not found.converged and not found.decrement < CLOSE):
            return ProfilePoint(value, math.nan, math.nan, near)
        z = objective.coordinates.z(found.x)
        return ProfilePoint(value, found.value, float(self.model.sums(z, 1)[1] @ self.push), z)

    def _search(self, value: float, z: Tensor, active: Mapping[int, float] = NOTHING) -> tuple[Objective, Optimum]:
        """The maximum from a point, where the entry has a value and others are held at bounds."""
        objective = Objective(self.model, as_told(self.results, {**active, self.index: value}, self.boundary))
        return objective, maximize(objective, objective.coordinates.phi(z), "newton", tol=TOLERANCE)


class Level:
    """A function of several reals, such as an entry of a covariance matrix, has a value, and all else is maximised over."""

    def __init__(self, results: Results, entry: int, scale: Transform):
        natural = results.model.layout.natural
        self.levels = Levels(results, lambda theta: scale.inverse(natural(theta)[entry])[None])
        self.estimate, self.unit = float(self.levels.estimates[0]), float(self.levels.units[0])
        self.top = results.fit.optimum.value

    def at(self, value: float, near: Tensor) -> ProfilePoint:
        found = self.levels.at(torch.tensor([value], dtype=torch.float64), near)
        return ProfilePoint(value, found.loglike, float(found.multipliers[0]), found.z)


class Constrained(NamedTuple):
    """A maximum under equations: the log-likelihood, how fast it changes with each value (p,), and where it is; else NaN."""

    loglike: float
    multipliers: Tensor
    z: Tensor

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loglike)


class Levels:
    """Functions of theta that no equation in theta says: Newton's method on Lagrange's conditions.

    Attributes
    ----------
    estimates, units : Tensor (p,)
        Their values at the estimate, with standard errors.
    """

    def __init__(self, results: Results, function: Callable[[Tensor], Tensor]):
        self.model, self.function = results.model, function
        self.coordinates = as_told(results)
        self.estimates, gradients, _ = self._levels(results.fit.z)
        self.units = torch.tensor([_standard_error(results, gradient) for gradient in gradients], dtype=torch.float64)

    def directions(self, z: Tensor) -> Tensor:
        """Gradients in z, (p, k)."""
        return self._levels(z)[1]

    def _levels(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The functions (p,) with two derivatives in z."""

        def levels(point: Tensor) -> Tensor:
            uncentre = self.coordinates.uncentre
            return self.function(point if uncentre is None else uncentre @ point)

        values = levels(z)
        gradients = torch.autograd.functional.jacobian(levels, z)
        each = range(len(values))
        curvatures = torch.stack([torch.autograd.functional.hessian(lambda x, i=i: levels(x)[i], z) for i in each])
        return values, gradients, curvatures

    def at(self, values: Tensor, near: Tensor, halvings: int = 4) -> Constrained:
        """The maximum where the functions have some values (p,), searched from a point; NaN where it was not found."""
        found = self._solve(values, near)
        if found.finite or halvings == 0:
            return found
        middle = self.at((values + self._levels(near)[0]) / 2, near, halvings - 1)
        return self._solve(values, middle.z) if middle.finite else middle

    def _solve(self, values: Tensor, near: Tensor) -> Constrained:
        """``H_L step - A' m = -score, A step = values - levels`` with ``L = l - m'levels``, until nothing moves."""
        phi, multipliers, nothing = (
            self.coordinates.phi(near),
            torch.zeros_like(values),
            torch.full_like(values, math.nan),
        )
        for _ in range(LAGRANGE_STEPS):
            z = self.coordinates.z(phi)
            loglike, score, hessian = self.model.sums(z, 2)
            levels, gradients, curvatures = self._levels(z)
            score = self.coordinates.free_gradient(score)
            normals = torch.stack([self.coordinates.free_gradient(gradient) for gradient in gradients])
            lagrangian = self.coordinates.free_hessian(hessian - torch.tensordot(multipliers, curvatures, 1))
            corner = normals.new_zeros(len(values), len(values))
            system = torch.cat([torch.cat([lagrangian, -normals.T], 1), torch.cat([-normals, corner], 1)])
            right = torch.cat([-score, levels - values])
            if not bool(torch.isfinite(system).all() & torch.isfinite(right).all()):
                break
            answer, info = torch.linalg.solve_ex(system, right)
            if int(info) != 0:
                break
            step, multipliers = answer[: len(phi)], answer[len(phi) :]
            if float(-step @ lagrangian @ step) < TOLERANCE and bool(
                ((levels - values).abs() < 1e-10 * self.units).all()
            ):
                return Constrained(float(loglike), multipliers, z)
            phi = phi + step
        return Constrained(math.nan, nothing, near)
