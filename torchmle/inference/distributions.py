"""Tail probabilities and quantiles of the reference distributions of tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]


def two_sided(statistic: ArrayLike, df: float | None = None) -> Array:
    """P(|T| > |statistic|) for Student's t with `df` degrees of freedom, or the normal when df is None."""
    lower = -np.abs(np.asarray(statistic, dtype=float))
    return 2 * (special.ndtr(lower) if df is None else special.stdtr(df, lower))


def quantile(probability: float, df: float | None = None) -> float:
    """Quantile of Student's t with `df` degrees of freedom, or of the normal when df is None."""
    return float(special.ndtri(probability) if df is None else special.stdtrit(df, probability))


def critical_value(alpha: float, df: float | None = None) -> float:
    """What lies ``P(|T| > c) = alpha`` away, so that intervals of coverage 1 - alpha reach c standard errors.

    Raises
    ------
    ValueError
        An alpha outside 0 … 1, such as a level in percent.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1 (0.05 for intervals of 95 %), not {alpha!r}")
    return quantile(1 - alpha / 2, df)


def chi2_tail(statistic: ArrayLike, df: ArrayLike) -> Array:
    """P(chi2_df > statistic)."""
    return np.asarray(special.chdtrc(df, statistic))


def f_tail(statistic: ArrayLike, df_num: ArrayLike, df_denom: ArrayLike) -> Array:
    """P(F > statistic)."""
    return np.asarray(special.fdtrc(df_num, df_denom, statistic))
