"""Maxima at the boundary of a parameter's range: no dispersion, no added zeros.

On the real line of such a parameter (the logarithm of a dispersion, the logit of a share) the boundary is infinitely far away,
and a search would run there for ever.  It is held there instead, at a real value whose natural value is exact, and the point is
a maximum when the log-likelihood does not rise as the parameter leaves the boundary (Karush, Kuhn and Tucker).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...data import Data
from ...fitting.constraints import Restrictions
from ...fitting.coordinates import Coordinates, held_at
from ...fitting.fit import Fit
from ...fitting.objective import Objective
from ...fitting.separation import combined
from ...optim import Optimum, Status, maximize
from ...sums import row_sums

if TYPE_CHECKING:
    from .counts import CountModel

Found = tuple[Objective, Optimum]
LEVEL = 1e-9  # of the log-likelihood, within which two maxima are the same


def best_inside_or_at_a_boundary(
    model: CountModel, search: Callable[[Mapping[int, float]], Found], restrictions: Restrictions
) -> Found:
    """The maximum that a search finds with all parameters free; where it fails, with some held at the boundary.

    Parameters
    ----------
    model : CountModel
    search : callable
        From entries of theta and the real values at which to hold them to an objective and its maximum.
    restrictions : Restrictions
        What the user says of the parameters; what it concerns is not held.
    """
    entries = {name: at for name, at in constant_boundaries(model).items() if not _concerns(restrictions, at[0])}
    found = search({})
    objective, optimum = found
    if optimum.converged:
        return _named(found) if objective.coordinates.boundary else found
    for size in range(1, len(entries) + 1):
        for names in combinations(entries, size):
            held = search(dict(entries[name] for name in names))
            if held[1].converged and _at_a_maximum(model, held, entries) and not _lower(held[1], optimum):
                return _named(held)
    return found


def limit_at_a_boundary(fit: Fit) -> Fit:
    """The limit of a fit with separated rows, or the one at a boundary that the search for it was still on its way to."""
    model: Any = fit.model
    free = {name: at for name, at in constant_boundaries(model).items() if _is_free(fit.coordinates, at[0])}
    for size in range(1, len(free) + 1):
        for names in combinations(free, size):
            coordinates = held_at(fit.coordinates, dict(free[name] for name in names))
            objective = Objective(model, coordinates)
            optimum = maximize(objective, coordinates.phi(fit.z), names=coordinates.free_names(model.layout))
            if (
                optimum.converged
                and _at_a_maximum(model, (objective, optimum), free)
                and not _lower(optimum, fit.optimum)
            ):
                return replace(fit, coordinates=coordinates, optimum=combined(fit.optimum, optimum))
    return fit


def _is_free(coordinates: Coordinates, entry: int) -> bool:
    """Whether an entry of theta is one of the free coordinates."""
    return coordinates.basis is None or bool((coordinates.basis[entry] != 0).any())


def constant_boundaries(model: CountModel) -> dict[str, tuple[int, float]]:
    """Entry of theta and real value at the boundary, of the constant parameters that have one."""
    constant = [name for name in model.distribution.boundaries if name not in model.rows.x]
    return {name: (model.layout.block(name).reals.start, model.distribution.boundaries[name]) for name in constant}


def _concerns(restrictions: Restrictions, entry: int) -> bool:
    """Whether the user says something of an entry of theta."""
    said = entry in restrictions.all_held or entry in restrictions.bounds
    return said or bool((restrictions.matrix[:, entry] != 0).any())


def slope(model: CountModel, z: Tensor, name: str) -> float:
    """Derivative of the log-likelihood in the natural value of a parameter that is at its boundary."""
    point = z.to(model.rows.device)

    def rows(block: Data) -> tuple[Tensor]:
        weights = block.get("freq_weights")
        each = model.distribution.boundary_slope(name, model.eta(point, block), block.y, block.log_factorial)
        return (each.sum() if weights is None else torch.where(weights == 0, 0.0, each * weights).sum(),)

    return float(row_sums(rows, model.rows)[0])


def _at_a_maximum(model: CountModel, found: Found, entries: Mapping[str, tuple[int, float]]) -> bool:
    """Does the log-likelihood rise in no parameter that is held at its boundary?"""
    objective, optimum = found
    z = objective.coordinates.z(optimum.x)
    held = [name for name, (entry, _) in entries.items() if entry in objective.coordinates.boundary]
    return all(slope(model, z, name) <= 0 for name in held)


def _lower(held: Optimum, free: Optimum) -> bool:
    return held.value < free.value - LEVEL * max(1.0, abs(free.value))


def _named(found: Found) -> Found:
    """What was found, its status saying whether a parameter is at its boundary."""
    objective, optimum = found
    if optimum.status is not Status.CONVERGED:
        return found
    return objective, replace(optimum, status=Status.BOUNDARY)
