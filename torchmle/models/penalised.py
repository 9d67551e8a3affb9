"""Penalised fits of generalised linear and discrete models, under statsmodels' names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..fitting.coordinates import fixed_entries, hold
from ..fitting.fit import Fit
from ..fitting.objective import Objective
from ..optim import Optimum, Status, maximize
from ..optim.proximal import Penalty, minimize
from ..structured import Coefficients
from .regularized import average_loss, fit_regularized, strengths

if TYPE_CHECKING:
    from ..regression import RegressionModel

Array = NDArray[np.float64]
TRIMMING = ("auto", "size", "off")
OF_OTHER_SOLVERS = (
    "acc", "abstol", "reltol", "feastol", "refinement", "retall", "trim_mode", "auto_trim_tol", "size_trim_tol", "qc_tol",
    "qc_verbose", "cov_params_func", "method_kwargs",
)  # fmt: skip
TOLERANCE = 1e-14  # relative decrease at which the search ends


class ElasticNet:
    """A model that can be fitted with a penalty on squares and absolute values of its coefficients."""

    def fit_regularized(
        self: Any,
        method: str = "elastic_net",
        alpha: Any = 0.0,
        start_params: Any = None,
        refit: bool = False,
        opt_method: str | None = None,
        L1_wt: float = 1.0,
        **options: Any,
    ) -> Any:
        """Maximise the likelihood less a penalty; see `torchmle.models.regularized.fit_regularized`.

        Minimises ``-l(b) / n + sum_j alpha_j (L1_wt |b_j| + (1 - L1_wt) b_j^2 / 2)``, l at unit dispersion.

        Parameters
        ----------
        method : {"elastic_net", "l1_slsqp"}
            Two names of one search, for compatibility; "l1_slsqp" has ``L1_wt=1``.
        opt_method : str, optional
            For compatibility: Newton steps are taken.
        """
        if method not in ("elastic_net", "l1_slsqp"):
            raise ValueError(f"method must be 'elastic_net' or 'l1_slsqp', not {method!r}")
        if method == "l1_slsqp" and L1_wt != 1:
            raise ValueError(f"L1_wt must be 1 for method='l1_slsqp', not {L1_wt!r}; method='elastic_net' takes others")
        kept = {name: value for name, value in options.items() if name not in OF_OTHER_SOLVERS}
        return fit_regularized(self, alpha, L1_wt, start_params, refit, **kept)


class Lasso:
    """A model that can be fitted with a penalty on the absolute values of its coefficients."""

    def fit_regularized(
        self: Any,
        start_params: Any = None,
        method: str = "l1",
        maxiter: int | str = "defined_by_method",
        full_output: bool = True,
        disp: bool | None = None,
        callback: Any = None,
        alpha: Any = 0,
        trim_mode: str = "auto",
        auto_trim_tol: float = 0.01,
        size_trim_tol: float = 1e-4,
        qc_tol: float = 0.03,
        **options: Any,
    ) -> Any:
        """Maximise ``l(b) - sum_j alpha_j |b_j|``.

        The maximum is found to rounding error, so that what it sets to zero is exactly zero.  Covariances are those of
        the parameters that are not zero, by the likelihood without the penalty; they take the choice as given.

        Parameters
        ----------
        start_params : array_like, optional
            Reported parameters to start from.
        method : {"l1", "l1_cvxopt_cp"}
            Two names of one search, for compatibility.
        maxiter : int
            Newton steps, 1000 by default.
        disp : bool, optional
            Print how the search ended.
        alpha : float or array_like
            Weight of each coefficient's absolute value; one number does not concern parameters beside coefficients.
        trim_mode : {"auto", "size", "off"}
            Which parameters count as zero and get no standard error: those that are, those no larger than
            `size_trim_tol`, none.
        auto_trim_tol, qc_tol, full_output, callback, **options
            For compatibility: nothing has to be guessed from an unfinished search.

        Returns
        -------
        Results
            With `trimmed` and `nnz_params`.
        """
        if method not in ("l1", "l1_cvxopt_cp"):
            raise ValueError(f"method must be 'l1' or 'l1_cvxopt_cp', not {method!r}")
        if trim_mode not in TRIMMING:
            raise ValueError(f"trim_mode must be one of {', '.join(TRIMMING)}, not {trim_mode!r}")
        unknown = [name for name in options if name not in OF_OTHER_SOLVERS]
        if unknown:
            raise TypeError(f"fit_regularized has no option {unknown[0]!r}; see its documentation for those it has")
        steps = 1000 if isinstance(maxiter, str) else int(maxiter)
        small = size_trim_tol if trim_mode == "size" else 0.0
        fit = lasso(self, alpha, start_params, steps, small, trim=trim_mode != "off")
        results = self.results_class(fit, _nonrobust(self), None)
        results.announce(self.default_disp if disp is None else disp)
        return results


def _nonrobust(model: Any) -> Any:
    return model.choose_covariance("nonrobust", None, "newton")


def lasso(model: RegressionModel, alpha: Any, start_params: Any, maxiter: int, small: float, trim: bool = True) -> Fit:
    """The maximum of the log-likelihood less a weighted sum of absolute coefficients.

    Parameters
    ----------
    model : RegressionModel
    alpha : float or array_like
    start_params : array_like or None
    maxiter : int
        Newton steps.
    small : float
        Penalised coefficients no larger are set to zero.
    trim : bool
        Whether zeros count as parameters that are not there.
    """
    started, layout = time.perf_counter(), model.layout
    start = model.start() if start_params is None else model._z(start_params)
    theta, n = model.coordinates.theta(start).numpy().copy(), model.nobs
    weights = _weights(model, alpha) / n
    theta[weights > 0] = 0.0 if start_params is None else theta[weights > 0]
    found, steps, converged = minimize(
        average_loss(model, n), Penalty(weights, np.zeros_like(weights)), theta, maxiter, TOLERANCE
    )
    zero = (np.abs(found) <= small) & (weights > 0) & trim
    held = {**fixed_entries(layout, model.fixed_values), **{int(i): 0.0 for i in np.flatnonzero(zero)}}
    coordinates = hold(model.coordinates, held)
    objective = Objective(model, coordinates)
    x = coordinates.phi(model.coordinates.centred(torch.from_numpy(found)))
    there = maximize(objective, x, "newton", maxiter=0, names=coordinates.free_names(layout))
    status = Status.CONVERGED if converged else Status.ITERATION_LIMIT
    optimum = Optimum(**{**vars(there), "status": status, "method": "l1", "iterations": steps, "direction": None})
    settings = {"trimmed": tuple(int(i) for i in np.flatnonzero(zero)), "alpha": weights * n}
    return Fit(model, coordinates, optimum, time.perf_counter() - started, settings)


def _weights(model: RegressionModel, alpha: Any) -> Array:
    """The penalty's weight of each entry of theta."""
    layout = model.layout
    linear = np.zeros(layout.size, dtype=bool)
    for block in layout.blocks:
        linear[block.reals] = isinstance(block.transform, Coefficients)
    if np.ndim(alpha) == 0:
        return np.where(linear, strengths(alpha, layout.size, slice(0, layout.size)), 0.0)
    given = np.asarray(alpha, dtype=float).ravel("F")
    if given.size == linear.sum() < layout.size:
        full = np.zeros(layout.size)
        full[linear] = given
        given = full
    weights = strengths(given, layout.size, slice(0, layout.size))
    if (weights[~linear] > 0).any():
        names = ", ".join(np.asarray(layout.real_names)[~linear & (weights > 0)])
        raise ValueError(f"alpha: {names} cannot be penalised, only coefficients can; give 0 there")
    return weights
