"""What a conditional logit reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ...data import Data
from ...inference.predictions import prediction
from ...results import report
from ...results.estimates import Array
from ...results.predictions import with_limits
from ...transforms import Identity
from ..discrete_results import DiscreteResults


class ConditionalResults(DiscreteResults):
    """A conditional logit: there are no constants, so a probability is known only given how many a group has."""

    assumes_constant = False

    def predict(
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        interval: str | None = None,
        level: float = 0.95,
        **arguments: Any,
    ) -> Any:
        """Predictions for the rows of the fit, or for new ones.

        Parameters
        ----------
        exog : DataFrame or array, optional
            New rows, for "linear" only: the constants of their groups are not known.
        which : str
            "mean": the probability of y = 1 given how many of the group have it; "linear": ``x'b + offset``, log odds
            up to a constant of the group.

        Returns
        -------
        ndarray (n,) for the rows of the fit, of the groups that count; for new ones with an index a Series
        """
        if which not in ("mean", "linear"):
            raise ValueError(
                f"which={which!r} is not something ConditionalLogit predicts; choose from 'mean', 'linear'"
            )
        model = self.model
        if interval is not None:
            return with_limits(self.get_prediction(exog, transform, which, **arguments), interval, level)
        if which == "mean" and exog is not None:
            raise ValueError("the probabilities of new rows depend on constants of their groups, which conditioning removes; "
                             "which='linear' gives log odds up to that constant")  # fmt: skip
        if which == "mean":
            return model.conditional_probabilities(self.fit.z.to(model.rows.device))
        data, index = self._members(exog, transform, arguments)
        values = self._linear(data)
        return values if index is None or exog is None else pd.Series(values, index=index)

    def _members(self, exog: Any, transform: bool, arguments: Mapping[str, Any]) -> tuple[Data, Any]:
        """The members of the fit, or new rows, and their labels."""
        model = self.model
        if exog is not None:
            return model.predict_data(exog, transform, arguments)
        _ = model.rows  # or say that they are gone
        return model.members, model.index

    def _linear(self, data: Data) -> Array:
        linear = data.x["X"].double().cpu() @ self.fit.z
        return (linear + data.offset.cpu() if "offset" in data.columns else linear).numpy()

    def get_prediction(
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "linear",
        *,
        row_labels: Any = None,
        **arguments: Any,
    ) -> prediction.Prediction:
        """Linear predictors ``x'b + offset`` with standard errors ``sqrt(x'V x)`` and intervals.

        These are log odds up to a constant of the row's group, which conditioning removes: a row where all columns are
        zero has 0 and no standard error.  What the data know are differences of rows of one group; their standard errors
        are those of `t_test` with the difference of the rows.

        Parameters
        ----------
        exog, transform, **arguments
            As for `predict`.
        which : {"linear"}
            Probabilities of the rows of the fit, given how many of their group have y = 1, are `predict()`.
        row_labels : sequence, optional
            Labels in place of the index.
        """
        if which != "linear":
            raise ValueError(
                f"get_prediction of a conditional logit takes which='linear', not {which!r}: its probabilities have no level; "
                "predict() gives those of the rows of the fit, t_test differences of log odds"
            )
        data, index = self._members(exog, transform, arguments)
        x, covariance = data.x["X"].double().cpu(), self.covariance_z
        value, se = self._linear(data), ((x @ covariance) * x).sum(1).clamp_min(0).sqrt().numpy()
        df = self.df_inference if self.use_t else None
        labels = index if row_labels is None else row_labels
        return prediction.Prediction(value, se, value, se, Identity(), df, labels)

    def get_distribution(self, *arguments: Any, **keywords: Any) -> Any:
        """Not offered: without constants of the groups no row has a distribution of its own."""
        raise NotImplementedError(
            "a conditional logit has no distribution of single rows: the constants of their groups are conditioned away; "
            "predict() gives probabilities of the rows of the fit, given how many of their group have y = 1"
        )

    @property
    def fittedvalues(self) -> Any:
        """Probabilities of y = 1 for the rows of the fit, given how many of their group have it."""
        return self._series_of_rows(self.predict())

    @property
    def n_groups(self) -> int:
        """Groups that count: those in which the response varies."""
        return int(self.model.group_statistics[0])

    @property
    def title(self) -> str:
        return "Conditional Logit Model Regression Results"

    def header(self) -> tuple[report.Pairs, report.Pairs]:
        left, right = super().header()
        groups, least, most, mean = self.model.group_statistics
        sizes = [
            ("No. groups:", groups),
            ("Min group size:", least),
            ("Max group size:", most),
            ("Mean group size:", mean),
        ]
        return [*left, *sizes[:2]], [*right, *sizes[2:]]

    def notes(self) -> list[str]:
        groups, rows = self.model.left_out
        none = [f"{groups} groups with {rows} rows in which the response does not vary were left out"] if groups else []
        return [*super().notes(), *none]
