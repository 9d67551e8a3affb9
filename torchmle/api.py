"""The names of statsmodels.api: ``import torchmle.api as sm``."""

from . import datasets, families, stats
from .formula import api as formula
from .inference.nested import CompareLRTestResult
from .io import load
from .models.binary import Logit, Probit
from .models.conditional import ConditionalLogit
from .models.counts import Poisson
from .models.generalized_poisson import GeneralizedPoisson
from .models.generic import GenericLikelihoodModel
from .models.glm import GLM
from .models.linear import OLS, WLS
from .models.multinomial import MNLogit
from .models.negative_binomial import NegativeBinomial, NegativeBinomialP
from .models.ordinal import OrderedModel
from .models.zero_inflated import (
    ZeroInflatedGeneralizedPoisson,
    ZeroInflatedNegativeBinomialP,
    ZeroInflatedPoisson,
)
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
