"""A design as patsy's ``DesignInfo``, for code that expects one (``model.data.design_info``)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import patsy
from patsy.desc import Term

from .coding import Coding, Part
from .columns.source import Source
from .columns.values import Column, Variables
from .design import Design
from .factor import Factor


class LearnedFactor:
    """A factor with its remembered state, after patsy's factor protocol."""

    origin = None

    def __init__(self, factor: Factor):
        self.factor = factor

    def name(self) -> str:
        """Its code."""
        return self.factor.name

    def __repr__(self) -> str:
        return f"LearnedFactor({self.factor.name!r})"

    def memorize_passes_needed(self, state: dict[str, Any], eval_env: patsy.EvalEnvironment) -> int:
        """None: it has seen its data."""
        return 0

    def eval(self, state: dict[str, Any], data: Any) -> Any:
        """Its value at the rows of ``data``, categorical with the levels of training."""
        source = Source(data)
        columns = {name: Column(name, source.column(name)) for name in self.factor.variables}
        values = self.factor.values(Variables(columns, source.labels()))
        if self.factor.levels is None:
            return values
        return pd.Categorical.from_codes(values, pd.Index(list(self.factor.levels), tupleize_cols=False))


def design_info(design: Design, predictor: str | None = None) -> patsy.DesignInfo:
    """patsy's description of one predictor's design matrix (by default the first's).

    It works with ``patsy.build_design_matrices`` and has ``term_name_slices``, ``linear_constraint`` and the rest. If
    columns were left out by ``drop_cols``, or the design was made from matrices, it has only the column names.
    """
    name = next(iter(design.columns)) if predictor is None else predictor
    coding = design.codings.get(name)
    if coding is None or any(part.keep is not None for part in coding.parts):
        return patsy.DesignInfo(list(design.columns[name]))
    used = dict.fromkeys(factor for part in coding.parts for factor in part.factors)
    learned = {factor: LearnedFactor(design.factors[factor]) for factor in used}
    infos = {learned[factor]: _factor_info(learned[factor]) for factor in used}
    return patsy.DesignInfo(list(coding.names), infos, _term_codings(coding, learned))


def _factor_info(learned: LearnedFactor) -> patsy.FactorInfo:
    factor = learned.factor
    if factor.levels is None:
        return patsy.FactorInfo(learned, "numerical", {}, num_columns=factor.width)
    return patsy.FactorInfo(learned, "categorical", {}, categories=factor.levels)


def _term_codings(coding: Coding, learned: dict[str, LearnedFactor]) -> OrderedDict[Term, list[patsy.SubtermInfo]]:
    codings: OrderedDict[Term, list[patsy.SubtermInfo]] = OrderedDict()
    for span in coding.terms.values():
        parts = [part for part in coding.parts if span.start <= part.columns.start < span.stop]
        # a term may be coded as several products; the longest one has all its factors, in order
        longest = max(parts, key=lambda part: len(part.factors))
        term = Term([learned[factor] for factor in longest.factors])
        codings[term] = [_subterm(part, learned) for part in parts]
    return codings


def _subterm(part: Part, learned: dict[str, LearnedFactor]) -> patsy.SubtermInfo:
    contrasts = {
        learned[factor]: patsy.ContrastMatrix(np.asarray(matrix), [f"[{at}]" for at in range(matrix.shape[1])])
        for factor, matrix in part.contrasts.items()
    }
    factors = [learned[factor] for factor in part.factors]
    return patsy.SubtermInfo(factors, contrasts, part.columns.stop - part.columns.start)
