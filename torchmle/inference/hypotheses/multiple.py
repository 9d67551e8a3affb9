"""p-values of several tests, adjusted for their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def adjusted(pvalues: ArrayLike, method: str) -> Array:
    """p-values to be compared with alpha itself.

    Parameters
    ----------
    pvalues : array_like
        (m,).
    method : str
        "bonferroni", "sidak", "holm", "holm-sidak" ("hs"), "simes-hochberg" ("sh"), "hommel": the chance of any
        false rejection; "fdr_bh", "fdr_by": the expected share of false rejections among rejections.

    References
    ----------
    Holm (1979); Hochberg (1988); Hommel (1988), by the algorithm of Wright (1992); Benjamini and Hochberg (1995);
    Benjamini and Yekutieli (2001).
    """
    key = ALIASES.get(method.lower(), method.lower())
    if key not in METHODS:
        raise ValueError(f"method {method!r} is not known; choose from {', '.join([*METHODS, *ALIASES])}")
    values = np.asarray(pvalues, dtype=float)
    order = np.argsort(values)
    found = np.empty_like(values)
    found[order] = np.minimum(METHODS[key](values[order]), 1.0)
    return found


def _down(p: Array) -> Array:
    """A rejection needs all smaller p-values rejected."""
    return np.maximum.accumulate(p)


def _up(p: Array) -> Array:
    """A rejection carries all smaller p-values along."""
    return np.minimum.accumulate(p[::-1])[::-1]


def _left(p: Array) -> Array:
    """How many hypotheses are not yet rejected: m, m - 1, ..., 1."""
    return np.arange(len(p), 0, -1, dtype=float)


def _sidak(p: Array, number: Array | int) -> Array:
    return -np.expm1(number * np.log1p(-p))


def _hommel(p: Array) -> Array:
    m = len(p)
    found = p.copy()
    for size in range(m, 1, -1):
        tail = m - size + np.arange(1, size)  # positions of the `size - 1` largest, from the second on
        least = float((size * p[tail] / np.arange(2, size + 1)).min())
        found[tail] = np.maximum(found[tail], least)
        head = slice(0, m - size + 1)
        found[head] = np.maximum(found[head], np.minimum(least, size * p[head]))
    return found


def _share(p: Array) -> Array:
    return p * len(p) / np.arange(1, len(p) + 1)


METHODS: Mapping[str, Callable[[Array], Array]] = {
    "bonferroni": lambda p: p * len(p),
    "sidak": lambda p: _sidak(p, len(p)),
    "holm": lambda p: _down(p * _left(p)),
    "holm-sidak": lambda p: _down(_sidak(p, _left(p))),
    "simes-hochberg": lambda p: _up(p * _left(p)),
    "hommel": _hommel,
    "fdr_bh": lambda p: _up(_share(p)),
    "fdr_by": lambda p: _up(_share(p) * (1 / np.arange(1, len(p) + 1)).sum()),
}
ALIASES: Mapping[str, str] = {"b": "bonferroni", "bonf": "bonferroni", "s": "sidak", "h": "holm", "hs": "holm-sidak",
                              "sh": "simes-hochberg", "ho": "hommel", "fdr_i": "fdr_bh", "fdr_n": "fdr_by"}  # fmt: skip
