"""A generalised linear model's dispersion and densities, evaluated where a user asks, under statsmodels' names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compute.processes import gather
from ...data import Data
from ...data.tensors import as_double
from ...families import Binomial, Family, Gaussian, links
from ...fitting.fit import Fit
from ...inference.distributions import chi2_tail
from ...sums import row_map, row_sums
from ..exposure import LinearArguments

if TYPE_CHECKING:
    from ...regression import RegressionModel as Base
else:
    Base = object

Array = NDArray[np.float64]
SCALES = ("x2", "dev")


def told_scale(scale: Any) -> str | np.float64 | None:
    """A choice of the dispersion: "x2", "dev", a number, or None for the family's own."""
    if scale is None:
        return None
    if isinstance(scale, str):
        if scale.lower() in SCALES:
            return scale.lower()
        raise ValueError(f"scale must be one of: 'x2', 'dev', or a number, not {scale!r}")
    return np.float64(scale)


class GLMSurface(LinearArguments, Base):
    """What `GLM` adds to a regression model for its users.

    Likelihood, score and curvature at given parameters, dispersions at given means, weights as arrays.

    Attributes
    ----------
    scaletype : {"x2", "dev"}, float or None
        The dispersion that `estimate_scale` and evaluations without a `scale` take: Pearson's chi-squared or the
        deviance over the residual degrees of freedom, or a number.  None: 1 for families without one, else Pearson's.
    """

    family: Family
    scaletype: Any = None
    given_names: Mapping[str, str] = MappingProxyType({})

    @property
    def link(self) -> links.Link:
        """The family's link."""
        return self.family.link

    @property
    def is_least_squares(self) -> bool:
        """Whether this is linear regression."""
        return isinstance(self.family, Gaussian) and self.link == links.Identity()

    # -- rows --------------------------------------------------------------------------------------------------

    def _weights(self, *names: str) -> Array:
        product = np.ones(self.rows.n)
        for name in names:
            values = self.rows.get(name)
            product = product if values is None else product * values.double().cpu().numpy()
        return product

    @property
    def freq_weights(self) -> Array:
        """How many times each row counts, (n,)."""
        return self._weights("freq_weights")

    @property
    def var_weights(self) -> Array:
        """Inverse variances, (n,)."""
        return self._weights("var_weights")

    @property
    def n_trials(self) -> Array:
        """Trials of each row of a binomial response, (n,)."""
        return self._weights("trials")

    @property
    def iweights(self) -> Array:
        """Weight of each row in the score: frequency times inverse variance times trials, (n,)."""
        return self._weights("freq_weights", "var_weights", "trials")

    @property
    def wnobs(self) -> float:
        """Observations: rows, or the sum of their frequencies."""
        return self.nobs

    def _name_of(self, argument: str) -> str | None:
        return self.given_names.get(argument) if argument in self.given_arguments else None

    def _given(self, column: str, name: str) -> Array | None:  # type: ignore[override]  # as in statsmodels' GLM
        """None where it was not given; other models have no such attribute then."""
        return None if self.rows.get(column) is None else super()._given(column, name)

    @property
    def offset_name(self) -> str | None:
        """Label of the offset."""
        return self._name_of("offset")

    @property
    def exposure_name(self) -> str | None:
        """Label of the exposure."""
        return self._name_of("exposure")

    @property
    def freq_weights_name(self) -> str | None:
        """Label of the frequency weights."""
        return self._name_of("freq_weights")

    @property
    def var_weights_name(self) -> str | None:
        """Label of the inverse variances."""
        return self._name_of("var_weights")

    def _get_init_kwds(self) -> dict[str, Any]:
        kwds = super()._get_init_kwds()
        return {**kwds, "n_trials": self.n_trials} if "trials" in self.rows.columns else kwds

    @staticmethod
    def row_weight(data: Data) -> Tensor | float:
        """Inverse variances times trials."""
        weights, trials = data.get("var_weights"), data.get("trials")
        if weights is None:
            return 1.0 if trials is None else trials
        return weights if trials is None else weights * trials

    # -- dispersion --------------------------------------------------------------------------------------------

    def dispersion(self, fit: Fit) -> float:
        told = fit.settings.get("scale")
        if told is None and not self.family.estimates_scale:
            return 1.0
        return self.scale_of(told, *self.discrepancies(fit.z), fit.rank)

    def discrepancies(self, z: Tensor) -> tuple[float, float]:
        """Pearson's chi-squared and the deviance, weights included."""
        point = z.to(self.rows.device)

        def sums(block: Data) -> tuple[Tensor, Tensor]:
            mu, frequency = self.link.transform(self.eta(point, block)[0]), block.get("freq_weights")
            weight = self.row_weight(block) * (1.0 if frequency is None else frequency)
            pearson = self.family.unit_pearson(block.y, mu)
            return (weight * pearson).sum(), (weight * self.family.unit_deviance(block.y, mu)).sum()

        pearson, deviance = row_sums(sums, self.rows)
        return float(pearson), float(deviance)

    def estimate_scale(self, mu: Any) -> float:
        """Dispersion at some means, by `scaletype`.

        Parameters
        ----------
        mu : array_like
            (n,).
        """
        if self.scaletype is not None and not isinstance(self.scaletype, str | float | int):
            raise ValueError(f"scaletype must be 'x2', 'dev', a number or None, not {self.scaletype!r}")
        if isinstance(self.scaletype, str) and self.scaletype.lower() not in SCALES:
            raise ValueError(f"scaletype must be one of: 'x2', 'dev', a number or None, not {self.scaletype!r}")
        return self.scale_of(told_scale(self.scaletype), *self.discrepancies_at(mu), self.rank)

    def scale_of(self, told: str | float | None, pearson: float, deviance: float, rank: int) -> float:
        """The dispersion: the one told, or from Pearson's chi-squared or the deviance and the degrees of freedom."""
        if told is None and not self.family.estimates_scale:
            return 1.0
        if told is not None and not isinstance(told, str):
            return told
        df = self.nobs - rank
        return np.float64((deviance if told == "dev" else pearson) / df) if df > 0 else math.nan

    def discrepancies_at(self, mu: Any) -> tuple[float, float]:
        """Pearson's chi-squared and the deviance at some means, weights included."""
        mean, y = as_double(mu), as_double(self.endog)
        pearson, unit = self.family.unit_pearson(y, mean), self.family.unit_deviance(y, mean)
        here = np.array([self.iweights @ pearson.numpy(), self.iweights @ unit.numpy()])
        both = sum(gather(here, self.rows.group))
        return float(both[0]), float(both[1])

    def estimate_tweedie_power(self, mu: Any, method: str = "brentq", low: float = 1.01, high: float = 5.0) -> float:
        """Power of a Tweedie variance function: the root of Pearson's estimating equation.

        ``sum w log(mu) ((y - mu)^2 / (scale mu^p) - 1) = 0`` with Pearson's scale at each p.

        Parameters
        ----------
        mu : array_like
            Means, (n,).
        method : {"brentq"}
        low, high : float
            Where to look for it.

        Raises
        ------
        ValueError
            The equation has no root there, or more than one.
        """
        if method != "brentq":
            raise NotImplementedError(f"method must be 'brentq', not {method!r}")
        from scipy.optimize import brentq

        mean, weight = np.asarray(mu, dtype=float), self.iweights
        squares, df = (self.endog - mean) ** 2, self.nobs - self.rank

        def equation(power: float) -> float:
            pearson = squares / mean**power
            return float(weight @ ((pearson / (weight @ pearson / df) - 1) * np.log(mean)))

        return float(brentq(equation, low, high))

    # -- densities ---------------------------------------------------------------------------------------------

    def _weighted(self, value: Tensor, data: Data) -> Tensor:
        constant, weights = data.get("constant"), data.get("var_weights")
        value = self.row_weight(data) * value
        if constant is None:
            return value
        return value + (constant if weights is None else weights * constant)

    def _density_scale(self, z: Tensor, scale: float) -> float:
        """The dispersion a likelihood is taken at: for least squares its maximum, ssr / n; else the one given."""
        return self.discrepancies(z)[1] / self.nobs if self.is_least_squares else scale

    def _row_densities(self, z: Tensor, scale: float) -> Tensor:
        point = z.to(self.rows.device)

        def rows(block: Data) -> Tensor:
            eta = self.eta(point, block)[0]
            if "constant" in block.columns:
                value = self._weighted(self.family.kernel(block.y, eta).value, block)
                return value if isinstance(self.family, Binomial) else value / scale
            weight = torch.as_tensor(self.row_weight(block), dtype=torch.float64, device=block.device)
            dispersion = torch.as_tensor(scale, dtype=torch.float64, device=block.device)
            perfect = self.family.perfect(block.y, weight, dispersion)
            return perfect + self.family.kernel(block.y, eta).value * weight / dispersion  # means may be beyond numbers

        return row_map(rows, self.rows)

    def _total(self, rows: Tensor) -> float:
        frequency = self.rows.get("freq_weights")
        here = float(rows.sum() if frequency is None else rows @ frequency.cpu().to(rows.dtype))
        return math.fsum(gather(here, self.rows.group))

    def loglike_rows(self, fit: Fit) -> Tensor:
        return self._row_densities(fit.z, self._density_scale(fit.z, fit.scale))

    def loglike_at(self, fit: Fit) -> float:
        return self._total(self.loglike_rows(fit))

    # -- at parameters -----------------------------------------------------------------------------------------

    def _scale_at(self, z: Tensor, scale: float | None) -> float:
        if scale is not None:
            return float(scale)
        if self.scaletype is None and not self.family.estimates_scale:
            return 1.0
        return self.estimate_scale(self._eta_rows(z, lambda eta, block: self.link.transform(eta), counted=False))

    def loglike(self, params: Any, scale: float | None = None) -> float:
        """Log-likelihood at a dispersion, by default the one estimated at these parameters."""
        return np.float64(self._total(self._densities_at(params, scale)))

    def loglikeobs(self, params: Any, scale: float | None = None) -> Any:
        """Log-likelihood of each row, weights included, (n,); they add up to `loglike`."""
        frequency = self.rows.get("freq_weights")
        values = self._densities_at(params, scale)
        return (values if frequency is None else values * frequency.cpu()).numpy()

    def _densities_at(self, params: Any, scale: float | None) -> Tensor:
        z = self._z(params)
        if scale is None and self.is_least_squares:
            return self._row_densities(z, self._density_scale(z, 1.0))
        return self._row_densities(z, self._scale_at(z, scale))

    def loglike_mu(self, mu: Any, scale: float = 1.0) -> float:
        """Log-likelihood at some means, (n,), and a dispersion."""
        mean = np.asarray(mu, dtype=float)
        return np.float64(self.family.loglike(self.endog, mean, self.var_weights, self.freq_weights, scale))

    def score(self, params: Any, scale: float | None = None) -> Any:
        """Gradient of the log-likelihood at a dispersion held fixed, (k,)."""
        return super().score(params) / self._scale_at(self._z(params), scale)

    def score_obs(self, params: Any, scale: float | None = None) -> Any:
        """Score of each row, weights included, (n, k)."""
        return super().score_obs(params) / self._scale_at(self._z(params), scale)

    def hessian(self, params: Any, scale: float | None = None, observed: bool = True) -> Any:
        """Second derivatives of the log-likelihood at a dispersion held fixed, or their expectation, (k, k)."""
        z = self._z(params)
        if observed:
            return super().hessian(params) / self._scale_at(z, scale)
        inverse = self._inverse_jacobian(z)
        return -(inverse.T @ self.expected_information(z) @ inverse).numpy() / self._scale_at(z, scale)

    def information(self, params: Any, scale: float | None = None) -> Any:
        """Expected information of statsmodels' sign: the expected second derivatives, (k, k)."""
        return self.hessian(params, scale, observed=False)

    def score_factor(self, params: Any, scale: float | None = None) -> Array:
        """Derivative of each row's log-likelihood in its linear predictor, (n,)."""
        z = self._z(params)
        rows = self._eta_rows(z, lambda eta, block: self.eta_derivatives((eta,), block, 1)[1][0])
        return rows / self._scale_at(z, scale)

    def hessian_factor(self, params: Any, scale: float | None = None, observed: bool = True) -> Array:
        """Minus the second derivative of each row's log-likelihood in its linear predictor, (n,)."""
        z = self._z(params)

        def rows(eta: Tensor, block: Data) -> Tensor:
            if observed:
                return -self.eta_derivatives((eta,), block, 2)[2][0][0]
            return -self.expected_curvature((eta,), block)

        return self._eta_rows(z, rows) / self._scale_at(z, scale)

    def score_test(
        self, params_constrained: Any, k_constraints: int | None = None, exog_extra: Any = None, observed: bool = True
    ) -> tuple[float, float, int]:
        """Score test of constraints or of columns left out: statistic, p-value, degrees of freedom.

        ``s' I^-1 s`` with score and information at the constrained estimate; results' `score_test` has robust forms.

        Parameters
        ----------
        params_constrained : array_like
            (k,) the estimate under the constraints; zero for columns left out.
        k_constraints : int, optional
            How many constraints there are, where no columns are given.
        exog_extra : array_like, optional
            Columns left out, (n,) or (n, q).
        observed : bool
            Take the observed information, or the expected.
        """
        if exog_extra is None and k_constraints is None:
            raise ValueError("score_test needs k_constraints or exog_extra")
        extra = np.zeros((len(self.exog), 0)) if exog_extra is None else np.asarray(exog_extra, dtype=float)
        extra = extra.reshape(len(self.exog), -1)
        x, count = np.column_stack([self.exog, extra]), k_constraints if exog_extra is None else extra.shape[1]
        score = x.T @ self.score_factor(params_constrained)
        weight = self.hessian_factor(params_constrained, observed=observed)
        statistic = float(score @ np.linalg.solve(x.T * weight @ x, score))
        return statistic, float(chi2_tail(statistic, count)) if count else math.nan, int(count or 0)

    def _eta_rows(self, z: Tensor, function: Callable[[Tensor, Data], Tensor], counted: bool = True) -> Array:
        """A function of the linear predictor at each row, (n,); times frequencies if it is to be `counted`."""
        point = z.to(self.rows.device)

        def rows(block: Data) -> Tensor:
            values, frequency = function(self.eta(point, block)[0], block), block.get("freq_weights")
            return values if frequency is None or not counted else values * frequency

        return row_map(rows, self.rows).numpy()
