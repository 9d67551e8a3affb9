"""Covariances robust to autocorrelation: of one series, of the series of a panel, of sums over a period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .base import Covariance, Estimate, per_degree, refuse_unknown
from .cluster import complete_columns
from .kernels import autocovariances, check_kernel, check_lags, chosen_lags, lag_weights
from .sandwich import bread, nonnegative, sandwich

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel


MOST_PERIODS = 10**6


@dataclass(frozen=True, kw_only=True)
class HAC(Covariance):
    """Robust to heteroscedasticity and autocorrelation, rows in time order (Newey and West 1987).

    Attributes
    ----------
    maxlags : int, "newey-west" or "rule"
        Lags that count; the bandwidth of the kernel is one more.  By Newey and West's (1994) automatic choice, or
        ``4 (n / 100) ** (2 / 9)``.  May be fractional for the kernels "parzen" and "qs".
    kernel : {"bartlett", "uniform", "parzen", "qs"} or callable
        A function gives the weights of lags 0 to maxlags.
    use_correction : bool
        Multiply by n / (n - k).
    convention : {"statsmodels", "R", "stata", "none"}
        "R" takes the bread of the expected information, as sandwich::NeweyWest of a glm.
    """

    options: ClassVar[tuple[str, ...]] = ("maxlags", "kernel", "use_correction", "convention")
    name: str = "HAC"
    maxlags: Any = None
    kernel: Any = "bartlett"
    use_correction: Any = False
    convention: str = "statsmodels"

    def __post_init__(self) -> None:
        refuse_unknown(self.convention)
        check_kernel(self.kernel)

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if self.maxlags is None:
            raise KeyError(f"cov_type={self.name!r} needs cov_kwds={{'maxlags': ...}}")
        check_lags(self.maxlags, self.kernel)
        if model.rows.group is not None:
            raise ValueError(f"cov_type={self.name!r} needs all rows in their order in one process; use cluster or HC0")
        weights = model.rows.get("freq_weights")
        sampled = "sampling_weights" in model.rows.columns
        if weights is not None and not sampled and not bool((weights == 1).all()):
            raise ValueError(
                f"cov_type={self.name!r} needs each row at its own time, and a row that counts several times has none; "
                "repeat the rows, or use cluster or HC0"
            )
        return model, self

    def described(self) -> dict[str, Any]:
        return {**super().described(), "weights_func": self.kernel}

    def estimate(self, fit: Fit) -> Estimate:
        scores = fit.model.scores(fit.z)
        lags = self._lags(fit, scores)
        filling = autocovariances(scores, lag_weights(self.kernel, lags, len(scores)))
        factor = per_degree(fit.nobs, fit.rank) if self.use_correction else 1.0
        correction = (
            f"with small sample correction, {factor:.6g}" if self.use_correction else "without small sample correction"
        )
        kind = "Standard Errors are heteroscedasticity and autocorrelation robust (HAC)"
        return self._estimate(fit, filling * factor, f"{kind} using {lags:.6g} lags and {correction}")

    def _lags(self, fit: Fit, scores: Tensor) -> float:
        if not isinstance(self.maxlags, str):
            return self.maxlags
        uncentre = fit.coordinates.uncentre
        raw = scores if uncentre is None else scores @ fit.coordinates.centre
        intercepts = getattr(fit.model, "intercepts", {})
        return chosen_lags(self.maxlags, self.kernel, raw, intercepts.get(next(iter(intercepts), None)))

    def _estimate(self, fit: Fit, filling: Tensor, note: str, df: float | None = None) -> Estimate:
        if nonnegative(filling)[1]:
            note += "; the matrix is not positive semi-definite, which kernels other than 'uniform' would make it"
        return Estimate(self.scaled(sandwich(bread(fit, self.convention == "R"), filling)), note, df)


@dataclass(frozen=True, kw_only=True)
class PanelHAC(HAC):
    """`HAC` within each series of a panel, series independent of each other.

    Attributes
    ----------
    groups : column name or array, optional
        Which series a row belongs to; rows of a series in time order, unless `time` says it.
    time : column name or array, optional
        Lags are differences of whole numbers, so that a period without a row counts; of other labels, and of all by
        convention "R", differences of their places among all that occur.  Scores of one series and period are added.
        Without `groups` a new series begins wherever time goes back.
    use_correction : {False, "hac", "cluster"}
        ``n / (n - k)``, or that of clusters, G / (G - 1) (n - 1) / (n - k).
    df_correction : bool
        Degrees of freedom one less than the number of series.
    """

    options: ClassVar[tuple[str, ...]] = (*HAC.options, "groups", "time", "df_correction")
    name: str = "hac-panel"
    groups: Any = None
    time: Any = None
    use_correction: Any = "hac"
    df_correction: bool | None = True

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        self._complete()
        given = [(key, value) for key, value in (("groups", self.groups), ("time", self.time)) if value is not None]
        model, columns = complete_columns(model, [value for _, value in given], " or ".join(key for key, _ in given))
        model, bound = super().bind(model)
        found: dict[str, Any] = {key: column for (key, _), column in zip(given, columns, strict=True)}
        return model, replace(bound, **found)

    def _complete(self) -> None:
        if self.groups is None and self.time is None:
            raise ValueError("either time or groups needs to be given: cov_kwds={'groups': ..., 'maxlags': ...}")

    def estimate(self, fit: Fit) -> Estimate:
        series, periods = self._places()
        span = int(periods.max()) + 1
        if span > MOST_PERIODS:
            raise ValueError(f"time runs over {span:,} periods between whole numbers; number the periods 0, 1, 2, ...")
        cells, where = torch.as_tensor(series * 2 * span + periods).unique(return_inverse=True)
        scores = fit.model.scores(fit.z)
        sums = scores.new_zeros(len(cells), scores.shape[1]).index_add_(0, where, scores)
        lags = self._lags_over(fit, sums, cells, span)
        filling = autocovariances(sums, lag_weights(self.kernel, lags, span), cells)
        count, df, note = self._told(series)
        factor = self._factor(fit, count)
        used = f"small-sample factor {factor:.6g}" if self.use_correction else "no small-sample factor"
        return self._estimate(fit, filling * factor, f"{note}, {lags:.6g} lags, {used}", self._df(df))

    def _told(self, series: np.ndarray) -> tuple[int, int, str]:
        """What is counted for the factor and for the degrees of freedom, and the note."""
        count = int(series.max()) + 1
        return count, count, f"Standard Errors are robust to cluster correlation (HAC-Panel); {count} series"

    def _lags_over(self, fit: Fit, sums: Tensor, cells: Tensor, span: int) -> float:
        if self.maxlags == "newey-west":
            raise ValueError("maxlags='newey-west' is defined for one series, not for a panel; use a number or 'rule'")
        return chosen_lags(self.maxlags, self.kernel, sums.new_zeros(span, 1), None)

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """The series of each row, and its period: the time where both are given, else its position."""
        if self.groups is None:
            series = np.concatenate([[0], np.cumsum(self.time[1:] < self.time[:-1])])
        else:
            series = np.unique(self.groups, return_inverse=True)[1].reshape(-1)
            if self.time is not None:
                return series, self._periods()
        order = np.argsort(series, kind="stable")
        first = np.searchsorted(series[order], series)
        position = np.empty(len(series), dtype=np.int64)
        position[order] = np.arange(len(series))
        return series, position - first

    def _periods(self) -> np.ndarray:
        """Periods from 0 on: whole numbers as they are, so that one without rows counts; other labels, and in R all, in order."""
        levels, codes = np.unique(self.time, return_inverse=True)
        whole = np.issubdtype(levels.dtype, np.number) and bool((levels == np.round(levels)).all())
        if whole and self.convention != "R":
            return np.asarray(self.time - levels[0], dtype=np.int64)
        return codes.reshape(-1)

    def _df(self, count: int) -> float | None:
        return None if self.df_correction is False else float(count - 1)

    def _factor(self, fit: Fit, count: int) -> float:
        if self.use_correction not in (False, None, "hac", "cluster"):
            raise ValueError(f"use_correction must be False, 'hac' or 'cluster', not {self.use_correction!r}")
        if self.use_correction == "cluster":
            return count / (count - 1) * (fit.nobs - 1) / fit.nobs * per_degree(fit.nobs, fit.rank)
        return per_degree(fit.nobs, fit.rank) if self.use_correction else 1.0


@dataclass(frozen=True, kw_only=True)
class GroupsumHAC(PanelHAC):
    """`HAC` of the sums of scores over all rows of a period (Driscoll and Kraay 1998).

    Attributes
    ----------
    time : column name or array
        Whole numbers are taken as they are, so that a period without rows counts; other labels, and all by convention "R",
        in their order.
    """

    options: ClassVar[tuple[str, ...]] = (*HAC.options, "time", "df_correction")
    name: str = "hac-groupsum"
    use_correction: Any = "cluster"

    def _complete(self) -> None:
        if self.time is None:
            raise KeyError(f"cov_type={self.name!r} needs cov_kwds={{'time': ..., 'maxlags': ...}}")

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(self.time), dtype=np.int64), self._periods()

    def _lags_over(self, fit: Fit, sums: Tensor, cells: Tensor, span: int) -> float:
        return self._lags(fit, sums.new_zeros(span, sums.shape[1]).index_copy(0, cells, sums))

    def _told(self, series: np.ndarray) -> tuple[int, int, str]:
        count = len(np.unique(self.time))
        kind = "Driscoll and Kraay Standard Errors are robust to cluster correlation (HAC-Groupsum)"
        return count, units(self.time), f"{kind}; {count} periods"


def units(time: np.ndarray) -> int:
    """How many series the rows are, going by time alone: runs in which it does not go back, or rows of a period."""
    runs = 1 + int((time[1:] < time[:-1]).sum())
    return runs if runs > 1 else int(np.unique(time, return_counts=True)[1].max())
