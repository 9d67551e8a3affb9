"""Predictions with standard errors and intervals, for any model and any quantity it predicts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..autodiff import row_slopes
from ..data import Data
from ..errors import FormulaError, SpecificationWarning
from ..sums import row_map
from ..transforms import Identity, Transform
from .distributions import quantile

if TYPE_CHECKING:
    from ..regression import RegressionModel
    from ..results import Results

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Predicted values of new rows, with standard errors.

    Attributes
    ----------
    predicted, se : ndarray (n,)
        On the scale asked for; se by the delta method.
    linear, linear_se : ndarray (n,)
        On the scale on which intervals are symmetric; `scale` maps them back, so that limits stay in its domain.
    scale : Transform
    df : float or None
        Degrees of freedom of Student's t; None for the normal distribution.
    index : Index or None
    residual_variance : ndarray (n,) or None
        Variance of a new observation about its mean, for models that give observation intervals.
    """

    predicted: Array
    se: Array
    linear: Array
    linear_se: Array
    scale: Transform
    df: float | None
    index: pd.Index | None
    residual_variance: Array | None = None

    @property
    def predicted_mean(self) -> Array:
        return self.predicted

    @property
    def se_mean(self) -> Array:
        return self.se

    @property
    def var_pred_mean(self) -> Array:
        return self.se**2

    @property
    def se_obs(self) -> Array:
        """Standard error of a new observation: residual variance plus that of the mean."""
        if self.residual_variance is None:
            raise AttributeError("this model gives no intervals for observations")
        return np.sqrt(self.residual_variance + self.se**2)

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> Array:
        """Intervals (n, 2) of the mean, or of a new observation."""
        q = quantile(1 - alpha / 2, self.df)
        if obs:
            return np.column_stack([self.predicted - q * self.se_obs, self.predicted + q * self.se_obs])
        limits = np.column_stack([self.linear - q * self.linear_se, self.linear + q * self.linear_se])
        if isinstance(self.scale, Identity):
            return limits
        return np.sort(self.scale(torch.from_numpy(limits)).numpy(), axis=1)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Predictions, standard errors and limits; columns as in statsmodels."""
        limits = self.conf_int(alpha=alpha)
        if self.residual_variance is None:
            names = ("predicted", "se", "ci_lower", "ci_upper")
        else:
            names = ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper")
        columns = dict(zip(names, (self.predicted, self.se, *limits.T), strict=True))
        if self.residual_variance is not None:
            columns["obs_ci_lower"], columns["obs_ci_upper"] = self.conf_int(obs=True, alpha=alpha).T
        return pd.DataFrame(columns, index=self.index)


def predicted_values(model: RegressionModel, z: Tensor, data: Data, which: str) -> Array:
    """A predicted quantity of each row at z."""
    z = z.to(data.device)

    def rows(block: Data) -> Tensor:
        return model.predict_rows(which, model.values(model.eta(z, block)), block)

    return row_map(rows, data).numpy()


def prediction(results: Results, data: Data, which: str, index: pd.Index | None) -> Prediction:
    """Predictions of rows with delta-method standard errors.

    With ``q_i = f(eta_i1 ... eta_im)``, the gradient in z is ``sum_j dq/deta_j x_ij``: row by row, no (n, k, k).
    """
    model: RegressionModel = results.model
    scale = model.predicted_scale(which)
    value, gradient_se = _delta(results, data, which)
    if which == "linear" or scale is None:
        scale = Identity()
    if isinstance(scale, Identity):
        linear, linear_se = value, gradient_se
    elif model.is_first(which):
        linear, linear_se = _delta(results, data, "linear")
    else:
        linear, linear_se = _on_the_line(scale, value, gradient_se)
    df = results.df_inference if results.use_t else None
    return Prediction(value, gradient_se, linear, linear_se, scale, df, index, results.observation_variance(data))


def _on_the_line(scale: Transform, value: Array, se: Array) -> tuple[Array, Array]:
    """Real values of natural ones, with their standard errors; certain where the natural ones are."""
    real = scale.inverse(torch.from_numpy(value)).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(scale(real).sum(), real)
    with np.errstate(divide="ignore", invalid="ignore"):
        return real.detach().numpy(), np.where(se == 0, 0.0, se / np.abs(slope.numpy()))


def _delta(results: Results, data: Data, which: str) -> tuple[Array, Array]:
    """A quantity and its standard error for each row."""
    model: RegressionModel = results.model
    z, covariance = results.fit.z.to(data.device), results.covariance_z.to(data.device)

    def rows(block: Data) -> Tensor:
        leaves = tuple(eta.detach().clone().requires_grad_() for eta in model.eta(z, block))
        with torch.enable_grad():
            values = model.predict_rows(which, model.values(leaves), block)
            found = row_slopes(values, leaves)
        parts = []
        for layout, slope in zip(model.layout.blocks, found, strict=True):
            x = block.x.get(layout.name)
            parts.append(slope[:, None] if x is None else x * slope[:, None])
        gradient = torch.cat(parts, 1)
        variance = ((gradient @ covariance) * gradient).sum(1)
        return torch.stack([values.detach(), variance.sqrt()], 1)

    both = row_map(rows, data).numpy()
    return both[:, 0], both[:, 1]


def new_rows(model: Any, exog: Any, transform: bool, arguments: Mapping[str, Any]) -> tuple[Data, pd.Index | None]:
    """The training rows, or new ones through the design, in the data's coordinates.

    An offset or exposure that the fit took from a column is read from the new data's column of that name. One that it
    took from an array does not count for new rows unless it is given again, as in statsmodels; a warning says so.

    Raises
    ------
    TypeError
        For an argument that is not row-shaped.
    FormulaError
        The new data do not have a column that is needed, or a category is new.
    """
    if not hasattr(model, "predict_rows"):
        raise ValueError(
            f"{type(model).__name__} does not say what it predicts; a RegressionModel predicts its parameters and mean"
        )
    given = {name: value for name, value in arguments.items() if value is not None}
    known = tuple(dict.fromkeys((*model.linear_arguments(), *model.row_arguments, *model.prediction_arguments)))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"predictions of {type(model).__name__} do not take {unknown[0]!r}; they take "
                        f"{', '.join(('which', *known))}")  # fmt: skip
    if exog is None:
        return model.training_rows(given), model.index
    for name in model.linear_arguments():
        if name not in given and name not in model.design.row_names and name in model.given_arguments:
            none = 1 if name == "exposure" else 0
            warnings.warn(
                f"the model was fitted with {name}=, and it does not carry over to new rows: they are predicted with "
                f"{name}={none}; pass {name}= (or {name}={none}, if that is meant)",
                SpecificationWarning,
                stacklevel=4,
            )
    try:
        return model.predict_data(exog, transform, given)
    except FormulaError as error:
        raise FormulaError(f"{NEEDS_A_FRAME}{error}") from None


NEEDS_A_FRAME = (
    "predict requires that you use a DataFrame when predicting from a model\n"
    "that was created using the formula api.\n\n"
)
