"""The left side of a formula: numbers, several columns, two or more classes, or a censored time."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import FormulaError
from .columns.levels import is_boolean
from .columns.problems import at_rows
from .columns.surv import Surv, Survival
from .columns.values import Variables
from .factor import Factor, learn
from .language.expression import Expression
from .language.syntax import find_names, parse

_UNSEEN_OK = ("interval", "interval2")  # types of Surv in which a missing limit is information


@dataclass(frozen=True)
class Response:
    """How to make the response of new rows.

    Attributes
    ----------
    codes : tuple of str
        The terms on the left side.
    names : tuple of str
        Name of each column; for ``Surv(time, event)`` those of its arguments.
    label : str
        For the heading of a summary.
    factors : mapping of str to Factor
    levels : tuple or None
        Classes of a categorical response in the order of their codes.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    label: str
    factors: Mapping[str, Factor] = field(default_factory=dict)
    levels: tuple[Hashable, ...] | None = None

    def values(self, variables: Variables) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Response and the columns that come with it, at new rows; NaN where it is missing."""
        if is_survival(self.codes):
            survival = _survival(self.factors[self.codes[0]].expression, variables)
            return survival.time, {"event": survival.event, **survival.columns}
        values = [self.factors[code].values(variables) for code in self.codes]
        return _stack([np.where(value < 0, np.nan, value) if value.ndim == 1 else value for value in values]), {}


def is_survival(codes: Sequence[str]) -> bool:
    """Whether the response is ``Surv(...)``."""
    return len(codes) == 1 and _surv_call(codes[0]) is not None


def tolerates_missing(codes: Sequence[str]) -> bool:
    """Whether a missing value in the response's variables may mean something (an open interval)."""
    call = _surv_call(codes[0]) if len(codes) == 1 else None
    kinds = [] if call is None else [keyword.value for keyword in call.keywords if keyword.arg == "type"]
    return any(isinstance(kind, ast.Constant) and kind.value in _UNSEEN_OK for kind in kinds)


def learn_response(
    codes: tuple[str, ...], variables: Variables, constants: Mapping[str, object], classes: bool
) -> tuple[Response, np.ndarray, dict[str, np.ndarray]] | np.ndarray:
    """Response at the training rows, or the mask of rows at which it is missing.

    Parameters
    ----------
    classes : bool
        Whether the model takes classes: a categorical response then becomes the codes 0 … J-1 of its levels.
        Otherwise only two levels are accepted, as 0 and 1.
    """
    if is_survival(codes):
        return _learn_survival(codes, variables, constants)
    learned = learn(codes, variables, constants)
    if isinstance(learned, np.ndarray):
        return learned
    levels = None
    for code in codes:
        levels = _class_levels(learned.factors[code], classes, len(codes))
    names = [name for code in codes for name in _names(learned.factors[code])]
    label = names[0] if len(names) == 1 else str(names)
    response = Response(codes, tuple(names), label, learned.factors, levels if len(codes) == 1 else None)
    return response, _stack([learned.values[code] for code in codes]), {}


def _class_levels(factor: Factor, classes: bool, count: int) -> tuple[Hashable, ...] | None:
    levels = factor.levels
    if levels is None or (classes and count == 1) or is_boolean(levels):
        return levels
    if count > 1:
        raise FormulaError(f"response {factor.name!r} is not numeric; several responses must all be numbers")
    if len(levels) != 2:
        shown = ", ".join(repr(level) for level in levels[:6])
        raise FormulaError(
            f"response {factor.name!r} is categorical with {len(levels)} level{'s' * (len(levels) != 1)} ({shown}); "
            "an array with multiple columns; this model needs numbers or two levels"
        )
    return levels


def _learn_survival(
    codes: tuple[str, ...], variables: Variables, constants: Mapping[str, object]
) -> tuple[Response, np.ndarray, dict[str, np.ndarray]] | np.ndarray:
    code = codes[0]
    call = _surv_call(code)
    assert call is not None
    expression = Expression(code, {**constants, "Surv": Surv})
    survival = _survival(expression, variables)
    missing = np.isnan(survival.time) | np.isnan(survival.event)
    for values in survival.columns.values():
        missing |= np.isnan(values)
    if missing.any():
        return missing
    if np.isinf(survival.time).any():
        raise FormulaError(f"response {code!r} is infinite in {at_rows(variables.index[np.isinf(survival.time)])}")
    arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg != "type")]
    names = tuple(ast.unparse(argument) for argument in arguments)
    used = tuple(name for name in find_names([code], constants).all() if name in variables)
    response = Response(codes, names, code, {code: Factor(code, expression, used)})
    return response, survival.time, {"event": survival.event, **survival.columns}


def _survival(expression: Expression, variables: Variables) -> Survival:
    value = expression.evaluate(variables)
    assert isinstance(value, Survival)
    return value


def _surv_call(code: str) -> ast.Call | None:
    tree: Any = parse(code)
    return tree if isinstance(tree, ast.Call) and getattr(tree.func, "id", None) == "Surv" else None


def _names(factor: Factor) -> list[str]:
    return [factor.name] if factor.width == 1 else [f"{factor.name}[{column}]" for column in range(factor.width)]


def _stack(parts: list[np.ndarray]) -> np.ndarray:
    columns = [(part[:, None] if part.ndim == 1 else part).astype(np.float64, copy=False) for part in parts]
    return columns[0][:, 0] if len(columns) == 1 and columns[0].shape[1] == 1 else np.hstack(columns)
