"""Distributions of counts as functions of their linear predictors, with closed-form derivatives row by row.

``eta[0]`` is the log of the mean (of the counts, before any zero inflation); what follows are the further parameters on their
real lines.  Every probability keeps its digits where its dispersion goes to zero and it becomes Poisson's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..compute.autodiff import Curvature, Eta
from ..families.rising import log1p_excess, log_rising, rising
from ..transforms import Identity, Log, Transform

NOWHERE = -1000.0  # the real value whose exponential and whose logistic function are zero
BARELY = -37.0  # log u below which log1p(u) / u is 1 - u / 2 to the last digit


class LogOrZero(Log):
    """log(natural) = real, with a real value that stands for zero."""

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.where(natural == 0, NOWHERE, natural.log())


class CountDistribution:
    """Probabilities of counts: what a count model must say.

    Attributes
    ----------
    parameters : mapping of str to Transform
        "mu" first.
    boundaries : mapping of str to float
        Parameters whose best value may be the boundary of their range, and the real value that stands for it.
    """

    parameters: ClassVar[Mapping[str, Transform]] = MappingProxyType({"mu": Log()})
    boundaries: ClassVar[Mapping[str, float]] = MappingProxyType({})

    def loglike(self, eta: Sequence[Tensor], y: Tensor, log_factorial: Tensor) -> Tensor:
        """Log-probability of each row's count, (n,), differentiable."""
        raise NotImplementedError

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        """`loglike` with its gradient and Hessian in the predictors."""
        raise NotImplementedError

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and variance of each row's count."""
        raise NotImplementedError

    def boundary_slope(self, name: str, eta: Eta, y: Tensor, log_factorial: Tensor) -> Tensor:
        """Derivative of each row's log-probability in a parameter of `boundaries` as it leaves its boundary."""
        raise NotImplementedError

    def first_dispersion(self, mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Score of the dispersion where there is none, and its expected information, row by row; Poisson's has neither."""
        return torch.zeros_like(mu), torch.zeros_like(mu)

    def frozen(self, natural: Mapping[str, Any]) -> Any:
        """The distribution of each row as scipy has it, from natural values; None where scipy has none."""
        return None


@dataclass(frozen=True)
class PoissonCounts(CountDistribution):
    """``P(y) = exp(-mu) mu^y / y!``."""

    def loglike(self, eta: Sequence[Tensor], y: Tensor, log_factorial: Tensor) -> Tensor:
        return y * eta[0] - eta[0].exp() - log_factorial

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        mu = eta[0].exp()
        return y * eta[0] - mu - log_factorial, (y - mu,), ((-mu,),)

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        mu = eta[0].exp()
        return mu, mu

    def frozen(self, natural: Mapping[str, Any]) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.poisson(natural["mu"])


@dataclass(frozen=True)
class NegativeBinomialCounts(CountDistribution):
    """Gamma mixture of Poissons with ``V = mu + alpha mu^power`` (Cameron and Trivedi 2013, section 3.3).

    Everything is a function of eta and of ``lambda = log alpha + (power - 2) eta``, the log of the row's ``1 / size``.
    """

    power: float = 2.0
    parameters: ClassVar[Mapping[str, Transform]] = MappingProxyType({"mu": Log(), "alpha": LogOrZero()})
    boundaries: ClassVar[Mapping[str, float]] = MappingProxyType({"alpha": NOWHERE})

    def _log_a(self, eta: Sequence[Tensor]) -> Tensor:
        return eta[1] if self.power == 2 else eta[1] + (self.power - 2) * eta[0]

    def loglike(self, eta: Sequence[Tensor], y: Tensor, log_factorial: Tensor) -> Tensor:
        log_a = self._log_a(eta)
        log_u = log_a + eta[0]
        above = log_u.clamp_min(BARELY)
        softplus = -logsigmoid(-above)
        spread = torch.where(
            log_u < BARELY, eta[0].exp() * (1 - 0.5 * log_u.exp()), softplus * (eta[0] - above).exp()
        )  # log1p(u) / a
        return log_rising(y, log_a) + y * (eta[0] + logsigmoid(-log_u)) - spread - log_factorial

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        """With ``u = a mu``, ``s = u / (1 + u)`` and q(u) the excess ``(log1p(u) - s) / a``:

        ``f_eta = (y - mu)(1 - s)``, ``f_lambda = G' - y s + q``,
        ``f_ee = -(1 - s)(mu (1 - s) + y s)``, ``f_el = -(y - mu) s (1 - s)``, ``f_ll = G'' - (y - mu) s (1 - s) - q``.
        """
        log_a = self._log_a(eta)
        log_u = log_a + eta[0]
        mu, u, s, rest = eta[0].exp(), log_u.exp(), torch.sigmoid(log_u), torch.sigmoid(-log_u)
        softplus = -logsigmoid(-log_u)
        tiny = torch.where(u > 0, torch.log1p(u) / u.clamp_min(torch.finfo(u.dtype).tiny), 1.0)
        spread = torch.where(u < 1, mu * tiny, softplus * (-log_a).exp())
        excess = torch.where(u < 1, mu * u * log1p_excess(u), (softplus - s) * (-log_a).exp())
        gamma = rising(y, log_a, 2)
        assert gamma.first is not None
        assert gamma.second is not None
        value = gamma.value + y * (eta[0] - softplus) - spread - log_factorial
        product = (y - mu) * rest
        f_e, f_l = product, gamma.first - y * s + excess
        f_ee, f_el, f_ll = -rest * (mu * rest + y * s), -product * s, gamma.second - product * s - excess
        c = self.power - 2
        if c == 0:
            return value, (f_e, f_l), ((f_ee, f_el), (f_ll,))
        return value, (f_e + c * f_l, f_l), ((f_ee + 2 * c * f_el + c * c * f_ll, f_el + c * f_ll), (f_ll,))

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        mu = eta[0].exp()
        return mu, mu + (eta[1] + self.power * eta[0]).exp()

    def boundary_slope(self, name: str, eta: Eta, y: Tensor, log_factorial: Tensor) -> Tensor:
        return self.first_dispersion(eta[0].exp(), y)[0]

    def first_dispersion(self, mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return 0.5 * ((y - mu).square() - y) * mu ** (self.power - 2), 0.5 * mu ** (2 * self.power - 2)

    def frozen(self, natural: Mapping[str, Any]) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        mu, alpha = natural["mu"], natural["alpha"]
        if not alpha.any():
            return stats.poisson(mu)
        size = mu ** (2 - self.power) / alpha
        return stats.nbinom(size, size / (size + mu))


@dataclass(frozen=True)
class GeometricCounts(CountDistribution):
    """Negative binomial with alpha = 1: ``V = mu + mu^2``."""

    full: ClassVar[NegativeBinomialCounts] = NegativeBinomialCounts()

    def _with_alpha(self, eta: Sequence[Tensor]) -> Eta:
        return eta[0], torch.zeros_like(eta[0])

    def loglike(self, eta: Sequence[Tensor], y: Tensor, log_factorial: Tensor) -> Tensor:
        return self.full.loglike(self._with_alpha(eta), y, log_factorial)

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        value, g, h = self.full.derivatives(self._with_alpha(eta), y, log_factorial, order)
        return value, g[:1], ((h[0][0],),)

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        return self.full.moments(self._with_alpha(eta))

    def frozen(self, natural: Mapping[str, Any]) -> Any:
        return self.full.frozen({**natural, "alpha": 1 + 0 * natural["mu"]})


@dataclass(frozen=True)
class GeneralizedPoissonCounts(CountDistribution):
    """Consul and Jain's (1973) distribution with ``V = mu (1 + alpha mu^power)^2``; alpha may be negative.

    With ``c = alpha mu^power``: ``log P = y eta + (y - 1) log1p(c y / mu) - y log1p(c) - (mu + c y) / (1 + c) - log y!``
    where both ``1 + c`` and ``mu + c y`` are positive (Famoye 1993; in this form Zamani and Ismail 2012).
    """

    power: float = 0.0
    parameters: ClassVar[Mapping[str, Transform]] = MappingProxyType({"mu": Log(), "alpha": Identity()})

    def loglike(self, eta: Sequence[Tensor], y: Tensor, log_factorial: Tensor) -> Tensor:
        mu, c = eta[0].exp(), eta[1] * (self.power * eta[0]).exp()
        ratio, rate = c * y / mu, (mu + c * y) / (1 + c)
        possible = ratio > -1  # a negative alpha ends the support
        value = (y - 1) * torch.log1p(torch.where(possible, ratio, 0.0)) - y * torch.log1p(c) - rate - log_factorial
        return torch.where(possible, y * eta[0] + value, -torch.inf)

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        """First in eta and c, then by the chain rule: ``c_eta = power c``, ``c_alpha = mu^power``."""
        q, mu, m = self.power, eta[0].exp(), (self.power * eta[0]).exp()
        c = eta[1] * m
        one, total, before = 1 + c, mu + c * y, y - 1
        value = y * eta[0] + before * torch.log1p(c * y / mu) - y * torch.log1p(c) - total / one - log_factorial
        share = c * y / total
        f_e = y - before * share - mu / one
        f_c = before * y / total - y / one - (y - mu) / one.square()
        f_ee = before * share * (1 - share) - mu / one
        f_ec = mu / one.square() - before * y * mu / total.square()
        f_cc = -before * (y / total).square() + y / one.square() + 2 * (y - mu) / one**3
        slope = q * c
        h_ee = f_ee + slope * (2 * f_ec + slope * f_cc + q * f_c)
        h_ea = m * (f_ec + slope * f_cc + q * f_c)
        return value, (f_e + slope * f_c, m * f_c), ((h_ee, h_ea), (m.square() * f_cc,))

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        mu = eta[0].exp()
        return mu, mu * (1 + eta[1] * (self.power * eta[0]).exp()).square()

    def first_dispersion(self, mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ((y - mu).square() - y) * mu ** (self.power - 1), 2 * mu ** (2 * self.power)
