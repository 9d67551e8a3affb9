"""Generalised linear models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .. import starts
from ..autodiff import Curvature, Eta
from ..covariance import Covariance, Expected
from ..data import Data
from ..families import Binomial, Family, Gaussian, links
from ..fit import Fit
from ..objective import Objective
from ..optim import Optimum
from ..parameters import Values
from ..regression import RegressionModel, linear_offset
from ..sums import row_map, row_sums
from ..transforms import Identity
from .exposure import with_log_exposure
from .glm_results import GLMResults

SCALES = ("x2", "dev")


class GLM(RegressionModel):
    """A generalised linear model: ``E[y] = m(X b + offset)``, ``Var[y] = scale V(mu) / var_weights``.

    Estimates maximise the likelihood, which does not depend on the dispersion; families without a fixed dispersion
    have theirs estimated by Pearson's chi-squared over its degrees of freedom.  ``method="irls"``, the default,
    starts with a step of iteratively reweighted least squares and reports standard errors by the expected
    information; any other method reports those of the observed information.  For canonical links they agree.

    Parameters
    ----------
    endog : array_like
        Response (n,); for a `Binomial` also 0 and 1, shares, or two columns of successes and failures.
    exog : array_like
        Design (n, k); no constant is added.
    family : Family
        Such as ``families.Gamma(families.links.Log())``; `Gaussian` when left out.
    offset, exposure : array_like, optional
        Added to the linear predictor; exposure by its logarithm, with log links only.
    freq_weights : array_like, optional
        How many times each row counts.
    var_weights : array_like, optional
        Inverse variances; for shares, the numbers of trials.

    Examples
    --------
    >>> family = tm.families.Poisson()
    >>> GLM.from_formula("visits ~ age + income", df, family=family, exposure="years").fit().converged
    True

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models.
    """

    parameters = {"mu": Identity()}  # the family's link takes its place
    row_arguments: ClassVar[tuple[str, ...]] = ("offset", "exposure", "var_weights")
    prediction_arguments: ClassVar[tuple[str, ...]] = ("n_trials",)
    settings: ClassVar[tuple[str, ...]] = ("family",)
    results_class = GLMResults
    default_method = "irls"

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        family: Family | None = None,
        offset: Any = None,
        exposure: Any = None,
        freq_weights: Any = None,
        var_weights: Any = None,
        missing: str = "none",
        **arguments: Any,
    ):
        rows = {"offset": offset, "exposure": exposure, "freq_weights": freq_weights, "var_weights": var_weights}
        super().__init__(endog, exog, family=family, missing=missing, **rows, **arguments)

    def configure(self, **settings: Any) -> None:
        family = settings.get("family")
        if family is not None and not isinstance(family, Family):
            raise TypeError(f"family must be an instance such as families.Poisson(), not {family!r}")
        self.family = Gaussian() if family is None else family
        self.parameters = {"mu": self.family.link.transform}  # type: ignore[misc]  # this model's own
        self.family.warn_of_domain()

    @property
    def link(self) -> links.Link:
        """The family's link."""
        return self.family.link

    # -- rows --------------------------------------------------------------------------------------------------

    def prepare(self, data: Data) -> Data:
        if data.y.ndim == 2:
            data = self._shares(data)
        low, high = self.family.response
        y = data.y
        if not bool(((y >= low) & (y <= high)).all()) or (self.family.positive and not bool((y > 0).all())):
            raise ValueError(
                f"{self.endog_names}: a {type(self.family).__name__} response must be "
                f"{self.family.describe_response()}; it runs from {float(y.min()):g} to {float(y.max()):g}"
            )
        weights = data.get("var_weights")
        if weights is not None and not bool(((weights >= 0) & torch.isfinite(weights)).all()):
            raise ValueError(f"var_weights must not be negative or infinite; the smallest is {float(weights.min()):g}")
        constant = self.family.constant(y.to(torch.float64), data.get("trials"))
        data = data if constant is None else data.with_columns(constant=constant)
        return super().prepare(self.prepare_prediction(data))

    def _shares(self, data: Data) -> Data:
        """Two columns of successes and failures as shares of trials."""
        if not isinstance(self.family, Binomial) or data.y.shape[1] != 2:
            raise ValueError(
                f"endog has {data.y.shape[1]} columns; only a Binomial response may have two, successes and failures"
            )
        trials = data.y.sum(1)
        if not bool((data.y >= 0).all() & (trials > 0).all()):
            raise ValueError(f"{self.endog_names}: successes and failures must not be negative, nor both be zero")
        return data.with_response(data.y[:, 0] / trials).with_columns(trials=trials)

    def prepare_prediction(self, data: Data) -> Data:
        if data.get("exposure") is not None and not self.link == links.Log():
            raise ValueError("exposure can only be used with the log link function")
        return with_log_exposure(data)

    @staticmethod
    def row_weight(data: Data) -> Tensor | float:
        """Inverse variances times trials."""
        weights, trials = data.get("var_weights"), data.get("trials")
        if weights is None:
            return 1.0 if trials is None else trials
        return weights if trials is None else weights * trials

    # -- likelihood --------------------------------------------------------------------------------------------

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        """Log-likelihood of each row at unit dispersion; for an estimated one, minus half the deviance."""
        return self._weighted(self.family.kernel(data.y, p.real.mu).value, data)

    def _weighted(self, value: Tensor, data: Data) -> Tensor:
        constant, weights = data.get("constant"), data.get("var_weights")
        value = self.row_weight(data) * value
        if constant is None:
            return value
        return value + (constant if weights is None else weights * constant)

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        kernel, weight = self.family.kernel(data.y, eta[0]), self.row_weight(data)
        return self._weighted(kernel.value, data), (weight * kernel.first,), ((weight * kernel.second,),)

    def expected_curvature(self, eta: Eta, data: Data) -> Tensor:
        """Expected second derivative of each row in the linear predictor, (n,)."""
        return -self.row_weight(data) * self.family.information(eta[0])

    def expected_information(self, z: Tensor) -> Tensor:
        point = z.to(self.rows.device)

        def block_sums(block: Data) -> tuple[Tensor]:
            return (self.assemble(((self.expected_curvature(self.eta(point, block), block),),), block),)

        return -row_sums(block_sums, self.rows)[0]

    def start(self) -> Tensor:
        """One step of iteratively reweighted least squares from means near the response, or a constant mean."""
        if "mu" not in self.rows.x:
            return super().start()
        mean, _ = starts.moments(self.rows)

        def working(block: Data) -> tuple[Tensor, Tensor]:
            eta = self.link.transform.inverse(self.family.start(block.y, mean))
            slope, _ = self.link.slopes(eta)
            rest = block.y - self.link.transform(eta)
            return -self.expected_curvature((eta,), block), eta + rest / slope - linear_offset(block)

        def level(block: Data) -> tuple[None, Tensor]:
            centre = self.link.transform.inverse(torch.full_like(block.y, mean))
            return None, centre - linear_offset(block)

        points = [starts.weighted_least_squares(self, guess) for guess in (working, level)]
        zero = torch.zeros(self.layout.size, dtype=torch.float64)
        finite = [zero.index_add(0, torch.arange(len(p)), p) for p in points if bool(torch.isfinite(p).all())]
        return starts.best(self, [*finite, zero])

    # -- fitting -----------------------------------------------------------------------------------------------

    @classmethod
    def method_name(cls, method: str | None, options: Mapping[str, Any]) -> str:
        if (method or cls.default_method).lower() != "irls":
            return super().method_name(method, options)
        super().method_name("newton", options)
        return "irls"

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        if method != "irls":
            return super().maximize(objective, start, method, **options)
        return replace(super().maximize(objective, start, "newton", **options), method="irls")

    def choose_covariance(
        self, cov_type: str | None, cov_kwds: Mapping[str, Any] | None, method: str
    ) -> Covariance | None:
        plain = cov_type is not None and cov_type.lower() == "nonrobust" and not cov_kwds
        if plain and method == "irls" and not self.family.is_canonical:  # else expected is observed
            return Expected(name="nonrobust")
        return super().choose_covariance(cov_type, cov_kwds, method)

    def fit(  # type: ignore[override]  # statsmodels' order of arguments
        self,
        start_params: Any = None,
        maxiter: int | None = None,
        method: str | None = None,
        tol: float | None = None,
        scale: str | float | None = None,
        cov_type: str | None = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        disp: bool | None = None,
        **options: Any,
    ) -> Any:
        """Maximise the likelihood; as `LikelihoodModel.fit`, with a choice of the dispersion.

        Parameters
        ----------
        method : str, optional
            "irls" (default) or any method of other models.
        scale : {"X2", "dev"} or float, optional
            The dispersion: Pearson's chi-squared or the deviance over the residual degrees of freedom, or a number.
            None: 1 for Binomial, Poisson and NegativeBinomial, Pearson's for the others.
        """
        if isinstance(scale, str) and scale.lower() not in SCALES:
            raise ValueError(f"scale must be one of: 'x2', 'dev', or a number, not {scale!r}")
        results = super().fit(
            start_params, method, maxiter, tol, cov_type=cov_type, cov_kwds=cov_kwds, use_t=use_t, disp=disp, **options
        )
        if scale is None:
            return results
        fit = replace(
            results.fit,
            settings={**results.fit.settings, "scale": scale.lower() if isinstance(scale, str) else float(scale)},
        )
        return type(results)(fit, results.covariance, results.use_t)

    # -- dispersion --------------------------------------------------------------------------------------------

    def dispersion(self, fit: Fit) -> float:
        told = fit.settings.get("scale")
        if isinstance(told, float) or (told is None and not self.family.estimates_scale):
            return 1.0 if told is None else told
        df = fit.nobs - fit.rank
        pearson, deviance = self.discrepancies(fit.z)
        return (deviance if told == "dev" else pearson) / df if df > 0 else float("nan")

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

    def _density_scale(self, z: Tensor, scale: float) -> float:
        """The dispersion a likelihood is taken at: for least squares its maximum, ssr / n; else the one given."""
        return self.discrepancies(z)[1] / self.nobs if self.is_least_squares else scale

    @property
    def is_least_squares(self) -> bool:
        """Whether this is linear regression."""
        return isinstance(self.family, Gaussian) and self.link == links.Identity()

    def _row_densities(self, z: Tensor, scale: float) -> Tensor:
        point = z.to(self.rows.device)

        def rows(block: Data) -> Tensor:
            eta = self.eta(point, block)[0]
            if "constant" in block.columns:
                value = self._weighted(self.family.kernel(block.y, eta).value, block)
                return value if isinstance(self.family, Binomial) else value / scale
            weight = torch.as_tensor(self.row_weight(block), dtype=torch.float64, device=block.device)
            dispersion = torch.as_tensor(scale, dtype=torch.float64, device=block.device)
            return self.family.log_density(block.y, self.link.transform(eta), weight, dispersion)

        return row_map(rows, self.rows)

    def _total(self, rows: Tensor) -> float:
        frequency = self.rows.get("freq_weights")
        return float(rows.sum() if frequency is None else rows @ frequency.cpu().to(rows.dtype))

    def loglike_rows(self, fit: Fit) -> Tensor:
        return self._row_densities(fit.z, self._density_scale(fit.z, fit.scale))

    def loglike_at(self, fit: Fit) -> float:
        return self._total(self.loglike_rows(fit))

    # -- public derivatives ------------------------------------------------------------------------------------

    def _scale_at(self, z: Tensor, scale: float | None) -> float:
        if scale is not None:
            return float(scale)
        if not self.family.estimates_scale:
            return 1.0
        return self.discrepancies(z)[0] / (self.nobs - self.layout.size)

    def loglike(self, params: Any, scale: float | None = None) -> float:
        """Log-likelihood at a dispersion, by default the one estimated at these parameters."""
        z = self._z(params)
        if scale is None and self.is_least_squares:
            return self._total(self._row_densities(z, self._density_scale(z, 1.0)))
        return self._total(self._row_densities(z, self._scale_at(z, scale)))

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

    def score_factor(self, params: Any, scale: float | None = None) -> Any:
        """Derivative of each row's log-likelihood in its linear predictor, (n,)."""
        z = self._z(params)
        return self._eta_rows(z, lambda eta, block: self.eta_derivatives((eta,), block, 1)[1][0]) / self._scale_at(
            z, scale
        )

    def hessian_factor(self, params: Any, scale: float | None = None, observed: bool = True) -> Any:
        """Minus the second derivative of each row's log-likelihood in its linear predictor, (n,)."""
        z = self._z(params)

        def rows(eta: Tensor, block: Data) -> Tensor:
            if observed:
                return -self.eta_derivatives((eta,), block, 2)[2][0][0]
            return -self.expected_curvature((eta,), block)

        return self._eta_rows(z, rows) / self._scale_at(z, scale)

    def _eta_rows(self, z: Tensor, function: Any) -> np.ndarray:
        """A function of the linear predictor at each row, times frequencies, (n,)."""
        point = z.to(self.rows.device)

        def rows(block: Data) -> Tensor:
            values, frequency = function(self.eta(point, block)[0], block), block.get("freq_weights")
            return values if frequency is None else values * frequency

        return row_map(rows, self.rows).numpy()

    def estimate_scale(self, mu: Any) -> float:
        """Dispersion at some means: 1, or Pearson's chi-squared over its degrees of freedom."""
        if not self.family.estimates_scale:
            return 1.0
        frequency = self.rows.get("freq_weights")
        weight = torch.as_tensor(self.row_weight(self.rows)) * (1.0 if frequency is None else frequency)
        mean = torch.as_tensor(np.asarray(mu), dtype=torch.float64, device=self.rows.device)
        pearson = weight * self.family.unit_pearson(self.rows.y, mean)
        return float(pearson.sum()) / (self.nobs - self.layout.size)

    # -- predictions -------------------------------------------------------------------------------------------

    def smooth_response(self, y: Tensor) -> Tensor:
        return y.clamp(0.25, 0.75) if isinstance(self.family, Binomial) else y

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        names = ("var_weights", "n_trials")
        given = {name: data.columns[name].double().numpy() for name in names if name in data.columns}
        return self.family.get_distribution(p.mu.numpy(), scale, **given)

    def get_distribution(  # type: ignore[override]  # statsmodels' order of arguments
        self, params: Any, scale: float | None = None, exog: Any = None, **arguments: Any
    ) -> Any:
        """The distribution of each row at parameter values and a dispersion; see `RegressionModel.get_distribution`."""
        return super().get_distribution(params, exog, scale=self._scale_at(self._z(params), scale), **arguments)

    def predictable(self) -> tuple[str, ...]:
        return ("mean", "linear", "mu", "var_unscaled")

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        return self.family.variance(p.mu) if which == "var_unscaled" else super().predict_rows(which, p, data)
