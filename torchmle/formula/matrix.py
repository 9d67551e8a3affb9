"""Fill a design matrix from factor values: the only loop over rows, in blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .coding import Coding, Part

_BLOCK_BYTES = 1 << 20


def fill(coding: Coding, values: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Design matrix of shape (n, k), float64, rows contiguous.

    Parameters
    ----------
    coding : Coding
    values : mapping of str to ndarray
        Codes (n,) of each categorical factor, numbers (n, width) of each numeric one.
    n : int
        Rows.

    Notes
    -----
    A column of a product is the product of one column per factor, the first factor's columns varying fastest, as in patsy.
    """
    out = np.empty((n, len(coding.names)))
    rows = max(1, _BLOCK_BYTES // (8 * max(1, len(coding.names))))
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        for part in coding.parts:
            _fill_part(out[block, part.columns], part, values, block)
    return out


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
