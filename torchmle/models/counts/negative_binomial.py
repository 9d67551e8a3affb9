"""Negative binomial regression."""

from __future__ import annotations

from typing import Any, ClassVar

from .counts import CountModel
from .distributions import CountDistribution, GeometricCounts, NegativeBinomialCounts

POWERS = {"nb1": 1.0, "nb2": 2.0}


class NegativeBinomial(CountModel):
    """Negative binomial regression: ``E[y] = mu = exp(X b + offset) * exposure`` with more variance than Poisson's.

    The variance is ``mu + alpha mu^2`` for "nb2", ``mu (1 + alpha)`` for "nb1" and ``mu + mu^2`` for "geometric", which has
    no alpha (Cameron and Trivedi 2013, section 3.3).  Where the counts are not overdispersed alpha is zero: the estimates are
    then those of Poisson, alpha has no standard error, and a warning says so.

    Parameters
    ----------
    endog, exog : array_like
        Counts (n,) and design (n, k); no constant is added.
    loglike_method : {"nb2", "nb1", "geometric"}
    offset : array_like, optional
        Added to the linear predictor.
    exposure : array_like, optional
        Multiplies the mean; positive.
    """

    parameters = NegativeBinomialCounts().parameters
    settings: ClassVar[tuple[str, ...]] = ("loglike_method",)

    def __init__(self, endog: Any, exog: Any = None, loglike_method: str = "nb2", *arguments: Any, **named: Any):
        super().__init__(endog, exog, *arguments, loglike_method=loglike_method, **named)

    def configure(self, **settings: Any) -> None:
        loglike_method = settings.get("loglike_method", "nb2")
        if loglike_method not in (*POWERS, "geometric"):
            raise ValueError(f"loglike_method must be one of nb2, nb1, geometric; got {loglike_method!r}")
        self.loglike_method = loglike_method
        distribution: CountDistribution = GeometricCounts()
        if loglike_method in POWERS:
            distribution = NegativeBinomialCounts(POWERS[loglike_method])
        self.use(distribution)


class NegativeBinomialP(CountModel):
    """Negative binomial regression with variance ``mu + alpha mu^p`` (Greene 2008).

    Parameters
    ----------
    endog, exog : array_like
        Counts (n,) and design (n, k); no constant is added.
    p : float
        2 is "nb2", 1 is "nb1".
    offset : array_like, optional
        Added to the linear predictor.
    exposure : array_like, optional
        Multiplies the mean; positive.
    """

    parameters = NegativeBinomialCounts().parameters
    settings: ClassVar[tuple[str, ...]] = ("p",)

    def __init__(self, endog: Any, exog: Any = None, p: float = 2, *arguments: Any, **named: Any):
        super().__init__(endog, exog, *arguments, p=p, **named)

    def configure(self, **settings: Any) -> None:
        self.p = settings.get("p", 2)
        self.use(NegativeBinomialCounts(float(self.p)))
