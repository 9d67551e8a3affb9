"""Derivatives by central differences of fourth order, for functions that cannot be differentiated automatically.

Steps are a small share of the distance over which the function changes by about one, found from its own curvature:
neither the units of an argument nor the size of the function's value decides how many digits survive.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], float]
RowFunction = Callable[[Array], Array]

FIRST_STEP = float(np.finfo(np.float64).eps) ** 0.25
LEAST_SIZE = 0.1  # arguments smaller than this are treated as if they were this large
SHARE = 0.03  # of the distance over which the function changes by one
WIDEST = 1e3  # times the first step
HALVINGS = 40
ROUNDS = 5

FIRST = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12  # at -2h, -h, 0, h, 2h
SECOND = np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12


def along(function: Callable[[Array], float | Array], x: Array, direction: Array, centre: float | Array) -> Array:
    """Values at x - 2d, x - d, x, x + d, x + 2d, stacked first."""
    return np.stack([centre if i == 0 else function(x + i * direction) for i in (-2, -1, 0, 1, 2)])


def steps(function: Function, x: Array) -> Array:
    """Step for each argument, (k,); the function is finite all around, unless no step makes it so."""
    centre = function(x)
    return np.array([_step(function, x, unit, centre) for unit in np.eye(len(x))])


def _step(function: Function, x: Array, unit: Array, centre: float) -> float:
    """The step along one argument: that which changes the function by `SHARE` squared, as far as its curvature goes."""
    noise = 64 * np.finfo(np.float64).eps * max(1.0, abs(centre))
    step = first = FIRST_STEP * max(abs(float(unit @ x)), LEAST_SIZE)
    for _ in range(ROUNDS):
        step = _inside(function, x, unit, centre, step)
        bend = abs(float(function(x + step * unit) - 2 * centre + function(x - step * unit)))
        if not np.isfinite(bend):
            return step
        natural = SHARE * step / np.sqrt(max(bend, noise))
        change = min(max(natural / step, 1 / WIDEST), WIDEST * first / step)
        if 1 / 3 < change < 3:
            return step
        step *= change
    return _inside(function, x, unit, centre, step)


def _inside(function: Function, x: Array, unit: Array, centre: float, step: float) -> float:
    """The step, halved until the function is finite two steps to either side."""
    for _ in range(HALVINGS):
        if np.isfinite(along(function, x, step * unit, centre)).all():
            break
        step /= 2
    return step


def gradient(function: Function, x: Array, step: Array) -> Array:
    """First derivatives of a scalar, (k,)."""
    return jacobian(lambda point: np.atleast_1d(np.asarray(function(point), dtype=np.float64)), x, step)[0]


def jacobian(function: RowFunction, x: Array, step: Array) -> Array:
    """First derivatives of a vector, (n, k)."""
    centre = function(x)
    columns = [
        np.tensordot(FIRST, along(function, x, direction, centre), 1) / h
        for direction, h in zip(np.diag(step), step, strict=True)
    ]
    return np.column_stack(columns) if columns else np.zeros((len(centre), 0))


def hessian(function: Function, x: Array, step: Array) -> Array:
    """Second derivatives of a scalar, (k, k)."""
    return row_hessians(lambda point: np.atleast_1d(np.asarray(function(point), dtype=np.float64)), x, step)[0]


def row_hessians(function: RowFunction, x: Array, step: Array) -> Array:
    """Second derivatives of a vector, (n, k, k).

    Mixed ones from the curvature along sums of two steps: ``2 f_ij = f_(i+j)(i+j) - f_ii - f_jj``.
    """
    centre, k = function(x), len(x)
    directions = np.diag(step)
    bends = [np.tensordot(SECOND, along(function, x, direction, centre), 1) for direction in directions]
    out = np.zeros((len(centre), k, k))
    for i in range(k):
        out[:, i, i] = bends[i]
        for j in range(i):
            both = np.tensordot(SECOND, along(function, x, directions[i] + directions[j], centre), 1)
            out[:, i, j] = out[:, j, i] = (both - bends[i] - bends[j]) / 2
    return out / np.outer(step, step)


def symmetric_jacobian(function: RowFunction, x: Array, step: Array) -> Array:
    """Derivatives of a gradient, (k, k), made symmetric."""
    found = jacobian(function, x, step)
    return (found + found.T) / 2
