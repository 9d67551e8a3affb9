"""Models of the same rows with other columns: a constant alone in the main design, or columns besides those there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...fitting.sampling import fresh_copy

if TYPE_CHECKING:
    from ...regression import RegressionModel


def constant_only(model: RegressionModel) -> RegressionModel:
    """A model whose first design is a column of ones; weights, offset and the other designs stay."""
    main = next(iter(model.parameters))
    other = fresh_copy(model)
    other.design = replace(
        model.design,
        formulas={name: formula for name, formula in model.design.formulas.items() if name != main},
        columns={**model.design.columns, main: ("const",)},
        terms={**model.design.terms, main: {"const": slice(0, 1)}},
    )
    ones = torch.ones(model.rows.n, 1, dtype=torch.float64, device=model.rows.device)
    other.shift = {name: shift for name, shift in model.shift.items() if name != main}
    other.intercepts = {**model.intercepts, main: 0}
    other._rows = model.rows.with_designs({**model.rows.x, main: ones}).with_shift(other.shift)
    other.layout = other.make_layout()
    other.secondary, other.raise_on_perfect_prediction, other.written = True, False, None
    return other


def widened(model: RegressionModel, extra: Mapping[str, Tensor]) -> RegressionModel:
    """A model with more columns, (n, p), at the end of some of its designs; a constant parameter gets a design for them.

    Predictors that share a design go on sharing it.
    """
    other, x, shift = fresh_copy(model), dict(model.rows.x), dict(model.shift)
    columns = dict(model.design.columns)
    for name, more in extra.items():
        old = x.get(name)
        matrix = torch.cat([torch.ones_like(more[:, :1]) if old is None else old, more], 1)
        for shared in [key for key in x if x[key] is old] or [name]:
            x[shared] = matrix
            if shared in shift:
                shift[shared] = torch.cat([shift[shared], shift[shared].new_zeros(more.shape[1])])
        if old is None:
            other.intercepts = {**other.intercepts, name: 0}
        columns[name] = (*columns.get(name, ("const",)), *(f"extra{j}" for j in range(more.shape[1])))
    other.design = replace(model.design, columns=columns)
    other.shift = shift
    other._rows = model.rows.with_designs(x).with_shift(shift)
    other.layout = other.make_layout()
    other.secondary, other.raise_on_perfect_prediction = True, False
    return other
