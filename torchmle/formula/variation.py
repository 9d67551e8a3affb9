"""How the columns of a design move with the variables of its formulas: slopes, and values with a variable replaced."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .columns.levels import factorize
from .columns.source import Source
from .columns.values import Column, Variables, numeric_array
from .design import Design
from .factor import Factor
from .frames import needed_columns
from .matrix import fill, fill_slopes
from .slopes import slopes

Range = tuple[float, float]


class Variation:
    """Columns of formulas at some complete rows, as functions of the raw variables.

    Parameters
    ----------
    design : Design
        Made from formulas.
    frame : DataFrame
        The rows, with all variables of the formulas.
    ranges : mapping of str to (float, float)
        Where each numeric variable is known to be harmless: its range in the training rows.
    """

    def __init__(self, design: Design, frame: pd.DataFrame, ranges: Mapping[str, Range]):
        self.design, self.ranges = design, ranges
        source = Source(frame)
        self.columns = needed_columns(source, design.factors)
        self.variables = Variables(self.columns, source.labels())

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """Values of each factor at the rows."""
        return {name: factor.values(self.variables) for name, factor in self.design.factors.items()}

    def numbers(self, variable: str) -> np.ndarray:
        """Values of a numeric variable, (n,)."""
        return np.asarray(numeric_array(self.columns[variable].values), dtype=np.float64)

    def moved(self, variable: str, value: Any) -> dict[str, np.ndarray]:
        """Designs with one variable set to a value in all rows."""
        other = self._with(variable, constant_like(self.columns[variable].values, value))
        values = {
            **self.values,
            **{factor.name: factor.values(other) for factor in moving(self.design, variable)},
        }
        return {name: fill(coding, values, self.variables.n) for name, coding in self.design.codings.items()}

    def slopes(self, variable: str) -> dict[str, np.ndarray]:
        """Derivatives of the designs in a numeric variable, (n, k_j) each.

        Of a factor that is the variable itself, 1; of other expressions, by differences; of products, by the product
        rule.  Classes made of the variable (``C(x > 3)``) do not move.
        """
        at = self.numbers(variable)
        low, high = self.ranges.get(variable) or (at.min(initial=np.inf), at.max(initial=-np.inf))
        found = {
            factor.name: np.ones((len(at), 1))
            if factor.bare
            else slopes(lambda point, factor=factor: self._at(factor, variable, point), at, low, high)  # type: ignore[misc]
            for factor in moving(self.design, variable)
            if factor.levels is None
        }
        n = self.variables.n
        return {name: fill_slopes(coding, self.values, found, n) for name, coding in self.design.codings.items()}

    def _at(self, factor: Factor, variable: str, point: np.ndarray) -> np.ndarray:
        return np.asarray(factor.values(self._with(variable, pd.Series(point, index=self.variables.index))), float)

    def _with(self, variable: str, values: Any) -> Variables:
        return Variables({**self.columns, variable: Column(variable, values)}, self.variables.index)


def moving(design: Design, variable: str) -> list[Factor]:
    """The factors that use a variable."""
    return [factor for factor in design.factors.values() if variable in factor.variables]


def raw_variables(design: Design) -> list[str]:
    """The variables of the formulas, in the order of the factors."""
    return list(dict.fromkeys(name for factor in design.factors.values() for name in factor.variables))


def variable_levels(design: Design, column: pd.Series) -> tuple[Hashable, ...] | None:
    """Levels of a categorical variable in coding order; None for a numeric one."""
    coded = [factor.levels for factor in moving(design, str(column.name)) if factor.bare and factor.levels is not None]
    if coded:
        return coded[0]
    found = Column(str(column.name), column)
    return None if found.numeric else factorize(column).used().levels


def constant_like(values: Any, value: Any) -> pd.Series:
    """A column that is one value throughout, of the type of another column where that can hold it."""
    index = values.index if isinstance(values, pd.Series) else pd.RangeIndex(len(values))
    return pd.Series(value, index=index, dtype=values.dtype if isinstance(values.dtype, pd.CategoricalDtype) else None)
