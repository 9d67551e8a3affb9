"""Family: how the variance of a response depends on its mean, and the likelihood that goes with it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import DomainWarning
from .arrays import of_arrays
from .links import Link, Power
from .power import under_power


class Kernel(NamedTuple):
    """The part of a row's log-likelihood that depends on its linear predictor, at unit dispersion and weight.

    Attributes
    ----------
    value : Tensor (n,)
        The log-likelihood less its constants, or minus half the unit deviance.
    first, second : Tensor (n,)
        Derivatives in the linear predictor.
    """

    value: Tensor
    first: Tensor
    second: Tensor


class Family:
    """An exponential dispersion model: ``E[y] = mu``, ``Var[y] = scale V(mu) / weight``.

    Parameters
    ----------
    link : Link, optional
        An instance, such as ``links.Log()``; the family's own when left out.
    check_link : bool
        Refuse links the family is not made for.

    Attributes
    ----------
    links, safe_links : tuple of Link classes
        The links it is made for, and those whose inverse stays in its domain.
    estimates_scale : bool
        Whether a fit estimates the dispersion; else it is 1.
    response : tuple of float
        Smallest and largest value of a response.
    positive : bool
        Whether a response of 0 is impossible.
    lowest_mean : float
        Means lie above it.
    variance_power : float, optional
        The p of ``V = mu^p``, where V is a power.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, chapter 2.
    """

    links: ClassVar[tuple[type[Link], ...]] = ()
    safe_links: ClassVar[tuple[type[Link], ...]] = ()
    default_link: ClassVar[type[Link]]
    estimates_scale: ClassVar[bool] = False
    response: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    positive: bool = False
    lowest_mean: float = -np.inf
    variance_power: float | None = None

    def __init__(self, link: Link | None = None, check_link: bool = True):
        link = self.default_link() if link is None else link
        if isinstance(link, type):
            raise TypeError(
                f"Calling {type(self).__name__}(..) with a link class is not allowed. Use an instance of a link class "
                f"instead: {link.__name__}()."
            )
        if not isinstance(link, Link):
            raise TypeError(f"link must be an instance of a link class such as links.Log(), not {link!r}")
        if check_link and not isinstance(link, self.links):
            names = ", ".join(known.__name__ for known in self.links)
            raise ValueError(f"Invalid link for family {type(self).__name__}: {link!r}; the valid ones are {names}")
        self.link = link

    def warn_of_domain(self) -> None:
        """Warn when the inverse link can leave the domain of the mean."""
        if not isinstance(self.link, self.safe_links):
            warnings.warn(
                f"The {type(self.link).__name__} link function does not respect the domain of the {type(self).__name__} "
                "family.",
                DomainWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(link={self.link!r})"

    def describe_response(self) -> str:
        """What a response must be, in words."""
        low, high = self.response
        if high < np.inf:
            return f"between {low:g} and {high:g}"
        return "positive" if self.positive else "0 or more"

    # -- what a family says ------------------------------------------------------------------------------------

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        """V(mu) and its derivative."""
        raise NotImplementedError

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        """Twice the log-likelihood ratio of one row against a perfect fit, at unit dispersion and weight, (n,)."""
        raise NotImplementedError

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        """Log-density of each row, with all constants, (n,)."""
        raise NotImplementedError

    def perfect(self, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        """Log-density of each row at a mean that meets the response, (n,): what half the deviance is taken from."""
        return self.log_density(y, y, weight, scale)

    def start(self, y: Tensor, mean: float) -> Tensor:
        """Means to start from, inside the domain: halfway between a response and the mean of all."""
        return (y + mean) / 2

    def constant(self, y: Tensor, trials: Tensor | None = None, weights: Tensor | None = None) -> Tensor | None:
        """What `kernel` leaves out of the log-likelihood at unit dispersion; None where that needs the dispersion.

        `trials` are those of each row of a binomial response, `weights` the inverse variances, which multiply it.
        """
        return None

    @property
    def is_canonical(self) -> bool:
        """Whether the mean's slope in the linear predictor is V(mu), so that V need not be divided by."""
        return False

    # -- what a fit needs --------------------------------------------------------------------------------------

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        """A row's log-likelihood in its linear predictor, with derivatives.

        ``l' = (y - mu) m' / V`` and ``l'' = -m'^2 / V + (y - mu) (m'' / V - m'^2 V' / V^2)`` for an inverse link m.
        """
        mu = self.link.transform(eta)
        if self.variance_power is not None and isinstance(self.link, Power) and self.link.power:
            return Kernel(self._value(y, mu, eta), *under_power(self.variance_power, self.link.power, y, eta))
        slope, bend = self.link.slopes(eta)
        rest = y - mu
        if self.is_canonical:
            return Kernel(self._value(y, mu, eta), rest, -slope)
        variance, change = self._variance(mu)
        ratio = slope / variance
        second = -slope * ratio + rest * (bend / variance - ratio**2 * change)
        return Kernel(self._value(y, mu, eta), rest * ratio, second)

    def _value(self, y: Tensor, mu: Tensor, eta: Tensor) -> Tensor:
        """The value of the kernel, not a number outside the domain of the mean."""
        value = -0.5 * self.unit_deviance(y, mu)
        return value if self.lowest_mean == -np.inf else torch.where(mu > self.lowest_mean, value, torch.nan)

    def information(self, eta: Tensor) -> Tensor:
        """Expected ``-l''`` of each row at unit dispersion and weight, ``m'^2 / V``."""
        slope, _ = self.link.slopes(eta)
        return slope if self.is_canonical else slope**2 / self._variance(self.link.transform(eta))[0]

    def unit_pearson(self, y: Tensor, mu: Tensor) -> Tensor:
        """``(y - mu)^2 / V``, 0 where a mean at the end of its range has been rounded to the response, (n,)."""
        p = self.variance_power
        if p is None:
            return torch.where(y == mu, 0.0, (y - mu) ** 2 / self._variance(mu)[0])
        square = ((y - mu) / mu ** (p / 2)).square()  # neither the square nor the variance need be a number
        return torch.where(y == mu, 0.0, torch.where(torch.isinf(mu), mu ** (2 - p), square))

    # -- statsmodels' names; arrays or tensors in and out ------------------------------------------------------

    @property
    def variance(self) -> Variance:
        """V, a function of means with a derivative ``deriv``; it cannot be replaced."""
        return Variance(self)

    @variance.setter
    def variance(self, function: Any) -> None:
        raise AttributeError(
            f"the variance of {type(self).__name__} belongs to its likelihood, which is what a fit maximises, and cannot be "
            f"replaced by {function!r}; a quasi-likelihood with another variance function is not there"
        )

    @of_arrays
    def starting_mu(self, y: Tensor) -> Tensor:
        """Means from which iterations start."""
        return self.start(y, float(y.mean()))

    @of_arrays
    def weights(self, mu: Tensor) -> Tensor:
        """Working weights ``1 / (g'(mu)^2 V(mu))``."""
        return self.information(self.link.transform.inverse(mu))

    def fitted(self, lin_pred: Any) -> Any:
        """Mean of a linear predictor."""
        return self.link.inverse(lin_pred)

    def predict(self, mu: Any) -> Any:
        """Linear predictor of a mean."""
        return self.link(mu)

    @of_arrays
    def deviance(
        self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, freq_weights: Any = 1.0, scale: Any = 1.0
    ) -> Tensor:
        """Sum of weighted unit deviances, divided by the scale."""
        rows = freq_weights * var_weights * self.unit_deviance(endog, mu) / scale
        return rows.sum()

    @of_arrays
    def resid_dev(self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, scale: Any = 1.0) -> Tensor:
        """Signed roots of the unit deviances."""
        unit = self.unit_deviance(endog, mu).clamp_min(0.0)
        return torch.sign(endog - mu) * torch.sqrt(unit * var_weights / scale)

    @of_arrays
    def loglike_obs(self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, scale: Any = 1.0) -> Tensor:
        """Log-likelihood of each row."""
        weight = torch.as_tensor(var_weights, dtype=torch.float64)
        return self.log_density(endog, mu, weight, torch.as_tensor(scale, dtype=torch.float64))

    @of_arrays
    def loglike(
        self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, freq_weights: Any = 1.0, scale: Any = 1.0
    ) -> Tensor:
        """Log-likelihood of all rows."""
        return (freq_weights * self.loglike_obs(endog, mu, var_weights, scale)).sum()

    @of_arrays
    def resid_anscombe(self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, scale: Any = 1.0) -> Tensor:
        """Anscombe residuals: ``(A(y) - A(mu)) / (A'(mu) sqrt(V))`` with ``A' = V^(-1/3)``."""
        return self.anscombe(endog, mu) * torch.sqrt(var_weights / torch.as_tensor(scale, dtype=torch.float64))

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        """Anscombe residuals at unit dispersion and weight."""
        raise NotImplementedError

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        """The response's distribution, as scipy.stats has it."""
        raise ValueError(f"{type(self).__name__} has no distribution in scipy.stats")


@dataclass(frozen=True)
class Variance:
    """The variance function of a family, of arrays or tensors."""

    family: Family

    @of_arrays
    def __call__(self, mu: Tensor) -> Tensor:
        """V(mu)."""
        return self.family._variance(mu)[0]

    @of_arrays
    def deriv(self, mu: Tensor) -> Tensor:
        """V'(mu)."""
        return self.family._variance(mu)[1]


def log_ratio(y: Tensor, mu: Tensor) -> Tensor:
    """``y log(y / mu)``, 0 where y is 0 even where mu has underflowed to 0 too."""
    return torch.xlogy(y, torch.where(y == 0, 1.0, y / mu))
