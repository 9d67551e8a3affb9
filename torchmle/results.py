"""Results: the only exit from torch. Estimates with names, standard errors, tests, tables; frozen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import io, report
from .covariance import Covariance, Estimate, choose
from .errors import ConvergenceWarning, HessianInversionWarning, RankWarning
from .fit import Fit
from .inference import likelihood_ratio, prediction, wald
from .inference.distributions import quantile, two_sided
from .optim import Optimum
from .summary import Summary
from .transforms import Identity, Transform

if TYPE_CHECKING:
    from .data import Data

Array = NDArray[np.float64]


class Results:
    """Estimates of a model and what follows from them.

    Estimates are on the scale of the table: regression coefficients as they are, standard deviations and the like
    on their natural scale, with standard errors by the delta method and intervals mapped endpoint by endpoint, so
    that they stay in the domain.  pandas objects come back when the data came in pandas or by a formula, arrays
    otherwise; always on the CPU.
    """

    saved: tuple[str, ...] = ("llf", "k_constant")
    default_use_t = False

    fit: Fit
    covariance: Covariance | None
    use_t: bool

    def __init__(self, fit: Fit, covariance: Covariance | None, use_t: bool | None = None):
        robust = covariance is not None and covariance.robust
        vars(self).update(
            fit=fit,
            covariance=covariance,
            use_t=(self.default_use_t and not robust) if use_t is None else bool(use_t),
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"results are frozen; {name!r} cannot be set")

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
        mask = np.zeros(len(self.names), dtype=bool)
        for block in self.model.layout.blocks:
            for index in self.fit.coordinates.dropped:
                if block.reals.start <= index < block.reals.stop:
                    mask[block.reported.start + index - block.reals.start] = True
        return mask

    @cached_property
    def fixed(self) -> NDArray[np.bool_]:
        """Which reported entries the user held fixed."""
        moves = self._jacobian if self.fit.coordinates.basis is None else self._jacobian @ self.fit.coordinates.basis
        return (moves == 0).all(1).numpy() & ~self._dropped

    @property
    def dropped_columns(self) -> list[str]:
        """Names of the columns left out as linear combinations of others."""
        return [name for name, dropped in zip(self.names, self._dropped, strict=True) if dropped]

    @cached_property
    def params_array(self) -> Array:
        """Estimates on the reported scale, NaN for dropped columns, (k,) ndarray."""
        natural = self.model.layout.natural(self.fit.theta).detach().numpy().copy()
        natural[self._dropped] = np.nan
        return natural

    @cached_property
    def _jacobian(self) -> Tensor:
        """d reported / d z."""
        jacobian = self.model.layout.jacobian(self.fit.theta)
        uncentre = self.fit.coordinates.uncentre
        return jacobian if uncentre is None else jacobian @ uncentre

    @cached_property
    def estimate(self) -> Estimate:
        """The covariance of z with its note; computed when it is first needed."""
        if self.covariance is None:
            raise ValueError("no covariance was asked for (cov_type=None); use with_covariance('nonrobust')")
        if not self.fit.inverse.definite:
            warnings.warn(self.inversion_message, HessianInversionWarning, stacklevel=2)
        return self.covariance.estimate(self.fit)

    @property
    def covariance_z(self) -> Tensor:
        return self.estimate.matrix

    @cached_property
    def covariance_array(self) -> Array:
        """Covariance on the reported scale, NaN for dropped columns, (k, k) ndarray."""
        matrix = (self._jacobian @ self.covariance_z @ self._jacobian.T).detach().numpy().copy()
        matrix[self._dropped] = np.nan
        matrix[:, self._dropped] = np.nan
        return matrix

    def _series(self, values: Array) -> Any:
        return pd.Series(values, index=self.names) if self.model.design.pandas else values

    @property
    def params(self) -> Any:
        """Estimates."""
        return self._series(self.params_array)

    @cached_property
    def _bse(self) -> Array:
        return np.sqrt(np.diag(self.covariance_array))

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
        return self._series(two_sided(self._tvalues, self.df_inference if self.use_t else None))

    def cov_params(self, r_matrix: Any = None) -> Any:
        """Covariance of the estimates, or of ``R params``."""
        if r_matrix is not None:
            matrix, _ = wald.constraint(self.names, r_matrix)
            return matrix @ self.covariance_array @ matrix.T
        if self.model.design.pandas:
            return pd.DataFrame(self.covariance_array, index=self.names, columns=self.names)
        return self.covariance_array

    def conf_int(self, alpha: float = 0.05) -> Any:
        """Intervals with coverage 1 - alpha: columns 0 and 1.

        On the real line of each parameter's transform and mapped back, so that a standard deviation's limits are
        positive and a correlation's lie between -1 and 1.
        """
        q = quantile(1 - alpha / 2, self.df_inference if self.use_t else None)
        limits = np.column_stack([self.params_array - q * self._bse, self.params_array + q * self._bse])
        for i, scale in enumerate(self.model.layout.scales()):
            if not isinstance(scale, Identity):
                limits[i] = _interval(self.params_array[i], self._bse[i], scale, q)
        return pd.DataFrame(limits, index=self.names) if self.model.design.pandas else limits

    # -- fit statistics ----------------------------------------------------------------------------------------

    @cached_property
    def llf(self) -> float:
        """Log-likelihood at the estimate, with all constants."""
        return self.model.loglike_at(self.fit)

    @property
    def llf_obs(self) -> Array:
        """Log-likelihood of each row (unweighted), (n,) ndarray."""
        return self.model.loglike_rows(self.fit).numpy()

    @property
    def k_free(self) -> int:
        """Free parameters, those that information criteria count."""
        return self.fit.rank

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

    @property
    def scale(self) -> float:
        """Dispersion; 1 for models that have none."""
        return self.fit.scale

    @property
    def df_model(self) -> float:
        """Free coefficients of the main predictor, less the constant."""
        main = self.model.layout.blocks[0].reals if self.model.layout.blocks else slice(0, 0)
        held = {*self.fit.coordinates.fixed, *self.fit.coordinates.dropped}
        free = sum(i not in held for i in range(main.start, main.stop))
        return float(free - self.k_constant)

    @property
    def df_resid(self) -> float:
        """Observations less free parameters."""
        return float(self.nobs - self.fit.rank)

    @cached_property
    def k_constant(self) -> int:
        """1 when the main design has a constant, explicit or as a sum of its columns."""
        return self.model.k_constant

    @property
    def df_inference(self) -> float:
        """Degrees of freedom of t and F tests: residual ones, or G - 1 under clusters."""
        df = self.estimate.df
        return self.df_resid if df is None else df

    @property
    def df_resid_inference(self) -> float:
        """statsmodels' name of `df_inference`."""
        return self.df_inference

    # -- what was computed -------------------------------------------------------------------------------------

    @property
    def cov_type(self) -> str | None:
        """Name of the kind of covariance."""
        return None if self.covariance is None else self.covariance.name

    @property
    def cov_kwds(self) -> dict[str, Any]:
        """The note on the covariance, with its cluster counts."""
        found: dict[str, Any] = {"description": self.estimate.description}
        if self.estimate.n_groups:
            found["n_groups"] = self.estimate.n_groups
        return found

    @property
    def covariance_is_robust(self) -> bool:
        return self.covariance is not None and self.covariance.robust

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

    @property
    def inversion_message(self) -> str:
        """Why there are no standard errors, in the names of the parameters."""
        inverse, names = self.fit.inverse, self.fit.coordinates.free_names(self.model.layout)
        weights = inverse.direction.abs()
        involved = [names[i] for i in torch.argsort(weights, descending=True).tolist() if weights[i] > 0.1][:5]
        return (
            "The Hessian is not negative definite, so no standard errors can be computed: the smallest eigenvalue of the "
            f"scaled information is {inverse.eigenvalue:.2g}, in the direction of {', '.join(involved) or 'all parameters'}"
        )

    def problems(self) -> list[str]:
        """What a reader must know before trusting the table."""
        found = []
        if not self.converged:
            found.append(f"Not converged: {self.optim.message}")
        if self.dropped_columns:
            found.append(
                f"Rank deficient design: dropped {', '.join(self.dropped_columns)} (linear combinations of others)"
            )
        if not self.fit.inverse.definite:
            found.append(self.inversion_message)
        return found

    def announce(self, disp: bool = False) -> None:
        """Warn of what went wrong; print how the optimisation ended if `disp` is on."""
        if not self.converged:
            warnings.warn(
                f"Maximum likelihood did not converge: {self.optim.message}", ConvergenceWarning, stacklevel=3
            )
        if self.dropped_columns:
            warnings.warn(
                f"columns left out because they are linear combinations of others: {', '.join(self.dropped_columns)}",
                RankWarning,
                stacklevel=3,
            )
        if disp:
            report.display(self)

    # -- evaluation at the estimate ----------------------------------------------------------------------------

    def _with_zeros(self) -> Array:
        return np.where(self._dropped, 0.0, self.params_array)

    def score(self) -> Array:
        """Gradient of the log-likelihood at the estimate, (k,)."""
        return self.model.score(self._with_zeros())

    def hessian(self) -> Array:
        """Second derivatives of the log-likelihood at the estimate, (k, k)."""
        return self.model.hessian(self._with_zeros())

    def score_obs(self) -> Array:
        """Score of each row at the estimate, (n, k)."""
        return self.model.score_obs(self._with_zeros())

    # -- what the summary says -----------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """Title of the summary."""
        return f"{type(self.model).__name__} Results"

    def header(self) -> tuple[report.Pairs, report.Pairs]:
        """Left and right columns of the summary's header, below the response."""
        left = [
            ("Model:", type(self.model).__name__),
            ("Method:", "Maximum Likelihood"),
            *report.date_and_time(),
            ("No. Observations:", self.nobs),
            ("Df Residuals:", self.df_resid),
            ("Df Model:", self.df_model),
        ]
        right = [
            ("Log-Likelihood:", self.llf),
            ("AIC:", self.aic),
            ("BIC:", self.bic),
            ("converged:", self.converged),
            ("Optimizer:", self.method),
            ("Device:", str(self.device)),
            ("Covariance Type:", self.cov_type),
        ]
        return left, right

    def diagnostics(self) -> tuple[report.Pairs, report.Pairs]:
        """Pairs below the coefficients."""
        return [], []

    def notes(self) -> list[str]:
        """Notes below the tables: the covariance, scales, what was fixed or left out."""
        return [self.estimate.description, *report.scale_notes(self)]

    # -- predictions -------------------------------------------------------------------------------------------

    def predict(self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any) -> Any:
        """Predicted values of the rows of the fit, or of new ones.

        Parameters
        ----------
        exog : DataFrame or array, optional
            New rows; through the formula unless ``transform=False``.
        which : str
            "mean", "linear", or the name of a parameter.
        **arguments
            Offset or exposure of the new rows.

        Returns
        -------
        Series or ndarray
            Rows with missing values give NaN.
        """
        data, index = prediction.new_rows(self, exog, transform, arguments)
        values = prediction.predicted_values(self, data, which)
        return pd.Series(values, index=index) if index is not None else values

    def get_prediction(
        self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any
    ) -> prediction.Prediction:
        """Predictions with standard errors and intervals; arguments as for `predict`."""
        data, index = prediction.new_rows(self, exog, transform, arguments)
        return prediction.prediction(self, data, which, index)

    def observation_variance(self, data: Data) -> Array | None:
        """Variance of a new observation about its mean, for models with observation intervals."""
        return None

    @property
    def fittedvalues(self) -> Any:
        """Predicted means of the rows of the fit."""
        return self.predict()

    # -- tests -------------------------------------------------------------------------------------------------

    def t_test(self, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None) -> wald.TTest:
        """Test each of some linear hypotheses, such as ``"x1 = x2, x3 = 1"`` or a matrix."""
        return wald.t_test(self, r_matrix, cov_p, use_t)

    def wald_test(self, r_matrix: Any, cov_p: Any = None, use_f: bool | None = None) -> wald.JointTest:
        """Test linear hypotheses together: chi-squared, or F under `use_t`."""
        return wald.wald_test(self, r_matrix, cov_p, use_f)

    def f_test(self, r_matrix: Any, cov_p: Any = None) -> wald.JointTest:
        """Test linear hypotheses together by F."""
        return wald.wald_test(self, r_matrix, cov_p, use_f=True)

    def wald_test_terms(self, skip_single: bool = False) -> pd.DataFrame:
        """Joint Wald test of each term of the formulas."""
        return wald.wald_test_terms(self, skip_single)

    def lr_test(self, other: Results, force: bool = False) -> likelihood_ratio.LikelihoodRatio:
        """Likelihood-ratio test against a nested model."""
        return likelihood_ratio.lr_test(self, other, force)

    def term_positions(self) -> dict[str, list[int]]:
        """Positions of each formula term in the parameter vector."""
        found: dict[str, list[int]] = {}
        for i, block in enumerate(self.model.layout.blocks):
            for term, columns in self.model.design.terms.get(block.name, {}).items():
                label = term if i == 0 else f"{block.name}[{term}]"
                found[label] = list(range(*columns.indices(len(block.labels))))
                found[label] = [block.reported.start + column for column in found[label]]
        return found

    # -- other covariances, tables, files ----------------------------------------------------------------------

    def with_covariance(
        self, cov_type: str, cov_kwds: Mapping[str, Any] | None = None, use_t: bool | None = None
    ) -> Results:
        """The same estimates with other standard errors; nothing is fitted again.

        Raises
        ------
        ValueError
            A cluster variable is missing for some of the rows: those would have to leave the fit.
        """
        covariance = choose(cov_type, cov_kwds)
        assert covariance is not None
        model, covariance = covariance.bind(self.model)
        if model is not self.model:
            raise ValueError(
                "the groups are missing for some rows of the fit; refit with this cov_type to leave them out"
            )
        return type(self)(self.fit, covariance, use_t)

    def summary(
        self,
        yname: str | None = None,
        xname: list[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> Summary:
        """The table of estimates, in statsmodels' layout; prints as text, renders as HTML in a notebook."""
        return report.summarize(self, yname, xname, title, alpha)

    def tidy(self, level: float = 0.95, exponentiate: bool = False) -> pd.DataFrame:
        """One row per parameter, as R's broom: term, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        return report.tidy(self, level, exponentiate)

    def glance(self) -> pd.DataFrame:
        """One row of fit statistics."""
        return report.glance(self)

    def augment(self) -> pd.DataFrame:
        """The frame of the fit, kept rows only, with fitted values and residuals."""
        return report.augment(self)

    def save(self, path: Any) -> None:
        """Write the result to a file, without any training row; `torchmle.load` reads it."""
        io.save(self, path)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {type(self.model).__name__}: {len(self.names)} parameters, llf {self.llf:.6g}>"
        )


def _interval(value: float, se: float, scale: Transform, q: float) -> tuple[float, float]:
    """Limits of one parameter, made where its transform is linear."""
    natural = torch.tensor(value, dtype=torch.float64)
    real = scale.inverse(natural).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(scale(real), real)
    reach = q * se / abs(float(slope))
    low, high = scale(real.detach() - reach), scale(real.detach() + reach)
    return (float(low), float(high)) if float(slope) >= 0 else (float(high), float(low))
