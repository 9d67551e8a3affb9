"""The objective as every method sees it: counted, within a budget, its best point remembered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from .optimum import Step
from .verdict import Quadratic, quadratic


class Objective(Protocol):
    """A log-likelihood to maximise.  Every tensor is float64 on the CPU."""

    size: int  # free parameters
    n: int  # rows

    def value(self, x: Tensor) -> Tensor:
        """Log-likelihood, shape ()."""

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-likelihood and score (size,)."""

    def hessian(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihood, score and Hessian (size, size), in one pass over the data."""

    def batch_gradient(self, x: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """Log-likelihood and score of some rows."""


@dataclass(frozen=True)
class Point:
    """Parameters and what is known there."""

    x: Tensor
    value: float
    gradient: Tensor
    hessian: Tensor

    @cached_property
    def model(self) -> Quadratic:
        """The second-order model of the log-likelihood here."""
        return quadratic(self.gradient, self.hessian)

    @cached_property
    def finite(self) -> bool:
        # one sum instead of two isfinite().all(): a non-finite entry always makes it non-finite
        return math.isfinite(self.value) and math.isfinite((self.hessian.sum() + self.gradient.sum()).item())


class BudgetSpent(Exception):
    """The objective was evaluated as often as the caller allowed."""


class Search:
    """An objective under way: counts passes, keeps the history, remembers the best point.

    A linear-algebra failure inside the objective (a matrix that is not positive definite at a trial point) counts
    as a value of NaN; any other error of the objective or the callback is the caller's and passes through.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        maxfun: int | None = None,
        callback: Callable[[Tensor], object] | None = None,
        progress: bool = False,
        maxiter: int | None = None,
    ):
        self.objective = objective
        self.maxfun = math.inf if maxfun is None else maxfun
        self.callback = callback
        self.bar = progress_bar(maxiter) if progress else None
        self.started = time.perf_counter()
        self.evaluations = 0
        self.hessian_evaluations = 0
        self.iterations = 0
        self.history: list[Step] = []
        self.best: tuple[Tensor, float] | None = None
        self.point: Point | None = None  # the best one with a Hessian
        self.foreign = False  # is code that is not ours or the method's (objective, callback) running?

    def value(self, x: Tensor) -> float:
        """Log-likelihood; NaN where it cannot be computed."""
        answer = self._evaluate(self.objective.value, x)
        return math.nan if answer is None else self._seen(x, answer.item())

    def gradient(self, x: Tensor) -> tuple[float, Tensor]:
        """Log-likelihood and score."""
        answer = self._evaluate(self.objective.gradient, x)
        if answer is None:
            return math.nan, torch.full_like(x, math.nan)
        return self._seen(x, answer[0].item()), answer[1]

    def hessian(self, x: Tensor) -> Point:
        """Log-likelihood, score and Hessian."""
        self.hessian_evaluations += 1
        answer = self._evaluate(self.objective.hessian, x)
        if answer is None:
            return Point(x, math.nan, torch.full_like(x, math.nan), x.new_full((len(x), len(x)), math.nan))
        point = Point(x, self._seen(x, answer[0].item()), answer[1], answer[2])
        if point.finite and (self.point is None or point.value >= self.point.value):
            self.point = point
        return point

    def batch_gradient(self, x: Tensor, rows: slice) -> Tensor:
        """Score of some rows; not counted as a pass."""
        answer = self._call(self.objective.batch_gradient, x, rows)
        return torch.full_like(x, math.nan) if answer is None else answer[1]

    def record(self, x: Tensor, value: float, decrement: float) -> None:
        """Note one iteration; the first call notes the start."""
        if self.history:
            self.iterations += 1
        self.history.append(Step(self.iterations, value, decrement, tuple(x.tolist())))
        if self.bar is not None:
            self.bar.update(1 if self.iterations else 0)
            self.bar.set_postfix_str(f"log-likelihood {value:.6f}, decrement {decrement:.1e}")
        if self.callback is not None and self.iterations:
            self.foreign = True
            self.callback(x.clone())
            self.foreign = False

    def close(self) -> None:
        """End the progress bar."""
        if self.bar is not None:
            self.bar.close()

    def _evaluate(self, function: Callable[[Tensor], Any], x: Tensor) -> Any:
        if self.evaluations >= self.maxfun:
            raise BudgetSpent
        self.evaluations += 1
        return self._call(function, x)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.foreign = True
        try:
            with torch.enable_grad():  # some methods run without; an objective may differentiate
                answer = function(*arguments)
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
            answer = None
        self.foreign = False
        return answer

    def _seen(self, x: Tensor, value: float) -> float:
        if math.isfinite(value) and (self.best is None or value > self.best[1]):
            self.best = (x, value)
        return value


def progress_bar(maxiter: int | None) -> Any:
    """A tqdm bar over iterations."""
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("progress=True needs the package tqdm: install it, or leave progress out") from None
    return tqdm(total=maxiter, unit="it")
