"""Ordered categories: a latent variable seen between thresholds."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...compute.autodiff import Curvature, Eta
from ...compute.processes import total
from ...data import Data
from ...errors import ModelError
from ...fitting import starts
from ...fitting.columns import far_centres, linear_offset, spans_constant, weighty_rows
from ...fitting.coordinates import Coordinates
from ...formula import Rows
from ...inference.predictions.tabulated import Tabulated
from ...linalg import dependent_columns, joint_factor
from ...parameters import Parameters, Values
from ...regression import RegressionModel
from ...structured import Coefficients, partial_sums
from ...transforms import Identity, Logit, Transform
from .categories import (
    categories_of,
    code_categories,
    counts,
    level_text,
    loglike_of_shares,
    named_column,
    outcome,
    refuse_missing,
    refuse_unordered,
    warn_of_empty,
)
from .latent import Latent, Terms, interval_terms, latent, log_probability
from .ordinal_results import OrderedResults


class OrderedModel(RegressionModel):
    """Ordered regression: ``P(y <= j) = F(c_j - x'b - offset)`` with thresholds ``c_1 < ... < c_J-1``.

    ``l_i = log(F(c_y - eta_i) - F(c_y-1 - eta_i))``; for the logistic and the normal distribution it is concave in the
    coefficients and thresholds together (Pratt 1981).

    Parameters
    ----------
    endog : array_like
        Ordered categories (n,): numbers, or a pandas Categorical in its order.
    exog : array_like, optional
        Columns (n, k) without a constant, whose place the thresholds take.  The constant of a formula is left out.
    offset : array_like, optional
        Added to the linear predictor.
    distr : str or scipy distribution
        Of the latent variable: "probit" (default), "logit", "cloglog", "loglog", "cauchit", or a continuous distribution
        of `scipy.stats`.

    Notes
    -----
    Thresholds are reported as they are, named ``a/b`` by the categories they part, as R's MASS::polr does.  statsmodels
    reports the first one and logarithms of the distances between them; `OrderedResults.increments` gives these, and
    `transform_threshold_params` the thresholds of either model with infinite ends.

    References
    ----------
    McCullagh (1980), "Regression models for ordinal data".

    Examples
    --------
    >>> OrderedModel.from_formula("rating ~ age + income", df, distr="logit").fit(disp=False).converged
    True
    """

    parameters = {"mu": Identity()}  # the thresholds follow when the categories are known
    settings: ClassVar[tuple[str, ...]] = ("distr",)
    results_class = OrderedResults
    default_disp = True
    classes: ClassVar[bool] = True

    def __init__(self, endog: Any, exog: Any = None, offset: Any = None, distr: Any = "probit", **arguments: Any):
        self._declared = categories_of(endog)
        if not isinstance(endog, Rows):
            refuse_unordered(endog)
            if arguments.get("missing", "none") == "none":
                refuse_missing(endog)
        super().__init__(endog, exog, offset=offset, distr=distr, **arguments)

    def configure(self, **settings: Any) -> None:
        """Keep the distribution of the latent variable."""
        self.distr = settings.get("distr", "probit")
        latent(self.distr)  # refuses what it does not know

    @cached_property
    def latent(self) -> Latent:
        """The distribution of the latent variable."""
        return latent(self.distr)

    def state(self) -> dict[str, Any]:
        if not isinstance(self.distr, str):
            raise ModelError(f"a model of the distribution {self.distr!r} cannot be saved; those with names can")
        return {**super().state(), "distr": self.distr}

    # -- rows --------------------------------------------------------------------------------------------------

    def prepare(self, data: Data) -> Data:
        if self.design.formulas:
            response = named_column(self.frame, self.design.response[0])
            self._declared = categories_of(response)
            if self.design.response_levels is not None:
                refuse_unordered(response)
            data = self._without_constant(data)
        if "mu" not in data.x:
            data = data.with_designs({"mu": torch.zeros(data.n, 0, dtype=torch.float64, device=data.device)})
            self.design = replace(self.design, columns={"mu": ()}, terms={"mu": {}})
        data, levels = code_categories(data, self.design.response_levels, self.design.response_label)
        self.design = replace(self.design, response_levels=levels)
        warn_of_empty(self._declared, levels, self.endog_names)
        self.intercepts: dict[str, int] = {}
        if self.hasconst is not False and data.x["mu"].shape[1] and spans_constant(data, "mu"):
            raise ValueError(
                "There should not be a constant in the model: the thresholds take its place, and a column of ones, or columns "
                f"that sum to one ({', '.join(self.design.columns['mu'][:6])}), would move them all"
            )
        centre = far_centres(data.x["mu"], data.group)
        return data if centre is None else data.with_shift({"mu": centre})

    def _without_constant(self, data: Data) -> Data:
        columns = self.design.columns["mu"]
        if "Intercept" not in columns:
            return data
        self.design = self.design.without("mu", ["Intercept"])
        kept = [j for j, name in enumerate(columns) if name != "Intercept"]
        return data.with_designs({"mu": data.x["mu"][:, kept]})

    def make_layout(self) -> Parameters:
        names = self.threshold_names
        self.parameters = dict.fromkeys(["mu", *names], Identity())  # type: ignore[misc]  # this model's own
        slopes = Coefficients(self.design.columns["mu"])
        return Parameters([("mu", slopes, None), *((name, Identity(), None) for name in names)])

    @property
    def labels(self) -> list[Any]:
        """The categories in their order."""
        return list(self.design.response_levels or ())

    @property
    def threshold_names(self) -> list[str]:
        """Names of the thresholds, by the categories they part."""
        return [f"{level_text(one)}/{level_text(other)}" for one, other in pairwise(self.labels)]

    @property
    def exog_names(self) -> list[str]:
        """Labels of the columns and of the thresholds, as in statsmodels."""
        return [*self.design.columns["mu"], *self.threshold_names]

    @property
    def k_levels(self) -> int:
        """Number of categories."""
        return len(self.labels)

    @property
    def k_vars(self) -> int:
        """Columns of the design."""
        return len(self.design.columns["mu"])

    @property
    def k_extra(self) -> int:
        """Number of thresholds."""
        return self.k_levels - 1

    @cached_property
    def k_constant(self) -> int:
        return 0

    @property
    def df_resid(self) -> float:
        return float(self.nobs - self.rank - self.k_extra)

    @cached_property
    def coordinates(self) -> Coordinates:
        """Coordinates of centred columns: every threshold takes up their centres, ``c_theta = c_z + shift @ b``."""
        k = self.layout.size
        if not self.shift:
            return Coordinates(None, torch.zeros(k, dtype=torch.float64))
        uncentre = torch.eye(k, dtype=torch.float64)
        uncentre[self.k_vars :, : self.k_vars] += self.shift["mu"].to("cpu", torch.float64)
        return Coordinates(uncentre, torch.zeros(k, dtype=torch.float64))

    def aliased(self) -> tuple[int, ...]:
        """Columns that are combinations of earlier ones and a constant."""
        blocks = (torch.cat([torch.ones_like(x[:, :1]), x], 1) for x in weighty_rows(self.rows, "mu"))
        dropped = dependent_columns(joint_factor(blocks, self.rows.group), total(self.rows.n, self.rows.group))
        return tuple(column - 1 for column in dropped)

    # -- thresholds --------------------------------------------------------------------------------------------

    @property
    def start_params(self) -> np.ndarray:
        """Coefficients of zero and the thresholds that give the shares of the categories."""
        return self.coordinates.theta(self.start()).numpy()

    def transform_threshold_params(self, params: Any) -> np.ndarray:
        """The thresholds at the end of a parameter vector, between minus infinity and infinity, (J+1,)."""
        values = np.asarray(params, dtype=float)
        return np.concatenate([[-np.inf], values[len(values) - self.k_extra :], [np.inf]])

    def transform_reverse_threshold_params(self, thresholds: Any) -> np.ndarray:
        """What stands in a parameter vector for thresholds, given with or without their infinite ends, (J-1,)."""
        values = np.asarray(thresholds, dtype=float)
        return values[np.isfinite(values)]

    def start(self) -> Tensor:
        """Zero, and the thresholds that give the shares of the categories at the mean of the offset."""
        number = counts(self.rows, self.k_levels)
        shares = (partial_sums(number) / number.sum())[:-1]
        thresholds = self.latent.quantile(shares) + starts.mean_offset(self.rows)
        return torch.cat([torch.zeros(self.k_vars, dtype=torch.float64), thresholds])

    # -- the likelihood ----------------------------------------------------------------------------------------

    def _limits(self, thresholds: Tensor, linear: Tensor, data: Data) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Each row's limits, and whether its category is the first or the last; `thresholds` (J-1, n) or (J-1, 1)."""
        last, y = len(thresholds) - 1, data.y
        wide = thresholds.expand(-1, data.n)
        upper = wide.gather(0, y.clamp_max(last)[None])[0] - linear
        lower = wide.gather(0, (y - 1).clamp_min(0)[None])[0] - linear
        return lower, upper, y == 0, y == last + 1

    def _stacked(self, p: Values) -> Tensor:
        return torch.stack([getattr(p.real, name) for name in self.threshold_names])

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return log_probability(self.latent, *self._limits(self._stacked(p), p.real.mu, data))

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        """In the linear predictor and each threshold: most are zero, since a row knows two thresholds at most."""
        terms = interval_terms(self.latent, *self._limits(torch.stack(eta[1:]), eta[0], data))
        own = [
            (data.y == j, data.y == j + 1) for j in range(self.k_extra)
        ]  # rows above and below which threshold j lies
        g = (-(terms.upper + terms.lower), *(_pick(own[j], terms.upper, terms.lower) for j in range(self.k_extra)))
        if order < 2:
            return terms.value, g, ()
        by_upper, by_lower = terms.upper_upper + terms.upper_lower, terms.lower_lower + terms.upper_lower
        first = (by_upper + by_lower, *(_pick(rows, -by_upper, -by_lower) for rows in own))
        zero = torch.zeros_like(terms.value)
        rest = []
        for j in range(self.k_extra):
            row = [zero] * (self.k_extra - j)
            row[0] = _pick(own[j], terms.upper_upper, terms.lower_lower)
            if len(row) > 1:
                row[1] = torch.where(own[j][1], terms.upper_lower, 0.0)
            rest.append(tuple(row))
        return terms.value, g, (first, *rest)

    def separating_rows(self, data: Data) -> Tensor:
        """Inequalities of separation, (n, 2, 1 + thresholds): a row gains as its upper limit rises and its lower one falls."""
        signs = torch.zeros(data.n, 2, 1 + self.k_extra, dtype=torch.float64)
        y, rows = data.y.cpu(), torch.arange(data.n)
        below, above = y < self.k_extra, y > 0
        signs[below, 0, 0], signs[rows[below], 0, 1 + y[below]] = -1.0, 1.0
        signs[above, 1, 0], signs[rows[above], 1, y[above]] = 1.0, -1.0
        return signs

    def block_sums(self, z: Tensor, data: Data, order: int) -> tuple[Tensor, ...]:
        """As for every model; sums over the rows between two thresholds instead of vectors for every threshold."""
        x, weights = data.x["mu"], data.get("freq_weights")
        limits = self._limits(z[self.k_vars :, None], x @ z[: self.k_vars] + linear_offset(data), data)
        if order == 0:
            value = log_probability(self.latent, *limits)
            return (value.sum() if weights is None else value @ weights,)
        terms = interval_terms(self.latent, *limits)
        if weights is not None:
            terms = Terms(*(torch.where(weights > 0, part, 0.0) * weights for part in terms))
        score, hessian = threshold_sums(terms, x, data.y, self.k_extra)
        return (terms.value.sum(), score) if order == 1 else (terms.value.sum(), score, hessian)

    def null_loglike(self) -> float:
        """Maximum of the log-likelihood over thresholds alone."""
        if "offset" not in self.rows.columns:
            return loglike_of_shares(counts(self.rows, self.k_levels))
        other = copy.copy(self)
        for name in ("coordinates", "rank", "k_constant"):
            vars(other).pop(name, None)
        other.design = replace(self.design, columns={"mu": ()}, terms={"mu": {}})
        other._rows, other.shift = self.rows.with_designs({"mu": self.rows.x["mu"][:, :0]}).with_shift({}), {}
        other.layout = other.make_layout()
        return other.fit(cov_type=None, disp=False).llf

    # -- predictions -------------------------------------------------------------------------------------------

    def mean(self, p: Values, data: Data) -> Tensor:
        """Probabilities of the categories, (n, J)."""
        thresholds, columns = self._stacked(p) - p.real.mu, []
        no, yes = torch.zeros_like(p.real.mu, dtype=torch.bool), torch.ones_like(p.real.mu, dtype=torch.bool)
        last = self.k_extra
        for j in range(self.k_levels):
            limits = thresholds[max(j - 1, 0)], thresholds[min(j, last - 1)]
            columns.append(log_probability(self.latent, *limits, yes if j == 0 else no, yes if j == last else no).exp())
        return torch.stack(columns, 1)

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        """ "mean" or "prob": probabilities (n, J); "cumprob" or "cum": P(y <= j), (n, J); "linear" or "linpred";
        "prob[category]": (n,).
        """
        if which in ("cum", "cumprob"):
            below = self.latent.log_cdf(self._stacked(p) - p.real.mu).exp().T
            return torch.cat([below, torch.ones_like(below[:, :1])], 1)
        category = outcome(which, self.labels)
        if category is not None:
            return self.mean(p, data)[:, category]
        return super().predict_rows({"prob": "mean", "linpred": "linear"}.get(which, which), p, data)

    def frozen(self, p: Values, data: Data, scale: float) -> Tabulated:
        """Of the categories' codes 0 ... J-1."""
        return Tabulated(np.arange(float(self.k_levels)), self.mean(p, data).numpy())

    def response_values(self, limits: np.ndarray) -> np.ndarray:
        """Categories of codes: numbers where the categories are numbers, else as objects; NaN stays."""
        known = ~np.isnan(limits)
        found = np.full(limits.shape, np.nan, dtype=object)
        found[known] = np.array(self.labels, dtype=object)[limits[known].astype(int)]
        return found.astype(float) if all(isinstance(label, Real) for label in self.labels) else found

    def predictable(self) -> tuple[str, ...]:
        return ("prob", "cumprob", "linpred", *(f"prob[{level_text(level)}]" for level in self.labels))

    def is_first(self, which: str) -> bool:
        return which in ("mu", "linear", "linpred")

    def outcomes(self, which: str) -> list[Any] | None:
        return self.labels if which in ("mean", "prob", "cum", "cumprob") else None

    def predicted_scale(self, which: str) -> Transform | None:
        return Logit() if which in ("mean", "prob") or outcome(which, self.labels) is not None else None


def threshold_sums(terms: Terms, x: Tensor, y: Tensor, thresholds: int) -> tuple[Tensor, Tensor]:
    """Score and Hessian in the coefficients and thresholds, from derivatives of each row in its two limits."""
    k, upper, lower = x.shape[1], y, y - 1  # places of the limits among the thresholds; outside at the ends

    def at(place: Tensor, values: Tensor) -> Tensor:
        """Sums of the values over the rows of each place, (J-1, ...)."""
        sums = values.new_zeros(thresholds + 2, *values.shape[1:]).index_add_(0, place + 1, values)
        return sums[1:-1]

    by_upper, by_lower = terms.upper_upper + terms.upper_lower, terms.lower_lower + terms.upper_lower
    score = torch.cat([x.T @ -(terms.upper + terms.lower), at(upper, terms.upper) + at(lower, terms.lower)])
    hessian = x.new_zeros(k + thresholds, k + thresholds)
    hessian[:k, :k] = x.T @ (x * (by_upper + by_lower)[:, None])
    cross = -at(upper, x * by_upper[:, None]) - at(lower, x * by_lower[:, None])
    hessian[k:, :k], hessian[:k, k:] = cross, cross.T
    diagonal = torch.diag(at(upper, terms.upper_upper) + at(lower, terms.lower_lower))
    beside = torch.diag(at(lower, terms.upper_lower)[: thresholds - 1], 1)
    hessian[k:, k:] = diagonal + beside + beside.T
    return score, hessian


def _pick(rows: tuple[Tensor, Tensor], upper: Tensor, lower: Tensor) -> Tensor:
    """Of rows to which a threshold is the upper limit, one value, to which it is the lower, another; else zero."""
    return torch.where(rows[0], upper, torch.where(rows[1], lower, 0.0))
