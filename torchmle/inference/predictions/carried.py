"""Offsets and exposures given as arrays, for predictions of the very rows that were fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ...model import Model


def carried_argument(model: Model, exog: Any, name: str) -> np.ndarray | None:
    """Values that a row argument of the fit has in the rows of a frame; None unless they are rows of the fitted frame.

    They are when the frame is the fitted one, or when each of its rows has the label and all columns, the response
    among them, of a row of it. Equal labels alone say nothing: other data are often numbered from zero, too.

    Returns
    -------
    ndarray (n,) or None
        NaN in the rows that were left out of the fit.
    """
    if model.frame is None or not model.has_rows or exog is None:
        return None
    positions = fitted_positions(model, exog)
    if positions is None:
        return None
    values = model.observed_rows.columns[name].cpu().numpy()
    return np.where(positions < 0, np.nan, values[positions])


def fitted_positions(model: Model, exog: Any) -> np.ndarray | None:
    """Which row of the fit each row of a frame is, -1 for those left out of it; None for other data."""
    pandas = isinstance(exog, pd.DataFrame) and isinstance(model.frame, pd.DataFrame)
    if exog is model.frame:
        kept = np.ones(model.observed_rows.n, dtype=bool) if model.kept is None else model.kept
        if not pandas or (len(exog) == len(kept) and exog.index[kept].equals(model.index)):
            return np.where(kept, np.cumsum(kept) - 1, -1)
    if pandas and model.index is not None and model.frame.index.is_unique and _are_rows_of(exog, model.frame):
        return model.index.get_indexer(exog.index)
    return None


def _are_rows_of(exog: pd.DataFrame, frame: pd.DataFrame) -> bool:
    if not (exog.columns.is_unique and frame.columns.is_unique and frame.columns.isin(exog.columns).all()):
        return False
    return bool(exog.index.isin(frame.index).all()) and exog[frame.columns].equals(frame.loc[exog.index])
