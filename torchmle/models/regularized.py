"""Elastic net: a likelihood with a penalty on the size of its coefficients, for any model.

Minimises ``-l(theta) / n + sum_j a_j (L |theta_j| + (1 - L) theta_j^2 / 2)``; see `torchmle.optim.proximal`.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ..errors import ConvergenceWarning
from ..fitting.objective import Objective
from ..inference.predictions.prediction import predicted_values
from ..inference.predictions.rows import new_rows
from ..optim.proximal import Penalty, Smooth, minimize

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel

Array = NDArray[np.float64]


def average_loss(model: LikelihoodModel, size: float) -> Smooth:
    """Minus the log-likelihood per observation as a function of theta, with derivatives."""
    coordinates = model.coordinates

    def smooth(theta: Array) -> tuple[float, Array, Array]:
        z = coordinates.centred(torch.from_numpy(theta))
        value, gradient, hessian = model.sums(z, 2)
        if coordinates.uncentre is not None:
            centre = coordinates.centre
            gradient, hessian = centre.T @ gradient, centre.T @ hessian @ centre
        return -float(value) / size, -gradient.numpy() / size, -hessian.numpy() / size

    return smooth


def strengths(alpha: Any, size: int, penalised: slice) -> Array:
    """The weight of each parameter's penalty: alpha in the main predictor, zero elsewhere, or one given for each."""
    found = np.zeros(size)
    given = np.asarray(alpha, dtype=float)
    count = penalised.stop - penalised.start
    if given.ndim > 0 and given.size not in (1, count, size):
        raise ValueError(f"alpha has {given.size} values; give one, or one for each of the {count} coefficients")
    if bool((given < 0).any()) or not bool(np.isfinite(given).all()):
        raise ValueError(f"alpha must not be negative; it is {alpha!r}")
    if given.size == size and given.ndim:
        return given.ravel("F")
    found[penalised] = given.ravel() if given.size > 1 else float(given.reshape(-1)[0])
    return found


def fit_regularized(
    model: LikelihoodModel,
    alpha: Any = 0.0,
    L1_wt: float = 1.0,
    start_params: Any = None,
    refit: bool = False,
    *,
    size: float | None = None,
    smooth: Smooth | None = None,
    maxiter: int = 100,
    cnvrg_tol: float = 1e-12,
    zero_tol: float = 1e-8,
    **fitting: Any,
) -> Any:
    """Penalised estimates of a model.

    Parameters
    ----------
    model : LikelihoodModel
    alpha : float or array_like
        Weight of the penalty, one for all coefficients of the main predictor (its constant too) or one for each.
    L1_wt : float
        Share of the absolute values in the penalty, between 0 (ridge) and 1 (lasso).
    start_params : array_like, optional
        Reported parameters; by default zero, or the start of a plain fit where zero is outside the domain of a link.
    refit : bool
        Fit again without penalty, the coefficients found to be zero held there.
    size : float, optional
        n; the model's number of observations.
    smooth : callable, optional
        Another loss per observation, with derivatives in theta.
    maxiter, cnvrg_tol : Newton steps, and the relative decrease to stop at.
    zero_tol : float
        Coefficients no larger count as zero.
    **fitting
        For `fit`, when refitting.

    Returns
    -------
    RegularizedResults, or Results when refitting
    """
    if not 0 <= L1_wt <= 1:
        raise ValueError(f"L1_wt must lie between 0 and 1, not {L1_wt!r}")
    layout = model.layout
    main = layout.blocks[0].reals
    weights = strengths(alpha, layout.size, main)
    if start_params is None:
        start = _start(model, main)
    else:
        start = model.coordinates.theta(model._z(start_params)).numpy().copy()
    loss = smooth or average_loss(model, model.nobs if size is None else size)
    theta, steps, converged = minimize(loss, Penalty(weights * L1_wt, weights * (1 - L1_wt)), start, maxiter, cnvrg_tol)
    if not converged:
        why = (
            "raise maxiter" if steps >= maxiter else "no step lowers the loss there, as at an edge of the link's domain"
        )
        warnings.warn(f"the elastic net did not converge in {steps} steps: {why}", ConvergenceWarning, stacklevel=3)
    zero = np.abs(theta) <= zero_tol
    theta = np.where(zero, 0.0, theta)
    if not refit:
        return RegularizedResults(model, theta, steps, converged)
    held = {layout.blocks[0].labels[j - main.start]: 0.0 for j in range(main.start, main.stop) if zero[j]}
    return model.fit(fix=held, **{"disp": False, **fitting})


def _start(model: LikelihoodModel, main: slice) -> Array:
    """Zero for the main coefficients, if the likelihood is finite there."""
    plain = model.start()
    zero = model.coordinates.theta(plain).clone()
    zero[main] = 0.0
    if math.isfinite(float(model.sums(model.coordinates.centred(zero), 0)[0])):
        return zero.numpy()
    inside = model.start_within(Objective(model, model.coordinates), plain)
    return model.coordinates.theta(inside).numpy().copy()


@dataclass(frozen=True)
class RegularizedResults:
    """Penalised estimates; there are no standard errors for them.

    Attributes
    ----------
    model : LikelihoodModel
    theta : ndarray (k,)
        Coefficients, other parameters on the real line.
    iterations : int
    converged : bool
    """

    model: Any
    theta: Array
    iterations: int
    converged: bool

    @property
    def params(self) -> Any:
        """Estimates, zeros included."""
        values = self.model.layout.natural(torch.from_numpy(self.theta)).numpy()
        names = list(self.model.layout.names)
        return pd.Series(values, index=names) if self.model.design.pandas else values.copy()

    def predict(self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any) -> Any:
        """Predicted values of the rows of the fit, or of new ones."""
        data, index = new_rows(self.model, exog, transform, arguments)
        z = self.model.coordinates.centred(torch.from_numpy(self.theta))
        values = predicted_values(self.model, z, data, which)
        return pd.Series(values, index=index) if index is not None else values

    @property
    def fittedvalues(self) -> Any:
        """Predicted means of the rows of the fit."""
        return self.predict()

    def summary(self) -> Any:
        """There is none: penalised estimates have no standard errors."""
        raise NotImplementedError("penalised estimates have no standard errors to print; see params, or use refit=True")
