"""Linear regression: ordinary and weighted least squares."""

from __future__ import annotations

import math
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...base.door import zero_weights_count_nothing
from ...compute.autodiff import Curvature, Eta
from ...compute.processes import total
from ...data import Data
from ...fitting.columns import linear_offset
from ...fitting.coordinates import Coordinates
from ...fitting.fit import Fit
from ...fitting.least_squares import LeastSquaresOptimum, log_weights, orthogonal_solution, row_weights
from ...fitting.objective import Objective
from ...linalg import Inverse, invert_information, joint_factor
from ...optim import Optimum
from ...parameters import Values
from ...regression import RegressionModel
from ...results.estimates import Array
from ...sums import block_slices, row_map, row_sums, weighted
from ...transforms import Identity
from .results import LinearResults
from .whitened import Whitened

CLOSED_FORM = ("newton", "qr", "pinv")
SMALL = 1_000_000  # numbers in the design up to which QR costs next to nothing
ROW_ARGUMENTS = ("weights", "offset")
GRAM_CONDITION = 1e6  # of the scaled X'X, up to which standard errors from it keep nine digits


class WLS(Whitened, RegressionModel):
    """Weighted least squares: the error variance of row i is ``sigma^2 / w_i``.

    The Gaussian likelihood with the variance concentrated out.  ``scale`` is ssr / (n - k); ``llf`` is taken at
    ssr / n.  Estimates by Householder QR when the design is small or ill conditioned and by the normal equations
    with a refining step when it is neither; standard errors never from X'X in the first case.

    Parameters
    ----------
    endog, exog : array_like
        Response (n,) and design (n, k); no constant is added.
    weights : array_like
        Inverse variances up to a factor, (n,) or one number.
    offset : array_like, optional
        Added to the mean, its coefficient held at 1.
    """

    parameters = {"mu": Identity()}
    row_arguments: ClassVar[tuple[str, ...]] = ROW_ARGUMENTS
    prediction_arguments: ClassVar[tuple[str, ...]] = ("weights",)
    results_class = LinearResults
    linear = True

    def __init__(self, endog: Any, exog: Any = None, weights: Any = None, **arguments: Any):
        super().__init__(endog, exog, **spread(endog, {"weights": weights, **arguments}))

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        """Normal log-density with variance ``scale / w``; at unit scale unless the data carry another."""
        weights, scale = data.get("weights"), data.get("scale")
        precision = torch.ones_like(data.y) if weights is None else weights
        precision = precision if scale is None else precision / scale
        return 0.5 * (log_weights(precision) - math.log(2 * math.pi) - precision * (data.y - p.mu) ** 2)

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        weights = data.get("weights")
        precision = torch.ones_like(eta[0]) if weights is None else weights
        residual = data.y - eta[0]
        g = precision * residual
        loglike = 0.5 * (log_weights(precision) - math.log(2 * math.pi) - g * residual)
        return loglike, (g,), ((-precision,),)

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.norm(p.mu.numpy(), np.sqrt(scale / row_weights(data, frequencies=False).numpy()))

    def prepare(self, data: Data) -> Data:
        if not data.x:
            raise ValueError(f"{type(self).__name__} needs exog; for a mean alone, give a column of ones")
        weights = data.get("weights")
        if weights is not None and weights.ndim > 1:
            raise ValueError(f"weights must be a number or a vector, not an array of shape {tuple(weights.shape)}")
        if weights is None:
            return super().prepare(data)
        return super().prepare(zero_weights_count_nothing(data, "weights"))

    def start(self) -> Tensor:
        """Zero, or the rough level of a response far from zero in the constant, so that little cancels."""
        start = torch.zeros(self.layout.size, dtype=torch.float64)
        if "mu" not in self.rows.x or "mu" in self.intercepts:
            start[self.intercepts.get("mu", 0)] = self._level()
        return start

    def _level(self) -> float:
        """The mean of the response where it exceeds ten standard deviations, to a few binary digits; else 0.

        Values close to each other and to a short number are subtracted from it without rounding.
        """
        centred, uncentred = self.total_squares()
        spread, size = math.sqrt(centred / self.nobs), math.sqrt(uncentred / self.nobs)
        if size <= 10 * spread or not math.isfinite(size):
            return 0.0
        grid = 2.0 ** math.floor(math.log2(spread if spread > 0 else size))
        return round(self._response_mean() / grid) * grid

    # -- solving -----------------------------------------------------------------------------------------------

    @classmethod
    def method_name(cls, method: str | None, options: Any) -> str:
        """As for other models, with statsmodels' "qr" and "pinv" for the closed form."""
        if method in CLOSED_FORM[1:] and not options:
            return method
        try:
            return super().method_name(method, options)
        except ValueError as error:
            raise ValueError(f"{error}; {cls.__name__} also takes 'qr' and 'pinv'") from None

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        """Least squares by QR; by Newton's method, here the normal equations, where X is large and well conditioned."""
        if method not in CLOSED_FORM:
            return super().maximize(objective, start, method, **options)
        condition = invert_information(-objective.hessian(start)[2]).condition
        large = total(self.rows.n, self.rows.group) * max(1, objective.size) > SMALL
        if method != "qr" and large and condition < GRAM_CONDITION:
            return super().maximize(objective, start, "newton", **options)
        return orthogonal_solution(self.rows, objective, start)

    def invert(self, optimum: Optimum, coordinates: Coordinates) -> Inverse:
        if isinstance(optimum, LeastSquaresOptimum):
            return optimum.inverse
        return super().invert(optimum, coordinates)

    # -- the variance ------------------------------------------------------------------------------------------

    def ssr(self, z: Tensor) -> float:
        """Weighted sum of squared residuals at z."""
        point = z.to(self.rows.device)

        def squares(block: Data) -> tuple[Tensor]:
            residual = block.y - self.eta(point, block)[0]
            return ((residual.square() * row_weights(block)).sum(),)

        return float(row_sums(squares, self.rows)[0])

    def total_squares(self) -> tuple[float, float]:
        """Weighted sums of squares of the response less its offset, about its weighted mean and about zero."""
        mean = self._response_mean()

        def squares(block: Data) -> tuple[Tensor, Tensor]:
            weights, y = row_weights(block), block.y - linear_offset(block)
            return ((y - mean).square() * weights).sum(), (y.square() * weights).sum()

        centred, uncentred = row_sums(squares, self.rows)
        return float(centred), float(uncentred)

    def _response_mean(self) -> float:
        def first(block: Data) -> tuple[Tensor, Tensor]:
            weights = row_weights(block)
            return ((block.y - linear_offset(block)) * weights).sum(), weights.sum()

        total, weight = row_sums(first, self.rows)
        rough = float(total / weight)
        # a second pass about the rough mean: the first loses digits when the response is far from zero
        rest, weight = row_sums(
            lambda b: (((b.y - linear_offset(b) - rough) * row_weights(b)).sum(), row_weights(b).sum()), self.rows
        )
        return rough + float(rest / weight)

    def dispersion(self, fit: Fit) -> float:
        df = fit.nobs - fit.rank + self.told("df_resid")
        return self.ssr_at(fit) / df if df > 0 else math.nan

    def told(self, name: str) -> float:
        """What a user has added to ``df_model`` or ``df_resid`` of the model by hand; mostly nothing."""
        if name not in vars(self):
            return 0.0
        rank = self.rank
        return vars(self)[name] - (rank - self.k_constant if name == "df_model" else self.nobs - rank)

    def ssr_at(self, fit: Fit) -> float:
        """Weighted sum of squared residuals at the estimate."""
        return fit.optimum.ssr if isinstance(fit.optimum, LeastSquaresOptimum) else self.ssr(fit.z)

    def _variance(self, z: Tensor, scale: float | None = None) -> float:
        """The variance a likelihood is taken at: ssr / n unless one is given."""
        return self.ssr(z) / self.nobs if scale is None else scale

    def loglike_at(self, fit: Fit) -> float:
        ssr = self.ssr_at(fit)
        return self._loglike(ssr, ssr / fit.nobs)

    def _loglike(self, ssr: float, variance: float) -> float:
        def logs(block: Data) -> tuple[Tensor]:
            weights, frequency = block.get("weights"), block.get("freq_weights")
            if weights is None:
                return (block.y.new_zeros(()),)
            values = log_weights(weights)
            return ((values if frequency is None else values * frequency).sum(),)

        (total_log,) = row_sums(logs, self.rows)
        quadratic = ssr / variance if variance > 0 else self.nobs
        logarithm = math.log(2 * math.pi * variance) if variance > 0 else -math.inf
        return -0.5 * (self.nobs * logarithm + quadratic - float(total_log))

    def loglike_rows(self, fit: Fit) -> Tensor:
        scale = torch.full((self.rows.n,), self.ssr_at(fit) / fit.nobs, dtype=torch.float64, device=self.rows.device)
        z = fit.z.to(self.rows.device)
        return row_map(lambda block: self.row_loglike(z, block).detach(), self.rows.with_columns(scale=scale))

    def loglikeobs(self, params: Any, scale: float | None = None) -> Any:
        """Log-likelihood of each row at `scale`, frequencies counted, (n,); they add up to `loglike`."""
        z = self._z(params)
        variance = torch.full_like(self.rows.y, self._variance(z, scale))
        point, rows = z.to(self.rows.device), self.rows.with_columns(scale=variance)
        return row_map(lambda block: weighted(self.row_loglike(point, block).detach(), block), rows).numpy()

    def loglike(self, params: Any, scale: float | None = None) -> float:
        """Log-likelihood at the variance `scale`, or with the variance concentrated out (ssr / n)."""
        z = self._z(params)
        return np.float64(self._loglike(self.ssr(z), self._variance(z, scale)))

    def score(self, params: Any, scale: float | None = None) -> Any:
        """Gradient of `loglike` in the coefficients, (k,)."""
        return super().score(params) / self._variance(self._z(params), scale)

    def hessian(self, params: Any, scale: float | None = None) -> Any:
        """Second derivatives of `loglike` in the coefficients, (k, k).

        With the variance concentrated out, ``-X'WX / s + (2 / n) (X'We)(X'We)' / s^2`` with s = ssr / n.
        """
        variance = self._variance(self._z(params), scale)
        hessian = super().hessian(params) / variance
        if scale is None:
            score = super().score(params) / variance
            hessian = hessian + 2 / self.nobs * np.outer(score, score)
        return hessian

    def score_obs(self, params: Any, scale: float | None = None) -> Any:
        """Score of each row, (n, k)."""
        return super().score_obs(params) / self._variance(self._z(params), scale)

    def expected_information(self, z: Tensor) -> Tensor:
        return -self.sums(z, 2)[2]

    def get_distribution(  # type: ignore[override]  # statsmodels' order of arguments
        self, params: Any, scale: float | None = None, exog: Any = None, **arguments: Any
    ) -> Any:
        """The normal distribution of each row at a variance, ssr / n unless one is given; as scipy freezes it."""
        return super().get_distribution(params, exog, scale=self._variance(self._z(params), scale), **arguments)

    @cached_property
    def singular_values(self) -> Array:
        """Singular values of the weighted design as it was given, largest first."""
        raw = self.rows.with_shift({})
        blocks = (raw.block(rows) for rows in block_slices(raw))
        weighted = (b.x["mu"] * row_weights(b, frequencies=False).sqrt()[:, None] for b in blocks)
        factor = joint_factor(weighted, self.rows.group)
        values = np.zeros(factor.shape[1])
        values[: len(factor)] = torch.linalg.svdvals(factor).numpy()
        return values


class OLS(WLS):
    """Ordinary least squares.

    The Gaussian likelihood with the variance concentrated out.  ``scale`` is ssr / (n - k); ``llf`` is taken at
    ssr / n, and ``aic`` does not count the variance, as in statsmodels (R counts it).

    Parameters
    ----------
    endog, exog : array_like
        Response (n,) and design (n, k); no constant is added.

    Examples
    --------
    >>> OLS.from_formula("y ~ x + w", df).fit(cov_type="HC3").params.round(2)
    Intercept    1.19
    x            1.79
    w            0.03
    dtype: float64
    """

    row_arguments = ("offset",)

    def __init__(self, endog: Any, exog: Any = None, **arguments: Any):
        RegressionModel.__init__(self, endog, exog, **spread(endog, arguments))


def spread(endog: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments with a weight or an offset that is one number as a vector of it."""
    numbers = {name: value for name, value in arguments.items() if name in ROW_ARGUMENTS and isinstance(value, Real)}
    return {**arguments, **{name: np.full(len(endog), float(value)) for name, value in numbers.items()}}
