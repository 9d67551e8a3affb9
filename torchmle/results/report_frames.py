"""``summary2``: what a result says of itself as DataFrames."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..summary import FrameSummary, header_value
from ..summary.numbers import interval_headers
from .report import criteria_notes

if TYPE_CHECKING:
    from .results import Results

MODELS = {
    "OLS": "Ordinary least squares",
    "WLS": "Weighted least squares",
    "GLS": "Generalized least squares",
    "GLM": "Generalized linear model",
}
FACTS: Mapping[str, tuple[str, str]] = {
    "Pseudo R-squared:": ("prsquared", "#8.3f"),
    "AIC:": ("aic", "8.4f"),
    "BIC:": ("bic", "8.4f"),
    "Log-Likelihood:": ("llf", "#8.5g"),
    "LL-Null:": ("llnull", "#8.5g"),
    "LLR p-value:": ("llr_pvalue", "#8.5g"),
    "Deviance:": ("deviance", "#8.5g"),
    "Pearson chi2:": ("pearson_chi2", "#6.3g"),
    "F-statistic:": ("fvalue", "#8.4g"),
    "Prob (F-statistic):": ("f_pvalue", "#6.3g"),
    "Scale:": ("scale", "#8.5g"),
}
"""Numbers of the header after R-squared: the attribute, for results that have it, and its format."""


def summarize_frames(
    results: Results,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    float_format: str,
) -> FrameSummary:
    """The summary of a result as frames."""
    name = type(results.model).__name__
    tables = [_in_two_columns(facts(results, yname)), *parameter_frames(results, xname, alpha)]
    left, right = results.diagnostics()
    if left:
        tables.append(_in_two_columns([_diagnostic(label, value) for label, value in (*left, *right)]))
    notes = [*results.notes(), *criteria_notes(results)]  # AIC is among these facts of all models
    return FrameSummary(title or f"Results: {MODELS.get(name, name)}", tables, notes, results.problems(), float_format)


def facts(results: Any, yname: str | None = None) -> list[tuple[str, str]]:
    """Labels and texts of the header; what a model does not have is left out."""
    model = results.model
    found = [("Model:", type(model).__name__)]
    if hasattr(model, "family"):
        found += [
            ("Model Family:", type(model.family).__name__),
            ("Link Function:", type(model.family.link).__name__),
        ]
    found += [
        ("Dependent Variable:", yname or model.endog_names),
        ("Date:", time.strftime("%Y-%m-%d %H:%M")),
        ("No. Observations:", header_value("No. Observations", results.nobs)),
        ("Df Model:", header_value("Df Model", results.df_model)),
        ("Df Residuals:", header_value("Df Residuals", results.df_resid)),
    ]
    if not model.linear:
        found += [("Converged:", str(results.converged)), ("No. Iterations:", str(results.optim.iterations))]
        found.append(("Method:", dict(results.header()[0]).get("Method:", results.method)))
    if hasattr(results, "rsquared"):
        kind = "" if results.k_constant else " (uncentered)"
        found.append((f"R-squared{kind}:", f"{results.rsquared:.3f}"))
        found.append((f"Adj. R-squared{kind}:", f"{results.rsquared_adj:.3f}"))
    numbers = [(label, format(getattr(results, name), how)) for label, (name, how) in FACTS.items()
               if hasattr(results, name)]  # fmt: skip
    return [(label, text.strip()) for label, text in [*found, *numbers]]


def parameter_frames(results: Results, xname: Sequence[str] | None, alpha: float) -> list[pd.DataFrame]:
    """The tables of coefficients of the summary, as numbers."""
    letter = "t" if results.use_t else "z"
    columns = ["Coef.", "Std.Err.", letter, f"P>|{letter}|", *interval_headers(alpha)]
    numbers = np.column_stack(
        [results.params_array, results._bse, results._tvalues, results._pvalues, results._limits(alpha)]
    )
    frames, start = [], 0
    for block in results.coefficient_blocks(xname, alpha):
        stop = start + len(block.labels)
        index = pd.Index(block.labels, name=block.heading or None, dtype=object)
        frames.append(pd.DataFrame(numbers[start:stop], index=index, columns=columns))
        start = stop
    return frames


def _in_two_columns(pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Labels and texts, the second half to the right of the first."""
    half = (len(pairs) + 1) // 2
    right = [*pairs[half:], *[("", "")] * (2 * half - len(pairs))]
    return pd.DataFrame([[*one, *other] for one, other in zip(pairs[:half], right, strict=True)])


def _diagnostic(label: str, value: Any) -> tuple[str, str]:
    if label == "Cond. No.":
        return "Condition No.:", f"{value:.0f}"
    return label, f"{value:.3f}" if isinstance(value, float) else header_value(label, value)
