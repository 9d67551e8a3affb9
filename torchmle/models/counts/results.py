"""What count models report beyond estimates: residuals, probabilities of counts, the dispersion, parameters at a boundary."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import BoundaryWarning
from ...inference.predictions.prediction import counts_of, predicted_values, prediction
from ...inference.predictions.rows import new_rows
from ...results import report
from ...results.estimates import Array
from ...results.predictions import labelled, with_limits
from ..discrete_results import DiscreteResults
from .diagnostics import CountDiagnostic, PoissonDiagnostic


class CountResults(DiscreteResults):
    """A count model: residuals, probabilities, pseudo R-squared and the likelihood-ratio test against a constant."""

    saved = (*DiscreteResults.saved, "_fractional")

    @property
    def df_resid(self) -> float:
        """Observations less free coefficients of the mean; a dispersion or inflation is not counted, as in statsmodels."""
        return float(self.nobs - self.df_model - 1)

    @cached_property
    def _fractional(self) -> bool:
        """Whether the response is not whole numbers."""
        return not bool((self.model.rows.y == self.model.rows.y.round()).all())

    @property
    def is_quasi(self) -> bool:
        return self._fractional

    def notes(self) -> list[str]:
        return [*super().notes(), *report.quasi_notes(self._fractional)]

    # -- rows --------------------------------------------------------------------------------------------------

    @cached_property
    def resid(self) -> Any:
        """Response less predicted mean."""
        return self._series_of_rows(self.model.endog - np.asarray(self.predict()))

    @property
    def resid_response(self) -> Any:
        """The same as `resid`."""
        return self.resid

    @property
    def resid_pearson(self) -> Array:
        """Residuals divided by the standard deviation of the count, (n,) ndarray."""
        return np.asarray(self.resid) / np.sqrt(np.asarray(self.predict(which="var")))

    # -- predictions -------------------------------------------------------------------------------------------

    def predict(
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        y_values: Any = None,
        *,
        interval: str | None = None,
        level: float = 0.95,
        unseen: str = "raise",
        **arguments: Any,
    ) -> Any:
        """Predicted values of the rows of the fit, or of new ones.

        Parameters
        ----------
        exog : DataFrame or array, optional
            New rows; through the formula unless ``transform=False``.
        which : str
            "mean", "linear", "var", the name of a parameter, or "prob": the probability of each count.
        y_values : array_like, optional
            The counts for "prob"; by default 0 to the largest one seen.
        **arguments
            Offset or exposure of the new rows; `interval`, `level` and `unseen` are as for every model.

        Returns
        -------
        Series or ndarray; for "prob" a DataFrame or ndarray (n, number of counts), columns numbered from 0
        """
        if which != "prob":
            return super().predict(exog, transform, which, interval=interval, level=level, unseen=unseen, **arguments)
        data, index = new_rows(self.model, exog, transform, arguments, unseen)
        values = counts_of(self.model, which, y_values)
        if interval is not None:
            return with_limits(prediction(self, data, which, index, values), interval, level)
        return labelled(predicted_values(self.model, self.fit.z, data, which, values), None if exog is None else index)

    def predict_prob(self, n: Any = None, exog: Any = None, transform: bool = True, **arguments: Any) -> Array:
        """Probabilities of counts, an ndarray (n, number of counts); `n` are the counts, by default 0 to the largest seen."""
        return np.asarray(self.predict(exog, transform, "prob", n, **arguments))

    def get_diagnostic(self, y_max: int | None = None) -> CountDiagnostic:
        """Tests and plots of how well the frequencies of counts, their variance and their zeros are predicted."""
        return PoissonDiagnostic(self, y_max)


class DispersedResults(CountResults):
    """A count model with a parameter beside the mean."""

    def get_diagnostic(self, y_max: int | None = None) -> CountDiagnostic:
        """Tests and plots of how well the frequencies of counts are predicted."""
        return CountDiagnostic(self, y_max)

    @property
    def _alpha(self) -> int:
        if "alpha" not in self.names:
            raise AttributeError(f"this {type(self.model).__name__} has no constant dispersion alpha")
        return self.names.index("alpha")

    @property
    def lnalpha(self) -> float:
        """Logarithm of the dispersion; minus infinity at its boundary."""
        alpha = self.params_array[self._alpha]
        return np.log(alpha) if alpha > 0 else -math.inf if alpha == 0 else math.nan

    @property
    def lnalpha_std_err(self) -> float:
        """Standard error of `lnalpha`, by the delta method."""
        alpha = self.params_array[self._alpha]
        return self._bse[self._alpha] / alpha if alpha > 0 else math.nan

    # -- parameters at a boundary --------------------------------------------------------------------------------

    @property
    def boundary(self) -> list[str]:
        """Names of the parameters whose best value is the boundary of their range."""
        return [name for name, there in zip(self.names, self._at_boundary, strict=True) if there]

    def boundary_message(self) -> str:
        """What it means that parameters are at their boundary."""
        words = {True: "alpha is at its lower bound 0: the counts are not overdispersed, and the other estimates are those "
                       "without it",
                 False: "the share of added zeros is at its lower bound 0: there are no more zeros than without inflation, "
                        "and the other estimates are those without it"}  # fmt: skip
        return "; ".join(words[name == "alpha"] for name in self.boundary)

    def problems(self) -> list[str]:
        return [*super().problems(), *([self.boundary_message()] if self.boundary else [])]

    def announce(self, disp: bool = False) -> None:
        if self.boundary and not self.model.secondary:
            warnings.warn(self.boundary_message(), BoundaryWarning, stacklevel=3)
        super().announce(disp)
