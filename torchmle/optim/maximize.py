"""The door to every method: options are checked here, and here the verdict is passed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import FitInterrupted
from . import first_order, scipy_methods, torchmin
from .newton import POLISHING, Ending, climb
from .optimum import Optimum, Status
from .search import BudgetSpent, Objective, Point, Search
from .verdict import Quadratic, unknown

POLISH_STEPS = 20  # Newton steps after a method that is not Newton's
NEAR = 1e-2  # decrement, 0.1 standard errors: a method stopped by its limit farther away is not polished


class Method(NamedTuple):
    """How a method is run.

    `run(search, start, name, tol, maxiter, options)` improves on the start; what it found is the best point of the
    search.  It returns None if it stopped by itself, otherwise why it did not.  No `run` for Newton's method, which is
    also the last part of every other.
    """

    run: Callable[[Search, Point, str, float, int, Mapping[str, Any]], Status | None] | None
    maxiter: int
    options: tuple[str, ...] = ()


METHODS: dict[str, Method] = {
    "newton": Method(None, 100),
    **{name: Method(torchmin.run, 500, options) for name, options in torchmin.OPTIONS.items()},
    **{name: Method(first_order.run, 100, options) for name, options in first_order.OPTIONS.items()},
    **{name: Method(scipy_methods.run, 5000, scipy_methods.OPTIONS) for name in scipy_methods.NAMES},
    "basinhopping": Method(scipy_methods.hop, 200, scipy_methods.HOPPING),
}
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
    polishing: int = POLISHING,
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
        Most iterations of the method: Newton steps (default 100), iterations of a pytorch-minimize (500) or scipy
        method (5,000), epochs of a first-order method (100).  0 judges the start and does not move it.  A method that
        is stopped by the limit within 0.1 standard errors of the maximum is still finished by Newton steps.
    tol : float, optional
        Largest Newton decrement g'(-H)⁻¹g at which the search has converged, 1e-10 by default: the estimates are then
        within 1e-5 standard errors, and a last Newton step takes them to rounding error.  Methods other than Newton's
        run until the gradient, scaled to standard errors, is below its square root.
    callback : callable, optional
        Called with a copy of the parameters after each iteration; what it returns is ignored.
    progress : bool
        Show a progress bar (needs tqdm).
    names : iterable of str, optional
        Names of the parameters, for messages.
    polishing : int
        Most steps of Newton's method from within the tolerance to rounding error.
    **options
        All methods: `maxfun`, the most passes over the data (the verdict may need a few more).
        bfgs, l-bfgs, newton-cg, newton-exact: `lr`, the first step length of the line search, `line_search`
        ("strong-wolfe" or "none"); l-bfgs `history_size`; newton-cg `cg_max_iter`; newton-exact `tikhonov`,
        `handle_npd`.  dogleg, trust-ncg, trust-exact: `initial_trust_radius`, `max_trust_radius` (standard errors),
        `eta`.  sgd, adam: `lr`, `batch_size`, `epochs`, `seed`, and `momentum` or `betas`.  nm, powell: `xtol`
        (standard errors), `ftol`.  basinhopping: `niter`, `niter_success`, `T`, `stepsize` (standard errors), `interval`,
        `minimizer`, `seed`.

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
    limit = METHODS[name].maxiter if maxiter is None else maxiter
    tol = 1e-10 if tol is None else tol
    labels = tuple(names) if names is not None else ()
    x = torch.as_tensor(start).detach().to(torch.float64).clone()
    maxfun = options.get("maxfun")
    search = Search(objective, maxfun=maxfun, callback=callback, progress=progress, maxiter=limit)
    settings = {key: value for key, value in options.items() if key not in COMMON_OPTIONS}
    try:
        ending = _search(search, x, name, limit, tol, polishing, settings)
    except BudgetSpent:
        ending = _last(search, x, Status.EVALUATION_BUDGET)
    except KeyboardInterrupt:
        optimum = _optimum(search, _last(search, x, Status.INTERRUPTED, best=True), name, labels)
        raise interruption(optimum) from None
    finally:
        search.close()
    return _optimum(search, ending, name, labels)


def interruption(optimum: Optimum) -> FitInterrupted:
    """The exception that carries the best point of a search cut short."""
    message = f"fit interrupted after {optimum.iterations} iterations at log-likelihood {optimum.value:.10g}"
    return FitInterrupted(message, optimum)


def options_of(method: str) -> tuple[str, ...]:
    """Options of a method; none of one that does not exist."""
    known = METHODS.get(ALIASES.get(method, method))
    return COMMON_OPTIONS if known is None else known.options + COMMON_OPTIONS


def resolve(method: str, options: Iterable[str]) -> str:
    """Name of a method, aliases resolved, once it and its options are known to be valid."""
    key = method.lower() if isinstance(method, str) else method
    name = ALIASES.get(key, key)
    if name in REFUSED:
        raise ValueError(REFUSED[name])
    if name not in METHODS:
        raise ValueError(f"method must be one of: {', '.join(METHODS)}; got {method!r}")
    valid = options_of(name)
    unknown = [option for option in options if option not in valid]
    if unknown:
        raise TypeError(
            f"method {name!r} has no option {', '.join(map(repr, unknown))}; its options are: {', '.join(valid)}"
        )
    return name


def _search(
    search: Search, x: Tensor, name: str, limit: int, tol: float, polishing: int, options: Mapping[str, Any]
) -> Ending:
    if len(x) == 0:
        return _nothing_to_do(search, x)
    start = search.hessian(x)
    if not start.finite:
        return Ending(start, unknown(start.x), Status.NOT_FINITE_START)
    decrement = start.model.decrement
    search.record(start.x, start.value, decrement)
    run = METHODS[name].run
    if run is None or limit == 0:
        return climb(search, start, maxiter=limit, tol=tol, polishing=polishing)
    if decrement <= tol:
        # at a stationary point some methods loop for ever and others report failure
        return climb(search, start, maxiter=min(limit, POLISH_STEPS), tol=tol)
    try:
        stopped = run(search, start, name, tol, limit, options)
    except BudgetSpent:
        stopped = Status.EVALUATION_BUDGET
    search.maxfun = math.inf  # the verdict needs a few passes whatever has been spent
    return _judge(search, start, tol, stopped)


def _judge(search: Search, start: Point, tol: float, stopped: Status | None) -> Ending:
    """Newton steps from the best point that a method found, and what they say about it."""
    assert search.best is not None
    assert search.point is not None
    point = search.point if search.point.x is search.best[0] else search.hessian(search.best[0])
    if not point.finite:
        point = search.point
    if stopped in (Status.ITERATION_LIMIT, Status.EVALUATION_BUDGET):
        model = point.model
        if model.decrement > max(NEAR, tol):
            return Ending(point, model, stopped)
    ending = climb(search, point, maxiter=POLISH_STEPS, tol=tol, reference=start)
    if ending.status is Status.ITERATION_LIMIT:
        return ending._replace(status=stopped or Status.METHOD_FAILED)
    return ending


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
        return Ending(point, unknown(point.x), status)
    return Ending(point, point.model, status)


def _optimum(search: Search, ending: Ending, name: str, names: tuple[str, ...]) -> Optimum:
    point, model, status = ending
    direction = None
    if status in (Status.SINGULAR, Status.NOT_DEFINITE, Status.PRECISION):
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
        direction=direction,
        history=tuple(search.history),
        seconds=time.perf_counter() - search.started,
        names=names,
    )
