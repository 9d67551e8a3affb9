"""Fit: a maximum of a likelihood, in tensors. Covariances are made of it, results present it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..linalg import Inverse
from ..optim import Optimum
from .coordinates import Coordinates

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel
    from .separation import Separation


@dataclass(frozen=True)
class Fit:
    """A maximum of a likelihood, in tensors: what every number of a result derives from.

    Attributes
    ----------
    model : LikelihoodModel
    coordinates : Coordinates
    optimum : Optimum
    seconds : float
        Wall time of the maximisation.
    settings : mapping
        What `fit` was told besides how to search: the dispersion to use, for instance.
    separation : Separation or None
        Which rows are predicted perfectly and what that leaves without a finite estimate.
    others : LikelihoodModel or None
        The model of the other rows, where some are held at the edge of the domain and have no information.
    inverted : Inverse or None
        The inverse of an information that is taken in place of the observed one.
    """

    model: LikelihoodModel
    coordinates: Coordinates
    optimum: Optimum
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    separation: Separation | None = None
    others: LikelihoodModel | None = None
    inverted: Inverse | None = None

    @cached_property
    def z(self) -> Tensor:
        """Estimate in the data's coordinates, (k,)."""
        return self.coordinates.z(self.optimum.x)

    @cached_property
    def theta(self) -> Tensor:
        """Estimate on the real line, in the user's columns, (k,)."""
        return self.coordinates.theta(self.z)

    @cached_property
    def inverse(self) -> Inverse:
        """Inverse of the information in free coordinates, at unit dispersion."""
        return self.inverted or self.informative.invert(self.optimum, self.coordinates)

    @property
    def informative(self) -> LikelihoodModel:
        """The model of the rows that information comes from; mostly all."""
        return self.others or self.model

    @cached_property
    def bread(self) -> Tensor:
        """Inverse of the information in z, zero for what is held, (k, k)."""
        return self.coordinates.spread(self.inverse.matrix)

    @cached_property
    def nobs(self) -> float:
        """Observations: rows, or the sum of their frequency weights."""
        return self.model.nobs

    @property
    def rank(self) -> int:
        """Parameters estimated: free coordinates, and those whose estimates perfect prediction makes infinite."""
        return self.coordinates.size + len(self.coordinates.infinite)

    @cached_property
    def scale(self) -> float:
        """Dispersion by which the unit information is divided; 1 for most models."""
        return self.model.dispersion(self)
