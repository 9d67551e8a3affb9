"""Exposure: what multiplies a mean, known row by row."""

from __future__ import annotations

from ..data import Data


def with_log_exposure(data: Data) -> Data:
    """The data with the logarithm of the exposure, if there is one."""
    exposure = data.get("exposure")
    if exposure is None:
        return data
    if bool((exposure <= 0).any()):
        raise ValueError(f"exposure must be positive; the smallest value is {float(exposure.min()):g}")
    return data.with_columns(log_exposure=exposure.log())
