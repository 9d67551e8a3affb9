"""Likelihood-ratio tests of nested models and of linear hypotheses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..distributions import chi2_tail
from .linear import beyond_theta, equations, fitted_under, independent

if TYPE_CHECKING:
    from ...results import Results


HIGHER = 1e-6  # rise of the log-likelihood under a hypothesis, relative to its size, that is no rounding


class LikelihoodRatio(NamedTuple):
    """Twice the log of the ratio of likelihoods, its chi-squared tail probability and degrees of freedom."""

    statistic: float
    pvalue: float
    df_diff: int


def lr_test(results: Results, other: Any, force: bool = False) -> LikelihoodRatio:
    """Test a linear hypothesis, under which the model is fitted again; or a restricted model against a fuller one.

    Parameters
    ----------
    results : Results
    other : str, list of str, dict, matrix or pair (R, q); or Results
        Linear equations in the parameters, such as ``"x1 = x2, x3 = 0.5"``, that hold beside those the fit obeys already.
        Or the fit of a nested model to the same rows, wider or narrower.
    force : bool
        Go on although the likelihood is not trusted: a covariance is robust, or it is a quasi-likelihood.

    Raises
    ------
    ValueError
        Different numbers of observations or equal numbers of parameters; robust covariance or a
        quasi-likelihood without `force`.
    """
    if not hasattr(other, "k_free"):
        _refuse_untrusted(results, force)
        beyond = beyond_theta(results, other)
        if beyond is None:
            count = equations(results, other)[1]
            return _ratio(results, fitted_under(results, other), count)
        loglike, _, rows = beyond
        return _tested(2 * (results.fit.optimum.value - loglike) / results.scale, independent(results, rows, other))
    if results.nobs != other.nobs:
        raise ValueError(f"the models have {results.nobs:g} and {other.nobs:g} observations; they must share the rows")
    _refuse_other_responses(results, other)
    full, restricted = (results, other) if results.k_free >= other.k_free else (other, results)
    if full.k_free == restricted.k_free:
        raise ValueError(f"both models have {full.k_free} free parameters; one must be nested in the other")
    _refuse_untrusted(full, force)
    _refuse_untrusted(restricted, force)
    return _ratio(full, restricted, full.k_free - restricted.k_free)


def _ratio(full: Results, restricted: Results, df: int) -> LikelihoodRatio:
    statistic = full.twice_log_ratio(restricted)
    if statistic < -HIGHER * (1 + abs(full.llf)):
        raise ValueError(
            f"the model with more parameters has the lower log-likelihood, {full.llf:.8g} against {restricted.llf:.8g}: it does "
            "not contain the other, or its search ended below its maximum"
        )
    return _tested(statistic, df)


def _tested(statistic: float, df: int) -> LikelihoodRatio:
    return LikelihoodRatio(statistic, float(chi2_tail(max(statistic, 0.0), df)), df)


def _refuse_other_responses(results: Results, other: Results) -> None:
    """Refuse models of different responses, whose likelihoods are of different things; as far as their rows are there."""
    if not (results.model.has_rows and other.model.has_rows):
        return
    one, two = results.model.rows.response, other.model.rows.response
    if one is None or two is None:
        return
    if one.shape != two.shape or not torch.allclose(one.double().cpu(), two.double().cpu(), equal_nan=True):
        names = " and ".join(dict.fromkeys(str(res.model.endog_names) for res in (results, other)))
        raise ValueError(f"the models have different responses ({names}); one must be nested in the other")


def _refuse_untrusted(results: Results, force: bool) -> None:
    """Refuse a likelihood that the result itself does not trust, unless told to go on."""
    if force:
        return
    if results.is_quasi:
        raise ValueError(
            "a quasi-likelihood is no probability, so its ratio has no chi-squared distribution; use wald_test or "
            "score_test, or force=True"
        )
    if results.distrust:
        raise ValueError(
            f"{results.distrust}, and its ratio has no chi-squared distribution; use wald_test, or force=True"
        )
