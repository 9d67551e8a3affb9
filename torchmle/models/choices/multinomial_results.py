"""What a multinomial logit reports: one column of coefficients per category."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...inference.predictions import prediction
from ...results import report
from ...results.estimates import Array
from ...summary import Block
from ..discrete_results import DiscreteResults
from .categories import by_category, crossed


class MultinomialResults(DiscreteResults):
    """A multinomial logit: coefficients as a matrix, tables of predictions, one block of the summary per category.

    `params`, `bse`, `tvalues` and `pvalues` are (k, J-1), a column for each category but the base, numbered from 0.
    Hypotheses and `names` take the parameters category by category, as ``y<category>_<column>``.
    """

    def sampler(self) -> Callable[[np.random.Generator], Array]:
        below = np.cumsum(np.asarray(self.predict()), 1)[:, :-1]
        return lambda generator: (generator.uniform(size=(len(below), 1)) > below).sum(1).astype(float)

    @property
    def J(self) -> int:
        """Number of categories."""
        return self.model.J

    @property
    def K(self) -> int:
        """Columns of the design."""
        return self.model.K

    def _series(self, values: Array) -> Any:
        """A vector over all parameters as a matrix with a column per category."""
        matrix = values.reshape(-1, self.K).T.copy()
        return pd.DataFrame(matrix, index=self.model.exog_names) if self.model.design.pandas else matrix

    @property
    def labels(self) -> pd.MultiIndex:
        """Category and column of each parameter."""
        levels = list(self.model._ynames_map.values())[1:]
        return pd.MultiIndex.from_product([levels, self.model.exog_names], names=[self.model.endog_names, None])

    def _square(self, matrix: Array) -> Any:
        """A copy labelled by category and column."""
        found = super()._square(matrix)
        return found.set_axis(self.labels, axis=0).set_axis(self.labels, axis=1) if self.model.design.pandas else found

    def conf_int(self, alpha: float = 0.05, method: str = "wald") -> Any:
        """Intervals with coverage 1 - alpha: a frame labelled by category and column, or an array (J-1, k, 2)."""
        limits = self._limits(alpha, method)
        if not self.model.design.pandas:
            return limits.reshape(-1, self.K, 2)
        return pd.DataFrame(limits, index=self.labels, columns=["lower", "upper"])

    @property
    def dropped_columns(self) -> list[str]:
        """Names of the columns left out as linear combinations of others, in all categories alike."""
        return [name for name, gone in zip(self.model.exog_names, self._dropped[: self.K], strict=True) if gone]

    @property
    def df_model(self) -> float:
        """Free coefficients less one for each category but the base, whether or not there is a constant."""
        return float(self.fit.rank - (self.J - 1))

    def term_positions(self) -> dict[str, list[int]]:
        """Positions of each formula term in the parameter vector, in all categories."""
        terms = self.model.design.terms[self.model.predictors()[0]]
        return {
            term: [j * self.K + column for j in range(self.J - 1) for column in range(*columns.indices(self.K))]
            for term, columns in terms.items()
        }

    # -- predictions -------------------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> Any:
        """Linear predictors, (n, J-1), a column for each category but the base."""
        linear = prediction.predicted_values(self.model, self.fit.z, self.model.rows, "linear")
        return by_category(linear[:, 1:], self.model.index)

    def _probabilities(self) -> Array:
        return prediction.predicted_values(self.model, self.fit.z, self.model.rows, "mean")

    def pred_table(self) -> Array:
        """Counts (J, J) of rows by their category and the most likely one."""
        return crossed(self.model.endog, self._probabilities().argmax(1), self.J)

    @property
    def resid_misclassified(self) -> Any:
        """1 where another category is the most likely, else 0."""
        return self._series_of_rows((self.model.endog != self._probabilities().argmax(1)).astype(float))

    @property
    def resid_response(self) -> Any:
        """Indicators of the categories less their probabilities, (n, J)."""
        return by_category(self.model.wendog - self._probabilities(), self.model.index)

    # -- the summary -------------------------------------------------------------------------------------------

    def coefficient_blocks(self, names: Sequence[str] | None, alpha: float) -> list[Block]:
        """One table for each category but the base, headed ``y=category``."""
        labels = list(names) if names is not None else self.model.exog_names
        if len(labels) != self.K:
            raise ValueError("xnames and params do not have the same length")
        return [
            report.coefficient_block(
                self, labels, alpha, slice(j * self.K, (j + 1) * self.K), self._heading(self.model.levels[j + 1])
            )
            for j in range(self.J - 1)
        ]

    def _heading(self, level: Hashable) -> str:
        return f"{self.model.endog_names}={self.model._ynames_map[self.model.levels.index(level)]}"

    def notes(self) -> list[str]:
        base = self.model._ynames_map[0]
        return [*super().notes(), f"Base category: {self.model.endog_names}={base}"]
