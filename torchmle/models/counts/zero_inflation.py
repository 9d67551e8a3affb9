"""Zero inflation: a count is zero with probability pi, else it follows another distribution of counts (Lambert 1992)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ...compute.autodiff import Curvature, Eta
from ...families.bernoulli import success_and_failure, times
from ...transforms import Logit, Probit, Transform
from .distributions import NOWHERE, CountDistribution

LINKS: Mapping[str, Transform] = {"logit": Logit(), "probit": Probit()}


@dataclass(frozen=True)
class ZeroInflatedCounts(CountDistribution):
    """Another distribution with added zeros.

    Attributes
    ----------
    base : CountDistribution
    inflation : {"logit", "probit"}
        The link of pi.
    """

    base: CountDistribution
    inflation: str = "logit"

    @property
    def parameters(self) -> Mapping[str, Transform]:  # type: ignore[override]
        return {**self.base.parameters, "inflate": LINKS[self.inflation]}

    @property
    def boundaries(self) -> Mapping[str, float]:  # type: ignore[override]
        return {**self.base.boundaries, "inflate": NOWHERE}

    def loglike(self, eta: Sequence[Tensor], y: Tensor, log_factorial: Tensor) -> Tensor:
        value = self.base.loglike(eta[:-1], y, log_factorial)
        inside, outside = (terms.value for terms in success_and_failure(LINKS[self.inflation], eta[-1]))
        return torch.where(y == 0, _log_sum(inside, outside + value), outside + value)

    def derivatives(self, eta: Eta, y: Tensor, log_factorial: Tensor, order: int) -> tuple[Tensor, Eta, Curvature]:
        """With f the base's value, ``a = log pi``, ``b = log(1 - pi)`` and, for zeros, the share ``w`` that inflation made:

        ``l_zeta = w a' + (1 - w) b'``, ``l_f = 1 - w``, ``l_ff = w (1 - w)``, ``l_zeta,f = -w (1 - w)(a' - b')``,
        ``l_zeta,zeta = w a'' + (1 - w) b'' + w (1 - w)(a' - b')^2``.
        """
        f, g, h = self.base.derivatives(eta[:-1], y, log_factorial, order)
        (a, a1, a2), (b, b1, b2) = success_and_failure(LINKS[self.inflation], eta[-1])
        zero, main = y == 0, b + f
        w = torch.where(zero, torch.sigmoid(a - main), 0.0)
        v = torch.where(zero, torch.sigmoid(main - a), 1.0)  # 1 - w
        value = torch.where(zero, torch.logaddexp(a, main), main)
        both, difference = w * v, a1 - b1
        gradient = (*(times(v, gj) for gj in g), times(w, a1) + times(v, b1))
        second = times(w, a2) + times(v, b2) + times(both, difference.square())
        rows = []
        for j, row in enumerate(h):
            inner = tuple(times(v, hjk) + times(both, g[j] * g[j + k]) for k, hjk in enumerate(row))
            rows.append((*inner, -times(both, difference * g[j])))
        return value, gradient, (*rows, (second,))

    def moments(self, eta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        mean, variance = self.base.moments(eta[:-1])
        pi, main = LINKS[self.inflation](eta[-1]), LINKS[self.inflation](-eta[-1])  # symmetric links: 1 - pi
        return main * mean, main * (variance + pi * mean.square())

    def boundary_slope(self, name: str, eta: Eta, y: Tensor, log_factorial: Tensor) -> Tensor:
        f = self.base.loglike(eta[:-1], y, log_factorial)
        if name == "inflate":
            return torch.where(y == 0, (-f).exp(), 0.0) - 1
        inside, outside = (terms.value for terms in success_and_failure(LINKS[self.inflation], eta[-1]))
        main = torch.where(y == 0, torch.sigmoid(f + outside - inside), 1.0)
        return main * self.base.boundary_slope(name, eta[:-1], y, log_factorial)

    def first_dispersion(self, mu: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.base.first_dispersion(mu, y)


def _log_sum(one: Tensor, other: Tensor) -> Tensor:
    """``log(exp(one) + exp(other))``; torch.logaddexp has no second derivatives where they are far apart."""
    difference = one - other
    return torch.where(difference > 0, one - logsigmoid(difference), other - logsigmoid(-difference))
