"""`add_constant`: a column of ones for designs given as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

CHOICES = ("skip", "raise", "add")


def add_constant(data: Any, prepend: bool = True, has_constant: str = "skip") -> Any:
    """A design with a column of ones, called ``const`` where columns have names.

    Parameters
    ----------
    data : DataFrame, Series, polars.DataFrame or array_like
        (n, k), or (n,) for one column.
    prepend : bool
        Put the constant first rather than last.
    has_constant : {"skip", "raise", "add"}
        What to do when some column is constant (and not zero) already: leave the design as it is, refuse, or add
        another.

    Returns
    -------
    DataFrame, polars.DataFrame or ndarray
        New; of the kind that was given.

    Raises
    ------
    ValueError
        An array with more than two dimensions, or a constant column under ``has_constant="raise"``.
    """
    if has_constant not in CHOICES:
        raise ValueError(f"has_constant must be one of {', '.join(map(repr, CHOICES))}, not {has_constant!r}")
    if isinstance(data, (pd.Series, pd.DataFrame)):
        frame = data.to_frame() if isinstance(data, pd.Series) else data.copy()
        if _skipped(frame.to_numpy(), list(frame.columns), has_constant):
            return frame
        frame.insert(0 if prepend else frame.shape[1], "const", 1.0)
        return frame
    if hasattr(data, "insert_column"):  # polars
        if _skipped(data.to_numpy(), list(data.columns), has_constant):
            return data.clone()
        ones = type(data)({"const": np.ones(len(data))})["const"]
        return data.clone().insert_column(0 if prepend else data.width, ones)
    return _to_array(data, prepend, has_constant)


def _to_array(data: Any, prepend: bool, has_constant: str) -> Any:
    values = np.asarray(data)
    if values.dtype.names:
        raise ValueError("data has named columns; pass pandas.DataFrame(data)")
    if values.ndim > 2:
        raise ValueError(f"Only implemented for 2-dimensional arrays; data has shape {values.shape}")
    values = values.reshape(len(values), -1)
    if _skipped(values, list(range(values.shape[1])), has_constant):
        return values.copy()
    ones = np.ones((len(values), 1))
    return np.hstack([ones, values] if prepend else [values, ones])


def _skipped(values: Any, names: list[Any], has_constant: str) -> bool:
    """Whether the design stays as it is."""
    if has_constant == "add" or not len(values):
        return False
    try:
        constant = np.flatnonzero(((values == values[0]) & (values != 0)).all(axis=0))
    except TypeError:
        return False
    if len(constant) and has_constant == "raise":
        raise ValueError(f"Column(s) {', '.join(str(names[at]) for at in constant)} are constant.")
    return bool(len(constant))
