"""Newton's method with guards: the default, and the last word on what every other method found."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from .optimum import Status
from .search import Point, Search
from .verdict import EPS, Quadratic, quadratic

POLISH_STEPS = 3
SUFFICIENT = 1e-4  # share of the gain promised by the slope that a step must bring (Armijo)
SHORTEST = 1e-12  # step length at which a line search gives up
UNDERSHOT = 0.3  # slope left after a full step, relative to the slope before, from which longer steps are tried
LONGEST = 2.0**60
RUNAWAY = 1e50  # no parameter of a usable model is that large
STALLED = 4  # steps in a row that leave the decrement where it was
STALL_BELOW = 1e-3  # decrement above which slow progress is not rounding error
NEGATIVE = -1e-8  # eigenvalue of the scaled -H from which it counts as negative
FLAT = 1e-6  # curvature along a direction, relative to its coordinates' own, that counts as none


class Ending(NamedTuple):
    """Where Newton's method stopped and why."""

    point: Point
    model: Quadratic
    status: Status


def climb(search: Search, point: Point, *, maxiter: int, tol: float, reference: Point | None = None) -> Ending:
    """Newton steps from an evaluated point to the maximum.

    The step is x + (-H)⁻¹g with H scaled to a unit diagonal; where -H is not positive definite its eigenvalues are
    replaced by their absolute values.  The objective's Hessian is evaluated directly at the full step, one pass per
    iteration; only when that step does not raise the log-likelihood are shorter ones tried, by value alone.  The
    stopping rule is the Newton decrement g'(-H)⁻¹g <= tol, which depends neither on the units of the parameters nor
    on the number of rows (Boyd and Vandenberghe 2004, 9.5; Nocedal and Wright 2006, ch. 3).

    Parameters
    ----------
    search : Search
    point : Point
        Where to start; finite.
    maxiter : int
        Most steps; the polish at the end is not counted.
    tol : float
        Largest decrement.
    reference : Point, optional
        The start of the whole search, to tell parameters that ran away from ones never identified.
    """
    reference = reference or point
    before, stalled = math.inf, 0
    for iteration in range(maxiter + 1):
        model = quadratic(point.gradient, point.hessian)
        if model.decrement <= tol and model.definite:
            return _polish(search, point, model)
        if stalled == STALLED:
            return Ending(point, model, Status.PRECISION)
        if model.decrement > tol:
            trial = _advance(search, point, model) if iteration < maxiter else None
            failure = Status.LINE_SEARCH_FAILED
        else:
            trial = _escape(search, point, model) if iteration < maxiter else None
            failure = _indefinite(model, reference)
        if trial is None:
            return Ending(point, model, failure if iteration < maxiter else Status.ITERATION_LIMIT)
        search.record(trial.x, trial.value, model.decrement)
        stalls = model.decrement < STALL_BELOW and model.decrement > 0.7 * before and _parabolic(model, trial)
        stalled = stalled + 1 if stalls else 0
        point, before = trial, model.decrement
        if point.x.abs().max().item() > RUNAWAY:
            return Ending(point, quadratic(point.gradient, point.hessian), Status.DIVERGING)
    raise AssertionError("the loop above always returns")


def allowance(value: float) -> float:
    """Fall of the log-likelihood that rounding explains."""
    return 64 * EPS * max(1.0, abs(value))


def _advance(search: Search, point: Point, model: Quadratic) -> Point | None:
    """The next point along the Newton direction, or None when no step length brings anything."""
    floor = point.value - allowance(point.value)
    gain = SUFFICIENT * model.decrement
    trial = search.hessian(point.x + model.direction)
    length = 1.0
    while not (trial.finite and trial.value >= floor + length * gain):
        rise = trial.value - point.value
        length *= _shrink(rise, length * model.decrement)
        while length >= SHORTEST:
            value = search.value(point.x + length * model.direction)
            if value >= floor + length * gain:
                break
            length *= _shrink(value - point.value, length * model.decrement)
        if length < SHORTEST:
            return None
        trial = search.hessian(point.x + length * model.direction)
    if length == 1.0 and torch.dot(trial.gradient, model.direction).item() > UNDERSHOT * model.decrement:
        return _lengthen(search, point, model, trial)
    return trial


def _shrink(rise: float, promised: float) -> float:
    """Factor on a step that failed: the maximum of the parabola through what is known, within [0.1, 0.5]."""
    if not math.isfinite(rise):
        return 0.1
    return min(0.5, max(0.1, 0.5 * promised / (promised - rise)))


def _lengthen(search: Search, point: Point, model: Quadratic, trial: Point) -> Point:
    """Double a step that fell far short, while the log-likelihood still rises along it.

    Newton's method creeps where the log-likelihood is far steeper than its parabola, one unit of the linear predictor
    a step for exponentials; doubling reaches a far maximum in a few passes.  It stops short of the maximum along the
    direction, since beyond it an exponential may be flat.
    """
    length, best = 1.0, trial.value
    while length < LONGEST:
        value, gradient = search.gradient(point.x + 2 * length * model.direction)
        if not (value > best + allowance(best) and torch.dot(gradient, model.direction).item() > 0):
            break
        length, best = 2 * length, value
    if length == 1.0:
        return trial
    longer = search.hessian(point.x + length * model.direction)
    return longer if longer.finite else trial


def _polish(search: Search, point: Point, model: Quadratic) -> Ending:
    """Full steps from within the tolerance down to rounding error, and the check that the maximum is a real one.

    Near a maximum the curvature along the step hardly changes while the decrement falls to nothing.  Where the
    log-likelihood only levels off towards infinity (separation: 1 - exp(-t)), or is flatter than a parabola, the
    curvature falls by a constant factor at every step however small the decrement.
    """
    for _ in range(POLISH_STEPS):
        if model.decrement <= rounding_floor(search) and _negligible(model, point):
            break
        trial = search.hessian(point.x + model.direction)
        if not trial.finite or trial.value < point.value - allowance(point.value):
            break
        if not _parabolic(model, trial):
            return Ending(point, model, Status.DIVERGING)
        after = quadratic(trial.gradient, trial.hessian)
        if not (after.definite and after.decrement <= model.decrement):
            break
        point, model = trial, after
        search.record(point.x, point.value, model.decrement)
    return Ending(point, model, Status.CONVERGED)


def rounding_floor(search: Search) -> float:
    """Decrement that rounding errors in the score leave: 1e-12 standard errors, more for very many rows."""
    return max(1e-24, 4 * EPS**2 * search.objective.n * search.objective.size)


def _negligible(model: Quadratic, point: Point) -> bool:
    """Is the step small beside every parameter?  Far out on a plateau it is not, tiny though the decrement is."""
    return bool((model.direction.abs() <= 1e-6 * point.x.abs()).all())


def _parabolic(model: Quadratic, trial: Point) -> bool:
    """Is the curvature along a full step about the same at its end as at its beginning?"""
    curvature = -torch.dot(model.direction, trial.hessian @ model.direction).item()
    return 0.5 * model.decrement < curvature < 2.0 * model.decrement


def _escape(search: Search, point: Point, model: Quadratic) -> Point | None:
    """Leave a saddle point along its direction of negative curvature, where no gradient shows the way."""
    if model.weakest is None or model.lowest > NEGATIVE:
        return None
    along = model.scale * model.weakest
    for length in (1.0, 0.1, 0.01):
        for x in (point.x + length * along, point.x - length * along):
            if search.value(x) > point.value + allowance(point.value):
                trial = search.hessian(x)
                if trial.finite:
                    return trial
    return None


def _indefinite(model: Quadratic, reference: Point) -> Status:
    """Name a stationary point where -H is not positive definite.

    A direction flat from the start is not identified; one that was curved at the start and is flat now is one along
    which the parameters ran away.
    """
    if model.weakest is None or model.lowest < NEGATIVE:
        return Status.NOT_DEFINITE
    along = model.scale * model.weakest
    curvature = -torch.dot(along, reference.hessian @ along).item()
    own = torch.dot(along.square(), reference.hessian.diagonal().abs()).item()
    return Status.DIVERGING if curvature > FLAT * own else Status.SINGULAR
