"""NIST's reference sets of nonlinear least squares, as normal maximum likelihood: y = f(x, b) + sigma * noise.

A set holds data, both of NIST's starts, the certified values (11 digits) and `exact`: what the data imply once rounded to
doubles, from `exact.py` in 60-digit arithmetic.  NIST's standard deviations are sigma times the root of the diagonal of
(J'J)⁻¹, sigma² = RSS / (n - p): those of the expected information, times sqrt(n / (n - p)).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def _sum_of_cosines(m, x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    def wave(period, cosine, sine):
        angle = 2 * m.pi * x / period
        return cosine * m.cos(angle) + sine * m.sin(angle)

    return b1 + wave(12, b2, b3) + wave(b4, b5, b6) + wave(b7, b8, b9)


def _exponentials(m, x, b1, b2, b3, b4, b5, b6):
    return b1 * m.exp(-b2 * x) + b3 * m.exp(-b4 * x) + b5 * m.exp(-b6 * x)


def _peaks(m, x, b1, b2, b3, b4, b5, b6, b7, b8):
    return b1 * m.exp(-b2 * x) + b3 * m.exp(-(((x - b4) / b5) ** 2)) + b6 * m.exp(-(((x - b7) / b8) ** 2))


# f(m, *x, *b), where m has exp and its like for the kind of number at hand: torch, numpy, mpmath.mp
MEANS: dict[str, Callable[..., Any]] = {
    "misra1a": lambda m, x, b1, b2: b1 * (1 - m.exp(-b2 * x)),
    "misra1b": lambda m, x, b1, b2: b1 * (1 - (1 + b2 * x / 2) ** -2),
    "misra1c": lambda m, x, b1, b2: b1 * (1 - (1 + 2 * b2 * x) ** -0.5),
    "misra1d": lambda m, x, b1, b2: b1 * b2 * x / (1 + b2 * x),
    "chwirut1": lambda m, x, b1, b2, b3: m.exp(-b1 * x) / (b2 + b3 * x),
    "chwirut2": lambda m, x, b1, b2, b3: m.exp(-b1 * x) / (b2 + b3 * x),
    "danwood": lambda m, x, b1, b2: b1 * x**b2,
    "lanczos1": _exponentials,
    "lanczos2": _exponentials,
    "lanczos3": _exponentials,
    "gauss1": _peaks,
    "gauss2": _peaks,
    "gauss3": _peaks,
    "rat42": lambda m, x, b1, b2, b3: b1 / (1 + m.exp(b2 - b3 * x)),
    "rat43": lambda m, x, b1, b2, b3, b4: b1 / (1 + m.exp(b2 - b3 * x)) ** (1 / b4),
    "mgh09": lambda m, x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    "mgh10": lambda m, x, b1, b2, b3: b1 * m.exp(b2 / (x + b3)),
    "mgh17": lambda m, x, b1, b2, b3, b4, b5: b1 + b2 * m.exp(-x * b4) + b3 * m.exp(-x * b5),
    "boxbod": lambda m, x, b1, b2: b1 * (1 - m.exp(-b2 * x)),
    "thurber": lambda m, x, b1, b2, b3, b4, b5, b6, b7: (
        (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)
    ),
    "roszman1": lambda m, x, b1, b2, b3, b4: b1 - b2 * x - m.atan(b3 / (x - b4)) / m.pi,
    "eckerle4": lambda m, x, b1, b2, b3: b1 / b2 * m.exp(-0.5 * ((x - b3) / b2) ** 2),
    "nelson": lambda m, x1, x2, b1, b2, b3: b1 - b2 * x1 * m.exp(-b3 * x2),
    "enso": _sum_of_cosines,
    "hahn1": lambda m, x, b1, b2, b3, b4, b5, b6, b7: (
        (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)
    ),
    "bennett5": lambda m, x, b1, b2, b3: b1 * (b2 + x) ** (-1 / b3),
    "kirby2": lambda m, x, b1, b2, b3, b4, b5: (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2),
}


@dataclass(frozen=True)
class Set:
    """One of NIST's sets.

    Attributes
    ----------
    y : (n,) the response as it is fitted, of Nelson the logarithm
    x : arrays (n,), one for each predictor
    starts : NIST's, the far one first
    certified, exact : dict with coef, sd, rss, sigma; of `exact` se_observed and loglik too
    """

    name: str
    difficulty: str
    y: np.ndarray
    x: tuple[np.ndarray, ...]
    starts: list[list[float]]
    certified: dict[str, Any]
    exact: dict[str, Any]

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def p(self) -> int:
        return len(self.certified["coef"])

    @property
    def names(self) -> list[str]:
        return [f"b{i + 1}" for i in range(self.p)]

    def mean(self, m: Any, x: Any, b: Any) -> Any:
        """f(x, b) in the arithmetic of m."""
        return MEANS[self.name](m, *x, *b)


def names() -> list[str]:
    return list(MEANS)


@cache
def load(name: str) -> Set:
    found = json.loads((HERE / f"{name}.json").read_text())
    columns = {key: np.array(values) for key, values in found["data"].items()}
    y = columns.pop("y")
    y = np.log(y) if found["model"].startswith("log[y]") else y
    return Set(
        name,
        found["difficulty"],
        y,
        tuple(columns.values()),
        found["start"],
        found["certified"],
        found.get("exact", {}),
    )
