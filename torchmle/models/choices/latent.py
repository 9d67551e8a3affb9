"""Distributions of a latent variable that is seen in intervals: logarithms of probabilities, exact in both tails."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...families.bernoulli import Terms as Tail
from ...families.bernoulli import failure, log_one_minus_exp, success, times
from ...transforms import Cauchy, CLogLog, Logit, LogLog, Probit, Transform


class Terms(NamedTuple):
    """Log-probability of each row's interval, with derivatives in its upper and lower limit, (n,) each."""

    value: Tensor
    upper: Tensor
    lower: Tensor
    upper_upper: Tensor
    lower_lower: Tensor
    upper_lower: Tensor


class Latent:
    """A continuous distribution, by the link whose inverse is its distribution function."""

    transform: Transform

    def log_cdf(self, x: Tensor) -> Tensor:
        """``log F(x)``."""
        return success(self.transform, x).value

    def log_sf(self, x: Tensor) -> Tensor:
        """``log(1 - F(x))``."""
        return failure(self.transform, x).value

    def quantile(self, p: Tensor) -> Tensor:
        """``F^-1(p)``."""
        return self.transform.inverse(p)

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        """``log(F(upper) - F(lower))``, by the tail in which the two are small."""
        right = lower + upper > 0
        larger = torch.where(right, self.log_sf(lower), self.log_cdf(upper))
        smaller = torch.where(right, self.log_sf(upper), self.log_cdf(lower))
        return larger + log_one_minus_exp(smaller - larger)

    def below(self, x: Tensor) -> Tail:
        """``log F(x)`` with two derivatives."""
        return success(self.transform, x)

    def above(self, x: Tensor) -> Tail:
        """``log(1 - F(x))`` with two derivatives."""
        return failure(self.transform, x)

    def between(self, lower: Tensor, upper: Tensor) -> Terms:
        """`log_between` with its derivatives, by the tail A in which the two are small: with ``k = 1 / (e^(A(n) - A(f)) - 1)``

        of the near limit n and the far one f, ``d/dn = A'(n)(1 + k)`` and ``d/df = -k A'(f)``.
        """
        right = lower + upper > 0
        near = self.tail(right, torch.where(right, lower, upper))
        far = self.tail(right, torch.where(right, upper, lower))
        k = 1 / torch.expm1(near.value - far.value)
        bend = k * (1 + k)
        one = near.first * (1 + k), near.second * (1 + k) - bend * near.first.square()
        other = times(-k, far.first), times(-k, far.second) - times(bend, far.first.square())
        (u, uu), (v, vv) = (
            tuple(torch.where(right, *pair) for pair in zip(*order, strict=True))
            for order in ((other, one), (one, other))
        )
        value = near.value + log_one_minus_exp(far.value - near.value)
        return Terms(value, u, v, uu, vv, times(bend, near.first * far.first))

    def tail(self, right: Tensor, x: Tensor) -> Tail:
        """The logarithm of what lies to the right of x, or to its left, with derivatives."""
        sides = zip(self.above(x), self.below(x), strict=True)
        return Tail(*(torch.where(right, *pair) for pair in sides))


class Symmetric(Latent):
    """A distribution that is its own mirror image about zero."""

    def tail(self, right: Tensor, x: Tensor) -> Tail:
        sign = torch.where(right, -1.0, 1.0).to(x.dtype)
        value, first, second = self.below(sign * x)
        return Tail(value, sign * first, second)


class Normal(Symmetric):
    """Standard normal."""

    transform = Probit()


class Logistic(Latent):
    """Standard logistic."""

    transform = Logit()

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        """``F(u) - F(l) = F(u) (1 - F(l)) (1 - exp(l - u))``."""
        return self.log_cdf(upper) + self.log_sf(lower) + log_one_minus_exp(lower - upper)

    def between(self, lower: Tensor, upper: Tensor) -> Terms:
        one, other = self.below(upper), self.above(lower)
        slope = 1 / torch.expm1(upper - lower)
        bend = slope * (1 + slope)
        value = one.value + other.value + log_one_minus_exp(lower - upper)
        return Terms(value, one.first + slope, other.first - slope, one.second - bend, other.second - bend, bend)


class SmallestExtreme(Latent):
    """``F(x) = 1 - exp(-e^x)``: complementary log-log, proportional hazards."""

    transform = CLogLog()

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        return -lower.exp() + self.log_cdf(upper + log_one_minus_exp(lower - upper))

    def between(self, lower: Tensor, upper: Tensor) -> Terms:
        """``F(u) - F(l) = (1 - F(l)) F(z)`` with ``z = log(e^u - e^l)``."""
        step = lower - upper
        z, p = upper + log_one_minus_exp(step), -1 / torch.expm1(step)
        q = p * step.exp()  # slopes of z in u and, negative, in l
        far, middle = lower.exp(), self.below(z)
        cross = p * q * (middle.first - middle.second)
        u, v = p * middle.first, -far - q * middle.first
        return Terms(middle.value - far, u, v, p * p * middle.second - p * q * middle.first,
                     q * q * middle.second - p * q * middle.first - far, cross)  # fmt: skip


class LargestExtreme(Latent):
    """``F(x) = exp(-e^-x)``: log-log."""

    transform = LogLog()
    _mirror = SmallestExtreme()

    def log_between(self, lower: Tensor, upper: Tensor) -> Tensor:
        return self._mirror.log_between(-upper, -lower)

    def between(self, lower: Tensor, upper: Tensor) -> Terms:
        value, u, v, uu, vv, uv = self._mirror.between(-upper, -lower)
        return Terms(value, -v, -u, vv, uu, uv)


class CauchyLatent(Symmetric):
    """Standard Cauchy."""

    transform = Cauchy()

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

    def below(self, x: Tensor) -> Tail:
        value, slope = self.log_cdf(x), (self.log_pdf(x) - self.log_cdf(x)).exp()
        return Tail(value, slope, slope * (self.slope(x) - slope))

    def above(self, x: Tensor) -> Tail:
        value, slope = self.log_sf(x), -(self.log_pdf(x) - self.log_sf(x)).exp()
        return Tail(value, slope, slope * (self.slope(x) - slope))


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


def log_probability(kind: Latent, lower: Tensor, upper: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """``log(F(upper) - F(lower))``; in the `first` interval the lower limit is minus infinity, in the `last` the upper infinity.

    Where limits are not in order it is minus infinity.
    """
    ends = first | last
    first, last, inside = _positions(first), _positions(last), _positions((upper > lower) & ~ends)
    value = torch.full_like(upper, -torch.inf)
    value = value.index_put((first,), kind.log_cdf(upper[first]))
    value = value.index_put((last,), kind.log_sf(lower[last]))
    return value.index_put((inside,), kind.log_between(lower[inside], upper[inside]))


def interval_terms(kind: Latent, lower: Tensor, upper: Tensor, first: Tensor, last: Tensor) -> Terms:
    """`log_probability` with its derivatives."""
    ends, ordered = first | last, upper > lower
    first, last, inside = _positions(first), _positions(last), _positions(ordered & ~ends)
    found = Terms(torch.full_like(upper, -torch.inf), *(torch.zeros_like(upper) for _ in range(5)))
    for part in found[1:] if len(first) + len(last) + len(inside) < len(upper) else ():
        part[~(ends | ordered)] = torch.nan
    below, above = kind.below(upper[first]), kind.above(lower[last])
    found.value[first], found.upper[first], found.upper_upper[first] = below
    found.value[last], found.lower[last], found.lower_lower[last] = above
    for part, values in zip(found, kind.between(lower[inside], upper[inside]), strict=True):
        part[inside] = values
    return found


def _positions(rows: Tensor) -> Tensor:
    return rows.nonzero()[:, 0]
