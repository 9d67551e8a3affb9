"""New rows for a design that was made from formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..data import Data
from ..data.tensors import as_double
from ..errors import FormulaError
from .coding import Coding
from .columns.problems import unknown_name
from .columns.rowargs import LINEAR, argument_tensor, read_arguments
from .columns.source import Source
from .columns.values import Column, Variables, complete_rows
from .design import Design, Rows
from .factor import Factor
from .matrix import fill, gaps
from .response import tolerates_missing


def rows_of_frame(design: Design, data: Any, response: bool, arguments: Mapping[str, Any] | None, unseen: str) -> Rows:
    """Evaluate a formula design on new data."""
    source = Source(_as_column(data, design))
    told = {name for name, value in (arguments or {}).items() if value is not None}
    coded = {name: factor for name, factor in design.row_factors.items() if name not in told}
    variables, complete = _variables(source, {**design.factors, **{factor.name: factor for factor in coded.values()}})
    values = {name: factor.values(variables, unseen) for name, factor in design.factors.items()}
    x = {
        name: as_double(spread(_matrix(coding, values, variables.n), complete))
        for name, coding in design.codings.items()
    }
    y, columns = _response(design, source) if response else (None, {})
    given, _ = read_arguments(arguments_by_name(design, source, arguments, response), source)
    columns |= {name: argument_tensor(name, value, None) for name, value in given.items()}
    columns |= {name: as_double(spread(code.values(variables)[:, 0], complete)) for name, code in coded.items()}
    return Rows(Data(y, x, columns), source.labels(), None, 0, design)


def _as_column(data: Any, design: Design) -> Any:
    """A Series that is called like a variable of the formulas, and whose labels are none of them, is a column, not a row."""
    if not isinstance(data, pd.Series):
        return data
    variables = {name for factor in design.factors.values() for name in factor.variables}
    return data.to_frame() if data.name in variables and variables.isdisjoint(data.index) else data


def arguments_by_name(
    design: Design, source: Source, arguments: Mapping[str, Any] | None, everything: bool
) -> dict[str, Any]:
    """The arguments given, and for the others the columns they were made from.

    Raises
    ------
    FormulaError
        If such a column is not in the data and predictions depend on it, or ``everything`` is needed.
    """
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    for name, column in design.row_names.items():
        if name in given:
            continue
        if column in source:
            given[name] = column
        elif everything or name in LINEAR:
            raise FormulaError(
                f"the model was fitted with {name}={column!r}, and the new data have no such column; add it, or pass "
                f"{name}= (a number for all rows will do)"
            )
    return given


def _matrix(coding: Coding, values: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    x = fill(coding, values, n)
    incomplete = gaps(coding, values, n)
    if incomplete is not None:
        x[incomplete] = np.nan
    return x


def _response(design: Design, source: Source) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    outcome = design.outcome
    assert outcome is not None
    if tolerates_missing(outcome.codes):
        columns = needed_columns(source, outcome.factors)
        variables, complete = Variables(columns, source.labels()), None
    else:
        variables, complete = _variables(source, outcome.factors)
    y, others = outcome.values(variables)
    return as_double(spread(y, complete)), {name: as_double(spread(value, complete)) for name, value in others.items()}


def response_of_frame(design: Design, data: Any) -> torch.Tensor | None:
    """Response of new data, NaN where a variable is missing; None where the data do not have its variables."""
    if design.outcome is None or data is None:
        return None
    source = Source(_as_column(data, design))
    needed = {name for factor in design.outcome.factors.values() for name in factor.variables}
    return _response(design, source)[0] if needed and needed <= set(source.names) else None


def _variables(source: Source, factors: Mapping[str, Factor]) -> tuple[Variables, np.ndarray | None]:
    """The factors' variables at the complete rows, and the mask of these."""
    columns = needed_columns(source, factors)
    as_levels = {factor.bare for factor in factors.values() if factor.bare is not None and factor.levels is not None}
    complete = complete_rows(columns, as_levels)
    return Variables(columns, source.labels(), complete), complete


def needed_columns(source: Source, factors: Mapping[str, Factor]) -> dict[str, Column]:
    names = dict.fromkeys(name for factor in factors.values() for name in factor.variables)
    for name in names:
        if name not in source:
            raise unknown_name(name, source.names)
    return {name: Column(name, source.column(name)) for name in names}


def spread(values: np.ndarray, complete: np.ndarray | None) -> np.ndarray:
    """Put the values of complete rows in their places, NaN in the others."""
    if complete is None:
        return values
    out = np.full((len(complete), *values.shape[1:]), np.nan)
    out[complete] = values
    return out
