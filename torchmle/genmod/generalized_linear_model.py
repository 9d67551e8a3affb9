"""Generalised linear models and their results, by statsmodels' names."""

from ..models.glm import GLM
from ..models.glm_results import GLMResults

GLMResultsWrapper = GLMResults

__all__ = ["GLM", "GLMResults", "GLMResultsWrapper"]
