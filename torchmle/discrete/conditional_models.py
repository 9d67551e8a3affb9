"""Conditional models and their results, by statsmodels' names."""

from ..models.choices.conditional import ConditionalLogit
from ..models.choices.conditional_results import ConditionalResults

__all__ = ["ConditionalLogit", "ConditionalResults"]
