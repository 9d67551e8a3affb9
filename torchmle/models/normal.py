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
from ..data import Data
from ..fitting import starts
from ..fitting.objective import Objective
from ..optim import Optimum, Status
from ..parameters import Values
from ..regression import RegressionModel
from ..results import Results
from ..results.estimates import Array
from ..sums import row_map
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
        return -0.5 * (LOG_2PI + _scaled(data.y - p.mu, p.real.sigma).square()) - p.real.sigma

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.norm(p.mu.numpy(), p.sigma.numpy())

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        mu, log_sigma = eta
        scaled = _scaled(data.y - mu, log_sigma)
        g_mu, square, precision = _scaled(scaled, log_sigma), scaled.square(), torch.exp(-2 * log_sigma)
        loglike = -0.5 * (LOG_2PI + square) - log_sigma
        return loglike, (g_mu, square - 1), ((-precision, -2 * g_mu), (-2 * square,))

    def expected_information(self, z: Tensor) -> Tensor:
        """``diag(1 / sigma^2, 2)`` per row in (mu, log sigma)."""
        return -self.expected_hessian(z, expected_second)

    def expected_curvatures(self, eta: Eta, data: Data) -> Curvature:
        return expected_second(eta)


def expected_second(eta: Eta) -> Curvature:
    """Expected second derivatives in (mu, log sigma) of each row."""
    log_sigma = eta[1]
    return (-torch.exp(-2 * log_sigma), 0 * log_sigma), (-2 + 0 * log_sigma,)


def _scaled(residual: Tensor, log_sigma: Tensor) -> Tensor:
    """Residuals in units of sigma, one of zero being zero in any."""
    return torch.where(residual == 0, 0.0, residual * torch.exp(-log_sigma))


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
