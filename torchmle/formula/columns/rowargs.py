"""Row-shaped arguments beside the formula: offset, weights, groups … as a column name, a Series or an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...data.tensors import as_double
from ...errors import FormulaError
from .levels import factorize
from .missing import missing_rows, typed
from .problems import unknown_name
from .source import Source
from .values import is_numeric, numeric_array, plain

GROUPING = ("groups", "group", "cluster", "clusters", "strata", "by")
"""Arguments whose values are labels: they become integer codes."""


LINEAR = ("offset", "exposure")
"""Arguments that every prediction depends on."""


def align(name: str, series: pd.Series, index: pd.Index) -> pd.Series:
    """The Series in the order of ``index``.

    Raises
    ------
    FormulaError
        If its labels are not those of the data, or cannot be matched because they are repeated.
    """
    if series.index.equals(index):
        return series
    if len(series) != len(index):
        raise _shape_mismatch(name, len(series), len(index))
    if not series.index.is_unique or not index.is_unique:
        raise FormulaError(f"{name}: its index differs from the data's and has repeated labels; pass {name}.to_numpy()")
    positions = series.index.get_indexer(index)
    if (positions < 0).any():
        label = index[int(np.argmax(positions < 0))]
        raise FormulaError(
            f"{name}: its index lacks the label {label!r} of the data; align it, or pass {name}.to_numpy() to go by "
            "position"
        )
    return series.iloc[positions]


def read_arguments(arguments: Mapping[str, Any] | None, source: Source) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Full-length values of each argument that is not None, and the column names of those given by name."""
    present = {name: value for name, value in (arguments or {}).items() if value is not None}
    values = {name: read_argument(name, value, source) for name, value in present.items()}
    return values, {name: value for name, value in present.items() if isinstance(value, str)}


def read_argument(name: str, value: Any, source: Source) -> np.ndarray:
    """One row-shaped argument as an array of n values: numbers, or integer codes for grouping arguments.

    Raises
    ------
    FormulaError
        For an unknown column, a wrong length, an index that is not the data's, or values that are not numbers.
    """
    value = as_array(name, value, source)
    if value.ndim == 0:
        value = np.repeat(np.asarray(value), source.n)
    if len(value) != source.n:
        raise _shape_mismatch(name, len(value), source.n)
    if name in GROUPING:
        return factorize(value).codes.astype(np.int64)
    if not is_numeric(value) and not pd.api.types.is_bool_dtype(value.dtype):
        raise FormulaError(f"{name} must be numbers; got values of type {value.dtype}")
    return numeric_array(value)


def as_array(name: str, value: Any, source: Source) -> Any:
    """A column's values by its name, a Series in the order of the data, anything else as an array."""
    if isinstance(value, str):
        if not source.names:
            raise FormulaError(f"{name}={value!r}: a column name needs a formula and data; pass the values instead")
        if value not in source:
            raise unknown_name(value, source.names, role=f"{name} column")
        return source.column(value)
    if isinstance(value, pd.Series) and source.index is not None:
        return align(name, value, source.index)
    value = typed(value.to_numpy() if isinstance(value, pd.DataFrame) else value)
    return value[:, 0] if value.ndim == 2 and value.shape[1] == 1 else value


def missing_argument(name: str, value: np.ndarray) -> np.ndarray | None:
    """Mask of its missing values, or None when there are none."""
    if name not in GROUPING:
        return missing_rows(value)
    missing = value < 0
    return missing if missing.any() else None


def argument_tensor(name: str, value: np.ndarray, rows: np.ndarray | None) -> torch.Tensor:
    """Values of the kept rows: int64 codes for grouping arguments, float64 for the rest."""
    kept = value if rows is None else value[rows]
    return torch.as_tensor(kept) if name in GROUPING else as_double(kept)


def late_column(value: Any, frame: Any, kept: np.ndarray | None, index: pd.Index | None, name: str) -> np.ndarray:
    """Values for the rows of a fitted model of an argument given after the model was built (cluster groups).

    Parameters
    ----------
    value : str, Series, or array_like
        Column name of ``frame``; Series aligned by index; array as long as the frame or as the kept rows.
    frame : object
        The data the model was built from, or None.
    kept : ndarray of bool, or None
        Which rows of the frame the model kept; None for all.
    index : Index or None
        Labels of the kept rows.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray, shape (n kept,)
        As given (labels are not coded). Missing values are left for the caller to refuse.

    Raises
    ------
    FormulaError
        For an unknown column, a length that fits neither, or an index that is not the model's.
    """
    if isinstance(value, pd.Series) and index is not None and len(value) == len(index):
        return np.asarray(plain(align(name, value, index)))
    whole = frame.index if isinstance(frame, pd.DataFrame) else None
    values = np.asarray(plain(as_array(name, value, Source(frame if isinstance(value, str) else None, index=whole))))
    rows = None if kept is None else int(np.count_nonzero(kept))
    if kept is not None and len(values) == len(kept):
        return values[kept]
    expected = rows if index is None else len(index)
    if expected is not None and len(values) != expected:
        raise _shape_mismatch(name, len(values), expected)
    return values


def _shape_mismatch(name: str, given: int, expected: int) -> FormulaError:
    return FormulaError(
        f"Shape mismatch between endog/exog and extra arrays given to model: {name} is not the same length as endog; "
        f"{name} has {given} rows, the data have {expected}"
    )
