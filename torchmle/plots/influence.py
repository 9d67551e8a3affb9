"""Plots of the influence of single rows; they return the Figure, as statsmodels' plots of these names do."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inference.distributions import quantile
from .drawing import BLUE, GREY, clean, label_axes, new_axes

LARGEST = 400.0  # area of the largest bubble, in square points
MEASURES = {
    "cook": ("cooks_distance", "Cook's distance"),
    "hat": ("hat_matrix_diag", "Leverage"),
    "dfbeta": ("dfbetas", "DFBETA"),
    "resid_stu": ("resid_studentized", "Studentised residual"),
}
"""Attribute and label of the measures that have a short name."""


def plot_influence(
    influence: Any, criterion: str = "cooks", ax: Any = None, alpha: float = 0.05, external: bool = False
) -> Any:
    """Studentised residuals against leverages; the area of a point is its influence.

    Parameters
    ----------
    influence : MLEInfluence or OLSInfluence
    criterion : {"cooks", "dffits"}
        What the area shows: Cook's distance, or the scaled change of the fitted mean.
    ax : Axes, optional
    alpha : float
        Rows whose residual is in the outer `alpha` of a normal distribution, or whose leverage exceeds twice the mean,
        are labelled.
    external : bool
        Has no bearing here: residuals are studentised with the dispersion of the whole fit.

    Returns
    -------
    Figure
    """
    known = influence.hat_matrix_diag
    leverage = influence.hat_matrix_exog_diag if known is None else known
    residual = influence.resid if known is None else influence.resid_studentized
    size = (
        influence.cooks_distance[0]
        if criterion == "cooks"
        else np.abs(influence.summary_frame()["dffits_internal"].to_numpy())
    )
    ax = new_axes(ax, layout="tight")
    area = LARGEST * np.nan_to_num(size) / max(float(np.nanmax(size)), np.finfo(float).tiny)
    ax.scatter(leverage, residual, s=area, color=BLUE, alpha=0.5, edgecolors="white")
    ax.axhline(0.0, color=GREY, linewidth=1)
    large = (np.abs(residual) > quantile(1 - alpha / 2)) | (leverage > 2 * np.nanmean(leverage))
    _label(ax, influence, np.flatnonzero(large), leverage, residual)
    label_axes(ax, "Leverage", "Studentised residual")
    return clean(ax).figure


def plot_index(
    influence: Any,
    y_var: str = "cooks",
    threshold: float | None = None,
    title: str | None = None,
    ax: Any = None,
    idx: int | None = None,
) -> Any:
    """A measure of influence of each row, in the order of the rows.

    Parameters
    ----------
    influence : MLEInfluence or OLSInfluence
    y_var : str
        "cooks", "hat", "dfbeta" (of the parameter `idx`), "resid_stu...", or the name of an attribute.
    threshold : float, optional
        Rows above it in size are labelled.
    title : str, optional
    ax : Axes, optional
    idx : int, optional
        The parameter, for measures of each.

    Returns
    -------
    Figure
    """
    short = next((name for name in MEASURES if y_var.startswith(name)), None)
    attribute, label = MEASURES[short] if short else (y_var, y_var)
    values = getattr(influence, attribute)
    values = np.asarray(values[0] if isinstance(values, tuple) else values)
    if values.ndim == 2:
        if idx is None:
            raise ValueError(f"{y_var!r} has a value for each parameter; say which by idx=")
        values, label = values[:, idx], f"{label} of {influence.results.names[idx]}"
    ax = new_axes(ax, layout="tight")
    rows = np.arange(len(values))
    ax.vlines(rows, 0, values, color=BLUE, linewidth=1)
    ax.plot(rows, values, "o", color=BLUE, markersize=3.5)
    if threshold is not None:
        _label(ax, influence, np.flatnonzero(np.abs(values) > threshold), rows, values)
    if title:
        ax.set_title(title)
    label_axes(ax, "Row", label)
    return clean(ax).figure


class InfluencePlots:
    """The plots above as methods of measures of influence."""

    plot_influence = plot_influence
    plot_index = plot_index


def _label(ax: Any, influence: Any, rows: Any, x: Any, y: Any) -> None:
    """Names of some rows beside their points."""
    index = influence.results.model.index
    for row in rows.tolist():
        name = str(row if index is None else index[row])
        ax.annotate(name, (x[row], y[row]), xytext=(3, 3), textcoords="offset points", fontsize=8)
