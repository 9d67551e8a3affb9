"""The test of a whole model: that nothing but the constant of its main design has an effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...fitting.columns import constant_weights, intercept_column, spans_constant
from ...structured import is_of_columns
from .wald import wald_test

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]


class OverallTest(NamedTuple):
    """The test of a whole model: which it is ("LR", "Wald", "F"), its statistic, degrees of freedom and p-value."""

    kind: str
    statistic: float
    df: float
    pvalue: float


def slopes(results: Results) -> Array:
    """R of the hypothesis that all free coefficients of the main design but its constant are zero.

    Where the constant is a combination of columns, as of a full set of dummies, that all are equal across it.  Without
    coefficients of a design there are no rows.
    """
    predictors = main_coefficients(results.model)
    if not predictors:
        return np.zeros((0, len(results.names)))
    at, weights = results._main_constant
    return np.vstack([_slopes(results, entries, at, weights) for entries in predictors])


def main_coefficients(model: Any) -> list[list[int]]:
    """Reported entries of the coefficients of the main design: a list for each predictor that has its columns."""
    name, parameters = model.predictors()[0], model.parameters
    width, shared = len(model.design.columns.get(name, ())), _sharing(model, name)
    found = []
    for block in model.layout.blocks:
        if width and (block.name in shared or is_of_columns(parameters.get(block.name))):
            starts = range(block.reported.start, block.reported.stop, width)
            found += [list(range(start, start + width)) for start in starts]
    return found


def _sharing(model: Any, name: str) -> set[str]:
    """Predictors with the columns of the first; models of free-standing parameters have none."""
    return set(model.every_design({name: None})) if hasattr(model, "every_design") else set()


def main_constant(results: Results) -> tuple[int | None, list[float] | None]:
    """Place of the constant among the columns of the main design, or the weights with which they add up to one."""
    model: Any = results.model
    name, known = model.predictors()[0], getattr(model, "intercepts", None)
    if name not in model.rows.x:
        return None, None
    at = intercept_column(model.rows.x[name], model.rows.group) if known is None else known.get(name)
    if at is not None:
        return at, None
    spanned = results.k_constant if hasattr(model, "every_design") else spans_constant(model.rows, name)
    return None, constant_weights(model.rows, name).tolist() if spanned else None


def _slopes(results: Results, entries: list[int], at: int | None, weights: list[float] | None) -> Array:
    """The rows of one predictor."""
    k = len(results.names)
    held = results._dropped | results.fixed | results._reported_entries(results.fit.coordinates.tied)
    free = [entry for j, entry in enumerate(entries) if not held[entry] and j != at]
    if weights is None or not free:
        return np.eye(k)[free]
    along = np.array([weights[entry - entries[0]] for entry in free])
    contrasts = np.zeros((len(free) - 1, k))
    contrasts[:, free] = np.linalg.svd(along[None])[2][1:]
    return contrasts


def allows_constant_only(results: Results) -> bool:
    """Whether the restrictions of a fit hold in the model of a constant alone: only slopes are held, and at zero.

    That model leaves everything else free; where it is ruled out, a ratio of likelihoods has no chi-squared distribution.
    """
    held = results.fixed & ~results._dropped & ~results._at_boundary
    told = results.fit.settings.get("constraints")
    if not held.any() and told is None:
        return True
    model: Any = results.model
    main, others = model.rows.x.get(model.predictors()[0]), np.ones(len(results.names), dtype=bool)
    intercepts = getattr(model, "intercepts", {})  # conditional models have none, nor a design of rows
    for block in model.layout.blocks:
        if model.rows.x.get(block.name) is main and (block.name in intercepts or not results.k_constant):
            entries = range(block.reported.start, block.reported.stop)
            others[[entry for j, entry in enumerate(entries) if j != intercepts.get(block.name)]] = False
    if told is not None and (np.any(told.constants != 0) or np.any(told.coefs[:, others] != 0)):
        return False
    return not bool((held & (others | (results.params_array != 0))).any())


def overall_wald(results: Results) -> OverallTest | None:
    """Wald test of `slopes` by the covariance of the results, F under `use_t`; None when there are no slopes."""
    matrix = slopes(results)
    if not len(matrix):
        return None
    test = wald_test(results, matrix)
    kind = "F" if test.distribution == "F" else "Wald"
    return OverallTest(kind, float(test.statistic), float(test.df_num), float(test.pvalue))
