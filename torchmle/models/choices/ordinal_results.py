"""What an ordered model reports: thresholds, tables of predictions, residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from ...inference.delta import Delta
from ...inference.predictions import prediction
from ...results.estimates import Array
from ..discrete_results import DiscreteResults
from .categories import by_category, crossed, level_text


class OrderedResults(DiscreteResults):
    """An ordered model; coefficients come first in `params`, then the thresholds, in their order."""

    assumes_constant = False

    @property
    def thresholds(self) -> Any:
        """The estimated thresholds, increasing."""
        values = self.params_array[self.model.k_vars :].copy()
        return pd.Series(values, index=self.model.threshold_names) if self.model.design.pandas else values

    def increments(self) -> Delta:
        """The first threshold and the logarithms of the distances to the next, with standard errors by the delta method.

        statsmodels' parameters under its names ``a/b``.
        """
        k = self.model.k_vars

        def first_and_steps(p: Any) -> Any:
            thresholds = p[k:]
            return torch.cat([thresholds[:1], thresholds.diff().log()])

        return self.delta(first_and_steps, names=self.model.threshold_names)

    def _probabilities(self) -> Array:
        return prediction.predicted_values(self.model, self.fit.z, self.model.rows, "prob")

    @property
    def fittedvalues(self) -> Any:
        """Probabilities of the categories, (n, J)."""
        return by_category(self._probabilities(), self.model.index)

    def pred_table(self) -> pd.DataFrame:
        """Counts of rows by their category and the most likely one, with totals."""
        size = self.model.k_levels
        table = crossed(self.model.endog, self._probabilities().argmax(1), size).astype(int)
        names = [level_text(level) for level in self.model.labels]
        frame = pd.DataFrame(table, index=pd.Index(names, name=self.model.endog_names), columns=names)
        frame = frame.assign(All=frame.sum(axis=1))
        frame.loc["All"] = frame.sum(axis=0)
        return frame

    @property
    def resid_prob(self) -> Array:
        """``P(y < y_i) - P(y > y_i)``, (n,) ndarray (Li and Shepherd 2012)."""
        p, y = self._probabilities(), self.model.endog
        below = np.column_stack([np.zeros(len(p)), np.cumsum(p, 1)])[np.arange(len(p)), y]
        above = np.column_stack([np.cumsum(p[:, ::-1], 1)[:, ::-1], np.zeros(len(p))])[np.arange(len(p)), y + 1]
        return below - above

    @property
    def title(self) -> str:
        return "OrderedModel Results"

    def notes(self) -> list[str]:
        order = " < ".join(level_text(level) for level in self.model.labels)
        return [*super().notes(), f"Categories: {order}; thresholds on the scale of the linear predictor"]
