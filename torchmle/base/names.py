"""Names, arrays and counts of a model, after statsmodels."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..fitting.starts import total_weight
from .model_data import ModelData


class Names:
    """What a `LikelihoodModel` says of its rows and columns to those who know statsmodels' models."""

    k_constant: Any = 0

    def __repr__(self: Any) -> str:
        what = self.formula or f"{self.endog_names} on {', '.join(self.exog_names) or 'a constant'}"
        return f"<{type(self).__name__}: {what}, {self._rows.n if self._rows else 'no'} rows>"

    @property
    def formula(self: Any) -> str | None:
        """The main formula as it was given, an offset in it too; None for arrays."""
        return self.written or self.design.formulas.get(self.predictors()[0])

    @property
    def endog_names(self: Any) -> str:
        """Label of the response."""
        return self.design.response_label

    @property
    def exog_names(self: Any) -> list[str]:
        """Labels of the columns of the main design."""
        return list(self.design.columns.get(self.predictors()[0], ()))

    @property
    def data(self: Any) -> ModelData:
        """Names, labels and arrays of the rows, as statsmodels calls them."""
        return ModelData(self)

    @property
    def endog(self: Any) -> Any:
        """The response, an ndarray on the CPU."""
        return self.rows.y.cpu().numpy()

    @property
    def exog(self: Any) -> Any:
        """The main design, an ndarray on the CPU; None when there is none."""
        x = self.rows.x.get(self.predictors()[0])
        return None if x is None else x.cpu().numpy()

    @cached_property
    def nobs(self: Any) -> float:
        """Observations: rows, or the sum of their frequency weights."""
        return total_weight(self.rows)

    @property
    def _init_keys(self: Any) -> list[str]:
        return [*self.given_arguments, *self.settings]

    def _get_init_kwds(self: Any) -> dict[str, Any]:
        """Keywords with which ``type(model)(endog, exog, **keywords)`` is the same model."""
        told = {name: getattr(self, name) for name in self.settings if hasattr(self, name)}
        return {**told, **{name: self.rows.columns[name].cpu().numpy() for name in self.given_arguments}}
