"""One way to read columns from pandas, polars, pyarrow and dicts; only columns that are asked for are converted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..errors import FormulaError


class Source:
    """Columns of the user's data by name.

    Parameters
    ----------
    data : DataFrame, polars.DataFrame, pyarrow.Table, mapping of str to array, or None
        A Series is one row. None stands for no columns (all variables then come from the caller's scope).

    Attributes
    ----------
    names : tuple of str
    n : int or None
        Rows; None while a mapping's length is unknown because no column has been read.
    index : Index or None
        Row labels of pandas data.
    """

    def __init__(self, data: Any):
        if isinstance(data, pd.Series):
            data = data.to_frame().T.infer_objects()
        if hasattr(data, "collect"):
            data = data.collect()  # polars LazyFrame
        self._data = data
        self.names = _names(data)
        self.index = data.index if isinstance(data, pd.DataFrame) else None
        self.n = _rows(data)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def column(self, name: str) -> pd.Series | np.ndarray:
        """Column ``name``: a Series from a frame, an array from a mapping."""
        column = self._data[name]
        if isinstance(column, pd.DataFrame):
            raise FormulaError(f"the data have {column.shape[1]} columns called {name!r}; rename all but one")
        if isinstance(column, pd.Series):
            return column
        module = type(column).__module__.partition(".")[0]
        if module == "polars":
            return _from_polars(column)
        if module == "pyarrow":
            return column.to_pandas()
        return self._from_mapping(name, column)

    def _from_mapping(self, name: str, column: Any) -> np.ndarray:
        values = column if isinstance(column, pd.Categorical) else np.asarray(column)
        if values.ndim == 0:
            values = np.repeat(values, self.n or 1)
        if self.n is None:
            self.n = len(values)
        if len(values) != self.n:
            raise FormulaError(f"column {name!r} has {len(values)} rows, other columns have {self.n}")
        return values


def _names(data: Any) -> tuple[str, ...]:
    if data is None:
        return ()
    if isinstance(data, Mapping):
        return tuple(data)
    for attribute in ("column_names", "columns"):  # pyarrow has both, and its columns are arrays
        if hasattr(data, attribute):
            return tuple(getattr(data, attribute))
    if getattr(getattr(data, "dtype", None), "names", None):
        return tuple(data.dtype.names)
    raise FormulaError(
        f"data is a {type(data).__name__}; a formula needs a pandas or polars DataFrame, a pyarrow Table or a dict"
    )


def _rows(data: Any) -> int | None:
    if data is None or isinstance(data, Mapping):
        return None
    return int(data.num_rows) if hasattr(data, "num_rows") else len(data)


def _from_polars(column: Any) -> pd.Series:
    polars = sys.modules["polars"]  # loaded, or there would be no polars column
    if isinstance(column.dtype, polars.Enum):
        levels = column.dtype.categories.to_list()
        codes = column.to_physical().fill_null(len(levels)).to_numpy().astype(np.int64)
        return pd.Series(pd.Categorical.from_codes(np.where(codes == len(levels), -1, codes), levels))
    if column.dtype == polars.Categorical:
        column = column.cast(polars.String)
    elif column.dtype.is_decimal():
        column = column.cast(polars.Float64)
    return pd.Series(column.to_numpy())
