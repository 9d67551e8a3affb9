"""Derivatives by backward passes alone: of sums in a parameter vector, of rows in a few numbers per row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Eta = tuple[Tensor, ...]
Curvature = tuple[tuple[Tensor, ...], ...]  # row j holds h_jj, h_j,j+1 ...


def derivatives(function: Callable[[Tensor], Tensor], point: Tensor, order: int) -> tuple[Tensor, ...]:
    """Value, gradient and Hessian of a scalar function of a vector, up to `order`."""
    point = point.detach().requires_grad_(order > 0)
    with torch.enable_grad():
        value = function(point)
        if order == 0:
            return (value.detach(),)
        gradient = _gradient(value, point, order > 1)
        if order == 1:
            return value.detach(), gradient
        rows = [_gradient(entry, point, True).detach() for entry in gradient]
    return value.detach(), gradient.detach(), torch.stack(rows) if rows else point.new_zeros(0, 0)


def _gradient(value: Tensor, point: Tensor, retain: bool) -> Tensor:
    """Gradient, zero where the value does not depend on the point."""
    if not value.requires_grad:
        return torch.zeros_like(point)
    (gradient,) = torch.autograd.grad(value, point, create_graph=retain, allow_unused=True)
    return torch.zeros_like(point) if gradient is None else gradient


def row_gradients(function: Callable[[Tensor], Tensor], point: Tensor) -> Tensor:
    """Jacobian (n, k) of a function with one value per row, by k backward passes.

    The gradient of ``u @ f(point)`` is linear in u; differentiating its j-th entry in u gives column j.
    """
    point = point.detach().requires_grad_()
    with torch.enable_grad():
        values = function(point)
        dummy = torch.ones_like(values, requires_grad=True)
        (combined,) = torch.autograd.grad(values, point, dummy, create_graph=True)
        columns = [_gradient(entry, dummy, True).detach() for entry in combined]
    return torch.stack(columns, 1) if columns else values.new_zeros(len(values), 0)


def row_curvatures(function: Callable[[Tensor], Tensor], point: Tensor) -> Tensor:
    """Second derivatives (n, k, k) of a function with one value per row, by k (k + 3) / 2 backward passes.

    The gradient of ``u @ f(point)`` and its derivatives in the point are linear in u, as in `row_gradients`.
    """
    point = point.detach().requires_grad_()
    with torch.enable_grad():
        values = function(point)
        dummy = torch.ones_like(values, requires_grad=True)
        (combined,) = torch.autograd.grad(values, point, dummy, create_graph=True)
        found = values.detach().new_zeros(len(values), len(point), len(point))
        for j, entry in enumerate(combined):
            for i, second in enumerate(_gradient(entry, point, True)[: j + 1]):
                found[:, i, j] = found[:, j, i] = _gradient(second, dummy, True).detach()
    return found


def full_curvature(h: Curvature) -> Tensor:
    """Second derivatives of each row as matrices, (n, m, m)."""
    m = len(h)
    return torch.stack([torch.stack([h[min(i, j)][abs(i - j)] for j in range(m)], 1) for i in range(m)], 1)


def row_derivatives(function: Callable[[Eta], Tensor], eta: Eta, order: int) -> tuple[Tensor, Eta, Curvature]:
    """Per-row gradient and Hessian of a row-wise function of m vectors.

    Rows do not interact, so the gradient of the sum of a derivative is that derivative's own, row by row.

    Returns
    -------
    value : Tensor (n,)
    g : m tensors (n,)
    h : m rows, row j with the second derivatives in j, j+1, ...; empty when order < 2
    """
    leaves = tuple(values.detach().clone().requires_grad_() for values in eta)
    with torch.enable_grad():
        value = function(leaves)
        first = row_slopes(value, leaves, order > 1)
        h: Curvature = ()
        if order > 1:
            h = tuple(row_slopes(g, leaves[j:], True) for j, g in enumerate(first))
    detached = tuple(tuple(part.detach() for part in row) for row in h)
    return value.detach(), tuple(g.detach() for g in first), detached


def row_slopes(value: Tensor, leaves: Sequence[Tensor], retain: bool = False) -> Eta:
    """Derivative of each row in each leaf, zero where the value does not depend on it."""
    if not value.requires_grad:
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    found = torch.autograd.grad(value.sum(), leaves, create_graph=retain, allow_unused=True)
    return tuple(torch.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True))
