"""What discrete models report beyond estimates: pseudo R-squared, tests against a constant."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..fitting.columns import linear_offset
from ..inference.distributions import chi2_tail
from ..inference.hypotheses.overall import OverallTest, allows_constant_only, overall_wald
from ..results import Results, report
from ..results.estimates import Array
from ..results.statistics import counted, ratio
from ..sums import row_map


class DiscreteResults(Results):
    """A discrete model: pseudo R-squared and the likelihood-ratio test against a constant."""

    saved = (*Results.saved, "llnull", "allows_constant_only")
    assumes_constant = True

    @property
    def method(self) -> str:
        """How it was fitted: always "MLE", as in statsmodels; the optimiser's name is ``optim.method``."""
        return "MLE"

    @property
    def nobs(self) -> float:
        """Observations: rows, or the sum of their frequency weights; an integer if it is one."""
        return counted(self.fit.nobs)

    @cached_property
    def llnull(self) -> float:
        """Log-likelihood of the model with a constant alone, offset and exposure kept."""
        return np.float64(self.model.null_loglike())

    @property
    def fittedvalues(self) -> Any:
        """``X b`` of the rows of the fit, without offset or exposure, as in statsmodels; `predict` gives the means."""
        data, z = self.model.rows, self.fit.z.to(self.model.rows.device)
        known = row_map(lambda block: torch.zeros_like(block.y) + linear_offset(block), data)
        linear = row_map(lambda block: self.model.eta(z, block)[0], data)
        return self._series_of_rows((linear - known).numpy())

    @property
    def im_ratio(self) -> Array:
        """Covariance of the scores times the inverse information, near the identity where the model is right, (k, k).

        With a robust covariance V: ``V (-H)``, as in statsmodels.
        """
        information = -self.hessian()
        if self.covariance_is_robust:
            return self.covariance_array @ information
        scores = self.score_obs()
        return np.asarray(np.linalg.solve(information, scores.T @ scores), dtype=float)

    @property
    def llr(self) -> float:
        """Likelihood-ratio statistic against the constant-only model."""
        return 2 * (self.llf - self.llnull)

    @property
    def llr_df(self) -> float:
        """Degrees of freedom of `llr`: parameters that the constant-only model does not have."""
        return self.df_model

    @cached_property
    def allows_constant_only(self) -> bool:
        """Whether the model of a constant alone satisfies the restrictions of the fit; if not, `llr` is no test."""
        return allows_constant_only(self)

    @property
    def llr_pvalue(self) -> float:
        """Chi-squared tail probability of `llr`; NaN where the restrictions of the fit rule the constant-only model out."""
        known = self.llr_df > 0 and self.allows_constant_only
        return np.float64(chi2_tail(max(self.llr, 0.0), self.llr_df)) if known else math.nan

    @property
    def prsquared(self) -> float:
        """McFadden's (1974) pseudo R-squared, 1 - llf / llnull."""
        return 1 - ratio(self.llf, self.llnull)

    @property
    def overall_test(self) -> OverallTest:
        """The test that only the constant has an effect: likelihood ratio, or Wald's (F under `use_t`) when robust.

        A likelihood ratio has no chi-squared distribution where the standard errors do not trust the likelihood.
        """
        return OverallTest(*self._overall)

    @cached_property
    def _overall(self) -> OverallTest:
        if not self.distrust and self.allows_constant_only:
            return OverallTest("LR", self.llr, self.llr_df, self.llr_pvalue)
        return overall_wald(self) or OverallTest("Wald", math.nan, 0.0, math.nan)

    def _series_of_rows(self, values: Array) -> Any:
        return pd.Series(values, index=self.model.index) if self.model.index is not None else values

    @property
    def title(self) -> str:
        return f"{type(self.model).__name__} Regression Results"

    def header(self) -> tuple[report.Pairs, report.Pairs]:
        left: report.Pairs = [
            ("Model:", type(self.model).__name__),
            ("Method:", "MLE"),
            *report.date_and_time(),
            ("converged:", self.converged),
            ("Covariance Type:", self.cov_type),
        ]
        right: report.Pairs = [
            ("No. Observations:", self.nobs),
            ("Df Residuals:", self.df_resid),
            ("Df Model:", self.df_model),
            ("Pseudo R-squ.:", self.prsquared),
            ("Log-Likelihood:", self.llf),
            ("LL-Null:", self.llnull),
        ]
        test = self.overall_test
        return left, [*right, (f"{'LLR' if test.kind == 'LR' else test.kind} p-value:", test.pvalue)]

    def notes(self) -> list[str]:
        standard = self.covariance is not None and self.cov_type == "nonrobust"
        return super().notes()[1:] if standard else super().notes()
