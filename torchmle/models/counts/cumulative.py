"""Distribution functions of counts, row by row: sums of probabilities, or their integral where counts are large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.predictions.by_numbers import Seen, continuous, supports

Array = NDArray[np.float64]
Logs = Callable[[Any], Array]  # log-probability of counts that broadcast against the rows, the last dimension

MOST = 1_000_000  # counts up to which sums go
TABLE = 2**18  # probabilities that are computed at once
HELD = 2**21  # sums that are kept
CERTAIN = 1 - 1e-15  # sum from which the rest does not matter
NOTHING = 1e-20  # probability above the mean from which larger counts have none


class Summed:
    """Sums of probabilities over the counts from zero on, as far as they are asked for.

    Parameters
    ----------
    logs : callable
    mean : ndarray (n,)
    """

    def __init__(self, logs: Logs, mean: Array):
        self._logs, self._mean = logs, np.nan_to_num(mean)
        self._held: list[Array] = []
        self._whole = False  # whether those held are all there are

    def cdf(self, k: Array) -> Array:
        """Probability of at most k in each row."""
        at = np.nan_to_num(np.floor(k), nan=-1.0)
        out, each = np.zeros(k.shape), np.arange(k.shape[-1])
        for start, below in self._sums():
            place = np.clip(at - start, 0, len(below) - 1).astype(int)
            out = np.where(at >= start, below[place, each], out)
            if not (at >= start + len(below)).any():
                break
        return out

    def ppf(self, q: Array) -> Array:
        """Smallest count whose distribution function reaches a probability, in each row."""
        wanted = torch.from_numpy(np.ascontiguousarray(q.reshape(-1, q.shape[-1]).T))
        found, short = torch.zeros(wanted.shape, dtype=torch.long), torch.ones(wanted.shape, dtype=torch.bool)
        for start, below in self._sums():
            rises = torch.from_numpy(np.ascontiguousarray(below.T))
            reached = wanted <= rises[:, -1:]
            # a support that ends, or rounding, may keep the sum from what is wanted: its last count is taken then
            at = torch.searchsorted(rises, torch.where(reached, wanted, rises[:, -1:]))
            found = torch.where(short & (reached | (at > 0)), start + at, found)
            short &= ~reached
            if not bool(short.any()):
                break
        return found.T.reshape(q.shape).numpy().astype(float)

    def _sums(self) -> Iterator[tuple[int, Array]]:
        """First counts of runs, and each row's sums up to all of their counts (K, n); those that take little room are kept."""
        start, total = 0, np.zeros(len(self._mean))
        for below in self._held:
            yield start, below
            start, total = start + len(below), below[-1]
        if self._whole:
            return
        most = max(1, TABLE // max(len(total), 1))
        while start < MOST:
            values = np.arange(start, start + min(start + 32, most), dtype=float)
            step = np.nan_to_num(np.exp(self._logs(values[:, None])))  # rows that are not known come to an end at once
            below = total + np.cumsum(step, 0)
            start, total, kept = start + len(below), below[-1], start == sum(map(len, self._held))
            last = bool(((total > CERTAIN) | ((step[-1] < NOTHING) & (values[-1] >= self._mean))).all())
            if kept and start * len(total) <= HELD:
                self._held.append(below)
                self._whole = last
            yield start - len(below), below
            if last:
                return
        raise ValueError(f"the distribution reaches beyond {MOST} counts, and to zero: its quantiles are not found")


class Smooth:
    """The integral of the probabilities as a density, from halves of counts to halves, where none is near zero.

    What that misses is of the order of 1 / (24 v), v the variance.

    Parameters
    ----------
    logs : callable
    mean, spread : ndarray (n,)
    """

    def __init__(self, logs: Logs, mean: Array, spread: Array):
        seen = Seen(0.0, float(mean.max()), float(np.median(mean)), float(np.median(spread)), True, "float64")
        half_line = supports(seen)[-2]

        def log_density(y: Tensor) -> Tensor:
            return torch.from_numpy(logs(y.numpy().T).T.copy()).nan_to_num(-torch.inf)

        self._integral = continuous(log_density, len(mean), half_line).distribution

    def cdf(self, k: Array) -> Array:
        """Probability of at most k in each row."""
        return self._integral.cdf(np.maximum(np.floor(k) + 0.5, 0))

    def ppf(self, q: Array) -> Array:
        """Smallest count whose distribution function reaches a probability, in each row."""
        return np.ceil(self._integral.ppf(q) - 0.5).clip(0)
