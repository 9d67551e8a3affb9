"""Distributions of rows by their quantiles, and those of a few values with a probability each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


class EachRow:
    """A distribution for each row, by its quantiles; values broadcast against the rows, the last dimension."""

    def __len__(self) -> int:
        raise NotImplementedError

    def ppf(self, q: Any) -> Array:
        """Quantiles of each row."""
        raise NotImplementedError

    def rvs(self, size: Any = None, random_state: Any = None) -> Array:
        """Random responses of a shape that rows broadcast to, by inversion of the distribution function.

        Parameters
        ----------
        size : int or tuple, optional
            By default one response of each row; the last dimension runs over the rows.
        random_state : int, Generator or RandomState, optional
        """
        n = len(self)
        shape = (n,) if size is None else tuple(np.atleast_1d(size))
        if n != 1 and shape[-1:] != (n,):
            raise ValueError(f"size={size} does not fit {n} rows; its last dimension must be {n}")
        seeded = random_state if hasattr(random_state, "uniform") else np.random.default_rng(random_state)
        return self.ppf(seeded.uniform(size=shape))

    def _wide(self, values: Any) -> Array:
        """Values in a shape that has the rows."""
        return np.broadcast_arrays(np.asarray(values, dtype=float), np.zeros(len(self)))[0]

    def _beside(self, values: Any) -> Tensor:
        """Values as (n, m), all of a row's beside each other."""
        return torch.from_numpy(np.ascontiguousarray(self._wide(values).reshape(-1, len(self)).T))

    def _as_given(self, found: Tensor, values: Any) -> Array:
        """What was found of values beside each other, in the shape that they have with the rows."""
        return found.T.reshape(np.broadcast_shapes(np.shape(values), (len(self),))).numpy()


@dataclass(frozen=True, eq=False)
class Tabulated(EachRow):
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
        """Probability of a value in each row."""
        given = self._wide(k)
        at = np.searchsorted(self.values, given).clip(max=len(self.values) - 1)
        return np.where(self.values[at] == given, self.table[np.arange(len(self)), at], 0.0)

    def cdf(self, k: Any) -> Array:
        """Probability of at most k in each row."""
        given = self._wide(k)
        at = np.searchsorted(self.values, given, side="right") - 1
        return np.where(np.isnan(given), np.nan, np.where(at >= 0, self._below[np.arange(len(self)), at], 0.0))

    def ppf(self, q: Any) -> Array:
        """Least value whose distribution function reaches q, in each row."""
        at = torch.searchsorted(torch.from_numpy(self._below), self._beside(q))
        found = self.values[self._as_given(at, q).clip(max=len(self.values) - 1)]
        return np.where(np.isnan(self._wide(q) + self._below[:, -1]), np.nan, found)

    @cached_property
    def _below(self) -> Array:
        return np.cumsum(self.table, 1)

    def mean(self) -> Array:
        """Mean of each row."""
        return self.table @ self.values

    def var(self) -> Array:
        """Variance of each row."""
        return self.table @ self.values**2 - self.mean() ** 2
