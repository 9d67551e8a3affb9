"""Ordered models and their results, by statsmodels' names."""

from ..models.choices.ordinal import OrderedModel
from ..models.choices.ordinal_results import OrderedResults

__all__ = ["OrderedModel", "OrderedResults"]
