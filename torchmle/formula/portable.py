"""Values as plain JSON-able data and back, without pickle: what a saved design is made of."""

from __future__ import annotations

import importlib
import math
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from .language.environment import BUILTINS

Path = tuple[Any, ...]
_PLAIN = (str, bool, int, float, type(None))


class UnportableError(TypeError):
    """A value that cannot be written without pickle."""


def encode(value: Any) -> Any:
    """JSON-able form of numbers, strings, arrays, dates, intervals, importable functions, and containers of these.

    Raises
    ------
    UnportableError
        For anything else, such as functions defined in ``__main__`` and lambdas; the message says what to do.
    """
    if isinstance(value, np.longdouble):
        value = np.asarray(value)
    elif isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, _PLAIN):
        return value
    for kind, (types_, write, _) in _KINDS.items():
        if isinstance(value, types_):
            return {kind: write(value)}
    return {"import": import_path(value)}


def decode(value: Any) -> Any:
    """The value that `encode` made this from."""
    if not isinstance(value, dict):
        return value
    (kind, content), *_ = value.items()
    if kind == "float":
        return float(content)
    if kind == "import":
        return from_import_path(content)
    return _KINDS[kind][2](content)


def import_path(value: Any) -> str:
    """``"module:name"`` under which a fresh process finds the same object."""
    for name, builtin in BUILTINS.items():
        if value is builtin:
            return f":{name}"
    if isinstance(value, types.ModuleType):
        return f"{value.__name__}:"
    for module, name in _candidates(value):
        if module != "__main__" and _attribute(sys.modules.get(module), name) is value:
            return f"{module}:{name}"
    what = getattr(value, "__qualname__", None) or type(value).__name__
    raise UnportableError(
        f"{what} cannot be saved, because a fresh process could not import it; define it in a module rather than in "
        "__main__ or as a lambda, or compute the column before fitting"
    )


def from_import_path(path: str) -> Any:
    """Import what `import_path` named."""
    module, _, name = path.partition(":")
    if not module:
        return BUILTINS[name]
    found = importlib.import_module(module)
    return _attribute(found, name) if name else found


def _candidates(value: Any) -> list[tuple[str, str]]:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", getattr(value, "__name__", ""))
    homes = [module] if isinstance(module, str) else []
    transform = getattr(value, "__patsy_stateful_transform__", None)
    homes += [] if transform is None else [transform.__module__]
    found = [(home, str(name)) for home in homes]
    found += [(home, str(name)) for home in ("numpy", "scipy.special")]  # ufuncs do not say where they come from
    for home in homes:
        found += [(home, other) for other, held in vars(sys.modules.get(home, types)).items() if held is value]
    return found


def _attribute(holder: Any, path: str) -> Any:
    for name in path.split("."):
        holder = getattr(holder, name, None)
    return holder


def _pairs(value: dict[Any, Any]) -> list[list[Any]]:
    return [[encode(key), encode(item)] for key, item in value.items()]


def _items(value: Any) -> list[Any]:
    return [encode(item) for item in value]


def _array(value: np.ndarray) -> dict[str, Any]:
    flat = value.ravel()
    if value.dtype.kind not in "biuf":
        dtype, items = "object", _items(flat.tolist())
    elif value.dtype.itemsize > 8:  # patsy sums in the machine's longest float; its digits only fit in text
        dtype, items = "longdouble", [str(item) for item in flat]
    else:
        dtype, items = value.dtype.name, _items(flat.tolist())
    return {"shape": list(value.shape), "items": items, "dtype": dtype}


def _from_array(content: dict[str, Any]) -> np.ndarray:
    flat = np.empty(len(content["items"]), dtype=content["dtype"])
    for at, item in enumerate(content["items"]):
        flat[at] = np.longdouble(item) if content["dtype"] == "longdouble" else decode(item)
    return flat.reshape(content["shape"])


def _interval(value: pd.Interval) -> list[Any]:
    return [encode(value.left), encode(value.right), value.closed]


# kind: (types, to JSON, from JSON); the first kind whose types fit is used
_KINDS: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tuple": (tuple, _items, lambda content: tuple(decode(item) for item in content)),
    "list": (list, _items, lambda content: [decode(item) for item in content]),
    "set": ((set, frozenset), _items, lambda content: {decode(item) for item in content}),
    "dict": (dict, _pairs, lambda content: {decode(key): decode(item) for key, item in content}),
    "array": (np.ndarray, _array, _from_array),
    "series": (pd.Series, lambda value: _array(value.to_numpy()), lambda content: pd.Series(_from_array(content))),
    "interval": (
        pd.Interval,
        _interval,
        lambda content: pd.Interval(decode(content[0]), decode(content[1]), content[2]),
    ),
    "timestamp": (pd.Timestamp, lambda value: value.isoformat(), pd.Timestamp),
    "datetime64": (np.datetime64, str, np.datetime64),
    "timedelta": (pd.Timedelta, lambda value: value.isoformat(), pd.Timedelta),
    "period": (pd.Period, lambda value: [str(value), value.freqstr], lambda content: pd.Period(content[0], content[1])),
    "decimal": (Decimal, str, Decimal),
    "missing": (type(pd.NA), lambda value: "NA", lambda content: pd.NA),
    "complex": (complex, lambda value: [value.real, value.imag], lambda content: complex(*content)),
}
