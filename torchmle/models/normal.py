"""Normal regression, univariate and multivariate, by full maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..compute.autodiff import Curvature, Eta
from ..compute.processes import total
from ..data import Data
from ..fitting import starts
from ..fitting.columns import centres, intercept_column
from ..fitting.coordinates import Coordinates
from ..fitting.objective import Objective
from ..inference.prediction import MEAN, Prediction
from ..likelihood import LikelihoodModel
from ..linalg import dependent_columns, joint_factor, triangular_factor
from ..optim import Optimum, Status
from ..parameters import Parameters, Values
from ..regression import RegressionModel
from ..results import Results
from ..results.estimates import Array
from ..results.predictions import with_limits
from ..structured import CholeskyCovariance, Coefficients
from ..sums import block_slices, row_map
from ..transforms import Identity, Log

LOG_2PI = math.log(2 * math.pi)


class NormalResults(Results):
    """Normal regression: residuals, and intervals for observations when sigma is constant."""

    @property
    def resid(self) -> Any:
        """Response less predicted mean."""
        values = self.model.endog - np.asarray(self.predict())
        return pd.Series(values, index=self.model.index) if self.model.index is not None else values

    def observation_variance(self, data: Data) -> Array | None:
        z = self.fit.z.to(data.device)
        sigma = row_map(lambda block: self.model.values(self.model.eta(z, block)).sigma, data)
        return sigma.numpy() ** 2


class Normal(RegressionModel):
    """Normal distribution with a regression for the mean and, if wanted, one for log sigma.

    ``l_i = -log sigma_i - (y_i - mu_i)^2 / (2 sigma_i^2) - log(2 pi) / 2``.  The maximum likelihood sigma divides
    by n; `OLS` divides by n - k.

    Parameters
    ----------
    endog, exog : array_like
        Response (n,) and design of the mean (n, k).
    sigma : str, array_like or float, optional
        A formula (``"~ w"``) or matrix for log sigma, or a value to hold it at.

    Examples
    --------
    >>> res = Normal.from_formula("y ~ x", df, sigma="~ z").fit()
    """

    parameters = {"mu": Identity(), "sigma": Log()}
    results_class = NormalResults

    def start(self) -> Tensor:
        """Least squares and the spread it leaves, which are the maximum itself when sigma is constant."""
        if "mu" not in self.rows.x:
            return super().start()
        spread = self.regression.spread
        if not 0 < spread < math.inf:
            return super().start()
        start = torch.zeros(self.layout.size, dtype=torch.float64)
        start[self.layout.block("mu").reals] = self.regression.coefficients
        return starts.with_scale(self, start, spread)

    @cached_property
    def regression(self) -> starts.Regression:
        """Least squares of the response on the design of the mean."""
        return starts.least_squares(self)

    def sums(self, z: Tensor, order: int, data: Data | None = None) -> tuple[Tensor, ...]:
        """As for every model; where sigma is constant, from sufficient statistics instead of another pass."""
        plain = data is None and "mu" in self.rows.x and "sigma" not in self.rows.x
        if not plain or self.regression.perfect:
            return super().sums(z, order, data)
        return sums_of_moments(self.regression, z, order)

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        """As for every model; where the mean meets every response, the end of the search names sigma, on its way to zero."""
        optimum = super().maximize(objective, start, method, **options)
        names = objective.coordinates.free_names(self.layout)
        if optimum.converged or "sigma" not in names or "mu" not in self.rows.x or not self.regression.perfect:
            return optimum
        direction = torch.tensor([float(name == "sigma") for name in names], dtype=torch.float64)
        return replace(optimum, status=Status.DIVERGING, direction=direction)

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return -0.5 * (LOG_2PI + ((data.y - p.mu) / p.sigma) ** 2) - p.real.sigma

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.norm(p.mu.numpy(), p.sigma.numpy())

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        mu, log_sigma = eta
        precision = torch.exp(-2 * log_sigma)
        residual = data.y - mu
        g_mu = residual * precision
        square = residual * g_mu
        loglike = -0.5 * (LOG_2PI + square) - log_sigma
        return loglike, (g_mu, square - 1), ((-precision, -2 * g_mu), (-2 * square,))

    def expected_information(self, z: Tensor) -> Tensor:
        """``diag(1 / sigma^2, 2)`` per row in (mu, log sigma)."""
        return -self.expected_hessian(z, lambda eta: ((-torch.exp(-2 * eta[1]), 0 * eta[1]), (-2 + 0 * eta[1],)))


def sums_of_moments(regression: starts.Regression, z: Tensor, order: int) -> tuple[Tensor, ...]:
    """Log-likelihood, score and Hessian in (beta, log sigma), from the moments about a regression's anchor.

    With ``d = beta - anchor``, the residual sum of squares is ``r'r - 2 d'X'r + d'X'X d``: differences from the anchor
    are small where it matters, so nothing cancels.
    """
    shift, log_sigma = z[:-1] - regression.anchor, z[-1]
    moment = regression.moment - regression.gram @ shift
    square = regression.square - shift @ (regression.moment + moment)
    precision = torch.exp(-2 * log_sigma)
    value = -0.5 * (regression.weight * (LOG_2PI + 2 * log_sigma) + square * precision)
    if order == 0:
        return (value,)
    score = torch.cat([moment * precision, (square * precision - regression.weight).reshape(1)])
    if order == 1:
        return value, score
    hessian = torch.empty(len(z), len(z), dtype=z.dtype)
    hessian[:-1, :-1] = -precision * regression.gram
    hessian[:-1, -1] = hessian[-1, :-1] = -2 * precision * moment
    hessian[-1, -1] = -2 * precision * square
    return value, score, hessian


class MVResults(Results):
    """Multivariate normal: the covariance and correlation matrices of the responses."""

    @property
    def cov(self) -> pd.DataFrame:
        """Maximum likelihood covariance matrix of the responses (divides by n)."""
        values = self.model.layout.values(self.fit.theta).cov.detach().numpy()
        names = list(self.model.design.response)
        return pd.DataFrame(values, index=names, columns=names)

    @property
    def corr(self) -> pd.DataFrame:
        """Correlation matrix of the responses."""
        sd = np.sqrt(np.diag(self.cov))
        return self.cov.div(sd, axis=0).div(sd, axis=1)

    def predict(  # type: ignore[override]  # it takes no offset
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        interval: str | None = None,
        level: float = 0.95,
    ) -> Any:
        """Predicted means, (n, q); with `interval` "mean" or "obs" also limits, as those of other models."""
        found = self.get_prediction(exog, transform, which)
        if interval is not None:
            return with_limits(found, interval, level)
        if found.index is None or exog is None:
            return found.predicted
        return pd.DataFrame(found.predicted, index=found.index, columns=list(self.model.design.response))

    def get_prediction(  # type: ignore[override]
        self, exog: Any = None, transform: bool = True, which: str = "mean", *, row_labels: Any = None
    ) -> Prediction:
        """Predicted means of each response, (n, q), with intervals of the means and of new observations of each.

        The variance of a new response about its mean is that response's, from the diagonal of `cov`.
        """
        if which != "mean":
            raise ValueError(f"which={which!r} is not something MVNormal predicts; choose 'mean'")
        model = self.model
        rows, index = (model.rows, model.index) if exog is None else model.predict_data(exog, transform, {})
        coefficients, (k, q) = model.coefficients(self.fit.z).to(rows.device), (rows.X.shape[1], len(self.cov))
        v = self.covariance_z[: k * q, : k * q].to(rows.device)

        def block_rows(block: Data) -> Tensor:
            parts = [v[j * k : (j + 1) * k, j * k : (j + 1) * k] for j in range(q)]
            errors = torch.stack([((block.X @ part) * block.X).sum(1).sqrt() for part in parts], 1)
            return torch.stack([block.X @ coefficients, errors], 2)

        mean, se = np.moveaxis(row_map(block_rows, rows).numpy(), 2, 0)
        spread = np.broadcast_to(np.diag(self.cov), mean.shape)
        df = self.df_inference if self.use_t else None
        labels = index if row_labels is None else row_labels
        return Prediction(
            mean, se, mean, se, Identity(), df, labels, spread, columns=MEAN, values=model.design.response
        )


class MVNormal(LikelihoodModel):
    """Multivariate normal regression: q responses, one set of columns, an unrestricted covariance matrix.

    ``l_i = -(q log 2 pi + log |S| + e_i' S^-1 e_i) / 2`` with ``e_i = y_i - B' x_i``.  The maximum has a closed form:
    least squares for each response and the residual covariance with divisor n (Anderson 2003, theorem 3.2.1).

    Parameters
    ----------
    endog : array_like
        Responses (n, q).
    exog : array_like
        Columns (n, k); a constant when left out.

    Examples
    --------
    >>> MVNormal.from_formula("a + b + c ~ 1", df).fit().cov.round(2)
          a     b     c
    a  1.09  0.09 -0.14
    b  0.09  0.82 -0.04
    c -0.14 -0.04  0.98
    """

    parameters = {"mean": Coefficients(), "cov": CholeskyCovariance(1)}
    results_class = MVResults

    def prepare(self, data: Data) -> Data:
        y = data.y if data.y.ndim == 2 else data.y[:, None]
        x = data.x or {"X": torch.ones(data.n, 1, dtype=data.y.dtype, device=data.device)}
        data = Data(y, x, data.columns, None, data.group)
        constant = intercept_column(data.X, data.group)
        self.intercepts = {} if constant is None else {next(iter(x)): constant}
        return data.with_shift(centres(data, self.intercepts))

    @cached_property
    def coordinates(self) -> Coordinates:
        """Coordinates of the centred columns, the constant of each response taking up the centres."""
        identity = torch.eye(self.layout.size, dtype=torch.float64)
        for name, shift in self.shift.items():
            for start in range(0, len(self.layout.block("mean").labels), len(shift)):
                identity[start + self.intercepts[name], start : start + len(shift)] -= shift.cpu()
        return Coordinates(identity if self.shift else None, torch.zeros(self.layout.size, dtype=torch.float64))

    def make_layout(self) -> Parameters:
        responses, columns = self.design.response, self.design.columns.get("X", ("const",))
        labels = tuple(f"{response}[{column}]" for response in responses for column in columns)
        return Parameters([("mean", Coefficients(labels), None), ("cov", CholeskyCovariance(responses), None)])

    @property
    def covariance_transform(self) -> CholeskyCovariance:
        """The transform of the covariance matrix, which also gives its Cholesky factor."""
        return CholeskyCovariance(self.design.response)

    def coefficients(self, theta: Tensor) -> Tensor:
        """B as (k, q)."""
        return theta[self.layout.block("mean").reals].reshape(len(self.design.response), -1).T

    def row_loglike(self, z: Tensor, data: Data) -> Tensor:
        return self.loglike_obs(Values({"mean": self.coefficients(z), "cov": z[self.layout.block("cov").reals]},
                                       {b.name: b.transform for b in self.layout.blocks}), data)  # fmt: skip

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        factor = self.covariance_transform.factor(p.real.cov)
        standard = torch.linalg.solve_triangular(factor, (data.y - data.X @ p.mean).T, upper=False)
        return -0.5 * (len(factor) * LOG_2PI + standard.square().sum(0)) - factor.diagonal().log().sum()

    def start(self) -> Tensor:
        """The closed form, from the QR of ``[X, Y]``: B by back substitution, S from what is left of Y."""
        factor, k = self._factor(), self.rows.X.shape[1]
        gone = dependent_columns(factor, total(self.rows.n, self.rows.group))
        kept = [j for j in range(k) if j not in gone]
        triangle = triangular_factor([factor[:, [*kept, *range(k, factor.shape[1])]]])
        rank, mean = len(kept), torch.zeros(k, factor.shape[1] - k, dtype=factor.dtype)
        mean[kept] = torch.linalg.solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:], upper=True)
        rest = triangle[rank:, rank:]
        covariance = rest.T @ rest / self.nobs
        if any(j >= k for j in gone):  # singular: the search must find that out
            covariance = torch.diag(factor[:, k:].square().sum(0).clamp_min(1e-300) / self.nobs)
        return torch.cat([mean.T.reshape(-1), self.covariance_transform.inverse(covariance)])

    def aliased(self) -> tuple[int, ...]:
        k = self.rows.X.shape[1]
        columns = dependent_columns(self._factor()[:, :k], total(self.rows.n, self.rows.group))
        return tuple(start + column for start in range(0, k * len(self.design.response), k) for column in columns)

    def _factor(self) -> Tensor:
        def blocks() -> Any:
            for rows in block_slices(self.rows):
                block = self.rows.block(rows)
                weights = block.get("freq_weights")
                both = torch.cat([block.X, block.y], 1)
                yield both if weights is None else both * weights.sqrt()[:, None]

        return joint_factor(blocks(), self.rows.group)
