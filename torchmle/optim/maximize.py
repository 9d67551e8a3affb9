"""The door to every method: options are checked here, and here the verdict is passed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import FitInterrupted
from .newton import Ending, climb
from .optimum import Optimum, Status
from .search import BudgetSpent, Objective, Point, Search
from .verdict import Quadratic, condition, quadratic

POLISH_STEPS = 10  # Newton steps after a method that is not Newton's
NEAR = 1e-2  # decrement, 0.1 standard errors: a method stopped by its limit farther away is not polished


class Method(NamedTuple):
    """How a method is run.

    `run(search, start, tol, maxiter, options)` improves on the start; what it found is the best point of the search.
    It returns whether its iteration limit stopped it.  None for Newton's method itself.
    """

    run: Callable[[Search, Point, float, int, Mapping[str, Any]], bool] | None
    maxiter: int
    options: tuple[str, ...] = ()
    stochastic: bool = False  # always polished: such a method never arrives by itself


METHODS: dict[str, Method] = {"newton": Method(None, 100)}
ALIASES = {"lbfgs": "l-bfgs", "ncg": "newton-cg", "nr": "newton"}
REFUSED = {
    "trust-krylov": "method 'trust-krylov' is broken in pytorch-minimize (it fails on most plain problems with a "
    "'reducible T matrix'); use 'trust-ncg' or 'trust-exact'"
}
COMMON_OPTIONS = ("maxfun",)


def methods() -> list[str]:
    """Names of the methods, aliases left out."""
    return list(METHODS)


def maximize(
    objective: Objective,
    start: Tensor,
    method: str = "newton",
    *,
    maxiter: int | None = None,
    tol: float | None = None,
    callback: Callable[[Tensor], object] | None = None,
    progress: bool = False,
    names: Iterable[str] | None = None,
    **options: Any,
) -> Optimum:
    """Maximise a log-likelihood.

    Parameters
    ----------
    objective : Objective
        Log-likelihood, score and Hessian as float64 tensors on the CPU.
    start : Tensor
        (k,) where to start.
    method : str
        One of `methods()` or an alias (lbfgs, ncg).
    maxiter : int, optional
        Most iterations of the method: Newton steps (default 100), iterations of a pytorch-minimize or scipy method
        (default 500), epochs of a first-order method (default 100).  0 evaluates the start.
    tol : float, optional
        Largest Newton decrement g'(-H)⁻¹g at which the search has converged, 1e-10 by default: the estimates are then
        within 1e-5 standard errors, and a last Newton step takes them to rounding error.
    callback : callable, optional
        Called with a copy of the parameters after each iteration; what it returns is ignored.
    progress : bool
        Show a progress bar (needs tqdm).
    names : iterable of str, optional
        Names of the parameters, for messages.
    **options
        Options of the method.  All: `maxfun`, the most passes over the data.

    Returns
    -------
    Optimum

    Raises
    ------
    ValueError
        Unknown method.
    TypeError
        Unknown option; the message lists the valid ones.
    FitInterrupted
        Ctrl-C; the best point so far is in its `optimum`.
    """
    name = resolve(method, options)
    spec = METHODS[name]
    limit = spec.maxiter if maxiter is None else maxiter
    tol = 1e-10 if tol is None else tol
    labels = tuple(names) if names is not None else ()
    x = torch.as_tensor(start).detach().to(torch.float64).clone()
    maxfun = options.get("maxfun")
    search = Search(objective, maxfun=maxfun, callback=callback, progress=progress, maxiter=limit)
    settings = {key: value for key, value in options.items() if key not in COMMON_OPTIONS}
    try:
        ending = _search(search, x, spec, limit, tol, settings)
    except BudgetSpent:
        ending = _last(search, x, Status.EVALUATION_BUDGET)
    except KeyboardInterrupt:
        optimum = _optimum(search, _last(search, x, Status.INTERRUPTED, best=True), name, labels)
        message = f"fit interrupted after {optimum.iterations} iterations at log-likelihood {optimum.value:.10g}"
        raise FitInterrupted(message, optimum) from None
    finally:
        search.close()
    return _optimum(search, ending, name, labels)


def resolve(method: str, options: Iterable[str]) -> str:
    """Name of a method, aliases resolved, once it and its options are known to be valid."""
    key = method.lower() if isinstance(method, str) else method
    name = ALIASES.get(key, key)
    if name in REFUSED:
        raise ValueError(REFUSED[name])
    if name not in METHODS:
        raise ValueError(f"method must be one of: {', '.join(METHODS)}; got {method!r}")
    valid = METHODS[name].options + COMMON_OPTIONS
    unknown = [option for option in options if option not in valid]
    if unknown:
        raise TypeError(
            f"method {name!r} has no option {', '.join(map(repr, unknown))}; its options are: {', '.join(valid)}"
        )
    return name


def _search(search: Search, x: Tensor, spec: Method, limit: int, tol: float, options: Mapping[str, Any]) -> Ending:
    if len(x) == 0:
        return _nothing_to_do(search, x)
    start = search.hessian(x)
    if not start.finite:
        return Ending(start, _unknown(start.x), Status.NOT_FINITE_START)
    search.record(start.x, start.value, math.nan)
    if spec.run is None:
        return climb(search, start, maxiter=limit, tol=tol)
    return _method_then_newton(search, start, spec, limit, tol, options)


def _method_then_newton(
    search: Search, start: Point, spec: Method, limit: int, tol: float, options: Mapping[str, Any]
) -> Ending:
    """Run a method, then let Newton's method finish from its best point and judge."""
    assert spec.run is not None
    model = quadratic(start.gradient, start.hessian)
    if model.decrement <= tol:  # at a stationary point some methods loop for ever and others report failure
        return climb(search, start, maxiter=min(limit, POLISH_STEPS), tol=tol)
    stopped = spec.run(search, start, tol, limit, options)
    assert search.best is not None
    assert search.point is not None
    point = search.point if search.point.x is search.best[0] else search.hessian(search.best[0])
    if not point.finite:
        point = search.point
    if stopped and not spec.stochastic:
        model = quadratic(point.gradient, point.hessian)
        if model.decrement > max(NEAR, tol):
            return Ending(point, model, Status.ITERATION_LIMIT)
    ending = climb(search, point, maxiter=POLISH_STEPS, tol=tol, reference=start)
    if ending.status is Status.ITERATION_LIMIT and not stopped:
        return ending._replace(status=Status.METHOD_FAILED)
    return ending


def _unknown(x: Tensor) -> Quadratic:
    return Quadratic(torch.full_like(x, math.nan), math.nan, False, torch.ones_like(x), None, math.nan, None)


def _nothing_to_do(search: Search, x: Tensor) -> Ending:
    """All parameters are fixed: the start is the answer, if its log-likelihood is finite."""
    point = Point(x, search.value(x), x, x.new_zeros(0, 0))
    search.record(x, point.value, 0.0)
    status = Status.CONVERGED if math.isfinite(point.value) else Status.NOT_FINITE_START
    return Ending(point, Quadratic(x, 0.0, True, x, x.new_zeros(0, 0), math.nan, None), status)


def _last(search: Search, x: Tensor, status: Status, best: bool = False) -> Ending:
    """The best point of a search cut short: the best with a Hessian, or the very best."""
    point = search.point
    if search.best is not None and (point is None or (best and search.best[0] is not point.x)):
        x, value = search.best
        point = Point(x, value, torch.full_like(x, math.nan), x.new_full((len(x), len(x)), math.nan))
    if point is None:
        point = Point(x, math.nan, torch.full_like(x, math.nan), x.new_full((len(x), len(x)), math.nan))
    if not point.finite:
        return Ending(point, _unknown(point.x), status)
    return Ending(point, quadratic(point.gradient, point.hessian), status)


def _optimum(search: Search, ending: Ending, name: str, names: tuple[str, ...]) -> Optimum:
    point, model, status = ending
    number = math.inf
    if model.factor is not None:
        number = condition(-point.hessian * model.scale[:, None] * model.scale, model.factor)
    direction = None
    if status in (Status.SINGULAR, Status.NOT_DEFINITE):
        direction = model.weakest
    elif status is Status.DIVERGING:
        step = model.direction / model.scale if model.weakest is None else model.weakest
        direction = step / step.norm()
    return Optimum(
        x=point.x,
        value=point.value,
        gradient=point.gradient,
        hessian=point.hessian,
        status=status,
        method=name,
        iterations=search.iterations,
        evaluations=search.evaluations,
        hessian_evaluations=search.hessian_evaluations,
        decrement=model.decrement,
        condition=number,
        direction=direction,
        history=tuple(search.history),
        seconds=time.perf_counter() - search.started,
        names=names,
    )
