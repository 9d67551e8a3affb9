"""Probabilities of rows of groups, given how many of each group have y = 1, with their errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data import Data
from ...formula import response_of_frame
from ...inference.predictions.carried import carried_argument
from ...inference.predictions.prediction import Prediction, log_odds, standard_errors
from ...inference.predictions.predictive import Indicators
from ...inference.predictions.rows import new_rows
from ...transforms import Identity, Logit
from . import chosen

if TYPE_CHECKING:
    from .conditional import ConditionalLogit

COUNT = "ones"  # how many of the group of a row have y = 1


def members(
    model: ConditionalLogit, exog: Any, transform: bool, arguments: Mapping[str, Any], unseen: str
) -> tuple[Data, pd.Index | None]:
    """The members of the groups of the fit, or new rows, and their labels."""
    if exog is None and arguments.get("groups") is not None:
        raise ValueError("the rows of the fit have the groups of the fit; groups= is for new rows")
    data, index = new_rows(model, exog, transform, arguments, unseen)
    groups = None if exog is None or "groups" in data.columns else carried_argument(model, exog, "groups")
    if groups is not None:
        data = data.with_columns(groups=torch.as_tensor(np.nan_to_num(groups, nan=-1.0)).long())
    return data, index


def counted(model: ConditionalLogit, data: Data, exog: Any) -> Data:
    """Rows with their group and a response that says how many of it have y = 1.

    Raises
    ------
    ValueError
        Groups or numbers are not known, or are no numbers that groups of this size can have.
    """
    if "groups" not in data.columns:
        raise ValueError(
            "a probability is that of a row given its group: pass groups=, the labels of the new rows' groups; "
            "which='linear' gives log odds up to a constant of the group"
        )
    y = data.response
    if COUNT not in data.columns and y is None:
        y = response_of_frame(model.design, exog)
        if y is None:
            raise ValueError(
                f"probabilities are those given how many of each group have {model.endog_names} = 1, and the new rows do "
                f"not say: pass {COUNT}=, such as {COUNT}=1 for one of each group, or add the response"
            )
    known = data.columns.get(COUNT, y)
    assert known is not None
    kept = {name: data.columns[name] for name in ("groups", "offset") if name in data.columns}
    rows = Data(known.to(data.groups.device), data.x, kept)
    return rows if COUNT not in data.columns else rows.with_columns(**{COUNT: rows.y})


def complete(data: Data) -> Tensor:
    """Rows in which nothing is missing: those that their groups have."""
    found = (data.groups >= 0) & ~data.y.isnan() & ~data.x["X"].isnan().any(1)
    return found & ~data.offset.isnan() if "offset" in data.columns else found


def with_counts(data: Data, name: str) -> Data:
    """Rows with a response of zeros and ones of which each group has as many ones as its rows say."""
    if COUNT not in data.columns:
        if not bool(((data.y == 0) | (data.y == 1)).all()):
            raise ValueError(f"endog must be coded as 0, 1; {name} of the new rows has other values")
        return data
    codes, sizes = data.groups.unique(return_inverse=True, return_counts=True)[1:]
    order = torch.argsort(codes, stable=True)
    first = sizes.cumsum(0) - sizes
    number = data.y[order][first]
    if not bool((number[codes] == data.y).all()):
        raise ValueError(f"{COUNT} differ within a group: each group has one number of rows with {name} = 1")
    wrong = (number < 0) | (number > sizes) | (number != number.round())
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0, 0])
        raise ValueError(
            f"{COUNT} says how many rows of each group have {name} = 1; it is {float(number[at]):g} in a group of "
            f"{int(sizes[at])} rows"
        )
    place = torch.empty_like(codes)
    place[order] = torch.arange(len(codes), device=codes.device) - first[codes[order]]
    return data.with_response((place < number[codes]).double())  # which ones does not matter


def probabilities(
    model: ConditionalLogit, z: Tensor, data: Data, exog: Any, arguments: Mapping[str, Any]
) -> chosen.Inclusion:
    """`ConditionalLogit.inclusion` of the rows of the fit or of new ones; NaN where something is missing."""
    if exog is None and not arguments:
        return model.inclusion(z)
    data = counted(model, data, exog)
    present = complete(data)
    out = chosen.Inclusion(*(torch.full((data.n, *more), torch.nan).double() for more in ((), (), (len(z),))))
    if bool(present.any()):
        found = model.at_members(with_counts(data.take(present), model.endog_names)).inclusion(z)
        for whole, values in zip(out, found, strict=True):
            whole[present.cpu()] = values
    return out


def probability_prediction(results: Any, found: chosen.Inclusion, labels: Any) -> Prediction:
    """Probabilities with errors by the delta method; intervals of their log odds, and so between 0 and 1."""
    se = standard_errors(found.slopes, results.covariance_z)
    linear, linear_se = log_odds(found.chance.numpy(), found.rest.numpy(), se.numpy())
    df = results.df_inference if results.use_t else None
    return Prediction(
        found.chance.numpy(), se.numpy(), linear, linear_se, Logit(), df, labels, predictive=Indicators(linear, linear_se)
    )  # fmt: skip


def linear_prediction(results: Any, data: Data, labels: Any) -> Prediction:
    """``x'b + offset`` with errors ``sqrt(x'V x)``."""
    x = data.x["X"].double().cpu()
    value, se = linear_predictors(results, data).numpy(), standard_errors(x, results.covariance_z).numpy()
    df = results.df_inference if results.use_t else None
    return Prediction(value, se, value, se, Identity(), df, labels)


def linear_predictors(results: Any, data: Data) -> Tensor:
    """``x'b + offset`` of rows, on the CPU."""
    linear = data.x["X"].double().cpu() @ results.fit.z
    return linear + data.offset.cpu() if "offset" in data.columns else linear
