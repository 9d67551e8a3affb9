"""Families with ``V = mu^p`` in their linear predictors: derivatives and deviances that neither overflow nor cancel."""

from __future__ import annotations

import torch
from torch import Tensor

from ..compute.branches import holds
from .bernoulli import times

Slopes = tuple[Tensor, Tensor]

MODERATE = 250.0  # logarithms so small in size that products of their exponentials are numbers


def under_power(p: float, power: float, y: Tensor, eta: Tensor) -> Slopes:
    """First two derivatives of a row's log-likelihood under the link ``mu^power``: with ``a = 1 / power`` and b = a (1 - p) - 1,

    ``l' = a (y eta^b - eta^(a + b))``, ``l'' = a (b y eta^(b - 1) - (a + b) eta^(a + b - 1))``.
    """
    a = 1 / power
    b = a * (1 - p) - 1
    first = a * (times(y, eta**b) - eta ** (a + b))
    parts = [(b, y, b - 1), (-(a + b), torch.ones_like(y), a + b - 1)]
    second = [coefficient * times(share, eta**exponent) for coefficient, share, exponent in parts if coefficient]
    return first, a * sum(second, torch.zeros_like(eta))


def under_log(p: float, y: Tensor, eta: Tensor) -> Slopes:
    """The same under the log link: ``y exp((1 - p) eta) - exp((2 - p) eta)`` and its slope, from terms not both infinite."""
    if 1 < p < 2:
        mean, response = torch.exp((2 - p) * eta), times(y, torch.exp((1 - p) * eta))
        return response - mean, (1 - p) * response - (2 - p) * mean
    if p <= 1:
        unit, mean, response = torch.exp((1 - p) * eta), eta.exp(), y
    else:
        unit, mean, response = torch.exp((2 - p) * eta), torch.ones_like(eta), torch.exp(y.log() - eta)
    return unit * (response - mean), unit * ((1 - p) * response - (2 - p) * mean)


def kernel_under_log(p: float, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Minus half the unit deviance under the log link, with its two derivatives."""
    ratio = torch.where(y == 0, 1.0, y).log() - eta
    reach = MODERATE / (1 + abs(p))
    if p in (1.0, 2.0) or not holds((ratio.abs() < reach) & (eta.abs() < reach)):
        return -half_deviance(p, y, eta), *under_log(p, y, eta)
    mean, response = torch.exp((2 - p) * eta), y * torch.exp((1 - p) * eta)
    more = torch.where(y == 0, -1.0, torch.expm1((2 - p) * ratio))
    value = mean * more / (2 - p) - response * torch.expm1((1 - p) * ratio) / (1 - p)
    return value, response - mean, (1 - p) * response - (2 - p) * mean


def half_deviance(p: float, y: Tensor, log_mu: Tensor) -> Tensor:
    """``y d(1 - p) - d(2 - p)`` with ``d(c) = (y^c - mu^c) / c``, the logarithm of ``y / mu`` where c is 0; y is not negative."""
    log_y = torch.where(y == 0, 1.0, y).log()
    one, other = times(y, _difference(1 - p, log_y, log_mu)), _difference(2 - p, log_y, log_mu)
    some = torch.isinf(one) | torch.isinf(other)
    found = torch.where(some, torch.inf, one - other)  # the larger of two infinities wins
    return found if p >= 2 else torch.where(y == 0, torch.exp((2 - p) * log_mu) / (2 - p), found)


def _difference(c: float, log_y: Tensor, log_mu: Tensor) -> Tensor:
    """``(y^c - mu^c) / c``, by the larger of the two powers."""
    ratio = log_y - log_mu
    if c == 0:
        return ratio
    response = c * ratio > 0
    less = torch.expm1(torch.where(response, -c * ratio, c * ratio)) / c
    return torch.exp(c * torch.where(response, log_y, log_mu)) * torch.where(response, -less, less)
