"""What a search for the maximum returns: the point, how it was found, and a verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from .verdict import condition_of


class Status(Enum):
    """Why a search ended.  The value of each member says what was seen and what to do about it."""

    CONVERGED = "Converged: the Newton decrement is below the tolerance and the Hessian is negative definite."
    BOUNDARY = (
        "Converged at a boundary: the log-likelihood is highest where a parameter is at the limit of its range. It is held "
        "there without a standard error, and the other estimates and standard errors are those of the simpler model."
    )
    AT_BOUNDS = (
        "Converged within bounds: the log-likelihood is highest, and would rise on beyond, where parameters are at bounds "
        "that were asked for. They count as fixed there."
    )
    ITERATION_LIMIT = "Not converged: the iteration limit was reached. Raise maxiter, or start nearer (start_params)."
    EVALUATION_BUDGET = (
        "Not converged: the limit on evaluations of the log-likelihood was reached. Raise maxfun, or use "
        "method='newton'."
    )
    NOT_FINITE_START = (
        "Not started: the log-likelihood or a derivative is not finite at the start. Give start_params at which "
        "every row has a positive, finite likelihood, and look for extreme values in the data."
    )
    INFEASIBLE = (
        "Not started: there are no parameters at which every row has a mean within the range that the family and its link "
        "allow, given the offset and what is held fixed. Look at the offset and the values held, or use another link."
    )
    LINE_SEARCH_FAILED = (
        "Not converged: no step along an ascent direction raised the log-likelihood. It may have a kink or a jump "
        "there, or its derivatives may be wrong; try method='nm' or other start_params."
    )
    PRECISION = (
        "Not converged: the log-likelihood or its derivatives are not accurate enough here to reach the tolerance. "
        "Use float64 data, centre and rescale the columns, compute differences of large terms in a stable form, or "
        "raise tol."
    )
    SINGULAR = (
        "Not converged: the log-likelihood is flat in some direction, so the parameters are not identified "
        "separately. Leave out collinear columns or parameters that the data say nothing about."
    )
    NOT_DEFINITE = (
        "Not converged: the search ended at a saddle point or a minimum, where the Hessian is not negative "
        "definite. Try other start_params."
    )
    DIVERGING = (
        "Not converged: the log-likelihood keeps rising as parameters grow without limit, so there is no finite "
        "maximum (perfect separation, or a parameter at the edge of its range). Simplify the model, or fix the "
        "parameter at its limit."
    )
    EDGE = (
        "Not converged: at the edge of the model's domain, where a predicted mean, probability or variance is at the end of its "
        "range, the log-likelihood still rises. The estimates are the best found within the domain; they have no standard "
        "errors there. Use a link that keeps means in their range, leave out or join the categories concerned, or use a "
        "simpler distribution."
    )
    SINGULAR_RESPONSES = (
        "Not converged: responses are linear combinations of others and of the columns of the design, or there are too few "
        "rows to tell, so the covariance matrix is singular to working precision and the log-likelihood rises almost without "
        "limit. Leave these responses out: the others say all there is."
    )
    METHOD_FAILED = (
        "Not converged: the method ended away from a maximum, and Newton steps from its best point did not reach one. "
        "Use method='newton', or other start_params."
    )
    INTERRUPTED = "Not converged: interrupted. The best point so far is kept and can serve as start_params."


@dataclass(frozen=True)
class Step:
    """One line of the history of a search.

    Attributes
    ----------
    iteration : int
        0 is the start.
    value : float
        Log-likelihood.
    decrement : float
        Newton decrement g'(-H)⁻¹g, about the squared distance to the maximum in standard errors.  For a method
        that has no Hessian at hand, the squared norm of the gradient scaled by the Hessian's diagonal at the
        start, which plays the same part; NaN for a method without derivatives.
    x : tuple of float
        The free parameters.
    """

    iteration: int
    value: float
    decrement: float
    x: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where a search for the maximum of a log-likelihood ended.

    Attributes
    ----------
    x : Tensor
        (k,) the parameters.
    value : float
        Log-likelihood at x.
    gradient : Tensor
        (k,) score at x.
    hessian : Tensor
        (k, k) Hessian at x, this x and no other; all NaN where it was never evaluated.
    status : Status
    method : str
        Name of the method, aliases resolved.
    iterations : int
        Steps taken, those of the final polish included.
    evaluations : int
        Passes over the data of any kind.
    hessian_evaluations : int
        Passes that made a Hessian.
    decrement : float
        Newton decrement at x; its square root is about the distance to the maximum in standard errors.
    direction : Tensor or None
        (k,) unit vector in the coordinates in which -H has a unit diagonal: the flat direction of a SINGULAR
        end, the direction of negative curvature of a NOT_DEFINITE one, where rounding errors were found of a
        PRECISION one; the way the parameters ran of a DIVERGING one, in standard errors of the start.  None otherwise.
    history : tuple of Step
    seconds : float
        Wall time.
    names : tuple of str
        Names of the parameters, if any were given.
    bound : tuple of str
        Names of the parameters at bounds that were asked for.
    remark : str
        What the model adds to the sentence of the status.
    """

    x: Tensor
    value: float
    gradient: Tensor
    hessian: Tensor
    status: Status
    method: str
    iterations: int
    evaluations: int
    hessian_evaluations: int
    decrement: float
    direction: Tensor | None
    history: tuple[Step, ...]
    seconds: float
    names: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    remark: str = ""

    @property
    def converged(self) -> bool:
        """Is x a maximum: finite, decrement below the tolerance, Hessian negative definite?  Also one at a boundary."""
        return self.status in (Status.CONVERGED, Status.BOUNDARY, Status.AT_BOUNDS)

    @property
    def condition(self) -> float:
        """Condition number of -H scaled to a unit diagonal; inf when it is not positive definite."""
        return condition_of(-self.hessian)

    @property
    def message(self) -> str:
        """The sentence of the status, with the parameters concerned."""
        concerned = self.bound or self.concerned()
        named = f"Parameters concerned: {', '.join(concerned)}." if concerned else ""
        return " ".join(part for part in (self.status.value, self.remark, named) if part)

    def concerned(self, share: float = 0.1) -> list[str]:
        """Names of the parameters that load on `direction`, heaviest first.

        Parameters
        ----------
        share : float
            Smallest loading named, relative to the largest.
        """
        if self.direction is None:
            return []
        names: Sequence[str] = self.names or [f"parameter {i}" for i in range(len(self.x))]
        loadings = torch.nan_to_num(self.direction.abs())
        order = torch.argsort(loadings, descending=True).tolist()
        return [names[i] for i in order if float(loadings[i]) >= share * float(loadings.max())]
