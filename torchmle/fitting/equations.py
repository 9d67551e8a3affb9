"""Linear equations ``R params = q`` in parameters, given as matrices or in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patsy import DesignInfo, PatsyError

from ..errors import FormulaError

Array = NDArray[np.float64]


def constraint(names: list[str], hypothesis: Any) -> tuple[Array, Array]:
    """R (p, k) and q (p,) of a hypothesis: a string, a list of strings, a dict, a matrix, or a pair (R, q)."""
    if isinstance(hypothesis, tuple) and len(hypothesis) == 2 and not isinstance(hypothesis[0], str):
        matrix, values = np.atleast_2d(np.asarray(hypothesis[0], float)), hypothesis[1]
        values = np.zeros(len(matrix)) if values is None else np.atleast_1d(np.asarray(values, float))
    elif isinstance(hypothesis, (str, Mapping)) or _strings(hypothesis):
        matrix, values = _parsed(names, hypothesis)
    else:
        matrix = np.atleast_2d(np.asarray(hypothesis, dtype=float))
        values = np.zeros(len(matrix))
    if matrix.shape[1] != len(names):
        raise ValueError(f"r_matrix has {matrix.shape[1]} columns; there are {len(names)} parameters")
    return matrix, np.broadcast_to(values, (len(matrix),)).astype(float)


def _parsed(names: list[str], hypothesis: Any) -> tuple[Array, Array]:
    """A hypothesis in words, read by patsy."""
    try:
        found = DesignInfo(names).linear_constraint(hypothesis)
    except PatsyError as error:
        reason = str(error).splitlines()[0]
        raise FormulaError(
            f"cannot read the hypothesis {hypothesis!r} ({reason}); the parameters are {', '.join(names)}"
        ) from None
    return found.coefs, found.constants.ravel()


def _strings(hypothesis: Any) -> bool:
    return isinstance(hypothesis, (list, tuple)) and len(hypothesis) > 0 and all(isinstance(h, str) for h in hypothesis)
