"""Which rows have a missing value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


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
