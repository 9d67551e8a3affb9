"""Columns of designs: products with them, the constant among them or in their span, where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..compute import processes
from ..compute.processes import everywhere, mean_and_deviation
from ..data import Data
from ..linalg import dependent_columns, joint_factor
from ..sums import block_slices, power_of_two

FAR_FROM_ZERO = 100.0  # standard deviations from zero beyond which a column is centred
SAMPLE_ROWS = 10_000  # that can rule out a constant in the span of the columns
CACHED_BYTES = 2**20  # of weighted rows that are still in a core's cache when they are multiplied
GLANCE_ROWS = 1_000  # that tell where columns lie, and rule out most columns of ones


def has_offset(data: Data) -> bool:
    """Whether the first linear predictor has a part without coefficients."""
    return "offset" in data.columns or "log_exposure" in data.columns


def linear_offset(data: Data) -> Tensor | float:
    """What is added to the first linear predictor: offset plus log exposure."""
    parts = [data.columns[name] for name in ("offset", "log_exposure") if name in data.columns]
    return sum(parts) if parts else 0.0


def columns_times(x: Tensor | None, values: Tensor) -> Tensor:
    """``X' v`` as (k,); a missing X is a column of ones."""
    return values.sum().reshape(1) if x is None else x.T @ values


def gram(left: Tensor | None, weights: Tensor, right: Tensor | None) -> Tensor:
    """``X' diag(w) Z`` as (k, l); a missing matrix is a column of ones."""
    if left is None:
        return columns_times(right, weights).reshape(1, -1)
    if right is None:
        return (left.T @ weights).reshape(-1, 1)
    rows = power_of_two(CACHED_BYTES // (right.element_size() * max(right.shape[1], 1))) or 1
    if right.device.type != "cpu" or len(right) < 2 * rows:
        return left.T @ (right * weights[:, None])
    total, weighted = left.new_zeros(left.shape[1], right.shape[1]), right.new_empty(rows, right.shape[1])
    for start in range(0, len(right), rows):
        part = slice(start, start + rows)
        columns = right[part]
        total.addmm_(left[part].T, torch.mul(columns, weights[part, None], out=weighted[: len(columns)]))
    return total


def spans_constant(data: Data, name: str) -> bool:
    """Whether a column of ones is a linear combination of a design's columns; a sample of the rows can rule it out."""
    for rows in (data.take(torch.arange(0, data.n, max(1, data.n // SAMPLE_ROWS), device=data.device)), data):
        blocks = (rows.block(part).x[name] for part in block_slices(rows))
        factor = joint_factor((torch.cat([x, torch.ones_like(x[:, :1])], 1) for x in blocks), data.group)
        if factor.shape[1] - 1 not in dependent_columns(factor, processes.total(rows.n, data.group)):
            return False
    return True


def constant_weights(data: Data, name: str) -> Tensor:
    """Weights of a design's columns, (k,) on the CPU, in the combination that is a column of ones; 0 for dependent ones."""
    blocks = (data.block(part).x[name] for part in block_slices(data))
    factor = joint_factor((torch.cat([x, torch.ones_like(x[:, :1])], 1) for x in blocks), data.group)
    k = factor.shape[1] - 1
    gone = dependent_columns(factor[:, :k], processes.total(data.n, data.group))
    kept = [j for j in range(k) if j not in gone]
    scale = factor[:, kept].norm(dim=0)
    found = torch.linalg.lstsq(factor[:, kept] / scale, factor[:, k:]).solution[:, 0]
    weights = torch.zeros(k, dtype=factor.dtype)
    weights[kept] = torch.where(found.abs() > 1e-10 * found.abs().max(), found, 0.0) / scale
    return weights


def weighty_rows(data: Data, name: str) -> Iterator[Tensor]:
    """Blocks of a design, without the rows of weight zero."""
    for rows in block_slices(data):
        block = data.block(rows)
        weights = block.get("freq_weights")
        yield block.x[name] if weights is None else block.x[name][weights > 0]


def combinations_of_others(data: Data, name: str) -> list[int]:
    """Columns of a design that are linear combinations of earlier ones, in the rows that have a weight."""
    factor = joint_factor(weighty_rows(data, name), data.group)
    return dependent_columns(factor, processes.total(data.n, data.group))


def _sample(x: Tensor) -> Tensor:
    return x[:: max(1, len(x) // GLANCE_ROWS)].to(torch.float64)


def intercept_column(x: Tensor, group: Any = None) -> int | None:
    """Position of the column of ones, or None. A sample of the rows rules out the others."""
    likely = torch.nonzero(everywhere((_sample(x) == 1).all(0), group)).flatten().tolist()
    return next((j for j in likely if bool(everywhere((x[:, j] == 1).all(), group))), None)


def centres(data: Data, intercepts: dict[str, int]) -> dict[str, Tensor]:
    """Centres for designs with an intercept some column of which lies far from zero.

    Any centre near the data will do, so a sample of the rows says where it is; the intercept takes it up.
    """
    found = {name: far_centres(data.x[name], data.group, at) for name, at in intercepts.items()}
    return {name: centre for name, centre in found.items() if centre is not None}


def far_centres(x: Tensor, group: Any, intercept: int | None = None) -> Tensor | None:
    """Centres of the columns that lie far from zero, zero for the others, (k,); None where no column does."""
    sample = _sample(x)
    mean, deviation = mean_and_deviation(sample, group)
    far = mean.abs() > FAR_FROM_ZERO * deviation
    if intercept is not None:
        far[intercept] = False
    return torch.where(far, mean, torch.zeros_like(mean)).to(sample.device) if bool(far.any()) else None
