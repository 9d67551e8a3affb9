"""Predictions with standard errors and intervals, for any model and any quantity it predicts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data import Data
from ...parameters import Values
from ...sums import row_map, row_sums
from ...transforms import Identity, Logit, Transform
from ..distributions import critical_value, two_sided
from ..effects import function_effects
from .predictive import Predictive, Quantiles

if TYPE_CHECKING:
    from ...regression import RegressionModel
    from ...results import Results

Array = NDArray[np.float64]
PREDICTED = ("predicted", "se", "ci_lower", "ci_upper")
MEAN = ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper")
GRID = 33  # points of the interval of a linear predictor over which a curve that may turn is followed

SHORT_FORMS = {"2s": "two-sided", "l": "larger", "s": "smaller"}  # that statsmodels still knows


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted values of rows, with standard errors.

    Attributes
    ----------
    predicted, se : ndarray (n,), or (n, c) for quantities of c values
        On the scale asked for; se by the delta method.
    linear, linear_se : ndarray, as `predicted`
        On the scale on which intervals are symmetric; `scale` maps them back, so that limits stay in its domain.
    scale : Transform
    df : float or None
        Degrees of freedom of Student's t; None for the normal distribution.
    row_labels : Index, list or None
    residual_variance : ndarray (n,) or None
        Variance of a new observation about its mean, where that is normal.
    predictive : Quantiles or None
        The distribution of new observations, for other models that say theirs.
    curve : callable or None
        The quantity as a function of the linear predictor, where there is one and `scale` does not say it.
    columns : tuple of str
        How `summary_frame` heads the prediction, its error and its limits.
    values : sequence or None
        What the c values are of, such as counts.
    """

    predicted: Array
    se: Array
    linear: Array
    linear_se: Array
    scale: Transform
    df: float | None
    row_labels: Any
    residual_variance: Array | None = None
    predictive: Quantiles | None = None
    curve: Callable[[Array], Array] | None = None
    columns: tuple[str, ...] = PREDICTED
    values: Sequence[Any] | None = None

    @property
    def index(self) -> Any:
        """The same as `row_labels`."""
        return self.row_labels

    @property
    def predicted_mean(self) -> Array:
        return self.predicted

    @property
    def se_mean(self) -> Array:
        return self.se

    @cached_property
    def var_pred(self) -> Array:
        return self.se**2

    @property
    def var_pred_mean(self) -> Array:
        return self.var_pred

    @property
    def dist_args(self) -> tuple[float, ...]:
        """Parameters of the reference distribution: degrees of freedom of Student's t."""
        return () if self.df is None else (self.df,)

    @property
    def dist(self) -> Any:
        """scipy's reference distribution of tests and intervals."""
        from scipy import stats  # loaded late: it is slow to import

        return stats.norm if self.df is None else stats.t

    @property
    def linpred(self) -> Prediction:
        """The prediction on the scale on which intervals are symmetric."""
        return Prediction(
            self.linear, self.linear_se, self.linear, self.linear_se, Identity(), self.df, self.row_labels
        )

    @property
    def se_obs(self) -> Array:
        """Standard error of a new observation: residual variance plus that of the mean."""
        if self.residual_variance is None:
            raise AttributeError(
                "this model gives no intervals for observations by a standard error; see conf_int(obs=True)"
            )
        return np.sqrt(self.residual_variance + self.se**2)

    @property
    def tvalues(self) -> Array:
        """Predictions divided by their standard errors."""
        return self.predicted / self.se

    def t_test(self, value: Any = 0, alternative: str = "two-sided") -> tuple[Array, Array]:
        """Statistic and p-value of the hypothesis that a prediction is `value`.

        Parameters
        ----------
        alternative : {"two-sided", "larger", "smaller"}
        """
        if alternative in SHORT_FORMS:
            warnings.warn(
                f"{alternative!r} is a deprecated alias of {SHORT_FORMS[alternative]!r}", FutureWarning, stacklevel=2
            )
            alternative = SHORT_FORMS[alternative]
        statistic = (self.predicted - value) / self.se
        two = two_sided(statistic, self.df)
        if alternative == "two-sided":
            return statistic, two
        if alternative not in ("larger", "smaller"):
            raise ValueError(f"alternative must be one of 'two-sided', 'larger', 'smaller', not {alternative!r}")
        below = (statistic < 0) == (alternative == "larger")
        return statistic, np.where(below, 1 - two / 2, two / 2)

    def conf_int(self, obs: bool = False, alpha: float = 0.05, method: str = "endpoint") -> Array:
        """Intervals (n, 2), or (n c, 2) row by row, of what is predicted, or of a new observation.

        Parameters
        ----------
        obs : bool
            Intervals that hold a new response: mean and t quantiles where it is normal, else quantiles of the predictive
            distribution (see `torchmle.inference.predictions.predictive`).  Of ordered categories they are two categories,
            (n, 2); of unordered ones the indicators of each, (n c, 2).
        method : {"endpoint", "delta"}
            Limits on the scale where they are symmetric, mapped back into the domain; or symmetric about the prediction.
        """
        if method not in ("endpoint", "delta"):
            raise ValueError(f"method={method!r} is not known; use 'endpoint' or 'delta'")
        q = critical_value(alpha, self.df)
        if obs:
            return self._observations(q, alpha)
        if method == "delta":
            return _limits(self.predicted, q * self.se)
        limits = _limits(self.linear, q * self.linear_se)
        if self.curve is not None:
            return _image(self.curve, limits)
        if isinstance(self.scale, Identity):
            return limits
        return np.sort(self.scale(torch.from_numpy(limits)).numpy(), axis=1)

    def _observations(self, q: float, alpha: float) -> Array:
        if self.residual_variance is not None:
            return _limits(self.predicted, q * self.se_obs)
        if self.predictive is None:
            raise ValueError("there are intervals for observations with which='mean' alone, and not of averages")
        return self.predictive.interval(alpha)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Predictions, standard errors and limits; columns as in statsmodels, and one row for each value of each row."""
        columns = dict(
            zip(self.columns, (self.predicted.ravel(), self.se.ravel(), *self.conf_int(alpha=alpha).T), strict=True)
        )
        if self.residual_variance is not None:
            columns["obs_ci_lower"], columns["obs_ci_upper"] = self.conf_int(obs=True, alpha=alpha).T
        return pd.DataFrame(columns, index=self.frame_index())

    def frame_index(self) -> Any:
        """Labels of the rows of frames: those of the predicted rows, each with its values where it has several."""
        index = self.row_labels
        if self.predicted.ndim == 1 or self.values is None:
            return index
        rows = range(len(self.predicted)) if index is None else index
        return pd.MultiIndex.from_product([rows, self.values], names=[getattr(index, "name", None), "value"])


def _limits(centre: Array, reach: Array) -> Array:
    return np.column_stack([(centre - reach).ravel(), (centre + reach).ravel()])


def _image(curve: Callable[[Array], Array], limits: Array) -> Array:
    """Least and greatest value of a curve over intervals: its ends where it is monotone."""
    low, high = limits.T
    points = np.stack([curve(low + share * (high - low)) for share in np.linspace(0, 1, GRID)])
    return np.column_stack([points.min(0), points.max(0)])


def quantity(model: RegressionModel, which: str, y_values: Sequence[float] | None) -> Callable[[Values, Data], Tensor]:
    """What is predicted, as a function of the natural values of a block's rows: (n,) or (n, c).

    With `y_values`, their probabilities ("prob[0]", "prob[1]", ...).
    """
    if y_values is None:
        return lambda p, block: model.predict_rows(which, p, block)
    return lambda p, block: torch.stack(
        [model.predict_rows(f"prob[{float(value)!r}]", p, block) for value in y_values], 1
    )


def counts_of(model: RegressionModel, which: str, y_values: Any) -> list[float] | None:
    """The values whose probabilities are asked for: 0, 1, ... to the largest of the fit unless given."""
    if which != "prob" or "prob" not in model.predictable() or model.outcomes(which) is not None:
        if y_values is not None:
            raise ValueError("y_values are for which='prob' of models of counts")
        return None
    if y_values is None:
        assert model.seen is not None  # counts are one number
        y_values = np.arange(model.seen.high + 1)
    return np.atleast_1d(np.asarray(y_values)).tolist()


def predicted_values(model: Any, z: Tensor, data: Data, which: str, y_values: Sequence[float] | None = None) -> Array:
    """A predicted quantity of each row at z."""
    z, function = z.to(data.device), quantity(model, which, y_values)
    return row_map(lambda block: function(model.values(model.eta(z, block)), block), data).numpy()


def prediction(
    results: Results,
    data: Data,
    which: str,
    labels: Any,
    y_values: Sequence[float] | None = None,
    columns: tuple[str, ...] | None = None,
) -> Prediction:
    """Predictions of rows with delta-method standard errors.

    With ``q_i = f(eta_i1 ... eta_im)``, the gradient in z is ``sum_j dq/deta_j x_ij``: row by row, no (n, k, k).
    """
    model: RegressionModel = results.model
    scale = Logit() if y_values is not None else model.predicted_scale(which)
    value, se = _delta(results, data, which, y_values)
    df = results.df_inference if results.use_t else None
    variance = results.observation_variance(data) if which == "mean" else None
    if columns is None:
        columns = PREDICTED if variance is None else MEAN
    linear, linear_se, curve = value, se, None
    if which == "linear" or (scale is None and len(model.layout.blocks) > 1):
        scale = Identity()
    elif model.is_first(which):
        assert scale is not None
        linear, linear_se = _delta(results, data, "linear")
    elif value.ndim == 1 and scale is None:
        linear, linear_se, curve = *_delta(results, data, "linear"), _curve(model, data, which)
    elif value.ndim == 2 and which in ("mean", "prob") and model.outcomes(which) is not None:
        linear, linear_se = log_odds(value, value @ (1 - np.eye(value.shape[1])), se)
    elif scale is not None and not isinstance(scale, Identity):
        linear, linear_se = _on_the_line(scale, value, se)
    predictive = None
    if variance is None and (which == "mean" or (which == "prob" and model.outcomes("prob") is not None)):
        predictive = Predictive(model, results.fit.z, results.covariance_z, data, results.scale)
    values = model.outcomes(which) if y_values is None else y_values
    return Prediction(value, se, linear, linear_se, scale or Identity(), df, labels, variance, predictive, curve,
                      columns, values)  # fmt: skip


def average_prediction(
    results: Results, data: Data, which: str, weights: Any, y_values: Sequence[float] | None = None
) -> Prediction:
    """Mean over the rows of a prediction times weights (which are not normalised), by the delta method."""
    model: RegressionModel = results.model
    z, function = results.fit.z.to(data.device), quantity(model, which, y_values)
    given = np.broadcast_to(np.asarray(1.0 if weights is None else weights, float), data.n).copy()
    data = data.with_columns(share=torch.as_tensor(given / data.n, device=data.device))

    def totals(block: Data) -> tuple[Tensor, Tensor]:
        found = [effect.total(model, block.share) for effect in function_effects(model, function, z, block)]
        return torch.stack([value for value, _ in found]), torch.stack([gradient for _, gradient in found])

    value, gradient = row_sums(totals, data)
    variance = ((gradient @ results.covariance_z) * gradient).sum(1)
    mean, se = value.numpy(), variance.sqrt().numpy()
    df = results.df_inference if results.use_t else None
    return Prediction(mean, se, mean, se, Identity(), df, model.outcomes(which) if y_values is None else y_values)


def _curve(model: RegressionModel, data: Data, which: str) -> Callable[[Array], Array]:
    """A quantity of models with one linear predictor as a function of it."""

    def curve(eta: Array) -> Array:
        rows = data.with_columns(eta_given=torch.as_tensor(eta, device=data.device))
        return row_map(lambda block: model.predict_rows(which, model.values((block.eta_given,)), block), rows).numpy()

    return curve


def log_odds(chance: Array, rest: Array, se: Array) -> tuple[Array, Array]:
    """Log odds of probabilities with their errors; `rest` has the digits of what one less a probability rounds away."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(chance) - np.log(rest), np.where(se == 0, 0.0, se / (chance * rest))


def _on_the_line(scale: Transform, value: Array, se: Array) -> tuple[Array, Array]:
    """Real values of natural ones, with their standard errors; certain where the natural ones are, or round to an end."""
    real = scale.inverse(torch.from_numpy(value)).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(scale(real).sum(), real)
    linear = real.detach().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return linear, np.where((se == 0) | np.isinf(linear), 0.0, se / np.abs(slope.numpy()))


def standard_errors(gradients: Tensor, covariance: Tensor) -> Tensor:
    """``sqrt(g'V g)`` of rows of gradients (n, k), each scaled by its largest entry, whose square may be beyond numbers."""
    size = gradients.abs().amax(1, keepdim=True)
    unit = gradients / torch.where((size > 0) & size.isfinite(), size, 1.0)
    return ((unit @ covariance) * unit).sum(1).clamp_min(0).sqrt() * torch.where(size > 0, size, 1.0)[:, 0]


def _delta(results: Results, data: Data, which: str, y_values: Sequence[float] | None = None) -> tuple[Array, Array]:
    """A quantity and its standard error for each row, (n,) or (n, c)."""
    model: RegressionModel = results.model
    z, covariance = results.fit.z.to(data.device), results.covariance_z.to(data.device)
    function = quantity(model, which, y_values)

    def rows(block: Data) -> Tensor:
        found = function_effects(model, function, z, block)
        errors = []
        for effect in found:
            errors.append(standard_errors(effect.gradients(model), covariance))
        both = torch.stack([torch.stack([e.value for e in found], 1), torch.stack(errors, 1)], 2)
        return both[:, 0] if len(found) == 1 and y_values is None else both

    both = row_map(rows, data).numpy()
    return both[..., 0], both[..., 1]
