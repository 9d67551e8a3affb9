"""Least squares and their results, by statsmodels' names."""

from ..models.linear import OLS, WLS
from ..models.linear_results import LinearResults

OLSResults = RegressionResults = RegressionResultsWrapper = LinearResults

__all__ = ["OLS", "WLS", "LinearResults", "OLSResults", "RegressionResults", "RegressionResultsWrapper"]
