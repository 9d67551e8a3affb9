"""The model of the same rows with a constant alone in its main design."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .regression import RegressionModel


def constant_only(model: RegressionModel) -> RegressionModel:
    """A model whose first design is a column of ones; weights, offset and the other designs stay."""
    main = next(iter(model.parameters))
    other = copy.copy(model)
    for name in [name for name in vars(other) if isinstance(getattr(type(other), name, None), cached_property)]:
        del vars(other)[name]
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
    other.secondary, other.raise_on_perfect_prediction = True, False
    return other
