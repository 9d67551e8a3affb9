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

from ...compute.autodiff import Curvature, Eta
from ...compute.branches import finite, holds
from ...families.bernoulli import times
from ...families.rising import log1p_excess, log_rising, rising
from ...transforms import Identity, Log, Transform

NOWHERE = -1000.0  # the real value whose exponential and whose logistic function are zero
BARELY = -37.0  # log u below which log1p(u) / u is 1 - u / 2 to the last digit
VANISHING = 1e-17  # u below which it is 1
FAR = 300.0  # from which exponents are taken as logarithms
MODERATE = 50.0  # exponents and dispersions so small in size that nothing made of them is beyond numbers


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
        """With ``u = a mu``, ``s = u / (1 + u)``, ``r = 1 - s`` and q the excess ``(log1p(u) - s) / a``:

        ``f_eta = (y - mu) r``, ``f_lambda = G' - y s + q``,
        ``f_ee = -r (mu r + y s)``, ``f_el = -(y - mu) s r``, ``f_ll = G'' - (y - mu) s r - q``.

        Multiples of mu are made of mu where u is small and of ``1 / a = mu / u`` elsewhere, those of ``mu u`` of that and of
        ``1 / a``: of each, the one that is a number.
        """
        log_a = self._log_a(eta)
        log_u = log_a + eta[0]
        u, s, r = log_u.exp(), torch.sigmoid(log_u), torch.sigmoid(-log_u)
        softplus, size, small = -logsigmoid(-log_u), (-log_a).exp(), log_u < 0
        mean = torch.where(small, eta[0].exp(), size)
        square = torch.where(small, (log_u + eta[0]).exp(), size)  # of mu, times a
        safe = u.clamp_min(VANISHING)
        spread = mean * torch.where(small, torch.log1p(safe) / safe, softplus)
        main = mean * torch.where(small, r, s)  # mu r
        excess, cross = torch.where(small, log1p_excess(u), softplus - s), torch.where(small, r, s).square()
        gamma = rising(y, log_a, 2)
        assert gamma.first is not None
        assert gamma.second is not None
        value = gamma.value + y * (eta[0] - softplus) - spread - log_factorial
        f_e, f_l = y * r - main, gamma.first - y * s + square * excess
        f_ee, y_part = -r * (main + y * s), y * s * r
        c = self.power - 2
        if c == 0:
            f_el, f_ll = square * cross - y_part, gamma.second - y_part + square * (cross - excess)
            return value, (f_e, f_l), ((f_ee, f_el), (f_ll,))
        rest, bend = gamma.second - y_part, cross - excess
        f_ee = f_ee + c * (c * rest - 2 * y_part) + square * (2 * c * cross + c * c * bend)
        f_el = c * rest - y_part + square * (cross + c * bend)
        return value, (f_e + c * f_l, f_l), ((f_ee, f_el), (rest + square * bend,))

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
        q, ratio = self.power, _ratio(eta, y, self.power)
        possible, more = ratio > -1, y * eta[1]  # a negative alpha ends the support
        everywhere = holds(possible)
        log_one = log1p_multiple(eta[1], q * eta[0])
        log_more = log1p_multiple(more if everywhere else torch.where(possible, more, 0.0), (q - 1) * eta[0])
        log_theta = eta[0] - log_one
        value = y * log_theta + (y - 1) * log_more - log_theta.exp() - y * _share(eta[1], q * eta[0]) - log_factorial
        return value if everywhere else torch.where(possible, value, -torch.inf)

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        """First in eta and c, times c or its slope in alpha, then by the chain rule: ``c_eta = power c``, ``c_alpha = mu^power``.

        With ``theta = mu / (1 + c)``, ``h = c / (1 + c)``, ``s = c y / (mu + c y)``, ``t = 1 - s``, ``d = y r - theta`` for
        ``r = 1 - h``, where H and S are h and s divided by alpha.
        """
        q, before = self.power, y - 1
        ordinary = holds((eta[0].abs() < MODERATE) & (eta[1].abs() < MODERATE))
        log_one, log_more, theta, h, big_h, s, big_s, t, r = (_parts if ordinary else _far_parts)(eta, y, q)
        value = y * (eta[0] - log_one) + before * log_more - theta - y * h - log_factorial
        product = torch.mul if ordinary else times
        d, more, big_more = y * r - theta, before * s, product(before, big_s)
        twist, cross = y + 2 * d, more * t
        c_a, a_ec = big_more - (y + d) * big_h, theta * big_h - big_more * t
        a_cc = twist * big_h.square() - product(big_more, big_s)
        f_e, f_ee = y - more - theta, cross - theta
        if q == 0:
            return value, (f_e, c_a), ((f_ee, a_ec), (a_cc,))
        c_c, c_ec, turn = more - product(h, y + d), product(h, theta) - cross, product(h, twist)
        c_cc, m_cc = product(h, turn) - more * s, product(turn, big_h) - product(more, big_s)
        h_ee, h_ea = f_ee + q * (2 * c_ec + q * (c_cc + c_c)), a_ec + q * (m_cc + c_a)
        return value, (f_e + q * c_c, c_a), ((h_ee, h_ea), (a_cc,))

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        mu = eta[0].exp()
        return mu, mu * (1 + eta[1] * (self.power * eta[0]).exp()).square()

    def first_dispersion(self, mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ((y - mu).square() - y) * mu ** (self.power - 1), 2 * mu ** (2 * self.power)


def _parts(eta: Sequence[Tensor], y: Tensor, power: float) -> tuple[Tensor, ...]:
    """``log1p(c)``, ``log1p(c y / mu)``, theta, h, H, s, S, t and r of `GeneralizedPoissonCounts.derivatives`, as defined."""
    mu = eta[0].exp()
    multiple = mu**power
    c, slope = eta[1] * multiple, y * multiple / mu
    ratio, r = eta[1] * slope, 1 / (1 + c)
    t = 1 / (1 + ratio)
    return torch.log1p(c), torch.log1p(ratio), mu * r, c * r, multiple * r, ratio * t, slope * t, t, r


def _far_parts(eta: Sequence[Tensor], y: Tensor, power: float) -> tuple[Tensor, ...]:
    """`_parts` where mu or its powers may be beyond numbers."""
    log_one, log_more = log1p_multiple(eta[1], power * eta[0]), log1p_multiple(y * eta[1], (power - 1) * eta[0])
    h, ratio, log_theta = _share(eta[1], power * eta[0]), _ratio(eta, y, power), eta[0] - log_one
    s = torch.where(ratio > 1, 1 / (1 + 1 / ratio), ratio / (1 + ratio))
    big_h = torch.where(h > 0.5, h / eta[1], (power * eta[0] - log_one).exp())
    big_s = torch.where(s > 0.5, s / eta[1], times(y, ((power - 1) * eta[0] - log_more).exp()))
    return log_one, log_more, log_theta.exp(), h, big_h, s, big_s, 1 / (1 + ratio), (-log_one).exp()


def log1p_multiple(a: Tensor, x: Tensor) -> Tensor:
    """``log(1 + a exp(x))`` where the exponential may be beyond numbers."""
    multiple = a * x.exp()
    if finite(multiple):
        return torch.log1p(multiple)
    far = (x > FAR) & (a > 1e-100)
    near = torch.log1p(a * torch.where(far, 0.0, x).clamp_max(700.0).exp())  # what is clamped goes with an a of nothing
    return torch.where(far, torch.where(far, a, 1.0).log() + x, near)


def _share(alpha: Tensor, x: Tensor) -> Tensor:
    """``c / (1 + c)`` with ``c = alpha exp(x)``."""
    c = alpha * x.exp()
    return c / (1 + c) if finite(c) else torch.where(c > 1, 1 / (1 + 1 / c), c / (1 + c))


def _ratio(eta: Sequence[Tensor], y: Tensor, power: float) -> Tensor:
    """``c y / mu``, what is added to the mean for each count."""
    return times(y * eta[1], ((power - 1) * eta[0]).exp())
