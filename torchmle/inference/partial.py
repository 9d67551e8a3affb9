"""Residuals of a response and of one column that show how the column enters: added-variable, partial and CERES residuals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..fitting.least_squares import row_weights
from .refits import refitted
from .smooth import lowess

if TYPE_CHECKING:
    from ..results import Results

Array = NDArray[np.float64]
SINGULAR = 1e-10  # of the largest singular value: directions below it are rounding errors


def column(results: Results, focus: Any) -> int:
    """Position of a column of the design given by its name or position.

    Raises
    ------
    ValueError
        There is no such column.
    """
    names = list(results.model.exog_names)
    position = names.index(focus) if focus in names else focus
    if not isinstance(position, int | np.integer) or not -len(names) <= position < len(names):
        raise ValueError(f"{focus!r} is no column of the design; its columns are {', '.join(names)}")
    return int(position) % len(names)


def added_variable_residuals(
    results: Results,
    focus: Any,
    resid_type: str | None = None,
    use_glm_weights: bool = True,
    fit_kwargs: Mapping[str, Any] | None = None,
) -> tuple[Array, Array]:
    """Residuals of the response, and of one column, given the other columns.

    Parameters
    ----------
    results : GLMResults or LinearResults
    focus : str or int
        The column.
    resid_type : str, optional
        Residuals of the model without the column: "resid_deviance" by default, for least squares "resid", whose (weighted)
        slope on the other residuals is the column's coefficient (Frisch and Waugh 1933).
    use_glm_weights : bool
        Regress the column on the others with the information of the rows about the linear predictor as weights, rather
        than with the weights of the data alone.  Least squares has no others.
    fit_kwargs : dict, optional
        Options of the fit without the column.

    Returns
    -------
    response, focus : ndarray
        (n,) each.

    Raises
    ------
    ValueError
        The model has one column only, the fit without it does not converge, or has no such residuals.

    References
    ----------
    Cook and Weisberg (1982), Residuals and Influence in Regression.
    """
    model, position = results.model, column(results, focus)
    others = np.delete(model.exog, position, axis=1)
    smaller = _refitted(results, others, fit_kwargs)
    kind = resid_type or ("resid_deviance" if _generalised(results) else "resid")
    if not hasattr(smaller, kind):
        raise ValueError(f"{type(model).__name__} has no residuals {kind!r}")
    root = np.sqrt(_weights(results, use_glm_weights))
    target = model.exog[:, position]
    slopes = np.linalg.lstsq(others * root[:, None], target * root, rcond=None)[0]
    return np.asarray(getattr(smaller, kind)), target - others @ slopes


def partial_residuals(results: Results, focus: Any) -> Array:
    """Working residuals with the column's own part put back: ``(y - mu) g'(mu) + b x``, (n,).

    References
    ----------
    Cook and Croos-Dabrera (1998), "Partial residual plots in generalized linear models", JASA 93, equation 8.
    """
    position = column(results, focus)
    own = np.nan_to_num(results.params_array[position]) * results.model.exog[:, position]
    return _working_residuals(results) + own


def ceres_residuals(results: Results, focus: Any, frac: float = 0.66, cond_means: Any = None) -> Array:
    """Partial residuals with smooth functions of the column in place of its straight line, (n,).

    The column is replaced by the conditional means ``E(other columns | column)``, which bend with it; what they explain is
    put back on the working residuals of that fit.  A curve in the plot is then one of the column itself and not of its
    relation to the others.

    Parameters
    ----------
    results : GLMResults or LinearResults
    focus : str or int
        The column.
    frac : float
        Share of the rows in each neighbourhood of the smoother; see `torchmle.inference.smooth.lowess`.
    cond_means : array_like, optional
        (n, p), the conditional means; of no columns they are zero.  Estimated by `lowess` when left out.

    References
    ----------
    Cook (1993), "Exploring partial residual plots", Technometrics 35.
    """
    model, position = results.model, column(results, focus)
    others = np.delete(model.exog, position, axis=1)
    means = _conditional_means(others, model.exog[:, position], frac) if cond_means is None else np.asarray(cond_means)
    if means.ndim != 2 or len(means) != len(others):
        raise ValueError(
            f"cond_means must be ({len(others)}, columns), one row for each of the fit; they are {means.shape}"
        )
    wider = _refitted(results, np.column_stack([others, means]), None)
    own = means @ np.nan_to_num(wider.params_array[others.shape[1] :])
    return _working_residuals(wider) + own


def _refitted(results: Results, exog: Array, fit_kwargs: Mapping[str, Any] | None) -> Any:
    """The fit of the same rows with other columns, if it converges."""
    fitted = refitted(results, exog, **(fit_kwargs or {}))
    if not fitted.converged:
        raise ValueError(f"the fit to the other columns did not converge: {fitted.optim.message}")
    return fitted


def _conditional_means(others: Array, focus: Array, frac: float) -> Array:
    """Smooths, on the column, of orthonormal combinations of the others without their means, (n, rank)."""
    centred = others - others.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    kept = left[:, values > SINGULAR * max(values.max(initial=0.0), 1.0)]
    return np.column_stack([lowess(each, focus, frac) for each in kept.T]) if kept.shape[1] else kept


def _generalised(results: Any) -> bool:
    return hasattr(results, "family")


def _working_residuals(results: Any) -> Array:
    return np.asarray(results.resid_working if _generalised(results) else results.resid)


def _weights(results: Any, working: bool) -> Array:
    """What the data say each row weighs, times its expected information if it is asked for."""
    if not _generalised(results):
        return row_weights(results.model.rows).cpu().numpy()
    given = results.model.iweights
    return given * np.asarray(results.family.weights(results.mu)) if working else given
