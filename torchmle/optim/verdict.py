"""The quadratic model of the log-likelihood at a point: Newton step, decrement, definiteness, condition.

Everything is done on the Hessian scaled to a unit diagonal, so that no answer depends on the units of the columns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..compute.threads import small_on_one_thread

EPS = torch.finfo(torch.float64).eps

# Largest condition number of the scaled -H that still counts as identified.  The Hessian itself carries rounding
# errors of some eps, so its smallest eigenvalue is then known to three digits, and so are the standard errors in that
# direction; exactly collinear columns come out at 1e15 and more.
MAX_CONDITION = 1e13

# Condition number times smallest squared Cholesky pivot, of a matrix with a unit diagonal: about k, and hardly ever more
# than this. Smaller pivots are a reason to look at the eigenvalues, which take longer than the factor.
PIVOT_MARGIN = 1e5
EQUILIBRATIONS = 20  # each halves the orders of magnitude between rows
FLOOR = 1e-6  # smallest modified eigenvalue, relative to the largest
EXACT_SIZE = 128  # up to this size the condition number is computed, above it estimated


class Quadratic(NamedTuple):
    """Second-order model at a point.

    Attributes
    ----------
    direction : Tensor
        (k,) Newton step; from modified eigenvalues, and still uphill, when -H is not positive definite.
    decrement : float
        Gradient times direction.
    definite : bool
        Is the scaled -H positive definite with a condition number of at most `MAX_CONDITION`?
    scale : Tensor
        (k,) |diag H|^(-1/2), or of an indefinite H the equilibrating scale.
    factor : Tensor or None
        Cholesky factor of the scaled -H where it is definite.
    lowest : float
        Smallest eigenvalue of the scaled -H where it is not definite; NaN otherwise.
    weakest : Tensor or None
        (k,) its eigenvector.
    """

    direction: Tensor
    decrement: float
    definite: bool
    scale: Tensor
    factor: Tensor | None
    lowest: float
    weakest: Tensor | None


@small_on_one_thread
def quadratic(gradient: Tensor, hessian: Tensor) -> Quadratic:
    """Newton step and definiteness from the score and the Hessian of the log-likelihood."""
    scale = hessian.diagonal().neg().rsqrt()  # NaN or inf where -H has no positive diagonal: Cholesky then fails
    scaled = scaled_information(hessian, scale)
    factor, info = torch.linalg.cholesky_ex(scaled)
    if info.item() != 0:
        finite = math.isfinite((hessian.sum() + gradient.sum()).item())  # eigenvalues of anything else do not exist
        return modified_quadratic(gradient, hessian) if finite else unknown(gradient)
    if beyond(MAX_CONDITION, scaled, factor):
        return modified_quadratic(gradient, hessian)
    slope = scale * gradient
    step = torch.cholesky_solve(slope[:, None], factor)[:, 0]
    return Quadratic(scale * step, torch.dot(slope, step).item(), True, scale, factor, math.nan, None)


def modified_quadratic(gradient: Tensor, hessian: Tensor) -> Quadratic:
    """Step from the absolute values of the eigenvalues, those near zero raised (Nocedal and Wright 2006, 3.4)."""
    scale = equilibrating_scale(hessian)
    scaled = scaled_information((hessian + hessian.T) / 2, scale)
    eigenvalues, vectors = torch.linalg.eigh(scaled)
    size = eigenvalues.abs()
    largest = size.max().item()
    raised = size.clamp_min(FLOOR * largest if largest > 0 else 1.0)
    slope = scale * gradient
    step = vectors @ ((vectors.T @ slope) / raised)
    decrement = torch.dot(slope, step).item()
    return Quadratic(scale * step, decrement, False, scale, None, eigenvalues[0].item(), vectors[:, 0])


def unknown(x: Tensor) -> Quadratic:
    """The model where derivatives are not finite."""
    return Quadratic(torch.full_like(x, math.nan), math.nan, False, torch.ones_like(x), None, math.nan, None)


def scaled_information(hessian: Tensor, scale: Tensor) -> Tensor:
    """-H with rows and columns multiplied by the scale."""
    return (hessian * scale.neg()[:, None]).mul_(scale)


def equilibrating_scale(hessian: Tensor) -> Tensor:
    """Scale in which no entry of H exceeds 1 and each row reaches it; 1 for a row of zeros.

    Of a definite matrix this is |diag H|^(-1/2), about the standard errors with the other parameters held.  Where it is
    indefinite the diagonal may be near 0 beside large entries off it, and the diagonal alone would be no measure
    (equilibration of Ruiz 2001, started from the diagonal; it does not depend on the units of the parameters).
    """
    size = hessian.diagonal().abs()
    scale = torch.where((size > 0) & torch.isfinite(size), size, torch.ones_like(size)).rsqrt()
    absolute = hessian.abs()
    for _ in range(EQUILIBRATIONS):
        largest = (absolute * scale[:, None] * scale).amax(dim=1)
        if not bool(((largest > 1.001) | ((largest < 0.999) & (largest > 0))).any()):
            break
        scale = scale * torch.where(largest > 0, largest, torch.ones_like(largest)).rsqrt()
    return scale


def condition_of(information: Tensor) -> float:
    """Condition number of a matrix scaled to a unit diagonal; inf when it is not positive definite."""
    scale = information.diagonal().rsqrt()
    scaled = scaled_information(-information, scale)
    factor, failed = torch.linalg.cholesky_ex(scaled)
    return math.inf if failed.item() else condition(scaled, factor)


def well_conditioned(information: Tensor, limit: float) -> bool:
    """Is a matrix finite and positive definite, with a condition number of at most a limit on a unit diagonal?"""
    if not bool(torch.isfinite(information).all()):
        return False
    scaled = scaled_information(-information, information.diagonal().rsqrt())
    factor, failed = torch.linalg.cholesky_ex(scaled)
    return not failed.item() and not beyond(limit, scaled, factor)


def beyond(limit: float, scaled: Tensor, factor: Tensor) -> bool:
    """Is the condition number of a matrix with a unit diagonal larger than a limit?  Its Cholesky factor mostly says no."""
    suspicious = factor.diagonal().square() * limit < PIVOT_MARGIN  # of no columns, none
    return bool(suspicious.any()) and not condition(scaled, factor) <= limit


@small_on_one_thread
def condition(scaled: Tensor, factor: Tensor) -> float:
    """Condition number of a positive definite matrix; above `EXACT_SIZE` an estimate, within about sqrt(k).

    The estimate takes the smallest eigenvalue from a few inverse iterations with the Cholesky factor and bounds the
    largest by the Frobenius norm, so that it costs k² and not k³.
    """
    if len(scaled) == 0:
        return 1.0
    if len(scaled) <= EXACT_SIZE:
        eigenvalues = torch.linalg.eigvalsh(scaled)
        low, high = eigenvalues[0].item(), eigenvalues[-1].item()
        return high / low if low > 0 else math.inf
    vector = torch.zeros(len(scaled), 1, dtype=scaled.dtype)
    vector[factor.diagonal().argmin()] = 1.0
    growth = 1.0
    for _ in range(6):
        vector = torch.cholesky_solve(vector, factor)
        growth = vector.norm().item()
        vector = vector / growth
    return scaled.norm().item() * growth
