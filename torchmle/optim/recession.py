"""Directions along which a log-likelihood rises for ever: linear programmes on the rows.

A row says of the direction d of the parameters either ``e'd = 0`` (it is lost in both senses of e) or ``a'd >= 0``.  The
directions that satisfy all rows form a cone; the likelihood has no finite maximum exactly if the cone holds one with
``a'd > 0`` for some row (Albert and Anderson 1984; Geyer 2009; by linear programming Konis 2007).  One in the
cone's relative interior separates every row that can be separated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..linalg import EPS

Array = NDArray[np.float64]

STRICT = 1e-6  # of the largest entry of a row, from which a'd counts as positive
FEASIBLE = 1e-9
FEW_ROWS = 3000  # of one programme; with more, rows are added as they are violated
ADDED_ROWS = 1000
ROUNDS = 50


class Recession(NamedTuple):
    """A direction in which every row can be separated that can be, and what is left undetermined in the limit.

    Attributes
    ----------
    direction : Tensor (f,)
    flat : Tensor (f, q)
        Basis of the directions in which nothing that remains in the limit changes; orthonormal in scaled columns.
    strict : Tensor (rows,)
        Which inequalities are strict.
    scale : Tensor (f,)
        Lengths of the columns.
    """

    direction: Tensor
    flat: Tensor
    strict: Tensor
    scale: Tensor


def recession(equal: Tensor, unequal: Tensor) -> Recession | None:
    """A direction d with ``equal @ d = 0``, ``unequal @ d >= 0`` and as many strict inequalities as there can be.

    Parameters
    ----------
    equal, unequal : Tensor (rows, f)

    Returns
    -------
    Recession or None
        None where no inequality can be strict.
    """
    scale = torch.cat([equal, unequal]).norm(dim=0)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    equal, unequal = equal / scale, unequal / scale
    basis = null_space(equal)
    if basis.shape[1] == 0 or len(unequal) == 0:
        return None
    rows = (unequal @ basis).numpy()
    size = np.abs(unequal.numpy()).max(1)
    rows = np.divide(rows, size[:, None], out=np.zeros_like(rows), where=size[:, None] > 0)
    found = _interior(rows)
    if found is None:
        return None
    strict = torch.from_numpy(found[1])
    flat = null_space(torch.cat([equal, unequal[~strict]]))
    direction = flat @ (flat.T @ (basis @ torch.from_numpy(found[0])))
    if not bool((unequal[strict] @ direction > 0).all()):
        return None
    return Recession(direction / scale, flat, strict, scale)


def interior(matrix: Tensor, limits: Tensor) -> Tensor | None:
    """A point x with ``matrix @ x + limits > 0`` in every row, away from all of them; None where there is none.

    It is a direction ``s (x, 1)``, s > 0, of the cone of ``matrix @ d + limits s >= 0`` with the largest smallest margin.

    Parameters
    ----------
    matrix : Tensor (rows, f)
    limits : Tensor (rows,)
    """
    rows = torch.cat([matrix, limits[:, None]], 1)
    scale = rows.norm(dim=0)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    rows = rows / scale
    length = rows.norm(dim=1, keepdim=True)
    if not bool((torch.isfinite(length) & (length > 0)).all()):
        return None
    forward = torch.zeros_like(rows[:1]).index_fill(1, torch.tensor([len(scale) - 1]), 1.0)  # s itself
    whole = torch.cat([rows / length, forward])
    margin = torch.full_like(whole[:, :1], -1.0)
    found = _programme(torch.cat([whole, margin], 1).numpy(), np.eye(len(scale) + 1)[-1])
    if found is None or not found[-1] > 100 * FEASIBLE:
        return None
    point = torch.from_numpy(found[:-1]) / scale
    return point[:-1] / point[-1]


def definite_sign(cone: Recession, unequal: Tensor, functional: Tensor) -> int:
    """Sign of ``functional @ d`` over all directions of the cone: 1, -1, or 0 where both occur."""
    own = cone.flat.T @ (functional / cone.scale)
    size = float(own.abs().max())
    if size <= FEASIBLE:
        return 0
    rows = (unequal[cone.strict] / cone.scale @ cone.flat).numpy()
    rows = rows / np.abs(rows).max(1, keepdims=True)
    ends = [_programme(rows, sign * own.numpy() / size) for sign in (1, -1)]
    if ends[0] is None or ends[1] is None:
        return 0
    high, low = float(own.numpy() @ ends[0]) / size, float(own.numpy() @ ends[1]) / size
    return int(high > STRICT and low > -STRICT) - int(low < -STRICT and high < STRICT)


def null_space(rows: Tensor) -> Tensor:
    """Orthonormal basis (f, q) of the directions that no row sees."""
    f = rows.shape[1]
    if len(rows) == 0:
        return torch.eye(f, dtype=torch.float64)
    factor = torch.linalg.qr(rows, mode="r").R if len(rows) > f else rows
    _, values, vectors = torch.linalg.svd(factor, full_matrices=True)
    rank = int((values > 64 * EPS * max(len(rows), f) ** 0.5 * values.max()).sum()) if len(values) else 0
    return vectors[rank:].T


def _interior(rows: Array) -> tuple[Array, NDArray[np.bool_]] | None:
    """A direction in the relative interior of ``rows @ d >= 0`` and which rows are strict there."""
    direction, strict = np.zeros(rows.shape[1]), np.zeros(len(rows), dtype=bool)
    while not strict.all():
        step = _programme(rows, rows[~strict].sum(0))
        gained = np.zeros(len(rows), dtype=bool) if step is None else (rows @ step > STRICT) & ~strict
        if step is None or not gained.any():
            break
        direction, strict = direction + step, strict | gained
    return (direction, strict) if strict.any() else None


def _programme(rows: Array, gain: Array) -> Array | None:
    """The d in ``[-1, 1]^r`` with ``rows @ d >= 0`` that has the largest ``gain @ d``."""
    from scipy.optimize import linprog

    used = np.arange(len(rows))[:: max(1, len(rows) // FEW_ROWS)]
    settings = {"primal_feasibility_tolerance": FEASIBLE, "dual_feasibility_tolerance": FEASIBLE}
    for _ in range(ROUNDS):
        answer = linprog(
            -gain, A_ub=-rows[used], b_ub=np.zeros(len(used)), bounds=(-1, 1), method="highs", options=settings
        )
        if answer.status != 0:
            return None
        slack = rows @ answer.x
        broken = np.flatnonzero(slack < -10 * FEASIBLE)
        if len(broken) == 0:
            return answer.x
        worst = broken[np.argsort(slack[broken])[:ADDED_ROWS]]
        used = np.union1d(used, worst[np.unique(rows[worst], axis=0, return_index=True)[1]])  # equal rows once
    return None
