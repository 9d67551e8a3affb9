"""Distributions of a latent variable that is seen in intervals: logarithms of probabilities, exact in both tails."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..families.bernoulli import success_and_failure
from ..transforms import Cauchy, CLogLog, Logit, LogLog, Probit, Transform


class Latent:
    """A continuous distribution, by the link whose inverse is its distribution function."""

    transform: Transform

    def log_cdf(self, x: Tensor) -> Tensor:
        """``log F(x)``."""
        return success_and_failure(self.transform, x)[0].value

    def log_sf(self, x: Tensor) -> Tensor:
        """``log(1 - F(x))``."""
        return success_and_failure(self.transform, x)[1].value

    def log_pdf(self, x: Tensor) -> Tensor:
        """``log f(x)``."""
        raise NotImplementedError

    def slope(self, x: Tensor) -> Tensor:
        """``d log f(x) / dx``."""
        raise NotImplementedError

    def quantile(self, p: Tensor) -> Tensor:
        """``F^-1(p)``."""
        return self.transform.inverse(p)

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        """``log(F(upper) - F(lower))``, by the tail in which the two are small."""
        right = lower + upper > 0
        larger = torch.where(right, self.log_sf(lower), self.log_cdf(upper))
        smaller = torch.where(right, self.log_sf(upper), self.log_cdf(lower))
        return larger + log_one_minus_exp(smaller - larger)


def log_one_minus_exp(x: Tensor) -> Tensor:
    """``log(1 - e^x)`` of negative x (Maechler 2012)."""
    near = x > -math.log(2)
    return torch.where(near, torch.log(-torch.expm1(x)), torch.log1p(-torch.where(near, -1.0, x).exp()))


class Normal(Latent):
    """Standard normal."""

    transform = Probit()

    def log_pdf(self, x: Tensor) -> Tensor:
        return -0.5 * (x * x + math.log(2 * math.pi))

    def slope(self, x: Tensor) -> Tensor:
        return -x


class Logistic(Latent):
    """Standard logistic."""

    transform = Logit()

    def log_pdf(self, x: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(x) + torch.nn.functional.logsigmoid(-x)

    def slope(self, x: Tensor) -> Tensor:
        return torch.sigmoid(-x) - torch.sigmoid(x)

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        """``F(u) - F(l) = F(u) (1 - F(l)) (1 - exp(l - u))``."""
        return self.log_cdf(upper) + self.log_sf(lower) + log_one_minus_exp(lower - upper)


class SmallestExtreme(Latent):
    """``F(x) = 1 - exp(-e^x)``: complementary log-log, proportional hazards."""

    transform = CLogLog()

    def log_pdf(self, x: Tensor) -> Tensor:
        return x - x.exp()

    def slope(self, x: Tensor) -> Tensor:
        return 1 - x.exp()

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        return -lower.exp() + log_one_minus_exp(-lower.exp() * torch.expm1(upper - lower))


class LargestExtreme(Latent):
    """``F(x) = exp(-e^-x)``: log-log."""

    transform = LogLog()
    _mirror = SmallestExtreme()

    def log_pdf(self, x: Tensor) -> Tensor:
        return self._mirror.log_pdf(-x)

    def slope(self, x: Tensor) -> Tensor:
        return -self._mirror.slope(-x)

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._mirror.log_between(-upper, -lower)


class CauchyLatent(Latent):
    """Standard Cauchy."""

    transform = Cauchy()

    def log_pdf(self, x: Tensor) -> Tensor:
        return -torch.log1p(x * x) - math.log(math.pi)

    def slope(self, x: Tensor) -> Tensor:
        return -2 * x / (1 + x * x)

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        """By ``atan u - atan l = atan2(u - l, 1 + u l)``."""
        return torch.log(torch.atan2(upper - lower, 1 + upper * lower) / math.pi)


class Foreign(Latent):
    """A distribution with scipy's methods; the slope of its density by differences of fourth order."""

    step = 1e-2  # the density itself may be a difference, good to 1e-8

    def __init__(self, distribution: Any):
        self.distribution = distribution

    def log_cdf(self, x: Tensor) -> Tensor:
        return _Numeric.apply(x, self.distribution.logcdf, lambda t: (self.log_pdf(t) - self.log_cdf(t)).exp())

    def log_sf(self, x: Tensor) -> Tensor:
        return _Numeric.apply(x, self.distribution.logsf, lambda t: -(self.log_pdf(t) - self.log_sf(t)).exp())

    def log_pdf(self, x: Tensor) -> Tensor:
        return _Numeric.apply(x, self.distribution.logpdf, self.slope)

    def slope(self, x: Tensor) -> Tensor:
        """By central differences, or those of one side where the other is outside the support."""
        central = self._differences(x, (-2, -1, 1, 2), (1, -8, 8, -1))
        for side in (1, -1):
            if bool(torch.isfinite(central).all()):
                break
            aside = self._differences(x, tuple(side * i for i in range(5)), (-25, 48, -36, 16, -3)) * side
            central = torch.where(torch.isfinite(central), central, aside)
        return central

    def _differences(self, x: Tensor, at: tuple[int, ...], weights: tuple[int, ...]) -> Tensor:
        values = [_outside(self.distribution.logpdf, x + i * self.step) for i in at]
        sides = torch.stack([weight * value for weight, value in zip(weights, values, strict=True)])
        return sides.sum(0) / (12 * self.step)

    def quantile(self, p: Tensor) -> Tensor:
        return _outside(self.distribution.ppf, p)


class _Numeric(torch.autograd.Function):
    """A function by numpy whose derivative is known as a torch function."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Any], Any], derivative: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.derivative = derivative
        return _outside(function, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return gradients[0] * ctx.derivative(x), None, None


def _outside(function: Callable[[Any], Any], x: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(function(x.detach().cpu().numpy())), dtype=x.dtype, device=x.device)


LATENTS: dict[str, Latent] = {
    "probit": Normal(), "logit": Logistic(), "cloglog": SmallestExtreme(), "loglog": LargestExtreme(), "cauchit": CauchyLatent(),
}  # fmt: skip
OF_SCIPY = {"norm_gen": "probit", "logistic_gen": "logit", "gumbel_l_gen": "cloglog", "gumbel_r_gen": "loglog",
            "cauchy_gen": "cauchit"}  # fmt: skip


def latent(distr: Any) -> Latent:
    """The distribution of a name, or of an object with scipy's methods.

    Raises
    ------
    ValueError
        Neither is known.
    """
    kind = type(distr)
    if kind.__module__.startswith("scipy.stats.") and kind.__name__ in OF_SCIPY:
        distr = OF_SCIPY[kind.__name__]
    if isinstance(distr, str) and distr in LATENTS:
        return LATENTS[distr]
    if all(hasattr(distr, name) for name in ("logcdf", "logsf", "logpdf", "ppf")):
        return Foreign(distr)
    raise ValueError(f"distr={distr!r} is not known; choose from {', '.join(map(repr, LATENTS))}, or give a distribution "
                     "of scipy.stats")  # fmt: skip


class Terms(NamedTuple):
    """Log-probability of each row's interval, with derivatives in its upper and lower limit, (n,) each."""

    value: Tensor
    upper: Tensor
    lower: Tensor
    upper_upper: Tensor
    lower_lower: Tensor
    upper_lower: Tensor


def log_probability(kind: Latent, lower: Tensor, upper: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """``log(F(upper) - F(lower))``; in the `first` interval the lower limit is minus infinity, in the `last` the upper infinity.

    Where limits are not in order it is minus infinity.
    """
    inside = ~(first | last)
    ordered = upper > lower
    low, high = torch.where(inside & ordered, lower, 0.0), torch.where(inside & ordered, upper, 1.0)
    between = torch.where(ordered, kind.log_between(low, high), -torch.inf)
    end_high, end_low = torch.where(first, upper, 0.0), torch.where(last, lower, 0.0)
    return torch.where(first, kind.log_cdf(end_high), torch.where(last, kind.log_sf(end_low), between))


def interval_terms(kind: Latent, lower: Tensor, upper: Tensor, first: Tensor, last: Tensor) -> Terms:
    """`log_probability` with its derivatives: with ``a = f(u) / P`` and ``b = f(l) / P``,

    ``d/du = a``, ``d/dl = -b``, ``d2/du2 = a (psi(u) - a)``, ``d2/dl2 = -b (psi(l) + b)``, ``d2/du dl = a b``, where
    ``psi = (log f)'``.
    """
    value = log_probability(kind, lower, upper, first, last)
    a = torch.where(last, 0.0, (kind.log_pdf(upper) - value).exp())
    b = torch.where(first, 0.0, -(kind.log_pdf(lower) - value).exp())
    return Terms(value, a, b, a * (_used(kind, upper, last) - a), b * (_used(kind, lower, first) - b), -a * b)


def _used(kind: Latent, x: Tensor, unused: Tensor) -> Tensor:
    slope = kind.slope(torch.where(unused, 0.0, x))
    return torch.where(unused, 0.0, slope)  # 0 may be at the edge of the support
