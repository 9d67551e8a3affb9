"""What an optimiser sees of a model: a function of a free vector, with derivatives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from ..optim import Optimum
from .coordinates import Coordinates

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel


class Objective:
    """The log-likelihood of a model in free coordinates; every tensor is float64 on the CPU."""

    def __init__(self, model: LikelihoodModel, coordinates: Coordinates):
        self.model = model
        self.coordinates = coordinates
        self.size = coordinates.size
        self.n = model.rows.n
        self._last: tuple[Tensor, tuple[Tensor, Tensor, Tensor]] | None = None

    def value(self, phi: Tensor) -> Tensor:
        """Log-likelihood, ()."""
        return self.model.sums(self.coordinates.z(phi), 0)[0]

    def gradient(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Log-likelihood and score (size,)."""
        value, score = self.model.sums(self.coordinates.z(phi), 1)[:2]
        return value, self.coordinates.free_gradient(score)

    def hessian(self, phi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihood, score (size,) and Hessian (size, size), in one pass over the data."""
        if self._last is None or not self._last[0].equal(phi):
            self._last = phi.clone(), self._derivatives(phi)
        return self._last[1]

    def _derivatives(self, phi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.model.linear and self._last is not None:  # the curvature of a sum of squares is the same everywhere
            return *self.gradient(phi), self._last[1][2]
        value, score, hessian = self.model.sums(self.coordinates.z(phi), 2)
        return value, self.coordinates.free_gradient(score), self.coordinates.free_hessian(hessian)

    def batch_gradient(self, phi: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """Log-likelihood and score of some rows."""
        if self.model.rows.group is not None:
            raise ValueError("batches are drawn from the rows of one process; under process_group= use another method")
        z = self.coordinates.z(phi)
        value, score = self.model.sums(z, 1, self.model.rows.block(rows))[:2]
        return value, self.coordinates.free_gradient(score)


class InUnits(Objective):
    """An objective divided by a number: by the dispersion, where a likelihood leaves that out.

    Only then is the Newton decrement the squared distance to the maximum in standard errors, whatever the response and the
    weights are measured in, and differences of the log-likelihood are large or small beside 1.
    """

    def __init__(self, objective: Objective, unit: float):
        super().__init__(objective.model, objective.coordinates)
        self.whole, self.unit = objective, unit

    def value(self, phi: Tensor) -> Tensor:
        return self.whole.value(phi) / self.unit

    def gradient(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        value, score = self.whole.gradient(phi)
        return value / self.unit, score / self.unit

    def hessian(self, phi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, score, hessian = self.whole.hessian(phi)
        return value / self.unit, score / self.unit, hessian / self.unit

    def batch_gradient(self, phi: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        value, score = self.whole.batch_gradient(phi, rows)
        return value / self.unit, score / self.unit

    def undone(self, optimum: Optimum) -> Optimum:
        """A maximum found of this function, as one of the whole; its decrement stays in standard errors."""
        return replace(
            optimum,
            value=optimum.value * self.unit,
            gradient=optimum.gradient * self.unit,
            hessian=optimum.hessian * self.unit,
            history=tuple(replace(step, value=step.value * self.unit) for step in optimum.history),
        )
