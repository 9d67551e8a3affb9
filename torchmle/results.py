"""Results: the only exit from torch. Predictions, tests, tables and files of a fit; frozen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import io, plots, report
from .errors import ConvergenceWarning, RankWarning
from .estimates import Array, Estimates
from .hypotheses import Hypotheses
from .inference import margeff, margins, prediction
from .inference.delta import Delta, NaturalValues, delta
from .inference.profile import ProfileLikelihood, profile_likelihood
from .summary import Block, Summary

if TYPE_CHECKING:
    from .data import Data


class Results(Hypotheses, Estimates):
    """Estimates of a model and what follows from them.

    Estimates are on the scale of the table: regression coefficients as they are, standard deviations and the like
    on their natural scale, with standard errors by the delta method and intervals mapped endpoint by endpoint, so
    that they stay in the domain.  pandas objects come back when the data came in pandas or by a formula, arrays
    otherwise; always on the CPU.
    """

    def problems(self) -> list[str]:
        """What a reader must know before trusting the table."""
        found = []
        if not self.converged:
            found.append(self.optim.message)
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
            warnings.warn(self.optim.message, ConvergenceWarning, stacklevel=3)
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

    def coefficient_blocks(self, names: Sequence[str] | None, alpha: float) -> list[Block]:
        """The tables of coefficients in the summary; `names` replace those of the parameters."""
        return [report.coefficient_block(self, names, alpha)]

    def diagnostics(self) -> tuple[report.Pairs, report.Pairs]:
        """Pairs below the coefficients."""
        return [], []

    def notes(self) -> list[str]:
        """Notes below the tables: the covariance, scales, what was fixed or left out."""
        return [report.covariance_note(self), *report.scale_notes(self)]

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
        data, index = prediction.new_rows(self.model, exog, transform, arguments)
        values = prediction.predicted_values(self.model, self.fit.z, data, which)
        return pd.Series(values, index=index) if index is not None else values

    def get_prediction(
        self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any
    ) -> prediction.Prediction:
        """Predictions with standard errors and intervals; arguments as for `predict`."""
        data, index = prediction.new_rows(self.model, exog, transform, arguments)
        return prediction.prediction(self, data, which, index)

    def observation_variance(self, data: Data) -> Array | None:
        """Variance of a new observation about its mean, for models with observation intervals."""
        return None

    @property
    def fittedvalues(self) -> Any:
        """Predicted means of the rows of the fit."""
        return self.predict()

    # -- marginal effects --------------------------------------------------------------------------------------

    def margins(
        self,
        variables: Any = None,
        at: Any = "overall",
        method: str = "dydx",
        which: str = "mean",
        contrast: Any = "reference",
        **arguments: Any,
    ) -> margins.Margins:
        """Marginal effects in the variables of the formula, which is evaluated again as they move.

        Interactions, polynomials, splines and factors are followed through.  Numeric variables have slopes; factors
        and booleans have contrasts of levels.  For models of matrices the variables are the columns.

        Parameters
        ----------
        variables : str or list of str, optional
            All variables when left out.
        at : {"overall", "mean"}, dict or frame
            "overall" averages the effects over the rows of the fit (frequency weights count), "mean" takes them at one
            row of means (of the most frequent level, for factors).  A dict sets variables in all rows, once for each
            combination of the values given; a frame has one effect for each of its rows.
        method : {"dydx", "eyex", "dyex", "eydx"}
            Slope dy/dx, elasticity, and the two semi-elasticities.  Contrasts are differences, of logs for "eydx".
        which : str
            What is predicted; see `predict`.
        contrast : {"reference", "sequential", "pairwise"} or dict
            Which levels are compared: each with the first, with the one before, or all pairs.  A dict says it for each
            variable, or gives two values to compare: ``{"g": "pairwise", "x": (0, 1)}``.
        **arguments
            Offset or exposure, where not those of the fit.

        Returns
        -------
        Margins
            With ``frame()``, ``summary()``, ``conf_int()``, ``t_test()``.

        Examples
        --------
        >>> res = OLS.from_formula("y ~ x * g", df).fit()
        >>> res.margins("x").frame()["estimate"].shape
        (1,)
        """
        return margins.margins(self, variables, at, method, which, contrast, arguments)

    def get_margeff(
        self,
        at: str = "overall",
        method: str = "dydx",
        atexog: Any = None,
        dummy: bool = False,
        count: bool = False,
        which: str = "mean",
    ) -> margeff.ColumnMargins:
        """Marginal effects of the columns of the design, in statsmodels' form; `margins` follows the formula.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero", "all"}
            Averages over the rows, effects at one middle row, or at each row (without standard errors).
        method : {"dydx", "eyex", "dyex", "eydx"}
        atexog : dict or array_like, optional
            Columns to set, by position or name, or a whole matrix.
        dummy, count : bool
            Changes from 0 to 1 for columns of zeros and ones; half the change over two units for counts.
        """
        return margeff.get_margeff(self, at, method, atexog, dummy, count, which)

    # -- tests -------------------------------------------------------------------------------------------------

    def delta(self, function: Callable[[NaturalValues], Any], names: list[str] | None = None) -> Delta:
        """A function of the parameters, such as ``lambda p: torch.exp(p.x1 - p.x2)``, with standard errors and intervals.

        See `torchmle.inference.delta.delta`.
        """
        return delta(self, function, names)

    def profile_likelihood(
        self, name: str | list[str] | None = None, points: int = 21, alpha: float = 0.01
    ) -> ProfileLikelihood:
        """Profile-likelihood curves; see `torchmle.inference.profile.profile_likelihood`."""
        return profile_likelihood(self, name, points, alpha)

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
        covariance = self.model.choose_covariance(cov_type, cov_kwds, self.method)
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

    # -- plots -------------------------------------------------------------------------------------------------

    def plot_coefficients(
        self, ax: Any = None, alpha: float = 0.05, exponentiate: bool = False, names: list[str] | None = None
    ) -> Any:
        """Estimates with their intervals; see `torchmle.plots.plot_coefficients`."""
        return plots.plot_coefficients(self, ax, alpha, exponentiate, names)

    def plot_diagnostics(self, ax: Any = None) -> Any:
        """Residuals in three plots; see `torchmle.plots.plot_diagnostics`."""
        return plots.plot_diagnostics(self, ax)

    def plot_survival(
        self, new: Any = None, times: Any = None, ax: Any = None, kaplan_meier: Any = None, **options: Any
    ) -> Any:
        """Fitted survival curves with bands; see `torchmle.plots.plot_survival`."""
        return plots.plot_survival(self, new, times, ax, kaplan_meier, **options)

    def plot_profile(self, name: str | list[str] | None = None, ax: Any = None, alpha: float = 0.05) -> Any:
        """Signed roots of the profile likelihood; see `torchmle.plots.plot_profile`."""
        return plots.plot_profile(self, name, ax, alpha)

    def plot_trace(self, ax: Any = None) -> Any:
        """Log-likelihood and Newton decrement of each step; see `torchmle.plots.plot_trace`."""
        return plots.plot_trace(self, ax)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {type(self.model).__name__}: {len(self.names)} parameters, llf {self.llf:.6g}>"
        )
