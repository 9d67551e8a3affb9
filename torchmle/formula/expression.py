"""A factor's Python expression, with stateful transforms such as ``center`` that remember the training rows."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..errors import FormulaError
from .syntax import parse


class Expression:
    """Code of one factor, ready to evaluate.

    Parameters
    ----------
    code : str
        A Python expression.
    constants : mapping
        What its names mean, apart from the variables passed to `evaluate`.
    transforms : mapping, optional
        Remembered stateful transforms by slot, when the expression is rebuilt from a saved design.
    """

    def __init__(self, code: str, constants: Mapping[str, object], transforms: Mapping[str, Any] | None = None):
        self.code = code
        self.constants = dict(constants)
        finder = _StatefulCalls(self.constants)
        tree = finder.visit(parse(code))
        self._compiled = _compile(tree)
        self._memorize = finder.memorize
        self.transforms = dict(transforms) if transforms else {slot: make() for slot, make in finder.makers.items()}

    def memorize(self, variables: Mapping[str, object]) -> np.ndarray | None:
        """Let each stateful transform see the training rows, the innermost first.

        Returns
        -------
        ndarray of bool, or None
            Rows at which some transform would be given a missing value; the caller has to drop them and start again.
        """
        for slot, call in self._memorize.items():
            arguments = _Arguments()
            self._run(_compile(_on(call, "_arguments")), variables, {"_arguments": arguments})
            if arguments.missing is not None:
                return arguments.missing
            transform = self.transforms[slot]
            transform.memorize_chunk(*arguments.args, **arguments.kwargs)
            transform.memorize_finish()
        return None

    def evaluate(self, variables: Mapping[str, object]) -> Any:
        """The factor's value at these rows."""
        return self._run(self._compiled, variables, {})

    def _run(self, code: Any, variables: Mapping[str, object], extra: Mapping[str, object]) -> Any:
        scope = ChainMap(dict(extra), variables, self.transforms, self.constants)  # type: ignore[arg-type]
        try:
            # NaN and inf are looked for afterwards, with a message that names the term
            with np.errstate(all="ignore"):
                return eval(code, {}, scope)  # noqa: S307 - a formula is Python code by definition
        except FormulaError:
            raise
        except Exception as error:
            raise FormulaError(f"cannot evaluate {self.code!r}: {type(error).__name__}: {error}") from error


class _StatefulCalls(ast.NodeTransformer):
    """Replaces ``center(x)`` by ``_stateful0_center.transform(x)`` and collects what has to be memorised, inside out."""

    def __init__(self, constants: Mapping[str, object]):
        self.constants = constants
        self.makers: dict[str, Any] = {}
        self.memorize: dict[str, ast.Call] = {}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        call = self.generic_visit(node)  # inner calls first
        assert isinstance(call, ast.Call)
        maker = self.constants.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if not hasattr(maker, "__patsy_stateful_transform__"):
            return call
        assert isinstance(call.func, ast.Name)
        slot = f"_stateful{len(self.makers)}_{call.func.id}"
        self.makers[slot] = maker.__patsy_stateful_transform__  # type: ignore[attr-defined]
        self.memorize[slot] = call
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
            missing = np.asarray(pd.isna(value))
            missing = missing.any(axis=1) if missing.ndim == 2 else missing
            if missing.ndim == 1 and missing.any():
                self.missing = missing if self.missing is None else self.missing | missing


def _on(call: ast.Call, name: str) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), call.args, call.keywords)


def _compile(node: ast.expr) -> Any:
    return compile(ast.fix_missing_locations(ast.Expression(node)), "<formula>", "eval")
