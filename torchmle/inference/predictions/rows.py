"""The rows that predictions are of: those of the fit, or new ones through its design."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ...data import Data
from ...errors import FormulaError, SpecificationWarning
from ...linalg import triangular_factor
from .carried import carried_argument

Array = NDArray[np.float64]
BROKEN = 1e-7  # of the sizes that a linear dependence adds up, by which it may be missed


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


def warn_of_broken_dependence(results: Any, data: Data) -> None:
    """A word about new rows in which a column that was left out is not the combination of others it was in the fit's rows."""
    if not results.dropped_columns or not results.model.has_rows:
        return
    broken = torch.zeros(data.n, dtype=torch.bool)
    for block in results.model.layout.blocks:
        entries = range(block.reals.start, block.reals.stop)
        out = torch.tensor([entry in results.fit.coordinates.dropped for entry in entries])
        if bool(out.any()):
            seen, new = (_beside_ones(rows.x[block.name]) for rows in (results.model.rows, data))
            out = torch.nn.functional.pad(out, (1, 0))
            size = seen.abs().amax(0).clamp_min(torch.finfo(torch.float64).tiny)
            factor, new = triangular_factor([seen / size]), new / size
            shares = torch.linalg.lstsq(factor[:, ~out], factor[:, out], driver="gelsd").solution
            reach = new[:, out].abs() + new[:, ~out].abs() @ shares.abs()
            broken |= ((new[:, out] - new[:, ~out] @ shares).abs() > BROKEN * reach).any(1)
    if bool(broken.any()):
        warnings.warn(
            f"{int(broken.sum())} of {data.n} new rows break the linear dependence for which the fit left out "
            f"{', '.join(results.dropped_columns)}: what that does by itself is not known, and they are predicted as if it did "
            "nothing",
            SpecificationWarning,
            stacklevel=3,
        )


def _beside_ones(x: torch.Tensor) -> torch.Tensor:
    """A design with a constant: thresholds have one that is no column."""
    x = x.double().cpu()
    return torch.cat([torch.ones_like(x[:, :1]), x], 1)
