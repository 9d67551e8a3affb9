"""Families of continuous responses, whose dispersion a fit estimates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from . import links as L
from .compound import CompoundPoissonGamma
from .family import Family, Kernel
from .power import half_deviance, kernel_under_log, under_log
from .rising import log_gamma_at_mean


class Gaussian(Family):
    """Normal responses: V = 1."""

    links = (L.Log, L.Identity, L.InversePower)
    safe_links = links
    default_link = L.Identity
    estimates_scale = True
    variance_power = 0.0

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(mu), torch.zeros_like(mu)

    @property
    def is_canonical(self) -> bool:
        return self.link == L.Identity()

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return (y - mu) ** 2

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        variance = scale / weight
        return -0.5 * ((y - mu) ** 2 / variance + torch.log(2 * math.pi * variance))

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        if not isinstance(self.link, L.Log):
            return super().kernel(y, eta)
        return Kernel(self._value(y, eta.exp(), eta), *under_log(0.0, y, eta))

    def start(self, y: Tensor, mean: float) -> Tensor:
        middle = super().start(y, mean)
        return middle.clamp_min(1e-3 * abs(mean)) if isinstance(self.link, L.Log) else middle

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        return y - mu

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.norm(loc=mu, scale=np.sqrt(np.asarray(scale) / var_weights))


class Gamma(Family):
    """Gamma responses: V = mu^2, shape ``weight / scale``."""

    links = (L.Log, L.Identity, L.InversePower)
    safe_links = (L.Log,)
    default_link = L.InversePower
    estimates_scale = True
    response = (0.0, np.inf)
    positive = True
    lowest_mean = 0.0
    variance_power = 2.0

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        return mu**2, 2 * mu

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return 2 * ((y - mu) / mu - torch.log(y / mu))

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        shape = weight / scale
        return -0.5 * shape * self.unit_deviance(y, mu) - torch.log(y) + log_gamma_at_mean(shape)

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        if not isinstance(self.link, L.Log):
            return super().kernel(y, eta)
        ratio = torch.exp(torch.log(y) - eta)
        return Kernel(1 - ratio + torch.log(y) - eta, ratio - 1, -ratio)

    def information(self, eta: Tensor) -> Tensor:
        return torch.ones_like(eta) if isinstance(self.link, L.Log) else super().information(eta)

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        return 3 * (y ** (1 / 3) - mu ** (1 / 3)) / mu ** (1 / 3)

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        shape = var_weights / np.asarray(scale)
        return stats.gamma(shape, scale=mu / shape)


class InverseGaussian(Family):
    """Inverse Gaussian responses: V = mu^3, ``lambda = weight / scale``."""

    links = (L.InverseSquared, L.InversePower, L.Identity, L.Log)
    safe_links = (L.InverseSquared, L.Log)
    default_link = L.InverseSquared
    estimates_scale = True
    response = (0.0, np.inf)
    positive = True
    lowest_mean = 0.0
    variance_power = 3.0

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        return mu**3, 3 * mu**2

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return (y / mu - 1) ** 2 / y

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        dispersion = scale / weight
        return -0.5 * ((y / mu - 1) ** 2 / (dispersion * y) + torch.log(2 * math.pi * dispersion * y**3))

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        if not isinstance(self.link, L.Log):
            return super().kernel(y, eta)
        inverse = torch.exp(-eta)
        rest = y * inverse - 1
        return Kernel(-0.5 * rest**2 / y, rest * inverse, -inverse * (2 * rest + 1))

    def information(self, eta: Tensor) -> Tensor:
        return torch.exp(-eta) if isinstance(self.link, L.Log) else super().information(eta)

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        return torch.log(y / mu) / torch.sqrt(mu)

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        shape = var_weights / np.asarray(scale)
        return stats.invgauss(mu / shape, scale=shape)


class Tweedie(Family):
    """Tweedie responses: V = mu^power; for 1 < power < 2 a Poisson sum of gammas, with an atom at 0.

    Parameters
    ----------
    link : Link, optional
        Log by default.
    var_power : float
        The power.
    eql : bool
        Use the extended quasi-likelihood (Nelder and Pregibon 1987) in place of the density.
    """

    links = (L.Log, L.Power)
    safe_links = (L.Log, L.Power)
    default_link = L.Log
    estimates_scale = True
    response = (0.0, np.inf)

    def __init__(self, link: L.Link | None = None, var_power: float = 1.0, eql: bool = False, check_link: bool = True):
        super().__init__(link, check_link)
        self.var_power = self.variance_power = float(var_power)
        self.eql = bool(eql)
        self.lowest_mean = -np.inf if var_power == 0 else 0.0
        self.positive = self.var_power >= 2

    def _variance(self, mu: Tensor) -> tuple[Tensor, Tensor]:
        p = self.var_power
        return mu**p, p * mu ** (p - 1)

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return (y - mu) ** 2 if self.var_power == 0 else 2 * half_deviance(self.var_power, y, mu.log())

    def log_density(self, y: Tensor, mu: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        from .tweedie import extended_quasi_likelihood, log_density

        if self.eql:
            return extended_quasi_likelihood(self.var_power, self.unit_deviance(y, mu), y, weight, scale)
        return log_density(self.var_power, y, mu, scale / weight)

    def perfect(self, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
        from .tweedie import perfect

        if self.eql or not 1 < self.var_power < 2:
            return super().perfect(y, weight, scale)
        return perfect(self.var_power, y, scale / weight)

    def kernel(self, y: Tensor, eta: Tensor) -> Kernel:
        if not isinstance(self.link, L.Log):
            return super().kernel(y, eta)
        p = self.var_power
        if p == 0:
            return Kernel(-0.5 * (y - eta.exp()) ** 2, *under_log(p, y, eta))
        return Kernel(*kernel_under_log(p, y, eta))

    def information(self, eta: Tensor) -> Tensor:
        return torch.exp((2 - self.var_power) * eta) if isinstance(self.link, L.Log) else super().information(eta)

    def anscombe(self, y: Tensor, mu: Tensor) -> Tensor:
        p = self.var_power
        if p == 3:
            return torch.log(y / mu) / torch.sqrt(mu)
        a = 1 - p / 3
        return (y**a - mu**a) / (a * mu ** (p / 6))

    def get_distribution(self, mu: Any, scale: Any = 1.0, var_weights: Any = 1.0) -> Any:
        if 1 < self.var_power < 2:
            return CompoundPoissonGamma(self.var_power, mu, np.asarray(scale) / var_weights)
        named = {0.0: Gaussian, 2.0: Gamma, 3.0: InverseGaussian}
        if self.var_power not in named:
            return super().get_distribution(mu, scale, var_weights)
        return named[self.var_power](check_link=False).get_distribution(mu, scale, var_weights)


def incomplete_beta(a: float, b: float, x: Tensor) -> Tensor:
    """``int_0^x t^(a-1) (1-t)^(b-1) dt``."""
    values = special.betainc(a, b, x.detach().cpu().numpy()) * special.beta(a, b)
    return torch.as_tensor(values, dtype=x.dtype, device=x.device)
