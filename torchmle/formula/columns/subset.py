"""``subset=``: which rows of the data to use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...errors import FormulaError
from .rowargs import align


def subset_mask(subset: Any, index: pd.Index | None, n: int) -> np.ndarray:
    """Boolean mask over n rows from a mask, a boolean Series aligned by index, or labels of the index.

    Raises
    ------
    FormulaError
        For a mask of another length, or labels that are not in the index.
    """
    if isinstance(subset, pd.Series) and pd.api.types.is_bool_dtype(subset.dtype):
        subset = subset if index is None else align("subset", subset, index)
        return _mask(subset.fillna(False).to_numpy(dtype=bool), n)
    values = np.asarray(subset)
    if not values.ndim:
        raise FormulaError(
            f"subset must be a mask or labels of rows, not {subset!r}; data.query({str(subset)!r}) reads conditions"
        )
    if values.dtype == bool:
        return _mask(values, n)
    labels = pd.Index(values)
    index = pd.RangeIndex(n) if index is None else index
    absent = ~labels.isin(index)
    if absent.any():
        raise FormulaError(f"subset: the data have no row labelled {labels[absent][0]!r}")
    return np.asarray(index.isin(labels))


def _mask(mask: np.ndarray, n: int) -> np.ndarray:
    if len(mask) != n:
        raise FormulaError(f"subset has {len(mask)} rows, the data have {n}")
    return mask
