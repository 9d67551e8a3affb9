"""Where a fit to many rows starts: near the maximum, by way of a sample, so that few costly passes see them all."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..compute.processes import total
from ..optim import Optimum, maximize
from ..optim.verdict import quadratic
from ..sums import row_bytes
from .coordinates import Coordinates
from .objective import Objective

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel

MANY_BYTES = 2**23  # of rows, from which a pass over them costs more than the search in a sample
SHARE = 16  # one row in so many
ROWS_PER_PARAMETER = 50  # that a sample must have
SEED = 20_230_517
ROUGHLY = 0.25  # decrement for each parameter in the sample; from its maximum to that of all rows it is about one
CHORDS = 4  # most steps with the sample's curvature
CONTRACTING = 0.1  # share of the decrement that such a step may leave
CLOSE = 1e-5  # decrement expected after the next one, 0.003 standard errors, from which Newton's method takes over


def start_from_sample(model: LikelihoodModel, coordinates: Coordinates) -> Tensor | None:
    """The maximum over a sample of the rows, drawn nearer by the score of all rows, in z; None where that would not help."""
    found = sample_maximum(model, coordinates)
    return None if found is None else coordinates.z(drawn_near(Objective(model, coordinates), *found))


def sample_maximum(model: LikelihoodModel, coordinates: Coordinates) -> tuple[Optimum, float] | None:
    """About the maximum over a random sample of the rows, one of every sixteen, and how many rows there are for each in it.

    The sample is drawn by a generator of its own, the same in every fit; if it is large, its own search starts in the same
    way.  None for few rows, and where the sample has no maximum: a rare level is missing, say.
    """
    rows = model.rows
    n = total(rows.n, rows.group)
    few = n * row_bytes(rows) < MANY_BYTES or n < SHARE * ROWS_PER_PARAMETER * coordinates.size
    if few or model.linear:
        return None
    generator = torch.Generator().manual_seed(SEED)
    strata = rows.n // SHARE
    chosen = SHARE * torch.arange(strata) + torch.randint(SHARE, (strata,), generator=generator)
    sample = of_rows(model, chosen)
    objective, nearer = Objective(sample, coordinates), sample_maximum(sample, coordinates)
    start = coordinates.phi(sample.start()) if nearer is None else nearer[0].x
    if not all(bool(torch.isfinite(part).all()) for part in (start, *objective.hessian(start))):
        return None
    optimum = maximize(objective, start, "newton", maxiter=25, tol=ROUGHLY * coordinates.size, polishing=0)
    return (optimum, n / total(len(chosen), rows.group)) if optimum.converged else None


def drawn_near(objective: Objective, sample: Optimum, times: float) -> Tensor:
    """Chord steps x + (-c H)⁻¹g from a sample's maximum: the score g of all rows, the curvature H of the sample's.

    The sample's curvature differs from that of all rows by a few per cent, so that each step leaves as much of the
    error, for a third of what a pass with the Hessian costs (Ortega and Rheinboldt 1970, 10.1, simplified Newton method).
    How the score changed over a step corrects the curvature along it (`updated`).  Steps end where they no longer shorten
    the way by enough.

    Parameters
    ----------
    objective : Objective
        Of all rows.
    sample : Optimum
        Of the sample.
    times : float
        Number of rows for each in the sample, c.
    """
    x, curvature = sample.x, times * sample.hessian
    value, gradient = objective.gradient(x)
    step = quadratic(gradient, curvature)
    for _ in range(CHORDS):
        trial = x + step.direction
        risen, there = objective.gradient(trial)
        curvature, gradient = updated(curvature, step.direction, there - gradient), there
        after = quadratic(gradient, curvature)
        left = after.decrement / step.decrement if step.decrement > 0 else 0.0
        if not (risen >= value and left <= CONTRACTING):
            return x
        x, value, step = trial, risen, after
        if left * step.decrement <= CLOSE:
            return x + step.direction
    return x


def of_rows(model: LikelihoodModel, chosen: Tensor) -> LikelihoodModel:
    """The model of some rows, by position, with all else as it is; for sums alone, since names of rows are not kept."""
    other = fresh_copy(model, "coordinates")
    other._rows = model.rows.take(chosen)
    return other


def fresh_copy(model: Any, *kept: str) -> Any:
    """A shallow copy without what was computed from the data, but for what is to be kept."""
    other = copy.copy(model)
    for name in [name for name in vars(other) if isinstance(getattr(type(other), name, None), cached_property)]:
        if name not in kept:
            del vars(other)[name]
    return other


def updated(hessian: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """A negative definite Hessian that has learned how the gradient changed over a step (BFGS; Nocedal and Wright 2006, 6.19)."""
    along, curvature = hessian @ step, step @ change
    if not curvature < 0:
        return hessian
    return hessian - torch.outer(along, along) / (step @ along) + torch.outer(change, change) / curvature
