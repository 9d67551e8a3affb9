"""Bootstrap and jackknife of any fit: standard errors, bias and intervals from estimates of resampled rows.

Efron (1979, 1987), Davison and Hinkley (1997): percentile, basic and bias-corrected accelerated intervals, with
quantiles at ``(b + 1) p`` of b replicates as in R's boot.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import special

from ..covariance.sandwich import cluster_codes
from ..errors import ConvergenceWarning
from ..fitting.resampling import (
    Replicates,
    case_weights,
    check_kind,
    cluster_weights,
    observations,
    replicate,
    simulated,
    without_cluster,
    without_one,
)
from ..transforms import Identity

if TYPE_CHECKING:
    from ..results import Results

Array = NDArray[np.float64]
INTERVALS = ("percentile", "basic", "bca")


@dataclass(frozen=True, eq=False)
class Resampled:
    """Estimates of resampled rows.

    Attributes
    ----------
    results : Results
        The fit that was resampled.
    values : ndarray (b, k)
        On the reported scale; rows of NaN are replicates without a maximum, which every statistic leaves out.
    failures : dict of str to int
        How many those are, by reason.
    """

    results: Results
    values: Array
    failures: dict[str, int]

    @property
    def replicates(self) -> Any:
        """The estimates, (b, k); a DataFrame when the data came in pandas."""
        return self._frame(self.values)

    def _kept(self) -> Array:
        return self.values[~np.isnan(self.values).all(1)]

    def _series(self, values: Array) -> Any:
        return self.results._series(values)

    def _frame(self, values: Array, index: Any = None) -> Any:
        if not self.results.model.design.pandas:
            return values.copy()
        return pd.DataFrame(values.copy(), index=index, columns=self.results.names)

    @property
    def se(self) -> Any:
        """Standard errors."""
        return self._series(np.sqrt(np.diag(self._covariance())))

    def cov(self) -> Any:
        """Covariance matrix (k, k)."""
        return self._frame(self._covariance(), self.results.names)

    def _covariance(self) -> Array:
        raise NotImplementedError

    @property
    def bias(self) -> Any:
        """Estimated bias of the estimates."""
        return self._series(self._bias())

    def _bias(self) -> Array:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Bootstrap(Resampled):
    """Estimates of samples drawn with replacement, or from the fitted model.

    Attributes
    ----------
    kind : str
    influence : ndarray (m, k)
        Of each observation, or cluster, on the estimates, for the acceleration of BCa intervals; `times` says how many
        observations each row stands for.
    """

    kind: str
    influence: Array
    times: Array

    def _covariance(self) -> Array:
        kept = self._kept()
        return np.atleast_2d(np.cov((kept - kept[0]).T))  # exactly zero for what is held

    def _bias(self) -> Array:
        return self._kept().mean(0) - self.results.params_array

    def conf_int(self, alpha: float = 0.05, kind: str = "percentile") -> Any:
        """Intervals with coverage 1 - alpha: columns 0 and 1.

        Parameters
        ----------
        alpha : float
        kind : {"percentile", "basic", "bca"}
            Quantiles of the replicates; the same reflected about the estimate, on the real side of a parameter's scale;
            quantiles at levels corrected for bias and acceleration (Efron 1987).
        """
        if kind not in INTERVALS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, INTERVALS))}, not {kind!r}")
        levels = np.array([alpha / 2, 1 - alpha / 2])
        kept, limits = self._kept(), np.full((len(self.results.names), 2), np.nan)
        for j in range(len(limits)):
            if np.isfinite(self.results.params_array[j]):
                limits[j] = self._limits(kept[:, j], j, levels, kind)
        return pd.DataFrame(limits, index=self.results.names) if self.results.model.design.pandas else limits

    def _limits(self, values: Array, j: int, levels: Array, kind: str) -> Array:
        centre = float(self.results.params_array[j])
        if np.ptp(values) == 0:
            return np.full(2, centre)
        if kind == "percentile":
            return quantiles(values, levels)
        if kind == "bca":
            return quantiles(values, bca_levels(values, centre, self._acceleration(j), levels))
        scale = self.results.model.layout.scales()[j]
        if isinstance(scale, Identity):
            return 2 * centre - quantiles(values, levels[::-1])
        real = scale.inverse(torch.from_numpy(np.append(values, centre))).numpy()
        ends = torch.from_numpy(2 * real[-1] - quantiles(real[:-1], levels[::-1]))
        return np.sort(scale(ends).numpy())

    def _acceleration(self, j: int) -> float:
        """``sum u^3 / (6 (sum u^2)^1.5)`` of the influence u, a sixth of the skewness of its sum."""
        u = self.influence[:, j]
        square = float(self.times @ u**2)
        return float(self.times @ u**3) / (6 * square**1.5) if square > 0 else 0.0

    def summary_frame(self, alpha: float = 0.05, kind: str = "percentile") -> pd.DataFrame:
        """One row per parameter: estimate, bias, se, conf_low, conf_high."""
        low, high = np.asarray(self.conf_int(alpha, kind)).T
        columns = {"estimate": self.results.params_array, "bias": self._bias(), "se": np.asarray(self.se)}
        return pd.DataFrame({**columns, "conf_low": low, "conf_high": high}, index=self.results.names)

    def __repr__(self) -> str:
        return (
            f"<Bootstrap: {len(self.values)} replicates ({self.kind}), {len(self.values) - len(self._kept())} left out>"
        )


@dataclass(frozen=True, eq=False)
class Jackknife(Resampled):
    """Estimates without one observation, or one cluster, each in turn.

    Attributes
    ----------
    times : ndarray (m,)
        How many observations each replicate stands for.
    """

    times: Array

    def _parts(self) -> tuple[Array, Array, float]:
        kept = ~np.isnan(self.values).all(1)
        return self.values[kept], self.times[kept], float(self.times[kept].sum())

    def _covariance(self) -> Array:
        """``(m - 1) / m  sum_i (b_(i) - mean)(b_(i) - mean)'``."""
        values, times, m = self._parts()
        centred = values - times @ values / m
        return (m - 1) / m * (centred * times[:, None]).T @ centred

    def _bias(self) -> Array:
        values, times, m = self._parts()
        return (m - 1) * (times @ values / m - self.results.params_array)


def quantiles(values: Array, levels: Array) -> Array:
    """Order statistics at ``(b + 1) p``, interpolated on the normal scale (Davison and Hinkley 1997, eq. 5.8)."""
    ordered, b = np.sort(values), len(values)
    at = np.clip(levels * (b + 1), 1, b)
    below = np.clip(np.floor(at), 1, b - 1)
    low, high, wanted = (special.ndtri(place / (b + 1)) for place in (below, below + 1, at))
    first, second = ordered[below.astype(int) - 1], ordered[below.astype(int)]
    return first + (wanted - low) / (high - low) * (second - first)


def bca_levels(values: Array, centre: float, acceleration: float, levels: Array) -> Array:
    """Levels corrected for median bias and acceleration (Efron 1987, eq. 3.9); ties count half."""
    below = float((values < centre).mean() + (values == centre).mean() / 2)
    shift = special.ndtri(below)
    if not math.isfinite(shift):
        return np.full(2, np.nan)
    moved = shift + special.ndtri(levels)
    return special.ndtr(shift + moved / (1 - acceleration * moved))


def bootstrap(
    results: Results,
    reps: int = 999,
    seed: Any = None,
    kind: str | None = None,
    groups: Any = None,
    progress: bool = False,
) -> Bootstrap:
    """Estimates of `reps` samples.

    Parameters
    ----------
    results : Results
    reps : int
    seed : int, optional
        Makes the replicates reproducible; global generators are neither used nor changed.
    kind : {"case", "cluster", "parametric"}, optional
        Rows drawn with replacement (the default), whole clusters (the default with `groups`), or responses drawn from
        the fitted model.
    groups : column name, array or Series, optional
        Clusters.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Bootstrap

    Notes
    -----
    Cases are drawn as frequency weights, and Newton's method runs on many replicates at once from the estimate
    (`torchmle.fitting.batched`).  Replicates it does not bring to a maximum are fitted one by one; those that have none are
    left out, counted and named in a warning.
    """
    kind = kind or ("case" if groups is None else "cluster")
    check_kind(kind, groups)
    if reps < 2:
        raise ValueError(f"reps must be 2 or more, not {reps}")
    model, fit = results.model, results.fit
    codes, count = (None, 0) if groups is None else cluster_codes(model.row_column(groups, "groups"), model.rows)
    if kind == "parametric":
        found = simulated(fit, results.sampler(), reps, seed, progress)
    else:
        draw = case_weights(model) if codes is None else cluster_weights(model, codes, count)
        found = replicate(fit, draw, reps, seed, progress)
    _announce(found)
    found.values[:, results._dropped | results.undetermined] = np.nan
    return Bootstrap(results, found.values, found.failures, kind, *_influence(results, codes, count))


def jackknife(results: Results, groups: Any = None, progress: bool = False) -> Jackknife:
    """Estimates without one observation, or with `groups` one cluster, each in turn; arguments as for `bootstrap`."""
    model = results.model
    if groups is None:
        left = np.flatnonzero(observations(model) > 0)
        times, draw = observations(model)[left], without_one(model, left)
    else:
        codes, count = cluster_codes(model.row_column(groups, "groups"), model.rows)
        times, draw = np.ones(count), without_cluster(model, codes)
    found = replicate(results.fit, draw, len(times), 0, progress)
    _announce(found)
    found.values[:, results._dropped | results.undetermined] = np.nan
    return Jackknife(results, found.values, found.failures, times)


def _announce(found: Replicates) -> None:
    """Warn of replicates without a maximum.

    Raises
    ------
    ValueError
        Fewer than two have one.
    """
    if (~found.failed).sum() < 2:
        raise ValueError(f"{found.statement()}; nothing can be said")
    if found.failures:
        warnings.warn(found.statement(), ConvergenceWarning, stacklevel=4)


def _influence(results: Results, codes: NDArray[np.intp] | None, count: int) -> tuple[Array, Array]:
    """Influence of each observation or cluster on the estimates, ``J A s``, and how many observations it stands for."""
    model, fit = results.model, results.fit
    influence = (model.scores(fit.z) @ fit.bread @ results._jacobian.T).detach().numpy()
    times = observations(model)
    if codes is None:
        single = np.divide(influence, times[:, None], out=np.zeros_like(influence), where=times[:, None] > 0)
        return single, times
    sums = np.zeros((count, influence.shape[1]))
    np.add.at(sums, codes, influence)
    return sums, np.ones(count)
