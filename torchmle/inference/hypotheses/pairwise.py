"""Differences between the levels of a factor, each pair tested, adjusted for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .multiple import adjusted
from .wald import t_test

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairwiseTests:
    """Tests of the differences between levels.

    Attributes
    ----------
    result_frame : DataFrame
        Indexed by pair, later level less earlier one: the columns of a t test's frame, and for each method
        ``pvalue-<method>`` and ``reject-<method>``.
    contrasts : ndarray
        (pairs, k), the hypotheses.
    contrast_labels : list of str
    term : str
    """

    result_frame: pd.DataFrame
    contrasts: Array
    contrast_labels: list[str]
    term: str


def t_test_pairwise(
    results: Results,
    term_name: str,
    method: str | Sequence[str] = "hs",
    alpha: float = 0.05,
    factor_labels: Sequence[str] | None = None,
) -> PairwiseTests:
    """Test the difference between any two levels of a categorical term, under any coding.

    Parameters
    ----------
    results : Results
    term_name : str
        A term of the main formula that is one factor, such as ``"C(g)"``.
    method : str or sequence of str
        How to adjust the p-values; see `torchmle.inference.hypotheses.multiple.adjusted`.
    alpha : float
        Level at which adjusted p-values reject.
    factor_labels : sequence of str, optional
        Names of the levels in the labels of the pairs.

    Raises
    ------
    ValueError
        The term is not there, is not one factor, or the labels are not as many as the levels.
    """
    levels, coding, start = _coding(results, term_name)
    labels = [str(level) for level in (levels if factor_labels is None else factor_labels)]
    if len(labels) != len(levels):
        raise ValueError(f"factor_labels has the wrong length, should be {len(levels)}, not {len(labels)}")
    pairs = list(combinations(range(len(levels)), 2))
    contrasts = np.zeros((len(pairs), len(results.names)))
    for row, (first, second) in enumerate(pairs):
        contrasts[row, start : start + coding.shape[1]] = coding[second] - coding[first]
    names = [f"{labels[second]}-{labels[first]}" for first, second in pairs]
    test = t_test(results, contrasts)
    frame = test.summary_frame(xname=names)
    for name in [method] if isinstance(method, str) else method:
        frame[f"pvalue-{name}"] = adjusted(np.atleast_1d(test.pvalue), name)
        frame[f"reject-{name}"] = frame[f"pvalue-{name}"] <= alpha
    return PairwiseTests(frame, contrasts, names, term_name)


def _coding(results: Results, term: str) -> tuple[tuple[object, ...], Array, int]:
    """Levels of a factor, the row of its columns for each of them, and where its coefficients start."""
    design, main = results.model.design, results.model.predictors()[0]
    coding, positions = design.codings.get(main), results.term_positions()
    if coding is None or term not in positions:
        raise ValueError(f"there is no term {term!r} of a formula; the terms are {', '.join(positions)}")
    span = coding.terms[term]
    (part, *others) = [p for p in coding.parts if span.start <= p.columns.start < span.stop]
    levels = design.factors[part.factors[0]].levels if len(part.factors) == 1 else None
    if others or levels is None:
        raise ValueError(f"{term!r} is not a single categorical factor, so it has no levels to compare")
    matrix = np.asarray(part.contrasts[part.factors[0]], dtype=float)
    if len(positions[term]) != matrix.shape[1]:
        raise ValueError(
            f"{term!r} has coefficients for each of several responses or categories; compare them with t_test"
        )
    return levels, matrix, positions[term][0]
