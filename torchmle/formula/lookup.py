"""Whether each name in a formula is a column of the data or something of the caller's."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import patsy
import torch

from ..errors import FormulaError
from .columns.missing import typed
from .columns.problems import unknown_name
from .columns.rowargs import LINEAR, align
from .columns.source import Source
from .columns.values import Column
from .language.environment import BUILTINS, resolve
from .language.syntax import Names, find_names

_ARRAYS = (np.ndarray, pd.Series, pd.api.extensions.ExtensionArray, list, tuple, torch.Tensor)
_PYTHON = frozenset(dir(builtins))
_PYTHON_TYPES = frozenset(name for name in _PYTHON if isinstance(getattr(builtins, name), type))


def look_up(
    codes: Iterable[str], source: Source, env: patsy.EvalEnvironment
) -> tuple[dict[str, Column], dict[str, object]]:
    """Columns for the variables in ``codes``, and the values of all other names.

    A name is looked for in the data, then in the caller's scope, then among patsy's functions. A row-shaped value of
    the caller's (as long as the data) counts as a variable. A name that is called is never a column.

    Raises
    ------
    FormulaError
        For a name that is nowhere, with near names as suggestions.
    """
    codes = list(codes)
    constants = resolve(env, find_names(codes).all())
    names = find_names(codes, constants)
    constants |= resolve(env, names.all())  # names that only Q("...") mentions
    used = list(names.variables | names.options)
    columns = {name: Column(name, source.column(name)) for name in used if name in source}
    _refuse_unknown(names, constants, columns, source)
    for name in names.variables:
        value = constants.get(name)
        if name not in columns and isinstance(value, _ARRAYS):
            source.adopt(value)
            if len(value) == source.n:
                columns[name] = Column(name, _as_column(name, value, source))
    kept = {name: value for name, value in constants.items() if name in names.functions or name not in columns}
    return columns, kept


_OF_R = {
    "factor": "C(...)", "ordered": "C(...)", "ns": "cr(..., df=)", "relevel": "C(..., Treatment('level'))",
}  # fmt: skip


def _unknown_function(name: str) -> FormulaError:
    written = _OF_R.get(name) or (f"np.{name}(...)" if callable(getattr(np, name, None)) else None)
    if written is not None:
        return FormulaError(f"there is no function {name!r} in formulas; write {written}")
    return unknown_name(name, [*BUILTINS, "Surv"], role="function")


def _refuse_unknown(names: Names, constants: Mapping[str, Any], columns: Mapping[str, Column], source: Source) -> None:
    for name in names.functions:
        if name not in constants and name in LINEAR:
            raise FormulaError(
                f"{name}(...) takes the name of one column in a formula; make a column of the expression, or pass {name}= beside "
                "the formula (exposure= adds a column's logarithm)"
            )
        if name not in constants and name not in _PYTHON and name != "Surv":
            raise _unknown_function(name)
    for name in names.variables | names.options:
        if name not in constants and name not in columns and name not in _PYTHON_TYPES:
            raise unknown_name(name, source.names, role="variable")


def _as_column(name: str, value: Any, source: Source) -> Any:
    if isinstance(value, pd.Series) and source.index is not None:
        return align(name, value, source.index)
    return typed(value)
