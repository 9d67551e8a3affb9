"""Row-shaped arguments beside the formula: offset, weights, groups … as a column name, a Series or an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..data.tensors import as_double
from ..errors import FormulaError
from .problems import unknown_name
from .source import Source
from .values import factorize, is_numeric, missing_rows, numeric_array, plain

GROUPING = ("groups", "group", "cluster", "clusters", "strata", "by")
"""Arguments whose values are labels: they become integer codes."""


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
        raise FormulaError(f"{name} has {len(series)} rows, the data have {len(index)}")
    if not series.index.is_unique or not index.is_unique:
        raise FormulaError(f"{name}: its index differs from the data's and has repeated labels; pass {name}.to_numpy()")
    positions = series.index.get_indexer(index)
    if (positions < 0).any():
        label = index[np.argmax(positions < 0)]
        raise FormulaError(
            f"{name}: its index does not have the label {label!r} of the data; align it, or pass an array to go by position"
        )
    return series.iloc[positions]


def read_arguments(
    arguments: Mapping[str, Any] | None, source: Source, n: int
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Full-length values of each argument that is not None, and the column names of those given by name."""
    values, names = {}, {}
    for name, value in (arguments or {}).items():
        if value is None:
            continue
        if isinstance(value, str):
            names[name] = value
        values[name] = read_argument(name, value, source, n)
    return values, names


def read_argument(name: str, value: Any, source: Source, n: int) -> np.ndarray:
    """One row-shaped argument as an array of n values (numbers, or labels for grouping arguments).

    Raises
    ------
    FormulaError
        For an unknown column, a wrong length, an index that is not the data's, or values that are not numbers.
    """
    if isinstance(value, str):
        if value not in source:
            raise unknown_name(value, source.names, role=f"{name} column")
        value = source.column(value)
    elif isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    elif isinstance(value, pd.Series) and source.index is not None:
        value = align(name, value, source.index)
    elif not hasattr(value, "dtype") or type(value).__module__.startswith(("polars", "pyarrow")):
        value = np.asarray(value)
    if value.ndim == 2 and value.shape[1] == 1:
        value = value[:, 0]
    if value.ndim == 0:
        value = np.repeat(np.asarray(value), n)
    if len(value) != n:
        raise FormulaError(f"Shape mismatch: {name} has {len(value)} rows, the data have {n}")
    return _checked(name, value)


def _checked(name: str, value: Any) -> np.ndarray:
    if name in GROUPING:
        return factorize(value).codes if value.ndim == 1 else np.asarray(value)
    if not is_numeric(value) and not pd.api.types.is_bool_dtype(value.dtype):
        raise FormulaError(f"{name} must be numbers; got values of type {value.dtype}")
    return numeric_array(plain(value))


def missing_argument(name: str, value: np.ndarray) -> np.ndarray | None:
    """Mask of its missing values, or None when there are none."""
    if name not in GROUPING:
        return missing_rows(value)
    missing = value < 0
    return missing if missing.any() else None


def argument_tensor(name: str, value: np.ndarray, rows: np.ndarray | None) -> torch.Tensor:
    """Values of the kept rows: int64 codes for grouping arguments, float64 for the rest."""
    kept = value if rows is None else value[rows]
    return torch.as_tensor(kept, dtype=torch.int64) if name in GROUPING else as_double(kept)


def late_column(
    value: Any, frame: Any, kept: np.ndarray | None, index: pd.Index | None, name: str
) -> np.ndarray:
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
    """
    if isinstance(value, str):
        source = Source(frame)
        if value not in source:
            raise unknown_name(value, source.names, role=f"{name} column")
        value = source.column(value)
    elif isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    elif isinstance(value, pd.Series) and index is not None:
        value = _late_series(name, value, frame, kept, index)
    values = np.asarray(plain(value) if hasattr(value, "dtype") else value)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    return _late_rows(name, values, kept, None if index is None else len(index))


def _late_series(name: str, value: pd.Series, frame: Any, kept: np.ndarray | None, index: pd.Index) -> pd.Series:
    if len(value) == len(index):
        return align(name, value, index)
    return align(name, value, frame.index) if isinstance(frame, pd.DataFrame) else value


def _late_rows(name: str, values: np.ndarray, kept: np.ndarray | None, n: int | None) -> np.ndarray:
    rows = n if kept is None else int(np.count_nonzero(kept))
    if rows is None or len(values) == rows:
        return values
    if kept is not None and len(values) == len(kept):
        return values[kept]
    whole = "" if kept is None else f" (the data have {len(kept)}, of which {rows} are used)"
    raise FormulaError(f"{name} has {len(values)} rows, the model has {rows}{whole}")
