"""The methods of pytorch-minimize, fed with our own derivatives and never believed.

pytorch-minimize differentiates by autograd alone.  A pair of autograd functions hands it the log-likelihood, score and
Hessian of the objective instead, which may be computed in blocks, on several machines or in closed form.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .optimum import Status
from .scaled import Scaled
from .search import Point, Search

LINE_SEARCH = ("lr", "line_search")
TRUST_REGION = ("initial_trust_radius", "max_trust_radius", "eta")
OPTIONS = {
    "bfgs": LINE_SEARCH,
    "l-bfgs": (*LINE_SEARCH, "history_size"),
    "cg": (),
    "newton-cg": (*LINE_SEARCH, "cg_max_iter"),
    "newton-exact": (*LINE_SEARCH, "tikhonov", "handle_npd"),
    "dogleg": TRUST_REGION,
    "trust-ncg": TRUST_REGION,
    "trust-exact": TRUST_REGION,
}
WITHOUT_HESSIAN = ("bfgs", "l-bfgs", "cg")
PASSES = 20  # evaluations allowed per iteration, on average
REMEMBERED = 3  # points whose derivatives are kept: newton-* ask again for a point of the line search

CHOICES = {"line_search": ("strong-wolfe", "none"), "handle_npd": ("grad", "lu", "eig", "cauchy")}

# What pytorch-minimize 0.1 is known to raise from within: a matrix that is not definite (a RuntimeError), a division by
# zero, a variable or an index used before it exists.
FAILURES = (ArithmeticError, LookupError, NameError, RuntimeError)


class Arrived(Exception):
    """The scaled gradient is below the tolerance."""


class Exhausted(Exception):
    """The method has had its evaluations."""


def run(search: Search, start: Point, name: str, tol: float, maxiter: int, options: Mapping[str, Any]) -> Status | None:
    """Minimise the scaled negative log-likelihood by a method of pytorch-minimize.

    Returns
    -------
    Status or None
        ITERATION_LIMIT if a limit stopped the method, METHOD_FAILED if it raised, None if it stopped by itself; in
        each case the best point is the search's.
    """
    for option, choices in CHOICES.items():
        if options.get(option, choices[0]) not in choices:
            raise ValueError(f"{option} must be one of: {', '.join(choices)}; got {options[option]!r}")
    minimize = _import()
    oracle = Oracle(search, start, fused=name not in WITHOUT_HESSIAN, gtol=math.sqrt(tol), passes=PASSES * maxiter)
    settings = {**_defaults(name, math.sqrt(tol)), **options}
    origin = torch.zeros_like(start.x)
    try:
        with warnings.catch_warnings():
            _ignore_warnings()
            result = minimize(oracle, origin, name, max_iter=maxiter, options=settings, callback=oracle.iterated)
    except Arrived:
        return None
    except Exhausted:
        return Status.ITERATION_LIMIT
    except FAILURES:
        if search.foreign:  # raised by the objective or the callback, which must not be hushed up
            raise
        return Status.METHOD_FAILED
    return Status.ITERATION_LIMIT if result.nit >= maxiter else None


def _defaults(name: str, gtol: float) -> dict[str, Any]:
    """Tolerances in standard errors; the stops on small changes of the log-likelihood are turned off."""
    if name in ("bfgs", "l-bfgs"):
        return {"gtol": gtol, "xtol": 0.0, "gtd_tol": 0.0}
    if name == "newton-exact":
        return {"xtol": 1e-3 * gtol, "handle_npd": "cauchy"}
    if name == "newton-cg":
        return {"xtol": 1e-3 * gtol}
    return {"gtol": gtol} if name == "cg" else {"gtol": gtol, "max_trust_radius": 1e6}


def _import() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.script at import
        try:
            from torchmin import minimize
        except ImportError:
            raise ImportError("this method needs the package pytorch-minimize: install it, or use 'newton'") from None
    return minimize


def _ignore_warnings() -> None:
    """Hide what pytorch-minimize provokes, and nothing that the objective may have to say."""
    warnings.filterwarnings("ignore", module="torchmin")
    warnings.filterwarnings("ignore", message=".*triangular_solve is deprecated")


class Evaluated(NamedTuple):
    """Derivatives of the loss at a point."""

    z: Tensor
    loss: Tensor
    gradient: Tensor
    hessian: Tensor | None


class Oracle:
    """The scaled loss as a differentiable function of z."""

    def __init__(self, search: Search, start: Point, *, fused: bool, gtol: float, passes: int):
        self.scaled = Scaled(search, start)
        self.search = search
        self.fused = fused
        self.gtol = gtol
        self.passes = search.evaluations + passes
        self.recent: list[Evaluated] = [self._evaluated(torch.zeros_like(start.x), start)]
        self.latest = self.recent[0]

    def __call__(self, z: Tensor) -> Tensor:
        return Loss.apply(z, self)

    def at(self, z: Tensor) -> Evaluated:
        """Loss and derivatives at z, one pass over the data for each new point."""
        for known in self.recent:
            if torch.equal(known.z, z):
                return known
        if self.search.evaluations >= self.passes:
            raise Exhausted
        x = self.scaled.x(z)
        if self.fused:
            point = self.search.hessian(x)
        else:
            value, gradient = self.search.gradient(x)
            point = Point(x, value, gradient, gradient)  # the last is not used
        answer = self._evaluated(z.clone(), point)
        self.recent = [answer, *self.recent[: REMEMBERED - 1]]
        if math.isfinite(point.value) and answer.gradient.norm().item() <= self.gtol:
            self.record(answer)
            raise Arrived
        return answer

    def iterated(self, z: Tensor) -> None:
        """Note an iteration of the method."""
        for known in self.recent:
            if torch.equal(known.z, z):
                self.latest = known
        self.record(self.latest)

    def record(self, at: Evaluated) -> None:
        """Add a line to the history."""
        self.search.record(self.scaled.x(at.z), -at.loss.item(), at.gradient.square().sum().item())

    def _evaluated(self, z: Tensor, point: Point) -> Evaluated:
        scale = self.scaled.scale
        if not (math.isfinite(point.value) and point.finite):  # a wall that any line search turns back from
            identity = torch.eye(len(z), dtype=z.dtype) if self.fused else None
            return Evaluated(z, z.new_tensor(math.inf), torch.zeros_like(z), identity)
        hessian = -point.hessian * scale[:, None] * scale if self.fused else None
        return Evaluated(z, z.new_tensor(-point.value), self.scaled.slope(point.gradient), hessian)


class Loss(torch.autograd.Function):
    """The loss; its backward is `Slope`."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, oracle: Oracle) -> Tensor:
        ctx.save_for_backward(z)
        ctx.oracle = oracle
        return oracle.at(z.detach()).loss.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        return grad * Slope.apply(z, ctx.oracle), None


class Slope(torch.autograd.Function):
    """The gradient; its backward is a product with the Hessian."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, oracle: Oracle) -> Tensor:
        answer = oracle.at(z.detach())
        ctx.hessian = answer.hessian
        return answer.gradient.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.hessian @ grad, None
