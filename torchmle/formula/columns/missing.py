"""Arrays from whatever is given, and which of their rows have a missing value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch


def typed(value: Any) -> Any:
    """A Series, extension array or numpy array as it is; a list, tensor or other array-like as a numpy array."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if hasattr(value, "dtype") and hasattr(value, "ndim"):
        return value
    array = np.asarray(value)
    # numpy would write a NaN among strings as the string "nan", a level like any other
    return np.asarray(value, dtype=object) if array.dtype.kind in "US" else array


def missing_rows(values: Any) -> np.ndarray | None:
    """Mask of the rows of an array, Series or frame with a missing value, or None when there are none."""
    if isinstance(values, pd.DataFrame):
        return _any(values.isna().to_numpy())
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return None
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return _any(np.isnan(np.asarray(values)))
    return _any(np.asarray(pd.isna(values)))


def _any(missing: np.ndarray) -> np.ndarray | None:
    rows = np.asarray(missing.any(axis=1) if missing.ndim == 2 else missing)
    return rows if rows.any() else None
