"""Count regression: what all count models share, and Poisson."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ... import families
from ...compute.autodiff import Curvature, Eta
from ...data import Data
from ...families import Family
from ...fitting import starts
from ...fitting.columns import linear_offset
from ...fitting.constraints import Restrictions
from ...fitting.fit import Fit
from ...fitting.maximum import NOTHING
from ...fitting.objective import Objective
from ...inference.predictions.prediction import counts_of, predicted_values
from ...inference.predictions.rows import new_rows
from ...optim import Optimum
from ...parameters import Values
from ...regression import RegressionModel
from ...results import Results
from ...sums import row_sums
from ...transforms import Log
from ..exposure import LinearArguments, with_log_exposure
from ..penalised import Lasso
from . import starts as count_starts
from .boundaries import best_inside_or_at_a_boundary, constant_boundaries, limit_at_a_boundary, slope
from .distributions import CountDistribution, PoissonCounts
from .results import CountResults, DispersedResults
from .row_distribution import row_distribution


class CountModel(LinearArguments, Lasso, RegressionModel):
    """Counts with mean ``exp(X b + offset) * exposure`` and a distribution."""

    parameters = PoissonCounts.parameters
    distribution: CountDistribution = PoissonCounts()
    row_arguments: ClassVar[tuple[str, ...]] = ("offset", "exposure")
    results_class: ClassVar[type[Results]] = DispersedResults
    habits: ClassVar[tuple[str, ...]] = ("check_rank",)
    default_disp = True

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        offset: Any = None,
        exposure: Any = None,
        missing: str = "none",
        check_rank: bool = True,
        **arguments: Any,
    ):
        """`check_rank` is there for statsmodels' sake: the rank is looked at in a fit where the Hessian gives reason to."""
        super().__init__(endog, exog, offset=offset, exposure=exposure, missing=missing, **arguments)

    def prepare(self, data: Data) -> Data:
        y = data.y
        if bool((y < 0).any()):
            raise ValueError(f"{self.endog_names}: counts must not be negative; the smallest is {float(y.min()):g}")
        return super().prepare(self.with_responses(self.prepare_prediction(data), y))

    def with_responses(self, data: Data, y: Tensor) -> Data:
        return data.with_response(y).with_columns(log_factorial=torch.lgamma(y.to(torch.float64) + 1))

    def prepare_prediction(self, data: Data) -> Data:
        return with_log_exposure(data)

    def use(self, distribution: CountDistribution) -> None:
        """Take the distribution that the model's settings say, and its parameters."""
        self.distribution = distribution
        self.parameters = dict(distribution.parameters)  # type: ignore[misc]  # this model's own

    @property
    def exog_names(self) -> list[str]:
        """Labels of all parameters, alpha and the inflation's coefficients included, as in statsmodels."""
        return list(self.layout.names)

    @property
    def k_extra(self) -> int:
        """Parameters beside the coefficients of the mean."""
        return len(self.layout.names) - len(self.layout.block("mu").labels)

    def _get_exogs(self) -> tuple[Any, Any]:
        """The designs of the mean and of alpha, as statsmodels' own score tests ask for them; None is a constant."""
        x = self.rows.x.get("alpha")
        return self.exog, None if x is None else x.cpu().numpy()

    def state(self) -> dict[str, Any]:
        return {**super().state(), **{name: getattr(self, name) for name in self.settings}}

    # -- likelihood --------------------------------------------------------------------------------------------

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return self.distribution.loglike(self._eta_of(p), data.y, data.log_factorial)

    def _eta_of(self, p: Values) -> Eta:
        return tuple(getattr(p.real, name) for name in self.parameters)

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        return self.distribution.derivatives(eta, data.y, data.log_factorial, order)

    def start(self) -> Tensor:
        """A Poisson fit, with the likeliest of some guesses for the other parameters."""
        return count_starts.start(self)

    def at_boundary(self, z: Tensor) -> Mapping[int, float]:
        return {entry: real for entry, real in constant_boundaries(self).values() if float(z[entry]) <= real}

    def _maximum(
        self,
        restrictions: Restrictions,
        start_params: Any,
        method: str,
        boundary: Mapping[int, float] = NOTHING,
        **options: Any,
    ) -> tuple[Objective, Optimum]:
        search = super()._maximum
        return best_inside_or_at_a_boundary(
            self, lambda at: search(restrictions, start_params, method, at, **options), restrictions
        )

    def separated(self, fit: Fit) -> Fit:
        limit = super().separated(fit)
        return limit if limit.separation is None else limit_at_a_boundary(limit)

    def score(self, params: Any) -> Any:
        """Gradient in the reported parameters, (k,); of one at the boundary of its range, the slope as it leaves it."""
        found, z = super().score(params), self._z(params)
        for name, (entry, real) in constant_boundaries(self).items():
            if float(z[entry]) <= real and not self.layout.block(name).is_identity:
                found[self.layout.block(name).reported] = slope(self, z, name)
        return found

    def score_factor(self, params: Any) -> Any:
        """Derivatives of each row's log-likelihood in its linear predictor and, after it in a tuple, in a constant alpha."""
        g = super().score_factor(params)
        if not self._has_constant_alpha:
            return g
        slope, _ = self._alpha_slopes(params)
        return g[:, 0], g[:, 1] / slope

    def hessian_factor(self, params: Any) -> Any:
        """Second derivatives as `score_factor` has the first: in the predictor, mixed, and in alpha."""
        h = super().hessian_factor(params)
        if not self._has_constant_alpha:
            return h
        slope, bend = self._alpha_slopes(params)
        return h[:, 0, 0], h[:, 0, 1] / slope, (h[:, 1, 1] - self.score_factor(params)[1] * bend) / slope**2

    @property
    def _has_constant_alpha(self) -> bool:
        return list(self.parameters) == ["mu", "alpha"] and "alpha" not in self.rows.x

    def _alpha_slopes(self, params: Any) -> tuple[float, float]:
        """First two derivatives of alpha on the real line where it is estimated."""
        alpha = float(np.asarray(params)[-1])
        return (alpha, alpha) if isinstance(self.parameters["alpha"], Log) else (1.0, 0.0)

    # -- predictions -------------------------------------------------------------------------------------------

    def predictable(self) -> tuple[str, ...]:
        return (*super().predictable(), "var", "prob")

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        """Also "var", the variance of the count, and "prob[3]", the probability of a count of three."""
        if which == "var":
            return self.distribution.moments(self._eta_of(p))[1]
        if which.startswith("prob[") and which.endswith("]"):
            y = torch.full((data.n,), float(which[5:-1]), dtype=torch.float64, device=data.device)
            return self.distribution.loglike(self._eta_of(p), y, torch.lgamma(y + 1)).exp()
        return super().predict_rows("linear" if which.startswith("lin") else which, p, data)

    def predict(
        self, params: Any, exog: Any = None, which: str = "mean", y_values: Any = None, **arguments: Any
    ) -> Any:
        """Predicted values at reported parameter values; with which="prob" one column for each of `y_values`."""
        if which != "prob":
            return super().predict(params, exog, which=which, **arguments)
        data, _ = new_rows(self, exog, False, arguments)
        return predicted_values(self, self._z(params), data, which, counts_of(self, which, y_values))

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        natural = {name: getattr(p, name).numpy() for name in self.parameters}
        return row_distribution(self.distribution, natural, self._eta_of(p))


class Poisson(CountModel):
    """Poisson regression: ``E[y] = exp(X b + offset) * exposure``.

    ``l_i = y_i eta_i - exp(eta_i) - log y_i!``.  The response need not be an integer (the quasi-likelihood of
    Gourieroux, Monfort and Trognon 1984); it must not be negative.

    Parameters
    ----------
    endog, exog : array_like
        Counts (n,) and design (n, k); no constant is added.
    offset : array_like, optional
        Added to the linear predictor.
    exposure : array_like, optional
        Multiplies the mean; positive.

    Examples
    --------
    >>> model = Poisson.from_formula("visits ~ age + income", df, exposure="years")
    >>> model.fit(cov_type="HC1", disp=False).converged
    True
    """

    results_class = CountResults
    family: ClassVar[Family] = families.Poisson()

    def start(self) -> Tensor:
        """One scoring step from means m halfway between the response and its mean: ``log m + (y - m) / m`` on X, weights m."""
        if "mu" not in self.rows.x:
            return super(CountModel, self).start()
        mean = count_starts.mean_response(self)

        def working(block: Data) -> tuple[Tensor, Tensor]:
            middle = (block.y + mean) / 2
            return middle, middle.log() + (block.y - middle) / middle - linear_offset(block)

        start = torch.zeros(self.layout.size, dtype=torch.float64)
        if mean > 0:
            start[self.layout.block("mu").reals] = starts.weighted_least_squares(self, working)
        return start

    def expected_information(self, z: Tensor) -> Tensor:
        return -self.sums(z, 2)[2]

    def expected_curvature(self, eta: Eta, data: Data) -> Tensor:
        return -eta[0].exp()

    def null_loglike(self) -> float:
        """Maximum of the log-likelihood over a constant mean (times exposure)."""

        def columns(block: Data) -> tuple[Tensor, Tensor]:
            weights, offset = block.get("freq_weights"), torch.zeros_like(block.y) + linear_offset(block)
            return torch.ones_like(block.y) if weights is None else weights, offset

        def offsets(block: Data) -> tuple[Tensor]:
            weights, offset = columns(block)
            return (offset @ weights,)

        centre = float(row_sums(offsets, self.rows)[0]) / self.nobs  # exp() of the offset itself may overflow

        def parts(block: Data) -> tuple[Tensor, Tensor, Tensor]:
            weights, offset = columns(block)
            known = block.y * (offset - centre) - block.log_factorial
            return block.y @ weights, (offset - centre).exp() @ weights, known @ weights

        count, exposure, known = (float(value) for value in row_sums(parts, self.rows))
        return (count * math.log(count / exposure) if count > 0 else 0.0) - count + known

    def cdf(self, X: Any) -> Any:
        """Probability of at most the observed count in each row, at these linear predictors (n,)."""
        from scipy import stats  # loaded late: it is slow to import

        return stats.poisson.cdf(self.endog, np.exp(X))

    def pdf(self, X: Any) -> Any:
        """Probability of the observed count in each row, at these linear predictors (n,)."""
        from scipy import stats  # loaded late: it is slow to import

        return stats.poisson.pmf(self.endog, np.exp(X))
