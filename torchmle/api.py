"""The names of statsmodels.api: ``import torchmle.api as sm``."""

from . import datasets
from .models.counts import Poisson
from .models.linear import OLS, WLS

__all__ = ["OLS", "WLS", "Poisson", "datasets"]
