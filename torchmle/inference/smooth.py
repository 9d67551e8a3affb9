"""Locally weighted regression: a smooth curve through a cloud of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ROBUST = 3  # rounds of new weights by the residuals, Cleveland's choice
AT_ONCE = 2_000_000  # weights held in memory
FLAT = 1e-3  # of the range of x: neighbours spread less than this have a mean, no slope


def lowess(y: ArrayLike, x: ArrayLike, frac: float = 2 / 3) -> Array:
    """Heights of the curve at each x, in the order given, (n,).

    At each point a line is fitted to the ``frac n`` nearest ones by least squares with tricube weights in the distance;
    three times the points are weighted again by a bisquare of their residuals over six medians of these.

    Parameters
    ----------
    y, x : array_like
        (n,), finite.
    frac : float
        Share of the points in each neighbourhood.

    Raises
    ------
    ValueError
        A neighbourhood would have fewer than two points, or more than there are.

    References
    ----------
    Cleveland (1979), "Robust locally weighted regression and smoothing scatterplots"; R's ``lowess`` with ``delta = 0``.
    """
    heights, places = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    neighbours = int(frac * len(places) + 1e-10)
    if not 2 <= neighbours <= len(places):
        raise ValueError(f"frac={frac} of {len(places)} points makes neighbourhoods of {neighbours}; 2 are the fewest")
    order = np.argsort(places, kind="stable")
    places, heights = places[order], heights[order]
    first = _first_neighbours(places, neighbours)
    trusted = np.ones_like(places)
    curve = _curve(places, heights, first, neighbours, trusted)
    for _ in range(ROBUST):
        residuals = np.abs(heights - curve)
        spread = 6 * float(np.median(residuals))
        if spread <= 6e-7 * float(residuals.mean()) or spread == 0:
            break
        trusted = (1 - np.minimum(residuals / spread, 1) ** 2) ** 2
        curve = _curve(places, heights, first, neighbours, trusted)
    found = np.empty_like(curve)
    found[order] = curve
    return found


def _first_neighbours(x: Array, neighbours: int) -> NDArray[np.int_]:
    """Where, in ascending x, the window of the nearest points of each point begins."""
    first, begin = np.empty(len(x), dtype=int), 0
    for i, place in enumerate(x):
        while begin + neighbours < len(x) and x[begin + neighbours] - place < place - x[begin]:
            begin += 1
        first[i] = begin
    return first


def _curve(x: Array, y: Array, first: NDArray[np.int_], neighbours: int, trusted: Array) -> Array:
    """The local lines' heights at their own points."""
    rows = max(1, AT_ONCE // neighbours)
    window = np.arange(neighbours)
    parts = [slice(at, at + rows) for at in range(0, len(x), rows)]
    flat = FLAT * (x[-1] - x[0])
    return np.concatenate([_lines(x, y, part, first[part, None] + window, trusted, flat) for part in parts])


def _lines(x: Array, y: Array, own: slice, near: NDArray[np.int_], trusted: Array, flat: float) -> Array:
    """Heights at the points `own` of weighted lines through the points `near` each, (p, neighbours)."""
    distance = x[near] - x[own, None]
    radius = np.abs(distance).max(1, keepdims=True)
    share = np.divide(np.abs(distance), radius, out=np.zeros_like(distance), where=radius > 0)
    weight = np.where(share < 0.999, (1 - share**3) ** 3, 0.0) * trusted[near]
    total = weight.sum(1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    centre = (weight * distance).sum(1, keepdims=True)
    mean = (weight * y[near]).sum(1)
    squares = (weight * (distance - centre) ** 2).sum(1)
    cross = (weight * (distance - centre) * y[near]).sum(1)
    sloped = np.sqrt(squares) > flat
    slope = np.divide(cross, squares, out=np.zeros_like(cross), where=sloped)
    lost = total[:, 0] <= 0  # a point whose neighbours are all outliers keeps its own height
    return np.where(lost, y[own], mean - slope * centre[:, 0])
