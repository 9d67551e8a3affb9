"""A likelihood and its derivatives as users call them, in the parameters as they are reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from ..data.tensors import as_double
from ..inference.predictions.prediction import Array, predicted_values
from ..inference.predictions.rows import new_rows
from ..sums import row_map, weighted
from .reported import inverse_jacobian, reported_derivatives


class Derivatives:
    """What `LikelihoodModel` says at parameter values that a user gives."""

    def _z(self: Any, params: Any) -> Tensor:
        if isinstance(params, pd.Series) and set(params.index) == set(self.layout.names):
            params = params[list(self.layout.names)].to_numpy()
        if isinstance(params, Mapping):
            raise TypeError("params must be an array or a Series of every parameter, not a dict")
        natural = as_double(params).reshape(-1)
        if len(natural) != len(self.layout.names):
            raise ValueError(f"params has {len(natural)} values; the model has {len(self.layout.names)} parameters")
        return self.coordinates.centred(self.layout.real(natural))

    def loglike(self: Any, params: Any) -> float:
        """Log-likelihood at reported parameter values."""
        return np.float64(self.sums(self._z(params), 0)[0])

    def score(self: Any, params: Any) -> Any:
        """Gradient of the log-likelihood in the reported parameters, (k,) ndarray."""
        return reported_derivatives(self, self._z(params))[0].numpy()

    def hessian(self: Any, params: Any) -> Any:
        """Second derivatives of the log-likelihood in the reported parameters, (k, k) ndarray."""
        return reported_derivatives(self, self._z(params))[1].numpy()

    def score_obs(self: Any, params: Any) -> Any:
        """Score of each row in the reported parameters, weights included, (n, k) ndarray."""
        z = self._z(params)
        return (self.scores(z) @ self._inverse_jacobian(z)).numpy()

    def loglikeobs(self: Any, params: Any) -> Any:
        """Log-likelihood of each row at reported parameter values, weights included, (n,) ndarray."""
        z = self._z(params).to(self.rows.device)
        return row_map(lambda block: weighted(self.row_loglike(z, block).detach(), block), self.rows).numpy()

    def information(self: Any, params: Any) -> Any:
        """Observed information in the reported parameters, the negative of `hessian`, (k, k) ndarray."""
        return -self.hessian(params)

    def predict(self: Any, params: Any, exog: Any = None, which: str = "mean", **arguments: Any) -> Array:
        """Predicted values at reported parameter values.

        Parameters
        ----------
        params : array_like
            (k,).
        exog : array_like, optional
            Rows of the main design, not of a formula's variables; by default the rows of the fit.
        which : str
            "mean", "linear" or the name of a parameter.
        **arguments
            Offset or exposure of the rows; when `exog` is given, those of the fit do not count.

        Returns
        -------
        ndarray (n,)
        """
        data, _ = new_rows(self, exog, False, arguments)
        return predicted_values(self, self._z(params), data, which)

    def scores(self: Any, z: Tensor) -> Tensor:
        """Weighted scores of each row in z, (n, k), on the CPU."""
        point = z.to(self.rows.device)
        return row_map(lambda block: weighted(self.block_scores(point, block), block), self.rows)

    def _inverse_jacobian(self: Any, z: Tensor) -> Tensor:
        """d z / d reported, (k, k)."""
        return inverse_jacobian(self, z)
