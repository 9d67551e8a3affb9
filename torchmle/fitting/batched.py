"""Newton's method for many weightings of the same rows at once: the bootstrap, the jackknife.

Replicate b maximises ``sum_i w_bi l_i(theta)``.  The linear predictors of all replicates are one product ``X B'``, and all
Hessians one product ``(W h) P`` with P the products of pairs of columns, so that the work is that of a few large matrix
products instead of many small ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..data import Data
from ..sums import block_slices
from .columns import has_offset, linear_offset
from .coordinates import Coordinates

if TYPE_CHECKING:
    from ..regression import RegressionModel

CLOSE = 1e-6  # decrement from which one more step is the last: it leaves its square, times the skewness
STEPS = 10  # a search that needs more (the tenth step of a runaway still has a decrement of 4e-4) is left to others
BLOCK_ROWS = 1024
NUMBERS = 4_000_000  # in the weights of the replicates that go together
MOST_TOGETHER = 250


class Batch(NamedTuple):
    """Free coordinates (b, f) and which replicates have reached their maximum (b,)."""

    phi: Tensor
    converged: Tensor


def batch_size(rows: int) -> int:
    """Replicates that go together; it depends on the rows alone, so that a seed gives the same replicates everywhere."""
    return max(1, min(MOST_TOGETHER, NUMBERS // max(rows, 1)))


def can_be_batched(model: RegressionModel, z: Tensor) -> bool:
    """Whether the model's likelihood is that of its linear predictors, and those are ``X b`` and an offset."""
    data = model._rows
    if data is None or data.group is not None or not hasattr(model, "eta_derivatives"):
        return False
    block = data.block(slice(0, min(data.n, BLOCK_ROWS)))
    point = z.to(data.device)
    ours, theirs = _predictors(model, point[None], block), model.eta(point, block)
    same = len(ours) == len(theirs)
    return same and all(torch.allclose(a[0], b, rtol=1e-10, atol=1e-12) for a, b in zip(ours, theirs, strict=True))


def newton(model: RegressionModel, coordinates: Coordinates, phi: Tensor, weights: Tensor, scale: float) -> Batch:
    """Maxima for rows of weights, from the maximum of the whole sample.

    Parameters
    ----------
    model : RegressionModel
    coordinates : Coordinates
    phi : Tensor (f,)
        Where all start.
    weights : Tensor (b, n)
        In place of frequency weights.
    scale : float
        Dispersion, which the decrement is measured in.
    """
    found = phi.expand(len(weights), -1).clone()
    converged = torch.zeros(len(weights), dtype=torch.bool)
    going = torch.arange(len(weights))
    for iteration in range(STEPS):
        z = coordinates.z(phi)[None] if iteration == 0 else _natural_rows(coordinates, found[going])
        some = weights if len(going) == len(weights) else weights[going]
        score, hessian = _derivatives(model, z, some)
        step, decrement, definite = _steps(coordinates, score, hessian)
        found[going] += step
        done = definite & (decrement <= CLOSE * scale)
        converged[going[done]] = True
        going = going[definite & ~done]
        if len(going) == 0:
            break
    return Batch(found, converged)


def _natural_rows(coordinates: Coordinates, phi: Tensor) -> Tensor:
    return phi if coordinates.basis is None else coordinates.origin + phi @ coordinates.basis.T


def _steps(coordinates: Coordinates, score: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Newton steps (b, f), decrements (b,) and where the information is positive definite."""
    if coordinates.basis is not None:
        score, hessian = score @ coordinates.basis, coordinates.basis.T @ hessian @ coordinates.basis
    own = -hessian.diagonal(dim1=1, dim2=2)
    own = torch.where(own > 0, own, torch.ones_like(own)).rsqrt()
    scaled = -hessian * own[:, :, None] * own[:, None, :]
    factor, info = torch.linalg.cholesky_ex(scaled)
    definite = (info == 0) & torch.isfinite(score.sum(1) + hessian.sum((1, 2)))
    factor = torch.where(definite[:, None, None], factor, torch.eye(score.shape[1], dtype=score.dtype))
    slope = torch.where(definite[:, None], score * own, torch.zeros_like(score))
    step = torch.cholesky_solve(slope[:, :, None], factor)[:, :, 0]
    return own * step, (slope * step).sum(1), definite


def _predictors(model: RegressionModel, z: Tensor, block: Data) -> list[Tensor]:
    """Linear predictors of each replicate and row, m tensors (b, n)."""
    found = []
    for i, layout in enumerate(model.layout.blocks):
        x, part = block.x.get(layout.name), z[:, layout.reals]
        values = part.expand(-1, block.n) if x is None else part @ x.T
        found.append(values + linear_offset(block) if i == 0 and has_offset(block) else values)
    return found


def _derivatives(model: RegressionModel, z: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (b, k) and Hessians (b, k, k); one z may stand for all replicates."""
    data, blocks, k, b = model.rows, model.layout.blocks, model.layout.size, len(weights)
    point = z.to(data.device)
    score, parts = torch.zeros(b, k, dtype=torch.float64), dict[tuple[int, int], Tensor | float]()
    for rows in block_slices(data, BLOCK_ROWS):
        block = data.block(rows)
        w = weights[:, rows].to(data.device)
        g, h = _row_derivatives(model, _predictors(model, point, block), block)
        ones = torch.ones(block.n, 1, dtype=w.dtype, device=w.device)
        xs = [block.x.get(layout.name, ones).to(w.dtype) for layout in blocks]
        for j, left in enumerate(blocks):
            score[:, left.reals] += _weighted_sums(w, g[j], xs[j]).cpu()
            for m, second in enumerate(h[j], j):
                pairs = _products(xs[j], xs[m], j == m)
                parts[j, m] = parts.get((j, m), 0.0) + _weighted_sums(w, second, pairs).cpu()
    hessian = torch.zeros(b, k, k, dtype=torch.float64)
    for (j, m), part in parts.items():
        _unpack(hessian, part, blocks[j].reals, blocks[m].reals)
    return score, hessian


def _products(left: Tensor, right: Tensor, symmetric: bool) -> Tensor:
    """Products of each pair of columns, (n, pairs); of a matrix with itself each pair once."""
    if not symmetric:
        return (left[:, :, None] * right[:, None, :]).flatten(1)
    row, column = torch.triu_indices(left.shape[1], left.shape[1], device=left.device)
    return left[:, row] * left[:, column]


def _unpack(hessian: Tensor, part: Any, left: slice, right: slice) -> None:
    """Put the sums over products where they belong."""
    if left == right:
        size = left.stop - left.start
        row, column = torch.triu_indices(size, size) + left.start
        hessian[:, row, column] = hessian[:, column, row] = part
    else:
        hessian[:, left, right] = part.view(len(part), left.stop - left.start, -1)
        hessian[:, right, left] = hessian[:, left, right].transpose(1, 2)


def _weighted_sums(weights: Tensor, values: Tensor, columns: Tensor) -> Tensor:
    """``sum_i w_bi v_bi c_i`` as (b, c); values that are the same for all replicates go with the columns."""
    if len(values) == 1:
        return weights @ (columns * values[0][:, None])
    return (weights * values) @ columns


def _row_derivatives(model: RegressionModel, eta: list[Tensor], block: Data) -> tuple[list[Tensor], list[list[Tensor]]]:
    """First and second derivatives of each replicate and row in the linear predictors, (b, n) each.

    The model sees the rows of all replicates one below the other.
    """
    b = len(eta[0])

    def repeated(column: Tensor) -> Tensor:
        return column if b == 1 else column.repeat(b, *[1] * (column.ndim - 1))

    response = None if block.response is None else repeated(block.response)
    columns = {name: repeated(column) for name, column in block.columns.items() if name != "freq_weights"}
    rows = Data(response, {}, columns)
    _, g, h = model.eta_derivatives(tuple(values.reshape(-1) for values in eta), rows, 2)
    return [values.view(b, -1) for values in g], [[values.view(b, -1) for values in row] for row in h]
