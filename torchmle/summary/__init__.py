"""Summaries as documents: a model hands over strings, this package draws them."""

from .document import Block, Document, Summary, coefficient_table
from .frames import FrameSummary
from .grid import Grid
from .numbers import header_pairs, header_value

__all__ = ["Block", "Document", "FrameSummary", "Grid", "Summary", "coefficient_table", "header_pairs", "header_value"]
