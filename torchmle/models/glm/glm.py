"""Generalised linear models."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...base.door import zero_weights_count_nothing
from ...compute.autodiff import Curvature, Eta
from ...covariance import Covariance, Expected
from ...data import Data
from ...errors import FitInterrupted, SpecificationWarning
from ...families import Binomial, Family, Gaussian, links
from ...families.saving import describe, restore
from ...fitting import starts
from ...fitting.columns import linear_offset
from ...fitting.edge_separation import at_the_edge
from ...fitting.fit import Fit
from ...fitting.maximum import LOST
from ...fitting.objective import InUnits, Objective
from ...formula import Design
from ...optim import Optimum, Status, interruption
from ...optim.verdict import quadratic
from ...parameters import Values
from ...regression import RegressionModel
from ...sums import row_sums
from ...transforms import Identity
from ..exposure import with_log_exposure
from ..penalised import ElasticNet
from .edges import best_within, ends, recovered, start_within
from .results import PERFECT, GLMResults
from .surface import GLMSurface, told_scale


class GLM(GLMSurface, ElasticNet, RegressionModel):
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
        Inverse variances; of shares, their trials.
    n_trials : array_like, optional
        Trials of each row, for a Binomial response of shares.

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
    row_arguments: ClassVar[tuple[str, ...]] = ("offset", "exposure", "var_weights", "n_trials")
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
        self.given_names = {name: str(getattr(values, "name", None) or name) for name, values in rows.items()}
        super().__init__(endog, exog, family=family, missing=missing, **rows, **arguments)

    def configure(self, **settings: Any) -> None:
        family = settings.get("family")
        if family is not None and not isinstance(family, Family):
            raise TypeError(f"family must be an instance such as families.Poisson(), not {family!r}")
        self.family = Gaussian() if family is None else family
        self.parameters = {"mu": self.family.link.transform}  # type: ignore[misc]  # this model's own
        self.family.warn_of_domain()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "described": describe(self.family)}

    @classmethod
    def without_rows(cls, design: Design, shift: Mapping[str, Tensor], state: Mapping[str, Any]) -> Any:
        rest = {name: value for name, value in state.items() if name != "described"}
        return super().without_rows(design, shift, {**rest, "family": restore(state["described"])})

    # -- rows --------------------------------------------------------------------------------------------------

    def prepare(self, data: Data) -> Data:
        if data.y.ndim == 2 or data.get("n_trials") is not None:
            data = self._shares(data)
        low, high = self.family.response
        y = data.y
        if not bool(((y >= low) & (y <= high)).all()) or (self.family.positive and not bool((y > 0).all())):
            raise ValueError(
                f"{self.endog_names}: a {type(self.family).__name__} response must be "
                f"{self.family.describe_response()}; it runs from {float(y.min()):g} to {float(y.max()):g}"
            )
        data = self._with_positive_weights(zero_weights_count_nothing(data, "var_weights"))
        constant = self.family.constant(y.to(torch.float64), data.get("trials"), data.get("var_weights"))
        data = data if constant is None else data.with_columns(constant=constant)
        return super().prepare(self.prepare_prediction(data))

    @staticmethod
    def _with_positive_weights(data: Data) -> Data:
        """Rows of weight zero, which count nothing, with a weight at which densities are finite."""
        weights = data.get("var_weights")
        if weights is None or bool((weights > 0).all()):
            return data
        return data.with_columns(var_weights=torch.where(weights > 0, weights, 1.0), weightless=weights == 0)

    def _shares(self, data: Data) -> Data:
        """Two columns of successes and failures as shares of trials; or shares with their trials; without any, a row is none."""
        columns, trials = 1 if data.y.ndim == 1 else data.y.shape[1], data.get("n_trials")
        if not isinstance(self.family, Binomial):
            raise ValueError(f"{type(self.family).__name__} takes a response of one column and no n_trials")
        if columns > 2:
            raise ValueError(f"endog has more than 2 columns ({columns}); a Binomial takes successes and failures")
        if trials is not None:
            if columns > 1:
                raise ValueError("n_trials go with a response of shares, not with successes and failures")
            return zero_weights_count_nothing(data.with_columns(n_trials=trials, trials=trials), "n_trials")
        trials = data.y.sum(1)
        if not bool((data.y >= 0).all() & (trials > 0).any()):
            raise ValueError(f"{self.endog_names}: successes and failures must not be negative, nor all be zero")
        shares = torch.where(trials > 0, data.y[:, 0] / trials, 0.0)
        return zero_weights_count_nothing(data.with_response(shares).with_columns(trials=trials), "trials")

    def prepare_prediction(self, data: Data) -> Data:
        if data.get("exposure") is not None and not self.link == links.Log():
            raise ValueError("exposure can only be used with the log link function")
        return with_log_exposure(data)

    # -- likelihood --------------------------------------------------------------------------------------------

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        """Log-likelihood of each row at unit dispersion; for an estimated one, minus half the deviance."""
        return self._weighted(self.family.kernel(data.y, p.real.mu).value, data)

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

    def start_within(self, objective: Objective, start: Tensor) -> Tensor:
        """The start itself, or a point inside the domain of the link where an offset or a fixed value keeps it out."""
        if self.rows.group is not None or math.isfinite(float(objective.hessian(start)[0])):
            return start
        found = start_within(objective, start, self.family)
        return start if found is None else found

    # -- fitting -----------------------------------------------------------------------------------------------

    @classmethod
    def method_name(cls, method: str | None, options: Mapping[str, Any]) -> str:
        if (method or cls.default_method).lower() != "irls":
            return super().method_name(method, options)
        super().method_name("newton", options)
        return "irls"

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        used = InUnits(objective, self._dispersion_near(objective, start))
        try:
            found = super().maximize(used, start, "newton" if method == "irls" else method, **options)
        except FitInterrupted as stop:
            if stop.optimum is None:
                raise
            raise interruption(used.undone(stop.optimum)) from None
        if found.status is Status.NOT_FINITE_START and self._infeasible(objective, start):
            found = replace(found, status=Status.INFEASIBLE)
        if meets_an_edge(used, found):
            found = best_within(used, start, replace(found, status=Status.EDGE), self.family)
        found = used.undone(found)
        return replace(found, method=method) if method == "irls" else found

    def separated(self, fit: Fit) -> Fit:
        found, limits = super().separated(fit), ends(self.family)
        bounded = any(math.isfinite(end.predictor) for end in limits)
        if not bounded or found.separation is not None or self.rows.group is not None:
            return found
        if found.optimum.status in LOST and found.optimum.status is not Status.EDGE:
            objective = Objective(self, found.coordinates)
            found = replace(found, optimum=recovered(objective, found.optimum, self.family))
        if not (found.optimum.converged or found.optimum.status is Status.EDGE):
            return found
        return at_the_edge(
            found, self.link.transform, limits
        )  # also of a search that converged: a root is level at its end

    def _infeasible(self, objective: Objective, start: Tensor) -> bool:
        """Whether no parameters keep every row within the domain of the link."""
        return self.rows.group is None and start_within(objective, start, self.family) is None

    def _dispersion_near(self, objective: Objective, point: Tensor) -> float:
        """Mean deviance at a point; 1 where no dispersion is estimated, or only rounding errors deviate."""
        if not self.family.estimates_scale:
            return 1.0
        z = objective.coordinates.z(point).to(self.rows.device)

        def squares(block: Data) -> tuple[Tensor, Tensor]:
            y = block.y.to(torch.float64)
            return (y - self.link.transform(self.eta(z, block)[0])).square().sum(), y.square().sum()

        rest, whole = (float(value) for value in row_sums(squares, self.rows))
        mean = -2 * float(objective.value(point)) / starts.total_weight(self.rows)
        return mean if rest > PERFECT * whole and 0 < mean < math.inf else 1.0

    def choose_covariance(
        self, cov_type: str | None, cov_kwds: Mapping[str, Any] | None, method: str
    ) -> Covariance | None:
        plain = cov_type is not None and cov_type.lower() == "nonrobust" and not cov_kwds
        if plain and method.lower() == "irls" and not self.family.is_canonical:  # else expected is observed
            return Expected(name="nonrobust")
        return super().choose_covariance(cov_type, cov_kwds, method)

    def _warn_of_weights(self, cov_type: str | None) -> None:
        """Say what weights mean where rows are not taken one by one."""
        if cov_type is None or not cov_type.lower().startswith(("cluster", "hac", "nw-")):
            return
        meaning = {
            "freq_weights": "each row stands for that many equal rows of its cluster, or at its time",
            "var_weights": "they are inverse variances, not sampling weights",
        }
        for name in meaning.keys() & set(self.given_arguments):
            warnings.warn(f"cov_type={cov_type!r} with {name}: {meaning[name]}", SpecificationWarning, stacklevel=3)

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
        told = told_scale(scale)
        self._warn_of_weights(cov_type)
        results = super().fit(
            start_params, method, maxiter, tol, cov_type=cov_type, cov_kwds=cov_kwds, use_t=use_t, disp=disp, **options
        )
        if told is None:
            return results
        fit = replace(results.fit, settings={**results.fit.settings, "scale": told})
        return type(results)(fit, results.covariance, results.use_t)

    # -- predictions -------------------------------------------------------------------------------------------

    def smooth_response(self, y: Tensor) -> Tensor:
        return y.clamp(0.25, 0.75) if isinstance(self.family, Binomial) else y

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        if scale != 1 and not self.family.estimates_scale:
            name = type(self.family).__name__
            warnings.warn(
                f"using scale=1 in place of {scale:g}: a {name} distribution has no room for excess dispersion",
                SpecificationWarning,
                stacklevel=2,
            )
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


def meets_an_edge(objective: Objective, found: Optimum) -> bool:
    """Whether a search stopped because the way up leaves the domain: the log-likelihood is no number a Newton step on."""
    stalled = (Status.ITERATION_LIMIT, Status.PRECISION, Status.LINE_SEARCH_FAILED, Status.METHOD_FAILED)
    if found.status not in stalled or not bool(torch.isfinite(found.hessian).all()):
        return False
    step = quadratic(found.gradient, found.hessian).direction
    return not math.isfinite(objective.value(found.x + step).item())
