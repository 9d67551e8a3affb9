"""Links: from the mean of a response to its linear predictor. The names are statsmodels'.

A link reads a `torchmle.transforms.Transform` from the other side: ``Log()(mu)`` is eta, ``Log().inverse(eta)`` is mu.
Every method takes tensors or arrays and gives the same.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .. import transforms
from ..transforms import OfFixedPower, Transform
from .arrays import of_arrays


class Link:
    """A link by its inverse and the inverse's first two derivatives.

    Attributes
    ----------
    transform : Transform
        The inverse link: linear predictor to mean.
    """

    transform: Transform

    @of_arrays
    def __call__(self, p: Tensor) -> Tensor:
        """Linear predictor of a mean."""
        return self.transform.inverse(p)

    @of_arrays
    def inverse(self, z: Tensor) -> Tensor:
        """Mean of a linear predictor."""
        return self.transform(z)

    @of_arrays
    def inverse_deriv(self, z: Tensor) -> Tensor:
        """d mean / d linear predictor."""
        return self.slopes(z)[0]

    @of_arrays
    def inverse_deriv2(self, z: Tensor) -> Tensor:
        """Second derivative of the mean in the linear predictor."""
        return self.slopes(z)[1]

    @of_arrays
    def deriv(self, p: Tensor) -> Tensor:
        """d linear predictor / d mean."""
        return 1 / self.slopes(self.transform.inverse(p))[0]

    @of_arrays
    def deriv2(self, p: Tensor) -> Tensor:
        """Second derivative of the linear predictor in the mean, ``-f'' / f'^3`` of the inverse f."""
        first, second = self.slopes(self.transform.inverse(p))
        return -second / first**3

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivative of the mean in the linear predictor."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Link) and self.transform == other.transform

    def __hash__(self) -> int:
        return hash(self.transform)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Logit(Link):
    """log(p / (1 - p))."""

    transform = transforms.Logit()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        p, q = torch.sigmoid(z), torch.sigmoid(-z)
        return p * q, p * q * (q - p)


class Probit(Link):
    """Inverse of the normal distribution function."""

    transform = transforms.Probit()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        density = torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        return density, -z * density


class Cauchy(Link):
    """Inverse of the Cauchy distribution function."""

    transform = transforms.Cauchy()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        density = 1 / (math.pi * (1 + z**2))
        return density, -2 * math.pi * z * density**2


class CLogLog(Link):
    """log(-log(1 - p))."""

    transform = transforms.CLogLog()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        t = z.exp()
        density = torch.exp(z - t)
        return density, torch.where(density > 0, density * (1 - t), 0.0)


class LogLog(Link):
    """-log(-log(p))."""

    transform = transforms.LogLog()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        t = torch.exp(-z)
        density = torch.exp(-z - t)
        return density, torch.where(density > 0, density * (t - 1), 0.0)


class Log(Link):
    """log(mu)."""

    transform = transforms.Log()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        mean = z.exp()
        return mean, mean


class LogC(Link):
    """log(1 - p)."""

    transform = transforms.LogComplement()

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        slope = -z.exp()
        return slope, slope


class Power(Link):
    """mu ** power; the logarithm when power is 0."""

    def __init__(self, power: float = 1.0):
        self.power = float(power)
        self.transform = _power_transform(self.power)

    @of_arrays
    def inverse(self, z: Tensor) -> Tensor:
        """Mean of a linear predictor; for an even root also of one that is negative, which a fit does not allow."""
        return self.transform(z) if self.power in (-1, 0, 1) else z ** (1 / self.power)

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        if self.power == 1:
            return torch.ones_like(z), torch.zeros_like(z)
        if self.power == 0:
            return z.exp(), z.exp()
        if self.power == -1:  # also for negative means
            return -1 / z**2, 2 / z**3
        a = 1 / self.power
        return a * z ** (a - 1), a * (a - 1) * z ** (a - 2)

    def __repr__(self) -> str:
        return f"Power(power={self.power:g})"


class Identity(OfFixedPower, Power):
    """mu."""

    fixed = 1.0


class InversePower(OfFixedPower, Power):
    """1 / mu."""

    fixed = -1.0


class InverseSquared(OfFixedPower, Power):
    """1 / mu ** 2."""

    fixed = -2.0


class Sqrt(OfFixedPower, Power):
    """sqrt(mu)."""

    fixed = 0.5


class NegativeBinomial(Link):
    """log(mu / (mu + 1 / alpha)): the canonical link of the negative binomial."""

    def __init__(self, alpha: float = 1.0):
        self.alpha = float(alpha)
        self.transform = transforms.LogOdds(self.alpha)

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        left = -torch.expm1(z)
        first = z.exp() / (self.alpha * left**2)
        return first, first * (1 + z.exp()) / left

    def __repr__(self) -> str:
        return f"NegativeBinomial(alpha={self.alpha:g})"


class CDFLink(Link):
    """Inverse of a distribution function.

    Parameters
    ----------
    dbn : distribution of scipy.stats
        norm (the default), logistic, cauchy, gumbel_r or gumbel_l.
    """

    def __init__(self, dbn: Any = None):
        name = getattr(dbn, "name", dbn) or "norm"
        known = {"norm": Probit, "logistic": Logit, "cauchy": Cauchy, "gumbel_r": LogLog, "gumbel_l": CLogLog}
        if name not in known:
            raise ValueError(f"CDFLink knows the distributions {', '.join(known)}, not {name!r}")
        self.dbn = dbn
        self._link = known[name]()
        self.transform = self._link.transform

    def slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self._link.slopes(z)


def _power_transform(power: float) -> Transform:
    """The transform of a power; statsmodels' Power(0) is the logarithm."""
    named = {1.0: transforms.Identity(), 0.0: transforms.Log(), -1.0: transforms.Inverse()}
    return named.get(power) or transforms.Power(power)


def _renamed(old: str, kind: type[Link]) -> Callable[..., Link]:
    """A link under its former name, with a warning."""

    def link(*args: Any, **kwargs: Any) -> Link:
        warnings.warn(f"links.{old} is now links.{kind.__name__}", FutureWarning, stacklevel=2)
        return kind(*args, **kwargs)

    return link


logit, probit, cauchy = _renamed("logit", Logit), _renamed("probit", Probit), _renamed("cauchy", Cauchy)
cloglog, loglog, logc = _renamed("cloglog", CLogLog), _renamed("loglog", LogLog), _renamed("logc", LogC)
log, identity, sqrt = _renamed("log", Log), _renamed("identity", Identity), _renamed("sqrt", Sqrt)
inverse_power, inverse_squared = _renamed("inverse_power", InversePower), _renamed("inverse_squared", InverseSquared)
nbinom = _renamed("nbinom", NegativeBinomial)
