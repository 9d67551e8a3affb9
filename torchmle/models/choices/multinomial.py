"""Multinomial logit: unordered categories."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...base.reported import inverse_jacobian
from ...compute.autodiff import Curvature, Eta
from ...compute.processes import total
from ...data import Data
from ...errors import SpecificationWarning
from ...fitting.columns import weighty_rows
from ...linalg import dependent_columns, joint_factor
from ...parameters import Parameters, Values
from ...regression import RegressionModel
from ...results.estimates import Array
from ...structured import Coefficients
from ...sums import row_map
from ...transforms import Identity, Logit, Transform
from ..penalised import Lasso
from .categories import (
    categories_of,
    code_categories,
    counts,
    level_text,
    loglike_of_shares,
    named_column,
    outcome,
    warn_of_empty,
)
from .multinomial_results import MultinomialResults

MAIN = "eta1"


class MNLogit(Lasso, RegressionModel):
    """Multinomial logit: ``P(y = j) = exp(x'b_j) / sum_l exp(x'b_l)``, with b of the first category zero.

    There is one linear predictor for each category but the first, and all of them share the columns of one design,
    which is held once.  ``l_i = eta_iy - log sum_l exp(eta_il)`` is concave.

    Parameters
    ----------
    endog : array_like
        Categories (n,): numbers, strings, booleans or a pandas Categorical, or indicators (n, J).  The base is the first
        of the sorted values, or of the Categorical's.
    exog : array_like
        Columns (n, k); no constant is added.

    Attributes
    ----------
    J, K : int
        Categories, and columns of the design.

    Raises
    ------
    ValueError
        All rows are in one category.

    Notes
    -----
    Categories without rows are left out with a warning: their coefficients would run to minus infinity.  The same happens
    where a column separates categories; the fit then says which coefficients ran away.  Parameters are ordered category by
    category and named ``y<category>_<column>``.

    References
    ----------
    McFadden (1974), "Conditional logit analysis of qualitative choice behavior".

    Examples
    --------
    >>> res = MNLogit.from_formula("vote ~ age + income", df).fit(disp=False)
    >>> res.params.shape
    (3, 2)
    """

    parameters = {MAIN: Identity()}  # of the second category; the others follow when the categories are known
    row_arguments = ()  # there is no first among its predictors
    results_class = MultinomialResults
    habits: ClassVar[tuple[str, ...]] = ("check_rank",)
    default_disp = True
    classes: ClassVar[bool] = True

    def __init__(self, endog: Any, exog: Any = None, **arguments: Any):
        self._declared = categories_of(endog)
        super().__init__(endog, exog, **arguments)

    # -- categories and their predictors -----------------------------------------------------------------------

    def prepare(self, data: Data) -> Data:
        if MAIN not in data.x:
            data = data.with_designs({MAIN: torch.ones(data.n, 1, dtype=torch.float64, device=data.device)})
            self.design = replace(self.design, columns={MAIN: ("const",)}, terms={MAIN: {"const": slice(0, 1)}})
        data, levels = code_categories(data, self.design.response_levels, self.design.response_label)
        warn_of_empty(
            self._declared or categories_of(named_column(self.frame, self.endog_names)), levels, self.endog_names
        )
        if any(isinstance(level, float) for level in levels):
            shown = ", ".join(map(str, levels[:4])) + ", ..." * (len(levels) > 4)
            warnings.warn(
                f"{self.endog_names} has {len(levels)} values that are not all whole numbers ({shown}); each is a category",
                SpecificationWarning,
                stacklevel=4,
            )
        self.design = replace(self.design, response_levels=levels)
        data = super().prepare(data)
        names = self._predictor_names
        self.intercepts = {name: at for at in self.intercepts.values() for name in names}
        return self._shared(data).with_shift({name: centre for centre in data.shift.values() for name in names})

    def prepare_prediction(self, data: Data) -> Data:
        return self._shared(data)

    def _shared(self, data: Data) -> Data:
        """The rows with one matrix under the name of every predictor."""
        return data.with_designs(self.every_design(data.x))

    def every_design(self, designs: Mapping[str, Any]) -> dict[str, Any]:
        """What belongs to the first predictor under the name of each: all of them have its columns."""
        return dict.fromkeys(self._predictor_names, designs[MAIN])

    @property
    def levels(self) -> tuple[Any, ...]:
        """The categories in the order of their codes; the first is the base."""
        assert self.design.response_levels is not None
        return self.design.response_levels

    @property
    def _predictor_names(self) -> list[str]:
        return [f"eta{j}" for j in range(1, len(self.levels))]

    def make_layout(self) -> Parameters:
        self.parameters = dict.fromkeys(self._predictor_names, Identity())  # type: ignore[misc]  # this model's own
        columns = self.design.columns[MAIN]
        return Parameters([
            (name, Coefficients([f"y{level_text(level)}_{column}" for column in columns]), None)
            for name, level in zip(self._predictor_names, self.levels[1:], strict=True)
        ])  # fmt: skip

    def aliased(self) -> tuple[int, ...]:
        factor = joint_factor(weighty_rows(self.rows, MAIN), self.rows.group)
        dropped = dependent_columns(factor, total(self.rows.n, self.rows.group))
        return tuple(j * self.K + column for j in range(self.J - 1) for column in dropped)

    # -- statsmodels' names ------------------------------------------------------------------------------------

    @property
    def J(self) -> int:
        """Number of categories."""
        return len(self.levels)

    @property
    def K(self) -> int:
        """Columns of the design."""
        return len(self.design.columns[MAIN])

    @property
    def wendog(self) -> Array:
        """Indicators of the categories, (n, J) ndarray."""
        return np.eye(self.J)[self.endog]

    @property
    def _ynames_map(self) -> dict[int, str]:
        return {code: level_text(level) for code, level in enumerate(self.levels)}

    @property
    def df_model(self) -> float:
        """Rank of the design less one, for each category but the base."""
        return float((self.rank - 1) * (self.J - 1))

    @property
    def df_resid(self) -> float:
        return float(self.nobs - self.rank * (self.J - 1))

    def _z(self, params: Any) -> Tensor:
        """Also of the (k, J-1) matrix that results show."""
        if isinstance(params, pd.DataFrame) or getattr(params, "ndim", 1) == 2:
            params = np.asarray(params).T.reshape(-1)
        return super()._z(params)

    # -- the likelihood ----------------------------------------------------------------------------------------

    def start(self) -> Tensor:
        """The shares of the categories, where there is a constant; zero."""
        start = torch.zeros(self.layout.size, dtype=torch.float64)
        if MAIN in self.intercepts:
            number = counts(self.rows, self.J)
            start[self.intercepts[MAIN] :: self.K] = (number[1:] / number[0]).log()
        return start

    def eta(self, z: Tensor, data: Data) -> Eta:
        return tuple(self._linear(z, data).unbind(0))

    def _linear(self, z: Tensor, data: Data) -> Tensor:
        """Linear predictors, (J-1, n)."""
        return z.reshape(self.J - 1, -1) @ data.x[MAIN].T

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return log_probabilities(self._stacked(p)).gather(0, data.y[None])[0]

    def _stacked(self, p: Values) -> Tensor:
        return torch.stack([getattr(p.real, name) for name in self.parameters])

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        """``g_j = 1{y = j} - p_j`` and ``h_jl = -p_j (1{j = l} - p_l)``."""
        loglike, g, p = softmax_terms(torch.stack(eta), data.y)
        if order < 2:
            return loglike, tuple(g), ()
        h = tuple((-pj * (1 - pj), *(pj * other for other in p[j + 1 :])) for j, pj in enumerate(p))
        return loglike, tuple(g), h

    def block_sums(self, z: Tensor, data: Data, order: int) -> tuple[Tensor, ...]:
        """As for every model, by few products of large matrices: the predictors share their columns."""
        x, weights = data.x[MAIN], data.get("freq_weights")
        loglike, g, p = softmax_terms(self._linear(z, data), data.y)
        value = loglike.sum() if weights is None else loglike @ weights
        if order == 0:
            return (value,)
        score = ((g if weights is None else g * weights) @ x).reshape(-1)
        return (value, score) if order == 1 else (value, score, softmax_hessian(x, p, weights))

    def separating_rows(self, data: Data) -> Tensor:
        """What each row asks of a direction of the predictors: that its category gain on every other, (n, J-1, J-1)."""
        unit = torch.eye(self.J, dtype=torch.float64, device=data.device)[:, 1:]
        lead = torch.stack([unit[j] - torch.cat([unit[:j], unit[j + 1 :]]) for j in range(self.J)])
        return lead[data.y]

    def loglike_and_score(self, params: Any) -> tuple[float, Array]:
        """Log-likelihood and its gradient, in one pass."""
        value, score = self.sums(self._z(params), 1)
        return float(value), inverse_jacobian(self, self._z(params)).T.numpy() @ score.numpy()

    def score_factor(self, params: Any) -> Array:
        """Derivatives of each row's log-likelihood in its linear predictors, (n, J-1)."""
        point = self._z(params).to(self.rows.device)
        return row_map(lambda rows: softmax_terms(self._linear(point, rows), rows.y)[1].T, self.rows).numpy()

    def hessian_factor(self, params: Any) -> Array:
        """Second derivatives of each row's log-likelihood in its linear predictors, (n, J-1, J-1)."""
        point = self._z(params).to(self.rows.device)

        def second(rows: Data) -> Tensor:
            p = softmax_terms(self._linear(point, rows), rows.y)[2].T
            return p[:, :, None] * p[:, None, :] - torch.diag_embed(p)

        return row_map(second, self.rows).numpy()

    def expected_information(self, z: Tensor) -> Tensor:
        """The observed one, which does not depend on the response."""
        return -self.sums(z, 2)[2]

    def null_loglike(self) -> float:
        """Log-likelihood of the shares of the categories."""
        return loglike_of_shares(counts(self.rows, self.J))

    # -- predictions -------------------------------------------------------------------------------------------

    def mean(self, p: Values, data: Data) -> Tensor:
        """Probabilities of the categories, (n, J)."""
        return log_probabilities(self._stacked(p)).exp().T

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        """Of the indicators of the categories, (n, J), each 0 or 1."""
        from scipy import stats  # loaded late: it is slow to import

        return stats.bernoulli(self.mean(p, data).numpy())

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        """ "mean": probabilities (n, J); "linear": predictors (n, J), zero for the base; "prob[category]": (n,)."""
        if which == "linear":
            return with_base(self._stacked(p)).T
        category = outcome(which, self.levels)
        return super().predict_rows(which, p, data) if category is None else self.mean(p, data)[:, category]

    def predictable(self) -> tuple[str, ...]:
        return ("mean", "linear", *(f"prob[{level_text(level)}]" for level in self.levels))

    def is_first(self, which: str) -> bool:
        return False

    def outcomes(self, which: str) -> tuple[Any, ...] | None:
        return self.levels if which in ("mean", "linear") else None

    def predicted_scale(self, which: str) -> Transform | None:
        return Logit() if which == "mean" or outcome(which, self.levels) is not None else None


def with_base(linear: Tensor) -> Tensor:
    """Linear predictors of all categories, (J, n), from those of all but the base, (J-1, n)."""
    return torch.cat([torch.zeros_like(linear[:1]), linear])


def log_probabilities(linear: Tensor) -> Tensor:
    """Of all categories, (J, n)."""
    return torch.log_softmax(with_base(linear), 0)


def softmax_terms(linear: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-likelihood of each row (n,), its gradient (J-1, n) in the linear predictors, and probabilities (J-1, n)."""
    logs = log_probabilities(linear)
    p = logs[1:].exp()
    g = -p
    chosen = y > 0
    g[(y - 1)[chosen], torch.nonzero(chosen)[:, 0]] += 1.0
    return logs.gather(0, y[None])[0], g, p


def softmax_hessian(x: Tensor, p: Tensor, weights: Tensor | None) -> Tensor:
    """``sum_i w_i (p_i p_i' - diag p_i) kron x_i x_i'``, of size (J-1) k.

    Above the diagonal these are products of the columns times one probability with the columns times another, each made
    once; on it, of ``p (1 - p)``.
    """
    k, size = x.shape[1], len(p)
    root = p if weights is None else p * weights.sqrt()
    times = (root.T[:, :, None] * x[:, None, :]).reshape(len(x), size * k)
    hessian = x.new_zeros(size * k, size * k)
    for j in range(size):
        part, rest = slice(j * k, (j + 1) * k), slice((j + 1) * k, size * k)
        hessian[part, rest] = times[:, part].T @ times[:, rest]
        hessian[rest, part] = hessian[part, rest].T
        w = -p[j] * (1 - p[j])
        hessian[part, part] = x.T @ (x * (w if weights is None else w * weights)[:, None])
    return hessian
