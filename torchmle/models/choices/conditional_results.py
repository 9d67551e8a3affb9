"""What a conditional logit reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...inference.predictions.prediction import Prediction
from ...results import report
from ...results.predictions import labelled, with_limits
from ..discrete_results import DiscreteResults
from . import conditional_predictions as conditional


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
        unseen: str = "raise",
        **arguments: Any,
    ) -> Any:
        """Predictions for the rows of the fit, or for new ones.

        Parameters
        ----------
        exog : DataFrame or array, optional
            New rows.  For probabilities whole groups of them, with their labels and how many have y = 1.
        which : str
            "mean": the probability of y = 1 given how many of the group have it; "linear": ``x'b + offset``, log odds
            up to a constant of the group.
        interval : {"mean", "obs"}, optional
            Also limits: of the prediction, made on the scale of log odds; or of a new observation, 0 and 1.
        level : float
            Their coverage.
        unseen : {"raise", "nan"}
            What to do with rows whose level of a factor the fit has not seen.
        **arguments
            ``groups``, labels of the new rows' groups, where they are not in the column that the fit took them from;
            ``ones``, how many rows of each group have y = 1: a number (1 is Stata's ``pc1``), a column, or one value
            for each row, by default as many as the response of the new rows says; ``offset``.

        Returns
        -------
        ndarray (n,) for the rows of the fit, of the groups that count; for new ones with an index a Series
            In groups with no ones, or only ones, probabilities are 0 or 1, without error.  A row in which something is
            missing has NaN and is no member of its group, as in the fit.
        """
        if interval is not None:
            return with_limits(self._predicted(exog, transform, which, unseen, arguments), interval, level)
        self._check(which)
        data, index = conditional.members(self.model, exog, transform, arguments, unseen)
        if which == "mean":
            values = conditional.probabilities(self.model, self.fit.z, data, exog, arguments).chance
        else:
            values = conditional.linear_predictors(self, data)
        return labelled(values.numpy(), None if exog is None else index)

    def get_prediction(
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        row_labels: Any = None,
        **arguments: Any,
    ) -> Prediction:
        """Predictions with standard errors and intervals; arguments as for `predict`.

        Errors of probabilities are by the delta method, with exact slopes, and their limits are those of the log odds.
        Linear predictors are log odds up to a constant of the row's group, which conditioning removes: a row where all
        columns are zero has 0 and no standard error.  What the data know are differences of rows of one group; their
        standard errors are those of `t_test` with the difference of the rows.

        Parameters
        ----------
        row_labels : sequence, optional
            Labels in place of the index.
        """
        found = self._predicted(exog, transform, which, "raise", arguments)
        return found if row_labels is None else replace(found, row_labels=row_labels)

    def _predicted(
        self, exog: Any, transform: bool, which: str, unseen: str, arguments: Mapping[str, Any]
    ) -> Prediction:
        self._check(which)
        data, index = conditional.members(self.model, exog, transform, arguments, unseen)
        if which == "linear":
            return conditional.linear_prediction(self, data, index)
        found = conditional.probabilities(self.model, self.fit.z, data, exog, arguments)
        return conditional.probability_prediction(self, found, index)

    def _check(self, which: str) -> None:
        if which not in self.model.predictable():
            raise ValueError(
                f"which={which!r} is not something ConditionalLogit predicts; choose from 'mean', 'linear'"
            )

    def get_distribution(self, *arguments: Any, **keywords: Any) -> Any:
        """Not offered: without constants of the groups no row has a distribution of its own."""
        raise NotImplementedError(
            "a conditional logit has no distribution of single rows: the constants of their groups are conditioned away; "
            "predict() gives probabilities, given how many of the group have y = 1"
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
