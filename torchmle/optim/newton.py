"""Newton's method with guards: the default, and the last word on what every other method found."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from .diagnosis import (
    NEGATIVE,
    ROUGH,
    allowance,
    creeping,
    direction_of,
    negligible,
    parabolic,
    ran_away,
    rough,
    rounding_floor,
    stationary,
)
from .optimum import Status
from .search import Point, Search
from .verdict import Quadratic

POLISHING = 3  # steps from within the tolerance, at most
SUFFICIENT = 1e-4  # share of the gain promised by the slope that a step must bring (Armijo)
SHORTEST = 1e-12  # step length, relative to the longest at which all is finite, where a line search gives up
FARTHEST = 1e-30  # step length at which the search for finite values gives up
UNDERSHOT = 0.3  # slope left after a full step, relative to the slope before, from which longer steps are tried
LONGEST = 2.0**60
RUNAWAY = 1e50  # no parameter of a usable model, nor its information, is that large
STALLED = 4  # steps in a row that leave the decrement where it was
STALL_BELOW = 1e-3  # decrement above which slow progress is not rounding error
NOISE = 16.0  # times the floor: decrements to which rounding errors alone bring a search, now this side of it, now that
UNFELT = 1e-7  # fall of the log-likelihood that no statistic feels; counts of millions round to as much


class Ending(NamedTuple):
    """Where Newton's method stopped and why."""

    point: Point
    model: Quadratic
    status: Status


def climb(
    search: Search,
    point: Point,
    *,
    maxiter: int,
    tol: float,
    reference: Point | None = None,
    polishing: int = POLISHING,
) -> Ending:
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
    polishing : int
        Most steps from within the tolerance.
    """
    reference = reference or point
    lowest, stalled = math.inf, 0
    for iteration in range(maxiter + 1):
        model = point.model
        if iteration:
            search.record(point.x, point.value, model.decrement)
        if model.decrement <= tol and model.definite:
            return _polish(search, point, model, reference, tol, polishing) if maxiter else _as_given(point, model)
        if stalled == STALLED:
            return Ending(point, model, Status.PRECISION)
        if iteration == maxiter:
            if _overflowing(point) or creeping(search.history):
                return _diverging(search, point, model, reference)
            return Ending(point, model, Status.ITERATION_LIMIT)
        trial, length = _advance(search, point, model) if model.decrement > tol else _escape(search, point, model)
        if trial is None:
            return _stuck(search, point, model, reference, tol)
        stalled = stalled + 1 if _stalls(point, model, trial, lowest) else 0
        point, lowest = trial, min(lowest, model.decrement)
        if length >= LONGEST or point.x.abs().max().item() > RUNAWAY:
            search.record(point.x, point.value, math.nan)
            return _diverging(search, point, point.model, reference)
    raise AssertionError("the loop above always returns")


def _stalls(point: Point, model: Quadratic, trial: Point, lowest: float) -> bool:
    """Does a good step bring nothing, and did those before not lower the decrement?  Then rounding errors rule."""
    small = 0.7 * lowest < model.decrement < STALL_BELOW
    return small and model.definite and trial.value - point.value < 0.1 * model.decrement and parabolic(model, trial)


def _stuck(search: Search, point: Point, model: Quadratic, reference: Point, tol: float) -> Ending:
    """Why no step raises the log-likelihood."""
    status = stationary(model, reference) if model.decrement <= tol else Status.LINE_SEARCH_FAILED
    if status in (Status.LINE_SEARCH_FAILED, Status.NOT_DEFINITE):
        away = ran_away(search, point, reference, model)
        if away is not None:
            return Ending(point, model._replace(weakest=away), Status.DIVERGING)
        if _overflowing(point):
            status = Status.DIVERGING
    return _diverging(search, point, model, reference) if status is Status.DIVERGING else Ending(point, model, status)


def _diverging(search: Search, point: Point, model: Quadratic, reference: Point) -> Ending:
    """The end of a search whose parameters were still running; the direction to be named is that of the last step.

    Where the information has become absurd the last step is made of rounding errors, and the whole way tells more.
    """
    whole = _overflowing(point) or len(search.history) < 2
    before = reference.x if whole else point.x.new_tensor(search.history[-2].x)
    return Ending(point, model._replace(weakest=direction_of(point.x - before, reference)), Status.DIVERGING)


def _overflowing(point: Point) -> bool:
    """Has the information become absurd, as where a variance goes to 0?"""
    return point.hessian.abs().max().item() > RUNAWAY


def _as_given(point: Point, model: Quadratic) -> Ending:
    """The verdict on a point that may not be moved."""
    return Ending(point, model, Status.CONVERGED if negligible(model, point.x) else Status.ITERATION_LIMIT)


def _advance(search: Search, point: Point, model: Quadratic) -> tuple[Point | None, float]:
    """The next point along the Newton direction and the step length, or None when no length brings anything."""
    trial, length = search.hessian(point.x + model.direction), 1.0
    rise = trial.value - point.value if trial.finite else math.nan
    while not (trial.finite and (_sufficient(rise, length, point, model) or _level(point, model, trial))):
        length = _backtrack(search, point, model, length, rise)
        if length == 0.0:
            return None, length
        trial = search.hessian(point.x + length * model.direction)
        rise = trial.value - point.value if trial.finite else math.nan
    if length == 1.0 and torch.dot(trial.gradient, model.direction).item() > UNDERSHOT * model.decrement:
        return _lengthen(search, point, model, trial)
    return trial, length


def _backtrack(search: Search, point: Point, model: Quadratic, length: float, rise: float) -> float:
    """A shorter step that raises the log-likelihood, by values alone; 0 if there is none."""
    shortest = SHORTEST * length
    while True:
        length *= _shrink(rise, length * model.decrement)
        if not math.isfinite(rise):  # on the way back into the domain, which may be long
            shortest = max(SHORTEST * length, FARTHEST)
        if length < shortest:
            return 0.0
        rise = search.value(point.x + length * model.direction) - point.value
        if _sufficient(rise, length, point, model):
            return length


def _sufficient(rise: float, length: float, point: Point, model: Quadratic) -> bool:
    return rise >= SUFFICIENT * length * model.decrement - allowance(point.value)


def _level(point: Point, model: Quadratic, trial: Point) -> bool:
    """Is a full step good by its slope, where the log-likelihood differs by rounding alone?

    Differences of the log-likelihood say nothing within about 1e-5 standard errors of the maximum when there are many
    rows or the columns are nearly collinear; the score still does (Hager and Zhang 2005, approximate Wolfe condition).
    """
    if not (model.definite and model.decrement < STALL_BELOW):
        return False
    slope = abs(torch.dot(trial.gradient, model.direction).item())
    return slope <= 0.5 * model.decrement and trial.value >= point.value - ROUGH * allowance(point.value)


def _shrink(rise: float, promised: float) -> float:
    """Factor on a step that failed: the maximum of the parabola through what is known, within [0.1, 0.5]."""
    if not math.isfinite(rise):
        return 0.1
    if not rise < promised:
        return 0.5
    return min(0.5, max(0.1, 0.5 * promised / (promised - rise)))


def _lengthen(search: Search, point: Point, model: Quadratic, trial: Point) -> tuple[Point, float]:
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
        return trial, length
    longer = search.hessian(point.x + length * model.direction)
    return (longer, length) if longer.finite else (trial, 1.0)


def _polish(search: Search, point: Point, model: Quadratic, reference: Point, tol: float, steps: int) -> Ending:
    """Full steps from within the tolerance down to rounding error, and the check that the maximum is a real one.

    Near a maximum the curvature along the step hardly changes while the decrement falls to nothing.  Where the
    log-likelihood only levels off towards infinity (separation: 1 - exp(-t)), or is flatter than a parabola, the
    curvature falls by a constant factor at every step however small the decrement.
    """
    floor, near = rounding_floor(search), False
    for _ in range(steps):
        if model.decrement <= (NOISE if near else 1) * floor and negligible(model, point.x):
            break
        trial = search.hessian(point.x + model.direction)
        if not trial.finite:
            break
        if trial.value < point.value - max(tol, UNFELT, ROUGH * allowance(point.value)):
            return Ending(point, model, Status.PRECISION)
        after = trial.model
        level = not after.definite and not negligible(model, point.x)  # already where the search began
        if level or not parabolic(model, trial):
            return Ending(point, model._replace(weakest=direction_of(model.direction, reference)), Status.DIVERGING)
        if not (after.definite and after.decrement <= model.decrement):
            break
        near = model.decrement**2 <= floor  # steps converge quadratically: what is left after this one is rounding
        point, model = trial, after
        search.record(point.x, point.value, model.decrement)
    away = ran_away(search, point, reference, model)
    if away is not None:
        return Ending(point, model._replace(weakest=away), Status.DIVERGING)
    noisy = rough(search, point, reference, model, tol)
    if noisy is not None:
        return Ending(point, model._replace(weakest=noisy), Status.PRECISION)
    return Ending(point, model, Status.CONVERGED)


def _escape(search: Search, point: Point, model: Quadratic) -> tuple[Point | None, float]:
    """Leave a saddle point along its direction of negative curvature, where no gradient shows the way."""
    if model.weakest is None or model.lowest > NEGATIVE:
        return None, 0.0
    along = model.scale * model.weakest
    for length in (1.0, 0.1, 0.01):
        for x in (point.x + length * along, point.x - length * along):
            if search.value(x) > point.value + allowance(point.value):
                trial = search.hessian(x)
                if trial.finite:
                    return trial, length
    return None, 0.0
