"""Effects of a variable on a prediction, row by row, with their derivatives in the parameters.

With ``q = f(eta_1 ... eta_m)`` and designs that move by dX_j, the slope is ``e = sum_j f_j dX_j z_j``; both it and a
contrast of two designs are functions of a few numbers per row.  Their gradients in z are sums of matrices times
per-row slopes, so that an average effect costs a few products ``X'g`` and never an array of n x k x k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compute.autodiff import Eta, row_slopes
from ..data import Data
from ..parameters import Values

if TYPE_CHECKING:
    from ..regression import RegressionModel

METHODS = ("dydx", "eyex", "dyex", "eydx")
Designs = Mapping[str, Tensor | None]  # None is a column of ones; a predictor that is absent does not enter
LEVEL = 1e-10  # slope of a prediction that has reached its limit


@dataclass(frozen=True)
class Effect:
    """One number per row, and its gradient in z: the sum over pieces and predictors of ``X_j * slope_j``."""

    value: Tensor
    pieces: tuple[tuple[Designs, Eta], ...]

    def gradients(self, model: RegressionModel) -> Tensor:
        """Gradient of each row, (n, k)."""
        total = self.value.new_zeros(len(self.value), model.layout.size)
        for designs, slopes in self.pieces:
            for block, slope in zip(model.layout.blocks, slopes, strict=True):
                if block.name in designs:
                    x = designs[block.name]
                    total[:, block.reals] += slope[:, None] if x is None else x * slope[:, None]
        return total

    def total(self, model: RegressionModel, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted sums over the rows of the effect, (), and of its gradient, (k,)."""
        gradient = self.value.new_zeros(model.layout.size)
        for designs, slopes in self.pieces:
            for block, slope in zip(model.layout.blocks, slopes, strict=True):
                if block.name in designs:
                    x, weighted = designs[block.name], slope * weights
                    gradient[block.reals] += weighted.sum() if x is None else x.T @ weighted
        return self.value @ weights, gradient


def slope_effects(
    model: RegressionModel,
    which: str,
    z: Tensor,
    data: Data,
    moves: Designs,
    variable: Tensor,
    method: str,
    undetermined: Tensor,
) -> list[Effect]:
    """Derivative of a prediction in a variable, one effect for each predicted column.

    Where a coefficient that moves with the variable has no finite estimate, NaN; zero in rows whose prediction has
    reached its limit.

    Parameters
    ----------
    moves : mapping of str to Tensor (n, k_j)
        Derivatives of the designs in the variable.
    variable : Tensor (n,)
        Its values, for elasticities: "eyex" is ``dq/dv v/q``, "dyex" ``dq/dv v``, "eydx" ``dq/dv / q``.
    undetermined : Tensor (k,)
        Which coefficients perfect prediction leaves without a finite estimate.
    """
    eta = leaves(model.eta(z, data))
    moved = leaves([_times(moves[b.name], z[b.reals]) if b.name in moves else 0.0 * e
                    for b, e in zip(model.layout.blocks, eta, strict=True)])  # fmt: skip
    found = []
    with torch.enable_grad():
        for q in _predicted(model, which, data, eta):
            slopes = row_slopes(q, eta, True)
            limits = _limits(model, moves, slopes, undetermined)
            effect = torch.stack([s * d * limit for s, d, limit in zip(slopes, moved, limits, strict=True)]).sum(0)
            effect = effect * variable if method in ("eyex", "dyex") else effect
            effect = effect / q if method in ("eyex", "eydx") else effect
            both = row_slopes(effect, (*eta, *moved), True)
            pieces = (designs(model, data), _detached(both[: len(eta)])), (moves, _detached(both[len(eta) :]))
            found.append(Effect(effect.detach(), pieces))
    return found


def contrast_effects(
    model: RegressionModel, which: str, z: Tensor, high: Data, low: Data, method: str, per: float = 1.0
) -> list[Effect]:
    """Prediction of one set of rows less that of another, divided by `per`; of logarithms when `method` is "eydx"."""
    parts = [level_effects(model, which, z, rows, logs=method == "eydx") for rows in (high, low)]
    found = []
    for upper, lower in zip(*parts, strict=True):
        added = tuple((x, tuple(s / per for s in slopes)) for x, slopes in upper.pieces)
        taken = tuple((x, tuple(-s / per for s in slopes)) for x, slopes in lower.pieces)
        found.append(Effect((upper.value - lower.value) / per, (*added, *taken)))
    return found


def level_effects(model: RegressionModel, which: str, z: Tensor, data: Data, logs: bool = False) -> list[Effect]:
    """A prediction itself, or its logarithm, one for each predicted column."""

    def function(p: Values, block: Data) -> Tensor:
        values = model.predict_rows(which, p, block)
        return values.log() if logs else values

    return function_effects(model, function, z, data)


def function_effects(
    model: RegressionModel, function: Callable[[Values, Data], Tensor], z: Tensor, data: Data
) -> list[Effect]:
    """A function of the natural values of each row, one effect for each of its columns."""
    eta = leaves(model.eta(z, data))
    found = []
    with torch.enable_grad():
        values = function(model.values(eta), data)
        for q in values.unbind(1) if values.ndim == 2 else [values]:
            slopes = row_slopes(q, eta, True)
            found.append(Effect(q.detach(), ((designs(model, data), _detached(slopes)),)))
    return found


def designs(model: RegressionModel, data: Data) -> Designs:
    """The matrix of each predictor."""
    return {block.name: data.x.get(block.name) for block in model.layout.blocks}


def leaves(values: Sequence[Tensor]) -> Eta:
    """Copies that derivatives can be taken in."""
    return tuple(value.detach().clone().requires_grad_() for value in values)


def _predicted(model: RegressionModel, which: str, data: Data, eta: Eta) -> list[Tensor]:
    """The columns of a predicted quantity."""
    values = model.predict_rows(which, model.values(eta), data)
    return list(values.unbind(1)) if values.ndim == 2 else [values]


def _limits(model: RegressionModel, moves: Designs, slopes: Eta, undetermined: Tensor) -> list[Tensor | float]:
    """What the slopes in each predictor are multiplied by: 1, or NaN or 0 where an infinite coefficient moves it."""
    found: list[Tensor | float] = []
    for block, slope in zip(model.layout.blocks, slopes, strict=True):
        x = moves.get(block.name)
        if x is None or not bool(undetermined[block.reals].any()):
            found.append(1.0)
            continue
        touched = (x[:, undetermined[block.reals]] != 0).any(1)
        limit = torch.where(slope.detach().abs() > LEVEL, torch.nan, 0.0)
        found.append(torch.where(touched, limit, torch.ones_like(limit)))
    return found


def _times(x: Tensor | None, coefficients: Tensor) -> Tensor:
    assert x is not None
    return x @ coefficients


def _detached(slopes: Eta) -> Eta:
    return tuple(slope.detach() for slope in slopes)
