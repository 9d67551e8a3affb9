"""The distribution of which members of a group are chosen, given how many: exact, by recursion over members.

With weights ``w_i = exp(eta_i)`` the chosen set S of size d has probability ``prod_S w_i / e_d(w)``, e_d the elementary
symmetric polynomial.  For the first t members and k chosen among them,

    ``e(t, k) = e(t-1, k) + w_t e(t-1, k-1)``                                     (Howard 1972; Gail, Lubin, Rubinstein 1981)

so that member t is among them with probability ``r = w_t e(t-1, k-1) / e(t, k)``.  The mean of ``sum_S x_i`` then follows
by mixing, ``M(t, k) = M(t-1, k) + r D`` with ``D = M(t-1, k-1) + x_t - M(t-1, k)``, and its covariance by the law of total
covariance: the sum over all (t, k) of ``q r (1 - r) D D'``, q the probability of having passed through (t, k).  Nothing is
ever subtracted from something of its own size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

UNROUNDED = 16  # group sizes up to this one are not rounded when groups are brought together
ELEMENTS = 2**21  # numbers that the recursion of groups taken together may hold


class Groups(NamedTuple):
    """Groups of up to m members as padded tensors.

    Attributes
    ----------
    eta : Tensor (G, m)
        Linear predictors; minus infinity where a group has no such member.
    x : Tensor (G, m, k)
    chosen : Tensor (G,)
        How many are chosen, at most half of the members.
    """

    eta: Tensor
    x: Tensor
    chosen: Tensor


class Moments(NamedTuple):
    """Of the chosen sets.

    Attributes
    ----------
    log_sum : Tensor (G,)
        ``log e_d``.
    mean : Tensor (G, k)
        Mean of ``sum_S x_i``.
    shares : list of m Tensors (G, d)
        r of each member, by how many are chosen up to there.
    differences : list of m Tensors (G, d, k)
        D of each member; empty where not asked for.
    """

    log_sum: Tensor
    mean: Tensor
    shares: list[Tensor]
    differences: list[Tensor]


def moments(groups: Groups, differences: bool) -> Moments:
    """Forward through the members."""
    eta, x, chosen = groups
    most, each = int(chosen.max()), torch.arange(len(eta), device=eta.device)
    logs = eta.new_full((len(eta), most + 1), -torch.inf)
    logs[:, 0] = 0.0
    mean = x.new_zeros(len(x), most + 1, x.shape[2])
    shares, kept = [], []
    for t in range(eta.shape[1]):
        without, by = logs[:, 1:], logs[:, :-1] + eta[:, t, None]
        total = torch.logaddexp(without, by)
        share = torch.where(torch.isinf(by), 0.0, (by - total).exp())
        difference = mean[:, :-1] + x[:, t, None, :] - mean[:, 1:]
        mean = torch.cat([mean[:, :1], mean[:, 1:] + share[:, :, None] * difference], 1)
        logs = torch.cat([logs[:, :1], total], 1)
        shares.append(share)
        if differences:
            kept.append(difference)
    return Moments(logs[each, chosen], mean[each, chosen], shares, kept)


def visits(found: Moments, chosen: Tensor) -> list[Tensor]:
    """Probabilities of having k chosen among the first t members, k = 1 ... d, for each t, backward: m Tensors (G, d)."""
    most = found.shares[0].shape[1]
    now = torch.nn.functional.one_hot(chosen, most + 1).to(found.log_sum.dtype)
    out: list[Tensor] = []
    for share in reversed(found.shares):
        taken = now[:, 1:] * share
        out.append(now[:, 1:])
        now = torch.cat([now[:, :1], now[:, 1:] - taken], 1) + torch.nn.functional.pad(taken, (0, 1))
    return out[::-1]


def covariance_sum(found: Moments, chosen: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum over groups of the covariance of ``sum_S x_i``, (k, k)."""
    total = found.mean.new_zeros(found.mean.shape[1], found.mean.shape[1])
    for passed, share, difference in zip(visits(found, chosen), found.shares, found.differences, strict=True):
        root = (passed * share * (1 - share) * weights[:, None]).sqrt()
        rows = (difference * root[:, :, None]).reshape(-1, total.shape[0])
        total += rows.T @ rows
    return total


def covariances(found: Moments, chosen: Tensor) -> Tensor:
    """Covariance of ``sum_S x_i`` in each group, (G, k, k)."""
    groups, k = found.mean.shape
    total = found.mean.new_zeros(groups, k, k)
    for passed, share, difference in zip(visits(found, chosen), found.shares, found.differences, strict=True):
        rows = difference * (passed * share * (1 - share)).sqrt()[:, :, None]
        total += rows.mT @ rows
    return total


def inclusion(found: Moments, chosen: Tensor) -> Tensor:
    """Probability of each member to be chosen, (G, m)."""
    both = zip(visits(found, chosen), found.shares, strict=True)
    return torch.stack([(passed * share).sum(1) for passed, share in both], 1)


def batches(sizes: Tensor, chosen: Tensor, columns: int) -> list[Tensor]:
    """Positions of groups of about the same size, which are padded together, few enough for their recursion to be small."""
    classes = torch.stack([_rounded(sizes), _rounded(chosen)], 1)
    kinds, which = classes.unique(dim=0, return_inverse=True)
    out: list[Tensor] = []
    for kind, (size, picked) in enumerate(kinds.tolist()):
        rows = torch.nonzero(which == kind)[:, 0]
        out += rows.split(max(1, ELEMENTS // (size * (picked + 1) * (columns + 1))))
    return out


def _rounded(sizes: Tensor) -> Tensor:
    """Sizes rounded up to four binary digits."""
    unit = 2 ** (sizes.double().log2().floor() - 3).clamp_min(0)
    return torch.where(sizes <= UNROUNDED, sizes, ((sizes / unit).ceil() * unit).long())
