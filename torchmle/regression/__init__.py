"""Models with linear predictors, and least squares under the path at which statsmodels keeps its own."""

from .engine import RegressionModel

__all__ = ["RegressionModel"]
