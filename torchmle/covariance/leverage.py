"""Leverages of rows, and scores made larger by them: what HC2 and HC3 are made of.

Row i has m linear predictors ``eta_i = X_i theta``, a score ``s_i = X_i' g_i`` and a share ``A_i = X_i' W_i X_i`` of the
information, W_i minus the second derivatives in eta (m, m).  With V the inverse of the information its leverage is the
matrix ``H_i = W_i X_i V X_i'``; for one predictor the number ``w_i x_i' V x_i``.  In place of s_i,

=====  ==============================  ===========================================================================
HC2    ``X_i' (I - H_i)^(-1/2) g_i``   the principal root, as for clusters of one row (Bell and McCaffrey 2002, CR2)
HC3    ``X_i' (I - H_i)^-1 g_i``       by Woodbury V times it is ``(V^-1 - A_i)^-1 s_i``: one Newton step from the
                                       estimate towards that without the row (CR3, the one-step jackknife)
=====  ==============================  ===========================================================================

With ``X_i V X_i' = C C'`` the eigenvalues of H_i are those of the symmetric ``K = C' W_i C``, whatever the sign of W_i, and

    f(H_i) g = g + W_i C phi(K) C' g,    phi(x) = (f(x) - 1) / x,

in which nothing is subtracted from something of its own size: phi is 1 / (1 - x) for HC3, ``1 / (r (1 + r))`` with
``r = sqrt(1 - x)`` for HC2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..sums import block_rows

if TYPE_CHECKING:
    from ..data import Data
    from ..likelihood import LikelihoodModel

EXACT_FIT = 1e-10  # 1 - leverage below which it is rounding error
NUMBERS = 2**20  # that the leverages of a block of rows may have


@dataclass(frozen=True)
class RowTerms:
    """How rows of a block depend on the parameters, through m linear predictors.

    Attributes
    ----------
    designs : m tensors (n, k_j), or None for a constant
    places : m slices
        The parameters of each predictor, k in all.
    first : Tensor (n, m)
        Derivatives of each row's log-likelihood in its predictors.
    information : Tensor (n, m, m)
        Minus the second derivatives, observed or expected.
    """

    designs: tuple[Tensor | None, ...]
    places: tuple[slice, ...]
    first: Tensor
    information: Tensor

    def spread(self, bread: Tensor) -> Tensor:
        """``X_i V X_i'``, (n, m, m); (1, m, m) where no predictor has a design."""
        rows = []
        for x, place in zip(self.designs, self.places, strict=True):
            left = bread[place] if x is None else x @ bread[place]
            parts = [
                left[:, other].sum(1) if y is None else (left[:, other] * y).sum(1)
                for y, other in zip(self.designs, self.places, strict=True)
            ]
            rows.append(parts)
        count = max(len(part) for row in rows for part in row)
        return torch.stack([torch.stack([part.expand(count) for part in row], 1) for row in rows], 1)

    def scores(self, first: Tensor) -> Tensor:
        """``X_i' g_i`` of some derivatives in the predictors, (n, k)."""
        parts = zip(self.designs, first.unbind(1), strict=True)
        return torch.cat([g[:, None] if x is None else x * g[:, None] for x, g in parts], 1)


def rows_at_once(model: LikelihoodModel) -> int | None:
    """Rows of a block when their leverages are matrices; None, as for other sums, when they are numbers."""
    if not model.blockwise:
        return model.rows.n
    if model.predictor_count == 1:
        return None
    return max(1, min(block_rows(model.rows), NUMBERS // model.predictor_count**2))


def adjusted_scores(
    model: LikelihoodModel, z: Tensor, data: Data, bread: Tensor, power: float, expected: bool
) -> tuple[Tensor, Tensor]:
    """Scores of a block times ``(I - H) ** -power``, (n, k), and 1 less each row's largest eigenvalue of H, (n,).

    Sampling weights are part of H, since they make copies of nothing; of rows of frequency w each has a leverage of its own.
    """
    sampling = data.get("sampling_weights")
    if model.predictor_count == 1:
        leverage = model.block_leverage(z, data, bread, expected)
        free = 1 - (leverage if sampling is None else leverage * sampling)
        return model.block_scores(z, data) / free.clamp_min(EXACT_FIT).pow(power)[:, None], free
    terms = model.block_terms(z, data, expected)
    share = terms.information if sampling is None else terms.information * sampling[:, None, None]
    first, free = _adjusted(terms.first, share, terms.spread(bread), power)
    return terms.scores(first), free


def _adjusted(first: Tensor, information: Tensor, spread: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """Derivatives in the predictors times ``(I - W S) ** -power``, (n, m), and the smallest eigenvalue of I - W S, (n,)."""
    size = spread.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
    moves = size > 0  # not what is held, of whose derivatives nothing is used
    unit = torch.where(moves, size, 1.0)
    values, vectors = _eigen(spread / unit[:, :, None] / unit[:, None, :])
    root = unit[:, :, None] * vectors * values.clamp_min(0).sqrt()[:, None, :]
    information = torch.where(moves[:, :, None] & moves[:, None, :], information, 0.0)
    values, vectors = _eigen(root.mT @ information @ root)
    free = 1 - values
    rest = free.clamp_min(EXACT_FIT)
    phi = 1 / rest if power == 1 else 1 / (rest.sqrt() * (1 + rest.sqrt()))
    known = torch.where(moves, first, 0.0)[:, :, None]
    inner = vectors @ (phi[:, :, None] * (vectors.mT @ (root.mT @ known)))
    return first + (information @ (root @ inner))[:, :, 0], free.amin(1)


def _eigen(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and vectors of symmetric matrices; those of matrices with an entry that is not finite are NaN and useless."""
    finite = torch.isfinite(matrices).all(-1).all(-1)
    values, vectors = torch.linalg.eigh(torch.where(finite[:, None, None], matrices, 0.0))
    return torch.where(finite[:, None], values, torch.nan), vectors
