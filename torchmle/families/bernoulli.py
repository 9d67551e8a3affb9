"""Bernoulli log-likelihoods in the linear predictor, link by link, exact where probabilities round to 0 or 1."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..compute.branches import finite
from ..transforms import Cauchy, CLogLog, Identity, Log, LogComplement, Logit, LogLog, Probit, Transform

LAST = 709.78  # exponent of e beyond which there are no numbers
HIGHEST = 6.5649  # its logarithm


class Terms(NamedTuple):
    """A log-probability with its first two derivatives in the linear predictor, (n,) each."""

    value: Tensor
    first: Tensor
    second: Tensor


def success(transform: Transform, z: Tensor) -> Terms:
    """log p of an inverse link at z, with derivatives."""
    if isinstance(transform, Logit):
        return _logistic(z)
    if isinstance(transform, Probit):
        return _normal(z)
    if isinstance(transform, Cauchy):
        return _cauchy(z)
    if isinstance(transform, CLogLog):
        return _one_minus_gumbel(z)
    if isinstance(transform, LogLog):
        return _mirrored(_gumbel(-z))
    if isinstance(transform, Log):
        return _straight(z)
    if isinstance(transform, LogComplement):
        return _complement_of_exp(z)
    if isinstance(transform, Identity):
        return Terms(z.log(), 1 / z, -1 / z**2)
    raise ValueError(f"the binomial has no log-probabilities for {transform!r}")


def failure(transform: Transform, z: Tensor) -> Terms:
    """log(1 - p) of an inverse link at z, with derivatives."""
    if isinstance(transform, Logit | Probit | Cauchy):
        return _mirrored(success(transform, -z))
    if isinstance(transform, CLogLog):
        return _gumbel(z)
    if isinstance(transform, LogLog):
        return _mirrored(_one_minus_gumbel(-z))
    if isinstance(transform, Log):
        return _complement_of_exp(z)
    if isinstance(transform, LogComplement):
        return _straight(z)
    if isinstance(transform, Identity):
        return Terms(torch.log1p(-z), -1 / (1 - z), -1 / (1 - z) ** 2)
    raise ValueError(f"the binomial has no log-probabilities for {transform!r}")


def success_and_failure(transform: Transform, z: Tensor) -> tuple[Terms, Terms]:
    """log p and log(1 - p) of an inverse link at z, with derivatives."""
    if not isinstance(transform, Logit):
        return success(transform, z), failure(transform, z)
    p, q, logsigmoid = torch.sigmoid(z), torch.sigmoid(-z), torch.nn.functional.logsigmoid
    second = -p * q
    return Terms(logsigmoid(z), q, second), Terms(logsigmoid(-z), -p, second)


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
    product = share * term
    return product if finite(product) else torch.where(share == 0, 0.0, product)


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
    """log(1 - exp(-exp z)); the bend by the series of ``t / (e^t - 1)``, t = exp z, where t is small."""
    near = z.clamp(-708.3, HIGHEST)  # beyond, the value is z, or everything here has underflowed to 0
    t = near.exp()
    odds = 1 / torch.expm1(t)  # of failure
    first, s = t * odds * (z < HIGHEST), t.square()
    bend = torch.where(t < 0.03, -t / 2 - s * (1 / 12 - s / 720 * (1 - s / 42)), 1 - t - first)
    return Terms((z - near).clamp_max(0.0) - torch.log1p(odds), first, first * bend)


def _straight(z: Tensor) -> Terms:
    return Terms(z, torch.ones_like(z), torch.zeros_like(z))


def _complement_of_exp(z: Tensor) -> Terms:
    """log(1 - exp z), for negative z."""
    first = -1 / torch.expm1(-z)
    return Terms(log_one_minus_exp(z), first, first * (1 - first))


def log_one_minus_exp(x: Tensor) -> Tensor:
    """``log(1 - e^x)`` of negative x, as ``-log(1 + 1 / (e^-x - 1))``: to the last digits for all x, of one piece."""
    return -torch.log1p(1 / torch.expm1((-x).clamp_max(LAST)))
