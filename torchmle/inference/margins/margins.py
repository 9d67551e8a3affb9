"""Marginal effects in the variables of the formula: slopes, contrasts and elasticities of anything predicted.

The formula is evaluated again for each variable, so that interactions, polynomials, splines and factors move as they
do in the model.  For variable v, prediction q and rows i with weights w_i,

    average slope     ``sum w_i dq_i/dv / sum w_i``,      dq_i/dv = sum_j dq_i/deta_ij  (dx_ij/dv)' beta_j
    average contrast  ``sum w_i (q_i(v=b) - q_i(v=a)) / sum w_i``

Standard errors by the delta method, with exact derivatives in the parameters; the rows are taken as they are.
Definitions as in R's marginaleffects (avg_slopes, avg_comparisons) and Stata's margins, dydx().
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data import Data
from ...fitting.equations import constraint
from ...summary import Summary, coefficient_table
from ...sums import row_map, row_sums
from ..distributions import critical_value, two_sided
from ..effects import METHODS, Effect
from ..hypotheses import wald
from .points import Point, points
from .variables import Move, Setting, Variables, variables_of

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]
HEADERS = {"dydx": "dy/dx", "eyex": "d(lny)/d(lnx)", "dyex": "dy/d(lnx)", "eydx": "d(lny)/dx"}


@dataclass(frozen=True, eq=False)
class Margins:
    """Marginal effects with standard errors by the delta method.

    Attributes
    ----------
    results : Results
    labels : DataFrame
        Of each effect: ``term``, ``contrast``, ``outcome`` where a model predicts several, and where it was taken.
    margeff : ndarray (p,)
    gradient : ndarray (p, k)
        Derivative of each effect in the parameters, in the coordinates of the fit.
    method : str
    at : str
        In words.
    df : float or None
        Degrees of freedom of Student's t; None for the normal distribution.
    """

    results: Results = field(repr=False)
    labels: pd.DataFrame
    margeff: Array
    gradient: Array = field(repr=False)
    method: str
    at: str
    df: float | None

    @cached_property
    def margeff_se(self) -> Array:
        """Standard errors."""
        covariance = self.results.covariance_z.numpy()
        return np.sqrt(((self.gradient @ covariance) * self.gradient).sum(1))

    def cov_margins(self) -> Array:
        """Covariance of the effects, (p, p)."""
        return self.gradient @ self.results.covariance_z.numpy() @ self.gradient.T

    @property
    def tvalues(self) -> Array:
        se = self.margeff_se
        return np.divide(self.margeff, se, out=np.full_like(se, np.nan), where=se > 0)

    @property
    def pvalues(self) -> Array:
        return two_sided(self.tvalues, self.df)

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Intervals (p, 2)."""
        reach = critical_value(alpha, self.df) * self.margeff_se
        return np.column_stack([self.margeff - reach, self.margeff + reach])

    @property
    def names(self) -> list[str]:
        """One label for each effect."""
        return [_name(row) for row in self.labels.to_dict("records")]

    def frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row per effect: what it is, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        low, high = self.conf_int(1 - level).T
        return self.labels.assign(estimate=self.margeff, std_error=self.margeff_se, statistic=self.tvalues,
                                  p_value=self.pvalues, conf_low=low, conf_high=high)  # fmt: skip

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Effect, standard error, test and limits, labelled by `names`."""
        letter = "z" if self.df is None else "t"
        columns = [HEADERS[self.method], "Std. Err.", letter, f"Pr(>|{letter}|)", "Conf. Int. Low", "Conf. Int. High"]
        values = np.column_stack([self.margeff, self.margeff_se, self.tvalues, self.pvalues, self.conf_int(alpha)])
        return pd.DataFrame(values, index=self.names, columns=columns)

    def summary(self, alpha: float = 0.05) -> Summary:
        """The effects as a table."""
        block = coefficient_table(
            self.names, self.margeff, self.margeff_se, self.tvalues, self.pvalues, self.conf_int(alpha),
            alpha=alpha, use_t=self.df is not None, estimate=HEADERS[self.method],
        )  # fmt: skip
        model = self.results.model
        left = [("Dep. Variable:", str(model.endog_names)), ("Method:", self.method), ("At:", self.at)]
        return Summary(f"{type(model).__name__} Marginal Effects", left, (), [block],
                       notes=[self.results.estimate.description])  # fmt: skip

    def t_test(self, hypothesis: Any) -> wald.TTest:
        """Test linear hypotheses about the effects: ``"x = z"``, a matrix; labels as in `names`."""
        matrix, values = constraint(self.names, hypothesis)
        gradient = matrix @ self.gradient
        sd = np.sqrt(((gradient @ self.results.covariance_z.numpy()) * gradient).sum(1))
        return wald.TTest(matrix @ self.margeff, sd, values, self.df)

    def __str__(self) -> str:
        return str(self.summary())


def _name(row: Mapping[Any, Any]) -> str:
    """The label of an effect: the term, what is compared, the outcome and the point."""
    slope = row["contrast"] == "slope"
    name = str(row["term"]) if slope else f"{row['term']}[{row['contrast']}]"
    rest = [f"{key}={value}" for key, value in row.items() if key not in ("term", "contrast")]
    return f"{name} ({', '.join(rest)})" if rest else name


def margins(
    results: Results,
    variables: str | Sequence[str] | None,
    at: Any,
    method: str,
    which: str,
    contrast: str | Mapping[str, Any],
    arguments: Mapping[str, Any],
) -> Margins:
    """Marginal effects; see `Results.margins`."""
    if method not in METHODS:
        raise ValueError(f"method={method!r} is not known; choose from {', '.join(map(repr, METHODS))}")
    if not hasattr(results.model, "predict_rows"):
        raise ValueError(f"{type(results.model).__name__} has no linear predictors, so its margins are not known")
    known = variables_of(results.model)
    moves = known.moves([variables] if isinstance(variables, str) else variables, contrast, method)
    labels, values, gradients = [], [], []
    for point in points(results, known, at, arguments):
        for move, (value, gradient) in zip(moves, estimates(results, known, point, moves, which, method), strict=True):
            labels += _labels(results, point, move, len(value))
            values.append(value)
            gradients.append(gradient)
        del point  # before the next one is made
    df = results.df_inference if results.use_t else None
    words = at if isinstance(at, str) else "given values"
    return Margins(results, pd.DataFrame(labels), np.concatenate(values), np.concatenate(gradients), method, words, df)


def estimates(
    results: Results, known: Variables, point: Point, moves: Sequence[Move], which: str, method: str
) -> list[tuple[Array, Array]]:
    """For each move at one point its effects (J,) and their gradients (J, k): one of each outcome, and of single rows each."""
    model, effects = results.model, effects_of(results, known, point, moves, which, method)
    if point.rows is not None:  # each row by itself

        def each(block: Data) -> Tensor:
            numbers = [torch.cat([e.value[:, None], e.gradients(model)], 1) for e in effects(block)]
            return torch.stack(numbers, 1)

        rows = row_map(each, point.data).numpy()
        apart = [part.reshape(-1, part.shape[-1]) for part in np.split(rows, len(moves), axis=1)]
        return [(part[:, 0], part[:, 1:]) for part in apart]

    def totals(block: Data) -> tuple[Tensor, Tensor, Tensor]:
        weights = block.get("freq_weights")
        weights = torch.ones(block.n, dtype=torch.float64, device=block.device) if weights is None else weights
        sums = [effect.total(model, weights) for effect in effects(block)]
        return torch.stack([s for s, _ in sums]), torch.stack([g for _, g in sums]), weights.sum()

    value, gradient, weight = row_sums(totals, point.data)
    parts = [np.split((total / weight).numpy(), len(moves)) for total in (value, gradient)]
    return list(zip(*parts, strict=True))


def effects_of(
    results: Results, known: Variables, point: Point, moves: Sequence[Move], which: str, method: str
) -> Callable[[Data], Iterator[Effect]]:
    """The effects of some moves at the rows of a block of a point, made one after the other."""
    if not moves:
        raise ValueError("the model has a constant and nothing else, so there is no variable to take effects of")
    fit, device = results.fit, point.data.device
    undetermined = torch.zeros_like(fit.z, dtype=torch.bool) if fit.separation is None else fit.separation.undetermined
    setting = Setting(results.model, fit.z.to(device), which, method, undetermined.to(device))

    def effects(block: Data) -> Iterator[Effect]:
        moving = known.moving(block, point.frame_of(block))
        for move in moves:
            yield from move.effects(setting, block, moving)

    return effects


def _labels(results: Results, point: Point, move: Move, count: int) -> list[dict[str, Any]]:
    """Labels of the effects of one move at one point, in the order of `estimate`."""
    rows = [point.label] if point.rows is None else point.rows
    outcomes: list[dict[str, Any]] = [{}]
    if count > len(rows):
        outcomes = [{"outcome": outcome} for outcome in outcome_names(results, count // len(rows))]
    return [{"term": move.variable, "contrast": move.label, **outcome, **row} for row in rows for outcome in outcomes]


def outcome_names(results: Results, count: int) -> list[Any]:
    """Names of the outcomes of a model that predicts several: the classes of the response, else 0, 1, ..."""
    levels = results.model.design.response_levels
    return list(levels) if levels is not None and len(levels) == count else list(range(count))
