"""Least squares by orthogonal triangularisation, for designs too ill conditioned for the normal equations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .data import Data
from .linalg import Inverse, triangular_factor
from .objective import Objective
from .optim import Optimum, Status
from .sums import block_slices

REFINEMENTS = 2


@dataclass(frozen=True, eq=False)
class LeastSquaresOptimum(Optimum):
    """An optimum found by QR.

    Attributes
    ----------
    factor : Tensor
        (k, k) upper triangular R of the weighted free columns, ``R'R = -hessian``.
    """

    factor: Tensor = torch.empty(0, 0)


def row_weights(block: Data, frequencies: bool = True) -> Tensor:
    """Analytic weights times frequencies, (n,)."""
    weights = block.get("weights")
    weights = torch.ones(block.n, dtype=torch.float64, device=block.device) if weights is None else weights
    frequency = block.get("freq_weights") if frequencies else None
    return weights if frequency is None else weights * frequency


def orthogonal_solution(data: Data, objective: Objective) -> LeastSquaresOptimum:
    """Least squares of the response on the free columns of the first design.

    Householder QR of ``W^1/2 [X, y]``, block by block, and refining steps on the residuals (Bjorck 1967), each
    kept while it shortens the score.
    """
    started = time.perf_counter()
    phi = torch.zeros(objective.size, dtype=torch.float64)
    factor, phi = _solve(data, objective, phi)
    value, gradient, hessian = objective.hessian(phi)
    for _ in range(REFINEMENTS):
        _, refined = _solve(data, objective, phi)
        again = objective.hessian(refined)
        if not bool(again[1].abs().max() < gradient.abs().max()):
            break
        phi, (value, gradient, hessian) = refined, again
    inverse = invert_triangular(factor)
    return LeastSquaresOptimum(
        x=phi,
        value=float(value),
        gradient=gradient,
        hessian=hessian,
        status=Status.CONVERGED if inverse.definite else Status.SINGULAR,
        method="qr",
        iterations=1,
        evaluations=REFINEMENTS + 1,
        hessian_evaluations=REFINEMENTS + 1,
        decrement=float(gradient @ inverse.matrix @ gradient),
        condition=inverse.condition,
        direction=None,
        history=(),
        seconds=time.perf_counter() - started,
        factor=factor,
    )


def _solve(data: Data, objective: Objective, phi: Tensor) -> tuple[Tensor, Tensor]:
    """R of the weighted free columns, and phi plus the regression of its residuals on them."""
    k = objective.size
    augmented = triangular_factor(_blocks(data, objective, phi)).cpu()
    factor = augmented[:k, :k]
    step = torch.linalg.solve_triangular(factor, augmented[:k, k:], upper=True)[:, 0]
    return factor, phi + step


def _blocks(data: Data, objective: Objective, phi: Tensor) -> Iterator[Tensor]:
    """Weighted blocks of the free columns and the residuals at phi."""
    name = next(iter(data.x))
    z = objective.coordinates.z(phi).to(data.device)
    basis = objective.coordinates.basis
    basis = None if basis is None else basis.to(data.device)
    for rows in block_slices(data):
        block = data.block(rows)
        x, offset = block.x[name], block.get("offset")
        residual = block.y - x @ z - (0 if offset is None else offset)
        free = x if basis is None else x @ basis
        yield torch.cat([free, residual[:, None]], 1) * row_weights(block).sqrt()[:, None]


def invert_triangular(factor: Tensor) -> Inverse:
    """``(R'R)^-1`` from R, which keeps the digits that X'X would lose."""
    k = len(factor)
    scale = factor.norm(dim=0)
    scaled = factor / scale
    values = torch.linalg.svdvals(scaled) if k else torch.ones(1, dtype=torch.float64)
    identity = torch.eye(k, dtype=torch.float64)
    inverse = torch.linalg.solve_triangular(scaled, identity, upper=True) / scale[:, None]
    low, high = float(values[-1]) ** 2, float(values[0]) ** 2
    return Inverse(inverse @ inverse.T, high / low if low > 0 else float("inf"), low, identity[:, -1:].flatten())
