"""Likelihood-ratio tests of nested models."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .distributions import chi2_tail

if TYPE_CHECKING:
    from ..results import Results


class LikelihoodRatio(NamedTuple):
    """Twice the log of the ratio of likelihoods, its chi-squared tail probability and degrees of freedom."""

    statistic: float
    pvalue: float
    df_diff: int


def lr_test(results: Results, other: Results, force: bool = False) -> LikelihoodRatio:
    """Test a restricted model against a fuller one, in either order.

    Parameters
    ----------
    results, other : Results
        Fits of nested models to the same rows.
    force : bool
        Go on although a covariance is robust, that is, although the likelihood is not trusted.

    Raises
    ------
    ValueError
        Different numbers of observations or equal numbers of parameters; robust covariance without `force`.
    """
    if results.nobs != other.nobs:
        raise ValueError(f"the models have {results.nobs:g} and {other.nobs:g} observations; they must share the rows")
    full, restricted = (results, other) if results.k_free >= other.k_free else (other, results)
    if full.k_free == restricted.k_free:
        raise ValueError(f"both models have {full.k_free} free parameters; one must be nested in the other")
    if not force and (full.covariance_is_robust or restricted.covariance_is_robust):
        raise ValueError(
            f"the standard errors are robust (cov_type={full.cov_type!r}), so the likelihood is not trusted and its "
            "ratio has no chi-squared distribution; use wald_test, or force=True"
        )
    statistic = full.twice_log_ratio(restricted)
    df = full.k_free - restricted.k_free
    return LikelihoodRatio(statistic, float(chi2_tail(max(statistic, 0.0), df)), df)
