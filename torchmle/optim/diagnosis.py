"""What a point that looks like the end of a search is: a maximum, a plateau, a saddle, parameters on the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from .optimum import Status, Step
from .search import Point, Search
from .verdict import EPS, Quadratic, beyond, modified_quadratic, scaled_information

NEGATIVE = -1e-8  # eigenvalue of the scaled -H from which it counts as negative
FLAT = 1e-6  # curvature along a direction, relative to its coordinates' own, that counts as none
FALLEN = 1e4  # fall of the information that raises suspicion
SHORT = 0.1  # way from the start, in standard errors, on which it should not have fallen
CHANGED = 10.0  # fall of the information from which the log-likelihood is tested for roughness
PROBE = 1e-4  # standard errors moved by that test
ROUGH = 1000  # times the allowance for rounding that cannot be rounding of a sound computation
ILL_CONDITIONED = 1e6  # condition number from which the weakest direction is looked at too
CREEPING_BELOW = 0.1  # decrement
FEW_ROWS = 100_000  # up to which the last digits cost next to nothing


def allowance(value: float) -> float:
    """Fall of the log-likelihood that rounding explains."""
    return 64 * EPS * max(1.0, abs(value))


def rounding_floor(search: Search) -> float:
    """Decrement at which a search may end: 1e-12 standard errors, 1e-9 where a pass over the rows takes long.

    More where rounding errors in the score leave more.
    """
    few = search.objective.n <= FEW_ROWS
    return max(1e-24 if few else 1e-18, 4 * EPS**2 * search.objective.n * search.objective.size)


def negligible(model: Quadratic, x: Tensor) -> bool:
    """Is the step from x small beside every parameter?  Far out on a plateau it is not, tiny though the decrement is."""
    return bool((model.direction.abs() <= 1e-6 * x.abs()).all())


def parabolic(model: Quadratic, trial: Point) -> bool:
    """Is the curvature along a full step about the same at its end as at its beginning?

    Near a maximum it is.  Where the log-likelihood only levels off towards infinity (separation: -exp(-t)), or is
    flatter than a parabola, it falls by a constant factor at every step, however small the decrement.
    """
    curvature = -torch.dot(model.direction, trial.hessian @ model.direction).item()
    return 0.5 * model.decrement < curvature < 2.0 * model.decrement


def creeping(history: Sequence[Step]) -> bool:
    """Did the last steps make a small decrement fall by a constant factor, as on the way to infinity?"""
    last = [step.decrement for step in history[-4:]]
    ratios = [after / before if before > 0 else 0.0 for before, after in pairwise(last)]
    return len(last) == 4 and last[-1] < CREEPING_BELOW and all(0.2 < ratio < 0.8 for ratio in ratios)


def stationary(model: Quadratic, reference: Point) -> Status:
    """Name a stationary point where -H is not positive definite.

    A direction flat from the start is not identified; one that was curved at the start and is flat now is one along
    which the parameters ran away.
    """
    if model.weakest is None or model.lowest < NEGATIVE:
        return Status.NOT_DEFINITE
    along = model.scale * model.weakest
    own = torch.dot(along.square(), reference.hessian.diagonal().abs()).item()
    return Status.DIVERGING if _information(reference, along) > FLAT * own else Status.SINGULAR


def ran_away(search: Search, point: Point, reference: Point, model: Quadratic) -> Tensor | None:
    """Directions along which the log-likelihood looks stationary only because it is level up to rounding.

    Suspected are parameters, and the weakest direction, along which the information has fallen by orders of magnitude
    though the way from the start is short beside the standard error.  It is certain if the log-likelihood falls far
    more than the parabola says on going back to the start along them.

    Returns
    -------
    Tensor or None
        (k,) unit vector in the standard errors of the start, or None if nothing ran away.
    """
    now = point.hessian.diagonal().abs()
    way = point.x - reference.x
    lost = reference.hessian.diagonal().abs() > FALLEN * now
    back = torch.where(lost & (way.square() * now < SHORT**2), way, torch.zeros_like(way))
    if model.factor is not None and _ill_conditioned(point, model):
        back = back + _back_along_weakest(point, reference, way)
    if not back.any():
        return None
    fall = 0.5 * abs(_information(point, back))
    if search.value(point.x - back) > point.value - 10 * fall - allowance(point.value):
        return None
    return direction_of(back, reference)


def direction_of(way: Tensor, reference: Point) -> Tensor | None:
    """A way as a unit vector in the standard errors of a point where there are such, as at the start; None of no length.

    Those at the end of a search are no measure of parameters that ran away: they are the longer the farther it went.
    """
    size = reference.hessian.diagonal().abs()
    scaled = way * torch.where(size > 0, size, torch.ones_like(size)).sqrt()
    length = scaled.norm().item()
    return scaled / length if 0 < length < math.inf else None


def rough(search: Search, point: Point, reference: Point, model: Quadratic, tol: float) -> Tensor | None:
    """Directions in which the log-likelihood is so inaccurate that its maximum may be one of rounding errors.

    Differences of large terms (log-gamma functions of 1/alpha as alpha goes to 0) lose all digits far from the start.
    Parameters about which much less is known here than at the start are moved by a hair; a sound log-likelihood then
    falls as its parabola does.

    Returns
    -------
    Tensor or None
        (k,) unit vector in scaled coordinates, or None if nothing is wrong.
    """
    now = point.hessian.diagonal().abs()
    move = torch.where(reference.hessian.diagonal().abs() > CHANGED * now, PROBE * now.rsqrt(), torch.zeros_like(now))
    if not move.any():
        return None
    fall = 0.5 * abs(_information(point, move))
    change = abs(search.value(point.x + move) - point.value)
    if change <= 10 * fall + max(tol, ROUGH * allowance(point.value)):
        return None
    direction = move / model.scale
    return direction / direction.norm()


def _back_along_weakest(point: Point, reference: Point, way: Tensor) -> Tensor:
    """The part of the way along the least determined direction, if the information has fallen along it."""
    weak = modified_quadratic(point.gradient, point.hessian)
    assert weak.weakest is not None
    along = weak.scale * weak.weakest
    length = torch.dot(weak.weakest, way / weak.scale).item()
    lost = _information(reference, along) > FALLEN * weak.lowest
    return length * along if lost and length**2 * weak.lowest < SHORT**2 else torch.zeros_like(way)


def _ill_conditioned(point: Point, model: Quadratic) -> bool:
    assert model.factor is not None
    return beyond(ILL_CONDITIONED, scaled_information(point.hessian, model.scale), model.factor)


def _information(point: Point, along: Tensor) -> float:
    """Curvature of the negative log-likelihood along a direction."""
    return -torch.dot(along, point.hessian @ along).item()
