"""Conditional models and their results, by statsmodels' names."""

from ..models.conditional import ConditionalLogit
from ..models.conditional_results import ConditionalResults

__all__ = ["ConditionalLogit", "ConditionalResults"]
