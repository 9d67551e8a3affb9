"""Results: the only exit from torch. Predictions, tests, tables and files of a fit; frozen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import plots
from ..errors import ConvergenceWarning, PerfectSeparationWarning, RankWarning
from ..fitting import controls
from ..inference import criteria
from ..inference.bootstrap import Bootstrap, Jackknife, bootstrap, jackknife
from ..inference.delta import Delta, NaturalValues, delta
from ..inference.profile import ProfileLikelihood, profile_likelihood
from ..summary import Block, FrameSummary, Summary
from . import report, report_frames
from .certificate import Certificate, certify
from .estimates import Array, Estimates
from .filing import Filing
from .hypotheses import Hypotheses
from .predictions import Predictions
from .restricted import Restricted
from .statistics import Statistics
from .uncertainty import Uncertainty

if TYPE_CHECKING:
    from ..data import Data


class Results(Uncertainty, Hypotheses, Predictions, Filing, Restricted, Statistics, Estimates):
    """Estimates of a model and what follows from them.

    Estimates are on the scale of the table: regression coefficients as they are, standard deviations and the like
    on their natural scale, with standard errors by the delta method and intervals mapped endpoint by endpoint, so
    that they stay in the domain.  pandas objects come back when the data came in pandas or by a formula, arrays
    otherwise; always on the CPU.
    """

    def problems(self) -> list[str]:
        """What a reader must know before trusting the table."""
        found = []
        if self.fit.separation is not None:
            found.append(self.fit.separation.sentence(self.model.layout.real_names))
        elif not self.converged:
            found.append(self.optim.message)
        if self.dropped_columns:
            found.append(
                f"Rank deficient design: dropped {', '.join(self.dropped_columns)} (linear combinations of others)"
            )
        if self.fit.coordinates.spanned:
            found.append(f"Rank deficient design: {self._spanned} by the shortest vector of coefficients")
        if not self.fit.inverse.definite:
            found.append(self.inversion_message(None if self.covariance is None else self._unquestioned))
        return found

    @property
    def _spanned(self) -> str:
        """Which columns share the effect of others."""
        names = self.model.layout.real_names
        return f"{', '.join(names[i] for i in self.fit.coordinates.spanned)} (linear combinations of others)"

    @cached_property
    def certificate(self) -> Certificate:
        """The evidence that this is a maximum; see `torchmle.results.certificate.Certificate`."""
        return certify(self)

    def announce(self, disp: bool = False) -> None:
        """Warn of what went wrong; print how the optimisation ended if `disp` is on."""
        if self.dropped_columns:
            warnings.warn(
                "The design matrix is rank-deficient: columns left out because they are linear combinations of others: "
                f"{', '.join(self.dropped_columns)}",
                RankWarning,
                stacklevel=3,
            )
        if self.fit.coordinates.spanned:
            text = f"The design matrix is rank-deficient: estimates are the shortest of many; {self._spanned}"
            warnings.warn(text, RankWarning, stacklevel=3)
        if self.fit.separation is not None:
            if not self.model.secondary:
                sentence = self.fit.separation.sentence(self.model.layout.real_names)
                warnings.warn(sentence, PerfectSeparationWarning, stacklevel=3)
        elif not self.converged and self.fit.settings.get("controls", {}).get("warn_convergence", True):
            warnings.warn(f"{self.optim.message} Check mle_retvals.", ConvergenceWarning, stacklevel=3)
        if self.covariance_is_robust and self.fit.inverse.definite:
            _ = self.estimate  # what cannot be computed is refused here, not at the first look
        if disp:
            report.display(self)

    @property
    def mle_settings(self) -> dict[str, Any]:
        """The method, where it started and what else `fit` was told; see `torchmle.fitting.controls.settings`."""
        return controls.settings(self)

    @property
    def mle_retvals(self) -> dict[str, Any]:
        """How the search ended, in statsmodels' words; see `torchmle.fitting.controls.retvals`."""
        return controls.retvals(self)

    # -- evaluation at the estimate ----------------------------------------------------------------------------

    def _with_zeros(self) -> Array:
        return self._finite_params

    def score(self) -> Array:
        """Gradient of the log-likelihood at the estimate, (k,)."""
        return self.model.score(self._with_zeros())

    def hessian(self) -> Array:
        """Second derivatives of the log-likelihood at the estimate, (k, k)."""
        return self.model.hessian(self._with_zeros())

    def score_obs(self) -> Array:
        """Score of each row at the estimate, (n, k)."""
        return self.model.score_obs(self._with_zeros())

    # -- how good it is ----------------------------------------------------------------------------------------

    def info_criteria(self, crit: str, dk_params: float = 0, scale: float | None = None) -> float:
        """One information criterion by name; see `torchmle.inference.criteria.criterion`."""
        return criteria.criterion(self, crit, dk_params, scale)

    def information_criteria(self, count_scale: bool = False, scale: float | None = None) -> dict[str, float]:
        """AIC, BIC, AICc and HQIC under a stated convention; see `torchmle.inference.criteria.all_criteria`."""
        return criteria.all_criteria(self, count_scale, scale)

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
        notes = (report.overall_note, report.scale_notes, report.event_notes)
        return [report.covariance_note(self), *(line for made in notes for line in made(self))]

    # -- rows --------------------------------------------------------------------------------------------------

    def observation_variance(self, data: Data) -> Array | None:
        """Variance of a new observation about its mean, for models with observation intervals."""
        return None

    @property
    def fittedvalues(self) -> Any:
        """Predicted means of the rows of the fit, labelled as they are."""
        return self.by_rows(self.predict())

    def by_rows(self, values: Array) -> Any:
        """Values of the rows of the fit, with their labels where they have some."""
        index = self.model.index
        if index is None:
            return values
        if values.ndim == 1:
            return pd.Series(values, index=index)
        return pd.DataFrame(values, index=index, columns=list(self.model.design.response))

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

    def bootstrap(
        self, reps: int = 999, seed: Any = None, kind: str | None = None, groups: Any = None, progress: bool = False
    ) -> Bootstrap:
        """Estimates of resampled rows, clusters or responses; see `torchmle.inference.bootstrap.bootstrap`."""
        return bootstrap(self, reps, seed, kind, groups, progress)

    def jackknife(self, groups: Any = None, progress: bool = False) -> Jackknife:
        """Estimates without one row, or one cluster, each in turn; see `torchmle.inference.bootstrap.jackknife`."""
        return jackknife(self, groups, progress)

    def with_covariance(
        self, cov_type: str, cov_kwds: Mapping[str, Any] | None = None, use_t: bool | None = None
    ) -> Results:
        """The same estimates with other standard errors; nothing is fitted again.

        Raises
        ------
        ValueError
            A cluster variable is missing for some of the rows: those would have to leave the fit.
        """
        covariance = self.model.choose_covariance(cov_type, cov_kwds, self.optim.method)
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
        *,
        diagnostics: bool = False,
    ) -> Summary:
        """The table of estimates, in statsmodels' layout; prints as text, renders as HTML in a notebook.

        With `diagnostics` the notes hold the `certificate`.
        """
        made = report.summarize(self, yname, xname, title, alpha)
        return replace(made, notes=[*made.notes, *self.certificate.lines]) if diagnostics else made

    def summary2(
        self,
        yname: str | None = None,
        xname: list[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        float_format: str = "%.4f",
    ) -> FrameSummary:
        """The table of estimates with DataFrames as ``tables``; prints as text, renders as HTML in a notebook."""
        return report_frames.summarize_frames(self, yname, xname, title, alpha, float_format)

    def tidy(self, level: float = 0.95, exponentiate: bool = False) -> pd.DataFrame:
        """One row per parameter, as R's broom: term, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        return report.tidy(self, level, exponentiate)

    def glance(self) -> pd.DataFrame:
        """One row of fit statistics."""
        return report.glance(self)

    def augment(self) -> pd.DataFrame:
        """The frame of the fit, kept rows only, with fitted values and residuals."""
        return report.augment(self)

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
