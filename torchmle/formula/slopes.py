"""Derivatives of columns that only evaluation tells: extrapolated differences that stay where the data were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = 11  # halvings of the step: the last is 1/16384 of the range, which rarely straddles the knot of a spline
ENOUGH = 1e-11  # estimated relative error at which halving stops


def slopes(function: Callable[[Array], Array], at: Array, low: float, high: float) -> Array:
    """Derivative of a function of one number per row with w values per row, (n, w).

    Differences over halved steps, extrapolated to zero (Ridders 1982); of all extrapolations each entry takes the one
    whose neighbours agree best, so that kinks nearby cost no digits.  Points outside [low, high] are never evaluated
    from inside: near its ends differences are one-sided, since logarithms and splines are not defined beyond.

    Parameters
    ----------
    function : callable
        From (n,) to (n, w).
    at : ndarray (n,)
    low, high : float
        Where the function is known to be defined.
    """
    step = _first_step(at, low, high)
    up, down = (at + step <= high).astype(float), (at - step >= low).astype(float)
    up[up + down == 0] = 1.0  # a variable with one value only
    ratio = np.where(up + down == 2, 4.0, 2.0)[:, None]  # errors are even in the step where differences are central
    best: Array | None = None
    error = previous = np.empty(0)
    rows: list[Array] = []
    for level in range(LEVELS):
        h = step / 2.0**level
        above, below = at + up * h, at - down * h
        row = [(function(above) - function(below)) / (above - below)[:, None]]
        for m, old in enumerate(rows):
            row.append(row[m] + (row[m] - old) / (ratio ** (m + 1) - 1))
        if best is None:
            best, error = row[0], np.full_like(row[0], np.inf)
        for m in range(1, len(row)):
            estimate = np.maximum(abs(row[m] - row[m - 1]), abs(row[m] - rows[m - 1]))
            better = estimate < error
            best, error = np.where(better, row[m], best), np.where(better, estimate, error)
        rows, previous = row, best
        if level > 1 and (error <= ENOUGH * abs(previous).max(axis=0, initial=0.0)).all():
            break
    assert best is not None
    return best


def _first_step(at: Array, low: float, high: float) -> Array:
    """A sixteenth of the range; of a positive variable, also at most an eighth of its value."""
    spread = high - low
    step = np.full(len(at), spread / 16 if spread > 0 else max(abs(high), 1.0) / 16)
    if low >= 0:
        step = np.where(at > 0, np.minimum(step, at / 8), step)
    return step
