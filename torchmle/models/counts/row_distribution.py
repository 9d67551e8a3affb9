"""A distribution of counts for each row, for those that scipy does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .distributions import CountDistribution

Array = NDArray[np.float64]
MOST = 1_000_000  # counts up to which random numbers are looked for
TABLE = 2**18  # probabilities that are held at once


class RowDistribution:
    """Probabilities, moments and random numbers of a distribution of counts, one for each row.

    Parameters
    ----------
    distribution : CountDistribution
    eta : sequence of Tensor
        Its linear predictors, (n,) each.
    """

    def __init__(self, distribution: CountDistribution, eta: Sequence[Tensor]):
        self._distribution, self._eta = distribution, tuple(eta)

    def logpmf(self, k: Any) -> Array:
        """Log-probability of a count in each row; k broadcasts against the rows, which are the last dimension."""
        y = np.broadcast_arrays(np.asarray(k, dtype=float), np.zeros(len(self._eta[0])))[0]
        flat, each = torch.from_numpy(y.reshape(-1).copy()), y.size // max(y.shape[-1], 1)
        whole = self._distribution.loglike([eta.repeat(each) for eta in self._eta], flat, torch.lgamma(flat + 1))
        possible = (y >= 0) & (y == np.floor(y))
        return np.where(possible, whole.numpy().reshape(y.shape), -np.inf)

    def pmf(self, k: Any) -> Array:
        """Probability of a count in each row."""
        return np.exp(self.logpmf(k))

    def cdf(self, k: Any) -> Array:
        """Probability of at most k in each row."""
        top = np.broadcast_arrays(np.floor(np.asarray(k, dtype=float)), np.zeros(len(self._eta[0])))[0]
        total = np.zeros(top.shape)
        for values in self._counts(int(np.nan_to_num(top).max(initial=-1)) + 1):
            below = np.cumsum(np.vstack([np.zeros(len(self._eta[0])), self.pmf(values[:, None])]), 0)
            within = np.clip(np.nan_to_num(top) - values[0] + 1, 0, len(values)).astype(int)
            total += np.take_along_axis(below, within.reshape(-1, below.shape[1]), 0).reshape(top.shape)
        return total

    def ppf(self, q: Any) -> Array:
        """Smallest count whose distribution function reaches a probability, in each row."""
        wanted = np.broadcast_arrays(np.asarray(q, dtype=float), np.zeros(len(self._eta[0])))[0]
        return self._inverse(wanted).astype(float)

    def mean(self) -> Array:
        """Mean of each row."""
        return self._distribution.moments(self._eta)[0].numpy()

    def var(self) -> Array:
        """Variance of each row."""
        return self._distribution.moments(self._eta)[1].numpy()

    def std(self) -> Array:
        """Standard deviation of each row."""
        return np.sqrt(self.var())

    def stats(self) -> tuple[Array, Array]:
        """Mean and variance of each row."""
        return self.mean(), self.var()

    def rvs(self, size: Any = None, random_state: Any = None) -> NDArray[np.int_]:
        """Random counts of a shape that rows broadcast to, by inversion of the distribution function.

        Parameters
        ----------
        size : int or tuple, optional
            By default one count for each row; the last dimension runs over the rows.
        random_state : int, Generator or RandomState, optional
        """
        n = len(self._eta[0])
        shape = (n,) if size is None else tuple(np.atleast_1d(size))
        if np.broadcast_shapes(shape, (n,)) != shape:
            raise ValueError(f"size={size} does not fit {n} rows; its last dimension must be {n}")
        seeded = random_state if hasattr(random_state, "uniform") else np.random.default_rng(random_state)
        return self._inverse(seeded.uniform(size=shape))

    def _inverse(self, probability: Array) -> NDArray[np.int_]:
        """Smallest counts at which the distribution function reaches probabilities."""
        wanted = torch.from_numpy(probability.reshape(-1, probability.shape[-1]).T.copy())
        found, short = torch.zeros(wanted.shape, dtype=torch.long), torch.ones(wanted.shape, dtype=torch.bool)
        total, mean = np.zeros(len(wanted)), np.nan_to_num(self.mean())
        for values in self._counts(MOST):
            step = np.nan_to_num(self.pmf(values[:, None]), nan=1.0)  # rows that are not known come to an end at once
            below = total + np.cumsum(step, 0)
            at, total = torch.searchsorted(torch.from_numpy(below.T.copy()), wanted), below[-1]
            # a support that ends, or rounding, may keep the total from one: then its last count is taken
            last = torch.from_numpy(np.where(step.any(0), len(values) - 1 - (step[::-1] > 0).argmax(0), -1))[:, None]
            beyond = at == len(values)
            found = torch.where(short & ~(beyond & (last < 0)), int(values[0]) + torch.where(beyond, last, at), found)
            short &= beyond & torch.from_numpy((step[-1] > 0) | (values[-1] < mean))[:, None]
            if not bool(short.any()):
                break
        return found.T.reshape(probability.shape).numpy()

    def _counts(self, end: int) -> Iterator[Array]:
        """The counts below an end, in longer and longer runs that keep tables of all rows small."""
        start, run = 0, 32
        while start < end:
            run = max(1, min(2 * run, TABLE // max(len(self._eta[0]), 1), end - start))
            yield np.arange(start, start + run, dtype=float)
            start += run
