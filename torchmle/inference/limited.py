"""Responses that lie at a limit with a probability of their own, as where what is beyond is not observed (Tobin 1958).

The limits are those that the responses seen show: the least or the largest of them, zero where none is negative, or a column of
the data which no response passes and some reach, so that each row has its own.  That a likelihood means it so shows in its
sum: the probabilities of the limits and the density between them come to one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..compute.processes import total
from ..data import Data
from .predictions.by_numbers import LogDensity, Seen, Support
from .responses import Responses, Rule, density


@dataclass(frozen=True)
class Limit:
    """An end of the responses.

    Attributes
    ----------
    at : float or str
        One for all rows, or the column of each row's.
    mass : bool
        Whether it has a probability of its own.
    """

    at: float | str
    mass: bool

    def of(self, rows: Data) -> Tensor:
        """Each row's, (n, 1)."""
        if isinstance(self.at, str):
            return rows.columns[self.at].double()[:, None]
        return torch.full((rows.n, 1), self.at, dtype=torch.float64)


def limited(seen: Seen, rows: Data) -> Iterator[Rule]:
    """Ways to find the responses of rows that may lie at limits."""
    positive, share = seen.low >= 0, 0 <= seen.low <= seen.high <= 1
    lower = [*_limits(rows, {seen.low, 0.0} if positive else {seen.low}, 1), *([Limit(0.0, False)] if positive else [])]
    upper = [*_limits(rows, {seen.high}, -1), *([Limit(1.0, False)] if share else [])]
    for low in (None, *lower):
        for high in (None, *upper):
            if any(limit is not None and limit.mass for limit in (low, high)):
                yield partial(_limited, low=low, high=high, spread=seen.spread)


def _limits(rows: Data, ends: set[float], sign: int) -> list[Limit]:
    """What the lower (or, with a sign of -1, the upper) limit may be."""
    y = rows.y.double()
    found = [Limit(value, True) for value in ends]
    for name, column in rows.columns.items():
        if column.shape == y.shape and not total(int((sign * (y - column) < 0).sum()), rows.group):
            found += [Limit(name, True)] if total(int((y == column).sum()), rows.group) else []
    return found


def _limited(log_density: LogDensity, rows: Data, low: Limit | None, high: Limit | None, spread: float) -> Responses:
    """The limits with their probabilities, and the nodes of a quadrature between them, before or beyond."""
    below, above = (None if limit is None else limit.of(rows) for limit in (low, high))
    found = density(log_density, rows, _between(below, above, spread), bounded=True)
    at = torch.cat([limit.of(rows) for limit in (low, high) if limit is not None and limit.mass], 1)
    middle = found.y.shape[1] // 2  # the ends of the quadrature stay where tails are read from
    parts = ((found.y, at), (found.chance, log_density(at).exp()))
    y, chance = (torch.cat([part[:, :middle], new, part[:, middle:]], 1) for part, new in parts)
    return replace(found, y=y, chance=chance)


def _between(low: Tensor | None, high: Tensor | None, spread: float) -> Support:
    """The scale between two limits, or on one side of one."""
    if low is not None and high is not None:
        length = high - low
        return Support(
            lambda t: low + length * t.sigmoid(),
            lambda y: ((y - low) / length).logit(),
            lambda t: length.log() + logsigmoid(t) + logsigmoid(-t),
            reach=25.0,
        )
    origin, unit = (low, spread) if low is not None else (high, -spread)
    assert origin is not None
    return Support(
        lambda t: origin + unit * t.exp(),
        lambda y: ((y - origin) / unit).log(),
        lambda t: t + math.log(spread),
    )
