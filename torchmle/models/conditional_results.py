"""What a conditional logit reports."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..inference import prediction
from ..results import report
from .discrete_results import DiscreteResults


class ConditionalResults(DiscreteResults):
    """A conditional logit: there are no constants, so a probability is known only given how many a group has."""

    assumes_constant = False

    def predict(self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any) -> Any:
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
        model, z = self.model, self.fit.z
        if which == "mean" and exog is not None:
            raise ValueError("the probabilities of new rows depend on constants of their groups, which conditioning removes; "
                             "which='linear' gives log odds up to that constant")  # fmt: skip
        if which == "mean":
            return model.conditional_probabilities(z.to(model.rows.device))
        data, index = (model.members, None) if exog is None else model.predict_data(exog, transform, arguments)
        linear = data.x["X"].double().cpu() @ z
        values = (linear + data.offset.cpu() if "offset" in data.columns else linear).numpy()
        return values if index is None else pd.Series(values, index=index)

    def get_prediction(
        self, exog: Any = None, transform: bool = True, which: str = "linear", **arguments: Any
    ) -> prediction.Prediction:
        """Not offered: without constants there are only differences between rows; see `t_test` for these."""
        raise NotImplementedError(
            "a conditional logit has no level of its predictions; t_test gives differences of log odds"
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
