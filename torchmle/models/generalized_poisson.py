"""Generalized Poisson regression."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .count_distributions import GeneralizedPoissonCounts
from .count_results import DispersedResults
from .counts import CountModel

EDGE = (
    0.01  # of what must be positive, relative to where alpha is zero, that says that alpha is at the end of its range
)


class GeneralizedPoissonResults(DispersedResults):
    """A generalized Poisson regression; it says when alpha is at the end of its range."""

    def problems(self) -> list[str]:
        found = super().problems()
        if self.converged or self.model._rows is None or not self._room < EDGE:
            return found
        return [
            *found,
            "alpha is at the end of its range, where the counts could not vary less in some row: this distribution has no "
            "maximum of the likelihood inside; use Poisson, or another p",
        ]

    @property
    def _room(self) -> float:
        """The smallest of ``1 + c`` and ``1 + c y / mu`` over the rows, ``c = alpha mu^(p - 1)``; 1 without dispersion."""
        mu, y = np.asarray(self.predict()), self.model.endog
        c = self.params_array[self.names.index("alpha")] * mu ** (self.model.p - 1) if "alpha" in self.names else 0 * mu
        return float(np.minimum(1 + c, 1 + c * y / mu).min())


class GeneralizedPoisson(CountModel):
    """Generalized Poisson regression: ``E[y] = mu = exp(X b + offset) * exposure``, ``V = mu (1 + alpha mu^(p - 1))^2``.

    Alpha is negative where the counts vary less than Poisson's.  It is bounded there: ``1 + alpha mu^(p - 1)`` and
    ``mu + alpha mu^(p - 1) y`` must be positive in every row.

    Parameters
    ----------
    endog, exog : array_like
        Counts (n,) and design (n, k); no constant is added.
    p : float
        1 is GP-1, 2 is GP-2 (Yang, Hardin and Addy 2009).
    offset : array_like, optional
        Added to the linear predictor.
    exposure : array_like, optional
        Multiplies the mean; positive.
    """

    parameters = GeneralizedPoissonCounts().parameters
    results_class = GeneralizedPoissonResults
    settings: ClassVar[tuple[str, ...]] = ("p",)

    def __init__(self, endog: Any, exog: Any = None, p: float = 1, *arguments: Any, **named: Any):
        super().__init__(endog, exog, *arguments, p=p, **named)

    def configure(self, **settings: Any) -> None:
        self.p = settings.get("p", 1)
        self.use(GeneralizedPoissonCounts(float(self.p) - 1))
