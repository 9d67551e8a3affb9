"""Separation where a link ends: cells whose means are best at a finite end of the range of the linear predictor.

Under a log link the mean of a cell without any count goes to zero at minus infinity; under the identity it is zero at the
end of the domain, and the estimates are finite.  Both are perfect prediction: a direction of the parameters makes rows more
and more likely and leaves the others as they are.  Rows whose means have come to the end are held there, and what the other
rows determine is estimated from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..data import Data
from ..optim import Status, maximize
from ..optim.recession import Recession, null_space, recession
from ..sums import row_map
from ..transforms import Transform
from .objective import Objective
from .separable import columns_of
from .separation import Separation, applies, combined, moved_by, pivoted_rows, refuse, resolve

if TYPE_CHECKING:
    from .coordinates import Coordinates
    from .fit import Fit

AT_END = 1e-6  # distance of a mean from its end, relative to the largest of other rows, below which it is there
WELL = 1e-6  # singular value from which coordinates can stand for others


class End(NamedTuple):
    """An end of the range of means.

    Attributes
    ----------
    predictor, mean : float
        The linear predictor there, which may be infinite, and the mean.
    sign : float
        1 for the highest linear predictor, -1 for the lowest.
    """

    predictor: float
    mean: float
    sign: float


class Found(NamedTuple):
    """Rows whose likelihood is highest at an end of the range of their means, and a direction towards it.

    Attributes
    ----------
    x : Tensor (n, f)
        Derivatives of all rows' linear predictors in free coordinates.
    row : Tensor (r,)
    touching : Tensor (r,)
        Which have come to a finite end.
    bounded : Tensor (r,)
        Which have a finite end.
    cone : Recession
    """

    x: Tensor
    row: Tensor
    touching: Tensor
    bounded: Tensor
    cone: Recession


def at_the_edge(fit: Fit, link: Transform, ends: Sequence[End]) -> Fit:
    """A fit; where rows are separated at an edge of the domain, with a note of it.

    Where the separated rows are all at the edge, the estimates are the maximum of the others, and have standard errors.

    Parameters
    ----------
    fit : Fit
    link : Transform
        From the linear predictor to the mean.
    ends : sequence of End

    Raises
    ------
    PerfectSeparationError
        Rows are separated, and the fit or the model was told to raise (`on_separation`, `raise_on_perfect_prediction`).
    """
    if not applies(fit):
        return fit
    found = _ends(fit, link, ends)
    if found is None:
        return fit
    coordinates = _tied(fit, found)
    if coordinates is None:
        return _reported(fit, _described(fit, found, False))
    held = torch.zeros(len(found.x), dtype=torch.bool)
    held[found.row[found.cone.strict & found.touching]] = True
    if bool(held.all()):
        return _reported(fit, _described(fit, found, False))
    model: Any = fit.model
    others = model.keep_rows(~held.numpy())
    again = maximize(Objective(others, coordinates), coordinates.phi(fit.z), names=fit.optimum.names)
    inner = resolve(replace(fit, model=others, coordinates=coordinates, optimum=combined(fit.optimum, again)))
    rest, settled = inner.separation, again.converged or inner.separation is not None
    said = _described(fit, found, settled)
    if not settled:
        return _reported(fit, said)
    if rest is not None:
        assert said.edge is not None
        said = replace(rest, edge=said.edge & ~rest.undetermined, rows=said.rows + rest.rows, of=said.of)
    value = float(Objective(model, inner.coordinates).value(inner.optimum.x))
    optimum = replace(inner.optimum, value=value)
    return _reported(replace(inner, model=model, others=others, optimum=optimum), said)


def _reported(fit: Fit, said: Separation) -> Fit:
    refuse(fit, said)
    return replace(fit, separation=said, optimum=replace(fit.optimum, status=Status.EDGE))


def _ends(fit: Fit, link: Transform, ends: Sequence[End]) -> Found | None:
    """Rows that the data put at ends, and a direction that takes them there without moving others; None if there is none."""
    model: Any = fit.model
    y = row_map(lambda block: block.y.double(), model.rows)
    mean, counted = link(model.separable.predictors(fit.z)[:, 0]), row_map(_counted, model.rows)
    moves, bounded = torch.zeros(len(y), dtype=torch.float64), torch.zeros(len(y), dtype=torch.bool)
    for end in ends:
        there = counted & (y == end.mean)
        moves[there] = end.sign
        bounded |= there & math.isfinite(end.predictor)
    others = counted & (moves == 0)
    size = float(mean[others].abs().max()) if bool(others.any()) else 1.0
    touching = bounded & ((mean - y).abs() <= AT_END * size)
    if not bool(touching.any()):
        return None
    row, x = moves.nonzero()[:, 0], columns_of(model.rows, next(iter(model.parameters)))
    x = x if fit.coordinates.basis is None else x @ fit.coordinates.basis
    cone = recession(x[others], x[row] * moves[row, None])
    if cone is None or not bool((cone.strict & touching[row]).any()):
        return None
    return Found(x, row, touching[row], bounded[row], cone)


def _counted(data: Data) -> Tensor:
    """Which rows have a weight, (n,)."""
    counted = torch.ones(data.n, dtype=torch.bool, device=data.device)
    for name, none in (("freq_weights", lambda column: column == 0), ("weightless", lambda column: column)):
        if name in data.columns:
            counted = counted & ~none(data.columns[name])
    return counted


def _tied(fit: Fit, found: Found) -> Coordinates | None:
    """Coordinates in which the rows at the edge stay there; None where that would bind what other rows determine."""
    x, row, touching, bounded, cone = found
    if not bool(touching[cone.strict & bounded].all()):
        return None
    rows, flat = x[row[cone.strict & touching]], cone.flat / cone.scale[:, None]
    kept, still = null_space(rows), null_space(rows @ flat)
    if x.shape[1] - kept.shape[1] != flat.shape[1] - still.shape[1]:
        return None
    moved = moved_by(flat)  # entries to be held are looked for among these
    others = pivoted_rows(torch.where(moved[:, None], WELL * kept, kept)) if kept.shape[1] else []
    if others:  # each coordinate as near as can be to the parameter that it stands for
        left, sizes, right = torch.linalg.svd(kept[others])
        if float(sizes.min()) < WELL:
            return None
        kept = kept @ (left @ right).T
    pivots = [i for i in range(len(kept)) if i not in others]
    old, free = fit.coordinates, fit.coordinates.free_entries
    basis = kept if old.basis is None else old.basis @ kept
    return replace(old, origin=fit.z, basis=basis, infinite=tuple(free[i] for i in pivots))


def _described(fit: Fit, found: Found, settled: bool) -> Separation:
    """Which entries of theta the direction moves, and how many rows are at the edge."""
    cone = found.cone
    moved = moved_by(fit.coordinates.jacobian @ (cone.flat / cone.scale[:, None]))
    none = torch.zeros(len(fit.z), dtype=torch.int64)
    rows = int((cone.strict & found.touching).sum())
    return Separation(none, none.bool(), rows, len(found.x), moved, settled)
