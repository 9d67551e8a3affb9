"""Results of a fit: the only exit from torch."""

from .results import Results

__all__ = ["Results"]
