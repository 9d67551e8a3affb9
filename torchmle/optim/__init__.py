"""Maximise a log-likelihood, and say honestly whether that worked.

Whatever the method, convergence is judged here, by the Newton decrement and the definiteness of the Hessian in float64.
"""

from __future__ import annotations

from .maximize import interruption, maximize, methods, options_of
from .maximize import resolve as resolve_method
from .optimum import Optimum, Status, Step
from .search import Objective

__all__ = [
    "Objective",
    "Optimum",
    "Status",
    "Step",
    "interruption",
    "maximize",
    "methods",
    "options_of",
    "resolve_method",
]
