"""Separation: rows that some direction of the parameters predicts perfectly, so that estimates are infinite.

The maximum is then taken in the limit (Geyer 2009): parameters go to infinity along the direction, the rows that it
separates contribute the supremum of their likelihood, and what the other rows determine is estimated from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor

from ..errors import PerfectSeparationError
from ..optim import Optimum, Status, maximize
from ..optim.diagnosis import negligible
from ..optim.recession import Recession, definite_sign, recession
from ..optim.verdict import quadratic
from .objective import Objective
from .separable import LOST, Constraints

if TYPE_CHECKING:
    from .fit import Fit

MARGINS = (40.0, 200.0, 1e4, 1e8)  # linear predictors taken for infinity: exponential tails first, then Cauchy's
SAME = 1e-9  # change of the log-likelihood on doubling the way, below which the limit is reached
UNBOUNDED = 1e-3  # such a change at the end of the way, above which there is no limit
EXACT = 1e-10  # decrement of a maximum
LARGEST = 2 * 10**8  # numbers in the inequalities, above which separation is not looked for
ZERO = 1e-9  # entry of a direction, relative to its largest, that is rounding
WANDERED = 10.0  # linear predictor that makes a search stopped by its limit suspicious
SUSPICIOUS = (
    Status.DIVERGING, Status.SINGULAR, Status.NOT_DEFINITE, Status.LINE_SEARCH_FAILED, Status.PRECISION,
    Status.METHOD_FAILED, Status.ITERATION_LIMIT,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Separation:
    """What perfect prediction leaves without a finite estimate.

    Attributes
    ----------
    signs : Tensor (k,)
        For each entry of theta the sign of its estimate where that is infinite, else 0.
    undetermined : Tensor (k,)
        Entries of theta that have no estimate in the limit: the infinite ones, and those that only occur with them.
    rows, of : int
        Rows predicted perfectly, whose likelihood no parameter can change any more, of how many that have a weight.
    edge : Tensor (k,) or None
        Entries of theta with a finite estimate at the edge of the model's domain.
    settled : bool
        Whether the other estimates are those of the other rows.
    """

    signs: Tensor
    undetermined: Tensor
    rows: int
    of: int
    edge: Tensor | None = None
    settled: bool = True

    @property
    def complete(self) -> bool:
        """Whether every row is predicted perfectly."""
        return self.rows == self.of

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file."""
        edge = None if self.edge is None else self.edge.tolist()
        return {"signs": self.signs.tolist(), "undetermined": self.undetermined.tolist(), "rows": [self.rows, self.of],
                "edge": edge, "settled": self.settled}  # fmt: skip

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Separation:
        """What `to_dict` wrote."""
        edge = None if told["edge"] is None else torch.tensor(told["edge"])
        rows, of = told["rows"]
        return cls(torch.tensor(told["signs"]), torch.tensor(told["undetermined"]), rows, of, edge, told["settled"])

    def sentence(self, names: tuple[str, ...]) -> str:
        """What happened, in the names of theta's entries."""
        ends = [
            f"{name} ({'+' if sign > 0 else '-'}inf)"
            for name, sign in zip(names, self.signs.tolist(), strict=True)
            if sign
        ]
        others = [name for name, gone, sign in zip(names, self.undetermined.tolist(), self.signs.tolist(), strict=True)
                  if gone and not sign]  # fmt: skip
        edge = [] if self.edge is None else [name for name, at in zip(names, self.edge.tolist(), strict=True) if at]
        kind = "Perfect separation" if self.complete else "Quasi-complete separation"
        what = f"{self.rows} of {self.of} rows are predicted perfectly" if self.rows else "some outcomes are ruled out"
        how = "as parameters grow without limit, so there is no finite maximum"
        if edge:
            how = "at the edge of the model's domain, where the log-likelihood still rises"
        text = f"{kind}: {what} {how}."
        text += f" Infinite estimates: {', '.join(ends)}." if ends else ""
        text += f" Estimates at the edge: {', '.join(edge)}." if edge else ""
        text += f" Not determined: {', '.join(others)}." if others else ""
        if not self.settled:
            text += " The estimates are the best found within the domain; they have no standard errors there."
        elif not (
            self.complete or bool((self.undetermined if self.edge is None else self.undetermined | self.edge).all())
        ):
            text += " The other estimates and their standard errors are those of the limit."
        advice = "use a link that keeps means in their range" if edge else "use profile-likelihood intervals for them"
        return f"{text} Leave the columns out, combine levels, or {advice}."


class Found(NamedTuple):
    """Inequalities, and the direction that satisfies them."""

    constraints: Constraints
    recession: Recession


def resolve(fit: Fit) -> Fit:
    """The fit, or its limit where the rows are separated.

    Raises
    ------
    PerfectSeparationError
        They are, and the fit or the model was told to raise (`on_separation`, `raise_on_perfect_prediction`).
    """
    model: Any = fit.model
    if fit.optimum.status not in SUSPICIOUS or not applies(fit):
        return fit
    if fit.optimum.status is Status.ITERATION_LIMIT and float(model.separable.predictors(fit.z).abs().max()) < WANDERED:
        return fit
    found = [
        Found(rows, direction)
        for rows in model.separable.constraints(fit)
        if (direction := recession(rows.equal, rows.unequal)) is not None
    ]
    if not found:
        return _cleared(fit)
    limit = _limit(fit, found)
    if limit is None:
        return fit
    assert limit.separation is not None
    refuse(fit, limit.separation)
    return limit


def _cleared(fit: Fit) -> Fit:
    """A fit no rows of which are separated: where that is known, a point with all marks of a maximum is one.

    A row far from the others has most of the information at the start and may have next to none at the maximum, which
    alone looks like a way to infinity.
    """
    model, optimum = cast(Any, fit.model), fit.optimum
    if not model.separable.all_known or optimum.status is not Status.DIVERGING or not 0 <= optimum.decrement <= EXACT:
        return fit
    here = quadratic(optimum.gradient, optimum.hessian)
    if not (here.definite and negligible(here, optimum.x)):
        return fit
    return replace(fit, optimum=replace(optimum, status=Status.CONVERGED, direction=None))


def refuse(fit: Fit, found: Separation) -> None:
    """Raise for separation that was found, where the fit or its model was told to."""
    model: Any = fit.model
    if model.raise_on_perfect_prediction or fit.settings.get("controls", {}).get("on_separation") == "raise":
        raise PerfectSeparationError(found.sentence(model.layout.real_names))


def applies(fit: Fit) -> bool:
    """Whether the rows are looked at: they are all here, not too many, and say of the model what separates them."""
    model: Any = fit.model
    data = model._rows
    if data is None or data.group is not None or model.linear or not hasattr(model, "separable"):
        return False
    return 0 < model.separable.numbers < LARGEST


# -- the limit -----------------------------------------------------------------------------------------------------


def _limit(fit: Fit, found: list[Found]) -> Fit | None:
    """The maximum in the limit: what is undetermined is held far out, the rest is estimated.

    None where the likelihood cannot be computed so far out, or has no limit.
    """
    model, coordinates = fit.model, fit.coordinates
    phi = coordinates.phi(fit.z)
    direction, pivots = torch.zeros_like(phi), []
    for _, (step, flat, _, scale) in found:
        phi = phi - flat @ (flat.T @ (phi * scale)) / scale
        direction = direction + step
        pivots += pivoted_rows(flat)
    z = _far_out(fit, found, phi, direction)
    if z is None:
        return None
    said = _described(fit, found, z)
    pivots = list(range(len(phi))) if said.complete else pivots  # of no other parameter does any row speak
    keep = [i for i in range(len(phi)) if i not in pivots]
    free = coordinates.free_entries
    basis = torch.eye(len(z), dtype=torch.float64) if coordinates.basis is None else coordinates.basis
    reduced = replace(coordinates, origin=z, basis=basis[:, keep], infinite=tuple(free[i] for i in pivots))
    found_again = maximize(Objective(model, reduced), reduced.phi(z), names=reduced.free_names(model.layout))
    return replace(fit, coordinates=reduced, optimum=combined(fit.optimum, found_again), separation=said)


def pivoted_rows(flat: Tensor) -> list[int]:
    """Rows of a (f, q) basis, q of them, on which it is best conditioned (QR with pivoting)."""
    from scipy.linalg import qr

    return sorted(qr(flat.T.numpy(), mode="r", pivoting=True)[1][: flat.shape[1]].tolist())


def moved_by(directions: Tensor) -> Tensor:
    """Which of k entries any of some directions (k, q) moves, (k,)."""
    return (directions.abs() / directions.abs().amax(0)).amax(1) > ZERO


def _far_out(fit: Fit, found: list[Found], phi: Tensor, direction: Tensor) -> Tensor | None:
    """A point so far along the direction that going twice as far changes nothing, in z.

    None where nothing is finite or, as with a variance that goes to zero, there is no upper limit.
    """
    model: Any = fit.model
    z = fit.coordinates.z(phi)
    along = fit.coordinates.z(phi + direction) - z
    slowest = min(float((rows.unequal[cone.strict] @ direction).min()) for rows, cone in found)
    moving = [j for j, block in enumerate(model.layout.blocks) if bool((along[block.reals] != 0).any())]
    size = 2 * float(model.separable.predictors(z)[:, moving].abs().max())
    reached, rise = None, 0.0
    for margin in MARGINS:
        far = z + (margin + size) / slowest * along
        value, farther = (float(model.sums(point, 0)[0]) for point in (far, 2 * far - z))
        if not math.isfinite(value):
            break
        reached, rise = far, abs(farther - value) / (1 + abs(value))
        if not rise > SAME:
            break
    return None if rise > UNBOUNDED else reached


def combined(first: Optimum, last: Optimum) -> Optimum:
    """The second search as the end of the first; there is still no finite maximum."""
    return replace(
        last,
        status=Status.DIVERGING if last.converged else last.status,
        method=first.method,
        iterations=first.iterations + last.iterations,
        evaluations=first.evaluations + last.evaluations,
        hessian_evaluations=first.hessian_evaluations + last.hessian_evaluations,
        history=first.history,
        seconds=first.seconds + last.seconds,
    )


def _described(fit: Fit, found: list[Found], z: Tensor) -> Separation:
    """Which entries of theta have no finite estimate, which of them a sign, and how many rows are predicted perfectly at z."""
    n, k = fit.model.rows.n, len(fit.z)
    theta = fit.coordinates.jacobian
    undetermined, signs = torch.zeros(k, dtype=torch.bool), torch.zeros(k, dtype=torch.int64)
    touched, left = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    for rows, cone in found:
        moved = moved_by(theta @ (cone.flat / cone.scale[:, None]))
        for i in moved.nonzero()[:, 0].tolist():
            signs[i] = definite_sign(cone, rows.unequal, theta[i])
        undetermined |= moved
        touched[rows.row] = True
        left[rows.row[~cone.strict]] = True
    separable = cast(Any, fit.model).separable
    decided, members = separable.decided(z, LOST), separable.members
    perfect, n = int(members[touched & ~left & decided].sum()), int(members.sum())
    if perfect == n:
        held = [*fit.coordinates.fixed, *fit.coordinates.dropped, *fit.coordinates.boundary]
        undetermined = torch.ones(k, dtype=torch.bool).index_fill(0, torch.tensor(held, dtype=torch.int64), False)
    return Separation(signs, undetermined, perfect, n)
