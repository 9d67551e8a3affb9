"""Learn a design from a frame and the formulas of each predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy

from ..data import Data
from ..data.tensors import as_double
from ..errors import FormulaError
from .coding import Coding, code_terms, without_columns
from .columns.problems import IncompleteDataError, at_rows, unknown_name
from .columns.rowargs import argument_tensor, missing_argument, read_arguments
from .columns.source import Source
from .columns.subset import subset_mask
from .columns.values import Column, Variables, complete_rows
from .design import Design, Rows
from .factor import Evaluated, Factor, learn, warn_of_numbers_as_levels, warn_of_statistics
from .language.offset import FUNCTIONS, Code
from .language.parsing import Parsed, parse_predictors
from .language.syntax import bare_names, find_names
from .lookup import look_up
from .matrix import fill
from .response import Response, learn_response, tolerates_missing


def design_from_formula(
    formulas: Mapping[str, str],
    data: Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    env: patsy.EvalEnvironment,
    missing: str = "drop",
    subset: Any = None,
    drop_cols: Sequence[str] | None = None,
    classes: bool = False,
) -> Rows:
    """Learn a design from formulas and make its training rows.

    Parameters
    ----------
    formulas : mapping of str to str
        Formula of each predictor; the first has the response, as in ``{"mu": "y ~ x", "sigma": "~ w"}``.
    data : DataFrame, polars.DataFrame, pyarrow.Table, mapping of str to array, or None
        Only the columns that the formulas and arguments name are read.
    arguments : mapping of str to object, optional
        Row-shaped arguments (offset, weights, groups …): a column name, a Series (aligned by index), an array as long
        as the data, or a number. None is ignored.
    env : patsy.EvalEnvironment
        Where names that are not columns are looked up; see `caller_environment`.
    missing : {"drop", "raise", "none"}
        What to do with rows in which any variable or argument is missing; "none" does not allow them either.
    subset : array_like, optional
        Rows to use: a boolean mask over the rows of ``data``, or labels of its index.
    drop_cols : sequence of str, optional
        Design columns to leave out.
    classes : bool
        Whether the model takes a categorical response with any number of levels (as codes 0 … J-1).

    Returns
    -------
    Rows

    Raises
    ------
    FormulaError
        If a formula cannot be parsed or evaluated; the message names the variable and what to do.
    MissingDataError
        If values are missing and ``missing`` is not "drop".

    Notes
    -----
    Incomplete rows are dropped once, from everything, before any transform is evaluated, so that ``center(x)`` works
    with a NaN in x; then again where evaluation itself gives NaN (``np.log(-1)``).
    """
    if missing not in ("drop", "raise", "none"):
        raise ValueError(f"missing option {missing} not understood")
    source = Source(data)
    coded = {name: value.text for name, value in (arguments or {}).items() if isinstance(value, Code)}
    task = _read(dict(formulas), coded, source, env)
    plain = {name: value for name, value in (arguments or {}).items() if name not in coded}
    given, row_names = read_arguments(plain, source)
    chosen = None if subset is None else subset_mask(subset, source.index, source.n)
    learned = _learn(task, _first_mask(task, given, chosen), source.labels(), classes)
    dropped = (source.n if chosen is None else int(chosen.sum())) - len(learned.y)
    if dropped and missing != "drop":
        raise _incomplete(learned.kept, chosen, source.labels())
    warn_of_statistics(task.right, task.columns, task.constants)
    warn_of_numbers_as_levels(learned.evaluated)
    design = _design(task, learned, row_names, drop_cols)
    index = source.labels() if learned.kept is None else source.labels()[learned.kept]
    return Rows(_training_data(design, learned, given), index, learned.kept, dropped, design)


@dataclass(frozen=True)
class _Task:
    """Formulas and what their names mean: codes of the response and of the right sides' factors, columns, the rest.

    `coded` are the row arguments that are expressions, by name; `right` has these too.
    """

    parsed: Mapping[str, Parsed]
    response: tuple[str, ...]
    right: tuple[str, ...]
    coded: Mapping[str, str]
    columns: Mapping[str, Column]
    constants: Mapping[str, object]


@dataclass(frozen=True)
class _Learned:
    """Everything the formulas say about the training rows ``kept``."""

    evaluated: Evaluated
    response: Response
    y: np.ndarray
    extra: dict[str, np.ndarray]
    kept: np.ndarray | None


def _read(formulas: dict[str, str], coded: Mapping[str, str], source: Source, env: patsy.EvalEnvironment) -> _Task:
    parsed = parse_predictors(formulas)
    response = next(iter(parsed.values())).response
    if not response:
        raise FormulaError("the formula has no response; write it on the left side, as in 'y ~ x'")
    right = tuple(dict.fromkeys(code for formula in parsed.values() for code in formula.factors))
    columns, constants = look_up([*response, *right], source, env)
    if coded:
        more = look_up(coded.values(), source, env.with_outer_namespace(FUNCTIONS))
        columns, constants = columns | more[0], constants | more[1]
        right = tuple(dict.fromkeys((*right, *coded.values())))
    return _Task(parsed, response, right, coded, columns, constants)


def _first_mask(task: _Task, given: Mapping[str, np.ndarray], chosen: np.ndarray | None) -> np.ndarray | None:
    """Rows of the subset in which every raw variable and argument is there; None for all."""
    counted = set(task.columns)
    if tolerates_missing(task.response):  # where its variables also stand on the right, evaluation finds the gaps
        counted -= set(find_names(task.response, task.constants).all())
    bare = bare_names([*task.response, *task.right], task.columns, task.constants)
    as_levels = {name for name, boxed in bare.items() if boxed or not task.columns[name].numeric}
    kept = complete_rows({name: task.columns[name] for name in counted}, as_levels)
    missing = [mask for name, value in given.items() if (mask := missing_argument(name, value)) is not None]
    for mask in [*(~mask for mask in missing), *([] if chosen is None else [chosen])]:
        kept = mask if kept is None else kept & mask
    return kept


def _learn(task: _Task, kept: np.ndarray | None, index: pd.Index, classes: bool) -> _Learned:
    """Evaluate everything, dropping the rows where that gives NaN until none does."""
    while True:
        variables = Variables(task.columns, index, kept)
        if not variables.n:
            raise FormulaError("no row is left: in every row some variable or argument is missing")
        left = learn_response(task.response, variables, task.constants, classes)
        evaluated = left if isinstance(left, np.ndarray) else learn(task.right, variables, task.constants)
        if isinstance(left, tuple) and isinstance(evaluated, Evaluated):
            return _Learned(evaluated, *left, kept)
        assert isinstance(evaluated, np.ndarray)
        kept = np.ones(len(index), dtype=bool) if kept is None else kept.copy()
        kept[np.flatnonzero(kept)[evaluated]] = False


def _incomplete(kept: np.ndarray | None, chosen: np.ndarray | None, labels: pd.Index) -> IncompleteDataError:
    assert kept is not None
    rows = np.flatnonzero(~kept if chosen is None else chosen & ~kept)
    return IncompleteDataError(
        f"factor contains missing values: {len(rows)} incomplete rows ({at_rows(labels[rows])}); "
        "missing='drop' leaves them out"
    )


def _design(task: _Task, learned: _Learned, row_names: Mapping[str, str], drop_cols: Sequence[str] | None) -> Design:
    evaluated, response = learned.evaluated, learned.response
    codings = {
        name: code_terms(formula.terms, evaluated.factors, evaluated.contrasts) for name, formula in task.parsed.items()
    }
    codings = _drop(codings, drop_cols)
    terms = {code for formula in task.parsed.values() for code in formula.factors}
    return Design(
        formulas={name: formula.text for name, formula in task.parsed.items()},
        response=response.names,
        response_label=response.label,
        columns={name: coding.names for name, coding in codings.items()},
        terms={name: coding.terms for name, coding in codings.items()},
        row_names=row_names,
        pandas=True,
        response_levels=response.levels,
        codings=codings,
        factors={code: factor for code, factor in evaluated.factors.items() if code in terms},
        outcome=response,
        row_factors={name: _one_number(name, evaluated.factors[code]) for name, code in task.coded.items()},
    )


def _one_number(name: str, factor: Factor) -> Factor:
    """The factor of a row argument.

    Raises
    ------
    FormulaError
        It is not one number for each row.
    """
    if factor.levels is not None or factor.width != 1:
        what = "categories" if factor.levels is not None else f"{factor.width} columns"
        raise FormulaError(f"{name}({factor.name}) must be one number for each row; it has {what}")
    return factor


def _drop(codings: dict[str, Coding], drop_cols: Sequence[str] | None) -> dict[str, Coding]:
    known = [name for coding in codings.values() for name in coding.names]
    for name in drop_cols or ():
        if name not in known:
            raise unknown_name(name, known, role="design column")
    return {name: without_columns(coding, drop_cols or ()) for name, coding in codings.items()}


def _training_data(design: Design, learned: _Learned, given: Mapping[str, np.ndarray]) -> Data:
    values = learned.evaluated.values
    x = {name: as_double(fill(coding, values, len(learned.y))) for name, coding in design.codings.items()}
    columns = {name: as_double(value) for name, value in learned.extra.items()}
    columns |= {name: argument_tensor(name, value, learned.kept) for name, value in given.items()}
    columns |= {name: as_double(values[factor.name][:, 0]) for name, factor in design.row_factors.items()}
    return Data(as_double(learned.y), x, columns)
