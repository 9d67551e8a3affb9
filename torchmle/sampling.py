"""Where a fit to many rows starts: at the maximum over a sample of them, so that few passes see them all."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .coordinates import Coordinates
from .objective import Objective
from .optim import maximize
from .processes import total

if TYPE_CHECKING:
    from .likelihood import LikelihoodModel

MANY_ROWS = 200_000  # from which a pass over the rows costs more than the search in a sample
SHARE = 16  # one row in so many
ROWS_PER_PARAMETER = 50  # that a sample must have
SEED = 20_230_517


def start_from_sample(model: LikelihoodModel, coordinates: Coordinates) -> Tensor | None:
    """The maximum over a random sample of the rows, in z; None where that would not help.

    The sample is drawn by a generator of its own, the same in every fit.  Where the sample has no maximum (a rare level
    is missing, say) the search starts as for few rows.
    """
    rows = model.rows
    many = total(rows.n, rows.group) >= max(MANY_ROWS, SHARE * ROWS_PER_PARAMETER * coordinates.size)
    if not many or model.linear:
        return None
    generator = torch.Generator().manual_seed(SEED)
    chosen = torch.randint(rows.n, (rows.n // SHARE,), generator=generator).sort().values
    sample = of_rows(model, chosen)
    objective = Objective(sample, coordinates)
    start = coordinates.phi(sample.start())
    if not all(bool(torch.isfinite(part).all()) for part in (start, *objective.hessian(start))):
        return None
    optimum = maximize(objective, start, "newton", maxiter=25)
    return coordinates.z(optimum.x) if optimum.converged else None


def of_rows(model: LikelihoodModel, chosen: Tensor) -> LikelihoodModel:
    """The model of some rows, by position, with all else as it is; for sums alone, since names of rows are not kept."""
    other = copy.copy(model)
    for name in [name for name in vars(other) if isinstance(getattr(type(other), name, None), cached_property)]:
        if name != "coordinates":
            del vars(other)[name]
    other._rows = model.rows.take(chosen)
    return other
