"""Statistics of a fit: its log-likelihood, criteria, counts and degrees of freedom."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..covariance import Covariance
from ..fitting.fit import Fit

Array = NDArray[np.float64]


class Statistics:
    """What `Estimates` say of the whole fit: numpy's numbers, as statsmodels' are; the others are made of these."""

    assumes_constant = False  # whether `df_model` leaves out one column even where no constant is, as in statsmodels

    fit: Fit
    covariance: Covariance | None
    model: Any
    estimate: Any

    @cached_property
    def llf(self) -> float:
        """Log-likelihood at the estimate, with all constants."""
        return np.float64(self.model.loglike_at(self.fit))

    @property
    def is_quasi(self) -> bool:
        """Whether the log-likelihood is none of the responses: counts that are not, or that vary more than their family.

        Then `information_criteria`, `glance` and tables withhold AIC and BIC; `aic` and `bic` are statsmodels' numbers.
        """
        return False

    @property
    def llf_obs(self) -> Array:
        """Log-likelihood of each row (unweighted), (n,) ndarray."""
        return self.model.loglike_rows(self.fit).numpy()

    @property
    def k_free(self) -> int:
        """Parameters estimated, those that information criteria count; one that came out at its boundary is one."""
        return self.fit.rank + len(self.fit.coordinates.boundary)

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 llf + 2 k."""
        return -2 * self.llf + 2 * self.k_free

    @property
    def bic(self) -> float:
        """Schwarz's criterion, -2 llf + k log n."""
        return -2 * self.llf + self.k_free * float(np.log(self.nobs))

    @property
    def nobs(self) -> float:
        """Observations: rows, or the sum of their frequency weights."""
        return self.fit.nobs

    @cached_property
    def scale(self) -> float:
        """Dispersion, estimated or given; 1 for models that have none."""
        given = None if self.covariance is None else self.covariance.fixed_scale
        return np.float64(self.fit.scale if given is None else given)

    @property
    def df_model(self) -> float:
        """Free coefficients of the main predictor, less the constant (or one, where a model is said to assume one)."""
        main = self.model.layout.blocks[0].reals if self.model.layout.blocks else slice(0, 0)
        free = self.fit.coordinates.free_among(main)
        return float(free - (1 if self.assumes_constant else self.k_constant))

    @property
    def df_resid(self) -> float:
        """Observations less free parameters."""
        return np.float64(self.nobs - self.fit.rank)

    @cached_property
    def k_constant(self) -> int:
        """1 when the main design has a constant, explicit or as a sum of its columns, that is not held fixed."""
        constant = getattr(self.model, "intercepts", {}).get(self.model.predictors()[0])
        return 0 if constant in self.fit.coordinates.fixed else self.model.k_constant

    @property
    def df_inference(self) -> float:
        """Degrees of freedom of t and F tests: residual ones, or G - 1 under clusters."""
        df = self.estimate.df
        return self.df_resid if df is None else df

    @property
    def df_resid_inference(self) -> float:
        """Degrees of freedom of t and F tests where a covariance brings its own, as clusters do; else there is none."""
        if self.estimate.df is None:
            raise AttributeError("this covariance has no degrees of freedom of its own; tests use df_resid")
        return self.estimate.df


def counted(number: float) -> float:
    """A number of observations: an integer if it is one."""
    return int(number) if float(number).is_integer() else number


def ratio(numerator: float, denominator: float) -> float:
    """A quotient that is NaN, not an error, where it is not defined."""
    return numerator / denominator if denominator else math.nan
