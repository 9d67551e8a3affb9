"""The rows that predictions are of: those of the fit, or new ones through its design."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import Data
from ...errors import FormulaError, SpecificationWarning
from .carried import carried_argument

Array = NDArray[np.float64]


def new_rows(
    model: Any, exog: Any, transform: bool, arguments: Mapping[str, Any], unseen: str = "raise"
) -> tuple[Data, pd.Index | None]:
    """The training rows, or new ones through the design, in the data's coordinates.

    An offset or exposure that the fit took from a column is read from the new data's column of that name. One that it
    took from an array is known for the rows of the fitted frame; for other rows it does not count unless it is given
    again, as in statsmodels, and a warning says so.

    Raises
    ------
    TypeError
        For an argument that is not row-shaped.
    FormulaError
        The new data do not have a column that is needed, or a category is new.
    """
    if not hasattr(model, "predictable"):
        raise ValueError(
            f"{type(model).__name__} does not say what it predicts; a RegressionModel predicts its parameters and mean"
        )
    given = {name: value for name, value in arguments.items() if value is not None}
    known = tuple(dict.fromkeys((*model.linear_arguments(), *model.row_arguments, *model.prediction_arguments)))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"predictions of {type(model).__name__} do not take {unknown[0]!r}; they take "
                        f"{', '.join(('which', *known))}")  # fmt: skip
    if exog is None:
        return model.training_rows(given), model.index
    given = {**carried_arguments(model, exog, given), **given}
    try:
        return model.predict_data(exog, transform, given, unseen)
    except FormulaError as error:
        raise FormulaError(f"{NEEDS_A_FRAME}{error}") from None


def carried_arguments(model: Any, exog: Any, given: Mapping[str, Any]) -> dict[str, Array]:
    """Offset and exposure that the fit took from arrays, in the rows of the fitted frame; a warning for other rows."""
    carried = {}
    for name in model.linear_arguments():
        read_again = name in model.design.row_names or name in model.design.row_factors
        if name in given or read_again or name not in model.given_arguments:
            continue
        values = carried_argument(model, exog, name)
        if values is not None:
            carried[name] = values
            continue
        none = 1 if name == "exposure" else 0
        warnings.warn(
            f"the model was fitted with {name}=, and it does not carry over to new rows: they are predicted with "
            f"{name}={none}; pass {name}= (or {name}={none}, if that is meant)",
            SpecificationWarning,
            stacklevel=5,
        )
    return carried


NEEDS_A_FRAME = (
    "predict requires that you use a DataFrame when predicting from a model\n"
    "that was created using the formula api.\n\n"
)
