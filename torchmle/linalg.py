"""Small dense linear algebra: inverses that explain themselves, rank, least squares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .compute.processes import gather
from .compute.threads import one_thread, small_on_one_thread

EPS = torch.finfo(torch.float64).eps
SUSPICIOUS_PIVOT = 1e-8  # smallest squared Cholesky pivot, of a unit diagonal, from which the eigenvalues are looked at
PSEUDO = 1e-12  # of the largest eigenvalue, below which a pseudo-inverse takes one for zero
LOSSY_PIVOT = 1e-2  # from which rounding sums over rows costs their inverse two digits


class Spectrum(NamedTuple):
    """What the eigenvalues of a matrix scaled to a unit diagonal say.

    Attributes
    ----------
    condition : float
        Condition number; inf when the matrix is not positive definite.
    eigenvalue : float
        The smallest.
    direction : Tensor
        (k,) the eigenvector that belongs to it, in the scaled coordinates.
    """

    condition: float
    eigenvalue: float
    direction: Tensor


@dataclass(frozen=True)
class Inverse:
    """Inverse of an information matrix, or why there is none.

    Attributes
    ----------
    matrix : Tensor
        (k, k); all NaN when the matrix is not positive definite.
    known : Spectrum or Tensor
        The spectrum of the scaled matrix, or a positive definite scaled matrix whose spectrum is computed when it is asked for.
    """

    matrix: Tensor
    known: Spectrum | Tensor

    @cached_property
    def spectrum(self) -> Spectrum:
        return self.known if isinstance(self.known, Spectrum) else spectrum(self.known)[0]

    @property
    def condition(self) -> float:
        return self.spectrum.condition

    @property
    def eigenvalue(self) -> float:
        return self.spectrum.eigenvalue

    @property
    def direction(self) -> Tensor:
        return self.spectrum.direction

    @property
    def definite(self) -> bool:
        return not isinstance(self.known, Spectrum) or self.known.condition < float("inf")


@small_on_one_thread
def invert_information(information: Tensor, along: Callable[[Tensor], Tensor] | None = None) -> Inverse:
    """Inverse of a symmetric positive definite matrix, scaled to a unit diagonal first.

    Never a pseudo-inverse: where the matrix is not positive definite to working precision the answer is NaN.

    Parameters
    ----------
    information : Tensor
        (k, k)
    along : callable, optional
        ``D' information D`` for a matrix D, from the rows.  A sum over rows is rounded when it is stored, which costs
        the inverse as many digits as the condition number has; a badly conditioned one is therefore taken again along
        the directions that make it the identity, and then loses no more than a QR decomposition of the rows would
        (CholeskyQR2: Yamamoto, Nakatsukasa, Yanagisawa and Fukaya 2015).
    """
    diagonal = information.diagonal()
    if len(information) == 0:
        return Inverse(information, Spectrum(1.0, 1.0, diagonal))
    if not bool(torch.isfinite(information).all()):
        nowhere = Spectrum(float("inf"), float("nan"), torch.full_like(diagonal, float("nan")))
        return Inverse(torch.full_like(information, float("nan")), nowhere)
    scale = torch.where(diagonal > 0, diagonal, torch.ones_like(diagonal)).rsqrt()
    scaled = (information + information.T) / 2 * scale[:, None] * scale
    factor, failed = torch.linalg.cholesky_ex(scaled)
    known: Spectrum | Tensor = scaled
    pivot = 0.0 if failed.item() else factor.diagonal().min().item() ** 2
    if pivot < SUSPICIOUS_PIVOT:
        known, definite = spectrum(scaled)
        if failed.item() or not definite:
            return Inverse(torch.full_like(information, float("nan")), known._replace(condition=float("inf")))
    inverse = torch.cholesky_inverse(factor) * scale[:, None] * scale
    if along is not None and pivot < LOSSY_PIVOT:
        inverse = _taken_again(torch.linalg.solve_triangular(factor, torch.diag(scale), upper=False), along)
    return Inverse((inverse + inverse.T) / 2, known)


def _taken_again(whitening: Tensor, along: Callable[[Tensor], Tensor]) -> Tensor:
    """``W' (W I W')⁻¹ W``, the inverse of I, where ``W I W'`` is the identity but for rounding errors."""
    factor = torch.linalg.cholesky(along(whitening.T))
    left = torch.linalg.solve_triangular(factor, whitening, upper=False)
    return left.T @ left


@small_on_one_thread
def spectrum(scaled: Tensor) -> tuple[Spectrum, bool]:
    """The spectrum of a symmetric matrix, and whether it is positive definite to working precision."""
    eigenvalues, vectors = torch.linalg.eigh(scaled)
    low, high = float(eigenvalues[0]), float(eigenvalues[-1])
    definite = low > len(scaled) * EPS * high
    return Spectrum(high / low if definite else float("inf"), low, vectors[:, 0]), definite


@small_on_one_thread
def pseudo_inverse(information: Tensor) -> Tensor:
    """Moore and Penrose's inverse of the positive part of a symmetric matrix scaled to a unit diagonal, (k, k).

    Directions whose eigenvalue is zero to working precision, or negative, count as known exactly.
    """
    diagonal = information.diagonal()
    scale = torch.where(diagonal > 0, diagonal, torch.ones_like(diagonal)).rsqrt()
    values, vectors = torch.linalg.eigh((information + information.T) / 2 * scale[:, None] * scale)
    known = values > max(PSEUDO, len(values) * EPS) * values[-1]
    kept = vectors[:, known] * scale[:, None]
    return kept / values[known] @ kept.T


def triangular_factor(blocks: Iterable[Tensor]) -> Tensor:
    """R of the QR decomposition of stacked blocks of rows, holding one block at a time.

    Householder QR of each block under the R so far (Demmel, Grigori, Hoemmen and Langou 2012, sequential TSQR):
    as accurate as one QR of the whole, where forming X'X would square the condition number.
    """
    factor: Tensor | None = None
    with one_thread():
        for block in blocks:
            stacked = block if factor is None else torch.cat([factor, block])
            factor = torch.linalg.qr(stacked, mode="r").R
    assert factor is not None
    return factor


@small_on_one_thread
def dependent_columns(factor: Tensor, rows: int) -> list[int]:
    """Columns that are linear combinations of earlier ones, from the triangular factor of the design.

    Columns are taken in order, as R's lm does, so that it is the later of two collinear columns that goes.
    A column depends on the others when what is left of it, relative to its length, is rounding error:
    64 eps sqrt(rows).

    Parameters
    ----------
    factor : Tensor
        (r, k) with ``factor' factor = X'X``.
    rows : int
        Number of rows of X.
    """
    tolerance = 64 * EPS * max(rows, factor.shape[1]) ** 0.5
    basis: list[Tensor] = []
    dropped = []
    for j in range(factor.shape[1]):
        column = factor[:, j]
        length = float(column.norm())
        left = column / length if length > 0 else column
        for _ in range(2):  # orthogonalise twice: once is not enough in floating point (Kahan and Parlett)
            for direction in basis:
                left = left - (direction @ left) * direction
        if length == 0 or float(left.norm()) <= tolerance:
            dropped.append(j)
        else:
            basis.append(left / left.norm())
    return dropped


def joint_factor(blocks: Iterable[Tensor], group: Any) -> Tensor:
    """R of the QR decomposition of the rows of all processes, the same in each, on the CPU."""
    factor = triangular_factor(blocks).cpu()
    return factor if group is None else triangular_factor(gather(factor, group))
