"""Maxima within bounds, by active sets: what lies beyond a bound is held at it, what would rise inside is let go.

At the answer the Karush-Kuhn-Tucker conditions hold: every entry is within its bounds, and where one is held at a bound
the log-likelihood would only rise beyond it.  All exchanges are made at once as long as their number falls (Kostreva
1978), else one at a time, the first in order, which cannot cycle for a quadratic (Murty 1974).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ..optim import Optimum, Status
from ..optim.verdict import quadratic
from .constraints import Restrictions
from .coordinates import Coordinates, hold, restrict
from .objective import Objective

Solve = Callable[[Restrictions, Tensor], tuple[Objective, Optimum]]

ROUNDS = 100
PATIENCE = 5  # rounds in which all exchanges are made at once although they become no fewer
BEYOND = 1e-9  # of a bound, relative to its size, that is rounding error
GAIN = 1e-9  # rise of the log-likelihood, by its parabola, for which a bound is let go


def within_bounds(
    restrictions: Restrictions, objective: Objective, optimum: Optimum, solve: Solve
) -> tuple[Objective, Optimum]:
    """The maximum within the bounds, from the maximum without them.

    Parameters
    ----------
    restrictions : Restrictions
    objective, optimum :
        Of the restrictions without the bounds.
    solve : callable
        From restrictions and a z to start from to the objective and its maximum.
    """
    fewest, patience = math.inf, PATIENCE
    for _ in range(ROUNDS):
        exchanged = exchanges(restrictions, objective, optimum)
        if not exchanged:
            return objective, _named(optimum, restrictions, objective)
        patience = PATIENCE if len(exchanged) < fewest else patience - 1
        fewest = min(fewest, len(exchanged))
        chosen = exchanged if patience > 0 else {min(exchanged): exchanged[min(exchanged)]}
        active = {**restrictions.active, **chosen}
        restrictions = replace(restrictions, active={i: value for i, value in active.items() if value is not None})
        objective, found = solve(restrictions, objective.coordinates.z(optimum.x))
        optimum = replace(
            found,
            iterations=optimum.iterations + found.iterations,
            evaluations=optimum.evaluations + found.evaluations,
            hessian_evaluations=optimum.hessian_evaluations + found.hessian_evaluations,
            seconds=optimum.seconds + found.seconds,
        )
    return objective, replace(optimum, status=Status.METHOD_FAILED)


def exchanges(restrictions: Restrictions, objective: Objective, optimum: Optimum) -> dict[int, float | None]:
    """Entries to hold, with the bound they are beyond, and entries to let go, with None."""
    coordinates = objective.coordinates
    theta = coordinates.theta(coordinates.z(optimum.x)).tolist()
    found: dict[int, float | None] = {}
    for index, (low, high) in restrictions.bounds.items():
        if index in restrictions.active or index in coordinates.dropped:
            continue
        if theta[index] < low - BEYOND * max(1.0, abs(low)):
            found[index] = low
        elif theta[index] > high + BEYOND * max(1.0, abs(high)):
            found[index] = high
    for index, value in restrictions.active.items():
        if _rises_inside(restrictions, objective, optimum, index, value == restrictions.bounds[index][0]):
            found[index] = None
    return found


def _rises_inside(restrictions: Restrictions, objective: Objective, optimum: Optimum, index: int, lower: bool) -> bool:
    """Whether the log-likelihood would rise if an entry left its bound for the inside, the others following."""
    coordinates = objective.coordinates
    active = {i: value for i, value in restrictions.active.items() if i != index}
    wider = coordinates_of(objective.model.coordinates, replace(restrictions, active=active), coordinates)
    z = coordinates.z(optimum.x)
    _, score, hessian = objective.model.sums(z, 2)
    slope = wider.free_gradient(score)
    upwards = wider.jacobian[index]  # what a move of the entry is in free coordinates: here the only way that matters
    rise = float(slope @ upwards) * (1 if lower else -1)
    gain = quadratic(slope, wider.free_hessian(hessian))
    return rise > 0 and (not gain.definite or 0.5 * gain.decrement > GAIN)


def coordinates_of(whole: Coordinates, restrictions: Restrictions, like: Coordinates) -> Coordinates:
    """Coordinates under restrictions, with the same entries dropped and at their boundary as in others."""
    boundary = {index: float(like.theta(like.origin)[index]) for index in like.boundary}
    held = hold(whole, restrictions.all_held, like.dropped, boundary)
    return restrict(held, restrictions.matrix, restrictions.values)


def _named(optimum: Optimum, restrictions: Restrictions, objective: Objective) -> Optimum:
    """The optimum with the names of what is at a bound."""
    names = objective.model.layout.real_names
    bound = tuple(names[index] for index in sorted(restrictions.active))
    if not bound:
        return optimum
    status = Status.AT_BOUNDS if optimum.status is Status.CONVERGED else optimum.status
    return replace(optimum, status=status, bound=bound)
