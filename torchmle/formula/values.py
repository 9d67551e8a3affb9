"""Values of variables and factors: numbers, or integer codes with levels; and which of them are missing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import patsy.builtins

from ..errors import FormulaError

Values = Any  # a pandas Series or Categorical, or a numpy array: whatever the user's expression will be given
_Box = type(patsy.builtins.C(()))  # what C(...) evaluates to


@dataclass(frozen=True)
class Coded:
    """A categorical: ``levels[codes[i]]`` is row i's level, -1 a missing value.

    ``fixed`` levels were given by the user in ``C(g, levels=...)`` and stay even when no row has them.
    """

    codes: np.ndarray
    levels: tuple[Hashable, ...]
    contrast: Any = None
    fixed: bool = False

    def missing(self) -> np.ndarray | None:
        missing = self.codes < 0
        return missing if missing.any() else None

    def used(self) -> Coded:
        """Without the levels that no row has; both levels of a boolean stay, as in patsy."""
        if self.fixed or self.levels == (False, True):
            return self
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))
        if counts.all():
            return self
        position = np.where(counts > 0, np.cumsum(counts > 0) - 1, -1)
        levels = tuple(level for level, count in zip(self.levels, counts) if count)
        return replace(self, codes=np.append(position, -1)[self.codes], levels=levels)


class Column:
    """One variable over all the rows the user gave."""

    def __init__(self, name: str, values: Values):
        self.name = name
        self.values = values

    @cached_property
    def coded(self) -> Coded:
        """The column as a categorical; strings are looked at once, here."""
        return factorize(self.values)

    @property
    def numeric(self) -> bool:
        return is_numeric(self.values)

    def missing(self, as_levels: bool) -> np.ndarray | None:
        """Mask of missing values, or None when there are none."""
        if as_levels:
            return self.coded.missing()
        return missing_rows(self.values)


class Variables(Mapping[str, Any]):
    """The variables of the formulas at some rows, as plain numpy-backed values."""

    def __init__(self, columns: Mapping[str, Column], rows: np.ndarray | None, n: int):
        self.columns = columns
        self.rows = rows
        self.n = n if rows is None else int(np.count_nonzero(rows))
        self._cache: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
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
        return self.variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)


def is_numeric(values: Values) -> bool:
    """Whether patsy would treat the values as numbers; booleans are categories, and so are objects."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _is_decimal(values)
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def plain(values: Values) -> Values:
    """Nullable, Arrow, sparse and decimal values as ordinary numpy-backed ones; others as they are."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind != "O":
        return values
    if is_numeric(values):
        return _like(values, _numbers(values))
    if pd.api.types.is_bool_dtype(values.dtype) and not isinstance(values.dtype, np.dtype):
        missing = np.asarray(pd.isna(values))
        kind = object if missing.any() else bool
        return _like(values, values.to_numpy(dtype=kind))
    return values


def numeric_array(values: Values) -> np.ndarray:
    """Numbers as a numpy array of their own numeric type (float64 with NaN where values are missing)."""
    values = plain(values)
    return np.asarray(values)


def missing_rows(values: Values) -> np.ndarray | None:
    """Mask of the rows with a missing value, or None when there are none."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return None
    missing = np.isnan(np.asarray(values)) if isinstance(dtype, np.dtype) and dtype.kind == "f" else pd.isna(values)
    missing = np.asarray(missing)
    missing = missing.any(axis=1) if missing.ndim == 2 else missing
    return missing if missing.any() else None


def factorize(values: Values) -> Coded:
    """Codes and levels; categoricals keep their order, everything else is sorted as patsy sorts it."""
    categorical = getattr(values, "array", values)
    if isinstance(categorical, pd.Categorical):
        return Coded(np.asarray(categorical.codes), tuple(categorical.categories.tolist()))
    if values.ndim != 1:
        raise FormulaError("a categorical variable must have one dimension")
    codes, uniques = pd.factorize(values)
    levels = uniques.tolist()
    if levels and all(isinstance(level, bool) for level in levels):
        order = [False, True]
    else:
        order = sort_levels(levels)
    position = {level: at for at, level in enumerate(order)}
    lookup = np.array([*(position[level] for level in levels), -1], dtype=np.int64)
    return Coded(lookup[codes], tuple(order))


def sort_levels(levels: list[Any]) -> list[Any]:
    """Ascending; levels that cannot be compared come in groups: numbers, then the rest by type and text."""
    try:
        return sorted(levels)
    except TypeError:
        numbers = sorted(level for level in levels if isinstance(level, (int, float)))
        others = [level for level in levels if not isinstance(level, (int, float))]
        return numbers + sorted(others, key=lambda level: (type(level).__name__, str(level)))


def classify(value: Any, n: int, name: str) -> Coded | np.ndarray:
    """A factor's evaluated value as `Coded`, or as numbers of shape (n, w)."""
    if isinstance(value, _Box):
        return _boxed(value, n, name)
    if isinstance(value, Coded):
        return value
    if not hasattr(value, "dtype") and not isinstance(value, pd.DataFrame):
        value = np.asarray(value)
    if isinstance(value, pd.DataFrame):
        value = value.to_numpy()
    if not value.ndim or len(value) != n:
        rows = f"{len(value)} values" if value.ndim else "one value"
        raise FormulaError(f"{name!r} gives {rows} for {n} rows")
    if not is_numeric(value):
        return factorize(value)
    numbers = numeric_array(value)
    if numbers.ndim > 2:
        raise FormulaError(f"{name!r} has {numbers.ndim} dimensions; a factor may have two at most")
    return numbers.reshape(n, -1)


def _boxed(box: Any, n: int, name: str) -> Coded:
    data = box.data if hasattr(box.data, "dtype") or isinstance(box.data, Coded) else np.asarray(box.data)
    coded = data if isinstance(data, Coded) else factorize(data)
    if len(coded.codes) != n:
        raise FormulaError(f"{name!r} gives {len(coded.codes)} values for {n} rows")
    if box.levels is None:
        return replace(coded, contrast=box.contrast)
    levels = tuple(box.levels)
    return Coded(recode(coded, levels, unknown_level(name, levels)), levels, box.contrast, fixed=True)


def recode(coded: Coded, levels: tuple[Hashable, ...], refuse: Callable[[Hashable, np.ndarray], Exception]) -> np.ndarray:
    """Codes with respect to ``levels``; ``refuse(level, rows)`` makes the error for a level that is not among them."""
    if coded.levels == levels:
        return coded.codes
    position = {level: at for at, level in enumerate(levels)}
    lookup = np.array([*(position.get(level, -2) for level in coded.levels), -1], dtype=np.int64)
    codes = lookup[coded.codes]
    if (lookup == -2).any() and (codes == -2).any():
        first = next(level for level, at in zip(coded.levels, lookup) if at == -2 and (codes == -2).any())
        raise refuse(first, np.flatnonzero(codes == -2))
    return codes


def unknown_level(name: str, levels: tuple[Hashable, ...]) -> Callable[[Hashable, np.ndarray], Exception]:
    def refuse(level: Hashable, rows: np.ndarray) -> Exception:
        return FormulaError(f"{name!r}: level {level!r} (row {rows[0]}) is not among the levels given: {list(levels)}")

    return refuse


def _is_decimal(values: Values) -> bool:
    first = next((value for value in values if value is not None and value is not pd.NA), None)
    return isinstance(first, Decimal)


def _numbers(values: Values) -> np.ndarray:
    if isinstance(values.dtype, np.dtype):  # decimals
        return np.array([np.nan if pd.isna(value) else float(value) for value in values])
    if np.asarray(pd.isna(values)).any() or pd.api.types.is_float_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    kind = np.int64 if pd.api.types.is_integer_dtype(values.dtype) else np.float64
    return values.to_numpy(dtype=kind)


def _like(values: Values, array: np.ndarray) -> Values:
    return pd.Series(array, index=values.index, name=values.name) if isinstance(values, pd.Series) else array
