"""Gradients of each row's mean, and of its score in its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import Data
from ..sums import row_map, weighted
from .effects import Effect, designs, level_effects

if TYPE_CHECKING:
    from ..regression import RegressionModel

Array = NDArray[np.float64]


def mean_gradients(model: RegressionModel, z: Tensor, block: Data) -> Tensor:
    """Derivative of each row's mean in z, (n, k)."""
    found = level_effects(model, "mean", z, block)
    if len(found) > 1:
        raise ValueError(f"{type(model).__name__} predicts several means in each row; influence is defined for one")
    return found[0].gradients(model)


STEP = 2.0**-9  # of the response in its own size; differences are of the fourth order, exact where scores are linear


def response_gradients(model: RegressionModel, z: Tensor, block: Data) -> Tensor:
    """Derivative of each row's score in z in its response, (n, k), by differences of the scores in the predictors."""
    y = model.smooth_response(block.y.to(torch.float64))
    assert y is not None
    eta, step = model.eta(z, block), STEP * y.abs().clamp_min(1.0)

    def scores(steps: int) -> Tensor:
        return torch.stack(model.eta_derivatives(eta, block.with_response(y + steps * step), 1)[1])

    slopes = (8 * (scores(1) - scores(-1)) - (scores(2) - scores(-2))) / (12 * step)
    return Effect(y, ((designs(model, block), tuple(slopes)),)).gradients(model)


def gradients_of_rows(
    model: RegressionModel, z: Tensor, gradients: Callable[[RegressionModel, Tensor, Data], Tensor]
) -> Array:
    """Gradients of each row, times frequencies, in the reported parameters, (n, k)."""
    point = z.to(model.rows.device)
    rows = row_map(lambda block: weighted(gradients(model, point, block), block), model.rows)
    return (rows @ model._inverse_jacobian(z)).numpy()
