"""The profile log-likelihood of one entry of the table: the maximum over all other parameters at each of its values.

An entry is moved on the real side of its scale (log sigma, not sigma), where the profile is nearest to a parabola.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    """A function of several reals, such as an entry of a covariance matrix: Newton's method on Lagrange's conditions."""

    def __init__(self, results: Results, entry: int, scale: Transform):
        self.model, self.entry, self.scale = results.model, entry, scale
        self.coordinates = as_told(results)
        z = results.fit.z
        level, gradient, _ = self._level(z)
        self.estimate, self.top = level, results.fit.optimum.value
        self.unit = _standard_error(results, gradient)

    def direction(self, z: Tensor) -> Tensor:
        """Gradient of the entry in z."""
        return self._level(z)[1]

    def _level(self, z: Tensor) -> tuple[float, Tensor, Tensor]:
        """The entry on the real side of its scale, with two derivatives in z."""

        def level(point: Tensor) -> Tensor:
            theta = point if self.coordinates.uncentre is None else self.coordinates.uncentre @ point
            return self.scale.inverse(self.model.layout.natural(theta)[self.entry])

        value = float(level(z))
        gradient = torch.autograd.functional.jacobian(level, z)
        return value, gradient, torch.autograd.functional.hessian(level, z)

    def at(self, value: float, near: Tensor, halvings: int = 4) -> ProfilePoint:
        found = self._solve(value, near)
        if found.finite or halvings == 0:
            return found
        middle = self.at((value + self._level(near)[0]) / 2, near, halvings - 1)
        return self._solve(value, middle.z) if middle.finite else middle

    def _solve(self, value: float, near: Tensor) -> ProfilePoint:
        """``H_L step - a m = -score, a' step = value - level`` with ``L = l - m level``, until nothing moves."""
        phi, multiplier = self.coordinates.phi(near), 0.0
        for _ in range(LAGRANGE_STEPS):
            z = self.coordinates.z(phi)
            loglike, score, hessian = self.model.sums(z, 2)
            level, gradient, curvature = self._level(z)
            score, normal = self.coordinates.free_gradient(score), self.coordinates.free_gradient(gradient)
            lagrangian = self.coordinates.free_hessian(hessian - multiplier * curvature)
            system = torch.cat(
                [torch.cat([lagrangian, -normal[:, None]], 1), torch.cat([-normal, normal.new_zeros(1)])[None]]
            )
            right = torch.cat([-score, normal.new_tensor([level - value])])
            if not bool(torch.isfinite(system).all() & torch.isfinite(right).all()):
                break
            answer, info = torch.linalg.solve_ex(system, right)
            if int(info) != 0:
                break
            step, multiplier = answer[:-1], float(answer[-1])
            if float(-step @ lagrangian @ step) < TOLERANCE and abs(level - value) < 1e-10 * self.unit:
                return ProfilePoint(value, float(loglike), multiplier, z)
            phi = phi + step
        return ProfilePoint(value, math.nan, math.nan, near)
