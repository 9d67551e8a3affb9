"""One way to read columns from pandas, polars, pyarrow and dicts; only columns that are asked for are converted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...errors import FormulaError
from .missing import typed


class Source:
    """Columns of the user's data by name.

    Parameters
    ----------
    data : DataFrame, polars.DataFrame, pyarrow.Table, structured array, mapping of str to array, or None
        A Series is one row. None stands for no columns (all variables then come from the caller's scope).
    n : int, optional
        Number of rows, where the data do not say.
    index : Index, optional
        Row labels, where the data do not say.

    Attributes
    ----------
    names : tuple of str
        Column names.
    """

    def __init__(self, data: Any, n: int | None = None, index: pd.Index | None = None):
        if isinstance(data, pd.Series):
            data = data.to_frame().T.infer_objects()
        elif hasattr(data, "collect"):  # a polars LazyFrame
            data = data.collect()
        self._data = data
        self.names = _names(data)
        self._n = _rows(data) if n is None else n
        self._index = data.index if isinstance(data, pd.DataFrame) else index

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def index(self) -> pd.Index | None:
        """Row labels of pandas data; None for data without labels."""
        return self._index

    @property
    def n(self) -> int:
        """Number of rows; a mapping's is that of the first column read."""
        if self._n is None:
            if not self.names:
                raise FormulaError("the number of rows is unknown: the formulas use no column of the data")
            self._n = len(self.column(self.names[0]))
        return self._n

    def labels(self) -> pd.Index:
        """Row labels, 0 … n-1 where the data have none."""
        return pd.RangeIndex(self.n) if self._index is None else self._index

    def adopt(self, values: Any) -> None:
        """Take the number of rows, and the labels of a Series, from the first variable that is not in the data."""
        if self._n is None and not self.names:
            self._n = len(values)
            self._index = values.index if isinstance(values, pd.Series) else None

    def column(self, name: str) -> Any:
        """Column ``name``: a Series from a frame, an array from a mapping."""
        column = self._data[name]
        if isinstance(column, pd.DataFrame):
            raise FormulaError(f"the data have {column.shape[1]} columns called {name!r}; rename all but one")
        module = type(column).__module__.partition(".")[0]
        if module == "polars":
            column = _from_polars(column)
        elif module == "pyarrow":
            column = column.to_pandas()
        return column if isinstance(self._data, pd.DataFrame) else self._checked(name, column)

    def _checked(self, name: str, column: Any) -> Any:
        values = typed(column)
        if values.ndim == 0:
            values = np.repeat(np.asarray(values), self._n or 1)
        if self._n is None:
            self._n = len(values)
        if len(values) != self._n:
            raise FormulaError(f"column {name!r} has {len(values)} rows, other columns have {self._n}")
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
        codes = column.to_physical().cast(polars.Int64).fill_null(-1).to_numpy()
        return pd.Series(pd.Categorical.from_codes(codes, levels))
    if isinstance(column.dtype, polars.Categorical):
        column = column.cast(polars.String)
    elif column.dtype.is_decimal():
        column = column.cast(polars.Float64)
    return pd.Series(column.to_numpy())
