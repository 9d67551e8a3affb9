"""Perfect prediction of conditional logits: seen in pairs of members of a group, one with y = 1 and one with y = 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...fitting.separable import Constraints, free_basis, having_weight

if TYPE_CHECKING:
    from ...fitting.fit import Fit
    from .conditional import ConditionalLogit


class SeparableGroups:
    """Groups as `torchmle.fitting.separable.SeparableRows` are rows."""

    all_known = True

    def __init__(self, model: ConditionalLogit):
        self.model = model

    @property
    def numbers(self) -> int:
        rows = self.model.rows
        return int((rows.ones * (rows.size - rows.ones)).sum()) * self.model.layout.size

    @property
    def members(self) -> Tensor:
        return having_weight(self.model.rows) * self.model.rows.size.cpu()

    def predictors(self, z: Tensor) -> Tensor:
        """``x'b`` of members in the order of their groups, from the mean of these, (n, 1)."""
        return (self.model.within @ z.to(self.model.rows.device))[:, None].cpu()

    def constraints(self, fit: Fit) -> Iterator[Constraints]:
        """Those of all pairs."""
        pairs, group = separating_pairs(self.model)
        basis = free_basis(fit)
        yield Constraints(basis.new_zeros(0, basis.shape[1]), pairs @ basis, group)

    def decided(self, z: Tensor, tolerance: float) -> Tensor:
        """Groups with no member whose probability is between zero and one by more than a tolerance, (G,)."""
        model = self.model
        unsure = torch.minimum(*model.inclusion(z)[:2])[model.order.cpu()] > tolerance
        group = torch.repeat_interleave(torch.arange(model.rows.n), model.rows.size.cpu())
        return torch.zeros(model.rows.n, dtype=torch.int64).index_add_(0, group, unsure.long()) == 0


def separating_pairs(model: ConditionalLogit) -> tuple[Tensor, Tensor]:
    """Columns of each member with y = 1 less those of each with y = 0 of its group, (pairs, k), and the groups.

    No set of members is likelier than the observed one if none of these, times the coefficients, is negative.
    """
    rows, one = model.rows.to("cpu"), model.observed_rows.y.cpu()[model.order.cpu()] > 0
    group = torch.repeat_interleave(torch.arange(rows.n), rows.size)
    ones, zeros = one.nonzero()[:, 0], (~one).nonzero()[:, 0]
    ones = ones[having_weight(rows)[group[ones]]]
    opposite = (rows.size - rows.ones)[group[ones]]  # members with y = 0 beside each with y = 1
    start = (rows.first - (rows.ones.cumsum(0) - rows.ones))[group[ones]]  # where they begin among all of those
    place = torch.arange(int(opposite.sum())) - torch.repeat_interleave(opposite.cumsum(0) - opposite, opposite)
    pair = torch.repeat_interleave(ones, opposite), zeros[torch.repeat_interleave(start, opposite) + place]
    within = model.within.cpu()
    return within[pair[0]] - within[pair[1]], group[pair[0]]
