"""Separation: rows that some direction of the parameters predicts perfectly, so that estimates are infinite.

The maximum is then taken in the limit (Geyer 2009): parameters go to infinity along the direction, the rows that it
separates contribute the supremum of their likelihood, and what the other rows determine is estimated from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..data import Data
from ..errors import PerfectSeparationError
from ..optim import Optimum, Status, maximize
from ..optim.diagnosis import negligible
from ..optim.recession import Recession, definite_sign, recession
from ..optim.verdict import quadratic
from ..sums import row_map
from .objective import Objective

if TYPE_CHECKING:
    from ..regression import RegressionModel
    from .fit import Fit

FAR = 200.0  # linear predictor at which a row has reached its limit
FARTHER = 2.0  # times the largest at hand, if that is more
LOST = 1e-8  # slope there, or fall below the value at the estimate, from which a row counts as lost
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


class Constraints(NamedTuple):
    """What rows say of directions of the free coordinates; see `torchmle.optim.recession`."""

    equal: Tensor
    unequal: Tensor
    row: Tensor  # of each inequality


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
    if fit.optimum.status is Status.ITERATION_LIMIT and float(predictors(model, fit.z).abs().max()) < WANDERED:
        return fit
    found = [
        Found(rows, direction)
        for rows in _constraints(fit, model)
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
    model, optimum = fit.model, fit.optimum
    known = hasattr(model, "separating_rows") or len(model.layout.blocks) == 1
    if not known or optimum.status is not Status.DIVERGING or not 0 <= optimum.decrement <= EXACT:
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
    """Whether the rows are looked at: they are all here, not too many, and reach theta by linear predictors alone."""
    model: Any = fit.model
    data = model._rows
    if data is None or data.group is not None or model.linear:
        return False
    if hasattr(model, "separating_pairs"):
        return 0 < int((data.ones * (data.size - data.ones)).sum()) * model.layout.size < LARGEST
    return hasattr(model, "eta_derivatives") and bool(data.x) and 0 < data.n * model.layout.size < LARGEST


def predictors(model: Any, z: Tensor) -> Tensor:
    """Linear predictors of all rows, (n, m)."""
    point = z.to(model.rows.device)
    if hasattr(model, "separating_pairs"):
        return (model.within @ point)[:, None].cpu()
    return row_map(lambda block: torch.stack(model.eta(point, block), 1), model.rows)


# -- what the rows say ---------------------------------------------------------------------------------------------


def _constraints(fit: Fit, model: RegressionModel) -> Iterator[Constraints]:
    """The inequalities of all predictors at once, for a model that knows them, or of each with the others held."""
    basis = fit.coordinates.basis
    basis = torch.eye(len(fit.z), dtype=torch.float64) if basis is None else basis
    if hasattr(model, "separating_pairs"):
        pairs, group = model.separating_pairs()
        yield Constraints(basis.new_zeros(0, basis.shape[1]), pairs @ basis, group)
        return
    if hasattr(model, "separating_rows"):
        yield _joint(model, basis)
        return
    for j, block in enumerate(model.layout.blocks):
        if block.name in model.rows.x:
            others = torch.ones(len(basis), dtype=torch.bool)
            others[block.reals] = False
            yield _of_predictor(model, fit.z, j, basis[block.reals], basis[others])


def _of_predictor(model: RegressionModel, z: Tensor, j: int, basis: Tensor, others: Tensor) -> Constraints:
    """Rows that can only gain upwards, only downwards, or not at all when predictor j goes to infinity."""
    point, name = z.to(model.rows.device), model.layout.blocks[j].name
    moves = row_map(lambda block: _moves(model, point, block, j), model.rows)
    x = columns_of(model.rows, name) @ basis
    up, down = moves[:, 0], moves[:, 1]
    one = (up ^ down).nonzero()[:, 0]
    sign = torch.where(up[one], 1.0, -1.0).to(torch.float64)
    return Constraints(torch.cat([x[~(up | down)], others]), x[one] * sign[:, None], one)


def _moves(model: RegressionModel, z: Tensor, data: Data, j: int) -> Tensor:
    """Whether each row keeps its likelihood as predictor j goes up, and as it goes down, (n, 2) bool.

    It does if the slope there is not negative and the log-likelihood not lower than here.  Rows without weight always do.
    """
    eta = model.eta(z, data)
    here = model.eta_derivatives(eta, data, 1)[0]
    kept = []
    for sign in (1.0, -1.0):
        far = torch.full_like(eta[j], sign * max(FAR, FARTHER * float(eta[j].abs().max())))
        value, slopes, _ = model.eta_derivatives((*eta[:j], far, *eta[j + 1 :]), data, 1)
        kept.append((sign * slopes[j] >= -LOST) & (value >= here - LOST * (1 + here.abs())))
    weights = data.get("freq_weights")
    moves = torch.stack(kept, 1)
    return moves if weights is None else moves | (weights == 0)[:, None]


def _joint(model: Any, basis: Tensor) -> Constraints:
    """Inequalities in all predictors; those without a design are constants."""
    signs = row_map(model.separating_rows, model.rows)  # (n, inequalities, m)
    n, each, _ = signs.shape
    one = torch.ones(n, 1, dtype=torch.float64)
    x = {name: columns_of(model.rows, name) for name in model.rows.x}
    weights = model.rows.get("freq_weights")
    counted = torch.ones(n, dtype=torch.bool) if weights is None else weights.cpu() > 0
    rows = torch.arange(n)[counted]
    blocks = [
        signs[counted][:, :, j, None] * x.get(block.name, one)[counted][:, None, :]
        for j, block in enumerate(model.layout.blocks)
    ]
    unequal = torch.cat(blocks, 2).reshape(len(rows) * each, -1)
    said = (signs[counted] != 0).any(2).reshape(-1)
    return Constraints(basis.new_zeros(0, basis.shape[1]), unequal[said] @ basis, rows.repeat_interleave(each)[said])


def columns_of(data: Data, name: str) -> Tensor:
    """The design of a predictor, (n, k), on the CPU."""
    return row_map(lambda block: block.x[name].to(torch.float64), data)


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
    size = 2 * float(predictors(model, z)[:, moving].abs().max())
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
    decided, members = _decided(fit.model, z)
    perfect, n = int(members[touched & ~left & decided].sum()), int(members.sum())
    if perfect == n:
        held = [*fit.coordinates.fixed, *fit.coordinates.dropped, *fit.coordinates.boundary]
        undetermined = torch.ones(k, dtype=torch.bool).index_fill(0, torch.tensor(held, dtype=torch.int64), False)
    return Separation(signs, undetermined, perfect, n)


def _decided(model: Any, z: Tensor) -> tuple[Tensor, Tensor]:
    """Rows whose likelihood no predictor changes any more, and rows (members, of a group) that have a weight, (n,) each."""
    weights = model.rows.get("freq_weights")
    counted = torch.ones(model.rows.n, dtype=torch.int64) if weights is None else (weights.cpu() > 0).long()
    if hasattr(model, "separating_pairs"):
        return model.certain_groups(z, LOST), counted * model.rows.size.cpu()
    point = z.to(model.rows.device)

    def block(data: Data) -> Tensor:
        _, slopes, curvatures = model.eta_derivatives(model.eta(point, data), data, 2)
        every = torch.stack([*slopes, *(each for row in curvatures for each in row)], 1)
        return (every.abs() <= LOST).all(1)

    return row_map(block, model.rows), counted
