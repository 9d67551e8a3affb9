"""Responses that are categories: their codes, their names, and tables of what was predicted."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compute.processes import gather
from ...data import Data
from ...errors import MissingDataError, SpecificationWarning, ValueWarning
from ...formula.columns.source import Source
from ...sums import row_sums, weighted

Levels = tuple[Hashable, ...]


def categories_of(response: Any) -> Levels:
    """The categories a pandas Categorical declares, whether or not there are any rows in them; none for anything else."""
    dtype = getattr(response, "dtype", None) if not isinstance(response, pd.DataFrame) else None
    return tuple(dtype.categories) if isinstance(dtype, pd.CategoricalDtype) else ()


def named_column(frame: Any, name: str) -> Any:
    """The column of that name in the user's data; None where there is none."""
    if frame is None:
        return None
    source = Source(frame)
    return source.column(name) if name in source else None


def warn_of_empty(declared: Levels, found: Levels, name: str) -> None:
    """Say which categories without rows are left out."""
    absent = [level for level in declared if level not in found]
    if absent:
        words = ", ".join(map(repr, absent))
        warnings.warn(f"{name}: no row is in {words}; left out of the categories", ValueWarning, stacklevel=5)


def code_categories(data: Data, levels: Levels | None, name: str) -> tuple[Data, Levels]:
    """The rows with the response as codes 0 ... J-1, int64, and the categories in their order.

    Parameters
    ----------
    data : Data
        The response holds numbers, codes of `levels` where these are given, or (n, J) indicators.
    levels : tuple or None
        Categories of a response that was not numeric.
    name : str
        Of the response, for messages.

    Raises
    ------
    ValueError
        There is only one category.
    """
    y = data.y
    if y.ndim == 2:
        y = _codes_of_indicators(y, name)
    weights = data.get("freq_weights")
    present = y.unique() if weights is None else y[weights > 0].unique()
    everywhere = np.unique(np.concatenate(gather(present.cpu().double().numpy(), data.group)))
    if len(everywhere) < 2:
        raise ValueError(f"{name} is the same in all rows: there is nothing to choose between")
    found = (
        tuple(_plain(value) for value in everywhere) if levels is None else tuple(levels[int(c)] for c in everywhere)
    )
    codes = torch.searchsorted(torch.as_tensor(everywhere, device=y.device), y.double().contiguous())
    return data.with_response(codes.clamp_max(len(found) - 1)), found


def _codes_of_indicators(y: Tensor, name: str) -> Tensor:
    one_hot = bool(((y == 0) | (y == 1)).all()) and bool((y.sum(1) == 1).all())
    if not one_hot:
        raise ValueError(f"{name} has {y.shape[1]} columns; they must be indicators, of which one in each row is 1")
    return y.argmax(1).to(y.dtype)


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def level_text(level: Hashable) -> str:
    """A category as tables show it: 2 for 2.0."""
    return str(_plain(level)) if isinstance(level, float) else str(level)


def counts(data: Data, categories: int) -> Tensor:
    """Weighted number of rows in each category, (J,) on the CPU."""

    def block_counts(block: Data) -> tuple[Tensor]:
        number = torch.zeros(categories, dtype=torch.float64, device=block.y.device)
        return (number.index_add_(0, block.y, weighted(torch.ones_like(block.y, dtype=torch.float64), block)),)

    return row_sums(block_counts, data)[0]


def loglike_of_shares(number: Tensor) -> float:
    """Log-likelihood of category counts at their shares, ``sum n_j log(n_j / n)``."""
    return float(torch.xlogy(number, number / number.sum()).sum())


def crossed(actual: NDArray[Any], predicted: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Counts (J, J) of actual by predicted codes."""
    table = np.zeros((size, size))
    np.add.at(table, (actual, predicted), 1.0)
    return table


def by_category(values: NDArray[Any], index: pd.Index | None) -> Any:
    """One column per category, numbered from 0 as in statsmodels; an array where there are no labels."""
    return values if index is None else pd.DataFrame(values, index=index)


def outcome(which: str, levels: Sequence[Hashable]) -> int | None:
    """The code of a category that is asked for as "prob[category]"; None for anything else."""
    names = [f"prob[{level_text(level)}]" for level in levels]
    return names.index(which) if which in names else None


def refuse_unordered(endog: Any) -> None:
    """Refuse categories without an order; warn where the order may not be meant."""
    dtype = getattr(endog, "dtype", None) if not isinstance(endog, pd.DataFrame) else None
    if isinstance(dtype, pd.CategoricalDtype):
        if not dtype.ordered:
            warnings.warn(
                "the response has ordered == False; its categories are taken in the order "
                f"{', '.join(map(str, dtype.categories))}",
                SpecificationWarning,
                stacklevel=4,
            )
        return
    kind = getattr(np.asarray(endog if endog is not None else "").dtype, "kind", "O")
    if kind not in "biuf":
        raise ValueError(
            "Only ordered pandas Categorical or numbers can be an ordered response: strings have no order but the alphabet's. "
            "Use pd.Categorical(values, categories=[...], ordered=True)"
        )


def refuse_missing(endog: Any) -> None:
    """Refuse missing responses, in the words of their kind."""
    missing = pd.isna(endog)
    if not bool(np.asarray(missing).any()):
        return
    if isinstance(getattr(endog, "dtype", None), pd.CategoricalDtype):
        raise MissingDataError("missing values in categorical endog: leave these rows out, or pass missing='drop'")
    raise MissingDataError("NaN in dependent variable detected: leave these rows out, or pass missing='drop'")
