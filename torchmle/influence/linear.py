"""Influence of single rows on a least-squares fit: what leaving each of them out would change, without fitting again.

With h the leverage, e the (weighted) residual, A the inverse of X'WX and k its rank, leaving out row i changes the
estimate by ``A x_i e_i / (1 - h_i)`` and the sum of squares by ``e_i^2 / (1 - h_i)`` (Belsley, Kuh and Welsch 1980).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from ..covariance.sandwich import leverage
from ..data import Data
from ..inference.distributions import f_tail, two_sided
from ..inference.hypotheses.multiple import adjusted
from ..summary.grid import CELL_WIDTH, Grid, Row
from ..sums import row_map
from .measures import Measures

if TYPE_CHECKING:
    from ..models.linear.results import LinearResults

Array = NDArray[np.float64]


class OLSInfluence(Measures):
    """Leverages, studentised residuals and what follows from leaving out single rows.

    Attributes
    ----------
    hat_matrix_diag : leverages
    resid, resid_press : residuals, and those of predictions from the other rows, ``e / (1 - h)``
    resid_studentized_internal, resid_studentized_external : with the variance of the whole fit, of the other rows
    cooks_distance : distances and p-values of F(k, n - k) (Cook 1977)
    dffits, dffits_internal : values, and the threshold ``2 sqrt(k / n)``
    dfbeta, dfbetas : (n, k) changes in the estimates, and in standard errors
    cov_ratio : ratio of the determinants of the covariances
    """

    def __init__(self, results: LinearResults):
        self.results = results
        self.model_class = type(results.model)
        self.nobs, self.k_vars = results.nobs, int(results.fit.rank)
        self.scale = results.mse_resid

    @property
    def resid(self) -> Any:
        """Residuals, unweighted."""
        return self.results.resid

    @cached_property
    def _weighted(self) -> Array:
        return np.asarray(self.results.wresid)

    @cached_property
    def hat_matrix_diag(self) -> Array:
        fit = self.results.fit
        return leverage(fit.model, fit.z, fit.bread).numpy()

    @cached_property
    def hat_diag_factor(self) -> Array:
        """``h / (1 - h)``, infinite where a row is fitted whatever its response."""
        h = self.hat_matrix_diag
        return np.divide(h, 1 - h, out=np.full_like(h, np.inf), where=h < 1)

    @property
    def _free(self) -> Array:
        """``1 - h``, NaN where a row is fitted whatever its response."""
        free = 1 - self.hat_matrix_diag
        return np.where(free > 1e-12, free, np.nan)

    @property
    def influence(self) -> Any:
        """``e h / (1 - h)``."""
        return self.resid * self.hat_diag_factor

    @property
    def resid_press(self) -> Any:
        return self.resid / self._free

    @property
    def ess_press(self) -> float:
        """Sum of squares of `resid_press`."""
        return float((np.asarray(self.resid_press) ** 2).sum())

    @property
    def resid_var(self) -> Array:
        """Variances of the residuals."""
        return self.scale * (1 - self.hat_matrix_diag)

    @property
    def resid_std(self) -> Array:
        """Standard deviations of the residuals."""
        return np.sqrt(self.resid_var)

    def get_resid_studentized_external(self, sigma: Any = None) -> Array:
        """Residuals divided by ``sigma sqrt(1 - h)``, sigma of the fit unless one is given."""
        sigma = np.sqrt(self.scale) if sigma is None else np.asarray(sigma)
        return self._weighted / sigma / np.sqrt(self._free)

    @cached_property
    def resid_studentized_internal(self) -> Array:
        return self.get_resid_studentized_external()

    @property
    def resid_studentized(self) -> Array:
        """The same as `resid_studentized_internal`."""
        return self.resid_studentized_internal

    @cached_property
    def resid_studentized_external(self) -> Array:
        return self.get_resid_studentized_external(np.sqrt(self.sigma2_not_obsi))

    @cached_property
    def sigma2_not_obsi(self) -> Array:
        """Residual variance of the fit to the other rows."""
        df = self.results.df_resid - 1
        left = self.results.ssr - self._weighted**2 / self._free
        return np.maximum(left, 0.0) / df if df > 0 else np.full_like(left, np.nan)

    @property
    def cooks_distance(self) -> tuple[Array, Array]:
        distance = self.resid_studentized_internal**2 / self.k_vars * self.hat_diag_factor
        return distance, f_tail(distance, self.k_vars, self.results.df_resid)

    @property
    def dffits_internal(self) -> tuple[Array, float]:
        return self.resid_studentized_internal * np.sqrt(self.hat_diag_factor), self._threshold

    @property
    def dffits(self) -> tuple[Array, float]:
        return self.resid_studentized_external * np.sqrt(self.hat_diag_factor), self._threshold

    @property
    def _threshold(self) -> float:
        return 2 * float(np.sqrt(self.k_vars / self.nobs))

    @cached_property
    def dfbeta(self) -> Array:
        """Estimate less the estimate from the other rows, (n, k)."""
        fit = self.results.fit
        device = fit.model.rows.device
        z, change = fit.z.to(device), (fit.bread @ self.results._jacobian.T).to(device)

        def rows(block: Data) -> Tensor:
            return fit.model.block_scores(z, block) @ change

        return row_map(rows, fit.model.rows).numpy() / self._free[:, None]

    @property
    def params_not_obsi(self) -> Array:
        """Estimates from the other rows, (n, k)."""
        return self.results.params_array - self.dfbeta

    @property
    def dfbetas(self) -> Array:
        unit = np.sqrt(np.diag(self.results._unscaled))
        found = self.dfbeta / unit
        found /= np.sqrt(self.sigma2_not_obsi)[:, None]  # in place: n k numbers are many
        return found

    @property
    def cov_ratio(self) -> Array:
        return (self.sigma2_not_obsi / self.scale) ** self.k_vars / self._free

    @property
    def det_cov_params_not_obsi(self) -> Array:
        """Determinants of the covariances from the other rows."""
        return self.cov_ratio * np.linalg.det(self.results._unscaled * self.scale)

    def summary_frame(self) -> pd.DataFrame:
        """One row per row of the fit: ``dfb_<name>``, cooks_d, standard_resid, hat_diag, dffits_internal, student_resid,
        dffits."""
        changes = {f"dfb_{name}": column for name, column in zip(self.results.names, self.dfbetas.T, strict=True)}
        measures = {
            "cooks_d": self.cooks_distance[0],
            "standard_resid": self.resid_studentized_internal,
            "hat_diag": self.hat_matrix_diag,
            "dffits_internal": self.dffits_internal[0],
            "student_resid": self.resid_studentized_external,
            "dffits": self.dffits[0],
        }
        return pd.DataFrame({**changes, **measures}, index=self.results.model.index)

    def summary_table(self, float_fmt: str = "%6.3f") -> Grid:
        """Response, fitted value and measures of each row as a table, without the changes in estimates."""
        columns = {
            ("endog", ""): self.endog,
            ("fitted", "value"): self.results.fittedvalues,
            ("Cook's", "d"): self.cooks_distance[0],
            ("student.", "residual"): self.resid_studentized_internal,
            ("hat diag", ""): self.hat_matrix_diag,
            ("dffits", "internal"): self.dffits_internal[0],
            ("ext.stud.", "residual"): self.resid_studentized_external,
            ("dffits", ""): self.dffits[0],
        }
        upper, lower = zip(("obs", ""), *columns, strict=True)
        numbers = np.column_stack([np.asarray(values) for values in columns.values()])
        rows = [Row((str(at), *(float_fmt % value for value in row))) for at, row in enumerate(numbers)]
        head = (Row(upper, heading=True), Row(lower, heading=True, rule=True))
        return Grid((*head, *rows), "r" * len(upper), (CELL_WIDTH,) * len(upper))


def outlier_test(
    results: LinearResults,
    method: str = "bonf",
    alpha: float = 0.05,
    labels: Any = None,
    order: bool = False,
    cutoff: float | None = None,
) -> Any:
    """Tests of each row for lying off the others' regression, adjusted for their number.

    Externally studentised residuals against Student's t with n - k - 1 degrees of freedom.

    Parameters
    ----------
    method : str
        Of adjusting p-values; see `torchmle.inference.hypotheses.multiple`.
    alpha : float
        Has no bearing on adjusted p-values; statsmodels takes it too.
    labels : array_like, optional
        Of the rows; those of the data when left out.
    order : bool
        Sort by the size of the residual, largest first.
    cutoff : float, optional
        Give rows with an adjusted p-value below it only.

    Returns
    -------
    DataFrame, or ndarray (n, 3) when rows have no labels
        Columns student_resid, unadj_p and the adjusted p-value.
    """
    labels = results.model.index if labels is None else labels
    residuals = results.get_influence().resid_studentized_external
    unadjusted = two_sided(residuals, results.df_resid - 1)
    table = np.column_stack([residuals, unadjusted, adjusted(unadjusted, method)])
    rows = np.argsort(-np.abs(residuals), kind="stable") if order else np.arange(len(residuals))
    if cutoff is not None:
        rows = rows[table[rows, 2] < cutoff]
    if labels is None:
        return table[rows]
    return pd.DataFrame(
        table[rows], index=np.asarray(labels)[rows], columns=["student_resid", "unadj_p", f"{method}(p)"]
    )
