"""The test of a whole model: that nothing but the constant of its main design has an effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..fitting.columns import constant_weights
from .wald import JointTest, wald_test

if TYPE_CHECKING:
    from ..results import Results

Array = NDArray[np.float64]


class OverallTest(NamedTuple):
    """The test of a whole model: which it is ("LR", "Wald", "F"), its statistic, degrees of freedom and p-value."""

    kind: str
    statistic: float
    df: float
    pvalue: float


def slopes(results: Results) -> Array:
    """R of the hypothesis that all free coefficients of the main design but its constant are zero.

    Where the constant is a combination of columns, as of a full set of dummies, that all are equal across it.
    """
    model: Any = results.model
    main = model.rows.x[model.predictors()[0]] if model.has_rows else None
    rows = []
    for i, block in enumerate(model.layout.blocks):
        if i and (main is None or model.rows.x.get(block.name) is not main):
            continue
        entries = list(range(block.reported.start, block.reported.stop))
        rows.append(_slopes(results, block.name, entries))
    return np.vstack(rows)


def _slopes(results: Results, name: str, entries: list[int]) -> Array:
    """The rows of one predictor."""
    at, k = results.model.intercepts.get(name), len(results.names)
    held = results._dropped | results.fixed | results._reported_entries(results.fit.coordinates.tied)
    free = [entry for j, entry in enumerate(entries) if not held[entry] and j != at]
    if at is not None or not results.k_constant:
        return np.eye(k)[free]
    along = constant_weights(results.model.rows, name).numpy()[[entry - entries[0] for entry in free]]
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
    main, others = model.rows.x[model.predictors()[0]], np.ones(len(results.names), dtype=bool)
    for block in model.layout.blocks:
        if model.rows.x.get(block.name) is main and (block.name in model.intercepts or not results.k_constant):
            entries = range(block.reported.start, block.reported.stop)
            others[[entry for j, entry in enumerate(entries) if j != model.intercepts.get(block.name)]] = False
    if told is not None and (np.any(told.constants != 0) or np.any(told.coefs[:, others] != 0)):
        return False
    return not bool((held & (others | (results.params_array != 0))).any())


def overall_wald(results: Results) -> JointTest | None:
    """Wald test of `slopes` by the covariance of the results; None when there are no slopes."""
    matrix = slopes(results)
    return wald_test(results, matrix) if len(matrix) else None
