"""Generalized Poisson counts where alpha is negative: the end of their support, and what their probabilities add up to."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from ...data import Data
from ...errors import SpecificationWarning
from ...fitting.objective import Objective
from ...optim import Optimum, Status
from ...sums import row_map
from .results import DispersedResults

if TYPE_CHECKING:
    from .counts import CountModel as Base
else:
    Base = object

Array = NDArray[np.float64]
EDGE = 0.01  # of what must be positive, relative to where alpha is zero: alpha is then at the end of its range
STALLED = (Status.ITERATION_LIMIT, Status.PRECISION, Status.LINE_SEARCH_FAILED, Status.METHOD_FAILED)
AMISS = 0.01  # by which probabilities may miss one without a warning
SEEN = 5e-7  # by which they miss it if six digits are to show it
ROWS = 200  # of whose means the probabilities are added up, evenly over their order
TAIL = 12.0  # standard deviations of a Poisson count beyond which nothing is missed


def total_probability(mu: Array, c: Array) -> Array:
    """What the probabilities of all possible counts add up to, (n,), with ``c = alpha mu^(p - 1)``.

    One where c is not negative.  A negative c ends the support where ``mu + c y`` becomes negative, and the probabilities of
    Consul and Jain (1973) then add up to less than one, or more, the farther from it the shorter the support (Scollnik 1998).

    Parameters
    ----------
    mu, c : ndarray (n,)
    """
    total = np.ones_like(mu)
    with np.errstate(divide="ignore"):
        end = np.where(c < 0, -mu / c, np.inf)
    for i in np.flatnonzero(end < mu + TAIL * np.sqrt(mu) + 30):
        y = np.arange(math.ceil(end[i]))
        rate = (mu[i] + c[i] * y) / (1 + c[i])
        log = np.log(mu[i] / (1 + c[i])) + (y - 1) * np.log(rate) - rate - special.gammaln(y + 1)
        total[i] = np.exp(special.logsumexp(log))
    return total


def room(model: Base, z: Tensor) -> float:
    """The smallest of ``1 + c`` and ``1 + c y / mu`` over the rows, ``c = alpha mu^(p - 1)``; 1 without dispersion."""
    point, at = z.to(model.rows.device), list(model.parameters).index("alpha")

    def rows(block: Data) -> Tensor:
        eta = model.eta(point, block)
        c = eta[at] * ((model.p - 1) * eta[0]).exp()  # type: ignore[attr-defined]
        return torch.minimum(1 + c, 1 + c * block.y / eta[0].exp())

    return float(row_map(rows, model.rows).min())


class Consul(Base):
    """What generalized Poisson models have over other models of counts: an end of alpha's range."""

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        found = super().maximize(objective, start, method, **options)
        if found.status in STALLED and room(self, objective.coordinates.z(found.x)) < EDGE:
            return replace(found, status=Status.EDGE)
        return found


class ConsulResults(DispersedResults):
    """Estimates of generalized Poisson counts; they say what a negative alpha means."""

    saved = (*DispersedResults.saved, "probabilities")

    @cached_property
    def probabilities(self) -> list[float]:
        """Smallest and largest sum of the probabilities of all counts, over the fitted means; 1 unless alpha is negative."""
        which = "mean-main" if "inflate" in self.model.parameters else "mean"
        mu, alpha = (np.asarray(self.predict(which=name), dtype=float) for name in (which, "alpha"))
        c = alpha * mu ** (self.model.p - 1)
        chosen = np.argsort(mu)[np.unique(np.linspace(0, len(mu) - 1, min(ROWS, len(mu))).astype(int))]
        if not (c < 0).any() or not bool(np.isfinite(c).all() & (c > -1).all()):
            return [1.0, 1.0]
        total = total_probability(mu[chosen], c[chosen])
        return [float(total.min()), float(total.max())]

    @property
    def _improper(self) -> str | None:
        """What a negative alpha does to probabilities; None where it does nothing."""
        low, high = self.probabilities
        if not self.converged or max(high - 1, 1 - low) < SEEN:
            return None
        return (
            f"alpha is negative, which ends the range of possible counts: over the rows their probabilities add up to {low:.6g} "
            f"... {high:.6g} and not to one"
        )

    @property
    def _misleads(self) -> bool:
        return self.converged and max(self.probabilities[1] - 1, 1 - self.probabilities[0]) > AMISS

    def notes(self) -> list[str]:
        return [*super().notes(), *([self._improper] if self._improper and not self._misleads else [])]

    def problems(self) -> list[str]:
        found = super().problems()
        if self._misleads:
            found.append(f"{self._improper}. {CONSEQUENCE}")
        if self.optim.status is Status.EDGE:
            found.append(AT_THE_END)
        return found

    def announce(self, disp: bool = False) -> None:
        if self._misleads and not self.model.secondary:
            warnings.warn(f"{self._improper}. {CONSEQUENCE}", SpecificationWarning, stacklevel=3)
        super().announce(disp)


CONSEQUENCE = (
    "The log-likelihood, AIC and predicted probabilities are not those of a distribution and compare with no other model's; "
    "use a Poisson model with robust standard errors, or one made for counts that vary less"
)
AT_THE_END = (
    "alpha is at the end of its range, where the counts could not vary less in some row: this distribution has no maximum of the "
    "likelihood inside; use Poisson, or another p"
)
