"""Binary, multinomial and count models and their results, by statsmodels' names."""

from ..models.binary import BinaryModel, BinaryResults, Logit, Probit
from ..models.count_results import CountResults
from ..models.counts import CountModel, Poisson
from ..models.discrete_results import DiscreteResults
from ..models.generalized_poisson import GeneralizedPoisson
from ..models.multinomial import MNLogit
from ..models.negative_binomial import NegativeBinomial, NegativeBinomialP

__all__ = [
    "BinaryModel",
    "BinaryResults",
    "CountModel",
    "CountResults",
    "DiscreteResults",
    "GeneralizedPoisson",
    "Logit",
    "MNLogit",
    "NegativeBinomial",
    "NegativeBinomialP",
    "Poisson",
    "Probit",
]
