"""Certificate: the evidence that a point is a maximum, and what an answer rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..fitting.unbounded import at_the_edge
from ..optim.verdict import MAX_CONDITION

if TYPE_CHECKING:
    from .results import Results

DIGITS = 1e8  # condition number of the scaled information from which standard errors lose half their digits


@dataclass(frozen=True)
class Certificate:
    """What was seen at the point a fit ended at.

    Attributes
    ----------
    converged : bool
    status : str
        Name of the optimiser's `Status`.
    gradient_norm : float
        Norm of the score, less the penalty's slope where there is one, each entry times its parameter's standard error with the
        others held: in standard errors.
    decrement : float
        Newton decrement ``g' (-H)^-1 g``, about the squared distance to the maximum in standard errors.
    smallest_eigenvalue, condition : float
        Of the information scaled to a unit diagonal; 1 and 1 are the best there are.
    parameters, rank : int
        Parameters of the model, and those that are free.
    dropped, separated, boundary, fixed, trimmed : tuple of str
        Parameters that collinearity took out, that perfect prediction makes infinite or leaves undetermined, that are at
        the boundary of their range or at a bound, that the user holds, that a penalty sets to zero.
    verdict : str
        One sentence.
    """

    converged: bool
    status: str
    gradient_norm: float
    decrement: float
    smallest_eigenvalue: float
    condition: float
    parameters: int
    rank: int
    dropped: tuple[str, ...]
    separated: tuple[str, ...]
    boundary: tuple[str, ...]
    fixed: tuple[str, ...]
    trimmed: tuple[str, ...]
    verdict: str

    @property
    def lines(self) -> list[str]:
        """What a summary prints."""
        lists = [
            ("dropped", self.dropped),
            ("separated", self.separated),
            ("boundary", self.boundary),
            ("fixed", self.fixed),
            ("set to zero", self.trimmed),
        ]
        named = "".join(f"; {word}: {', '.join(names)}" for word, names in lists if names)
        return [
            f"Certificate: gradient {self.gradient_norm:.2g} standard errors, Newton decrement {self.decrement:.2g}; scaled "
            f"information: smallest eigenvalue {self.smallest_eigenvalue:.2g}, condition {self.condition:.3g}; "
            f"{self.rank} of {self.parameters} parameters free{named}",
            self.verdict,
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def certify(results: Results) -> Certificate:
    """The certificate of a fit, from what its end is known to be; no pass over the rows."""
    fit, optimum = results.fit, results.optim
    size = optimum.hessian.diagonal().abs()
    own = torch.where(size > 0, size, torch.ones_like(size)).rsqrt()

    def named(mask: object) -> tuple[str, ...]:
        return tuple(name for name, found in zip(results.names, mask, strict=True) if found)  # type: ignore[call-overload]

    separated = named(results.undetermined | at_the_edge(fit))
    bound = np.isin(results.names, list(results.at_bounds))
    trimmed = results._reported_entries(fit.settings.get("trimmed", ()))
    gradient, decrement = _slope(results)
    return Certificate(
        converged=results.converged,
        status=optimum.status.name,
        gradient_norm=float((gradient * own).norm()),
        decrement=decrement,
        smallest_eigenvalue=fit.inverse.eigenvalue,
        condition=fit.inverse.condition,
        parameters=len(results.names),
        rank=fit.coordinates.size,
        dropped=named(results._dropped),
        separated=separated,
        boundary=named(bound | (results._at_boundary & ~results.undetermined)),
        fixed=named(results.fixed & ~bound & ~trimmed),
        trimmed=named(trimmed),
        verdict=_verdict(results, separated, decrement),
    )


def _slope(results: Results) -> tuple[Tensor, float]:
    """Gradient in free coordinates of what was maximised, and its Newton decrement: a penalised log-likelihood has its own."""
    fit, optimum = results.fit, results.optim
    if "alpha" not in fit.settings:
        return optimum.gradient, optimum.decrement
    weights, jacobian = torch.as_tensor(fit.settings["alpha"], dtype=torch.float64), fit.coordinates.jacobian
    slope = optimum.gradient - jacobian.T @ (weights * fit.theta.sign())
    corner = jacobian.T.abs() @ (weights * (fit.theta == 0))  # of free coefficients of zero
    gradient = slope.sign() * (slope.abs() - corner).clamp_min(0)
    return gradient, float(gradient @ fit.inverse.matrix @ gradient)


def _verdict(results: Results, separated: tuple[str, ...], decrement: float) -> str:
    optimum, inverse = results.optim, results.fit.inverse
    if results.fit.separation is not None:
        where = "inside the model's domain" if at_the_edge(results.fit).any() else "at finite values"
        return f"No maximum {where}: perfect prediction, along {', '.join(separated)}."
    if not optimum.converged:
        return f"Not a maximum. {optimum.message}"
    if not inverse.definite:
        return "Not known to be a maximum: the information is not positive definite to working precision."
    what = "A maximum of the penalised log-likelihood" if "alpha" in results.fit.settings else "A maximum"
    place = f"{what}, within {_within(decrement)} standard errors"
    if inverse.condition < DIGITS:
        return f"{place}."
    names = results.fit.coordinates.free_names(results.model.layout)
    weights = inverse.direction.abs()
    involved = [names[i] for i in torch.argsort(weights, descending=True).tolist() if weights[i] > 0.1][:5]
    digits = max(0, int(-math.log10(inverse.condition / MAX_CONDITION) + 3))
    return f"{place}; nearly flat along {', '.join(involved)}, whose standard errors keep about {digits} digits."


def _within(decrement: float) -> str:
    return f"{max(math.sqrt(max(decrement, 0.0)), 1e-16):.0e}"
