"""Fill a design matrix from factor values: the only loop over rows, in blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .coding import Coding, Part

_BLOCK_BYTES = 1 << 19


def fill(coding: Coding, values: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Design matrix of shape (n, k), float64, the values of a row side by side.

    Parameters
    ----------
    coding : Coding
    values : mapping of str to ndarray
        Codes (n,) of each categorical factor, numbers (n, width) of each numeric one. Rows with a missing code (-1)
        get arbitrary values; see `gaps`.
    n : int
        Rows.

    Notes
    -----
    A column of a product of factors is the product of one column of each; the first factor's columns vary fastest, and
    factors are multiplied from left to right, so that the values are patsy's to the last bit.
    """
    out = np.empty((n, len(coding.names)))
    rows = max(1, _BLOCK_BYTES // (8 * max(1, len(coding.names))))
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        for part in coding.parts:
            _fill_part(out[block, part.columns], part, values, block)
    return out


def gaps(coding: Coding, values: Mapping[str, np.ndarray], n: int) -> np.ndarray | None:
    """Mask of the rows in which a categorical factor of this design is missing; None when there is none."""
    mask = np.zeros(n, dtype=bool)
    for name in {name for part in coding.parts for name in part.contrasts}:
        mask |= values[name] < 0
    return mask if mask.any() else None


def _fill_part(out: np.ndarray, part: Part, values: Mapping[str, np.ndarray], rows: slice) -> None:
    if not part.factors:
        out[...] = 1.0
        return
    product = _columns(part, part.factors[0], values, rows)
    for name in part.factors[1:]:
        columns = _columns(part, name, values, rows)
        product = (columns[:, :, None] * product[:, None, :]).reshape(len(out), -1)
    out[...] = product if part.keep is None else product[:, part.keep]


def _columns(part: Part, name: str, values: Mapping[str, np.ndarray], rows: slice) -> np.ndarray:
    value = values[name][rows]
    return part.contrasts[name][value] if name in part.contrasts else value


def fill_slopes(
    coding: Coding, values: Mapping[str, np.ndarray], slopes: Mapping[str, np.ndarray], n: int
) -> np.ndarray:
    """Derivative of a design matrix, (n, k), from those of some of its numeric factors, by the product rule."""
    out = np.zeros((n, len(coding.names)))
    for part in coding.parts:
        for name in part.factors:
            if name in slopes:
                share = np.empty((n, part.columns.stop - part.columns.start))
                _fill_part(share, part, {**values, name: slopes[name]}, slice(0, n))
                out[:, part.columns] += share
    return out
