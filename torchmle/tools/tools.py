"""The names of statsmodels.tools.tools."""

from .constant import add_constant

__all__ = ["add_constant"]
