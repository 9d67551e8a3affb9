"""A distribution of counts for each row, for those that scipy does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.predictions.tabulated import EachRow
from .cumulative import Smooth, Summed
from .distributions import CountDistribution
from .zero_inflation import ZeroInflatedCounts

Array = NDArray[np.float64]
LARGE = 2.0**12  # count up to which all of a row's are summed
COUNTED = 2.0**53  # mean beyond which counts are not told apart
IMPOSSIBLE = -45.0  # log-probability of a zero so small that none is near zero


def row_distribution(distribution: CountDistribution, natural: Mapping[str, Any], eta: Sequence[Tensor]) -> Any:
    """The distribution of each row, from natural values and predictors: scipy's where it has one."""
    found = distribution.frozen(natural)
    if found is not None:
        return found
    if isinstance(distribution, ZeroInflatedCounts):
        main = row_distribution(distribution.base, natural, eta[:-1])
        return InflatedRows(distribution, eta, main, np.asarray(natural["inflate"]))
    return RowDistribution(distribution, eta)


class RowDistribution(EachRow):
    """Probabilities, moments and random numbers of a distribution of counts, one for each row.

    Parameters
    ----------
    distribution : CountDistribution
    eta : sequence of Tensor
        Its linear predictors, (n,) each.
    """

    def __init__(self, distribution: CountDistribution, eta: Sequence[Tensor]):
        self._distribution, self._eta = distribution, tuple(eta)

    def __len__(self) -> int:
        return len(self._eta[0])

    def logpmf(self, k: Any) -> Array:
        """Log-probability of a count in each row."""
        values = np.asarray(k, dtype=float)
        return np.where((values >= 0) & (values == np.floor(values)), self._logs(self._eta, values), -np.inf)

    def _logs(self, eta: Sequence[Tensor], k: Any) -> Array:
        """Log-likelihood of responses at some rows' predictors."""
        y = np.broadcast_arrays(np.asarray(k, dtype=float), np.zeros(len(eta[0])))[0]
        flat, each = torch.from_numpy(y.reshape(-1).copy()).clamp_min(0), y.size // max(y.shape[-1], 1)
        whole = self._distribution.loglike([part.repeat(each) for part in eta], flat, torch.lgamma(flat + 1))
        return whole.numpy().reshape(y.shape)

    def pmf(self, k: Any) -> Array:
        """Probability of a count in each row."""
        return np.exp(self.logpmf(k))

    def cdf(self, k: Any) -> Array:
        """Probability of at most k in each row."""
        return self._by_parts("cdf", self._wide(k))

    def ppf(self, q: Any) -> Array:
        """Smallest count whose distribution function reaches a probability, in each row."""
        return self._by_parts("ppf", self._wide(q))

    def _by_parts(self, what: str, values: Array) -> Array:
        out = np.full(values.shape, np.nan)
        for rows, part in self._parts:
            out[..., rows] = getattr(part, what)(values[..., rows])
        return out

    @cached_property
    def _parts(self) -> list[tuple[NDArray[np.intp], Summed | Smooth]]:
        """Rows whose probabilities are summed, and those with large counts alone."""
        mean, spread = self.mean(), self.std()
        large = (np.nan_to_num(mean + 8 * spread) > LARGE) & (self._logs(self._eta, 0.0) < IMPOSSIBLE)
        counted = ~(mean > COUNTED)
        out: list[tuple[NDArray[np.intp], Summed | Smooth]] = []
        for which in (False, True):
            rows = np.flatnonzero((large == which) & counted)
            if len(rows):
                eta = [part[torch.from_numpy(rows)] for part in self._eta]

                def logs(k: Any, eta: Sequence[Tensor] = eta) -> Array:
                    return self._logs(eta, k)

                out.append((rows, Smooth(logs, mean[rows], spread[rows]) if which else Summed(logs, mean[rows])))
        return out

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

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Random counts, whole numbers, of a shape that rows broadcast to."""
        return np.nan_to_num(super().rvs(size, random_state)).astype(int)


class InflatedRows(RowDistribution):
    """Another distribution of each row with added zeros.

    Parameters
    ----------
    main : scipy's frozen distribution, or a RowDistribution
    share : ndarray (n,)
        Probability of an added zero.
    """

    def __init__(self, distribution: CountDistribution, eta: Sequence[Tensor], main: Any, share: Array):
        super().__init__(distribution, eta)
        self._main, self._share = main, share

    def cdf(self, k: Any) -> Array:
        at = self._wide(k)
        return np.where(at < 0, 0.0, self._share + (1 - self._share) * np.asarray(self._main.cdf(at)))

    def ppf(self, q: Any) -> Array:
        wanted = self._wide(q)
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = (wanted - self._share) / (1 - self._share)
        return np.where(rest > 0, self._main.ppf(np.clip(np.nan_to_num(rest), 0, 1)), 0.0)
