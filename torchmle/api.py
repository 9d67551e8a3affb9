"""The names of statsmodels.api: ``import torchmle.api as sm``."""

from . import datasets, families, stats
from .formula import api as formula
from .inference.hypotheses.nested import CompareLRTestResult
from .io import load
from .models.choices.binary import Logit, Probit
from .models.choices.conditional import ConditionalLogit
from .models.choices.multinomial import MNLogit
from .models.choices.ordinal import OrderedModel
from .models.counts.counts import Poisson
from .models.counts.generalized_poisson import GeneralizedPoisson
from .models.counts.negative_binomial import NegativeBinomial, NegativeBinomialP
from .models.counts.zero_inflated import (
    ZeroInflatedGeneralizedPoisson,
    ZeroInflatedNegativeBinomialP,
    ZeroInflatedPoisson,
)
from .models.generic.generic import GenericLikelihoodModel
from .models.glm.glm import GLM
from .models.linear.least_squares import OLS, WLS
from .tools.constant import add_constant

__all__ = [
    "GLM",
    "OLS",
    "WLS",
    "CompareLRTestResult",
    "ConditionalLogit",
    "GeneralizedPoisson",
    "GenericLikelihoodModel",
    "Logit",
    "MNLogit",
    "NegativeBinomial",
    "NegativeBinomialP",
    "OrderedModel",
    "Poisson",
    "Probit",
    "ZeroInflatedGeneralizedPoisson",
    "ZeroInflatedNegativeBinomialP",
    "ZeroInflatedPoisson",
    "add_constant",
    "datasets",
    "families",
    "formula",
    "load",
    "stats",
]
