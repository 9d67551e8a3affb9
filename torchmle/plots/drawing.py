"""Pens and paper of the plots: axes, colours, labels, clouds of points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Okabe and Ito (2008): colours that stay apart under every common form of colour blindness
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
GREY = "#8C8C8C"


def new_axes(ax: Any, figsize: tuple[float, float] = (6.4, 4.2), columns: int = 1, layout: str = "constrained") -> Any:
    """The Axes given, or those of a new figure. pyplot is asked only for the latter.

    Figures that are returned under statsmodels' names have a tight layout, for which scripts ask once more.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'torchmle[plots]'") from error
    return plt.subplots(1, columns, figsize=figsize, layout=layout)[1]


def label_axes(ax: Any, x: str, y: str) -> None:
    """Labels, where the caller has set none."""
    ax.set_xlabel(ax.get_xlabel() or x)
    ax.set_ylabel(ax.get_ylabel() or y)


def clean(ax: Any, grid: str = "both") -> Any:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, color="#E6E6E6", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def logarithmic(ax: Any) -> None:
    """A logarithmic x axis with ticks such as 0.5, 1, 2 in place of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 10 * low else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def points(ax: Any, x: Array, y: Array) -> None:
    """Points, fainter the more of them there are; drawn as an image, so that a file does not hold them all."""
    faint = float(np.clip(20 / np.sqrt(len(x)), 0.08, 0.7))
    ax.plot(x, y, "o", color=BLUE, markersize=3.5, markeredgewidth=0, alpha=faint, rasterized=True)


def scatter_with_means(ax: Any, x: Array, y: Array) -> None:
    """Points, and a line through the means of up to 20 groups of neighbours in x, of 20 points or more if there are."""
    points(ax, x, y)
    groups = int(np.clip(len(x) // 20, 3, 20))
    parts = [part for part in np.array_split(np.argsort(x, kind="stable"), groups) if len(part)]
    means = np.array([(x[part].mean(), y[part].mean()) for part in parts])
    ax.plot(means[:, 0], means[:, 1], color=VERMILION, linewidth=2, label="mean of neighbours")
