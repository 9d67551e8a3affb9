"""Fits side by side: one column per model, the table of a paper."""

from .table import Line, Table, table

__all__ = ["Line", "Table", "table"]
