"""Generalized Poisson regression."""

from __future__ import annotations

from typing import Any, ClassVar

from .consul import Consul, ConsulResults
from .counts import CountModel
from .distributions import GeneralizedPoissonCounts


class GeneralizedPoissonResults(ConsulResults):
    """A generalized Poisson regression; it says when alpha is negative, and when it is at the end of its range."""


class GeneralizedPoisson(Consul, CountModel):
    """Generalized Poisson regression: ``E[y] = mu = exp(X b + offset) * exposure``, ``V = mu (1 + alpha mu^(p - 1))^2``.

    Alpha is negative where the counts vary less than Poisson's.  It is bounded there: ``1 + alpha mu^(p - 1)`` and
    ``mu + alpha mu^(p - 1) y`` must be positive in every row.  That ends the range of the counts, and their probabilities no
    longer add up to one (Consul and Jain 1973): the results say to what, and a fit warns where it is far from one.

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
