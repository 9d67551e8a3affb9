"""Fits side by side: one column per model, the table of a paper."""

from .build import table
from .document import Line, Table

__all__ = ["Line", "Table", "table"]
