"""Newton's method with guards: the default, and the last word on what every other method found."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch

from .optimum import Status
from .search import Point, Search
from .verdict import EPS, Quadratic, condition, modified_quadratic, quadratic, scaled_information

POLISH_STEPS = 3
SUFFICIENT = 1e-4  # share of the gain promised by the slope that a step must bring (Armijo)
SHORTEST = 1e-12  # step length at which a line search gives up
UNDERSHOT = 0.3  # slope left after a full step, relative to the slope before, from which longer steps are tried
LONGEST = 2.0**60
RUNAWAY = 1e50  # no parameter of a usable model, nor its information, is that large
STALLED = 4  # steps in a row that leave the decrement where it was
STALL_BELOW = 1e-3  # decrement above which slow progress is not rounding error
NEGATIVE = -1e-8  # eigenvalue of the scaled -H from which it counts as negative
FLAT = 1e-6  # curvature along a direction, relative to its coordinates' own, that counts as none
FALLEN = 1e4  # fall of the information that raises suspicion
SHORT = 0.1  # way from the start, in standard errors, on which it should not have fallen
ILL_CONDITIONED = 1e6  # condition number from which the weakest direction is looked at too
CREEPING_BELOW = 0.1  # decrement


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
        if iteration:
            search.record(point.x, point.value, model.decrement)
        if model.decrement <= tol and model.definite:
            return _polish(search, point, model, reference) if maxiter else _as_given(point, model)
        if stalled == STALLED:
            return Ending(point, model, Status.PRECISION)
        if model.decrement > tol:
            trial, length = _advance(search, point, model) if iteration < maxiter else (None, 0.0)
            failure = Status.DIVERGING if _overflowing(point) else Status.LINE_SEARCH_FAILED
        else:
            trial, length = _escape(search, point, model) if iteration < maxiter else None, 1.0
            failure = _indefinite(model, reference)
        if trial is None:
            return Ending(point, model, failure if iteration < maxiter else _at_the_limit(search))
        stalls = model.decrement < STALL_BELOW and model.decrement > 0.7 * before and _parabolic(model, trial)
        stalled = stalled + 1 if stalls else 0
        point, before = trial, model.decrement
        if length >= LONGEST or point.x.abs().max().item() > RUNAWAY:
            search.record(point.x, point.value, math.nan)
            return Ending(point, quadratic(point.gradient, point.hessian), Status.DIVERGING)
    raise AssertionError("the loop above always returns")


def allowance(value: float) -> float:
    """Fall of the log-likelihood that rounding explains."""
    return 64 * EPS * max(1.0, abs(value))


def _advance(search: Search, point: Point, model: Quadratic) -> tuple[Point | None, float]:
    """The next point along the Newton direction and the step length, or None when no length brings anything."""
    floor = point.value - allowance(point.value)
    gain = SUFFICIENT * model.decrement
    trial = search.hessian(point.x + model.direction)
    length = 1.0
    while not (trial.finite and (trial.value >= floor + length * gain or _level(point, model, trial))):
        rise = trial.value - point.value
        length *= _shrink(rise, length * model.decrement)
        while length >= SHORTEST:
            value = search.value(point.x + length * model.direction)
            if value >= floor + length * gain:
                break
            length *= _shrink(value - point.value, length * model.decrement)
        if length < SHORTEST:
            return None, length
        trial = search.hessian(point.x + length * model.direction)
    if length == 1.0 and torch.dot(trial.gradient, model.direction).item() > UNDERSHOT * model.decrement:
        return _lengthen(search, point, model, trial)
    return trial, length


def _level(point: Point, model: Quadratic, trial: Point) -> bool:
    """Is a full step good by its slope, where the log-likelihood differs by rounding alone?

    Differences of the log-likelihood say nothing within about 1e-5 standard errors of the maximum when there are many
    rows or the columns are nearly collinear; the score still does (Hager and Zhang 2005, approximate Wolfe condition).
    """
    if not (model.definite and model.decrement < STALL_BELOW):
        return False
    slope = abs(torch.dot(trial.gradient, model.direction).item())
    return slope <= 0.5 * model.decrement and trial.value >= point.value - 100 * allowance(point.value)


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


def _polish(search: Search, point: Point, model: Quadratic, reference: Point) -> Ending:
    """Full steps from within the tolerance down to rounding error, and the check that the maximum is a real one.

    Near a maximum the curvature along the step hardly changes while the decrement falls to nothing.  Where the
    log-likelihood only levels off towards infinity (separation: 1 - exp(-t)), or is flatter than a parabola, the
    curvature falls by a constant factor at every step however small the decrement.
    """
    for _ in range(POLISH_STEPS):
        if model.decrement <= rounding_floor(search) and _negligible(model, point):
            break
        trial = search.hessian(point.x + model.direction)
        if not (trial.finite and trial.value >= point.value - 100 * allowance(point.value)):
            break
        if not _parabolic(model, trial):
            return Ending(point, model, Status.DIVERGING)
        after = quadratic(trial.gradient, trial.hessian)
        if not (after.definite and after.decrement <= model.decrement):
            break
        point, model = trial, after
        search.record(point.x, point.value, model.decrement)
    return _unless_run_away(search, point, model, reference)


def _unless_run_away(search: Search, point: Point, model: Quadratic, reference: Point) -> Ending:
    """Converged, unless a parameter went so far out that the log-likelihood is level there up to rounding.

    Suspected are parameters, and the weakest direction, along which the information has fallen by orders of magnitude
    though the way from the start is short beside the standard error.  It is certain if the log-likelihood falls far
    more than the parabola says on going back to the start along them.
    """
    assert model.factor is not None
    way = (point.x - reference.x) / model.scale
    lost = reference.hessian.diagonal() * model.scale.square() < -FALLEN
    back = torch.where(lost & (way.abs() < SHORT), way, torch.zeros_like(way))
    if condition(scaled_information(point.hessian, model.scale), model.factor) > ILL_CONDITIONED:
        weak = modified_quadratic(point.gradient, point.hessian)
        assert weak.weakest is not None
        along = model.scale * weak.weakest
        length = torch.dot(weak.weakest, way).item()
        lost_there = -torch.dot(along, reference.hessian @ along).item() > FALLEN * weak.lowest
        if lost_there and length**2 * weak.lowest < SHORT**2:
            back = back + length * weak.weakest
    if back.any():
        move = model.scale * back
        fall = -0.5 * torch.dot(move, point.hessian @ move).item()
        if not search.value(point.x - move) > point.value - 10 * fall - allowance(point.value):
            return Ending(point, model._replace(weakest=back / back.norm()), Status.DIVERGING)
    return Ending(point, model, Status.CONVERGED)


def _overflowing(point: Point) -> bool:
    """Has the information become absurd, as where a variance goes to 0?"""
    return point.hessian.abs().max().item() > RUNAWAY


def _as_given(point: Point, model: Quadratic) -> Ending:
    """The verdict on a point that may not be moved."""
    return Ending(point, model, Status.CONVERGED if _negligible(model, point) else Status.ITERATION_LIMIT)


def _at_the_limit(search: Search) -> Status:
    """Tell a search that only needs more steps from one that creeps: a small decrement falling by a constant factor."""
    last = [step.decrement for step in search.history[-4:]]
    ratios = [after / before if before > 0 else 0.0 for before, after in pairwise(last)]
    creeping = len(last) == 4 and last[-1] < CREEPING_BELOW and all(0.2 < ratio < 0.8 for ratio in ratios)
    return Status.DIVERGING if creeping else Status.ITERATION_LIMIT


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
    return Status.DIVERGING if _curved(model, reference) else Status.SINGULAR


def _curved(model: Quadratic, reference: Point) -> bool:
    """Was the log-likelihood curved at the reference along the direction that is weakest now?"""
    assert model.weakest is not None
    along = model.scale * model.weakest
    curvature = -torch.dot(along, reference.hessian @ along).item()
    own = torch.dot(along.square(), reference.hessian.diagonal().abs()).item()
    return curvature > FLAT * own
