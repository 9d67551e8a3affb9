"""Derivatives of a log-likelihood in the parameters as they are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compute.autodiff import full_curvature
from ..data import Data
from ..sums import row_map

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel
    from ..regression import RegressionModel


def inverse_jacobian(model: LikelihoodModel, z: Tensor) -> Tensor:
    """d z / d reported, (k, k); NaN in a parameter that is at the boundary of its range, infinitely far away in z.

    Raises
    ------
    ValueError
        There are more reported parameters than free ones.
    """
    jacobian = model.layout.jacobian(model.coordinates.theta(z))
    if len(jacobian) != len(z):
        raise ValueError(
            f"the {len(jacobian)} reported parameters are functions of {len(z)} free ones, so the log-likelihood has no "
            "derivatives in them one by one"
        )
    entries, columns = (torch.nonzero((jacobian == 0).all(along)).flatten() for along in (1, 0))
    inverse = torch.linalg.inv(jacobian.index_put((entries, columns), jacobian.new_ones(())))
    inverse[columns, entries] = torch.nan
    return inverse if model.coordinates.uncentre is None else model.coordinates.centre @ inverse


def reported_derivatives(model: LikelihoodModel, z: Tensor) -> tuple[Tensor, Tensor]:
    """Score and Hessian in the reported parameters.

    With ``l(theta) = L(g(theta))``: ``H_L = J^-T (H_l - sum_i (dL/dg_i) d2g_i) J^-1``.
    """
    _, score, hessian = model.sums(z, 2)
    inverse = inverse_jacobian(model, z)
    unknown = inverse.isnan().any(0)
    inverse = inverse.nan_to_num()
    reported = inverse.T @ score
    if not model.layout.is_identity:
        curvature = model.layout.curvature(model.coordinates.theta(z), reported)
        uncentre = model.coordinates.uncentre
        hessian = hessian - (curvature if uncentre is None else uncentre.T @ curvature @ uncentre)
    second = inverse.T @ hessian @ inverse
    reported[unknown], second[unknown], second[:, unknown] = torch.nan, torch.nan, torch.nan
    return reported, second


def row_factors(model: RegressionModel, z: Tensor, order: int) -> Tensor:
    """Derivatives of each row's log-likelihood in its m linear predictors, times its frequency weight.

    Returns
    -------
    Tensor
        (n,) for one predictor; for more, (n, m) first and (n, m, m) second derivatives.
    """
    point, m = z.to(model.rows.device), len(model.layout.blocks)

    def first_or_second(block: Data) -> Tensor:
        _, g, h = model.eta_derivatives(model.eta(point, block), block, order)
        found = torch.stack(g, 1) if order == 1 else full_curvature(h)
        weights = block.get("freq_weights")
        return found if weights is None else found * weights.reshape(-1, *[1] * order)

    found = row_map(first_or_second, model.rows)
    return found.reshape(len(found)) if m == 1 else found
