"""Exposure and offset: what multiplies a mean or is added to a linear predictor, known row by row."""

from __future__ import annotations

from numpy.typing import NDArray

from ..data import Data


def with_log_exposure(data: Data) -> Data:
    """The data with the logarithm of the exposure, if there is one."""
    exposure = data.get("exposure")
    if exposure is None:
        return data
    if bool((exposure <= 0).any()):
        raise ValueError(f"exposure must be positive; the smallest value is {float(exposure.min()):g}")
    return data.with_columns(log_exposure=exposure.log())


class LinearArguments:
    """Offset and exposure of a model's rows as arrays.  A model without them has no such attribute."""

    rows: Data

    @property
    def offset(self) -> NDArray:
        """What is added to the linear predictor, (n,)."""
        return self._given("offset", "offset")

    @property
    def exposure(self) -> NDArray:
        """Logarithm of the exposure, as statsmodels keeps it, (n,)."""
        return self._given("log_exposure", "exposure")

    def _given(self, column: str, name: str) -> NDArray:
        values = self.rows.get(column)
        if values is None:
            raise AttributeError(f"the model has no {name}")
        return values.double().cpu().numpy()
