"""Plots of how one column enters a regression given the others; they return the Figure, as statsmodels' of these names do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..inference.partial import added_variable_residuals, ceres_residuals, column, partial_residuals
from .drawing import clean, label_axes, new_axes, points


class PartialPlots:
    """Plots of a column of the design, given by its name or position."""

    def plot_added_variable(
        self: Any,
        focus_exog: Any,
        resid_type: str | None = None,
        use_glm_weights: bool = True,
        fit_kwargs: Mapping[str, Any] | None = None,
        ax: Any = None,
    ) -> Any:
        """Residuals of the response against those of a column, given the others; returns the Figure.

        See `torchmle.inference.partial.added_variable_residuals`.
        """
        response, focus = added_variable_residuals(self, focus_exog, resid_type, use_glm_weights, fit_kwargs)
        name = self.model.exog_names[column(self, focus_exog)]
        return _cloud(focus, response, f"{name}, given the others", f"{self.model.endog_names}, given the others", ax)

    def plot_partial_residuals(self: Any, focus_exog: Any, ax: Any = None) -> Any:
        """Partial residuals against their column; returns the Figure.

        See `torchmle.inference.partial.partial_residuals`.
        """
        return _against_column(self, focus_exog, partial_residuals(self, focus_exog), "Partial residual", ax)

    def plot_ceres_residuals(
        self: Any, focus_exog: Any, frac: float = 0.66, cond_means: Any = None, ax: Any = None
    ) -> Any:
        """CERES residuals against their column; returns the Figure.

        See `torchmle.inference.partial.ceres_residuals`.
        """
        values = ceres_residuals(self, focus_exog, frac, cond_means)
        return _against_column(self, focus_exog, values, "CERES residual", ax)


def _against_column(results: Any, focus: Any, values: Any, label: str, ax: Any) -> Any:
    position = column(results, focus)
    return _cloud(results.model.exog[:, position], values, results.model.exog_names[position], label, ax)


def _cloud(x: Any, y: Any, x_label: str, y_label: str, ax: Any) -> Any:
    """Points with labelled axes."""
    ax = clean(new_axes(ax, layout="tight"))
    points(ax, np.asarray(x), np.asarray(y))
    label_axes(ax, x_label, y_label)
    return ax.figure
