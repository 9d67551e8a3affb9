"""Families and links of generalised linear models, with statsmodels' names: ``families.Gamma(families.links.Log())``."""

from . import links
from .continuous import Gamma, Gaussian, InverseGaussian, Tweedie
from .discrete import Binomial, NegativeBinomial, Poisson
from .family import Family

__all__ = [
    "Binomial",
    "Family",
    "Gamma",
    "Gaussian",
    "InverseGaussian",
    "NegativeBinomial",
    "Poisson",
    "Tweedie",
    "links",
]
