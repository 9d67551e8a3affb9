"""What rows say of directions of the parameters: the inequalities that one obeys along which none of them loses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..data import Data
from ..sums import row_map

if TYPE_CHECKING:
    from ..regression import RegressionModel
    from .fit import Fit

FAR = 200.0  # linear predictor at which a row has reached its limit
FARTHER = 2.0  # times the largest at hand, if that is more
LOST = 1e-8  # slope there, or fall below the value at the estimate, from which a row counts as lost


class Constraints(NamedTuple):
    """What rows say of directions of the free coordinates; see `torchmle.optim.recession`."""

    equal: Tensor
    unequal: Tensor
    row: Tensor  # of each inequality


class SeparableRows:
    """Rows that reach theta by linear predictors alone.

    Attributes
    ----------
    numbers : int
        In the inequalities.
    all_known : bool
        Whether no other direction separates rows: all predictors are seen together.
    members : Tensor (n,)
        Observations with a weight that a row is.
    """

    def __init__(self, model: RegressionModel):
        self.model = model

    @property
    def numbers(self) -> int:
        return self.model.rows.n * self.model.layout.size if self.model.rows.x else 0

    @property
    def all_known(self) -> bool:
        return hasattr(self.model, "separating_rows") or len(self.model.layout.blocks) == 1

    @property
    def members(self) -> Tensor:
        return having_weight(self.model.rows).long()

    def predictors(self, z: Tensor) -> Tensor:
        """Linear predictors of all rows, (n, m)."""
        model, point = self.model, z.to(self.model.rows.device)
        return row_map(lambda block: torch.stack(model.eta(point, block), 1), model.rows)

    def constraints(self, fit: Fit) -> Iterator[Constraints]:
        """The inequalities of all predictors at once, for a model that knows them, or of each with the others held."""
        model, basis = self.model, free_basis(fit)
        if hasattr(model, "separating_rows"):
            yield _joint(model, basis)
            return
        for j, block in enumerate(model.layout.blocks):
            if block.name in model.rows.x:
                others = torch.ones(len(basis), dtype=torch.bool)
                others[block.reals] = False
                yield _of_predictor(model, fit.z, j, basis[block.reals], basis[others])

    def decided(self, z: Tensor, tolerance: float) -> Tensor:
        """Rows whose likelihood no predictor changes any more, (n,)."""
        model, point = self.model, z.to(self.model.rows.device)

        def block(data: Data) -> Tensor:
            _, slopes, curvatures = model.eta_derivatives(model.eta(point, data), data, 2)
            every = torch.stack([*slopes, *(each for row in curvatures for each in row)], 1)
            return (every.abs() <= tolerance).all(1)

        return row_map(block, model.rows)


def free_basis(fit: Fit) -> Tensor:
    """What each free coordinate is in z, (k, free)."""
    basis = fit.coordinates.basis
    return torch.eye(len(fit.z), dtype=torch.float64) if basis is None else basis


def having_weight(data: Data) -> Tensor:
    """Rows that have a weight, (n,) on the CPU."""
    weights = data.get("freq_weights")
    return torch.ones(data.n, dtype=torch.bool) if weights is None else weights.cpu() > 0


def _of_predictor(model: RegressionModel, z: Tensor, j: int, basis: Tensor, others: Tensor) -> Constraints:
    """Rows that can only gain upwards, only downwards, or not at all when predictor j goes to infinity."""
    point, name = z.to(model.rows.device), model.layout.blocks[j].name
    moves = row_map(lambda block: _moves(model, point, block, j), model.rows)
    x = columns_of(model.rows, name) @ basis
    up, down = moves[:, 0], moves[:, 1]
    one = (up ^ down).nonzero()[:, 0]
    sign = torch.where(up[one], 1.0, -1.0).to(torch.float64)
    return Constraints(torch.cat([x[~(up | down)], others]), x[one] * sign[:, None], one)


def _moves(model: RegressionModel, z: Tensor, data: Data, j: int) -> Tensor:
    """Whether each row keeps its likelihood as predictor j goes up, and as it goes down, (n, 2) bool.

    It does if the slope there is not negative and the log-likelihood not lower than here.  Rows without weight always do.
    """
    eta = model.eta(z, data)
    here = model.eta_derivatives(eta, data, 1)[0]
    kept = []
    for sign in (1.0, -1.0):
        far = torch.full_like(eta[j], sign * max(FAR, FARTHER * float(eta[j].abs().max())))
        value, slopes, _ = model.eta_derivatives((*eta[:j], far, *eta[j + 1 :]), data, 1)
        kept.append((sign * slopes[j] >= -LOST) & (value >= here - LOST * (1 + here.abs())))
    weights = data.get("freq_weights")
    moves = torch.stack(kept, 1)
    return moves if weights is None else moves | (weights == 0)[:, None]


def _joint(model: Any, basis: Tensor) -> Constraints:
    """Inequalities in all predictors; those without a design are constants."""
    signs = row_map(model.separating_rows, model.rows)  # (n, inequalities, m)
    n, each, _ = signs.shape
    one = torch.ones(n, 1, dtype=torch.float64)
    x = {name: columns_of(model.rows, name) for name in model.rows.x}
    counted = having_weight(model.rows)
    rows = torch.arange(n)[counted]
    blocks = [
        signs[counted][:, :, j, None] * x.get(block.name, one)[counted][:, None, :]
        for j, block in enumerate(model.layout.blocks)
    ]
    unequal = torch.cat(blocks, 2).reshape(len(rows) * each, -1)
    said = (signs[counted] != 0).any(2).reshape(-1)
    return Constraints(basis.new_zeros(0, basis.shape[1]), unequal[said] @ basis, rows.repeat_interleave(each)[said])


def columns_of(data: Data, name: str) -> Tensor:
    """The design of a predictor, (n, k), on the CPU."""
    return row_map(lambda block: block.x[name].to(torch.float64), data)
