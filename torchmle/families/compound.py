"""Tweedie distributions with 1 < p < 2 as scipy freezes distributions: Poisson sums of gamma variables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HALVINGS = 80
ROOM = 2_000_000  # terms held at a time


class CompoundPoissonGamma:
    """Sums of N gamma variables, N Poisson: mean mu, variance ``phi mu^p``, a point mass at zero, one for each row.

    ``E N = mu^(2-p) / ((2-p) phi)``; each variable has shape ``(2-p) / (p-1)`` and scale ``(p-1) phi mu^(p-1)``
    (Smyth 1996).

    Parameters
    ----------
    power : float
        p, between 1 and 2.
    mu, dispersion : array_like (n,)
    """

    def __init__(self, power: float, mu: Any, dispersion: Any):
        self._mu, phi = np.broadcast_arrays(np.asarray(mu, float), np.asarray(dispersion, float))
        self._power, self._phi = power, phi
        self._number = self._mu ** (2 - power) / ((2 - power) * phi)
        self._shape = (2 - power) / (power - 1)
        self._scale = (power - 1) * phi * self._mu ** (power - 1)

    def mean(self) -> Array:
        """Mean of each row."""
        return self._mu

    def var(self) -> Array:
        """Variance of each row."""
        return self._phi * self._mu**self._power

    def std(self) -> Array:
        """Standard deviation of each row."""
        return np.sqrt(self.var())

    def rvs(self, size: Any = None, random_state: Any = None) -> Array:
        """Random sums, one for each row, or of a shape that rows broadcast to."""
        generator = np.random.default_rng(random_state)
        number = generator.poisson(self._number, size)
        return np.where(number > 0, generator.gamma(self._shape * np.maximum(number, 1)) * self._scale, 0.0)

    @cached_property
    def _counts(self) -> tuple[Array, Array]:
        """Numbers of variables that have any probability, (K,), and their probabilities, (K, n)."""
        from scipy import stats  # loaded late: it is slow to import

        low, high = np.nanmin(self._number, initial=np.inf), np.nanmax(self._number, initial=0.0)
        first = max(1, int(low - 10 * np.sqrt(low) - 10)) if np.isfinite(low) else 1
        k = np.arange(first, int(high + 10 * np.sqrt(high) + 40), dtype=float)
        return k, stats.poisson.pmf(k[:, None], self._number.ravel())

    def cdf(self, y: Any) -> Array:
        """Probability of at most y in each row."""
        from scipy import special  # loaded late: it is slow to import

        given = np.broadcast_to(np.asarray(y, float), self._mu.shape)
        k, probability = self._counts
        total, step = np.exp(-self._number.ravel()), max(1, ROOM // max(given.size, 1))
        at = np.maximum(given, 0.0).ravel() / self._scale.ravel()
        for start in range(0, len(k), step):
            part = slice(start, start + step)
            total = total + (probability[part] * special.gammainc(self._shape * k[part, None], at)).sum(0)
        return np.where(given < 0, 0.0, total.reshape(given.shape))

    def ppf(self, q: Any) -> Array:
        """Quantiles of each row, by bisection; 0 where the point mass reaches them."""
        wanted = np.broadcast_to(np.asarray(q, float), self._mu.shape)
        low, high = np.zeros(wanted.shape), self._mu + 10 * self.std()
        while bool((short := (self.cdf(high) < wanted) & np.isfinite(high)).any()):
            high = np.where(short, 2 * high, high)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = self.cdf(middle) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.where(self.cdf(0.0) >= wanted, 0.0, high)
