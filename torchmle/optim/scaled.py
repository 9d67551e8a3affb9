"""The objective in standard-error units, as a minimisation: what the borrowed methods see."""

from __future__ import annotations

import math

from torch import Tensor

from .search import Point, Search
from .verdict import equilibrating_scale


class Scaled:
    """z with x = x0 + S z, S the equilibrating scale of the Hessian at x0 times a factor.

    With factor 1 a unit of z is about one standard error whatever the units of x, and the norm of the gradient is
    about the distance to the maximum in standard errors, so that tolerances have a meaning.
    """

    def __init__(self, search: Search, start: Point, factor: float = 1.0):
        self.search = search
        self.origin = start.x
        self.scale = equilibrating_scale(start.hessian) * factor
        self.start = start

    def x(self, z: Tensor) -> Tensor:
        """The parameters at z."""
        return self.origin + self.scale * z

    def loss(self, z: Tensor) -> float:
        """Negative log-likelihood; inf where it is not finite."""
        value = self.search.value(self.x(z))
        return -value if math.isfinite(value) else math.inf

    def slope(self, gradient: Tensor) -> Tensor:
        """Gradient of the negative log-likelihood in z, from the score."""
        return -self.scale * gradient
