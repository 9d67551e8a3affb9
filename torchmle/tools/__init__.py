"""Names that scripts written for statsmodels import from its tools."""

from .constant import add_constant

__all__ = ["add_constant"]
