"""The model of a result fitted again to other columns, or to some of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def refitted(results: Any, exog: Any, rows: NDArray[np.int_] | None = None, **options: Any) -> Any:
    """Results of the same kind of model with the same weights and offset.

    Parameters
    ----------
    results : Results
    exog : ndarray
        (n, p), the columns in place of the design's.
    rows : ndarray of int, optional
        Positions of the rows to fit, all by default; `exog` holds all of them.
    **options
        Of `fit`.

    Raises
    ------
    ValueError
        There are no columns.
    """
    model = results.model
    if not exog.shape[1]:
        raise ValueError(f"{model.exog_names[0]!r} is the only column; there are no others to be adjusted for")
    endog, told = model.endog, model._get_init_kwds()
    if rows is not None:
        whole = {
            name: value for name, value in told.items() if isinstance(value, np.ndarray) and len(value) == len(endog)
        }
        told = {**told, **{name: value[rows] for name, value in whole.items()}}
        endog, exog = endog[rows], exog[rows]
    other = type(model)(endog, exog, **told)
    other.secondary = True
    return other.fit(**{"disp": False, **options})
