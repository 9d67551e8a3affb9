"""The names of statsmodels.api: ``import torchmle.api as sm``."""

from . import datasets, families
from .models.binary import Logit, Probit
from .models.counts import Poisson
from .models.generic import GenericLikelihoodModel
from .models.glm import GLM
from .models.linear import OLS, WLS
from .models.multinomial import MNLogit

__all__ = [
    "GLM",
    "OLS",
    "WLS",
    "GenericLikelihoodModel",
    "Logit",
    "MNLogit",
    "Poisson",
    "Probit",
    "datasets",
    "families",
]
