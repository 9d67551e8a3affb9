"""Tests of fitted models under the paths at which statsmodels keeps its own."""

from .diagnostic import linear_harvey_collier, linear_rainbow, linear_reset

__all__ = ["linear_harvey_collier", "linear_rainbow", "linear_reset"]
