"""The data of a model under the names that statsmodels' users know: ``model.data``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from patsy import DesignInfo

from ..formula import constant_columns
from ..formula.design_info import design_info

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel


@dataclass(frozen=True)
class ModelData:
    """Names, labels and arrays of a model's rows, made when they are asked for.

    Attributes
    ----------
    model : LikelihoodModel
    """

    model: LikelihoodModel

    @property
    def frame(self) -> Any:
        """The data a formula was applied to, as given; None for arrays."""
        return self.model.frame

    @property
    def endog(self) -> Any:
        """The response, an ndarray."""
        return self.model.endog

    @property
    def exog(self) -> Any:
        """The main design, an ndarray (n, k)."""
        return self.model.exog

    @property
    def ynames(self) -> str:
        """Label of the response."""
        return self.model.endog_names

    @property
    def xnames(self) -> list[str]:
        """Labels of the columns of the main design, and of what `exog_names` holds beside them."""
        return list(self.model.exog_names)

    @property
    def param_names(self) -> list[str]:
        """Labels of the parameters."""
        return list(self.model.layout.names)

    @property
    def cov_names(self) -> list[str]:
        """Labels of the rows of the covariance."""
        return self.param_names

    @property
    def row_labels(self) -> pd.Index | None:
        """Labels of the rows of the fit; None for arrays."""
        return vars(self.model).get(
            "hidden_labels", self.model.index
        )  # a result may be without labels, its rows have some

    @property
    def orig_endog(self) -> Any:
        """The response with its labels: a frame for a formula, a Series (a frame when it has several columns) for
        pandas objects, an ndarray for arrays; of successes and failures the two columns."""
        index, values, names = self.row_labels, self.endog, list(self.model.design.response)
        if len(names) == 2 and values.ndim == 1 and hasattr(self.model, "n_trials"):
            successes = values * self.model.n_trials
            values = np.column_stack([successes, self.model.n_trials - successes])
        if index is None:
            return values
        if values.ndim == 1 and self.model.formula is None:
            return pd.Series(values, index=index, name=self.ynames)
        return pd.DataFrame(values, index=index, columns=names if values.ndim == 2 else [self.ynames])

    @property
    def orig_exog(self) -> Any:
        """The main design with its labels: a DataFrame, an ndarray for arrays."""
        if self.row_labels is None or self.exog is None:
            return self.exog
        return pd.DataFrame(self.exog, index=self.row_labels, columns=self._columns)

    @property
    def _columns(self) -> list[str]:
        return list(self.model.design.columns.get(self.model.predictors()[0], ()))

    @property
    def k_constant(self) -> int:
        """1 when the main design has a constant, explicit or as a sum of columns."""
        return int(self.model.k_constant)

    @property
    def const_idx(self) -> int | None:
        """Position of the constant column; None when there is none, even if columns sum to one."""
        x = self.model.rows.x.get(self.model.predictors()[0])
        if x is None or self.model.hasconst is False:
            return None
        found = [j for j in constant_columns(x) if float(x[0, j]) != 0]
        ones = [j for j in found if float(x[0, j]) == 1]
        return next(iter([*ones, *found]), None)

    @property
    def missing_row_idx(self) -> list[int]:
        """Positions, in the data given, of the rows left out because something was missing."""
        kept = self.model.kept
        return [] if kept is None else np.flatnonzero(~kept).tolist()

    @property
    def model_spec(self) -> DesignInfo | None:
        """patsy's description of the main design; None for arrays."""
        return design_info(self.model.design) if self.model.formula is not None else None

    @property
    def design_info(self) -> DesignInfo | None:
        """The name of `model_spec` up to statsmodels 0.14."""
        return self.model_spec
