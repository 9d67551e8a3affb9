"""How a user's log-likelihood is evaluated and differentiated: by autograd where it is torch, by differences where not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ...compute import differences
from ...compute.autodiff import derivatives, row_curvatures, row_gradients
from ...compute.differences import Array

AGREE = 1e-3  # relative difference of slopes, by autograd and by differences, that still is one of rounding
SMALL = 1e-3  # change of the log-likelihood over a step that is nothing


class Evaluation(Protocol):
    """A log-likelihood of k parameters; float64 tensors on the CPU in and out."""

    @property
    def exact(self) -> bool:
        """Whether derivatives are those of autograd or of the user, not differences."""

    def sums(self, x: Tensor, order: int) -> tuple[Tensor, ...]:
        """Log-likelihood, gradient (k,) and Hessian (k, k), up to `order`."""

    def rows(self, x: Tensor) -> Tensor:
        """Log-likelihood of each row, (n,)."""

    def row_scores(self, x: Tensor) -> Tensor:
        """Gradient of each row, (n, k)."""

    def row_hessians(self, x: Tensor) -> Tensor:
        """Second derivatives of each row, (n, k, k)."""


@dataclass(frozen=True)
class Exact:
    """Derivatives by automatic differentiation.

    Attributes
    ----------
    total, each : callable
        From parameters, a tensor (k,), to the log-likelihood and to that of each row.
    """

    total: Callable[[Tensor], Any]
    each: Callable[[Tensor], Any]
    exact: bool = True

    def sums(self, x: Tensor, order: int) -> tuple[Tensor, ...]:
        return tuple(part.to("cpu", torch.float64) for part in derivatives(self._total, x, order))

    def _total(self, x: Tensor) -> Tensor:
        return self.total(x).reshape(())

    def rows(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.each(x)).detach().to("cpu", torch.float64).reshape(-1)

    def row_scores(self, x: Tensor) -> Tensor:
        return row_gradients(lambda point: self.each(point).reshape(-1), x).to("cpu", torch.float64)

    def row_hessians(self, x: Tensor) -> Tensor:
        return row_curvatures(lambda point: self.each(point).reshape(-1), x).to("cpu", torch.float64)


@dataclass(frozen=True)
class Differenced:
    """Derivatives by central differences; attributes as for `Exact`, with arrays for tensors."""

    total: Callable[[Array], Any]
    each: Callable[[Array], Any]
    exact: bool = False

    def value(self, x: Array) -> float:
        with np.errstate(all="ignore"):
            return float(np.asarray(self.total(x.copy()), dtype=np.float64).reshape(()))

    def values(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.each(x.copy()), dtype=np.float64).reshape(-1)

    def sums(self, x: Tensor, order: int) -> tuple[Tensor, ...]:
        point = x.detach().numpy()
        value = torch.tensor(self.value(point), dtype=torch.float64)
        if order == 0:
            return (value,)
        step = differences.steps(self.value, point)
        parts = [differences.gradient(self.value, point, step)]
        if order > 1:
            parts.append(differences.hessian(self.value, point, step))
        return value, *(torch.from_numpy(part) for part in parts)

    def rows(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.values(x.detach().numpy()))

    def row_scores(self, x: Tensor) -> Tensor:
        point = x.detach().numpy()
        return torch.from_numpy(differences.jacobian(self.values, point, differences.steps(self.value, point)))

    def row_hessians(self, x: Tensor) -> Tensor:
        point = x.detach().numpy()
        return torch.from_numpy(differences.row_hessians(self.values, point, differences.steps(self.value, point)))


@dataclass(frozen=True)
class Given:
    """Derivatives as the user gives them; those that are not given come from another evaluation.

    Attributes
    ----------
    inner : Evaluation
    score, hessian, score_obs : callable or None
        From parameters, an array (k,), to arrays.  A Hessian that is not given is the Jacobian of a score that is.
    """

    inner: Evaluation
    score: Callable[[Array], Any] | None
    hessian: Callable[[Array], Any] | None
    score_obs: Callable[[Array], Any] | None = None

    @property
    def exact(self) -> bool:
        return self.inner.exact or (self.score is not None and self.hessian is not None)

    def sums(self, x: Tensor, order: int) -> tuple[Tensor, ...]:
        needed = order if (self.hessian is None and self.score is None) else min(order, int(self.score is None))
        parts = list(self.inner.sums(x, needed))[: 1 + order]
        if order > 0 and self.score is not None:
            parts[1:] = [_tensor(self.score(_array(x)))]
        if order > 1 and (self.hessian is not None or self.score is not None):
            parts[2:] = [self._hessian(x)]
        return tuple(parts)

    def _hessian(self, x: Tensor) -> Tensor:
        if self.hessian is not None:
            return _tensor(self.hessian(_array(x)))
        score = self.score
        assert score is not None
        step = differences.steps(lambda point: float(self.inner.sums(torch.from_numpy(point), 0)[0]), _array(x))
        return torch.from_numpy(
            differences.symmetric_jacobian(lambda point: _tensor(score(point)).numpy(), _array(x), step)
        )

    def rows(self, x: Tensor) -> Tensor:
        return self.inner.rows(x)

    def row_scores(self, x: Tensor) -> Tensor:
        return self.inner.row_scores(x) if self.score_obs is None else _tensor(self.score_obs(_array(x)))

    def row_hessians(self, x: Tensor) -> Tensor:
        score_obs = self.score_obs
        if score_obs is None:
            return self.inner.row_hessians(x)
        step = differences.steps(lambda point: float(self.inner.sums(torch.from_numpy(point), 0)[0]), _array(x))
        found = differences.jacobian(lambda point: _tensor(score_obs(point)).numpy().reshape(-1), _array(x), step)
        matrices = torch.from_numpy(found.reshape(-1, len(step), len(step)))
        return (matrices + matrices.mT) / 2


def _array(x: Tensor) -> Array:
    return x.detach().numpy().copy()


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().to("cpu", torch.float64)


def evaluation(total: Callable[[Any], Any], each: Callable[[Any], Any], start: Tensor) -> tuple[Evaluation, str | None]:
    """How to evaluate a log-likelihood, found by trying it at the start, and why not by autograd, if not.

    Raises
    ------
    Exception
        What the user's function raises when it can be called neither with a tensor nor with an array.
    """
    failure: Exception | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy's, about tensors
            warnings.filterwarnings("error", message="Converting a tensor with requires_grad")  # float(x)
            reason = _why_not(total, start)
    except Exception as error:  # noqa: BLE001 - whatever a function made for arrays does with a tensor
        failure, reason = error, f"with a tensor it raises {type(error).__name__}: {str(error).splitlines()[0][:80]}"
    if reason is None:
        return Exact(total, each), None
    if failure is None:
        return Differenced(_of_tensors(total), _of_tensors(each)), reason
    found = Differenced(total, each)
    try:
        found.value(start.numpy())
    except Exception as error:
        raise failure from error
    return found, reason


def _of_tensors(function: Callable[[Any], Any]) -> Callable[[Array], Array]:
    """A function of tensors as one of arrays."""
    return lambda x: function(torch.from_numpy(x)).detach().cpu().numpy()


def _why_not(total: Callable[[Any], Any], start: Tensor) -> str | None:
    """What is wrong with the tensor that a log-likelihood gives; None if autograd can be trusted."""
    point = start.clone().requires_grad_()
    value = total(point)
    if not isinstance(value, Tensor):
        return f"it returns {type(value).__name__}, not a tensor"
    if value.numel() != 1:
        raise ValueError(f"loglike must return one number, not shape {tuple(value.shape)}; name it loglikeobs for rows")
    if not value.requires_grad:
        return "the tensor it returns does not depend on the parameters, as far as autograd can see"
    (slope,) = torch.autograd.grad(value.reshape(()), point)
    if torch.isfinite(value) and not _agree(total, start, slope):
        return "autograd's gradient is not the slope of its values: a part of it is detached from the parameters"
    return None


def _agree(total: Callable[[Any], Any], start: Tensor, slope: Tensor) -> bool:
    """Whether a gradient is that of the values; where those are not finite all around, nobody knows."""

    def value(point: Array) -> float:
        with torch.no_grad():
            return float(total(torch.from_numpy(point)))

    step = differences.steps(value, start.numpy())
    found = differences.gradient(value, start.numpy(), step)
    rounding = 1e4 * np.finfo(np.float64).eps * max(1.0, abs(value(start.numpy())))
    wrong = np.abs(found - slope.numpy()) * step > AGREE * np.abs(found) * step + AGREE * SMALL + rounding
    return not wrong.any()
