"""Influence of single rows on a fit by maximum likelihood: what leaving each of them out would change, to one Newton step.

With score s_i of the row (times its frequency), A the inverse of the information and h_i the leverage, leaving out row i
changes the estimate by about ``A s_i / (1 - h_i)`` (Pregibon 1981).  The leverage of a generalised linear model is the
diagonal of its hat matrix, ``w_i x_i' A x_i``; of other models that of the local derivative of the fitted means in the
responses, ``(dmu_i/dtheta)' A (ds_i/dy_i)`` (Wei, Hu and Fung 1998), which is the same thing for canonical links.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..covariance.sandwich import expected_bread
from ..data import Data
from ..inference.distributions import f_tail
from ..inference.gradients import mean_gradients, response_gradients
from ..inference.predictions.prediction import Prediction
from ..sums import row_map, weighted
from .measures import Measures

if TYPE_CHECKING:
    from ..results import Results

Array = NDArray[np.float64]


class MLEInfluence(Measures):
    """Leverages, one-step changes of the estimates and what follows from them.

    Attributes
    ----------
    results : Results
    nobs, k_vars, k_params : int
        Rows, columns of the main design, parameters.
    scale : float
    """

    def __init__(self, results: Results):
        self.results = results
        self.nobs, self.k_vars = results.model.rows.n, len(results.model.layout.blocks[0].labels)
        self.k_params, self.scale = len(results.names), results.scale

    # -- the fit ---------------------------------------------------------------------------------------------------

    @property
    def cov_params(self) -> Array:
        """Covariance of the estimates, (k, k)."""
        return self.results.covariance_array

    @cached_property
    def hessian(self) -> Array:
        """Second derivatives of the log-likelihood, (k, k)."""
        return np.asarray(self.results.hessian())

    @cached_property
    def score_obs(self) -> Array:
        """Scores of the rows, (n, k)."""
        return np.asarray(self.results.score_obs())

    @cached_property
    def resid(self) -> Array | None:
        """Pearson residuals divided by the root of the scale; None for models that have none."""
        found = getattr(self.results, "resid_pearson", None)
        return None if found is None else np.asarray(found) / np.sqrt(self.scale)

    # -- leverages -------------------------------------------------------------------------------------------------

    @cached_property
    def hat_matrix_diag(self) -> Array | None:
        """Leverages; None, with a warning, for models whose likelihood jumps with the response (zero inflation)."""
        model, bread = self.results.model, self._bread
        if not hasattr(model, "eta_derivatives"):
            raise ValueError(
                f"{type(model).__name__} has no linear predictors that lead to one mean in each row; leverages, and what "
                "is made of them, are defined for models that have. results.jackknife() leaves rows out in any model"
            )
        if model.smooth_response(model.rows.y[:1]) is None:
            warnings.warn(
                f"{type(model).__name__} has no leverages: its scores jump as a response leaves zero",
                UserWarning,
                stacklevel=2,
            )
            return None

        def leverage(z: Tensor, block: Data) -> Tensor:
            slopes = mean_gradients(model, z, block) @ bread.to(z.device)
            return weighted((slopes * response_gradients(model, z, block)).sum(1), block)

        return self._of_rows(leverage)

    @cached_property
    def hat_matrix_exog_diag(self) -> Array:
        """Leverages of the unweighted main design, as in least squares."""
        return (self.exog * np.linalg.pinv(self.exog).T).sum(1)

    @property
    def _bread(self) -> Tensor:
        """Inverse of the information at unit dispersion, in the coordinates of the fit."""
        return self.results.fit.bread

    @cached_property
    def _free(self) -> Array | float:
        """``1 - h``; NaN where a row is fitted whatever its response."""
        if self.hat_matrix_diag is None:
            return 1.0
        return np.where(self.hat_matrix_diag < 1 - 1e-12, 1 - self.hat_matrix_diag, np.nan)

    def _of_rows(self, function: Callable[[Tensor, Data], Tensor], data: Data | None = None) -> Array:
        """A function of z and a block, row by row."""
        data = self.results.model.rows if data is None else data
        z = self.results.fit.z.to(data.device)
        return row_map(lambda block: function(z, block), data).numpy()

    # -- changes ---------------------------------------------------------------------------------------------------

    def _of_changes(self, function: Callable[[Tensor, Tensor, Data], Tensor]) -> Array:
        """A function of z, of the estimate less that of the other rows (n, k) in z, and of a block; row by row."""
        model = self.results.model
        free = np.broadcast_to(self._free, (self.nobs,)).copy()
        data = model.rows.with_columns(free=torch.as_tensor(free, device=model.rows.device))
        bread = self._bread.to(data.device)

        def rows(z: Tensor, block: Data) -> Tensor:
            steps = weighted(model.block_scores(z, block), block) @ bread / block.free[:, None]
            return function(z, steps, block)

        return self._of_rows(rows, data)

    @cached_property
    def d_params(self) -> Array:
        """Estimate less the estimate from the other rows, (n, k)."""
        jacobian = self.results._jacobian.detach().T
        return self._of_changes(lambda z, change, block: change @ jacobian.to(z.device))

    @cached_property
    def dfbetas(self) -> Array:
        """`d_params` in standard errors of the fit, (n, k)."""
        return self.d_params / np.asarray(self.results._bse)

    @property
    def params_one(self) -> Array:
        """One-step estimates from the other rows, (n, k)."""
        return self.results.params_array - self.d_params

    @cached_property
    def cooks_distance(self) -> tuple[Array, Array]:
        """``d' V^-1 d / k`` with V the covariance of the k parameters estimated, and p-values of F(k, n - k)."""
        inverse = scaled_inverse(self.results.covariance_z)
        squares = self._of_changes(lambda z, change, block: ((change @ inverse.to(z.device)) * change).sum(1))
        k = self.results.k_free
        return squares / k, f_tail(squares / k, k, self.results.df_resid)

    @cached_property
    def d_fittedvalues(self) -> Array:
        """Change of the fitted mean of each row as it is left out."""
        model = self.results.model
        return self._of_changes(lambda z, change, block: (mean_gradients(model, z, block) * change).sum(1))

    @cached_property
    def _prediction(self) -> Prediction:
        return self.results.get_prediction()

    @property
    def d_fittedvalues_scaled(self) -> Array:
        """`d_fittedvalues` in standard errors of the fitted means."""
        return self.d_fittedvalues / self._prediction.se

    @cached_property
    def d_linpred(self) -> Array:
        """Change of the linear predictor of each row as it is left out."""
        main = self.results.model.layout.blocks[0]

        def rows(z: Tensor, change: Tensor, block: Data) -> Tensor:
            x = block.x.get(main.name)
            return change[:, main.reals.start] if x is None else (x * change[:, main.reals]).sum(1)

        return self._of_changes(rows)

    @property
    def d_linpred_scaled(self) -> Array:
        """`d_linpred` in standard errors of the linear predictor."""
        return self.d_linpred / self.results.get_prediction(which="linear").se

    # -- residuals -------------------------------------------------------------------------------------------------

    @property
    def resid_studentized(self) -> Array:
        """`resid` divided by ``sqrt(1 - h)``."""
        if self.resid is None:
            raise AttributeError(f"{type(self.results.model).__name__} has no Pearson residuals to studentise")
        return self.resid / np.sqrt(self._free)

    def resid_score_factor(self) -> Array:
        """Score of the first linear predictor over the root of its curvature and of ``1 - h``; NaN where it is convex."""
        model = self.results.model

        def rows(z: Tensor, block: Data) -> Tensor:
            _, g, h = model.eta_derivatives(model.eta(z, block), block, 2)
            frequency = block.get("freq_weights")
            share = (
                1.0 if frequency is None else frequency.sqrt()
            )  # the score of equal rows over the root of their curvature
            return share * g[0] / torch.where(h[0][0] < 0, -h[0][0], torch.nan).sqrt()

        return self._of_rows(rows) / np.sqrt(self.scale) / np.sqrt(self._free)

    def resid_score(self, joint: bool = True, index: Any = None, studentize: bool = False) -> Array:
        """Scores scaled by the information: as one quadratic form per row, or (n, k) divided by its diagonal's roots.

        Parameters
        ----------
        joint : bool
        index : array_like, optional
            Parameters to take; all when left out.
        studentize : bool
            Divide by ``sqrt(1 - h)``.
        """
        known = self.results._bse > 0  # not what is held, left out or at a boundary
        chosen = np.flatnonzero(known | (not joint)) if index is None else np.asarray(index)
        scores, information = self.score_obs[:, chosen], -self.hessian[np.ix_(chosen, chosen)]
        if joint:
            found = (scores * np.linalg.solve(information, scores.T).T).sum(1)
        else:
            found = scores / np.sqrt(np.diag(information))
        return (found.T / np.sqrt(self._free)).T if studentize else found

    # -- tables and plots ------------------------------------------------------------------------------------------

    def summary_frame(self) -> pd.DataFrame:
        """One row per row of the fit: ``dfb_<name>``, cooks_d, standard_resid, hat_diag, dffits_internal."""
        found = {f"dfb_{name}": column for name, column in zip(self.results.names, self.dfbetas.T, strict=True)}
        found["cooks_d"] = self.cooks_distance[0]
        if self.hat_matrix_diag is not None and self.resid is not None:
            found["standard_resid"] = self.resid_studentized
        if self.hat_matrix_diag is not None:
            found["hat_diag"] = self.hat_matrix_diag
        found["dffits_internal"] = self.d_fittedvalues_scaled
        return pd.DataFrame(found, index=self.results.model.index)

    def refit(self, rows: Any = None) -> pd.DataFrame:
        """Estimates from fits without each of some rows (all when left out): what the one-step changes approximate.

        Returns
        -------
        DataFrame
            One row per row left out, by its label; columns as the parameters.
        """
        model, start = self.results.model, self.results.params_array
        wanted = range(self.nobs) if rows is None else np.asarray(rows).tolist()
        found = []
        for row in wanted:
            others = model.keep_rows(np.arange(self.nobs) != row)
            found.append(others.fit(start_params=start, cov_type=None, disp=False).params_array)
        labels = list(wanted) if model.index is None else model.index[list(wanted)]
        return pd.DataFrame(np.array(found), index=labels, columns=self.results.names)

    @cached_property
    def _res_looo(self) -> dict[str, Array]:
        """The estimates of `refit`, where statsmodels has them."""
        return {"params": self.refit().to_numpy()}


class GLMInfluence(MLEInfluence):
    """Of generalised linear models: leverages of the hat matrix, Cook's distance from studentised residuals.

    Parameters
    ----------
    results : GLMResults
    observed : bool
        Weights by the observed information; else by the expected one.  For canonical links they are the same.
    """

    def __init__(self, results: Results, observed: bool = True):
        super().__init__(results)
        self.observed = observed

    @cached_property
    def _bread(self) -> Tensor:
        fit = self.results.fit
        return fit.bread if self.observed else expected_bread(fit)

    @cached_property
    def hat_matrix_diag(self) -> Array:
        model, bread = self.results.model, self._bread

        def leverage(z: Tensor, block: Data) -> Tensor:
            return weighted(model.block_leverage(z, block, bread.to(z.device), not self.observed), block)

        return self._of_rows(leverage)

    @cached_property
    def cooks_distance(self) -> tuple[Array, Array]:
        """``r^2 h / (1 - h) / k`` with r the studentised residual, and p-values of F(k, n - k)."""
        assert isinstance(self._free, np.ndarray)
        distance = self.resid_studentized**2 * self.hat_matrix_diag / self._free / self.results.k_free
        return distance, f_tail(distance, self.results.k_free, self.results.df_resid)


def scaled_inverse(covariance: Tensor) -> Tensor:
    """Inverse of a covariance matrix on the directions that vary, whatever the units of its variables."""
    sd = covariance.diagonal().sqrt()
    unit = torch.where(sd > 0, sd, 1.0)
    return torch.linalg.pinv(covariance / torch.outer(unit, unit), hermitian=True) / torch.outer(unit, unit)
