"""Errors and warnings, named after statsmodels' so that filters written for it keep working."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patsy import PatsyError

if TYPE_CHECKING:
    from .optim import Optimum


class ModelWarning(UserWarning):
    """Base of every warning this package gives."""


class ConvergenceWarning(ModelWarning):
    """The optimiser stopped before it reached a maximum."""


class BoundaryWarning(ModelWarning):
    """A parameter came out at the boundary of its range, where it has no standard error."""


class PerfectSeparationWarning(ConvergenceWarning):
    """Some observations are predicted perfectly; coefficients have no finite estimate."""


class SingularMatrixWarning(ModelWarning):
    """A matrix that should have full rank does not."""


class RankWarning(SingularMatrixWarning):
    """Columns of the design are linear combinations of others and were left out."""


class HessianInversionWarning(ModelWarning):
    """The Hessian at the estimate is not negative definite; standard errors are NaN."""


class DomainWarning(ModelWarning):
    """A link or transform does not respect the domain of the distribution's parameter."""


class ValueWarning(ModelWarning):
    """A value was changed or ignored."""


class SpecificationWarning(ModelWarning):
    """The options ask for something the model does not fully support."""


class ProfileWarning(ModelWarning):
    """A profile-likelihood interval has no limit on one side, or none was found."""


class InvalidTestWarning(ModelWarning):
    """A test was asked for whose assumptions do not hold for this result."""


class DifferencesWarning(ModelWarning):
    """Derivatives are finite differences, because the log-likelihood could not be differentiated automatically."""


class PrecisionWarning(ModelWarning):
    """The data are held, or the device computes, in less than double precision."""


class ModelError(Exception):
    """Base of the errors raised for bad models or data."""


class RankError(ModelError, ValueError):
    """Columns of the design are linear combinations of others, and the caller asked for an error."""


class FormulaError(PatsyError, ValueError):
    """A formula, or the data it is applied to, cannot be used; the message names the column."""


class MissingDataError(ModelError, ValueError):
    """Missing or infinite values where none are allowed."""


class PerfectSeparationError(ModelError):
    """Perfect separation, when the caller asked for an error instead of a warning."""


class FitInterrupted(KeyboardInterrupt):
    """Ctrl-C during a fit.

    Attributes
    ----------
    optimum : Optimum or None
        The best point reached, in free coordinates, with the history up to the interruption.
    params : dict of str to float, or None
        The best point as reported parameters by name; None when no point was reached yet.
    """

    def __init__(self, message: str, optimum: Optimum | None = None, params: dict[str, float] | None = None):
        super().__init__(message)
        self.optimum = optimum
        self.params = params
