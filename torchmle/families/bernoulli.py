"""Bernoulli log-likelihoods in the linear predictor, link by link, exact where probabilities round to 0 or 1."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..transforms import Cauchy, CLogLog, Identity, Log, LogComplement, Logit, LogLog, Probit, Transform


class Terms(NamedTuple):
    """A log-probability with its first two derivatives in the linear predictor, (n,) each."""

    value: Tensor
    first: Tensor
    second: Tensor


def success_and_failure(transform: Transform, z: Tensor) -> tuple[Terms, Terms]:
    """log p and log(1 - p) of an inverse link at z, with derivatives."""
    if isinstance(transform, Logit):
        return _logistic(z), _mirrored(_logistic(-z))
    if isinstance(transform, Probit):
        return _normal(z), _mirrored(_normal(-z))
    if isinstance(transform, Cauchy):
        return _cauchy(z), _mirrored(_cauchy(-z))
    if isinstance(transform, CLogLog):
        return _one_minus_gumbel(z), _gumbel(z)
    if isinstance(transform, LogLog):
        return _mirrored(_gumbel(-z)), _mirrored(_one_minus_gumbel(-z))
    if isinstance(transform, Log):
        return _straight(z), _complement_of_exp(z)
    if isinstance(transform, LogComplement):
        return _complement_of_exp(z), _straight(z)
    if isinstance(transform, Identity):
        return Terms(z.log(), 1 / z, -1 / z**2), Terms(torch.log1p(-z), -1 / (1 - z), -1 / (1 - z) ** 2)
    raise ValueError(f"the binomial has no log-probabilities for {transform!r}")


def bernoulli(transform: Transform, y: Tensor, z: Tensor) -> Terms:
    """``y log p + (1 - y) log(1 - p)`` with derivatives; an impossible event counts only where it happened.

    The value is not a number where p is no probability.
    """
    success, failure = success_and_failure(transform, z)
    terms = Terms(*(times(y, s) + times(1 - y, f) for s, f in zip(success, failure, strict=True)))
    if not isinstance(transform, Log | LogComplement | Identity):
        return terms
    inside = (z >= 0) & (z <= 1) if isinstance(transform, Identity) else z <= 0
    return terms._replace(value=torch.where(inside, terms.value, torch.nan))


def information(transform: Transform, z: Tensor) -> Tensor:
    """``f'^2 / (p (1 - p))``: Fisher information of one trial in the linear predictor."""
    success, failure = success_and_failure(transform, z)
    product = -success.first * failure.first
    return torch.where(torch.isnan(product), 0.0, product)  # 0 times infinity, deep in a tail


def times(share: Tensor, term: Tensor) -> Tensor:
    """A product that is 0 where the share is, whatever the term."""
    return torch.where(share == 0, 0.0, share * term)


def _mirrored(terms: Terms) -> Terms:
    """Terms of -z in z."""
    return Terms(terms.value, -terms.first, terms.second)


def _logistic(z: Tensor) -> Terms:
    other = torch.sigmoid(-z)
    return Terms(torch.nn.functional.logsigmoid(z), other, -other * torch.sigmoid(z))


def _normal(z: Tensor) -> Terms:
    ratio = math.sqrt(2 / math.pi) / torch.special.erfcx(-z / math.sqrt(2))
    return Terms(torch.special.log_ndtr(z), ratio, -ratio * (z + ratio))


def _cauchy(z: Tensor) -> Terms:
    angle, slope = torch.atan2(torch.ones_like(z), -z), 1 / (1 + z**2)
    first = slope / angle
    value = torch.where(z > 0, torch.log1p(-torch.atan2(torch.ones_like(z), z) / math.pi), torch.log(angle / math.pi))
    return Terms(value, first, -2 * z * slope * first - first**2)


def _gumbel(z: Tensor) -> Terms:
    """log exp(-exp z)."""
    t = z.exp()
    return Terms(-t, -t, -t)


def _one_minus_gumbel(z: Tensor) -> Terms:
    """log(1 - exp(-exp z)); by the series of ``t / (e^t - 1)``, t = exp z, where t is small."""
    t = z.clamp_max(700.0).exp()  # beyond, everything here has underflowed to 0
    small = t < 0.03
    safe, s = torch.where(small, 1.0, t), t.square()
    value = torch.where(small, z - t / 2 + s * (1 / 24 - s / 2880 * (1 - s / 63)), log_one_minus_exp(-safe))
    first = torch.where(small, 1 - t / 2 + s * (1 / 12 - s / 720 * (1 - s / 42)), safe / torch.expm1(safe))
    bend = torch.where(small, -t / 2 - s * (1 / 12 - s / 720 * (1 - s / 42)), 1 - safe - first)
    return Terms(value, first, first * bend)


def _straight(z: Tensor) -> Terms:
    return Terms(z, torch.ones_like(z), torch.zeros_like(z))


def _complement_of_exp(z: Tensor) -> Terms:
    """log(1 - exp z), for negative z."""
    first = -1 / torch.expm1(-z)
    return Terms(log_one_minus_exp(z), first, first * (1 - first))


def log_one_minus_exp(x: Tensor) -> Tensor:
    """``log(1 - e^x)`` of negative x (Maechler 2012)."""
    near = x > -math.log(2)
    return torch.where(near, torch.log(-torch.expm1(x)), torch.log1p(-torch.where(near, -1.0, x).exp()))
