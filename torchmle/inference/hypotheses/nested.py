"""Comparisons of a regression with one nested in it: F, likelihood-ratio and Lagrange-multiplier tests."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...covariance import HAC, Cluster, Covariance
from ...covariance.kernels import autocovariances, lag_weights
from ...errors import InvalidTestWarning
from ..distributions import chi2_tail, f_tail

if TYPE_CHECKING:
    from ...models.linear.results import LinearResults

Array = NDArray[np.float64]
NESTED = 1e-8  # of a unit vector: how far restricted columns may lie off the span of the full ones


class CompareLRTestResult(NamedTuple):
    """A chi-squared test of restrictions: statistic, p-value, and how many they are."""

    statistic: float
    pvalue: float
    df_diff: float


class CompareFTestResult(NamedTuple):
    """An F test of restrictions: statistic, p-value, and how many they are."""

    fvalue: float
    pvalue: float
    df_diff: float


def compare_f_test(full: LinearResults, restricted: LinearResults) -> CompareFTestResult:
    """F test of the restrictions: the rise in the sum of squares for each, over the residual variance.

    A robust covariance of either result has no bearing on it; a warning says so.
    """
    _warn_of_robust(full, restricted)
    df = restricted.df_resid - full.df_resid
    fvalue = (restricted.ssr - full.ssr) / df / full.ssr * full.df_resid
    return CompareFTestResult(fvalue, np.float64(f_tail(fvalue, df, full.df_resid)), df)


def compare_lr_test(full: LinearResults, restricted: LinearResults, large_sample: bool = False) -> CompareLRTestResult:
    """Likelihood-ratio test of the restrictions: twice the difference of the log-likelihoods.

    With `large_sample`, the Lagrange-multiplier statistic with the scores' variance taken at the full model, which is
    robust when its covariance is.
    """
    if large_sample:
        return compare_lm_test(full, restricted, use_lr=True)
    _warn_of_robust(full, restricted)
    df = restricted.df_resid - full.df_resid
    statistic = 2 * (full.llf - restricted.llf)
    return CompareLRTestResult(statistic, np.float64(chi2_tail(max(statistic, 0.0), df)), df)


def compare_lm_test(
    full: LinearResults, restricted: LinearResults, demean: bool = True, use_lr: bool = False
) -> CompareLRTestResult:
    """Lagrange-multiplier test of the restrictions: scores of the full design at the restricted estimate.

    ``n m' S^-1 m`` with m the mean score and S its variance, of the kind that the full result's covariance is.

    Parameters
    ----------
    demean : bool
        Take the mean off the scores before S is made.
    use_lr : bool
        Make S of the residuals of the full model.

    Raises
    ------
    ValueError
        The restricted design is not in the span of the full one, or has as many columns.
    """
    if not is_nested(full, restricted):
        raise ValueError("the restricted model is not nested in the full one: its columns are no combinations of them")
    roots, counts, n = np.sqrt(full.model.weights)[:, None], full.model.row_counts, full.nobs
    exog = np.asarray(full.model.exog, dtype=float)[:, ~full._dropped] * roots
    residuals = np.asarray(restricted.wresid)
    mean = counts @ (exog * residuals[:, None]) / n
    scores = exog * (np.asarray(full.wresid) if use_lr else residuals)[:, None]
    if demean and not use_lr:
        scores = scores - counts @ scores / n
    if full.covariance_is_robust:
        variance = _variance(full.covariance, scores, counts)
    else:
        variance = (counts @ residuals**2 / n) * (exog.T @ (exog * counts[:, None])) / n
    statistic = np.float64(n * mean @ np.linalg.solve(variance, mean))
    df = restricted.df_resid - full.df_resid
    return CompareLRTestResult(statistic, np.float64(chi2_tail(statistic, df)), df)


def _variance(covariance: Covariance | None, scores: Array, counts: Array) -> Array:
    """Variance of a score of rows that count so many times, as a robust covariance takes it."""
    n, counted = counts.sum(), scores * counts[:, None]
    if isinstance(covariance, HAC) and type(covariance) is HAC and not isinstance(covariance.maxlags, str):
        weights = lag_weights(covariance.kernel, covariance.maxlags, len(scores))
        return (autocovariances(torch.from_numpy(counted), weights) / n).numpy()
    if isinstance(covariance, Cluster) and len(covariance.groups) == 1:
        codes = np.unique(covariance.groups[0], return_inverse=True)[1].reshape(-1)
        sums = np.zeros((codes.max() + 1, scores.shape[1]))
        np.add.at(sums, codes, counted)
        return sums.T @ sums / n
    if covariance is not None and covariance.name in ("HC0", "HC1", "HC2", "HC3"):
        return scores.T @ counted / n
    name = None if covariance is None else covariance.name
    raise ValueError(f"compare_lm_test is not defined for cov_type={name!r}; use HC0 to HC3, cluster or HAC")


def is_nested(full: LinearResults, restricted: LinearResults) -> bool:
    """Whether the restricted model's columns lie in the span of the full one's, which has more."""
    if full.nobs != restricted.nobs or full.fit.rank <= restricted.fit.rank:
        return False
    columns = restricted.model.wexog
    roots = np.sqrt(full.model.row_counts)
    scores = columns.T @ (np.asarray(full.wresid) * roots)
    size = np.linalg.norm(columns, axis=0) * np.linalg.norm(np.asarray(restricted.wresid) * roots)
    return bool((np.abs(scores) <= NESTED * np.where(size > 0, size, 1.0)).all())


def _warn_of_robust(full: LinearResults, restricted: LinearResults) -> None:
    if full.covariance_is_robust or restricted.covariance_is_robust:
        warnings.warn(
            "F and likelihood-ratio tests of nested models rest on equal variances, and a robust covariance was asked for; "
            "use wald_test or compare_lm_test",
            InvalidTestWarning,
            stacklevel=4,
        )
