"""What a set's data imply, in 60-digit arithmetic: `python -m reference.nist_nonlinear.exact` (in tests/) prints it.

Derivatives are central differences with steps of 1e-20: exact to some 35 digits.
"""

from __future__ import annotations

import json
from typing import Any

from mpmath import mp

from . import Set, load, names

DIGITS, STEP = 60, "1e-20"


class Arithmetic:
    """A set in 60 digits: its residuals, their derivatives, and the maximum they lead to.

    Of the data rounded to doubles; with `printed` of the decimals that NIST prints, which makes a difference where the
    residuals are rounding errors themselves (Lanczos1: 1e-13).
    """

    def __init__(self, found: Set, printed: bool = False):
        mp.dps = DIGITS
        self.set = found

        def number(value: Any) -> Any:
            return mp.mpf(repr(float(value)) if printed else float(value))

        self.y = [number(value) for value in found.y]
        self.x = [[number(value) for value in row] for row in zip(*found.x, strict=True)]

    def rss(self, b: Any) -> Any:
        return mp.fsum(e * e for e in self.residuals(b))

    def residuals(self, b: Any) -> list[Any]:
        return [y - self.set.mean(mp, x, b) for x, y in zip(self.x, self.y, strict=True)]

    def jacobian(self, b: Any) -> Any:
        """Derivatives of the means, (n, p)."""
        columns = []
        for j in range(len(b)):
            high, low, width = self._moved(b, j)
            pairs = zip(self.residuals(low), self.residuals(high), strict=True)
            columns.append([(below - above) / width for below, above in pairs])
        return mp.matrix(columns).T

    def gradient(self, b: Any) -> Any:
        """J'e: minus half the gradient of the residual sum of squares."""
        return self.jacobian(b).T * mp.matrix(self.residuals(b))

    def curvature(self, b: Any) -> Any:
        """Half the Hessian of the residual sum of squares."""
        columns = []
        for j in range(len(b)):
            high, low, width = self._moved(b, j)
            columns.append(list((self.gradient(low) - self.gradient(high)) / width))
        return mp.matrix(columns).T

    def minimum(self) -> tuple[list[Any], Any]:
        """Parameters of least squares, by Newton steps from those certified, and the curvature there."""
        b = [mp.mpf(value) for value in self.set.certified["coef"]]
        for _ in range(4):
            curvature = self.curvature(b)
            step = mp.lu_solve(curvature, self.gradient(b))
            b = [value + change for value, change in zip(b, step, strict=True)]
        assert max(abs(change / value) for change, value in zip(step, b, strict=True)) < mp.mpf("1e-25")
        return b, curvature

    def _moved(self, b: Any, j: int) -> tuple[list[Any], list[Any], Any]:
        h = abs(b[j]) * mp.mpf(STEP)
        return ([*b[:j], b[j] + h, *b[j + 1 :]], [*b[:j], b[j] - h, *b[j + 1 :]], 2 * h)


def exact(name: str, printed: bool = False) -> dict[str, Any]:
    """Parameters, standard deviations as NIST's, standard errors by the observed information, log-likelihood."""
    found = load(name)
    arithmetic = Arithmetic(found, printed)
    b, curvature = arithmetic.minimum()
    rss, n, p = arithmetic.rss(b), found.n, found.p
    gauss = mp.inverse(arithmetic.jacobian(b).T * arithmetic.jacobian(b))
    newton = mp.inverse(curvature)
    return {
        "coef": [float(value) for value in b],
        "sd": [float(mp.sqrt(rss / (n - p) * gauss[i, i])) for i in range(p)],
        "se_observed": [float(mp.sqrt(rss / n * newton[i, i])) for i in range(p)],
        "rss": float(rss),
        "sigma": float(mp.sqrt(rss / (n - p))),
        "loglik": float(-n * (mp.log(2 * mp.pi * rss / n) + 1) / 2),
    }


if __name__ == "__main__":
    for each in names():
        print(json.dumps({each: exact(each)}))
