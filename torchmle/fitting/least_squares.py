"""Least squares by orthogonal triangularisation, for designs too ill conditioned for the normal equations.

Where even QR in double precision would lose more than a few digits, the solution and the inverse of X'X are
refined on residuals computed in twice the precision (Bjorck 1967, on the augmented system), after which they are
as exact as double-precision data allow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import Data
from ..linalg import Inverse, Spectrum, joint_factor
from ..optim import Optimum, Status
from ..sums import block_slices
from .objective import Objective

Array = NDArray[np.float64]

REFINED_CONDITION = 1e4  # of scaled X'X above which the solution is refined
REFINED_PRODUCTS = 20_000_000  # n k (k + 1), the products of one refining step, up to which that takes about a second
REFINING_STEPS = 10


@dataclass(frozen=True, eq=False)
class LeastSquaresOptimum(Optimum):
    """An optimum found by QR.

    Attributes
    ----------
    inverse : Inverse
        Of X'WX over the free columns.
    ssr : float
        Weighted sum of squared residuals.
    """

    inverse: Inverse = field(kw_only=True)
    ssr: float = field(kw_only=True)

    @property
    def condition(self) -> float:
        return self.inverse.condition


def row_weights(block: Data, frequencies: bool = True) -> Tensor:
    """Analytic weights times frequencies, (n,)."""
    weights = block.get("weights")
    weights = torch.ones(block.n, dtype=torch.float64, device=block.device) if weights is None else weights
    frequency = block.get("freq_weights") if frequencies else None
    return weights if frequency is None else weights * frequency


def log_weights(weights: Tensor) -> Tensor:
    """Logarithms of analytic weights; 0 for rows of weight zero, which count nothing."""
    return torch.where(weights > 0, weights, 1.0).log()


def orthogonal_solution(data: Data, objective: Objective, start: Tensor) -> LeastSquaresOptimum:
    """Least squares of the response on the free columns of the first design, from a point near the solution.

    Householder QR of ``W^1/2 [X, y - X start]``, block by block: the nearer the start, the less cancels.
    """
    started = time.perf_counter()
    step, factor, _ = _step(data, objective, start)
    inverse = invert_triangular(factor)
    step, ssr, inverse = _polished(data, objective, start, step, inverse)
    phi = start + step
    value, gradient, hessian = objective.hessian(phi)
    return LeastSquaresOptimum(
        x=phi,
        value=float(value),
        gradient=gradient,
        hessian=hessian,
        status=Status.CONVERGED if inverse.definite else Status.SINGULAR,
        method="qr",
        iterations=1,
        evaluations=1,
        hessian_evaluations=1,
        decrement=float(gradient @ inverse.matrix @ gradient),
        direction=None,
        history=(),
        seconds=time.perf_counter() - started,
        inverse=inverse,
        ssr=ssr,
    )


def _step(data: Data, objective: Objective, start: Tensor, step: Tensor | None = None) -> tuple[Tensor, Tensor, float]:
    """The step so far plus the regression of its residuals on the free columns, R, and the sum of squares left."""
    k = objective.size
    step = torch.zeros_like(start) if step is None else step
    augmented = joint_factor(weighted_blocks(data, objective, start, step), data.group)
    factor = augmented[:k, :k]
    more = torch.linalg.solve_triangular(factor, augmented[:k, k:], upper=True)[:, 0]
    return step + more, factor, float(augmented[k:, k].square().sum())


def _polished(
    data: Data, objective: Objective, start: Tensor, step: Tensor, inverse: Inverse
) -> tuple[Tensor, float, Inverse]:
    """The step to the solution, its sum of squares and the inverse of X'X, refined as far as the conditioning asks for."""
    k = objective.size
    if inverse.condition <= REFINED_CONDITION or data.n * k * (k + 1) > REFINED_PRODUCTS or data.group is not None:
        step, _, ssr = _step(data, objective, start, step)  # regressing the residuals again restores what cancelled
        return step, ssr, inverse
    stacked = torch.cat(
        [block.cpu() for block in weighted_blocks(data, objective, start, torch.zeros_like(start))]
    ).numpy()
    step, ssr, inverse = _refined(stacked[:, :k], stacked[:, k], inverse)
    return step, ssr, inverse


def weighted_blocks(data: Data, objective: Objective, start: Tensor, step: Tensor) -> Iterator[Tensor]:
    """Blocks of the free columns and the residuals at start + step, times the square roots of the weights.

    What the start explains is taken off first: added to it, the step would be rounded to the start's digits.
    """
    name = next(iter(data.x))
    z, basis = objective.coordinates.z(start).to(data.device), objective.coordinates.basis
    basis = None if basis is None else basis.to(data.device)
    step = step.to(data.device)
    for rows in block_slices(data):
        block = data.block(rows)
        x, offset = block.x[name], block.get("offset")
        free = x if basis is None else x @ basis
        residual = block.y - x @ z - (0 if offset is None else offset) - free @ step
        stacked = torch.cat([free, residual[:, None]], 1)
        weighted = "weights" in block.columns or "freq_weights" in block.columns
        yield stacked * row_weights(block).sqrt()[:, None] if weighted else stacked


def invert_triangular(factor: Tensor) -> Inverse:
    """``(R'R)^-1`` from R, which keeps the digits that X'X would lose."""
    k = len(factor)
    scale = factor.norm(dim=0)
    scaled = factor / scale
    identity = torch.eye(k, dtype=torch.float64)
    _, values, vectors = torch.linalg.svd(scaled) if k else (None, torch.ones(1, dtype=torch.float64), identity)
    inverse = torch.linalg.solve_triangular(scaled, identity, upper=True) / scale[:, None]
    low, high = float(values[-1]) ** 2, float(values[0]) ** 2
    known = Spectrum(high / low if low > 0 else float("inf"), low, vectors[-1:].flatten())
    return Inverse(inverse @ inverse.T, known)


# -- refinement ------------------------------------------------------------------------------------------------


def _refined(x: Array, y: Array, rough: Inverse) -> tuple[Tensor, float, Inverse]:
    """Coefficients, sum of squares and inverse of X'X, refined together.

    Each is the b of an augmented system ``r + X b = f, X'r = g``: with f = y and g = 0 the regression, with f = 0 and
    g = -e_j a column of the inverse.
    """
    k = x.shape[1]
    scale = np.exp2(-np.round(np.log2(np.linalg.norm(x, axis=0))))  # powers of two scale without rounding
    f = np.column_stack([y, np.zeros((len(y), k))])
    g = np.column_stack([np.zeros(k), -np.eye(k)])
    residuals, solution = solve_augmented(x * scale, f, g)
    inverse = solution[:, 1:] * scale[:, None] * scale
    ssr = float(accurate_product(residuals[:, :1].T, residuals[:, :1])[0, 0])
    better = Inverse(torch.from_numpy((inverse + inverse.T) / 2), rough.known)
    return torch.from_numpy(solution[:, 0] * scale), ssr, better


def solve_augmented(x: Array, f: Array, g: Array) -> tuple[Array, Array]:
    """Solve ``r + X b = f, X'r = g`` to working precision by QR and refinement in twice the precision.

    Returns
    -------
    r : ndarray (n, m)
    b : ndarray (k, m)
    """
    q, triangle = np.linalg.qr(x)
    r, b = np.zeros_like(f), np.zeros_like(g)
    last = np.inf
    for _ in range(REFINING_STEPS):
        rest_f = accurate_product(x, b, f, r)
        rest_g = accurate_product(x.T, r, g)
        lower = np.linalg.solve(triangle.T, rest_g)
        projected = q.T @ rest_f
        step = np.linalg.solve(triangle, projected - lower)
        size = float(np.abs(step).max())
        if not size < last:
            break
        r, b, last = r + (rest_f - q @ projected) + q @ lower, b + step, size
    return r, b


def accurate_product(a: Array, b: Array, start: Array | None = None, less: Array | None = None) -> Array:
    """``start - less - a @ b`` (``a @ b`` when there is no start), as if computed in twice the working precision.

    Products and sums carry their rounding errors along (Ogita, Rump and Oishi 2005).
    """
    high, low = two_product(a[:, :, None], b[None, :, :])
    sign = 1.0 if start is None else -1.0
    terms = [sign * high.swapaxes(0, 1), sign * low.swapaxes(0, 1)]
    terms += [part[None] for part in (start, None if less is None else -less) if part is not None]
    total, error = np.concatenate(terms), 0.0
    while len(total) > 1:
        half = len(total) // 2
        added, rounding = two_sum(total[:half], total[half : 2 * half])
        error = error + rounding.sum(0)
        total = np.concatenate([added, total[2 * half :]])
    return total[0] + error


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Sum and its rounding error (Knuth)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Product and its rounding error (Dekker and Veltkamp)."""
    product = a * b
    a_high, b_high = _high(a), _high(b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _high(a: Array) -> Array:
    """The upper half of the digits."""
    shifted = a * 134217729.0  # 2**27 + 1
    return shifted - (shifted - a)
