"""Families and links, by statsmodels' names."""

from ...families import *  # noqa: F403
from ...families import __all__ as __all__
