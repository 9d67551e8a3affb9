"""Whether each name in a formula is a column of the data or something of the caller's."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import patsy
import torch

from .environment import BUILTINS, resolve
from .problems import unknown_name
from .rowargs import align
from .source import Source
from .syntax import find_names
from .values import Column

_ARRAYS = (np.ndarray, pd.Series, pd.Categorical, list, tuple, torch.Tensor)


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
    used = [*names.variables, *names.options]
    columns = {name: Column(name, source.column(name)) for name in used if name in source}
    _refuse_unknown(names.functions, {**constants, "Surv": None}, BUILTINS, "function")
    _refuse_unknown(used, {**constants, **columns}, source.names, "variable")
    for name in names.variables:
        value = constants.get(name)
        if name not in columns and isinstance(value, _ARRAYS) and len(value) == (source.n or len(value)):
            columns[name] = Column(name, _as_column(name, value, source))
    functions = names.functions.keys()
    return columns, {name: value for name, value in constants.items() if name in functions or name not in columns}


def _refuse_unknown(names: Iterable[str], known: dict[str, Any], choices: Iterable[str], role: str) -> None:
    for name in names:
        if name not in known and name not in _PYTHON:
            raise unknown_name(name, choices, role=role)


_PYTHON = frozenset(dir(builtins))


def _as_column(name: str, value: Any, source: Source) -> Any:
    if source.n is None:
        source.n = len(value)
        source.index = value.index if isinstance(value, pd.Series) else None
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, pd.Series) and source.index is not None:
        return align(name, value, source.index)
    return value if hasattr(value, "dtype") else np.asarray(value)
