"""Intervals of parameters on their natural scale, inside its domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..transforms import Identity, Transform

Array = NDArray[np.float64]


def wald_intervals(values: Array, errors: Array, scales: Sequence[Transform], q: float) -> Array:
    """``value -+ q se`` (k, 2), made where each parameter's transform is linear and mapped back endpoint by endpoint."""
    limits = np.column_stack([values - q * errors, values + q * errors])
    for i, scale in enumerate(scales):
        if not isinstance(scale, Identity):
            limits[i] = _mapped(values[i], errors[i], scale, q)
    return limits


def _mapped(value: float, se: float, scale: Transform, q: float) -> tuple[float, float]:
    natural = torch.tensor(value, dtype=torch.float64)
    real = scale.inverse(natural).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(scale(real), real)
    reach = q * se / abs(float(slope))
    low, high = scale(real.detach() - reach), scale(real.detach() + reach)
    return (float(low), float(high)) if float(slope) >= 0 else (float(high), float(low))
