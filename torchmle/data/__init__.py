"""Rows as named tensors, and where they come from."""

from .table import Data

__all__ = ["Data"]
