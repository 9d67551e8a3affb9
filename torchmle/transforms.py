"""Smooth maps from the real line to the natural scale of a parameter, and back.

An optimiser works on real numbers; a user reads standard deviations, probabilities and covariance matrices.
A `Transform` is called with real values and gives natural ones; `inverse` goes back.  A generalised linear
model's link is such a map read from the other side: ``mu = Log()(eta)`` is the log link.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor


class Transform:
    """A scalar map, applied elementwise.

    Attributes
    ----------
    domain : tuple of float
        Open interval of the natural values.
    """

    domain: tuple[float, float] = (-math.inf, math.inf)

    def __call__(self, real: Tensor) -> Tensor:
        raise NotImplementedError

    def inverse(self, natural: Tensor) -> Tensor:
        """Real values of natural ones; not finite outside the domain."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(repr(self))


class Identity(Transform):
    """natural = real."""

    def __call__(self, real: Tensor) -> Tensor:
        return real

    def inverse(self, natural: Tensor) -> Tensor:
        return natural


class Log(Transform):
    """log(natural) = real: positive parameters."""

    domain = (0.0, math.inf)

    def __call__(self, real: Tensor) -> Tensor:
        return real.exp()

    def inverse(self, natural: Tensor) -> Tensor:
        return natural.log()


class Softplus(Transform):
    """natural = log(1 + exp(real)): positive parameters, linear when large."""

    domain = (0.0, math.inf)

    def __call__(self, real: Tensor) -> Tensor:
        # torch's softplus turns linear above 20 and loses its second derivative there
        return -torch.nn.functional.logsigmoid(-real)

    def inverse(self, natural: Tensor) -> Tensor:
        return natural + torch.log(-torch.expm1(-natural))


class Logit(Transform):
    """logit(natural) = real: probabilities."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        return torch.sigmoid(real)

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.logit(natural)


class Probit(Transform):
    """Phi^-1(natural) = real: probabilities."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        # torch.special.ndtr is made of erf there and loses its digits from -5 on, all of them at -9
        return 0.5 * torch.erfc(-math.sqrt(0.5) * real)

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.special.ndtri(natural)


class CLogLog(Transform):
    """log(-log(1 - natural)) = real: probabilities."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        return _one_minus_exp(-real.clamp_max(700.0).exp())  # beyond, the slope has long been 0

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.log(-torch.log1p(-natural))


class LogLog(Transform):
    """-log(-log(natural)) = real: probabilities."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        return torch.exp(-torch.exp(-real))

    def inverse(self, natural: Tensor) -> Tensor:
        return -torch.log(-natural.log())


class Cauchy(Transform):
    """tan(pi (natural - 1/2)) = real: probabilities, by the Cauchy distribution function."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        return torch.atan2(torch.ones_like(real), -real) / math.pi  # keeps the digits of small probabilities

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.where(natural < 0.25, -1 / torch.tan(math.pi * natural), torch.tan(math.pi * (natural - 0.5)))


class LogComplement(Transform):
    """log(1 - natural) = real: probabilities, for negative reals."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        return _one_minus_exp(real)

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.log1p(-natural)


class LogOdds(Transform):
    """log(natural / (natural + 1 / alpha)) = real: the canonical link of a negative binomial mean, for negative reals.

    Parameters
    ----------
    alpha : float
        Dispersion: the variance is ``mu + alpha mu^2``.
    """

    domain = (0.0, math.inf)

    def __init__(self, alpha: float = 1.0):
        self.alpha = float(alpha)

    def __call__(self, real: Tensor) -> Tensor:
        return 1 / (self.alpha * torch.expm1(-real))

    def inverse(self, natural: Tensor) -> Tensor:
        return -torch.log1p(1 / (self.alpha * natural))

    def __repr__(self) -> str:
        return f"LogOdds({self.alpha:g})"


class Power(Transform):
    """natural ** power = real, on positive values.

    Parameters
    ----------
    power : float
        Not zero (that is `Log`).
    """

    domain = (0.0, math.inf)

    def __init__(self, power: float):
        if power == 0:
            raise ValueError("Power(0) has no inverse; use Log()")
        self.power = float(power)

    def __call__(self, real: Tensor) -> Tensor:
        natural = real ** (1.0 / self.power)
        # the other half of an even power is not the inverse of anything, though it would be finite
        return torch.where(real >= 0, natural, torch.nan) if (1.0 / self.power) % 2 == 0 else natural

    def inverse(self, natural: Tensor) -> Tensor:
        return natural**self.power

    def __repr__(self) -> str:
        return f"Power({self.power:g})"


class OfFixedPower:
    """A power function under its own name; what makes one of `Power`, here and among the links of families.

    Attributes
    ----------
    fixed : float
    """

    fixed: ClassVar[float]

    def __init__(self) -> None:
        super().__init__(self.fixed)  # type: ignore[call-arg]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Inverse(OfFixedPower, Power):
    """1 / natural = real."""

    fixed = -1.0


class InverseSquared(OfFixedPower, Power):
    """1 / natural**2 = real."""

    fixed = -2.0


class Sqrt(OfFixedPower, Power):
    """sqrt(natural) = real."""

    fixed = 0.5


class Interval(Transform):
    """A parameter between two bounds, by the logistic function.

    Parameters
    ----------
    low, high : float
        The open interval. ``Interval(-1, 1)`` is Fisher's z, up to a factor of two.
    """

    def __init__(self, low: float, high: float):
        if not low < high:
            raise ValueError(f"Interval needs low < high, got ({low}, {high})")
        self.low, self.high = float(low), float(high)
        self.domain = (self.low, self.high)

    def __call__(self, real: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * torch.sigmoid(real)

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.logit((natural - self.low) / (self.high - self.low))

    def __repr__(self) -> str:
        return f"Interval({self.low:g}, {self.high:g})"


def _one_minus_exp(x: Tensor) -> Tensor:
    """1 - exp(x) of negative x, in digits that its automatic derivative keeps: that of expm1 is expm1 + 1."""
    return torch.where(x < -1, 1 - x.exp(), -torch.expm1(x))
