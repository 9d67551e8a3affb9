"""Least squares and their results, by statsmodels' names."""

from ..models.linear.least_squares import OLS, WLS
from ..models.linear.results import LinearResults

OLSResults = RegressionResults = RegressionResultsWrapper = LinearResults

__all__ = ["OLS", "WLS", "LinearResults", "OLSResults", "RegressionResults", "RegressionResultsWrapper"]
