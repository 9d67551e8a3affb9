"""Binary, multinomial and count models and their results, by statsmodels' names."""

from ..models.choices.binary import BinaryModel, BinaryResults, Logit, Probit
from ..models.choices.multinomial import MNLogit
from ..models.choices.multinomial_results import MultinomialResults
from ..models.counts.counts import CountModel, Poisson
from ..models.counts.generalized_poisson import GeneralizedPoisson
from ..models.counts.negative_binomial import NegativeBinomial, NegativeBinomialP
from ..models.counts.results import CountResults
from ..models.discrete_results import DiscreteResults

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
