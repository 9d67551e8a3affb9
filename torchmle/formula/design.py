"""Design: the recipe that turns a frame into the rows of a model, and the rows it makes."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..data import Data
from ..data.tensors import as_double
from .coding import Coding
from .factor import Factor
from .matrix import fill, gaps
from .problems import unknown_name
from .response import Response, tolerates_missing
from .rowargs import argument_tensor, read_arguments
from .source import Source
from .values import Column, Variables


@dataclass(frozen=True)
class Rows:
    """What a design makes of a frame.

    Attributes
    ----------
    data : Data
        CPU float64 tensors.
    index : Index or None
        Labels of the kept rows; None for plain arrays, whose results come back as arrays.
    kept : ndarray of bool, or None
        Which of the rows given are kept; None for all.
    dropped : int
        Rows left out because a value is missing.
    design : Design
    """

    data: Data
    index: pd.Index | None
    kept: np.ndarray | None
    dropped: int
    design: Design

    def complete(self) -> Rows:
        """These rows without those in which anything is missing: x, response or an argument."""
        gone = _incomplete(self.data)
        count = int(gone.sum())
        if not count:
            return self
        mask = ~gone.numpy()
        kept = mask
        if self.kept is not None:
            kept = self.kept.copy()
            kept[self.kept] = mask
        index = None if self.index is None else self.index[mask]
        return Rows(self.data.take(~gone), index, kept, self.dropped + count, self.design)


@dataclass(frozen=True)
class Design:
    """The recipe for rows: labels, level sets, contrasts, remembered transforms. It holds no data.

    Attributes
    ----------
    formulas : mapping of str to str
        Formula of each predictor, the first with the response; empty for matrices.
    response : tuple of str
        Names of the response's columns.
    response_label : str
        The response as a summary prints it.
    columns : mapping of str to tuple of str
        Column names of each predictor.
    terms : mapping of str to mapping of str to slice
        Columns of each term of each predictor; for matrices one term per column.
    row_names : mapping of str to str
        Column from which a row argument was taken, for those given by name.
    pandas : bool
        Whether results are labelled.
    response_levels : tuple or None
        Classes of a categorical response, in the order of their codes 0, 1, …
    """

    formulas: Mapping[str, str]
    response: tuple[str, ...]
    response_label: str
    columns: Mapping[str, tuple[str, ...]]
    terms: Mapping[str, Mapping[str, slice]]
    row_names: Mapping[str, str]
    pandas: bool
    response_levels: tuple[Any, ...] | None = None
    codings: Mapping[str, Coding] = field(default_factory=dict, repr=False)
    factors: Mapping[str, Factor] = field(default_factory=dict, repr=False)
    outcome: Response | None = field(default=None, repr=False)

    @property
    def event_level(self) -> Any:
        """The level of a two-level response that counts as 1; None for a numeric one."""
        levels = self.response_levels
        return levels[1] if levels is not None and len(levels) == 2 else None

    def rows(
        self,
        data: Any,
        *,
        response: bool = False,
        arguments: Mapping[str, Any] | None = None,
        unseen: str = "raise",
    ) -> Rows:
        """Rows of new data, coded as the training rows were.

        Parameters
        ----------
        data : object
            Frame with the formulas' variables; a matrix (or a dict of one per predictor) if the design has no formulas.
        response : bool
            Whether to make the response too.
        arguments : mapping of str to object, optional
            Row arguments, as when the design was made.
        unseen : {"raise", "nan"}
            What to do with a level that was not in the training rows; "nan" makes the row's x NaN.

        Returns
        -------
        Rows
            All rows are kept; where a variable is missing, x is NaN. See `Rows.complete`.

        Raises
        ------
        FormulaError
            For a missing column or an unseen level, named.
        """
        if unseen not in ("raise", "nan"):
            raise ValueError(f"unseen={unseen!r} is not known; use 'raise' or 'nan'")
        if self.formulas:
            return rows_of_frame(self, data, response, arguments, unseen)
        from .matrices import rows_of_matrices  # makes Rows, so it needs this module

        return rows_of_matrices(self, data, arguments)


def rows_of_frame(design: Design, data: Any, response: bool, arguments: Mapping[str, Any] | None, unseen: str) -> Rows:
    """Evaluate a formula design on new data."""
    source = Source(data)
    variables, complete = _variables(source, design.factors)
    values = {name: factor.values(variables, unseen) for name, factor in design.factors.items()}
    x = {
        name: as_double(spread(_matrix(coding, values, variables.n), complete))
        for name, coding in design.codings.items()
    }
    y, columns = _response(design, source) if response else (None, {})
    given, _ = read_arguments(arguments, source)
    columns |= {name: argument_tensor(name, value, None) for name, value in given.items()}
    return Rows(Data(y, x, columns), source.labels(), None, 0, design)


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
        columns = _columns(source, outcome.factors)
        variables, complete = Variables(columns, source.labels()), None
    else:
        variables, complete = _variables(source, outcome.factors)
    y, others = outcome.values(variables)
    return as_double(spread(y, complete)), {name: as_double(spread(value, complete)) for name, value in others.items()}


def _variables(source: Source, factors: Mapping[str, Factor]) -> tuple[Variables, np.ndarray | None]:
    """The factors' variables at the complete rows, and the mask of these."""
    columns = _columns(source, factors)
    as_levels = {factor.bare for factor in factors.values() if factor.bare is not None and factor.levels is not None}
    complete = complete_rows(columns, as_levels)
    return Variables(columns, source.labels(), complete), complete


def _columns(source: Source, factors: Mapping[str, Factor]) -> dict[str, Column]:
    names = dict.fromkeys(name for factor in factors.values() for name in factor.variables)
    for name in names:
        if name not in source:
            raise unknown_name(name, source.names)
    return {name: Column(name, source.column(name)) for name in names}


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


def spread(values: np.ndarray, complete: np.ndarray | None) -> np.ndarray:
    """Put the values of complete rows in their places, NaN in the others."""
    if complete is None:
        return values
    out = np.full((len(complete), *values.shape[1:]), np.nan)
    out[complete] = values
    return out


def _incomplete(data: Data) -> torch.Tensor:
    gone = torch.zeros(data.n, dtype=torch.bool)
    tensors = [*data.x.values(), *data.columns.values(), *([] if data.y is None else [data.y])]
    for tensor in tensors:
        missing = tensor.isnan() if tensor.is_floating_point() else tensor < 0
        gone |= missing.reshape(data.n, -1).any(dim=1).cpu()
    return gone
