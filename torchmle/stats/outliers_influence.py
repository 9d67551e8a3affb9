"""Influence of rows and inflation of variances, by statsmodels' names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..influence.likelihood import GLMInfluence, MLEInfluence
from ..influence.linear import OLSInfluence, outlier_test
from ..models.linear.least_squares import OLS

__all__ = ["GLMInfluence", "MLEInfluence", "OLSInfluence", "outlier_test", "variance_inflation_factor"]


def variance_inflation_factor(exog: Any, exog_idx: int, *, standardize: bool = True) -> float:
    """By how much the other columns raise the variance of a coefficient: ``1 / (1 - R^2)`` of its column on the others.

    Parameters
    ----------
    exog : array_like (n, k)
        The whole design.
    exog_idx : int
        Position of the column.
    standardize : bool
        Take columns that vary about their means, so that it makes no difference whether the design has a constant.
        False: of a design without a constant, R-squared is that about zero.

    Returns
    -------
    float
        Infinite where the column is a combination of the others.

    References
    ----------
    Marquardt (1970), "Generalized inverses, ridge regression, biased linear estimation, and nonlinear estimation",
    Technometrics 12.
    """
    design = np.asarray(exog, dtype=float)
    if standardize:
        spread = design.std(axis=0)
        varies = spread > 0
        design = np.where(varies, (design - design.mean(axis=0)) / np.where(varies, spread, 1.0), design)
    found: Any = OLS(design[:, exog_idx], np.delete(design, exog_idx, axis=1)).fit(cov_type=None)
    unexplained = 1 - found.rsquared
    return float(1 / unexplained) if unexplained > 1e-13 else float("inf")
