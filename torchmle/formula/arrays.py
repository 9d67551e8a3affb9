"""Designs from matrices: endog and exog as in statsmodels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data import Data
from ..data.tensors import as_double
from ..errors import MissingDataError
from .columns.levels import factorize
from .columns.missing import typed
from .columns.rowargs import argument_tensor, missing_argument, read_arguments
from .columns.source import Source
from .columns.values import is_numeric, numeric_array, plain
from .design import Design, Rows

_NOTHING: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Matrix:
    """A matrix of the user's as a tensor, its column names if it had any, and its index."""

    values: Tensor
    names: tuple[str, ...] = _NOTHING
    index: pd.Index | None = None
    levels: tuple[Any, ...] | None = None


def design_from_arrays(
    endog: Any,
    exogs: Mapping[str, Any],
    *,
    arguments: Mapping[str, Any] | None = None,
    missing: str = "none",
    classes: bool = False,
) -> Rows:
    """Make a design and its rows from matrices.

    Parameters
    ----------
    endog : array_like, shape (n,) or (n, q)
        Response; also a Series, a DataFrame or a tensor.
    exogs : mapping of str to array_like, shapes (n,) or (n, k_j)
        Design matrix of each predictor; None stands for a constant.
    arguments : mapping of str to array_like, optional
        Row-shaped arguments: arrays go by position, a Series is aligned by index when endog or exog has one.
    missing : {"none", "drop", "raise"}
        "none" looks for NaN and inf and raises, "drop" leaves incomplete rows out everywhere.
    classes : bool
        Whether the model takes a categorical response with any number of levels.

    Returns
    -------
    Rows
        Float64 arrays share the user's memory, and tensors stay on their device.

    Raises
    ------
    ValueError
        If the sizes or indices do not agree.
    MissingDataError
        If values are missing or infinite.
    """
    if missing not in ("none", "drop", "raise"):
        raise ValueError(f"missing option {missing} not understood")
    y = _read_endog(endog, classes)
    x = {name: _read_exog(value, len(y.values)) for name, value in exogs.items()}
    index = _common_index(y, x)
    given, _ = read_arguments(arguments, Source(None, len(y.values), index))
    kept = _kept_rows(y, x, given, missing)
    names = {name: _column_names(matrix) for name, matrix in x.items()}
    response = _response_names(y)
    design = Design(
        formulas={},
        response=response,
        response_label=response[0] if len(response) == 1 else str(list(response)),
        columns=names,
        terms={name: {column: slice(at, at + 1) for at, column in enumerate(names[name])} for name in names},
        row_names={},
        pandas=index is not None,
        response_levels=y.levels,
    )
    data = Data(
        _take(y.values, kept),
        {name: _take(matrix.values, kept) for name, matrix in x.items()},
        {name: argument_tensor(name, value, kept) for name, value in given.items()},
    )
    dropped = 0 if kept is None else int((~kept).sum())
    return Rows(data, index if index is None or kept is None else index[kept], kept, dropped, design)


def read_matrix(value: Any) -> _Matrix:
    """Numbers of shape (n, k) from an array, Series, frame or tensor."""
    if getattr(value, "ndim", 1) > 2:
        raise ValueError(f"data must be vectors or matrices, not of shape {tuple(value.shape)}")
    if isinstance(value, Tensor):
        values = as_double(value)
        return _Matrix(values.reshape(-1, 1) if values.ndim == 1 else values)
    if isinstance(value, pd.Series):
        name = _NOTHING if value.name is None else (str(value.name),)
        return _Matrix(as_double(numeric_array(value)).reshape(-1, 1), name, value.index)
    if isinstance(value, pd.DataFrame):
        return _Matrix(_frame_values(value), tuple(_joined(column) for column in value.columns), value.index)
    if hasattr(value, "to_pandas") and hasattr(value, "columns"):  # polars, pyarrow
        source = Source(value)
        return read_matrix(pd.DataFrame({name: plain(source.column(name)) for name in source.names}))
    array = np.asarray(value)
    if array.dtype.names:
        columns = [np.asarray(array[name], dtype=np.float64) for name in array.dtype.names]
        return _Matrix(as_double(np.column_stack(columns)), tuple(array.dtype.names))
    values = as_double(array)
    names = getattr(getattr(value, "design_info", None), "column_names", _NOTHING)  # of patsy; a part of it has none
    return _Matrix(values.reshape(-1, 1) if values.ndim < 2 else values, tuple(names))


def _frame_values(frame: pd.DataFrame) -> Tensor:
    kinds = {dtype.kind for dtype in frame.dtypes if isinstance(dtype, np.dtype)}
    if len(kinds) and kinds <= set("fiub") and all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return as_double(frame.to_numpy(dtype=np.float64))
    out = np.empty(frame.shape)
    for at, name in enumerate(frame.columns):
        values = numeric_array(frame.iloc[:, at])
        if values.dtype.kind in "mM":
            raise ValueError(f"could not convert column {_joined(name)!r} to float: it holds dates or times")
        try:
            out[:, at] = values
        except ValueError as error:
            raise ValueError(f"column {_joined(name)!r}: {error}") from None
    return as_double(out)


def _joined(column: Any) -> str:
    """The name of a column; of several levels, their names joined as statsmodels joins them."""
    return "_".join(str(level) for level in column if level) if isinstance(column, tuple) else str(column)


def _read_exog(value: Any, n: int) -> _Matrix:
    if value is None:
        return _Matrix(torch.ones(n, 1, dtype=torch.float64), ("const",))
    matrix = read_matrix(value)
    if not matrix.values.shape[1]:
        raise ValueError("exog has no columns")
    if len(matrix.values) != n:
        raise ValueError(f"endog and exog matrices are different sizes: {n} and {len(matrix.values)} rows")
    return matrix


def _read_endog(value: Any, classes: bool) -> _Matrix:
    if isinstance(value, pd.DataFrame) and value.shape[1] == 1:
        value = value.iloc[:, 0]
    if not isinstance(value, (Tensor, pd.DataFrame)):
        value = typed(value)
    if not isinstance(value, (Tensor, pd.DataFrame)) and value.ndim == 1 and not is_numeric(value):
        return _read_classes(value, classes)
    matrix = read_matrix(value)
    values = matrix.values[:, 0] if matrix.values.shape[1] == 1 else matrix.values
    return _Matrix(values, matrix.names, matrix.index)


def _read_classes(value: Any, classes: bool) -> _Matrix:
    """A response of classes: codes of its levels; booleans and two levels are 0 and 1."""
    coded = factorize(value).used()
    if not classes and len(coded.levels) != 2:
        raise ValueError(f"could not convert string to float: endog has the values {list(coded.levels[:5])}")
    codes = np.where(coded.codes < 0, np.nan, coded.codes)
    series = isinstance(value, pd.Series)
    names = (str(value.name),) if series and value.name is not None else _NOTHING
    return _Matrix(as_double(codes), names, value.index if series else None, coded.levels)


def _common_index(y: _Matrix, x: Mapping[str, _Matrix]) -> pd.Index | None:
    index = y.index
    for matrix in x.values():
        if matrix.index is None:
            continue
        if index is not None and not index.equals(matrix.index):
            raise ValueError("The indices for endog and exog are not aligned")
        index = matrix.index
    return index


def _kept_rows(
    y: _Matrix, x: Mapping[str, _Matrix], given: Mapping[str, np.ndarray], missing: str
) -> np.ndarray | None:
    """Mask of complete rows for "drop", else None; raises where values are missing or infinite and must not be."""
    everything = {"endog": y.values, **{_label(name, x): matrix.values for name, matrix in x.items()}}
    bad = [name for name, values in everything.items() if not _all_finite(values)]
    masks = {name: missing_argument(name, value) for name, value in given.items()}
    absent = [name for name, mask in masks.items() if mask is not None]
    if not bad and not absent:
        return None
    if missing == "none":
        raise MissingDataError(f"{(bad + absent)[0]} contains inf or nans")
    gone = torch.zeros(len(y.values), dtype=torch.bool)
    for name in bad:
        gone |= everything[name].isnan().reshape(len(gone), -1).any(dim=1).cpu()
    for name in absent:
        gone |= torch.from_numpy(masks[name])
    if missing == "raise" and gone.any():
        raise MissingDataError("NaNs were encountered in the data")
    kept = ~gone
    for name in bad:
        if not _all_finite(everything[name][kept.to(everything[name].device)]):
            raise MissingDataError(f"{name} contains inf or nans")
    return kept.numpy() if gone.any() else None


def _label(name: str, x: Mapping[str, _Matrix]) -> str:
    return "exog" if name == next(iter(x)) else f"exog of {name}"


def _all_finite(values: Tensor) -> bool:
    # NaN and inf carry over to the sum, which needs no mask as large as the data; a sum may also overflow, though
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())


def _column_names(matrix: _Matrix) -> tuple[str, ...]:
    """Names of a design matrix's columns; an unnamed constant column is ``const``, the others x1, x2, …"""
    if matrix.names:
        return matrix.names
    k = matrix.values.shape[1]
    constant = constant_columns(matrix.values) if len(matrix.values) else []
    names = [f"x{at}" for at in range(1, k + 1 - bool(constant))]
    if constant:
        names.insert(constant[0], "const")
    return tuple(names)


def constant_columns(values: Tensor) -> list[int]:
    """Positions of the columns whose values are all the same."""
    # the first rows rule out nearly all columns, so that a pass over the data looks at one or two
    head = values[:64]
    candidates = torch.nonzero((head == head[0]).all(dim=0)).flatten().tolist()
    return [column for column in candidates if bool((values[:, column] == values[0, column]).all())]


def _response_names(y: _Matrix) -> tuple[str, ...]:
    if y.names:
        return y.names
    return ("y",) if y.values.ndim == 1 else tuple(f"y{at + 1}" for at in range(y.values.shape[1]))


def _take(values: Tensor, kept: np.ndarray | None) -> Tensor:
    return values if kept is None else values[torch.from_numpy(kept).to(values.device)]
