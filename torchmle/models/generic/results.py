"""Results of a GenericLikelihoodModel: arrays, and the covariances that statsmodels' generic results have."""

from __future__ import annotations

import copy
import inspect
import warnings
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...compute import differences
from ...errors import DifferencesWarning
from ...inference.predictions.prediction import Prediction
from ...results import Results
from ...results.estimates import Array
from ...transforms import Identity


class GenericResults(Results):
    """Estimates of a model of one's own; everything is an ndarray, in the order of `names`."""

    @property
    def endog(self) -> Array:
        """The response."""
        return self.model.endog

    @property
    def exog(self) -> Array | None:
        """The columns."""
        return self.model.exog

    @property
    def df_model(self) -> float:
        """What the model says, else parameters less the constant and the extra ones."""
        given = float(self.model.df_model)
        return self.k_free - self.model.k_constant - self.model.k_extra if np.isnan(given) else given

    @property
    def df_modelwc(self) -> float:
        """Free parameters, the constant and extra ones included: what aic and bic count."""
        return float(self.k_free)

    def term_positions(self) -> dict[str, list[int]]:
        """Positions of each formula term among the parameters, of which the columns' come first."""
        design = self.model.design
        width = len(design.columns.get("X", ()))
        return {term: list(range(*columns.indices(width))) for term, columns in design.terms.get("X", {}).items()}

    # -- covariances -------------------------------------------------------------------------------------------

    @cached_property
    def score_obsv(self) -> Array:
        """Score of each row at the estimate, (n, k)."""
        return self.model.scores(self.fit.z).numpy()

    @cached_property
    def hessv(self) -> Array:
        """Second derivatives of the log-likelihood at the estimate, (k, k)."""
        return self.model.sums(self.fit.z, 2)[2].numpy()

    @property
    def covjac(self) -> Array:
        """Covariance by the outer product of the scores; ``cov_type="opg"``."""
        return self.with_covariance("opg").covariance_array

    @property
    def covjhj(self) -> Array:
        """Covariance by the sandwich; ``cov_type="HC0"``."""
        return self.with_covariance("HC0").covariance_array

    @property
    def bsejac(self) -> Array:
        """Standard errors of `covjac`."""
        return np.sqrt(np.diag(self.covjac))

    @property
    def bsejhj(self) -> Array:
        """Standard errors of `covjhj`."""
        return np.sqrt(np.diag(self.covjhj))

    def bootstrap(  # type: ignore[override]  # statsmodels' own
        self, nrep: int = 100, method: str | None = None, disp: bool = False, store: bool = True, rng: Any = None
    ) -> tuple[Array, Array, Array]:
        """Refits to rows drawn with replacement, each from the estimate.

        Every attribute of the model that is an array of n rows is drawn along with endog and exog.

        Parameters
        ----------
        nrep : int
            Number of samples.
        method : str, optional
            As for `fit`.
        disp : bool
            Print how each optimisation ended.
        store : bool
            Keep the estimates as ``bootstrap_results``.
        rng : int, Generator or RandomState, optional
            Source of the random rows.

        Returns
        -------
        mean, std : ndarray (k,)
        results : ndarray (nrep, k)
        """
        draw = rng if hasattr(rng, "choice") else np.random.default_rng(rng)
        n, found = self.model.rows.n, np.empty((nrep, len(self.names)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DifferencesWarning)
            for i in range(nrep):
                drawn = resampled(self.model, draw.choice(n, size=n))
                found[i] = drawn.fit(self._finite_params, method, disp=disp, cov_type=None).params_array
        if store:
            vars(self)["bootstrap_results"] = found
        return found.mean(0), found.std(0), found

    # -- predictions -------------------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> Any:
        """What `predict` says of the rows of the fit; there is none where the model defines no `predict`."""
        try:
            return super().fittedvalues
        except NotImplementedError as error:
            raise AttributeError(str(error)) from None

    def predict(self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any) -> Any:
        """What the model's ``predict(params, exog, ...)`` gives; `which` is passed on unless it is "mean"."""
        matrix, index = self._new_exog(exog, transform)
        values = _plain(self._predicted(torch.from_numpy(self._finite_params.copy()), matrix, which, arguments))
        return values if index is None or len(index) != len(values) else pd.Series(values, index=index)

    def get_prediction(
        self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any
    ) -> Prediction:
        """Predictions with standard errors by the delta method."""
        matrix, index = self._new_exog(exog, transform)

        def predicted(params: Array) -> Array:
            return _plain(self._predicted(torch.from_numpy(params), matrix, which, arguments)).reshape(-1)

        values = predicted(self._finite_params.copy())
        step = np.where(self._bse > 0, self._bse, 1.0) * 1e-3
        kept = ~self._dropped
        slopes = differences.jacobian(predicted, self._finite_params, step)[:, kept]
        se = np.sqrt(np.einsum("ij,jk,ik->i", slopes, self.covariance_array[np.ix_(kept, kept)], slopes))
        df = self.df_inference if self.use_t else None
        return Prediction(values, se, values, se, Identity(), df, index)

    def _predicted(self, params: Tensor, exog: Any, which: str, arguments: dict[str, Any]) -> Any:
        """The user's function, of a tensor if its log-likelihood takes one, else of an array."""
        function = self.model.predict
        if which != "mean" or "which" in inspect.signature(function).parameters:
            arguments = {"which": which, **arguments}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy's, about tensors
            if self.model.evaluation.exact:
                try:
                    return function(params, exog, **arguments)
                except TypeError:  # a predict written for arrays beside a log-likelihood written for tensors
                    return function(params.numpy(), exog, **arguments)
            return function(params.numpy(), exog, **arguments)

    def _new_exog(self, exog: Any, transform: bool) -> tuple[Array | None, pd.Index | None]:
        """The matrix of new rows and their labels."""
        if exog is None:
            return None, None
        if transform and self.model.design.formulas:
            rows = self.model.design.rows(exog)
            return rows.data.x["X"].numpy(), rows.index
        return np.asarray(exog, dtype=np.float64), getattr(exog, "index", None)


def resampled(model: Any, drawn: Array) -> Any:
    """The same model of drawn rows."""
    other = copy.copy(model)
    for name, value in vars(model).items():
        if isinstance(value, np.ndarray) and value.ndim and len(value) == model.rows.n and name != "kept":
            vars(other)[name] = value[drawn]
    other._rows = model.rows.take(torch.from_numpy(drawn)).with_columns(position=torch.arange(len(drawn)))
    return other


def _plain(values: Any) -> Array:
    return values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)
