"""Links, by statsmodels' names."""

from ...families.links import *  # noqa: F403
