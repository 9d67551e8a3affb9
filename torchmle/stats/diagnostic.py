"""Specification tests, by statsmodels' names."""

from ..inference.hypotheses.specification import linear_harvey_collier, linear_rainbow, linear_reset

__all__ = ["linear_harvey_collier", "linear_rainbow", "linear_reset"]
