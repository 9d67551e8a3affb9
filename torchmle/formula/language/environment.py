"""Where the names in a formula that are not columns of the data come from."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from numbers import Integral
from types import FrameType
from typing import Any

import patsy
import patsy.builtins

from .scaling import poly, standardize

_PACKAGE = __name__.partition(".")[0]

BUILTINS: Mapping[str, object] = {
    **{name: getattr(patsy.builtins, name) for name in patsy.builtins.__all__},
    "standardize": standardize,
    "scale": standardize,
    "poly": poly,
}
"""What every formula can use unless a caller's variable of the same name hides it, as in patsy."""


def caller_environment(eval_env: Any = 0) -> patsy.EvalEnvironment:
    """Namespace of the first frame outside this package, so that wrappers inside it need not count frames.

    Parameters
    ----------
    eval_env : int, mapping or EvalEnvironment
        How many frames further out to look, -1 for an empty namespace (only patsy's builtins); or the values of the
        names themselves.

    Raises
    ------
    TypeError
        It is none of these.
    ValueError
        If the call stack is not that deep.
    """
    if isinstance(eval_env, patsy.EvalEnvironment):
        return eval_env
    if isinstance(eval_env, Mapping):
        return patsy.EvalEnvironment([dict(eval_env)])
    if not isinstance(eval_env, Integral):
        raise TypeError(f"eval_env must be a number of frames, a dict or a patsy.EvalEnvironment, not {eval_env!r}")
    if eval_env == -1:
        return patsy.EvalEnvironment([{}])
    return patsy.EvalEnvironment.capture(frames_inside() + int(eval_env))


def frames_inside() -> int:
    """Number of frames from this function's caller up to, and not including, the first outside this package."""
    depth = 0
    frame = inspect.currentframe()
    frame = None if frame is None else frame.f_back
    while frame is not None and frame.f_back is not None and _inside(frame):
        frame, depth = frame.f_back, depth + 1
    del frame  # a frame held by a local variable of a frame below it would be a reference cycle
    return depth


def resolve(env: patsy.EvalEnvironment, names: Iterable[str]) -> dict[str, object]:
    """The values of those ``names`` that the environment, or else patsy's builtins, know."""
    namespace = env.with_outer_namespace(dict(BUILTINS)).namespace
    found = {name: namespace[name] for name in names if name in namespace}
    # patsy's own standardize loops over the rows in Python; ours computes the same numbers at once.
    return {name: standardize if value is patsy.standardize else value for name, value in found.items()}


def _inside(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    # docstring examples run with the globals of the module they are in, but are a user's code
    return module.partition(".")[0] == _PACKAGE and not frame.f_code.co_filename.startswith("<doctest")
