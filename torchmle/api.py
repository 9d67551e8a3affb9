"""The names of statsmodels.api: ``import torchmle.api as sm``."""

from . import datasets, families
from .models.binary import Logit, Probit
from .models.counts import Poisson
from .models.generic import GenericLikelihoodModel
from .models.glm import GLM
from .models.linear import OLS, WLS

__all__ = ["GLM", "OLS", "WLS", "GenericLikelihoodModel", "Logit", "Poisson", "Probit", "datasets", "families"]
