"""Negative binomial pieces that keep their digits as the dispersion goes to zero.

With dispersion a, mean mu and ``u = a mu`` the logarithm of the probability of a count y is

    G(y, a) + y log mu - y log1p(u) - log1p(u) / a - log y!,
    G(y, a) = log Gamma(y + 1/a) - log Gamma(1/a) + y log a = sum over j < y of log1p(j a).

Written with log-gamma functions of 1/a, G is a small difference of large numbers: 7e-4 are lost at a = 1e-12.  Here large 1/a
go through Stirling's series, of which the large terms cancel on paper; a = 0 is a value like any other and gives Poisson.
Everything is a function of ``log a``, the scale on which dispersions are estimated.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

LARGEST = 15.0  # 1/a from which Stirling's series is good to the last digit
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)  # of x^-1, x^-3, ...
TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)  # of x^-3, x^-5, ...
SHIFT = 10  # what is added to the argument of trigamma before its series is good to the last digit
SMALL = 0.05  # x / (1 + x) below which log1p(x) - x / (1 + x) is summed


def stirling_error(x: Tensor) -> Tensor:
    """``log Gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2)`` of positive x, by Stirling's series where x is large."""
    inverse = 1 / x.clamp_min(LARGEST)
    series = torch.zeros_like(x)
    for c in reversed(STIRLING):
        series = series * inverse.square() + c
    direct = torch.lgamma(x) - (x - 0.5) * x.log() + x - 0.5 * math.log(2 * math.pi)
    return torch.where(x < LARGEST, direct, series * inverse)


def log_gamma_at_mean(shape: Tensor) -> Tensor:
    """``shape log shape - shape - log Gamma(shape)``: the log-density of a gamma variable at its mean, of one."""
    return 0.5 * torch.log(shape / (2 * math.pi)) - stirling_error(shape)


class Rising(NamedTuple):
    """G and its derivatives in log a, (n,) each; None where they were not asked for."""

    value: Tensor
    first: Tensor | None = None
    second: Tensor | None = None


def log1p_excess(x: Tensor) -> Tensor:
    """``(log1p(x) - x / (1 + x)) / x^2`` for x > -1, 1/2 at zero: to the last digits, as the sum of s^k / k where x is small."""
    s = x / (1 + x)
    small = s.abs() < SMALL
    series = torch.zeros_like(s)
    for k in range(14, 1, -1):
        series = series * s + 1 / k
    safe = torch.where(small, torch.ones_like(x), x)
    direct = (torch.log1p(safe) - safe / (1 + safe)) / safe / safe
    return torch.where(small, series / (1 + x).square(), direct)


def rising(y: Tensor, log_a: Tensor, order: int = 0) -> Rising:
    """G(y, a) with `order` derivatives in log a.

    Parameters
    ----------
    y : Tensor (n,)
        Not negative; need not be whole.
    log_a : Tensor (n,)
        -1000 or less stands for a = 0.
    order : int
    """
    series = log_a < -math.log(LARGEST)
    if bool(series.all()):
        return _by_stirling(y, log_a, order)
    if not bool(series.any()):
        return _by_gamma(y, log_a, order)
    parts = _by_stirling(y[series], log_a[series], order), _by_gamma(y[~series], log_a[~series], order)
    pairs = zip(*parts, strict=True)
    merged = [_merged(series, one, other) for one, other in pairs if one is not None and other is not None]
    return Rising(*merged)


def _merged(where: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    merged = inside.new_empty(len(where))
    merged[where], merged[~where] = inside, outside
    return merged


def _by_stirling(y: Tensor, log_a: Tensor, order: int) -> Rising:
    """The difference of two Stirling series at ``r = 1/a``: with v = y a and s = v / (1 + v),

    ``(r + y - 1/2) log1p(v) - y + sum_m c_m a^m ((1 + v)^-m - 1)``; the first two terms are
    ``y v (1 + v) (log1p(v) - s) / v^2 - log1p(v) / 2``.
    """
    a = log_a.exp()
    v = y * a
    excess, ratio = v * log1p_excess(v), 1 / (1 + v)
    value = y * (1 + v) * excess - 0.5 * torch.log1p(v)
    s = v * ratio
    first = y * (s - excess) - 0.5 * s if order else None
    second = y * excess - 0.5 * s * ratio if order > 1 else None
    power, shrunk = a, a * ratio  # a^m and (a / (1 + v))^m
    for j, c in enumerate(STIRLING):
        m = 2 * j + 1
        value = value + c * (shrunk - power)
        if first is not None:
            first = first + c * m * (shrunk * ratio - power)
        if second is not None:
            second = second + c * m * (m * (shrunk * ratio - power) - (m + 1) * shrunk * ratio * s)
        power, shrunk = power * a.square(), shrunk * (a * ratio).square()
    return Rising(value, first, second)


def _by_gamma(y: Tensor, log_a: Tensor, order: int) -> Rising:
    """Differences of gamma functions and their derivatives, of moderate size here; from 1 + r, since r may be nothing."""
    r, some = (-log_a).exp(), y != 0  # of differences in y about zero there are some below it
    value = torch.where(some, torch.lgamma(y + r) - torch.lgamma(1 + r) + (y - 1) * log_a, 0.0)
    if not order:
        return Rising(value)
    slope = torch.where(some, r * (torch.digamma(y + r) - torch.digamma(1 + r)), 0.0)
    first = torch.where(some, y - 1 - slope, 0.0)
    if order == 1:
        return Rising(value, first)
    return Rising(value, first, torch.where(some, slope + r.square() * (trigamma(y + r) - trigamma(1 + r)), 0.0))


def trigamma(x: Tensor) -> Tensor:
    """Second derivative of log Gamma for x > 0; torch's own has nine digits."""
    total = torch.zeros_like(x)
    for j in range(SHIFT):
        total = total + (x + j).square().reciprocal()
    x = x + SHIFT
    inverse = x.square().reciprocal()
    series = torch.zeros_like(x)
    for c in reversed(TRIGAMMA):
        series = (series + c) * inverse
    return total + (1 + 0.5 / x + series) / x


class LogRising(torch.autograd.Function):
    """G as a differentiable function of log a, twice."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, log_a: Tensor) -> Tensor:
        ctx.save_for_backward(y, log_a)
        return rising(y, log_a).value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        y, log_a = ctx.saved_tensors
        return None, gradient * LogRisingSlope.apply(y, log_a)


class LogRisingSlope(torch.autograd.Function):
    """The derivative of G in log a, with its own derivative."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, log_a: Tensor) -> Tensor:
        found = rising(y, log_a, 2)
        assert found.first is not None
        assert found.second is not None
        ctx.save_for_backward(found.second)
        return found.first

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (second,) = ctx.saved_tensors
        return None, gradient * second


def log_rising(y: Tensor, log_a: Tensor) -> Tensor:
    """``log Gamma(y + 1/a) - log Gamma(1/a) + y log a``, (n,), differentiable in log a."""
    return LogRising.apply(y, log_a)
