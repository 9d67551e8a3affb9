"""Specification tests, by statsmodels' names."""

from ..inference.specification import linear_rainbow, linear_reset

__all__ = ["linear_rainbow", "linear_reset"]
