"""What generalised linear models report: deviances, residuals, pseudo R-squared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...families import Binomial, Gaussian, NegativeBinomial, Poisson
from ...families.discrete import is_whole
from ...inference import criteria
from ...inference.hypotheses.null import constant_only
from ...inference.predictions import prediction
from ...influence.likelihood import GLMInfluence
from ...plots.partial import PartialPlots
from ...results import Results, report
from ...results.estimates import Array
from ...results.statistics import counted, ratio

PERFECT = 1e-26  # share of the squares that is left when nothing but rounding errors is


class GLMResults(PartialPlots, Results):
    """A generalised linear model: deviance, dispersion, residuals."""

    assumes_constant = True
    saved = (*Results.saved, "llnull", "deviance", "null_deviance", "pearson_chi2", "_perfect", "_fractional")

    @property
    def family(self) -> Any:
        """The family."""
        return self.model.family

    @property
    def nobs(self) -> float:
        """Observations: rows, or the sum of their frequency weights; an integer if it is one."""
        return counted(self.fit.nobs)

    def sampler(self) -> Callable[[np.random.Generator], Array]:
        if not isinstance(self.family, Binomial):
            return super().sampler()
        trials, mean = self._n_trials * self.model.var_weights, np.asarray(self.mu)
        if not bool(is_whole(torch.as_tensor(trials)).all()):
            raise ValueError("shares of trials, or with var_weights, that are not whole numbers cannot be drawn")
        number = trials.round().astype(np.int64)
        return lambda generator: generator.binomial(number, mean) / number

    @property
    def estimates_dispersion(self) -> bool:  # type: ignore[override]
        """Whether the dispersion is estimated, by the family's nature."""
        return bool(self.family.estimates_scale)

    @property
    def df_resid(self) -> float:
        """Observations, frequencies counted, less coefficients; an integer if it is one."""
        return counted(self.fit.nobs - self.fit.rank)

    @property
    def method(self) -> str:
        """The way the maximum was found."""
        return "IRLS" if self.optim.method == "irls" else self.optim.method

    @property
    def mle_settings(self) -> dict[str, Any]:
        return {**super().mle_settings, "optimizer": self.method}

    @property
    def fit_history(self) -> dict[str, Any]:
        """Deviance and parameters after each step, infinite ones and the start's first, and the number of steps."""
        values = np.array([step.value for step in self.optim.history])
        coordinates = self.fit.coordinates
        reached = [coordinates.z(torch.tensor(step.x, dtype=torch.float64)) for step in self.optim.history]
        return {
            "params": [math.inf, *(coordinates.theta(z).numpy() for z in reached)],
            "deviance": [math.inf, *(self.deviance + 2 * (self.optim.value - values))],
            "iteration": self.optim.iterations,
        }

    # -- derivatives at the estimate, at the dispersion of the fit ---------------------------------------------

    def score(self) -> Array:
        return np.asarray(self.model.score(self._with_zeros(), scale=self.scale))

    def hessian(self) -> Array:
        return np.asarray(self.model.hessian(self._with_zeros(), scale=self.scale))

    def score_obs(self) -> Array:
        return np.asarray(self.model.score_obs(self._with_zeros(), scale=self.scale))

    # -- goodness of fit ---------------------------------------------------------------------------------------

    @cached_property
    def _discrepancies(self) -> tuple[float, float]:
        return self.model.discrepancies(self.fit.z)

    @cached_property
    def deviance(self) -> float:
        """Sum of weighted unit deviances."""
        return np.float64(self._discrepancies[1])

    @cached_property
    def pearson_chi2(self) -> float:
        """Sum of weighted squared Pearson residuals."""
        return np.float64(self._discrepancies[0])

    @cached_property
    def _null(self) -> Any:
        """The fit of a constant; offset, exposure and weights kept."""
        told = self.fit.settings.get("scale")
        return constant_only(self.model).fit(scale=told, cov_type=None, disp=False)

    @cached_property
    def null_deviance(self) -> float:
        """Deviance of the model with a constant alone."""
        return self._null.deviance

    @cached_property
    def llnull(self) -> float:
        """Log-likelihood of the model with a constant alone, at that model's own dispersion."""
        return self._null.llf

    @property
    def null(self) -> Array:
        """Means fitted by a constant alone, (n,)."""
        return self._null.mu

    def llf_scaled(self, scale: float | None = None) -> float:
        """Log-likelihood at another dispersion."""
        return self.model.loglike(self._with_zeros(), self.scale if scale is None else scale)

    def twice_log_ratio(self, restricted: Results) -> float:
        """Twice the log of the ratio of likelihoods to a restricted model's.

        Of normal responses each at the dispersion that its likelihood is highest at, ``n log(D_0 / D_1)``.  Any other estimated
        dispersion is that of Pearson's chi-squared, no maximum of a likelihood, so two of them have nothing to be compared by;
        this is the fall in the deviance over the dispersion of this model, as R's ``anova(test="LRT")``.
        """
        known = not self.family.estimates_scale and float(self.scale) == 1.0
        if known or not isinstance(restricted, GLMResults):
            return super().twice_log_ratio(restricted)
        if isinstance(self.family, Gaussian) and not isinstance(self.fit.settings.get("scale"), float):
            with np.errstate(divide="ignore"):
                return float(self.fit.nobs * np.log(restricted.deviance / self.deviance))
        return (restricted.deviance - self.deviance) / self.scale

    @property
    def bic_llf(self) -> float:
        """The same as `bic`, by the likelihood."""
        return self.bic

    @property
    def bic_deviance(self) -> float:
        """Raftery's (1995) criterion, deviance - df_resid log n."""
        return self.deviance - self.df_resid * math.log(self.fit.nobs)

    def info_criteria(  # type: ignore[override]  # statsmodels' order of arguments
        self, crit: str, scale: float | None = None, dk_params: float = 0
    ) -> float:
        """An information criterion by its name; see `torchmle.inference.criteria.criterion`.

        "qaic" takes the log-likelihood at unit dispersion, and is for families without a dispersion of their own.
        """
        if crit.lower() != "qaic" or scale is None:
            return criteria.criterion(self, crit, dk_params)
        if self.family.estimates_scale:
            raise ValueError("'qaic' is for Binomial, Poisson and NegativeBinomial")
        return -2 * self.llf_scaled(1.0) / scale + 2 * (self.k_free + dk_params)

    def pseudo_rsquared(self, kind: str = "cs") -> float:
        """Pseudo R-squared: "cs" by Cox and Snell, "mcf" by McFadden.

        Both likelihoods are taken at the dispersion of this fit: at two dispersions their ratio would compare those.
        """
        gain = ratio(self.null_deviance - self.deviance, 2 * self.scale)
        if kind.lower().startswith("mcf"):
            return ratio(gain, gain - self.llf)
        if kind.lower() in ("cs", "cox", "coxsnell", "cox-snell"):
            return -np.expm1(-2 * gain / self.fit.nobs)
        raise ValueError(f"only 'mcf' and 'cs' are pseudo R-squareds here, not {kind!r}")

    # -- predictions -------------------------------------------------------------------------------------------

    def get_prediction(  # type: ignore[override]  # statsmodels' order of arguments
        self,
        exog: Any = None,
        exposure: Any = None,
        offset: Any = None,
        transform: bool = True,
        which: str | None = None,
        row_labels: Any = None,
        average: bool = False,
        agg_weights: Any = None,
        **arguments: Any,
    ) -> prediction.Prediction:
        """As for every model; without `which`, means under the column names of linear models."""
        options = {"row_labels": row_labels, "average": average, "agg_weights": agg_weights, **arguments}
        found = super().get_prediction(exog, transform, which or "mean", exposure=exposure, offset=offset, **options)
        return found if which or average else replace(found, columns=prediction.MEAN)

    def get_influence(self, observed: bool = True) -> GLMInfluence:
        """Leverages and changes as single rows are left out; see `torchmle.influence.likelihood.GLMInfluence`."""
        return GLMInfluence(self, observed)

    def get_hat_matrix_diag(self, observed: bool = True) -> Array:
        """Diagonal of the hat matrix, with weights by the observed or the expected information, (n,)."""
        return self.get_influence(observed).hat_matrix_diag

    # -- rows --------------------------------------------------------------------------------------------------

    def _of_rows(self, values: Array) -> Any:
        return pd.Series(values, index=self.model.index) if self.model.index is not None else values

    @cached_property
    def mu(self) -> Array:
        """Fitted means, (n,) ndarray."""
        return np.asarray(self.predict())

    @property
    def fittedvalues(self) -> Any:
        """Fitted means."""
        return self._of_rows(self.mu)

    @property
    def _freq_weights(self) -> Array:
        return self.model.freq_weights

    @property
    def _var_weights(self) -> Array:
        weights, weightless = self.model.var_weights, self.model.rows.get("weightless")
        return weights if weightless is None else np.where(weightless.cpu().numpy(), 0.0, weights)

    @property
    def _n_trials(self) -> Array:
        return self.model.n_trials

    @property
    def _iweights(self) -> Array:
        return self.model.iweights

    @property
    def resid_response(self) -> Any:
        """Response less mean; successes less their expected number."""
        return self._of_rows(self._n_trials * (self.model.endog - self.mu))

    @property
    def resid_pearson(self) -> Any:
        """``sqrt(n w) (y - mu) / sqrt(V)``, not divided by the scale."""
        weight = np.sqrt(self._n_trials * self._var_weights)
        rest = self.model.endog - self.mu
        with np.errstate(divide="ignore", invalid="ignore"):
            values = weight * rest / np.sqrt(self.family.variance(self.mu))
        return self._of_rows(np.where(rest == 0, 0.0, values))  # a mean may have been rounded to the response

    @property
    def resid_working(self) -> Any:
        """Response (or share) less mean, on the scale of the linear predictor."""
        return self._of_rows((self.model.endog - self.mu) * self.family.link.deriv(self.mu))

    @property
    def resid_deviance(self) -> Any:
        """Signed roots of the rows' deviances."""
        weight = self._n_trials * self._var_weights
        return self._of_rows(self.family.resid_dev(self.model.endog, self.mu, var_weights=weight))

    @property
    def resid_anscombe(self) -> Any:
        """Anscombe residuals divided by the root of the scale."""
        return self._of_rows(self.resid_anscombe_scaled)

    @property
    def resid_anscombe_scaled(self) -> Array:
        """Anscombe residuals divided by the root of the scale, (n,) ndarray."""
        return self._anscombe(self.scale)

    @property
    def resid_anscombe_unscaled(self) -> Array:
        """Anscombe residuals, (n,) ndarray."""
        return self._anscombe(1.0)

    def _anscombe(self, scale: float) -> Array:
        weight = self._n_trials * self._var_weights
        return self.family.resid_anscombe(self.model.endog, self.mu, var_weights=weight, scale=scale)

    # -- summary -----------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return "Generalized Linear Model Regression Results"

    def header(self) -> tuple[report.Pairs, report.Pairs]:
        left: report.Pairs = [
            ("Model:", type(self.model).__name__),
            ("Model Family:", type(self.family).__name__),
            ("Link Function:", type(self.family.link).__name__),
            ("Method:", self.method),
            *report.date_and_time(),
            ("No. Iterations:", self.optim.iterations),
            ("Covariance Type:", self.cov_type),
        ]
        right: report.Pairs = [
            ("No. Observations:", self.nobs),
            ("Df Residuals:", self.df_resid),
            ("Df Model:", self.df_model),
            ("Scale:", self.scale),
            ("Log-Likelihood:", self.llf),
            ("Deviance:", self.deviance),
            ("Pearson chi2:", self.pearson_chi2),
            ("Pseudo R-squ. (CS):", self.pseudo_rsquared("cs")),
        ]
        return left, right

    def problems(self) -> list[str]:
        found = super().problems()
        if not self.family.estimates_scale or self.fit.settings.get("scale") is not None or not self.converged:
            return found
        return [*found, *report.variance_problems(self, self._perfect)]

    @cached_property
    def _perfect(self) -> bool:
        """Whether nothing but rounding errors is left of the response."""
        y = np.asarray(self.model.endog, dtype=float)
        return bool(((y - self.mu) ** 2).sum() <= PERFECT * (y**2).sum()) if y.ndim == 1 else False

    def notes(self) -> list[str]:
        standard = self.covariance is not None and self.cov_type == "nonrobust"
        notes = super().notes()[1:] if standard else super().notes()
        scale = 1.0 if self.family.estimates_scale else float(self.scale)
        return [*notes, *report.quasi_notes(self._fractional, scale)]

    @property
    def is_quasi(self) -> bool:
        return self._fractional or not (self.family.estimates_scale or float(self.scale) == 1.0)

    @cached_property
    def _fractional(self) -> bool:
        """Whether the response of a family of counts is not whole numbers; of shares, times trials or weights."""
        y = self.model.rows.y.double().cpu()
        if isinstance(self.family, Binomial):
            return not bool(is_whole(y * torch.as_tensor(self._n_trials * self._var_weights)).all())
        return isinstance(self.family, Poisson | NegativeBinomial) and bool((y != y.round()).any())
