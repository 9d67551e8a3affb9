"""Binary, multinomial and count models and their results, by statsmodels' names."""

from ..models.binary import BinaryModel, BinaryResults, Logit, Probit
from ..models.count_results import CountResults
from ..models.counts import CountModel, Poisson
from ..models.discrete_results import DiscreteResults
from ..models.generalized_poisson import GeneralizedPoisson
from ..models.multinomial import MNLogit
from ..models.multinomial_results import MultinomialResults
from ..models.negative_binomial import NegativeBinomial, NegativeBinomialP

BinaryResultsWrapper, CountResultsWrapper, MultinomialResultsWrapper = BinaryResults, CountResults, MultinomialResults

__all__ = [
    "BinaryModel",
    "BinaryResults",
    "BinaryResultsWrapper",
    "CountModel",
    "CountResults",
    "CountResultsWrapper",
    "DiscreteResults",
    "GeneralizedPoisson",
    "Logit",
    "MNLogit",
    "MultinomialResults",
    "MultinomialResultsWrapper",
    "NegativeBinomial",
    "NegativeBinomialP",
    "Poisson",
    "Probit",
]
