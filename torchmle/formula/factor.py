"""Factors: one expression of a formula each, remembered so that new rows are coded as the training rows were."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import patsy.builtins

from ..errors import FormulaError
from .expression import Expression
from .problems import at_rows, shorten
from .syntax import bare_variable, find_names, parse, without_box
from .values import AsLevels, Coded, Variables, classify, recode


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

    def values(self, variables: Variables, labels: Sequence[object]) -> np.ndarray:
        """Codes (n,) or numbers (n, width) at these rows.

        Raises
        ------
        FormulaError
            For a level that was not seen in training, named with its rows; for a changed type or width.
        """
        view = variables if self.bare is None else AsLevels(variables, every=self.levels is not None)
        value = classify(self.expression.evaluate(view), variables.n, self.name)
        if self.levels is not None:
            return self._codes(value, labels)
        if isinstance(value, Coded):
            raise FormulaError(f"{self.name!r} was numeric in the data the model was fitted on, here it is not")
        if value.shape[1] != self.width:
            raise FormulaError(f"{self.name!r} has {value.shape[1]} columns here, {self.width} when the model was fitted")
        return value

    def _codes(self, value: Coded | np.ndarray, labels: Sequence[object]) -> np.ndarray:
        if not isinstance(value, Coded):
            value = classify(patsy.builtins.C(value[:, 0]), len(value), self.name)
            assert isinstance(value, Coded)
        assert self.levels is not None
        return recode(value, self.levels, self._unseen(value, labels))

    def _unseen(self, value: Coded, labels: Sequence[object]) -> Any:
        def refuse(level: Hashable, rows: np.ndarray) -> Exception:
            rows = np.flatnonzero(value.codes == value.levels.index(level))
            seen = "that no row had" if level in self.unused else "that was not"
            return FormulaError(
                f"variable {self.name!r} has level {level!r} ({at_rows([labels[row] for row in rows])}) {seen} "
                f"in the data the model was fitted on; known levels: {shorten(self.levels or (), 20)}"
            )

        return refuse


@dataclass
class Evaluated:
    """Factors of a set of formulas evaluated at the training rows."""

    factors: dict[str, Factor] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    contrasts: dict[str, Any] = field(default_factory=dict)


def learn(codes: Sequence[str], variables: Variables, constants: Mapping[str, object]) -> Evaluated | np.ndarray:
    """Evaluate factors at the training rows.

    Returns
    -------
    Evaluated, or ndarray of bool
        The mask of rows at which evaluation gave a missing value; nothing can be remembered before they are dropped.
    """
    result = Evaluated()
    incomplete = np.zeros(variables.n, dtype=bool)
    for code in codes:
        value = _learn_one(code, variables, constants, result)
        if value is not None:
            incomplete |= value
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
    value = classify(expression.evaluate(view), variables.n, code)
    kept = Expression(ast.unparse(inner), constants, expression.transforms) if boxed else expression
    used = tuple(name for name in find_names([kept.code], constants).all() if name in variables)
    if isinstance(value, Coded):
        coded = value.used()
        if not coded.levels:
            raise FormulaError(f"variable {code!r} has no level: every value is missing")
        unused = tuple(level for level in value.levels if level not in coded.levels)
        result.factors[code] = Factor(code, kept, used, bare, coded.levels, unused)
        result.values[code], result.contrasts[code] = coded.codes, coded.contrast
        return coded.missing()
    result.factors[code] = Factor(code, kept, used, bare, width=value.shape[1])
    result.values[code] = value
    return _incomplete(value, code)


def _incomplete(value: np.ndarray, code: str) -> np.ndarray | None:
    """Rows with NaN; infinite values are an error."""
    if value.dtype.kind != "f":
        return None
    finite = np.isfinite(value).all(axis=1)
    if finite.all():
        return None
    infinite = np.isinf(value).any(axis=1)
    if infinite.any():
        count = int(infinite.sum())
        raise FormulaError(
            f"term {code!r} is infinite in {count} row{'s' if count > 1 else ''} (first: row {np.argmax(infinite)})"
        )
    return ~finite
