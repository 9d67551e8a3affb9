"""Estimates: a fit and its covariance as named numbers on the reported scale."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..covariance import Covariance, Estimate
from ..errors import HessianInversionWarning
from ..fitting import unbounded
from ..fitting.fit import Fit
from ..inference import profile
from ..inference.distributions import critical_value, two_sided
from ..inference.intervals import wald_intervals
from ..optim import Optimum

Array = NDArray[np.float64]


class Estimates:
    """Estimates, standard errors, tests of single parameters and intervals; frozen.

    `Results` adds statistics of the fit, predictions, tests, tables and files.
    """

    saved: tuple[str, ...] = ("llf", "k_constant", "_overall", "_main_constant")
    default_use_t = False
    estimates_dispersion = False  # whether `scale` is estimated beside the likelihood

    fit: Fit
    covariance: Covariance | None
    use_t: bool
    df_inference: Any  # of `Statistics`

    def __init__(self, fit: Fit, covariance: Covariance | None, use_t: bool | None = None):
        normal = covariance is not None and covariance.normal
        if use_t is None and covariance is not None:
            use_t = covariance.use_t
        vars(self).update(
            fit=fit,
            covariance=covariance,
            use_t=(self.default_use_t and not normal) if use_t is None else bool(use_t),
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name == "use_t":  # the one thing a reader may still choose, as in statsmodels
            vars(self).pop("_overall", None)
        elif hasattr(type(self), name) or name in vars(self):
            raise AttributeError(f"results are frozen; {name!r} cannot be set")
        vars(self)[name] = value  # a label of the reader's own

    # -- estimates ---------------------------------------------------------------------------------------------

    @property
    def model(self) -> Any:
        """The model."""
        return self.fit.model

    @property
    def optim(self) -> Optimum:
        """How the optimisation went: method, steps, evaluations, history, status."""
        return self.fit.optimum

    @property
    def converged(self) -> bool:
        """True when the point reached is a maximum: finite, Newton decrement below tolerance, -H positive definite."""
        return self.optim.converged

    @property
    def names(self) -> list[str]:
        """Labels of the parameters."""
        return list(self.model.layout.names)

    @cached_property
    def _dropped(self) -> NDArray[np.bool_]:
        """Which reported entries collinearity took out."""
        return self._reported_entries(self.fit.coordinates.dropped)

    @cached_property
    def _at_boundary(self) -> NDArray[np.bool_]:
        """Which reported entries have their best value at the boundary of their range."""
        return self._reported_entries(self.fit.coordinates.boundary)

    def _reported_entries(self, entries: tuple[int, ...]) -> NDArray[np.bool_]:
        """Mask of the reported entries that some entries of theta stand for."""
        mask = np.zeros(len(self.names), dtype=bool)
        for block in self.model.layout.blocks:
            for index in entries:
                if block.reals.start <= index < block.reals.stop:
                    mask[block.reported.start + index - block.reals.start] = True
        return mask

    @cached_property
    def fixed(self) -> NDArray[np.bool_]:
        """Which reported entries the user held fixed."""
        coordinates = self.fit.coordinates
        held = {*coordinates.fixed, *coordinates.dropped, *coordinates.boundary, *coordinates.infinite}
        if not held and not coordinates.tied:
            return np.zeros(len(self.names), dtype=bool)
        free = [i for i in range(self.model.layout.size) if i not in held]
        none = (self.model.layout.jacobian(self.fit.theta)[:, free] == 0).all(1).numpy()
        return none & ~self._dropped & ~self._at_boundary & ~self.undetermined & ~unbounded.at_the_edge(self.fit)

    @property
    def dropped_columns(self) -> list[str]:
        """Names of the columns left out as linear combinations of others."""
        return [name for name, dropped in zip(self.names, self._dropped, strict=True) if dropped]

    @cached_property
    def infinite(self) -> NDArray[np.int_]:
        """For each reported entry the sign of its estimate where that is infinite, else 0."""
        return unbounded.infinite(self.fit)

    @cached_property
    def undetermined(self) -> NDArray[np.bool_]:
        """Which reported entries perfect prediction leaves without a finite estimate."""
        return unbounded.undetermined(self.fit)

    @cached_property
    def params_array(self) -> Array:
        """Estimates on the reported scale, NaN for dropped columns, infinite as `infinite` says, (k,) ndarray."""
        natural = self._finite_params.copy()
        natural[self._dropped | self.undetermined] = np.nan
        return np.where(self.infinite != 0, np.copysign(np.inf, self.infinite), natural)

    @cached_property
    def _finite_params(self) -> Array:
        """A point at which everything can be evaluated: zero for dropped columns, far out for infinite estimates."""
        return self.model.layout.natural(self.fit.theta).detach().numpy()

    @cached_property
    def _jacobian(self) -> Tensor:
        """d reported / d z."""
        jacobian = self.model.layout.jacobian(self.fit.theta)
        uncentre = self.fit.coordinates.uncentre
        return jacobian if uncentre is None else jacobian @ uncentre

    @cached_property
    def _unquestioned(self) -> Estimate:
        """The covariance of z with its note, whatever it is worth."""
        if self.covariance is None:
            raise ValueError("no covariance was asked for (cov_type=None); use with_covariance('nonrobust')")
        return self.covariance.estimate(self.fit)

    @cached_property
    def estimate(self) -> Estimate:
        """The covariance of z with its note; computed when it is first needed, with a warning where there is none."""
        found = self._unquestioned
        if not self.fit.inverse.definite and not bool(found.matrix.isfinite().all()):
            warnings.warn(self.inversion_message(found), HessianInversionWarning, stacklevel=2)
        return found

    @property
    def covariance_z(self) -> Tensor:
        return self.estimate.matrix

    @cached_property
    def covariance_array(self) -> Array:
        """Covariance on the reported scale, NaN for dropped columns, (k, k) ndarray."""
        matrix = (self._jacobian @ self.covariance_z @ self._jacobian.T).detach().numpy().copy()
        # exactly: the variance of a constant that takes up the centres of columns cancels only to rounding
        matrix[self.fixed] = matrix[:, self.fixed] = 0.0
        unknown = self._dropped | self._at_boundary | self._reported_entries(self.fit.settings.get("trimmed", ()))
        matrix[unknown] = matrix[:, unknown] = np.nan
        runaway = self.undetermined | unbounded.running_away(self.fit)
        matrix[runaway] = matrix[:, runaway] = np.nan
        return matrix

    def _series(self, values: Array) -> Any:
        """A copy with labels, which the caller may change."""
        return pd.Series(values.copy(), index=self.names) if self.model.design.pandas else values.copy()

    @property
    def params(self) -> Any:
        """Estimates."""
        return self._series(self.params_array)

    @cached_property
    def _bse(self) -> Array:
        variances = np.diag(self.covariance_array)
        return np.sqrt(np.where(variances < 0, np.nan, variances))  # a uniform kernel can make them negative

    @property
    def bse(self) -> Any:
        """Standard errors; 0 for what was fixed, NaN for what was dropped."""
        return self._series(self._bse)

    @cached_property
    def _tvalues(self) -> Array:
        return np.divide(self.params_array, self._bse, out=np.full_like(self._bse, np.nan), where=self._bse > 0)

    @property
    def tvalues(self) -> Any:
        """Estimates divided by their standard errors."""
        return self._series(self._tvalues)

    @property
    def pvalues(self) -> Any:
        """Two-sided p-values of `tvalues`, by Student's t or the normal distribution (`use_t`)."""
        return self._series(self._pvalues)

    @property
    def _pvalues(self) -> Array:
        return two_sided(self._tvalues, self.df_inference if self.use_t else None)

    def conf_int(self, alpha: float = 0.05, method: str = "wald") -> Any:
        """Intervals with coverage 1 - alpha: columns 0 and 1.

        On the real line of each parameter's transform and mapped back, so that a standard deviation's limits are
        positive and a correlation's lie between -1 and 1.

        Parameters
        ----------
        alpha : float
        method : {"wald", "profile"}
            "profile" holds the values that a likelihood-ratio test does not refuse; see `torchmle.inference.profile`.
        """
        limits = self._limits(alpha, method)
        return pd.DataFrame(limits, index=self.names) if self.model.design.pandas else limits

    def _limits(self, alpha: float = 0.05, method: str = "wald") -> Array:
        """The intervals in the order of `names`, (k, 2)."""
        if method not in ("wald", "profile"):
            raise ValueError(f"method must be 'wald' or 'profile', not {method!r}")
        if method == "profile":
            return profile.intervals(self, alpha)  # type: ignore[arg-type]
        q = critical_value(alpha, self.df_inference if self.use_t else None)
        return wald_intervals(self.params_array, self._bse, self.model.layout.scales(), q)

    # -- what was computed -------------------------------------------------------------------------------------

    @property
    def cov_type(self) -> str | None:
        """Name of the kind of covariance."""
        return None if self.covariance is None else self.covariance.name

    @property
    def cov_kwds(self) -> dict[str, Any]:
        """The note on the covariance, with its options and cluster counts."""
        options = {} if self.covariance is None else self.covariance.described()
        found: dict[str, Any] = {"description": self.estimate.description, **options}
        if self.estimate.n_groups:
            found["n_groups"] = self.estimate.n_groups
        return found

    @property
    def covariance_is_robust(self) -> bool:
        return self.covariance is not None and self.covariance.robust

    @property
    def distrust(self) -> str:
        """Why ratios of this likelihood have no distribution that is known; empty where they have."""
        if "sampling_weights" in self.model.given_arguments:
            return "under sampling weights the log-likelihood is a weighted one"
        if self.covariance_is_robust:
            return f"the standard errors are robust (cov_type={self.cov_type!r}), so the likelihood is not trusted"
        return ""

    @property
    def method(self) -> str:
        """The optimiser's name."""
        return self.optim.method

    @property
    def device(self) -> torch.device:
        """Where the sums over rows were computed."""
        return self.model.placement.device

    @property
    def timing(self) -> dict[str, float]:
        """Seconds of wall time by stage."""
        return {"fit": self.fit.seconds}

    def inversion_message(self, found: Estimate | None) -> str:
        """Why there are no standard errors, or which were `found` for all that, in the names of the parameters."""
        inverse, names = self.fit.inverse, self.fit.coordinates.free_names(self.model.layout)
        weights = inverse.direction.abs()
        involved = [names[i] for i in torch.argsort(weights, descending=True).tolist() if weights[i] > 0.1][:5]
        without = found is None or not bool(found.matrix.isfinite().all())
        consequence = (
            "so no standard errors can be computed" if without else "and standard errors do without its inverse"
        )
        return (
            f"The Hessian is not negative definite, {consequence}: the smallest eigenvalue of the "
            f"scaled information is {inverse.eigenvalue:.2g}, in the direction of {', '.join(involved) or 'all parameters'}; "
            f"the norm of the gradient is {float(self.optim.gradient.norm()):.2g}"
        )
