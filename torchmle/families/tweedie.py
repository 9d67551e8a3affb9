"""The density of Tweedie distributions with 1 < p < 2: a Poisson sum of gamma variables."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .power import half_deviance
from .rising import log1p_excess, stirling_error

LOST = 38.0  # natural logarithm of 2^54: terms that much smaller than the largest do not change a sum
BLOCK = 2_000_000  # terms held at a time
MOST_TERMS = 1e8  # number of the largest term from which the series is not summed


def log_density(power: float, y: Tensor, mu: Tensor, dispersion: Tensor) -> Tensor:
    """Log-density, (n,); exact densities where the power names one, not a number for powers without a density here.

    That at a mean of y, by Dunn and Smyth's (2005) series, less half the deviance divided by phi.
    """
    y, mu, dispersion = torch.broadcast_tensors(y, mu, dispersion)
    p = power
    if p in (0.0, 2.0, 3.0):
        from .continuous import Gamma, Gaussian, InverseGaussian

        family = {0.0: Gaussian, 2.0: Gamma, 3.0: InverseGaussian}[p](check_link=False)
        return family.log_density(y, mu, torch.ones_like(y), dispersion)
    if not 1 < p < 2:
        return torch.full_like(y, torch.nan)
    return perfect(p, y, dispersion) - half_deviance(p, y, mu.log()) / dispersion


def perfect(p: float, y: Tensor, phi: Tensor) -> Tensor:
    """Log-density at a mean of y, for 1 < p < 2, (n,); 0 at y = 0."""
    y, phi = torch.broadcast_tensors(y, phi)
    found, positive = torch.zeros_like(y), y > 0
    few = positive & (_number(p, y, phi) <= MOST_TERMS)  # not where the dispersion is no number
    found[few] = _log_series(p, y[few], phi[few]) - y[few].log()
    many = positive & ~few  # there the saddlepoint approximation is exact to nine digits
    found[many] = -0.5 * torch.log(2 * math.pi * phi[many] * y[many] ** p)
    return found


def _number(p: float, y: Tensor, phi: Tensor) -> Tensor:
    """Expected number of gamma variables at a mean of y."""
    return y ** (2 - p) / ((2 - p) * phi)


def _log_series(p: float, y: Tensor, phi: Tensor) -> Tensor:
    """Logarithm of y times the density at a mean of y, a sum over the number j of gamma variables of shape a.

    With N their expected number and ``d(j) = j log(j / N) - j + N``, the term of j is
    ``sqrt(a) / (2 pi) exp(-(1 + a) d(j) - s(j) - s(a j))``, s the errors of Stirling's formula: nothing large cancels.
    """
    a, number = (2 - p) / (p - 1), _number(p, y, phi)
    peak = number.clamp_min(1.0)
    half = (math.sqrt(2 * LOST) * torch.sqrt(peak / (1 + a)) + LOST).ceil()
    out = torch.empty_like(y)
    order = torch.argsort(half)
    start = 0
    while start < len(order):  # rows with series of about the same length together
        size = max(1, min(len(order) - start, BLOCK // int(2 * half[order[start]] + 1)))
        while size > 1 and size * (2 * half[order[start + size - 1]] + 1) > BLOCK:
            size //= 2
        rows = order[start : start + size]
        width = int(half[rows].max())
        first = (peak[rows].round() - width).clamp_min(1.0)
        j = first[:, None] + torch.arange(2 * width + 1, dtype=y.dtype, device=y.device)
        n = number[rows][:, None]
        away = (j - n) / n
        distance = j * away.square() * log1p_excess(away)
        terms = -(1 + a) * distance - stirling_error(j) - stirling_error(a * j)
        out[rows] = torch.logsumexp(terms, 1) + 0.5 * math.log(a) - math.log(2 * math.pi)
        start += size
    return out


def extended_quasi_likelihood(p: float, deviance: Tensor, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """``-(log(2 pi phi y^p) + w d / phi) / 2`` of each row (Nelder and Pregibon 1987), (n,)."""
    return -0.5 * (torch.log(2 * math.pi * scale * y**p) + weight * deviance / scale)
