"""Factors: one expression of a formula each, remembered so that new rows are coded as the training rows were."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Container, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..errors import FormulaError, SpecificationWarning
from .columns.levels import MISSING, UNSEEN, Coded, factorize
from .columns.problems import at_rows, shorten
from .columns.values import AsLevels, Variables, classify
from .language.environment import frames_inside
from .language.expression import Expression
from .language.syntax import bare_variable, find_names, parse, statistics_of, without_box

MANY = 10  # levels, from which on dates and texts of numbers are worth a question


@dataclass(frozen=True)
class Factor:
    """A factor after it has seen the training rows.

    Attributes
    ----------
    name : str
        Its code, which is also its name in column names.
    expression : Expression
        What to evaluate on new rows. ``C(...)`` is stripped: its levels and contrasts are remembered.
    variables : tuple of str
        The columns of the data it uses.
    bare : str or None
        The variable it consists of, when it is nothing but a variable.
    levels : tuple or None
        Of a categorical factor, in coding order; None for a numeric one.
    unused : tuple
        Levels the training data declared but no row had.
    width : int
        Number of columns of a numeric factor.
    """

    name: str
    expression: Expression
    variables: tuple[str, ...]
    bare: str | None = None
    levels: tuple[Hashable, ...] | None = None
    unused: tuple[Hashable, ...] = ()
    width: int = 1

    def values(self, variables: Variables, unseen: str = "raise") -> np.ndarray:
        """Numbers (n, width), or codes (n,) with -1 for missing values, at new rows.

        Raises
        ------
        FormulaError
            For a level that was not seen in training (unless ``unseen="nan"``, which makes it missing), and when the
            type or the width are not those of training.
        """
        if not variables.n:  # splines cannot be evaluated nowhere
            return np.empty((0, self.width)) if self.levels is None else np.empty(0, dtype=np.intp)
        view = variables if self.bare is None else AsLevels(variables, every=self.levels is not None)
        value = classify(self.expression.evaluate(view), variables.index, self.name)
        if self.levels is not None:
            coded = value if isinstance(value, Coded) else factorize(value[:, 0])
            return self._codes(coded, self.levels, variables, unseen)
        if isinstance(value, Coded):
            raise FormulaError(f"{self.name!r} was numeric in the data the model was fitted on, but is not here")
        if value.shape[1] != self.width:
            raise FormulaError(f"{self.name!r} has {value.shape[1]} columns, but {self.width} when it was fitted")
        return value

    def _codes(self, coded: Coded, levels: tuple[Hashable, ...], variables: Variables, unseen: str) -> np.ndarray:
        codes = coded.recode(levels)
        strange = np.flatnonzero(codes == UNSEEN)
        if not strange.size:
            return codes
        if unseen == "nan":
            return np.where(codes == UNSEEN, MISSING, codes)
        level = coded.levels[coded.codes[strange[0]]]
        rows = variables.index[coded.codes == coded.levels.index(level)]
        where = at_rows(rows) if len(rows) == 1 else f"{len(rows)} rows: {shorten(rows)}"
        declared = ", only declared as a category," if level in self.unused else ""
        raise FormulaError(
            f"variable {self.bare or self.name!r} has level {level!r} ({where}) that was not{declared} in the "
            "data the model was fitted on and does not match any of the expected levels; "
            f"known levels: {shorten(levels, 20)}"
        )


@dataclass
class Evaluated:
    """Factors of a set of formulas evaluated at the training rows."""

    factors: dict[str, Factor] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    contrasts: dict[str, Any] = field(default_factory=dict)


def learn(codes: Iterable[str], variables: Variables, constants: Mapping[str, object]) -> Evaluated | np.ndarray:
    """Evaluate factors at the training rows.

    Returns
    -------
    Evaluated, or ndarray of bool
        The mask of rows at which evaluation gave a missing value; nothing can be remembered before they are dropped.
    """
    result = Evaluated()
    incomplete = np.zeros(variables.n, dtype=bool)
    for code in codes:
        missing = _learn_one(code, variables, constants, result)
        if missing is not None:
            incomplete |= missing
    return incomplete if incomplete.any() else result


def _learn_one(
    code: str, variables: Variables, constants: Mapping[str, object], result: Evaluated
) -> np.ndarray | None:
    inner, boxed = without_box(parse(code), constants)
    bare = bare_variable(inner, variables, constants)
    expression = Expression(code, constants)
    missing = expression.memorize(variables)
    if missing is not None:
        return missing
    view = variables if bare is None else AsLevels(variables, every=boxed)
    value = classify(expression.evaluate(view), variables.index, code)
    if boxed:
        expression = Expression(ast.unparse(inner), constants, expression.transforms)
    used = tuple(name for name in find_names([expression.code], constants).all() if name in variables)
    if isinstance(value, Coded):
        coded = value.used()
        if not coded.levels:
            raise FormulaError(f"variable {code!r} has no level: every value is missing")
        unused = tuple(level for level in value.levels if level not in coded.levels)
        result.factors[code] = Factor(code, expression, used, bare, coded.levels, unused)
        result.values[code], result.contrasts[code] = coded.codes, coded.contrast
        return coded.missing()
    result.factors[code] = Factor(code, expression, used, bare, width=value.shape[1])
    result.values[code] = value
    return _incomplete(value, code, variables.index)


def _incomplete(value: np.ndarray, code: str, index: pd.Index) -> np.ndarray | None:
    """Rows with NaN; infinite values are an error."""
    if value.dtype.kind != "f":
        return None
    finite = np.isfinite(value).all(axis=1)
    if finite.all():
        return None
    infinite = np.isinf(value).any(axis=1)
    if infinite.any():
        raise FormulaError(
            f"term {code!r} is infinite in {at_rows(index[infinite])}; drop or change these values, or the transform"
        )
    return ~finite


def warn_of_numbers_as_levels(learned: Evaluated) -> None:
    """Warn of factors that were not asked for: dates, or numbers read as text, most of whose levels occur once."""
    for code, factor in learned.factors.items():
        levels = factor.levels
        if (
            levels is None
            or code.startswith("C(")
            or 2 * len(levels) <= len(learned.values[code])
            or len(levels) < MANY
        ):
            continue
        what = _numbers_in_disguise(levels)
        if what is not None:
            warnings.warn(
                f"{code!r} holds {what}, so that it enters as a factor of {len(levels)} levels; make it numbers, or write "
                f"C({code}) if every level shall have a coefficient",
                SpecificationWarning,
                stacklevel=frames_inside() + 1,
            )


def _numbers_in_disguise(levels: tuple[Hashable, ...]) -> str | None:
    if isinstance(levels[0], pd.Timestamp | pd.Timedelta | pd.Period):
        return "dates or times"
    texts = pd.Series([level for level in levels if isinstance(level, str)], dtype=object)
    numbers = pd.to_numeric(texts, errors="coerce").notna().sum()
    return f"numbers written as text (such as {texts[0]!r})" if 2 * numbers > len(levels) else None


def warn_of_statistics(codes: Iterable[str], variables: Container[str], constants: Mapping[str, object]) -> None:
    """Warn of functions of the whole column, which new rows would be transformed by anew."""
    for code in codes:
        call = statistics_of(code, variables, constants)
        if call is not None:
            warnings.warn(
                f"{code!r}: {call} is computed anew from the rows given to predict; center(x), standardize(x) and "
                "other stateful transforms remember the training rows",
                SpecificationWarning,
                stacklevel=frames_inside() + 1,
            )
