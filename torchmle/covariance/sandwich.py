"""Sandwiches: outer products of scores by row and by cluster, between two slices of bread."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..compute.processes import gather
from ..sums import row_map, row_sums
from .leverage import EXACT_FIT, adjusted_scores, rows_at_once

if TYPE_CHECKING:
    from ..data import Data
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel


def bread(fit: Fit, expected: bool = False) -> Tensor:
    """Inverse of the information in z: the observed one, or the expected one if it is asked for and has a closed form."""
    return expected_bread(fit) if expected and fit.model.knows_expected_information else fit.bread


def expected_bread(fit: Fit) -> Tensor:
    """Inverse of the expected information in z, zero for what is held, (k, k)."""
    coordinates, model = fit.coordinates, fit.informative
    information = coordinates.free_hessian(model.expected_information(fit.z))
    return coordinates.spread(model.invert_information(information, coordinates, fit.z, expected=True).matrix)


def meat(fit: Fit, leverage_power: float = 0.0, expected: bool = False) -> Tensor:
    """``sum w_i s_i s_i'``, each score times ``(I - H_i) ** -leverage_power``, (k, k).

    Frequency weights w_i count rows; other weights are part of the scores, so that sampling weights enter squared.
    Leverages H_i of the observed information, or of the expected one if it is asked for and the model says each row's; see
    `torchmle.covariance.leverage`.

    Raises
    ------
    ValueError
        A leverage of 1, where score and divisor are both zero and rounding errors would decide, or more.
    """
    model, device = fit.model, fit.model.rows.device
    expected = expected and model.knows_expected_information and model.knows_expected_curvature
    z, inverse = fit.z.to(device), bread(fit, expected).to(device)

    def block_meat(block: Data) -> tuple[Tensor, Tensor]:
        weights, sampling = block.get("freq_weights"), block.get("sampling_weights")
        weights = weights if sampling is None else sampling.square()
        if leverage_power:
            scores, free = adjusted_scores(model, z, block, inverse, leverage_power, expected)
            bound = ((free < EXACT_FIT) & (torch.ones_like(free) if weights is None else weights).gt(0)).sum()
        else:
            scores, bound = model.block_scores(z, block), z.new_zeros(())
        return scores.T @ (scores if weights is None else scores * weights[:, None]), bound.double()

    filling, bound = row_sums(block_meat, model.rows, rows_at_once(model) if leverage_power else None)
    if bound:
        raise ValueError(
            f"{int(bound)} rows have a leverage of 1 or more: without one of them the others do not determine every "
            "parameter, as where a dummy for a single row fits it whatever its response, so HC2 and HC3 are not defined; "
            "use HC1, or leave those rows out"
        )
    return filling


def cluster_meat(fit: Fit, codes: np.ndarray, groups: int) -> Tensor:
    """``sum_g S_g S_g'`` with S_g the sum of the weighted scores of group g, (k, k)."""
    totals = cluster_totals(fit, codes, groups)
    return totals.T @ totals


def cluster_totals(fit: Fit, codes: np.ndarray, groups: int) -> Tensor:
    """Sums of the weighted scores of each group, (groups, k)."""
    device = fit.model.rows.device
    z = fit.z.to(device)
    data = fit.model.rows.with_columns(cluster_code=torch.as_tensor(codes, device=device))

    def block_totals(block: Data) -> tuple[Tensor]:
        scores, weights = fit.model.block_scores(z, block), block.get("freq_weights")
        scores = scores if weights is None else scores * weights[:, None]
        totals = scores.new_zeros(groups, scores.shape[1])
        return (totals.index_add_(0, block.cluster_code, scores),)

    (totals,) = row_sums(block_totals, data, numbers=groups * fit.model.layout.size)
    return totals


def sandwich(slices: Tensor, filling: Tensor) -> Tensor:
    """``bread @ filling @ bread``, symmetric to the last bit."""
    product = slices @ filling @ slices
    return (product + product.T) / 2


def subsets(groups: Sequence[np.ndarray], data: Data) -> list[tuple[np.ndarray, int, int]]:
    """Codes of every intersection of groupings, their number, and the sign of inclusion and exclusion; single ones first."""
    single = [cluster_codes(group, data) for group in groups]
    out = []
    for size in range(1, len(single) + 1):
        for chosen in combinations(single, size):
            codes, count = chosen[0]
            for other, others in chosen[1:]:
                codes, count = cluster_codes(codes * others + other, data)
            out.append((codes, count, 1 if size % 2 else -1))
    return out


def cluster_codes(labels: np.ndarray, data: Data) -> tuple[np.ndarray, int]:
    """Clusters numbered from 0, alike in all processes, and how many there are; rows of weight 0 make no cluster."""
    weights = data.get("freq_weights")
    present = slice(None) if weights is None else weights.cpu().numpy() > 0
    levels, inverse = np.unique(labels[present], return_inverse=True)
    everywhere = np.unique(np.concatenate(gather(levels, data.group)))
    codes = np.zeros(len(labels), dtype=np.int64)
    codes[present] = np.searchsorted(everywhere, levels)[inverse.reshape(-1)]
    return codes, len(everywhere)


def nonnegative(matrix: Tensor) -> tuple[Tensor, bool]:
    """The matrix with negative eigenvalues set to zero (Cameron, Gelbach and Miller 2011, section 2.3)."""
    if not bool(torch.isfinite(matrix).all()):
        return matrix, False
    values, vectors = torch.linalg.eigh(matrix)
    if bool((values >= -1e-12 * values.abs().max()).all()):
        return matrix, False
    return (vectors * values.clamp_min(0)) @ vectors.T, True


def leverage(model: LikelihoodModel, z: Tensor, bread: Tensor) -> Tensor:
    """Leverages of all rows, (n,), on the CPU."""
    point, inverse = z.to(model.rows.device), bread.to(model.rows.device)
    return row_map(lambda block: model.block_leverage(point, block, inverse), model.rows)
