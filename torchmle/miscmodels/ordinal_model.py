"""Ordered models and their results, by statsmodels' names."""

from ..models.ordinal import OrderedModel
from ..models.ordinal_results import OrderedResults

__all__ = ["OrderedModel", "OrderedResults"]
