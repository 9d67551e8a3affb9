"""New rows for a design that was made from matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data import Data
from ..errors import FormulaError
from .arrays import read_matrix
from .columns.rowargs import LINEAR, argument_tensor, read_arguments
from .columns.source import Source
from .design import Rows

if TYPE_CHECKING:
    from .design import Design


def rows_of_matrices(design: Design, data: Any, arguments: Mapping[str, Any] | None) -> Rows:
    """Rows from a matrix for the first predictor, or a mapping with one matrix per predictor.

    Columns with the names of the fit in another order go by name, all others by position, whatever their names.
    A predictor that is not given must be a constant.

    Raises
    ------
    ValueError
        If a matrix does not have as many columns as in training, or one is needed and not given.
    """
    made_of = {**design.row_names, **{name: factor.name for name, factor in design.row_factors.items()}}
    for name in set(made_of) & set(LINEAR) - set(arguments or ()):
        raise FormulaError(f"the model was fitted with {name}={made_of[name]!r}; pass {name}= for the new rows")
    given = _by_predictor(design, data)
    x: dict[str, Tensor] = {}
    index = None
    for name, value in given.items():
        matrix = _as_rows(value, len(design.columns[name]))
        x[name] = _in_order(matrix.values, matrix.names, design.columns[name])
        index = matrix.index if index is None else index
    n = len(next(iter(x.values())))
    for name, columns in design.columns.items():
        if name not in x:
            x[name] = _constant(name, columns, n)
    values, _ = read_arguments(arguments, Source(None, n, index))
    rows = Data(
        None,
        {name: x[name] for name in design.columns},
        {name: argument_tensor(name, value, None) for name, value in values.items()},
    )
    return Rows(rows, index, None, 0, design)


def _by_predictor(design: Design, data: Any) -> dict[str, Any]:
    if not design.columns:
        raise ValueError("the model has no design matrix, so there are no rows to make")
    if isinstance(data, Mapping):
        if set(data) <= set(design.columns):
            return dict(data)
        data = pd.DataFrame(dict(data))
    return {next(iter(design.columns)): data}


def _as_rows(value: Any, k: int) -> Any:
    if isinstance(value, pd.Series) and k != 1:
        value = value.to_frame().T  # one row, labelled by the name
    if not isinstance(value, (pd.DataFrame, Tensor)):
        array = np.asarray(value)
        if array.ndim < 2 and k != 1 and not array.dtype.names:
            value = array.reshape(1, -1)  # one row
    matrix = read_matrix(value)
    if matrix.values.shape[1] != k:
        raise ValueError(f"shapes {tuple(matrix.values.shape)} and ({k},) not aligned: the model has {k} columns")
    return matrix


def _in_order(values: Tensor, names: tuple[str, ...], wanted: tuple[str, ...]) -> Tensor:
    """The columns in the order of the fit, where their names are those of the fit."""
    if names == wanted or len(set(names)) < len(names) or sorted(names) != sorted(wanted):
        return values
    return values[:, [names.index(name) for name in wanted]]


def _constant(name: str, columns: tuple[str, ...], n: int) -> Tensor:
    if columns not in (("const",), ("Intercept",)):
        raise ValueError(f"the design matrix of {name} (columns {', '.join(columns)}) is needed too: pass a dict")
    return torch.ones(n, 1, dtype=torch.float64)
