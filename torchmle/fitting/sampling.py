"""Where a fit to many rows starts: near the maximum, by way of a sample, so that few costly passes see them all."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compute.processes import total
from ..optim import Optimum, maximize
from ..optim.verdict import quadratic
from .coordinates import Coordinates
from .objective import Objective

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel

MANY_ROWS = 200_000  # from which a pass over the rows costs more than the search in a sample
SHARE = 16  # one row in so many
ROWS_PER_PARAMETER = 50  # that a sample must have
SEED = 20_230_517
CHORDS = 4  # most steps with the sample's curvature
CONTRACTING = 0.1  # share of the decrement that such a step may leave
CLOSE = 1e-6  # decrement expected after the next one, 1e-3 standard errors, from which Newton's method takes over


def start_from_sample(model: LikelihoodModel, coordinates: Coordinates) -> Tensor | None:
    """The maximum over a random sample of the rows, drawn nearer by the score of all rows; None where that would not help.

    In z.  The sample is drawn by a generator of its own, the same in every fit.  Where the sample has no maximum (a rare
    level is missing, say) the search starts as for few rows.
    """
    rows = model.rows
    n = total(rows.n, rows.group)
    if n < max(MANY_ROWS, SHARE * ROWS_PER_PARAMETER * coordinates.size) or model.linear:
        return None
    generator = torch.Generator().manual_seed(SEED)
    chosen = torch.randint(rows.n, (rows.n // SHARE,), generator=generator).sort().values
    sample = of_rows(model, chosen)
    objective = Objective(sample, coordinates)
    start = coordinates.phi(sample.start())
    if not all(bool(torch.isfinite(part).all()) for part in (start, *objective.hessian(start))):
        return None
    optimum = maximize(objective, start, "newton", maxiter=25)
    if not optimum.converged:
        return None
    return coordinates.z(drawn_near(Objective(model, coordinates), optimum, n / total(len(chosen), rows.group)))


def drawn_near(objective: Objective, sample: Optimum, times: float) -> Tensor:
    """Chord steps x + (-c H)⁻¹g from a sample's maximum: the score g of all rows, the curvature H of the sample's.

    The sample's curvature differs from that of all rows by a few per cent, so that each step leaves as much of the
    error, for a third of what a pass with the Hessian costs (Ortega and Rheinboldt 1970, 10.1, simplified Newton method).
    Steps end where they no longer shorten the way by enough.

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
        risen, gradient = objective.gradient(trial)
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
    other = copy.copy(model)
    for name in [name for name in vars(other) if isinstance(getattr(type(other), name, None), cached_property)]:
        if name != "coordinates":
            del vars(other)[name]
    other._rows = model.rows.take(chosen)
    return other
