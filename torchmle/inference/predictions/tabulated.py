"""Distributions by their quantiles, and those of a few values with a probability each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Inverted:
    """Random numbers of distributions, one for each row, that know their quantiles."""

    def rvs(self: Any, size: int | None = None, random_state: Any = None) -> Array:
        """One response of each row, whose number is the only `size` there is."""
        if size not in (None, len(self)):
            raise ValueError(f"size={size} does not fit {len(self)} rows, of which each has one response")
        found: Array = self.ppf(np.random.default_rng(random_state).uniform(size=len(self)))
        return found


@dataclass(frozen=True, eq=False)
class Tabulated(Inverted):
    """Probabilities of the same few values in each row.

    Attributes
    ----------
    values : ndarray (K,)
        Increasing.
    table : ndarray (n, K)
    """

    values: Array
    table: Array

    def __len__(self) -> int:
        return len(self.table)

    def pmf(self, k: Any) -> Array:
        """Probability of a value in each row; k broadcasts against the rows."""
        given = np.broadcast_to(np.asarray(k, float), len(self.table))
        return np.where(self.values == given[:, None], self.table, 0.0).sum(1)

    def cdf(self, k: Any) -> Array:
        """Probability of at most k in each row."""
        given = np.broadcast_to(np.asarray(k, float), len(self.table))
        return np.where(self.values <= given[:, None], self.table, 0.0).sum(1)

    def ppf(self, q: Any) -> Array:
        """Least value whose distribution function reaches q, in each row."""
        short = np.cumsum(self.table, 1) < np.broadcast_to(np.asarray(q, float), len(self.table))[:, None]
        return self.values[short.sum(1).clip(max=len(self.values) - 1)]

    def mean(self) -> Array:
        """Mean of each row."""
        return self.table @ self.values

    def var(self) -> Array:
        """Variance of each row."""
        return self.table @ self.values**2 - self.mean() ** 2
