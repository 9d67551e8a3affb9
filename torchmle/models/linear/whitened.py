"""A linear model as statsmodels' functions see it: response and design times the square roots of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...optim.proximal import Smooth
from ..regularized import fit_regularized

if TYPE_CHECKING:
    from ...data import Data

Array = NDArray[np.float64]


class Whitened:
    """Arrays of a linear model in which all rows have the same variance, and what is made of them."""

    rows: Data
    nobs: float
    exog: Any
    endog: Any

    @property
    def weights(self) -> Array:
        """Analytic weights of the rows; ones where there are none, (n,)."""
        weights = self.rows.get("weights")
        return np.ones(self.rows.n) if weights is None else weights.cpu().numpy()

    @property
    def row_counts(self) -> Array:
        """How many times each row counts, (n,)."""
        counts = self.rows.get("freq_weights")
        return np.ones(self.rows.n) if counts is None else counts.double().cpu().numpy()

    @property
    def _roots(self) -> Array:
        return np.sqrt(self.weights * self.row_counts)

    def whiten(self, x: Any) -> Array:
        """Rows of an array times the square roots of their weights.

        Parameters
        ----------
        x : array_like
            (n,) or (n, k).
        """
        values = np.asarray(x, dtype=float)
        if values.ndim not in (1, 2):
            raise ValueError(f"whiten takes a vector or a matrix, not an array of {values.ndim} dimensions")
        return values * (self._roots if values.ndim == 1 else self._roots[:, None])

    @property
    def wexog(self) -> Array:
        """The whitened design, (n, k)."""
        return self.whiten(self.exog)

    @property
    def wendog(self) -> Array:
        """The whitened response, (n,)."""
        return self.whiten(self.endog)

    @property
    def pinv_wexog(self) -> Array:
        """Moore-Penrose inverse of the whitened design, (k, n)."""
        return np.asarray(np.linalg.pinv(self.wexog), dtype=np.float64)

    def hessian_factor(self, params: Any = None, scale: float | None = None, observed: bool = True) -> Array:
        """Weight of each row in the information at unit variance, (n,): ``-H = X' diag(factor) X``."""
        return self._roots**2

    def fit_regularized(
        self,
        method: str = "elastic_net",
        alpha: Any = 0.0,
        L1_wt: float = 1.0,
        start_params: Any = None,
        profile_scale: bool = False,
        refit: bool = False,
        **options: Any,
    ) -> Any:
        """Least squares with a penalty on the size of the coefficients; see `torchmle.models.regularized.fit_regularized`.

        Minimises ``sum w e^2 / (2 sum w) + sum_j alpha_j (L1_wt |b_j| + (1 - L1_wt) b_j^2 / 2)``.

        Parameters
        ----------
        method : {"elastic_net"}
        profile_scale : bool
            The logarithm of the sum of squares, halved, in place of the sum of squares.
        """
        if method != "elastic_net":
            also = "; sqrt_lasso is not offered" if method == "sqrt_lasso" else ""
            raise ValueError(f"method must be 'elastic_net', not {method!r}{also}")
        size = float((self._roots**2).sum())
        smooth = _profiled(self) if profile_scale else None
        return fit_regularized(self, alpha, L1_wt, start_params, refit, size=size, smooth=smooth, **options)  # type: ignore[arg-type]


def _profiled(model: Any) -> Smooth:
    """Half the logarithm of the mean square as a function of theta, with a convex bound on its second derivatives."""
    coordinates = model.coordinates

    def smooth(theta: Array) -> tuple[float, Array, Array]:
        z = coordinates.centred(torch.from_numpy(theta))
        ssr = model.ssr(z)
        _, gradient, hessian = model.sums(z, 2)
        if coordinates.uncentre is not None:
            gradient, hessian = coordinates.centre.T @ gradient, coordinates.centre.T @ hessian @ coordinates.centre
        return 0.5 * float(np.log(ssr)), -gradient.numpy() / ssr, -hessian.numpy() / ssr

    return smooth
