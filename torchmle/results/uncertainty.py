"""Covariance matrices of the estimates, as `Results` gives them to users."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..fitting.equations import constraint
from .estimates import Array


class Uncertainty:
    """The covariance of the estimates, of functions of them, and at unit dispersion."""

    def cov_params(
        self: Any,
        r_matrix: Any = None,
        column: Any = None,
        scale: float | None = None,
        cov_p: Any = None,
        other: Any = None,
    ) -> Any:
        """Covariance of the estimates, or of linear functions of them.

        Parameters
        ----------
        r_matrix : str, dict or array_like, optional
            Functions ``R params``, as for `t_test`; the covariance is ``R V R'``.
        column : int or array_like of int, optional
            Positions: a single variance, or the block of several.
        scale : float, optional
            A dispersion in place of the estimated one: `normalized_cov_params` times it.
        cov_p : array_like, optional
            (k, k), in place of the result's own.
        other : array_like, optional
            Further functions: ``R V other'``.

        Raises
        ------
        ValueError
            `column` beside `r_matrix`, or `other` without.
        """
        if column is not None and (r_matrix is not None or other is not None):
            raise ValueError("Column should be specified without other arguments.")
        if other is not None and r_matrix is None:
            raise ValueError("other can only be specified with r_matrix")
        if cov_p is not None:
            covariance = np.asarray(cov_p, dtype=float)
        else:
            covariance = self.covariance_array if scale is None else self._normalized * scale
        if column is not None:
            positions = np.asarray(column)
            return covariance[np.ix_(positions, positions)] if positions.ndim else covariance[positions, positions]
        if r_matrix is not None:
            left, _ = constraint(self.names, r_matrix)
            right = left if other is None else constraint(self.names, other)[0]
            return left @ covariance @ right.T
        return self._square(covariance)

    def _square(self: Any, matrix: Array) -> Any:
        """A copy with labels on both sides, which the caller may change."""
        if self.model.design.pandas:
            return pd.DataFrame(matrix.copy(), index=self.names, columns=self.names)
        return matrix.copy()

    @cached_property
    def _normalized(self: Any) -> Array:
        if self.covariance is not None and not self.covariance.robust:
            return self.covariance_array / self.scale
        plain = self.model.choose_covariance("nonrobust", None, self.optim.method)
        return type(self)(self.fit, plain, self.use_t).covariance_array / self.scale

    @property
    def normalized_cov_params(self: Any) -> Any:
        """Covariance of the estimates at unit dispersion, by the model's own variance whatever `cov_type` is."""
        return self._square(self._normalized)

    @property
    def cov_params_default(self: Any) -> Any:
        """`cov_params()` where it is robust; where it is not there is no such attribute, as in statsmodels."""
        if not self.covariance_is_robust:
            raise AttributeError("cov_params_default stands for a robust covariance, and this one is not")
        return self.cov_params()
