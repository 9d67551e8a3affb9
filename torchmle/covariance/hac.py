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
        correction = "with" if self.use_correction else "without"
        return self._estimate(
            fit,
            filling * factor,
            "Standard Errors are heteroscedasticity and autocorrelation robust (HAC) using "
            f"{lags:.6g} lags and {correction} small sample correction",
        )

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
        Without `groups`, a new series begins wherever time goes back.
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
        scores = fit.model.scores(fit.z)
        order, panels = self._panels()
        weights = lag_weights(self.kernel, self._lags(fit, scores), len(scores))
        filling = autocovariances(scores[order], weights, panels[order])
        count = int(panels.max()) + 1
        note = f"Standard Errors are robust to cluster correlation (HAC-Panel); {count} series"
        return self._estimate(fit, filling * self._factor(fit, count), note, self._df(count))

    def _panels(self) -> tuple[Tensor, Tensor]:
        """Rows series by series in time order, and the series of each row."""
        if self.groups is None:
            runs = np.concatenate([[0], np.cumsum(self.time[1:] < self.time[:-1])])
            return torch.arange(len(runs)), torch.as_tensor(runs)
        codes = np.unique(self.groups, return_inverse=True)[1].reshape(-1)
        keys = (codes,) if self.time is None else (np.unique(self.time, return_inverse=True)[1].reshape(-1), codes)
        return torch.as_tensor(np.lexsort(keys)), torch.as_tensor(codes)

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
        Whole numbers are taken as they are, so that a period without rows counts; other labels in their order.
    """

    options: ClassVar[tuple[str, ...]] = (*HAC.options, "time", "df_correction")
    name: str = "hac-groupsum"
    use_correction: Any = "cluster"

    def _complete(self) -> None:
        if self.time is None:
            raise KeyError(f"cov_type={self.name!r} needs cov_kwds={{'time': ..., 'maxlags': ...}}")

    def estimate(self, fit: Fit) -> Estimate:
        scores = fit.model.scores(fit.z)
        periods, codes = np.unique(self.time, return_inverse=True)
        codes = codes.reshape(-1)
        if np.issubdtype(periods.dtype, np.integer):
            codes = self.time - periods[0]
        sums = scores.new_zeros(int(codes.max()) + 1, scores.shape[1])
        sums.index_add_(0, torch.as_tensor(codes.astype(np.int64)), scores)
        filling = autocovariances(sums, lag_weights(self.kernel, self._lags(fit, sums), len(sums)))
        note = f"Driscoll and Kraay Standard Errors are robust to cluster correlation (HAC-Groupsum); {len(periods)} periods"
        df = self._df(units(self.time))
        return self._estimate(fit, filling * self._factor(fit, len(periods)), note, df)


def units(time: np.ndarray) -> int:
    """How many series the rows are, going by time alone: runs in which it does not go back, or rows of a period."""
    runs = 1 + int((time[1:] < time[:-1]).sum())
    return runs if runs > 1 else int(np.unique(time, return_counts=True)[1].max())
