"""Where marginal effects are taken: the rows of the fit, their mean, the rows with some variables set, or other rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data import Data
from ..predictions.rows import new_rows
from .variables import FormulaVariables, Variables

if TYPE_CHECKING:
    from ...results import Results


@dataclass(frozen=True, eq=False)
class Point:
    """Rows at which effects are taken.

    Attributes
    ----------
    label : dict
        What was set, for the labels of the effects.
    data : Data
        With the column ``position``.
    frame : DataFrame or None
        The same rows for formulas.
    rows : list of dict, or None
        Labels of the rows, where each has effects of its own; None: effects are averaged over the rows.
    """

    label: Mapping[str, Any]
    data: Data
    frame: pd.DataFrame | None
    rows: list[dict[str, Any]] | None = None

    def frame_of(self, block: Data) -> pd.DataFrame | None:
        """The frame's rows of a block."""
        return None if self.frame is None else self.frame.iloc[block.position.cpu().numpy()]


def points(results: Results, known: Variables, at: Any, arguments: Mapping[str, Any]) -> Iterator[Point]:
    """The points that `at` asks for, each made when it is its turn: it may have all rows of the fit.

    Raises
    ------
    ValueError
        `at` is none of "overall", "mean", a dict, or a frame of complete rows.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    if isinstance(at, str) and at == "overall":
        frame = known.frame if isinstance(known, FormulaVariables) else None
        return iter([Point({}, positioned(results.model.training_rows(given)), frame)])
    if isinstance(at, str) and at == "mean":
        return iter([_mean(results, known, given)])
    if isinstance(at, Mapping):
        for name in at:
            if name not in known.names:
                raise ValueError(
                    f"at: there is no variable {name!r} in the model; its variables are {', '.join(known.names)}"
                )
        values = [np.atleast_1d(np.asarray(value, dtype=object)).tolist() for value in at.values()]
        return (_set(results, known, dict(zip(at, chosen, strict=True)), given) for chosen in product(*values))
    if isinstance(at, str):
        raise ValueError(f"at={at!r} is not known; use 'overall', 'mean', a dict of values, or a frame of rows")
    return iter([_rows(results, known, at, given)])


def positioned(data: Data) -> Data:
    """The data with the number of each row."""
    return data.with_columns(position=torch.arange(data.n, device=data.device))


def _linear(results: Results, given: Mapping[str, Any]) -> dict[str, Tensor]:
    """Offset and exposure of the rows of the fit that are not given anew."""
    model = results.model
    return {name: model.rows.columns[name] for name in model.linear_arguments()
            if name in model.rows.columns and name not in given}  # fmt: skip


def _mean(results: Results, known: Variables, given: Mapping[str, Any]) -> Point:
    """One row: means of numbers, the most frequent level of other variables; means of offset and exposure."""
    model = results.model
    if model.rows.group is not None:
        raise ValueError("at='mean' is not computed over processes; use at='overall'")
    counts = model.rows.get("freq_weights")
    weights = None if counts is None else counts.cpu().numpy()
    averages = {name: np.atleast_1d(_average(value, weights)) for name, value in _linear(results, given).items()}
    if isinstance(known, FormulaVariables):
        values = {name: _middle(known, name, weights) for name in known.names}
        frame = pd.DataFrame({name: pd.Series([value]).astype(known.frame[name].dtype if known.levels(name) else float)
                              for name, value in values.items()})  # fmt: skip
        data, _ = model.predict_data(frame, True, {**averages, **given})
        return Point({}, positioned(data), frame)
    x = {name: torch.as_tensor(_average(x, weights), device=x.device)[None] for name, x in model.rows.x.items()}
    columns = {name: torch.full((1,), float(np.ravel(value)[0]), dtype=torch.float64, device=model.rows.device)
               for name, value in {**averages, **given}.items()}  # fmt: skip
    return Point({}, positioned(model.prepare_prediction(Data(None, x, columns, model.shift))), None)


def _average(values: Tensor, weights: np.ndarray | None) -> Any:
    return np.average(values.cpu().numpy(), axis=0, weights=weights)


def _middle(known: FormulaVariables, name: str, weights: np.ndarray | None) -> Any:
    """Mean of a numeric variable; most frequent level of another, the first of equals."""
    levels, column = known.levels(name), known.frame[name]
    if levels is None:
        return float(np.average(column.to_numpy(dtype=float), weights=weights))
    counts = pd.Series(np.ones(len(column)) if weights is None else weights).groupby(column.to_numpy()).sum()
    return max(levels, key=lambda level: counts.get(level, 0.0))


def _set(results: Results, known: Variables, values: Mapping[str, Any], given: Mapping[str, Any]) -> Point:
    """The rows of the fit with some variables set."""
    model = results.model
    weights = model.rows.get("freq_weights")
    kept = {} if weights is None else {"freq_weights": weights}
    if isinstance(known, FormulaVariables):
        frame = known.frame.assign(**values)
        linear = {name: value.cpu().numpy() for name, value in _linear(results, given).items()}
        data, _ = model.predict_data(frame, True, {**linear, **given})
        return Point(values, positioned(data.with_columns(**kept)), frame)
    data = model.training_rows(given)
    for name, value in values.items():
        data = data.with_designs(known.moving(data, None).moved(name, float(value)))
    return Point(values, positioned(data), None)


def _rows(results: Results, known: Variables, new: Any, given: dict[str, Any]) -> Point:
    """Rows that the user gives, each with effects of its own."""
    data, index = new_rows(results.model, new, True, given)
    if any(bool(x.isnan().any()) for x in data.x.values()):
        raise ValueError("at: some rows have missing values; leave them out")
    frame = pd.DataFrame(new) if isinstance(known, FormulaVariables) else None
    labels = range(data.n) if index is None else index
    return Point({}, positioned(data), frame, [{"row": label} for label in labels])
