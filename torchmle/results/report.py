"""What a result says of itself: the summary, and tidy frames. Strings and labels only; numbers come from Results."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..summary import Block, Summary, coefficient_table, header_pairs
from ..transforms import Identity, Log

if TYPE_CHECKING:
    from .results import Results

Pairs = list[tuple[str, Any]]


def summarize(
    results: Results,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    header: tuple[Pairs, Pairs] | None = None,
    diagnostics: tuple[Pairs, Pairs] | None = None,
) -> Summary:
    """The summary of a result, by default with its own header and diagnostics."""
    left, right = header or results.header()
    left = [("Dep. Variable:", yname or results.model.endog_names), *left]
    bottom_left, bottom_right = diagnostics or results.diagnostics()
    return Summary(
        title or results.title,
        header_pairs(left),
        header_pairs(right),
        results.coefficient_blocks(xname, alpha),
        warnings=results.problems(),
        bottom_left=header_pairs(bottom_left),
        bottom_right=header_pairs(bottom_right),
        notes=[*results.notes(), *(criteria_notes(results) if "AIC:" in dict(right) else [])],
    )


def coefficient_block(
    results: Results, names: Sequence[str] | None, alpha: float, rows: slice = slice(None), heading: str = ""
) -> Block:
    """The table of some parameters, by default all, under their own names or these."""
    labels = results.names[rows] if names is None else list(names)
    parts = (results.params_array, results._bse, results._tvalues, results._pvalues, results._limits(alpha))
    if len(labels) != len(results.names[rows]):
        raise ValueError("xnames and params do not have the same length")
    return coefficient_table(labels, *(part[rows] for part in parts), alpha=alpha, use_t=results.use_t, heading=heading)


def date_and_time() -> Pairs:
    """The moment of printing, as statsmodels heads its summaries."""
    now = time.localtime()
    return [("Date:", time.strftime("%a, %d %b %Y", now)), ("Time:", time.strftime("%H:%M:%S", now))]


def covariance_note(results: Results) -> str:
    """How standard errors were made and, where they are robust, what tests refer to."""
    note = results.estimate.description
    if not results.covariance_is_robust:
        return note
    by = f"Student's t, {results.df_inference:g} degrees of freedom" if results.use_t else "the normal distribution"
    return f"{note}; tests by {by}"


def scale_notes(results: Results) -> list[str]:
    """What the log-likelihood is under sampling weights, and on which scale the parameters beside the main predictor stand."""
    notes = []
    if "sampling_weights" in results.model.given_arguments:
        notes.append("Sampling weights of mean 1: the log-likelihood is a weighted one, on which no test can be built")
    for block in results.model.layout.blocks:
        transform = results.model.parameters.get(block.name)
        formula = results.model.design.formulas.get(block.name)
        given = formula is not None and block is not results.model.layout.blocks[0]
        if given and transform is not None and not isinstance(transform, Identity):
            kind = Log if isinstance(transform, Log) else type(transform)
            notes.append(f"{block.name}[...] are coefficients of {kind.__name__.lower()}({block.name})")
    zero = np.asarray(results.names)[results.trimmed].tolist() if hasattr(results, "trimmed") else []
    fixed = [name for name, held in zip(results.names, results.fixed, strict=True) if held]
    fixed = [name for name in fixed if name not in results.at_bounds and name not in zero]
    if hasattr(results, "trimmed"):
        notes.append(f"Fitted with a penalty on absolute values, which set to zero: {', '.join(zero) or 'nothing'}")
    if fixed:
        notes.append(f"Held fixed: {', '.join(fixed)}")
    if hasattr(results, "constraints"):
        equations = ", ".join(str(results.constraints).splitlines())
        notes.append(f"Model has been estimated subject to linear equality constraints: {equations}")
    if results.at_bounds:
        notes.append(f"At a bound: {', '.join(f'{name} = {value:g}' for name, value in results.at_bounds.items())}")
    if results.model.dropped_rows:
        notes.append(f"{results.model.dropped_rows} rows with missing values were left out")
    return notes


def overall_note(results: Results) -> list[str]:
    """Wald's test of all slopes, under robust standard errors, for tables whose head has no test of the whole model."""
    if hasattr(results, "overall_test") or results._overall is None:
        return []
    kind, statistic, df, pvalue = results._overall
    law = f"F({df:g}, {results.df_inference:g})" if kind == "F" else f"chi2({df:g})"
    return [f"Wald test of all slopes: {law} = {statistic:.5g}, p-value {pvalue:.4g}"]


def event_notes(results: Results) -> list[str]:
    """Which of two levels, or of a boolean, the response counts as 1; models of classes have their own words."""
    levels = None if results.model.classes else results.model.design.response_levels
    return [] if levels is None else [f"Event: {results.model.endog_names} = {levels[-1]}"]


COUNTED = "AIC and BIC do not count the dispersion; R's, of information_criteria(count_scale=True), do"


def criteria_notes(results: Results) -> list[str]:
    """Which parameters the printed criteria count, where conventions differ: a dispersion estimated beside the likelihood."""
    return [COUNTED] if results.estimates_dispersion and not results.is_quasi else []


def quasi_notes(fractional: bool, scale: float = 1.0) -> list[str]:
    """What the log-likelihood of counts is when they are not counts, or vary more than their distribution does."""
    if scale != 1.0:
        return [f"Quasi-likelihood with a dispersion of {scale:.5g}: no AIC or BIC, and no likelihood-ratio test"]
    return (
        ["The response is not whole numbers: a quasi-likelihood, with no AIC or BIC; use robust standard errors"]
        if fractional
        else []
    )


def variance_problems(results: Results, perfect: bool) -> list[str]:
    """Why a variance estimated from residuals says nothing."""
    if results.df_resid <= 0:
        return [
            f"No degrees of freedom are left ({results.fit.nobs:g} observations, {results.k_free} coefficients), so the "
            "residual variance and with it standard errors cannot be estimated"
        ]
    return (
        ["The fit is perfect: residuals are rounding errors, and so are standard errors and tests"] if perfect else []
    )


def display(results: Results) -> None:
    """Print how an optimisation ended, as statsmodels' discrete models do."""
    lines = ["Optimization terminated successfully." if results.converged else f"Warning: {results.optim.message}"]
    lines.append(f"         Current function value: {-results.llf / results.nobs:f}")
    lines.append(f"         Iterations {results.optim.iterations}")
    print("\n".join(lines))


def tidy(results: Results, level: float, exponentiate: bool) -> pd.DataFrame:
    """One row per parameter, columns as in R's broom."""
    limits = results._limits(1 - level)
    change = np.exp if exponentiate else np.asarray
    return pd.DataFrame(
        {
            "term": results.names,
            "estimate": change(results.params_array),
            "std_error": results._bse,
            "statistic": results._tvalues,
            "p_value": results._pvalues,
            "conf_low": change(limits[:, 0]),
            "conf_high": change(limits[:, 1]),
        }
    )


def glance(results: Results) -> pd.DataFrame:
    """One row of fit statistics; what a model does not have is left out.

    The test of all slopes is the likelihood ratio or, where the standard errors are robust, Wald's.  Of a quasi-likelihood
    there is no AIC or BIC, and a column ``quasi`` says so.
    """
    names = (
        "nobs",
        "df_model",
        "df_resid",
        "llf",
        "aic",
        "bic",
        "scale",
        "rsquared",
        "prsquared",
        "converged",
        "cov_type",
    )
    found = {name: getattr(results, name) for name in names if hasattr(results, name)}
    if results.is_quasi:
        found |= {"aic": np.nan, "bic": np.nan, "quasi": True}
    if hasattr(results, "overall_test"):
        test = results.overall_test
        found |= {"test": test.kind, "statistic": test.statistic, "p_value": test.pvalue}
    return pd.DataFrame([found])


def augment(results: Results) -> pd.DataFrame:
    """The kept rows of the frame with columns ``.fitted`` and, for a single numeric response, ``.resid``."""
    model = results.model
    frame = model.frame_rows()
    fitted = np.asarray(results.predict())
    if fitted.ndim > 1:
        names = model.outcomes("mean") or model.design.response
        return frame.assign(**{f".fitted_{name}": column for name, column in zip(names, fitted.T, strict=True)})
    added = {".fitted": fitted}
    if hasattr(results, "resid"):
        added[".resid"] = np.asarray(results.resid)
    return frame.assign(**added)
