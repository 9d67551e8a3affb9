"""A factor's Python expression, with stateful transforms such as ``center`` that remember the training rows."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd

from ...errors import FormulaError
from ..columns.missing import missing_rows, typed
from .syntax import find_names, parse


class Expression:
    """Code of one factor, ready to evaluate.

    Parameters
    ----------
    code : str
        A Python expression.
    constants : mapping
        What names mean that are not variables; only those that the code uses are kept.
    transforms : mapping, optional
        Remembered stateful transforms by slot, when the expression is rebuilt.
    """

    def __init__(self, code: str, constants: Mapping[str, object], transforms: Mapping[str, Any] | None = None):
        self.code = code
        self.constants = {name: constants[name] for name in find_names([code], constants).all() if name in constants}
        finder = _StatefulCalls(self.constants)
        self._compiled = _compile(finder.visit(deepcopy(parse(code))))
        self._calls = finder.calls
        self.transforms = dict(transforms) if transforms else {slot: make() for slot, make in finder.makers.items()}

    def memorize(self, variables: Mapping[str, object]) -> np.ndarray | None:
        """Let each stateful transform see the training rows, the innermost first.

        Returns
        -------
        ndarray of bool, or None
            Rows at which some transform would be given a missing value; the caller has to drop them and start again.
        """
        for slot, call in self._calls.items():
            arguments = _Arguments()
            self._run(_compile(_on(call, "_arguments")), variables, {"_arguments": arguments})
            if arguments.missing is not None:
                return arguments.missing
            memorize = self.transforms[slot].memorize_chunk
            self._guard(memorize, *arguments.args, **arguments.kwargs)
            self._guard(self.transforms[slot].memorize_finish)
        return None

    def evaluate(self, variables: Mapping[str, object]) -> Any:
        """The factor's value at these rows."""
        return self._run(self._compiled, variables, {})

    def _run(self, code: Any, variables: Mapping[str, object], extra: Mapping[str, object]) -> Any:
        scope = ChainMap(dict(extra), self.transforms, variables, self.constants)  # type: ignore[arg-type]
        return self._guard(eval, code, {}, scope)

    def _guard(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            # NaN and inf are looked for afterwards, with a message that names the term
            with np.errstate(all="ignore"):
                return function(*args, **kwargs)
        except FormulaError:
            raise
        except Exception as error:  # whatever the user's own functions raise
            raise FormulaError(f"cannot evaluate {self.code!r}: {type(error).__name__}: {error}") from error


class _StatefulCalls(ast.NodeTransformer):
    """Replaces ``center(x)`` by ``_stateful0_center.transform(x)`` and collects such calls, the innermost first."""

    def __init__(self, constants: Mapping[str, object]):
        self.constants = constants
        self.makers: dict[str, Any] = {}
        self.calls: dict[str, ast.Call] = {}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        call = self.generic_visit(node)  # inner calls first
        assert isinstance(call, ast.Call)
        if not isinstance(call.func, ast.Name):
            return call
        transform = getattr(self.constants.get(call.func.id), "__patsy_stateful_transform__", None)
        if transform is None:
            return call
        slot = f"_stateful{len(self.makers)}_{call.func.id}"
        self.makers[slot] = transform
        self.calls[slot] = call
        function = ast.Attribute(ast.Name(slot, ast.Load()), "transform", ast.Load())
        return ast.Call(function, call.args, call.keywords)


class _Arguments:
    """Stands in for a transform's ``memorize_chunk`` to see its arguments first."""

    def __init__(self) -> None:
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.missing: np.ndarray | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs
        for value in args:
            if np.ndim(value) not in (1, 2):
                continue
            missing = missing_rows(value if isinstance(value, pd.DataFrame) else typed(value))
            if missing is not None:
                self.missing = missing if self.missing is None else self.missing | missing


def _on(call: ast.Call, name: str) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), call.args, call.keywords)


def _compile(node: ast.expr) -> Any:
    return compile(ast.fix_missing_locations(ast.Expression(node)), "<formula>", "eval")
