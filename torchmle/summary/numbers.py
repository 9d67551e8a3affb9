"""Numbers as statsmodels prints them: the only place where digits are chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

HEADER_FORMATS = {
    "R-squared": "#.3f",
    "R-squared (uncentered)": "#.3f",
    "Adj. R-squared": "#.3f",
    "Adj. R-squared (uncentered)": "#.3f",
    "F-statistic": "#.4g",
    "Prob (F-statistic)": "#.3g",
    "Log-Likelihood": "#.5g",
    "LL-Null": "#.5g",
    "LLR p-value": "#.4g",
    "AIC": "#.4g",
    "BIC": "#.4g",
    "Scale": "#.5g",
    "Deviance": "#.5g",
    "Pearson chi2": "#.3g",
    "Pseudo R-squ.": "#.4g",
    "Pseudo R-squ. (CS)": "#.4g",
    "Omnibus": "#.3f",
    "Prob(Omnibus)": "#.3f",
    "Skew": "#.3f",
    "Kurtosis": "#.3f",
    "Durbin-Watson": "#.3f",
    "Jarque-Bera (JB)": "#.3f",
    "Prob(JB)": "#.3g",
    "Cond. No.": "#.3g",
}
"""Format of a header value by its label without the colon. ``#`` keeps trailing zeros."""

COUNTS = ("No. Observations", "Df Residuals", "Df Model", "No. Iterations")
"""Labels whose values are whole numbers unless weights made them fractional."""


def coefficient(value: float) -> str:
    """Four decimals, or four significant digits below 1e-4 and from 1e4 on."""
    return f"{value:.4g}" if _needs_exponent(value) else f"{value:.4f}"


def statistic(value: float) -> str:
    """Three decimals, or three significant digits below 1e-4 and from 1e4 on.

    For standard errors, t and z statistics and interval limits.
    """
    return f"{value:.3g}" if _needs_exponent(value) else f"{value:.3f}"


def probability(value: float) -> str:
    """Three decimals."""
    return f"{value:#.3f}"


def count(value: float) -> str:
    """A whole number, or two decimals where the count is fractional; ``NaN`` when unknown."""
    if math.isnan(value):
        return "NaN"
    return f"{int(value)}" if float(value).is_integer() else f"{value:.2f}"


def header_value(label: str, value: Any) -> str:
    """The text of a header value; ready strings pass unchanged.

    Parameters
    ----------
    label : str
        The label, with or without its colon; it chooses the digits (`HEADER_FORMATS`).
    value : str, bool, int, float or object
        None is shown as an empty cell; what is not a number is shown by ``str``.
    """
    label = label.rstrip(":")
    if value is None:
        return ""
    if isinstance(value, (str, bool, np.bool_)):
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if label in COUNTS or (label not in HEADER_FORMATS and number.is_integer()):
        return count(number)
    text = format(number, HEADER_FORMATS.get(label, "#.5g"))
    return text.removeprefix("-") if float(text) == 0 else text  # an R-squared of rounding errors has no sign


def header_pairs(pairs: Iterable[tuple[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Pairs of label and value, the values as text.

    Examples
    --------
    >>> header_pairs([("Log-Likelihood:", -168.3312), ("AIC:", 346.66), ("Method:", "MLE")])
    (('Log-Likelihood:', '-168.33'), ('AIC:', '346.7'), ('Method:', 'MLE'))
    """
    return tuple((label, header_value(label, value)) for label, value in pairs)


def interval_headers(alpha: float) -> tuple[str, str]:
    """Headers of a 1 - alpha confidence interval: ``('[0.025', '0.975]')``."""
    return f"[{alpha / 2:.12g}", f"{1 - alpha / 2:.12g}]"


def _needs_exponent(value: float) -> bool:
    """Whether fixed decimals would hide the value (a NaN or an exact ``inf`` needs no care)."""
    return abs(value) >= 1e4 or abs(value) < 1e-4
