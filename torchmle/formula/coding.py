"""patsy decides the columns: which contrasts, in what order, under which names. It sees no rows to do so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import patsy
import patsy.builtins
from patsy.desc import Term

from ..errors import FormulaError
from .factor import Factor


@dataclass(frozen=True, eq=False)
class Part:
    """One product of factors and the design columns it fills.

    Attributes
    ----------
    factors : tuple of str
        Their names; none for the intercept.
    contrasts : mapping of str to ndarray, shape (levels, columns)
        Coding of each categorical factor in this product.
    columns : slice
        Where in the design matrix.
    keep : ndarray of int, or None
        Which of the product's columns are in the design; None for all.
    """

    factors: tuple[str, ...]
    contrasts: Mapping[str, np.ndarray]
    columns: slice
    keep: np.ndarray | None = None


@dataclass(frozen=True)
class Coding:
    """The columns of one predictor's design matrix."""

    names: tuple[str, ...]
    terms: Mapping[str, slice]
    parts: tuple[Part, ...]


class _Stub:
    """A factor as patsy's protocol wants it, with one representative row instead of data."""

    origin = None

    def __init__(self, factor: Factor, contrast: Any):
        self._name = factor.name
        if factor.levels is None:
            self._value: Any = np.zeros((1, factor.width))
        else:
            self._value = patsy.builtins.C(list(factor.levels[:1]), contrast, factor.levels)

    def name(self) -> str:
        return self._name

    def memorize_passes_needed(self, state: dict[str, Any], eval_env: patsy.EvalEnvironment) -> int:
        return 0

    def eval(self, state: dict[str, Any], data: object) -> Any:
        return self._value


def code_terms(terms: Iterable[tuple[str, ...]], factors: Mapping[str, Factor], contrasts: Mapping[str, Any]) -> Coding:
    """Columns for the terms of one formula.

    Parameters
    ----------
    terms : iterable of tuple of str
        Factor names of each term.
    factors : mapping of str to Factor
    contrasts : mapping of str to object
        What the user gave as ``C(g, contrast)``.

    Raises
    ------
    FormulaError
        If a contrast does not fit its levels.
    """
    stubs = {name: _Stub(factor, contrasts.get(name)) for name, factor in factors.items()}
    termlist = [Term([stubs[name] for name in term]) for term in terms]
    environment = patsy.EvalEnvironment([{}])
    try:
        info = patsy.design_matrix_builders([termlist], lambda: iter([{}]), environment)[0]
    except patsy.PatsyError as error:
        raise FormulaError(str(error)) from error
    return _coding(info)


def _coding(info: patsy.DesignInfo) -> Coding:
    at, parts, terms = 0, [], {}
    for term, subterms in info.term_codings.items():
        start = at
        for subterm in subterms:
            contrasts = {
                factor.name(): np.asarray(coding.matrix, dtype=np.float64)
                for factor, coding in subterm.contrast_matrices.items()
            }
            names = tuple(factor.name() for factor in subterm.factors)
            parts.append(Part(names, contrasts, slice(at, at + subterm.num_columns)))
            at += subterm.num_columns
        terms[term.name()] = slice(start, at)
    return Coding(tuple(info.column_names), terms, tuple(parts))


def without_columns(coding: Coding, dropped: Iterable[str]) -> Coding:
    """The coding without the columns of these names."""
    gone = set(dropped)
    if gone.isdisjoint(coding.names):
        return coding
    kept = np.array([name not in gone for name in coding.names])
    new = np.concatenate([[0], np.cumsum(kept)])  # new position of every old column boundary
    parts = []
    for part in coding.parts:
        inside = np.flatnonzero(kept[part.columns])
        if inside.size:
            columns = slice(int(new[part.columns.start]), int(new[part.columns.stop]))
            keep = inside if part.keep is None else part.keep[inside]
            parts.append(Part(part.factors, part.contrasts, columns, keep))
    spans = {term: slice(int(new[span.start]), int(new[span.stop])) for term, span in coding.terms.items()}
    names = tuple(name for name in coding.names if name not in gone)
    return Coding(names, {term: span for term, span in spans.items() if span.start < span.stop}, tuple(parts))
