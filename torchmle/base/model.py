"""Likelihoods of one's own, under the path at which statsmodels keeps its own."""

from ..models.generic.generic import GenericLikelihoodModel
from ..models.generic.results import GenericResults

GenericLikelihoodModelResults = GenericResults

__all__ = ["GenericLikelihoodModel", "GenericLikelihoodModelResults"]
