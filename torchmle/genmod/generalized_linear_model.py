"""Generalised linear models and their results, by statsmodels' names."""

from ..models.glm.glm import GLM
from ..models.glm.results import GLMResults

GLMResultsWrapper = GLMResults

__all__ = ["GLM", "GLMResults", "GLMResultsWrapper"]
