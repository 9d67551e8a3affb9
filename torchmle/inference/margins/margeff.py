"""Marginal effects in the columns of the main design, in statsmodels' form; see `margins` for those of the variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compute.processes import everywhere, gather
from ...data import Data
from ...data.tensors import as_double
from ...summary import Summary, coefficient_table
from ...sums import row_map
from ..distributions import critical_value, two_sided
from ..effects import METHODS, Effect, contrast_effects
from .margins import HEADERS, effects_of, estimates
from .points import Point, positioned
from .variables import Contrast, MatrixVariables, Move, Moving, Setting, Slope

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]
Middle = Callable[[Array, Array], Array]  # of columns and of what each row counts
PLACES = ("overall", "mean", "median", "zero", "all")
COLUMNS = ("Std. Err.", "z", "Pr(>|z|)", "Conf. Int. Low", "Cont. Int. Hi.")  # statsmodels' spelling


@dataclass(frozen=True, eq=False)
class ColumnMargins:
    """Marginal effects of the columns of the main design, all but constants.

    Attributes
    ----------
    results : Results
    margeff : ndarray
        (p,), or (p, J) for models that predict J probabilities; one row for each observation in front for "all".
    cov_margins : ndarray or None
        Covariance of the effects, column after column; None for "all".
    names : list of str
        The p columns.
    margeff_options : dict
        ``method`` and ``at``.
    """

    results: Results = field(repr=False)
    margeff: Array
    cov_margins: Array | None = field(repr=False)
    names: list[str]
    margeff_options: Mapping[str, Any]

    @cached_property
    def margeff_se(self) -> Array:
        """Standard errors by the delta method."""
        if self.cov_margins is None:
            raise ValueError("Only margeff are available when `at` is 'all'; choose other points for standard errors")
        return np.sqrt(np.diag(self.cov_margins)).reshape(self.margeff.shape, order="F")

    @property
    def margeff_cov(self) -> Array | None:
        """`cov_margins` under statsmodels' name."""
        return self.cov_margins

    @property
    def tvalues(self) -> Array:
        known = self.margeff_se > 0  # not so for what was fixed
        return np.divide(self.margeff, self.margeff_se, out=np.full_like(self.margeff, np.nan), where=known)

    @property
    def pvalues(self) -> Array:
        return two_sided(self.tvalues)

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Limits (p, 2), or (p, 2, J)."""
        reach = critical_value(alpha) * self.margeff_se
        return np.stack([self.margeff - reach, self.margeff + reach], axis=1)

    def _tables(self, alpha: float) -> list[tuple[str, Array]]:
        """Name of each outcome with effects, errors, tests and limits (p, 6); a lone one has no name."""
        limits = self.conf_int(alpha)
        parts = np.stack([self.margeff, self.margeff_se, self.tvalues, self.pvalues, limits[:, 0], limits[:, 1]], 1)
        if parts.ndim == 2:
            return [("", parts)]
        return list(zip(self.outcomes, np.moveaxis(parts, 2, 0), strict=True))

    @property
    def outcomes(self) -> list[str]:
        """Names of the predicted outcomes, as statsmodels heads them."""
        model, count = self.results.model, self.margeff.shape[-1]
        levels = model.design.response_levels
        labels = levels if levels is not None and len(levels) == count else range(count)
        return [f"{model.endog_names}={label}" for label in labels]

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """The effects as a frame; outcomes and columns in a MultiIndex where there are several outcomes."""
        tables = self._tables(alpha)
        index: Any = self.names
        if tables[0][0]:
            pairs = [(outcome, name) for outcome, _ in tables for name in self.names]
            index = pd.MultiIndex.from_tuples(pairs, names=["endog", "exog"])
        values = np.concatenate([table for _, table in tables])
        return pd.DataFrame(values, index=index, columns=[HEADERS[self.margeff_options["method"]], *COLUMNS])

    def summary(self, alpha: float = 0.05) -> Summary:
        """The effects as a table."""
        method, model = self.margeff_options["method"], self.results.model
        blocks = []
        for name, table in self._tables(alpha):
            effects, se, tvalues, pvalues = table[:, :4].T
            blocks.append(coefficient_table(self.names, effects, se, tvalues, pvalues, table[:, 4:],
                                            alpha=alpha, heading=name, estimate=HEADERS[method]))  # fmt: skip
        left = [("Dep. Variable:", str(model.endog_names)), ("Method:", method), ("At:", self.margeff_options["at"])]
        return Summary(f"{type(model).__name__} Marginal Effects", left, (), blocks)


@dataclass(frozen=True)
class Step:
    """Half the change of a prediction from one unit less to one unit more, for counts."""

    variable: str
    label = "count"

    def effects(self, setting: Setting, block: Data, moving: Moving) -> list[Effect]:
        """The effects at the rows of a block, one for each predicted column."""
        values = moving.numbers(self.variable)
        high, low = (block.with_designs(moving.moved(self.variable, values + by)) for by in (1.0, -1.0))
        return contrast_effects(setting.model, setting.which, setting.z, high, low, setting.method, per=2.0)


class Columns(MatrixVariables):
    """Columns of the main design, constants and all."""

    @cached_property
    def places(self) -> dict[str, tuple[str, int]]:
        main = next(iter(self.model.design.columns))
        return {label: (main, at) for at, label in enumerate(self.model.design.columns[main])}


def get_margeff(
    results: Results, at: str, method: str, atexog: Any, dummy: bool, count: bool, which: str
) -> ColumnMargins:
    """Marginal effects of the columns; see `Results.get_margeff`."""
    if at not in PLACES:
        raise ValueError(f"{at} not a valid option for `at`; choose from {', '.join(PLACES)}")
    if method not in METHODS:
        raise ValueError(f"method is not understood.  Got {method}; choose from {', '.join(METHODS)}")
    model = results.model
    if not getattr(getattr(model, "rows", None), "x", None) or not hasattr(model, "predict_rows"):
        raise ValueError(f"{type(model).__name__} has no design whose columns could have marginal effects")
    known = Columns(model)
    x, group = next(iter(model.rows.x.values())).double(), model.rows.group
    low, high = (torch.stack(gather(ends.cpu(), group)) for ends in (x.amin(0), x.amax(0)))
    low, high = low.amin(0), high.amax(0)
    constant = (low == high).numpy()
    names = [name for name, flat in zip(known.names, constant, strict=True) if not flat]
    moves: list[Move] = [Slope(name) for name in names]
    if dummy or count:
        whole = everywhere((x == x.round()).all(0), group) & (low >= 0)
        binary = whole & (low == 0) & (high == 1)
        moves = _moves(names, whole[low < high], binary[low < high], at, method, dummy, count)
    point = _point(results, known, at, atexog, constant)
    options = {"method": method, "at": at}
    if at == "all":
        found = _of_rows(effects_of(results, known, point, moves, which, method), point.data)
        effects = found.reshape(len(found), len(moves), -1)
        return ColumnMargins(results, effects[..., 0] if effects.shape[2] == 1 else effects, None, names, options)
    effects, covariance = _collected(results, estimates(results, known, point, moves, which, method))
    return ColumnMargins(results, effects, covariance, names, options)


def _of_rows(effects: Callable[[Data], Iterator[Effect]], data: Data) -> Array:
    """Effects of each row, one after the other."""
    return row_map(lambda block: torch.stack([effect.value for effect in effects(block)], 1), data).numpy()


def _moves(
    names: list[str], whole: Tensor, binary: Tensor, at: str, method: str, dummy: bool, count: bool
) -> list[Move]:
    """Slopes; changes from 0 to 1 of dummies and steps of counts, where they are asked for."""
    moves: list[Move] = [Slope(name) for name in names]
    for i, name in enumerate(names):
        if dummy and bool(binary[i]):
            moves[i] = Contrast(name, 1.0, 0.0)
        elif count and bool(whole[i] & ~binary[i]):
            moves[i] = Step(name)
    if any(not isinstance(move, Slope) for move in moves):
        if method in ("dyex", "eyex"):
            raise ValueError(f"{method} not allowed for discrete variables")
        if at in ("median", "zero"):
            raise ValueError(f"{at} not allowed for discrete variables")
    return moves


def _point(results: Results, known: Columns, at: str, atexog: Any, constant: NDArray[np.bool_]) -> Point:
    """The rows at which effects are taken, with the columns that `atexog` sets."""
    model = results.model
    data = model.rows if atexog is None else _with_values(known, model.rows, atexog)
    if at in ("overall", "all"):
        return Point({}, positioned(data), None)
    if data.group is not None and at != "zero":
        raise ValueError(f"at={at!r} is not computed over processes; use at='overall'")
    middle, counts = MIDDLES[at], data.get("freq_weights")
    x = {name: _one_row(middle, values, counts) for name, values in data.x.items()}
    if at == "zero":
        main = next(iter(x))
        x[main][:, torch.as_tensor(constant, device=x[main].device)] = 1.0
        x = {**x, **model.every_design({main: x[main]})}
    columns = {name: _one_row(middle, data.columns[name], counts)
               for name in ("offset", "log_exposure") if name in data.columns}  # fmt: skip
    return Point({}, positioned(Data(None, x, columns, model.shift)), None)


def _one_row(middle: Middle, values: Tensor, counts: Tensor | None) -> Tensor:
    """The middle of some rows as a row, each of them counted so many times."""
    columns = values.double().cpu().numpy().reshape(len(values), -1)
    weights = np.ones(len(columns)) if counts is None else counts.double().cpu().numpy()
    found = torch.as_tensor(middle(columns, weights), dtype=torch.float64, device=values.device)
    return found.reshape(1, *values.shape[1:])


def _mean(columns: Array, weights: Array) -> Array:
    return np.asarray(np.average(columns, axis=0, weights=weights))


def _median(columns: Array, weights: Array) -> Array:
    """Medians of the columns, as of rows that are repeated."""
    found = []
    for column in columns.T:
        order = np.argsort(column, kind="stable")
        below = np.cumsum(weights[order])
        places = [min(int(np.searchsorted(below, below[-1] / 2, side)), len(order) - 1) for side in ("left", "right")]
        found.append(column[order[places]].mean())
    return np.array(found)


def _zero(columns: Array, weights: Array) -> Array:
    return np.zeros(columns.shape[1])


MIDDLES: Mapping[str, Middle] = {"mean": _mean, "median": _median, "zero": _zero}


def _with_values(known: Columns, data: Data, atexog: Any) -> Data:
    """The rows with some columns set: a dict of positions or names, or a whole matrix."""
    main = next(iter(data.x))
    if isinstance(atexog, Mapping):
        x = data.x[main].clone()
        for key, value in atexog.items():
            at = known.places[key][1] if key in known.places else key
            x[:, at] = torch.as_tensor(np.asarray(value, dtype=float), device=x.device)
    else:
        x = as_double(np.atleast_2d(np.asarray(atexog, dtype=float))).to(data.device)
        if x.shape[1] != len(known.places):
            raise ValueError("atexog does not have the same number of variables as exog")
        if len(x) != data.n:
            raise ValueError(f"atexog has {len(x)} rows, exog {data.n}; for other rows see margins(at=...)")
    return data.with_designs({**data.x, **known.model.every_design({main: x})})


def _collected(results: Results, averages: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Effects (p,) or (p, J), and their covariance, one outcome after the other."""
    effects = np.stack([value for value, _ in averages])
    gradient = np.stack([gradient for _, gradient in averages]).swapaxes(0, 1)  # (J, p, k)
    stacked = gradient.reshape(-1, gradient.shape[2])
    covariance = stacked @ results.covariance_z.numpy() @ stacked.T
    return (effects[:, 0] if effects.shape[1] == 1 else effects), covariance
