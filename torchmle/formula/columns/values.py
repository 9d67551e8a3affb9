"""Values of variables and factors: what patsy would call numeric or categorical, and which of them are missing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import patsy.builtins

from ...errors import FormulaError
from .levels import UNSEEN, Coded, factorize
from .missing import missing_rows, typed
from .problems import at_rows

Values = Any  # a pandas Series or extension array, or a numpy array: whatever the user's expression will be given
_Box = type(patsy.builtins.C(()))  # what C(...) evaluates to
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")


class Column:
    """One variable over all the rows the user gave."""

    def __init__(self, name: str, values: Values):
        self.name = name
        self.values = values

    @cached_property
    def numeric(self) -> bool:
        """Whether it enters a design as numbers."""
        return is_numeric(self.values)

    @cached_property
    def coded(self) -> Coded:
        """The column as a categorical; strings are looked at once, here."""
        return factorize(self.values)

    def missing(self, as_levels: bool) -> np.ndarray | None:
        """Mask of missing values, or None when there are none."""
        return self.coded.missing() if as_levels else missing_rows(self.values)


class Variables(Mapping[str, Any]):
    """The variables of the formulas at some rows, as plain numpy-backed values.

    Parameters
    ----------
    columns : mapping of str to Column
    index : Index
        Labels of all rows.
    rows : ndarray of bool, optional
        Which rows; None for all.
    """

    def __init__(self, columns: Mapping[str, Column], index: pd.Index, rows: np.ndarray | None = None):
        self.columns = columns
        self.rows = rows
        self.index = index if rows is None else index[rows]
        self.n = len(self.index)
        self._cache: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Values in double precision, so that an expression is computed in it."""
        return promote(self.as_stored(name))

    def as_stored(self, name: str) -> Any:
        """Values in the column's own precision, which is enough (and no copy) where they are only copied to a design."""
        if name not in self._cache:
            values = self.columns[name].values
            self._cache[name] = plain(values if self.rows is None else values[self.rows])
        return self._cache[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def coded(self, name: str) -> Coded:
        """Variable ``name`` as a categorical."""
        coded = self.columns[name].coded
        return coded if self.rows is None else replace(coded, codes=coded.codes[self.rows])


class AsLevels(Mapping[str, Any]):
    """View of `Variables` in which the categorical ones (or all, if ``every``) are `Coded`."""

    def __init__(self, variables: Variables, every: bool):
        self.variables = variables
        self.every = every

    def __getitem__(self, name: str) -> Any:
        if self.every or not self.variables.columns[name].numeric:
            return self.variables.coded(name)
        return self.variables.as_stored(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)


def complete_rows(columns: Mapping[str, Column], as_levels: Container[str]) -> np.ndarray | None:
    """Mask of the rows in which no variable is missing; None when all are complete.

    Variables in ``as_levels`` are coded to find out, which is needed later anyway.
    """
    missing = None
    for name, column in columns.items():
        mask = column.missing(name in as_levels)
        if mask is not None:
            missing = mask if missing is None else missing | mask
    return None if missing is None else ~missing


def is_numeric(values: Values) -> bool:
    """Whether values are numbers: not booleans; objects only if each one is a number (patsy makes those categories)."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _holds_numbers(values)
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def plain(values: Values) -> Values:
    """Nullable, Arrow, sparse and object numbers as ordinary numpy-backed ones; other values as they are."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind != "O":
        return values
    if is_numeric(values):
        return _like(values, _numbers(values))
    if pd.api.types.is_bool_dtype(values.dtype) and not isinstance(values.dtype, np.dtype):
        return _like(values, values.to_numpy(dtype=object if np.asarray(pd.isna(values)).any() else bool))
    return values


def promote(values: Values) -> Values:
    """Short floats and integers as float64 and int64: the square root of an int8 would be a float16."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.itemsize < 8 and dtype.kind in "iuf":
        return values.astype(np.float64 if dtype.kind == "f" else np.int64)
    return values


def numeric_array(values: Values) -> np.ndarray:
    """Numbers as a numpy array of their own numeric type (float64 with NaN if any is missing)."""
    return np.asarray(plain(values))


def classify(value: Any, index: pd.Index, name: str) -> Coded | np.ndarray:
    """A factor's evaluated value as `Coded`, or as numbers of shape (n, w).

    Raises
    ------
    FormulaError
        If it does not have one value, or one row of values, for each of the n labels of ``index``.
    """
    n = len(index)
    if isinstance(value, _Box):
        return _boxed(value, index, name)
    if isinstance(value, Coded):
        return value
    if isinstance(value, pd.DataFrame):
        value = value.to_numpy()
    value = typed(value)
    if not value.ndim or len(value) != n:
        given = f"{len(value)} values" if value.ndim else "a single value"
        raise FormulaError(f"{name!r} gives {given} for {n} rows")
    if not is_numeric(value):
        return factorize(value)
    numbers = numeric_array(value)
    if numbers.ndim > 2 or numbers.dtype.kind == "c":
        raise FormulaError(f"{name!r} must be real numbers in at most two dimensions")
    return numbers if numbers.ndim == 2 else numbers[:, None]


def _boxed(box: Any, index: pd.Index, name: str) -> Coded:
    coded = box.data if isinstance(box.data, Coded) else factorize(typed(box.data))
    if len(coded.codes) != len(index):
        raise FormulaError(f"{name!r} gives {len(coded.codes)} values for {len(index)} rows")
    if box.levels is None:
        return replace(coded, contrast=box.contrast)
    levels = tuple(box.levels)
    codes = coded.recode(levels)
    if (codes == UNSEEN).any():
        row = int(np.argmax(codes == UNSEEN))
        raise FormulaError(
            f"{name!r}: level {coded.levels[coded.codes[row]]!r} ({at_rows([index[row]])}) is not among the levels "
            f"given: {', '.join(map(str, levels))}"
        )
    return Coded(codes, levels, box.contrast, fixed=True)


def _holds_numbers(values: Values) -> bool:
    # The first value usually settles it: strings, the common case, are not looked at twice.
    flat = np.asarray(values).ravel()
    first = next((value for value in flat if value is not None and value is not pd.NA), None)
    if isinstance(first, bool) or not isinstance(first, (Real, Decimal)):
        return False
    return pd.api.types.infer_dtype(flat, skipna=True) in _NUMBERS


def _numbers(values: Values) -> np.ndarray:
    missing = np.asarray(pd.isna(values))
    if isinstance(values.dtype, np.dtype):  # Python numbers
        return np.where(missing, np.nan, np.asarray(values)).astype(np.float64)
    if missing.any() or not pd.api.types.is_integer_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return values.to_numpy(dtype=np.int64)


def _like(values: Values, array: np.ndarray) -> Values:
    return pd.Series(array, index=values.index, name=values.name) if isinstance(values, pd.Series) else array
