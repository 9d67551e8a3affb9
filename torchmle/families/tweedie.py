"""The density of Tweedie distributions with 1 < p < 2: a Poisson sum of gamma variables."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOST = 38.0  # natural logarithm of 2^54: terms that much smaller than the largest do not change a sum
BLOCK = 2_000_000  # terms held at a time
MOST_TERMS = 1e8  # number of the largest term from which the series is not summed


def log_density(power: float, y: Tensor, mu: Tensor, dispersion: Tensor) -> Tensor:
    """Log-density by Dunn and Smyth's (2005) series, (n,); exact densities where the power names one.

    ``log f = a(y) + (y mu^(1-p) / (1-p) - mu^(2-p) / (2-p)) / phi``; not a number for powers without a density here.
    """
    y, mu, dispersion = torch.broadcast_tensors(y, mu, dispersion)
    p = power
    if p in (0.0, 2.0, 3.0):
        from .continuous import Gamma, Gaussian, InverseGaussian

        family = {0.0: Gaussian, 2.0: Gamma, 3.0: InverseGaussian}[p](check_link=False)
        return family.log_density(y, mu, torch.ones_like(y), dispersion)
    if not 1 < p < 2:
        return torch.full_like(y, torch.nan)
    exponent = (y * mu ** (1 - p) / (1 - p) - mu ** (2 - p) / (2 - p)) / dispersion
    found = exponent.clone()
    positive = y > 0
    few = positive & (_largest_term(p, y, dispersion) <= MOST_TERMS)  # not where the dispersion is no number
    found[few] += _log_series(p, y[few], dispersion[few]) - y[few].log()
    many = positive & ~few
    found[many] = _saddlepoint(p, y[many], mu[many], dispersion[many])
    return found


def _largest_term(p: float, y: Tensor, phi: Tensor) -> Tensor:
    """Number of the largest term of the series."""
    return (y ** (2 - p) / ((2 - p) * phi)).clamp_min(1.0)


def _saddlepoint(p: float, y: Tensor, mu: Tensor, phi: Tensor) -> Tensor:
    """Log-density of a dispersion so small that the saddlepoint approximation is exact to nine digits."""
    deviance = 2 * (y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p))
    return -0.5 * (torch.log(2 * math.pi * phi * y**p) + deviance / phi)


def _log_series(p: float, y: Tensor, phi: Tensor) -> Tensor:
    """``log sum_j W_j`` with ``log W_j = j log z - lgamma(1 + j) - lgamma(-alpha j)``."""
    a = (2 - p) / (p - 1)  # -alpha
    log_z = a * y.log() - a * math.log(p - 1) - (1 + a) * phi.log() - math.log(2 - p)
    peak = _largest_term(p, y, phi)
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
        terms = j * log_z[rows][:, None] - torch.lgamma(1 + j) - torch.lgamma(a * j)
        out[rows] = torch.logsumexp(terms, 1)
        start += size
    return out


def extended_quasi_likelihood(p: float, deviance: Tensor, y: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """``-(log(2 pi phi y^p) + w d / phi) / 2`` of each row (Nelder and Pregibon 1987), (n,)."""
    return -0.5 * (torch.log(2 * math.pi * scale * y**p) + weight * deviance / scale)
