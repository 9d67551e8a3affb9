"""The minimum of a smooth function plus a penalty on the size of its arguments, by proximal Newton steps.

The function is replaced by its quadratic approximation, that minimised by coordinate descent (Friedman, Hastie and
Tibshirani 2010), and a line search follows.  Of a quadratic function one step is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Smooth = Callable[[Array], tuple[float, Array, Array]]
SWEEPS = 20_000  # of coordinate descent for one quadratic
FEW_SWEEPS = 20  # after which signs are tried: with the right ones the minimum is the solution of linear equations
TRIALS = 20  # of signs, times the number of parameters
ROUNDING = 1e-12
HALVINGS = 40


@dataclass(frozen=True)
class Penalty:
    """``sum_j absolute_j |t_j| + square_j t_j^2 / 2``.

    Attributes
    ----------
    absolute, square : ndarray (k,)
    """

    absolute: Array
    square: Array

    def __call__(self, t: Array) -> float:
        return float(self.absolute @ np.abs(t) + self.square @ t**2 / 2)


def minimize(smooth: Smooth, penalty: Penalty, start: Array, maxiter: int, tol: float) -> tuple[Array, int, bool]:
    """The minimum of a smooth function plus a penalty; a local one where the function is not convex.

    Parameters
    ----------
    smooth : callable
        From a point to value, gradient (k,) and second derivatives (k, k).
    penalty : Penalty
    start : ndarray (k,)
    maxiter : int
        Newton steps.
    tol : float
        The decrease promised by a step at which to stop, relative to the value.

    Returns
    -------
    point : ndarray (k,)
    steps : int
    converged : bool
    """
    point = start
    value, gradient, hessian = smooth(point)
    if not (np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        raise ValueError(
            "the log-likelihood or a derivative is not finite at the start; give start_params at which every row has a positive, "
            "finite likelihood"
        )
    for step in range(1, maxiter + 1):
        target = quadratic_minimum(gradient, convex(hessian), penalty, point)
        direction = target - point
        promised = gradient @ direction + penalty(target) - penalty(point)
        if -promised <= tol * (1 + abs(value)):
            return target, step, True
        length, objective = 1.0, value + penalty(point)
        for _ in range(HALVINGS):
            trial = target if length == 1 else point + length * direction
            value, gradient, hessian = smooth(trial)
            if value + penalty(trial) <= objective + 1e-4 * length * promised:
                break
            length /= 2
        else:
            return point, step, False
        point = trial
    return point, maxiter, False


def convex(hessian: Array) -> Array:
    """The second derivatives, those in directions of negative curvature turned positive."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    if values[0] >= -ROUNDING * values[-1]:
        return hessian
    return (vectors * np.abs(values)) @ vectors.T * np.outer(scale, scale)


def quadratic_minimum(gradient: Array, hessian: Array, penalty: Penalty, start: Array) -> Array:
    """The minimum over t of ``g'(t - s) + (t - s)' H (t - s) / 2`` plus a penalty, s the start."""
    if not penalty.absolute.any():
        right = hessian @ start - gradient
        solved = np.linalg.lstsq(hessian + np.diag(penalty.square), right, rcond=None)[0]
        return np.asarray(solved, dtype=np.float64)
    t, slope = start.copy(), gradient.copy()  # slope: of the quadratic at t
    curvature = np.diag(hessian) + penalty.square
    unit = np.where(curvature > 0, curvature, 1.0)
    for sweep in range(SWEEPS):
        if sweep == FEW_SWEEPS:
            exact, found = feature_sign(gradient, hessian, penalty, start, t)
            if found:
                return exact
        largest = 0.0
        for j in np.flatnonzero(curvature > 0):
            pull = hessian[j, j] * t[j] - slope[j]
            new = np.sign(pull) * max(abs(pull) - penalty.absolute[j], 0.0) / unit[j]
            if new != t[j]:
                slope += hessian[:, j] * (new - t[j])
                largest = max(largest, abs(new - t[j]) * np.sqrt(unit[j]))
                t[j] = new
        if largest <= 1e-14 * (1 + np.abs(t * np.sqrt(unit)).max()):
            break
    return t


def feature_sign(gradient: Array, hessian: Array, penalty: Penalty, start: Array, guess: Array) -> tuple[Array, bool]:
    """The minimum of `quadratic_minimum` by trying signs (Lee, Battle, Raina and Ng 2007), and whether it was found.

    With the signs of its entries the minimum solves linear equations.  On the way there the function is looked at where
    entries change sign; every step lowers it, so that no set of signs comes twice.
    """
    h, absolute = hessian + np.diag(penalty.square), penalty.absolute
    right = hessian @ start - gradient  # the function is t'ht / 2 - right't + absolute'|t|, up to a constant
    scale = ROUNDING * (np.abs(right) + np.abs(h) @ np.abs(guess) + absolute)

    def value(t: Array) -> float:
        return float(t @ (h @ t) / 2 - right @ t + absolute @ np.abs(t))

    t, signs = guess.copy(), np.sign(guess)
    for _ in range(TRIALS * len(t)):
        free = (signs != 0) | (absolute == 0)
        target = np.zeros_like(t)
        target[free] = np.linalg.lstsq(h[np.ix_(free, free)], (right - absolute * signs)[free], rcond=None)[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossings = t / (t - target)
        lengths = [1.0, *crossings[free & (absolute > 0) & (crossings > 0) & (crossings < 1)]]
        trials = [_from_to(t, target, length, crossings) for length in lengths]
        best = trials[int(np.argmin([value(trial) for trial in trials]))]
        settled = bool((np.sign(target) * signs >= 0)[free & (absolute > 0)].all())
        t = target if settled else best
        signs = np.sign(t)
        slope = right - h @ t  # what absolute values have to balance
        if not settled and not (np.abs(slope - absolute * signs)[signs != 0] <= scale[signs != 0]).all():
            continue
        excess = np.where((t == 0) & (absolute > 0), np.abs(slope) - absolute - scale, -1.0)
        worst = int(np.argmax(excess))
        if excess[worst] <= 0:
            return t, True
        signs[worst] = np.sign(slope[worst])
    return t, False


def _from_to(t: Array, target: Array, length: float, crossings: Array) -> Array:
    """A point on the way, zero where the way crosses zero there."""
    point = t + length * (target - t)
    point[crossings == length] = 0.0
    return point
