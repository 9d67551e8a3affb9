"""Plots of results. Every function draws on the Axes it is given, or on new ones, and returns them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ..inference.predictions.curves import SurvivalCurve, survival_curves
from .drawing import (
    BLUE,
    COLOURS,
    GREY,
    VERMILION,
    clean,
    label_axes,
    logarithmic,
    new_axes,
    points,
    scatter_with_means,
)

if TYPE_CHECKING:
    from ..models.kaplan_meier import KaplanMeier
    from ..results import Results

Array = NDArray[np.float64]
SURVIVAL = "Survival probability"


def plot_coefficients(
    results: Results, ax: Any = None, alpha: float = 0.05, exponentiate: bool = False, names: Any = None
) -> Any:
    """Estimates with their intervals, one line each, in the order of the table.

    Parameters
    ----------
    results : Results
    ax : Axes, optional
        Where to draw; a new figure when left out.
    alpha : float
        Intervals have coverage 1 - alpha; they are those of ``results.conf_int(alpha)``.
    exponentiate : bool
        Draw ``exp`` of coefficients and limits, on a logarithmic axis: hazard, rate and odds ratios.  Parameters that
        are not coefficients (sigma) are left out.
    names : list of str, optional
        The parameters to draw, in this order.

    Returns
    -------
    Axes
    """
    shown = _coefficient_positions(results, names, exponentiate)
    change = np.exp if exponentiate else np.asarray
    middle = change(results.params_array[shown])
    low, high = change(results._limits(alpha)[shown]).T
    ax = new_axes(ax, figsize=(6.4, 1.2 + 0.34 * len(shown)))
    ax.axvline(1.0 if exponentiate else 0.0, color=GREY, linewidth=1, linestyle="--", zorder=0)
    heights = np.arange(len(shown))
    ax.hlines(heights, low, high, color=BLUE, linewidth=2)
    ax.plot(middle, heights, "o", color=BLUE, markersize=6, markeredgecolor="white")
    if exponentiate:
        logarithmic(ax)
    ax.set_yticks(heights, [results.names[i] for i in shown])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    kind = "exp(coefficient)" if exponentiate else "Estimate"
    ax.set_xlabel(f"{kind} with {100 * (1 - alpha):g} % interval")
    return clean(ax, grid="x")


def plot_diagnostics(results: Results, ax: Any = None) -> Any:
    """Residuals against fitted values, their quantiles against the normal's, and their spread against fitted values.

    Residuals of the second and third plot are divided by their standard deviations.  The orange line joins the means
    of groups of rows with neighbouring fitted values; of a model that fits, it stays level.

    Parameters
    ----------
    results : Results
        Of a model with residuals: `OLS`, `WLS`, `Poisson`, `Normal`.
    ax : sequence of three Axes, optional

    Returns
    -------
    ndarray of three Axes

    Raises
    ------
    ValueError
        The model has no residuals, or `ax` are not three Axes.
    """
    if not hasattr(results, "resid"):
        raise ValueError(f"{type(results.model).__name__} has no residuals, so there is nothing to diagnose them by")
    axes = _three_axes(ax)
    fitted, residuals = np.asarray(results.predict()), np.asarray(results.resid)
    standard = _standard_residuals(results, residuals)
    scatter_with_means(axes[0], fitted, residuals)
    axes[0].axhline(0, color=GREY, linewidth=1, linestyle="--", zorder=0)
    label_axes(axes[0], "Fitted values", "Residuals")
    _quantiles(axes[1], standard)
    label_axes(axes[1], "Normal quantiles", "Standardised residuals")
    scatter_with_means(axes[2], fitted, np.sqrt(np.abs(standard)))
    label_axes(axes[2], "Fitted values", "√|standardised residuals|")
    axes[2].set_ylim(bottom=0)
    for each in axes:
        clean(each)
    return axes


def plot_survival(
    results: Results,
    new: Any = None,
    times: ArrayLike | None = None,
    ax: Any = None,
    kaplan_meier: Any = None,
    alpha: float = 0.05,
    **arguments: Any,
) -> Any:
    """Fitted survival curves with pointwise bands, over Kaplan-Meier curves if there are any.

    Parameters
    ----------
    results : Results
        Of a survival model.
    new : DataFrame or array, optional
        One curve for each of these rows; the average of the curves of all rows of the fit when left out.
    times : array_like, optional
        Where to compute the curves; from 0 to the longest time of the fit when left out.
    ax : Axes, optional
        Where to draw; a new figure when left out.
    kaplan_meier : KaplanMeier, or dict of them, optional
        Drawn underneath: what the data say without the model.  Of a dict, as `KaplanMeier.from_formula` gives it, each
        curve has the colour of the row of its group.
    alpha : float
        Bands have pointwise coverage 1 - alpha, by the delta method on the scale of ``log(-log S)``.
    **arguments
        Offset of the new rows.

    Returns
    -------
    Axes
    """
    curves = survival_curves(results, new, times, **arguments)
    ax = new_axes(ax)
    name = results.model.design.response[0] if results.model.formula else "time"
    label_axes(ax, "Time" if name.lower() == "time" else f"Time ({name})", SURVIVAL)
    steps = kaplan_meier if isinstance(kaplan_meier, Mapping) else {"all": kaplan_meier}
    _draw_kaplan_meier(ax, {group: curve for group, curve in steps.items() if curve is not None}, curves)
    for curve, colour in zip(curves, cycle(COLOURS)):
        _draw_curve(ax, curve, colour, "fitted" if new is None else f"{curve.label}, fitted", alpha)
    ax.set_xlim(0, float(curves[0].times.max()))
    ax.set_ylim(0, 1.02)
    if len(ax.get_legend_handles_labels()[1]) > 1:
        ax.legend(frameon=False)
    return clean(ax)


def plot_profile(results: Results, name: Any = None, ax: Any = None, alpha: float = 0.05) -> Any:
    """Signed roots of the profile likelihood against the value, one panel per parameter, with Wald's straight line.

    The bend of a curve away from its line is what Wald's interval misses.  Dashed lines mark the interval of coverage
    1 - alpha.

    Parameters
    ----------
    results : Results
    name : str or list of str, optional
        Parameters to draw; all free ones when left out.
    ax : Axes or sequence of Axes, optional
        One per parameter; a new figure when left out.
    alpha : float

    Returns
    -------
    Axes, or an array of them for several parameters
    """
    profiles = results.profile_likelihood(name)
    panels = np.atleast_1d(new_axes(ax, (3.2 * len(profiles.curves), 3.2), len(profiles.curves)))
    if len(panels) != len(profiles.curves):
        raise ValueError(f"ax has {len(panels)} Axes; there are {len(profiles.curves)} parameters to draw")
    limits = np.asarray(profiles.conf_int(alpha))
    for panel, curve, ends in zip(panels, profiles.curves, limits, strict=True):
        _profile_panel(panel, curve, ends, results._bse[results.names.index(curve.name)])
    return panels[0] if len(panels) == 1 else panels


def _profile_panel(ax: Any, curve: Any, ends: Array, se: float) -> None:
    """One signed root, its Wald line and its limits."""
    ax.plot(curve.value, curve.signed_root, color=BLUE, linewidth=2, label="profile")
    span = np.array([curve.value.min(), curve.value.max()])
    if np.isfinite(se) and se > 0:
        ax.plot(span, (span - curve.estimate) / se, color=GREY, linewidth=1, label="Wald")
    for end in ends[np.isfinite(ends)]:
        ax.axvline(end, color=VERMILION, linewidth=1, linestyle="--")
    label_axes(ax, curve.name, "Signed root")
    clean(ax).legend(frameon=False)


def plot_trace(results: Results, ax: Any = None) -> Any:
    """The log-likelihood of every step of the optimiser, and the Newton decrement.

    The decrement ``g'(-H)^-1 g``, on the logarithmic axis to the right, is about the squared distance to the maximum
    in standard errors; half of it is about what the log-likelihood has still to gain.

    Parameters
    ----------
    results : Results
    ax : Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    Axes
        Of the log-likelihood; those of the decrement share its x axis.

    Raises
    ------
    ValueError
        There were no steps: the estimates are a closed form.
    """
    history = results.optim.history
    if not history:
        raise ValueError(f"there are no steps to plot: the estimates are a closed form ({results.optim.method})")
    steps = np.array([step.iteration for step in history])
    values = np.array([step.value for step in history])
    decrements = np.array([step.decrement for step in history])
    ax = new_axes(ax)
    few = len(steps) <= 60  # more markers would hide the line
    ax.plot(steps, values, "o-" if few else "-", color=BLUE, label="log-likelihood")
    label_axes(ax, f"Iteration ({results.optim.method})", "Log-likelihood")
    ax.yaxis.label.set_color(BLUE)
    ax.xaxis.get_major_locator().set_params(integer=True)
    clean(ax)
    shown = np.isfinite(decrements) & (decrements > 0)  # what a logarithmic axis can hold
    right = ax.twinx()
    right.plot(steps[shown], decrements[shown], "s--" if few else "--", color=VERMILION, label="decrement")
    right.set_yscale("log")
    right.set_ylabel("Newton decrement", color=VERMILION)
    right.spines["top"].set_visible(False)
    return ax


def plot_steps(kaplan_meier: KaplanMeier, ax: Any = None, conf_int: bool = True, **options: Any) -> Any:
    """A Kaplan-Meier curve as steps, with its pointwise 95 % band.

    Parameters
    ----------
    kaplan_meier : KaplanMeier
    ax : Axes, optional
        Where to draw; a new figure when left out.
    conf_int : bool
        Whether to shade the band of ``kaplan_meier.conf_int()``.
    **options
        Passed on to the line: color, label, linewidth ...

    Returns
    -------
    Axes
    """
    new = ax is None
    ax = new_axes(ax)
    table = kaplan_meier.table
    options = {"color": BLUE, "label": kaplan_meier.label, **options}
    times = np.concatenate([[0.0], table["time"]])
    (line,) = ax.plot(times, np.concatenate([[1.0], table["survival"]]), drawstyle="steps-post", **options)
    if conf_int:
        limits = kaplan_meier.conf_int()
        low, high = (np.concatenate([[1.0], limits[side]]) for side in ("lower", "upper"))
        under = {"color": line.get_color(), "zorder": line.get_zorder() - 0.1}
        ax.fill_between(times, low, high, step="post", alpha=0.2, linewidth=0, **under)
    if new:
        ax.set_xlim(0, float(times[-1]))
        ax.set_ylim(0, 1.02)
    label_axes(ax, "Time", SURVIVAL)
    return clean(ax)


# -- pieces ------------------------------------------------------------------------------------------------------


def _three_axes(ax: Any) -> Any:
    axes = np.asarray(new_axes(ax, (11.0, 3.6), columns=3), dtype=object).reshape(-1)
    if len(axes) != 3:
        raise ValueError(f"plot_diagnostics draws three plots, so ax must be a sequence of three Axes, not {len(axes)}")
    return axes


def _coefficient_positions(results: Results, names: Any, exponentiate: bool) -> list[int]:
    """Which entries of the table to draw."""
    if names is not None:
        unknown = [name for name in names if name not in results.names]
        if unknown:
            raise ValueError(f"no parameter {unknown[0]!r}; the parameters are {', '.join(results.names)}")
        return [results.names.index(name) for name in names]
    blocks = results.model.layout.blocks
    chosen = [i for b in blocks if b.is_identity or not exponentiate for i in range(b.reported.start, b.reported.stop)]
    return [i for i in chosen if np.isfinite(results.params_array[i])]  # collinear columns have no estimate


def _standard_residuals(results: Results, residuals: Array) -> Array:
    """Residuals over their standard deviations: the model's, or the sample's if it has none."""
    if hasattr(results, "resid_pearson"):
        return np.asarray(results.resid_pearson)
    variance = results.observation_variance(results.model.rows)
    return residuals / (np.std(residuals) if variance is None else np.sqrt(variance))


def _quantiles(ax: Any, values: Array) -> None:
    """Sorted values against normal quantiles at ``(i - 1/2) / n``."""
    expected = special.ndtri((np.arange(len(values)) + 0.5) / len(values))
    reach = expected[[0, -1]]
    ax.plot(reach, reach, color=GREY, linewidth=1, linestyle="--", zorder=0)
    points(ax, expected, np.sort(values))


def _draw_kaplan_meier(ax: Any, steps: Mapping[Any, KaplanMeier], fitted: list[SurvivalCurve]) -> None:
    """Wide, light steps that a fitted curve does not hide; each group in the colour of its fitted curve."""
    rows = {curve.group: (curve.label, colour) for curve, colour in zip(fitted, cycle(COLOURS))}
    for group, curve in steps.items():
        label, colour = rows.get(group, (str(group), GREY)) if len(steps) > 1 else ("", GREY)
        name = f"{label}, Kaplan–Meier" if label else curve.label or "Kaplan–Meier"
        plot_steps(curve, ax, conf_int=False, color=colour, label=name, linewidth=5, alpha=0.35, zorder=1.5)


def _draw_curve(ax: Any, curve: SurvivalCurve, colour: str, label: str, alpha: float) -> None:
    low, high = curve.conf_int(alpha).T
    ax.fill_between(curve.times, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(curve.times, curve.survival, color=colour, linewidth=1.6, label=label)
