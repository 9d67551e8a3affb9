"""The distribution of which members of a group are chosen, given how many: exact, by recursion over members.

With weights ``w_i = exp(eta_i)`` the chosen set S of size d has probability ``prod_S w_i / e_d(w)``, e_d the elementary
symmetric polynomial.  For the first t members and k chosen among them,

    ``e(t, k) = e(t-1, k) + w_t e(t-1, k-1)``                                     (Howard 1972; Gail, Lubin, Rubinstein 1981)

so that member t is among them with probability ``r = w_t e(t-1, k-1) / e(t, k)``.  The mean of ``sum_S x_i`` then follows
by mixing, ``M(t, k) = M(t-1, k) + r D`` with ``D = M(t-1, k-1) + x_t - M(t-1, k)``, and its covariance by the law of total
covariance: the sum over all (t, k) of ``q r (1 - r) D D'``, q the probability of having passed through (t, k).  Nothing is
ever subtracted from something of its own size.  With ``eta = x'b`` the slope of r in b is ``r (1 - r) D``, which carried
backward with q gives those of the members' probabilities.
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
    lefts : list of m Tensors (G, d)
        1 - r, to full precision where it is small.
    differences : list of m Tensors (G, d, k)
        D of each member; empty where not asked for.
    """

    log_sum: Tensor
    mean: Tensor
    shares: list[Tensor]
    lefts: list[Tensor]
    differences: list[Tensor]


class Inclusion(NamedTuple):
    """Of each member of a group.

    Attributes
    ----------
    chance, rest : Tensor (G, m)
        The probability that it is chosen, and that it is not, each to full precision where it is small.
    slopes : Tensor (G, m, k)
        Derivatives of the first in the coefficients.
    """

    chance: Tensor
    rest: Tensor
    slopes: Tensor

    def swapped(self, which: Tensor) -> Inclusion:
        """That of the members who are left out, in some of the groups."""
        one, each = which[:, None], which[:, None, None]
        chance, rest = torch.where(one, self.rest, self.chance), torch.where(one, self.chance, self.rest)
        return Inclusion(chance, rest, torch.where(each, -self.slopes, self.slopes))


def moments(groups: Groups, differences: bool) -> Moments:
    """Forward through the members."""
    eta, x, chosen = groups
    most, each = int(chosen.max()), torch.arange(len(eta), device=eta.device)
    logs = eta.new_full((len(eta), most + 1), -torch.inf)
    logs[:, 0] = 0.0
    mean = x.new_zeros(len(x), most + 1, x.shape[2])
    shares, lefts, kept = [], [], []
    for t in range(eta.shape[1]):
        without, by = logs[:, 1:], logs[:, :-1] + eta[:, t, None]
        total = torch.logaddexp(without, by)
        share = torch.where(torch.isinf(by), 0.0, (by - total).exp())
        lefts.append(torch.where(torch.isinf(by), 1.0, (without - total).exp()))
        difference = mean[:, :-1] + x[:, t, None, :] - mean[:, 1:]
        mean = torch.cat([mean[:, :1], mean[:, 1:] + share[:, :, None] * difference], 1)
        logs = torch.cat([logs[:, :1], total], 1)
        shares.append(share)
        if differences:
            kept.append(difference)
    return Moments(logs[each, chosen], mean[each, chosen], shares, lefts, kept)


def visits(found: Moments, chosen: Tensor) -> list[Tensor]:
    """Probabilities of having k chosen among the first t members, k = 1 ... d, for each t, backward: m Tensors (G, d)."""
    now = _at_the_end(found, chosen)
    out: list[Tensor] = []
    for share, left in zip(reversed(found.shares), reversed(found.lefts), strict=True):
        out.append(now[:, 1:])
        now = _before(now[:, :1], now[:, 1:] * left, now[:, 1:] * share)
    return out[::-1]


def _at_the_end(found: Moments, chosen: Tensor) -> Tensor:
    """Probabilities of having k chosen among all members, k = 0 ... d, (G, d + 1)."""
    return torch.nn.functional.one_hot(chosen, found.shares[0].shape[1] + 1).to(found.log_sum.dtype)


def _before(none: Tensor, left: Tensor, taken: Tensor) -> Tensor:
    """From k = 0 ... d among t members to t - 1: those with a member taken had one fewer."""
    return torch.cat([none, left], 1) + torch.cat([taken, torch.zeros_like(none)], 1)


def covariance_sum(found: Moments, chosen: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum over groups of the covariance of ``sum_S x_i``, (k, k)."""
    total = found.mean.new_zeros(found.mean.shape[1], found.mean.shape[1])
    every = zip(visits(found, chosen), found.shares, found.lefts, found.differences, strict=True)
    for passed, share, left, difference in every:
        root = (passed * share * left * weights[:, None]).sqrt()
        rows = (difference * root[:, :, None]).reshape(-1, total.shape[0])
        total += rows.T @ rows
    return total


def covariances(found: Moments, chosen: Tensor) -> Tensor:
    """Covariance of ``sum_S x_i`` in each group, (G, k, k)."""
    groups, k = found.mean.shape
    total = found.mean.new_zeros(groups, k, k)
    every = zip(visits(found, chosen), found.shares, found.lefts, found.differences, strict=True)
    for passed, share, left, difference in every:
        rows = difference * (passed * share * left).sqrt()[:, :, None]
        total += rows.mT @ rows
    return total


def inclusion(found: Moments, chosen: Tensor) -> Inclusion:
    """Probability of each member to be chosen, backward; `found` with its differences."""
    now = _at_the_end(found, chosen)
    slopes = found.mean.new_zeros(*now.shape, found.mean.shape[1])
    out = []
    for share, left, difference in list(zip(found.shares, found.lefts, found.differences, strict=True))[::-1]:
        taken, stayed = now[:, 1:] * share, now[:, 1:] * left
        change = (taken * left)[:, :, None] * difference
        gained, lost = slopes[:, 1:] * share[:, :, None] + change, slopes[:, 1:] * left[:, :, None] - change
        out.append((taken.sum(1), now[:, 0] + stayed.sum(1), gained.sum(1)))
        now, slopes = _before(now[:, :1], stayed, taken), _before(slopes[:, :1], lost, gained)
    chance, rest, moved = (torch.stack(parts, 1) for parts in zip(*out[::-1], strict=True))
    return Inclusion(chance, rest, moved)


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
