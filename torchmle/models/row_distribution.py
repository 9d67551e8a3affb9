"""A distribution of counts for each row, for those that scipy does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .count_distributions import CountDistribution

Array = NDArray[np.float64]
MOST = 1_000_000  # counts up to which random numbers are looked for


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
        flat = torch.from_numpy(y.reshape(-1, y.shape[-1]).copy())
        whole = [self._distribution.loglike(self._eta, row, torch.lgamma(row + 1)) for row in flat]
        possible = (y >= 0) & (y == np.floor(y))
        return np.where(possible, torch.stack(whole).numpy().reshape(y.shape), -np.inf)

    def pmf(self, k: Any) -> Array:
        """Probability of a count in each row."""
        return np.exp(self.logpmf(k))

    def cdf(self, k: Any) -> Array:
        """Probability of at most k in each row."""
        top = np.broadcast_arrays(np.floor(np.asarray(k, dtype=float)), np.zeros(len(self._eta[0])))[0]
        total = np.zeros(top.shape)
        for value in range(int(top.max(initial=-1)) + 1):
            total += np.where(value <= top, self.pmf(float(value)), 0.0)
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
        found, total, largest = np.zeros(probability.shape, dtype=int), np.zeros(probability.shape), self.mean().max()
        for value in range(MOST):
            step = self.pmf(float(value))
            total = total + step
            short = total < probability
            # a support that ends, or rounding, keeps the total from one
            if not short.any() or (value > largest and float(np.max(step)) == 0):
                break
            found[short] = value + 1
        return found
