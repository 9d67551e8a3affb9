"""What least squares reports: R-squared, F test, residuals and their diagnostics."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...data import Data
from ...inference.distributions import chi2_tail, f_tail
from ...inference.hypotheses.overall import slopes
from ...inference.hypotheses.wald import JointTest
from ...plots.partial import PartialPlots
from ...results import Results, report
from ...results.estimates import Array
from ...results.statistics import ratio
from ...summary import Summary
from .comparisons import LinearComparisons

PERFECT = 1e-30  # share of the squares that is left when nothing but rounding errors is, as in R's summary.lm


class LinearResults(LinearComparisons, PartialPlots, Results):
    """Least squares: R-squared, F test, residuals, Student's t."""

    saved = (
        *Results.saved,
        "ssr",
        "centered_tss",
        "uncentered_tss",
        "condition_number",
        "scale",
        "fvalue",
        "f_pvalue",
        "_shape",
    )
    default_use_t = True
    estimates_dispersion = True

    @cached_property
    def resid(self) -> Any:
        """Residuals ``y - X b``, not weighted."""
        values = self.model.endog - np.asarray(self.predict())
        return pd.Series(values, index=self.model.index) if self.model.index is not None else values

    @property
    def wresid(self) -> Any:
        """Residuals times the square roots of the analytic weights."""
        weights = self.model.rows.get("weights")
        return self.resid if weights is None else self.resid * weights.sqrt().cpu().numpy()

    @property
    def resid_pearson(self) -> Array:
        """Weighted residuals divided by their standard deviation."""
        return np.asarray(self.wresid) / math.sqrt(self.scale)

    @cached_property
    def ssr(self) -> float:
        """Weighted sum of squared residuals."""
        return np.float64(self.model.ssr_at(self.fit))

    @cached_property
    def centered_tss(self) -> float:
        """Weighted sum of squares of the response about its weighted mean."""
        return np.float64(self.model.total_squares()[0])

    @cached_property
    def uncentered_tss(self) -> float:
        """Weighted sum of squares of the response."""
        return np.float64(self.model.total_squares()[1])

    @property
    def ess(self) -> float:
        """Explained sum of squares."""
        return self._tss - self.ssr

    @property
    def _tss(self) -> float:
        return self.centered_tss if self.k_constant else self.uncentered_tss

    @property
    def rsquared(self) -> float:
        """1 - ssr / tss, about the mean when the design has a constant."""
        return 1 - ratio(self.ssr, self._tss)

    @property
    def rsquared_adj(self) -> float:
        """R-squared with both sums of squares divided by their degrees of freedom."""
        return 1 - ratio(self.nobs - self.k_constant, self.df_resid) * (1 - self.rsquared)

    @property
    def mse_model(self) -> float:
        return ratio(self.ess, self.df_model)

    @property
    def mse_resid(self) -> float:
        return ratio(self.ssr, self.df_resid)

    @property
    def mse_total(self) -> float:
        return ratio(self._tss, self.df_resid + self.df_model)

    @cached_property
    def fvalue(self) -> float:
        """F statistic of all coefficients but the constant; a Wald test when the covariance is robust or its scale given."""
        if self.df_model == 0:
            return math.nan
        return self._wald_f.fvalue if self._by_wald else ratio(self.mse_model, self.mse_resid)

    @cached_property
    def f_pvalue(self) -> float:
        """Tail probability of `fvalue`."""
        if self.df_model == 0:
            return math.nan
        if self._by_wald:
            return self._wald_f.pvalue
        return np.float64(f_tail(self.fvalue, self.df_model, self.df_inference))

    @property
    def _by_wald(self) -> bool:
        """Whether F must be made of the covariance: it is not that of the estimated dispersion."""
        return self.covariance is not None and self.covariance.normal

    @cached_property
    def _wald_f(self) -> JointTest:
        """Wald test of all coefficients but the constant."""
        return self.f_test(slopes(self))

    @cached_property
    def eigenvals(self) -> Array:
        """Eigenvalues of X'WX of the design as it was given, largest first."""
        return self.model.singular_values**2

    @cached_property
    def condition_number(self) -> float:
        """Ratio of the largest to the smallest singular value of the weighted design, as it was given."""
        largest, smallest = self.eigenvals[0], self.eigenvals[-1]
        return np.sqrt(largest / smallest) if smallest > 0 else math.inf

    @cached_property
    def _shape(self) -> tuple[float, float, float, float]:
        """Skewness and kurtosis of the residuals, Durbin-Watson, and the omnibus statistic."""
        residuals = np.asarray(self.wresid)
        centred = residuals - residuals.mean()
        variance = float((centred**2).mean())
        if variance == 0:
            return math.nan, math.nan, math.nan, math.nan
        standard = centred / math.sqrt(variance)
        skew, kurtosis = float((standard**3).mean()), float((standard**4).mean())
        durbin_watson = float((np.diff(residuals) ** 2).sum() / (residuals**2).sum())
        return skew, kurtosis, durbin_watson, omnibus(skew, kurtosis, len(residuals))

    # -- degrees of freedom, criteria --------------------------------------------------------------------------

    @property
    def df_model(self) -> float:
        """Free coefficients less the constant, and what was added to ``model.df_model``."""
        return super().df_model + self.model.told("df_model")

    @property
    def df_resid(self) -> float:
        """Observations less free coefficients, and what was added to ``model.df_resid``."""
        return super().df_resid + self.model.told("df_resid")

    @property
    def k_free(self) -> int:
        """Coefficients that information criteria count: those estimated, and what was added to ``model.df_model``."""
        return super().k_free + int(self.model.told("df_model"))

    @cached_property
    def _unscaled(self) -> Array:
        """Inverse of X'WX, (k, k), NaN for dropped columns."""
        matrix = (self._jacobian @ self.fit.bread @ self._jacobian.T).numpy().copy()
        matrix[self._dropped] = matrix[:, self._dropped] = math.nan
        return matrix

    @property
    def normalized_cov_params(self) -> Any:
        """Inverse of X'WX: the covariance at unit variance."""
        values = self._unscaled.copy()
        return pd.DataFrame(values, index=self.names, columns=self.names) if self.model.design.pandas else values

    def observation_variance(self, data: Data) -> Array | None:
        weights = data.get("weights")
        ones = np.ones(data.n) if weights is None else weights.cpu().numpy()
        with np.errstate(divide="ignore"):
            return self.scale / ones

    def summary(
        self,
        yname: str | None = None,
        xname: list[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        slim: bool = False,
        *,
        diagnostics: bool = False,
    ) -> Summary:
        """The table of estimates; `slim` leaves out most of the header and the tests of the residuals."""
        if not slim:
            return super().summary(yname, xname, title, alpha, diagnostics=diagnostics)
        return report.summarize(self, yname, xname, title, alpha, self._slim_header(), ([], []))

    def _slim_header(self) -> tuple[report.Pairs, report.Pairs]:
        left, right = self.header()
        kept = ("Model:", "No. Observations:", "Covariance Type:")
        return [pair for pair in left if pair[0] in kept], right[:4]

    @property
    def title(self) -> str:
        return f"{type(self.model).__name__} Regression Results"

    def header(self) -> tuple[report.Pairs, report.Pairs]:
        uncentred = "" if self.k_constant else " (uncentered)"
        left: report.Pairs = [
            ("Model:", type(self.model).__name__),
            ("Method:", "Least Squares"),
            *report.date_and_time(),
            ("No. Observations:", self.nobs),
            ("Df Residuals:", self.df_resid),
            ("Df Model:", self.df_model),
            ("Covariance Type:", self.cov_type),
        ]
        right: report.Pairs = [
            (f"R-squared{uncentred}:", self.rsquared),
            (f"Adj. R-squared{uncentred}:", self.rsquared_adj),
            ("F-statistic:", self.fvalue),
            ("Prob (F-statistic):", self.f_pvalue),
            ("Log-Likelihood:", self.llf),
            ("AIC:", self.aic),
            ("BIC:", self.bic),
        ]
        return left, right

    def diagnostics(self) -> tuple[report.Pairs, report.Pairs]:
        skew, kurtosis, durbin_watson, test = self._shape
        jarque_bera = self.nobs / 6 * (skew**2 + (kurtosis - 3) ** 2 / 4)
        left = [
            ("Omnibus:", test),
            ("Prob(Omnibus):", float(chi2_tail(test, 2))),
            ("Skew:", skew),
            ("Kurtosis:", kurtosis),
        ]
        right = [
            ("Durbin-Watson:", durbin_watson),
            ("Jarque-Bera (JB):", jarque_bera),
            ("Prob(JB):", float(chi2_tail(jarque_bera, 2))),
            ("Cond. No.", self.condition_number),
        ]
        return left, right

    def problems(self) -> list[str]:
        return [*super().problems(), *report.variance_problems(self, self.ssr <= PERFECT * self.uncentered_tss)]

    def notes(self) -> list[str]:
        notes = super().notes()
        if not self.k_constant:
            notes.insert(
                0, "R² is computed without centering (uncentered) since the model does not contain a constant."
            )
        if self.condition_number > 1000:
            notes.append(
                f"The condition number is large, {self.condition_number:.3g}. This might indicate that there are\n"
                "strong multicollinearity or other numerical problems."
            )
        return notes


def omnibus(skew: float, kurtosis: float, n: int) -> float:
    """D'Agostino and Pearson's (1973) K2 test of normality; NaN below eight observations."""
    if n < 8:
        return math.nan
    y = skew * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w2 = -1 + math.sqrt(2 * (beta - 1))
    z_skew = math.asinh(y / math.sqrt(2 / (w2 - 1))) / math.sqrt(0.5 * math.log(w2))
    expected = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - expected) / math.sqrt(variance)
    root = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / root * (2 / root + math.sqrt(1 + 4 / root**2))
    inner = (1 - 2 / a) / (1 + x * math.sqrt(2 / (a - 4)))
    z_kurtosis = (1 - 2 / (9 * a) - math.copysign(abs(inner) ** (1 / 3), inner)) / math.sqrt(2 / (9 * a))
    return z_skew**2 + z_kurtosis**2
