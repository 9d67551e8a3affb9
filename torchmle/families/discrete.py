"""Families of counts and proportions, whose dispersion is 1 unless a fit is told otherwise."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from ..errors import ValueWarning
from . import bernoulli
from . import links as L
from .arrays import of_arrays
from .family import Family, Kernel, log_ratio
from .rising import rising

WHOLE = 1e-8
"""By which a number of successes may miss a whole number."""


class Poisson(Family):
    """Counts: V = mu."""

    links = (L.Log, L.Identity, L.Sqrt)
    safe_links = (L.Log,)
    default_link = L.Log
    response = (0.0, np.inf)
    lowest_mean = 0.0
    variance_power = 1.0

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        return mu, torch.ones_like(mu)

    @property
    def is_canonical(self) -> bool:
        return isinstance(self.link, L.Log)

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return 2 * (log_ratio(y, mu) - (y - mu))

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        return weight / scale * (torch.xlogy(y, mu) - mu - torch.lgamma(y + 1))

    def constant(self, y: Tensor, trials: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        return -torch.lgamma(y + 1)

    def _value(self, y: Tensor, mu: Tensor, eta: Tensor) -> Tensor:
        return y * eta - mu if self.is_canonical else y * mu.log() - mu

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        return 1.5 * (y ** (2 / 3) - mu ** (2 / 3)) / mu ** (1 / 6)

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.poisson(mu)


class NegativeBinomial(Family):
    """Counts with a known dispersion parameter: V = mu + alpha mu^2.

    Parameters
    ----------
    link : Link, optional
    alpha : float
        1 when left out, with a warning; the model `NegativeBinomial` estimates it.
    """

    links = (L.Log, L.CLogLog, L.Identity, L.NegativeBinomial, L.Power)
    safe_links = (L.Log,)
    default_link = L.Log
    response = (0.0, np.inf)
    lowest_mean = 0.0

    def __init__(self, link: L.Link | None = None, alpha: float | None = None, check_link: bool = True):
        super().__init__(link, check_link)
        if alpha is None:
            warnings.warn(
                "Negative binomial dispersion parameter alpha not set. Using default value alpha=1.0; the model "
                "NegativeBinomial estimates it.",
                ValueWarning,
                stacklevel=2,
            )
        self.alpha = 1.0 if alpha is None else float(alpha)
        if not 0 < self.alpha < math.inf:
            raise ValueError(f"alpha must be positive and finite, not {alpha!r}; at 0 counts are Poisson's")

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        return mu + self.alpha * mu**2, 1 + 2 * self.alpha * mu

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        a = self.alpha
        return 2 * (log_ratio(y, mu) - (y + 1 / a) * torch.log1p(a * (y - mu) / (1 + a * mu)))

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        return weight / scale * (self._value(y, mu, mu) + self.constant(y))

    def constant(self, y: Tensor, trials: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        log_alpha = torch.full_like(y, math.log(self.alpha))
        return rising(y, log_alpha).value - y * log_alpha - torch.lgamma(y + 1)

    def _value(self, y: Tensor, mu: Tensor, eta: Tensor) -> Tensor:
        scaled = self.alpha * mu
        return y * (torch.log(scaled) - torch.log1p(scaled)) - torch.log1p(scaled) / self.alpha

    @property
    def is_canonical(self) -> bool:
        return isinstance(self.link, L.NegativeBinomial) and self.link.alpha == self.alpha

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        if self.is_canonical:
            value = y * eta + bernoulli.log_one_minus_exp(eta) / self.alpha
            return Kernel(value, y - self.link.transform(eta), -self.link.slopes(eta)[0])
        if isinstance(self.link, L.CLogLog):
            log_mu, slope, bend = bernoulli.success(self.link.transform, eta)
            scaled, rest = self.alpha * log_mu.exp(), y - log_mu.exp()
            value = y * (log_mu + math.log(self.alpha)) - (y + 1 / self.alpha) * torch.log1p(scaled)
            spread = slope.square() * log_mu.exp() * (1 + self.alpha * y) / (1 + scaled) ** 2
            return Kernel(value, slope * rest / (1 + scaled), bend * rest / (1 + scaled) - spread)
        if isinstance(self.link, L.Power) and self.link.power:
            return self._under_power(1 / self.link.power, y, eta)
        if not isinstance(self.link, L.Log):
            return super().kernel(y, eta)
        scaled = eta + math.log(self.alpha)  # means beyond the range of numbers are never formed
        p, q = torch.sigmoid(scaled), torch.sigmoid(-scaled)
        value = y * torch.nn.functional.logsigmoid(scaled) + torch.nn.functional.logsigmoid(-scaled) / self.alpha
        return Kernel(value, y * q - p / self.alpha, -((y + 1 / self.alpha) * p) * q)

    def _under_power(self, a: float, y: Tensor, eta: Tensor) -> Kernel:
        """Under the link ``mu^(1/a)``: ``l' = a (y - mu) / (eta (1 + u))`` with ``u = alpha mu``."""
        mu = self.link.transform(eta)
        u = self.alpha * mu
        second = y * (1 + (a + 1) * u) + mu * (a - 1 - u)
        return Kernel(self._value(y, mu, eta), a * (y - mu) / (eta * (1 + u)), -a * second / (eta * (1 + u)) ** 2)

    def information(self, eta: Tensor) -> Tensor:
        if not isinstance(self.link, L.Log):
            return super().information(eta)
        return torch.sigmoid(eta + math.log(self.alpha)) / self.alpha

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        def antiderivative(x: Tensor) -> Tensor:  # of (t + alpha t^2)^(-1/3)
            values = x.detach().cpu().numpy()
            return torch.as_tensor(
                1.5 * values ** (2 / 3) * special.hyp2f1(1 / 3, 2 / 3, 5 / 3, -self.alpha * values), dtype=x.dtype
            )

        return (antiderivative(y) - antiderivative(mu)) / self._variance(mu)[0] ** (1 / 6)

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.nbinom(1 / self.alpha, 1 / (1 + self.alpha * np.asarray(mu)))


class Binomial(Family):
    """Successes, 0 or 1, proportions of trials, or two columns of successes and failures: V = mu (1 - mu)."""

    links = (L.Logit, L.Probit, L.Cauchy, L.Log, L.LogC, L.CLogLog, L.LogLog, L.Identity)
    safe_links = (L.Logit, L.Probit, L.Cauchy, L.CLogLog, L.LogLog, L.CDFLink)
    default_link = L.Logit
    response = (0.0, 1.0)

    def __init__(self, link: L.Link | None = None, check_link: bool = True):
        super().__init__(link, check_link and not isinstance(link, L.CDFLink))
        self.n: Any = 1

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        return mu * (1 - mu), 1 - 2 * mu

    @property
    def is_canonical(self) -> bool:
        return isinstance(self.link, L.Logit)

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return 2 * (log_ratio(y, mu) + log_ratio(1 - y, 1 - mu))

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        n = torch.as_tensor(self.n, dtype=y.dtype)
        value = n * (torch.xlogy(y, mu) + torch.special.xlog1py(1 - y, -mu))
        return weight * (value + log_binomial(y, n))

    def start(self, y: Tensor, mean: float) -> Tensor:
        return (y + 0.5) / 2

    def constant(self, y: Tensor, trials: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        if trials is not None or weights is None:
            return torch.zeros_like(y) if trials is None else log_binomial(y, trials)
        # shares of as many trials; other weights leave a quasi-likelihood
        counts = is_whole(weights) & is_whole(weights * y)
        return torch.where(counts, log_binomial(y, weights), 0.0) / weights

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        if isinstance(self.link, L.Logit):
            p = torch.sigmoid(eta)
            value = y * eta - torch.nn.functional.softplus(eta, threshold=700.0)
            return Kernel(value, y - p, -p * torch.sigmoid(-eta))
        return Kernel(*bernoulli.bernoulli(self.link.transform, y, eta))

    def information(self, eta: Tensor) -> Tensor:
        return bernoulli.information(self.link.transform, eta)

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        from .continuous import incomplete_beta

        difference = incomplete_beta(2 / 3, 2 / 3, y) - incomplete_beta(2 / 3, 2 / 3, mu)
        return difference / (mu * (1 - mu)) ** (1 / 6) * torch.as_tensor(self.n, dtype=y.dtype).sqrt()

    @of_arrays
    def deviance(
        self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, freq_weights: Any = 1.0, scale: Any = 1.0
    ) -> Tensor:
        """Sum of weighted unit deviances times trials, divided by the scale."""
        trials = torch.as_tensor(self.n, dtype=torch.float64)
        return (freq_weights * var_weights * trials * self.unit_deviance(endog, mu) / scale).sum()

    @of_arrays
    def resid_dev(self, endog: Tensor, mu: Tensor, var_weights: Any = 1.0, scale: Any = 1.0) -> Tensor:
        """Signed roots of the unit deviances times trials."""
        unit = (self.unit_deviance(endog, mu) * torch.as_tensor(self.n, dtype=torch.float64)).clamp_min(0.0)
        return torch.sign(endog - mu) * torch.sqrt(unit * var_weights / scale)

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0, n_trials: Any = None) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.binom(n=self.n if n_trials is None else n_trials, p=mu)


def is_whole(successes: Tensor) -> Tensor:
    """Whether numbers of successes are whole; as shares of trials they have been rounded."""
    return (successes - successes.round()).abs() <= WHOLE * (1 + successes)


def log_binomial(share: Tensor, trials: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient, of a share of successes in some trials."""
    successes = share * trials
    return torch.lgamma(trials + 1) - torch.lgamma(successes + 1) - torch.lgamma(trials - successes + 1)
