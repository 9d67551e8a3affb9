"""Fitted survival curves with pointwise bands that stay between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ...compute.autodiff import row_slopes
from ...data import Data
from ...errors import ModelError
from ...sums import row_sums
from ..distributions import critical_value
from .prediction import prediction
from .rows import new_rows

if TYPE_CHECKING:
    from ...formula import Design
    from ...formula.factor import Factor
    from ...results import Results

Array = NDArray[np.float64]
POINTS = 201  # on the grid of times when none are given


@dataclass(frozen=True)
class SurvivalCurve:
    """S(t) at some times.

    Attributes
    ----------
    label : str
        For people: the values of the row, or its name.
    group : str
        Description of the row of the design, as `KaplanMeier.from_formula` names its curves.
    times, survival, se : ndarray (T,)
        se of S by the delta method.
    """

    label: str
    group: str
    times: Array
    survival: Array
    se: Array

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Pointwise limits (T, 2), made on the scale of ``log(-log S)`` and so between 0 and 1."""
        s = self.survival
        inside = (s > 0) & (s < 1)
        log_s = np.log(np.where(inside, s, 0.5))  # at 0 and 1 there is nothing to be unsure about
        reach = np.exp(critical_value(alpha) * self.se / np.where(inside, -s * log_s, 1.0))
        limits = np.column_stack([np.exp(log_s * reach), np.exp(log_s / reach)])
        return np.where(inside[:, None], limits, s[:, None])


def survival_curves(
    results: Results, new: Any = None, times: ArrayLike | None = None, **arguments: Any
) -> list[SurvivalCurve]:
    """One curve for each new row, or the average curve of the rows of the fit.

    Parameters
    ----------
    results : Results
        Of a model that predicts "survival".
    new : DataFrame or array, optional
        Rows to draw.  None: ``S(t) = sum_i S(t | x_i) / n``, which is what a Kaplan-Meier curve of all rows estimates.
    times : array_like, optional
        (T,) grid from 0 to the longest time of the fit when left out.
    **arguments
        Offset of the new rows.

    Raises
    ------
    ValueError
        The model predicts no survival probabilities, or there are neither times nor rows to take them from.
    """
    if "survival" not in getattr(results.model, "predictable", tuple)():
        raise ValueError(f"{type(results.model).__name__} is not a survival model: it predicts no survival curve")
    grid = time_grid(results, times)
    if new is None:
        return [SurvivalCurve("average", "all", grid, *_average(results, grid))]
    rows, index = new_rows(results.model, new, True, arguments)
    repeated = rows.take(torch.arange(rows.n, device=rows.device).repeat_interleave(len(grid)))
    tiled = torch.as_tensor(np.tile(grid, rows.n), device=rows.device)
    found = prediction(results, repeated.with_columns(times=tiled), "survival", None)
    values, errors = (part.reshape(rows.n, len(grid)) for part in (found.predicted, found.se))
    described = zip(row_labels(new, index, rows.n), _groups(results, rows), values, errors, strict=True)
    return [SurvivalCurve(label, group, grid, s, se) for label, group, s, se in described]


def time_grid(results: Results, times: ArrayLike | None) -> Array:
    """The times asked for, else equally spaced ones up to the longest of the fit."""
    if times is None:
        try:
            longest = float(np.max(results.model.endog))
        except ModelError as error:
            raise ValueError("give times=: this result has no rows to take them from") from error
        return np.linspace(0.0, longest, POINTS)
    grid = np.atleast_1d(np.asarray(times, dtype=float))
    if grid.ndim > 1 or not (grid >= 0).all():
        raise ValueError("times must be a vector of numbers that are not negative")
    return grid


def row_labels(new: Any, index: pd.Index | None, n: int) -> list[str]:
    """A name for each row: its own if the frame's index has names, else the values that tell it from the others."""
    if index is not None and index.dtype == object:
        return [str(name) for name in index]
    if not isinstance(new, pd.DataFrame | Mapping):
        return [f"row {i}" for i in range(n)]
    frame = pd.DataFrame(new)
    telling = [name for name in frame if n == 1 or frame[name].nunique(dropna=False) > 1]
    return [", ".join(f"{name}={_short(frame[name].iloc[i])}" for name in telling) or f"row {i}" for i in range(n)]


def _groups(results: Results, rows: Data) -> list[str]:
    main = results.model.layout.blocks[0].name
    if main not in rows.x:
        return ["all"] * rows.n
    return [group_of(results.model.design, main, x)[0] for x in rows.x[main].cpu().numpy()]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)


def _average(results: Results, grid: Array) -> tuple[Array, Array]:
    """Mean over the rows of S(t | x_i) at each time, with its standard error by the delta method."""
    model, data = results.model, results.model.rows
    z = results.fit.z.to(data.device)

    def block_totals(block: Data) -> tuple[Tensor, Tensor]:
        leaves = tuple(eta.detach().clone().requires_grad_() for eta in model.eta(z, block))
        weights = block.get("freq_weights")
        weights = torch.ones(block.n, dtype=z.dtype, device=z.device) if weights is None else weights
        totals, gradients = [], []
        for time in grid:
            with torch.enable_grad():
                at = block.with_columns(times=torch.full_like(weights, time))
                values = model.predict_rows("survival", model.values(leaves), at)
                slopes = row_slopes(values, leaves)
            totals.append(values.detach() @ weights)
            parts = []
            for layout, slope in zip(model.layout.blocks, slopes, strict=True):
                x, weighted = block.x.get(layout.name), slope * weights
                parts.append(weighted.sum().reshape(1) if x is None else x.T @ weighted)
            gradients.append(torch.cat(parts))
        return torch.stack(totals), torch.stack(gradients)

    totals, gradients = row_sums(block_totals, data)
    mean, gradient = totals / results.nobs, gradients / results.nobs
    variance = ((gradient @ results.covariance_z) * gradient).sum(1)
    return mean.numpy(), variance.sqrt().numpy()


def group_of(design: Design, predictor: str, x: Array) -> tuple[str, tuple[float, ...]]:
    """The group a row of a design stands for, and its place among groups: factors by their levels, in their order.

    Parameters
    ----------
    x : ndarray (k,)
        One row of the predictor's columns.

    Returns
    -------
    str, tuple of float
        "arm=old, age=50", or "all"; where the dummies do not say the level of every factor, the columns themselves.
    """
    row = {name: float(v) for name, v in zip(design.columns[predictor], x, strict=True) if name != "Intercept"}
    named, places, known = [], [], []
    for factor in design.factors.values():
        code = _level_at(factor, row)
        if code is not None:
            assert factor.levels is not None
            named.append(f"{factor.name}={factor.levels[code]}")
            places.append(float(code))
            known.append(f"{factor.name}[")
        elif factor.name in row:
            named.append(f"{factor.name}={row[factor.name]:g}")
            places.append(row[factor.name])
            known.append(factor.name)
    if all(any(part.startswith(k) for k in known) for name in row for part in name.split(":")):
        return ", ".join(named) or "all", tuple(places)
    return ", ".join(f"{name}={value:g}" for name, value in row.items()), tuple(row.values())


def _level_at(factor: Factor, row: Mapping[str, float]) -> int | None:
    """The code of a factor's level at a row of dummies; None for numbers, other contrasts and no column of its own."""
    if factor.levels is None:
        return None
    names = ((f"{factor.name}[{level}]", f"{factor.name}[T.{level}]") for level in factor.levels)
    values = [next((row[name] for name in pair if name in row), None) for pair in names]
    if values.count(None) > 1 or not set(values) <= {None, 0.0, 1.0}:
        return None
    found = 1.0 if 1.0 in values else None
    return values.index(found) if found in values else None
