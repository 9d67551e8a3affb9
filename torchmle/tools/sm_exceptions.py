"""The errors and warnings under the path at which statsmodels keeps its own."""

from ..errors import (
    ConvergenceWarning,
    DomainWarning,
    HessianInversionWarning,
    InvalidTestWarning,
    MissingDataError,
    ModelWarning,
    PerfectSeparationError,
    PerfectSeparationWarning,
    PrecisionWarning,
    RankWarning,
    SpecificationWarning,
    ValueWarning,
)

CollinearityWarning = SingularMatrixWarning = RankWarning
IterationLimitWarning = ConvergenceWarning

__all__ = [
    "CollinearityWarning",
    "ConvergenceWarning",
    "DomainWarning",
    "HessianInversionWarning",
    "InvalidTestWarning",
    "IterationLimitWarning",
    "MissingDataError",
    "ModelWarning",
    "PerfectSeparationError",
    "PerfectSeparationWarning",
    "PrecisionWarning",
    "RankWarning",
    "SingularMatrixWarning",
    "SpecificationWarning",
    "ValueWarning",
]
