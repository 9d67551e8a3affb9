"""Plots of results, on matplotlib. Every function draws on the Axes it is given, or on new ones, and returns them."""

from .influence import plot_index, plot_influence
from .results import plot_coefficients, plot_diagnostics, plot_profile, plot_steps, plot_survival, plot_trace

__all__ = [
    "plot_coefficients",
    "plot_diagnostics",
    "plot_index",
    "plot_influence",
    "plot_profile",
    "plot_steps",
    "plot_survival",
    "plot_trace",
]
