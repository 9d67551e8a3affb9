"""What is checked once, at the door of a model: numbers out of any reasonable unit, and what processes must share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..compute.processes import gather
from ..data import Data
from ..errors import FormulaError
from ..formula import Design
from ..structured import VectorTransform
from ..transforms import Transform

EXTREME = (
    1e40  # beyond this, or below its inverse, squares overflow soon and a coefficient passes for one that runs away
)
SAMPLE_ROWS = 10_000


def refuse_idle_likelihood(kind: type) -> None:
    """Refuse a user's subclass whose likelihood `fit` would not look at: its estimates would be those of the parent.

    Raises
    ------
    TypeError
        With what to do.
    """
    said = _first(kind, "loglike")
    if said is not None and _of_a_user(said):
        raise TypeError(
            f"{said.__name__}.loglike(params) would have no part in the fit of a {kind.__name__}, which maximises the sum of "
            "loglike_obs(p, data): define that in a LikelihoodModel or RegressionModel, or derive from "
            "GenericLikelihoodModel, whose loglike(params) is what is maximised"
        )
    said, closed = _first(kind, "loglike_obs"), [each for each in kind.__mro__ if "eta_derivatives" in vars(each)]
    if said is None or not _of_a_user(said) or len(closed) < 2:  # the last one derives them from loglike_obs
        return
    if kind.__mro__.index(said) < kind.__mro__.index(closed[0]):
        raise TypeError(
            f"{said.__name__}.loglike_obs would have no part in the fit of a {kind.__name__}, which goes by the closed forms "
            f"of {closed[0].__name__}.eta_derivatives: derive from RegressionModel, which needs loglike_obs alone, or "
            "define eta_derivatives too"
        )


def refuse_idle_events(kind: type, row_arguments: tuple[str, ...], data: Data) -> None:
    """Refuse a ``Surv(...)`` response for a likelihood of ours that would take censored times for complete ones."""
    said = _first(kind, "loglike_obs")
    if "event" in data.columns and "event" not in row_arguments and said is not None and not _of_a_user(said):
        raise FormulaError(
            f"{kind.__name__} takes no Surv(...) response: its likelihood knows of no censoring; survival models do, and a model "
            "of your own that uses data.event"
        )


def _first(kind: type, name: str) -> type | None:
    """The class that an attribute is taken from."""
    return next((each for each in kind.__mro__ if name in vars(each)), None)


def _of_a_user(kind: type) -> bool:
    return kind.__module__.partition(".")[0] != __name__.partition(".")[0]


def refuse_what_are_no_transforms(owner: str, parameters: Mapping[str, Any]) -> None:
    """Hold a model's ``parameters`` to a mapping of names to transforms."""
    for name, transform in parameters.items():
        if not isinstance(transform, Transform | VectorTransform):
            wrong = f"the class {transform.__name__}" if isinstance(transform, type) else repr(transform)
            raise TypeError(
                f"{owner}.parameters[{name!r}] must be a transform such as Identity() or Log(), not {wrong}"
            )


def refuse_extremes(data: Data, design: Design) -> None:
    """Refuse columns out of any reasonable unit, going by a sample of the rows.

    Raises
    ------
    ValueError
        With the name of the column.
    """
    named = [(design.columns[key], x) for key, x in data.x.items()]
    if data.response is not None:  # of times and events, only the times
        named.append((design.response if data.response.ndim == 2 else (design.response_label,), data.response))
    for names, values in named:
        if not names:
            continue
        size = values[:: max(1, len(values) // SAMPLE_ROWS)].abs().reshape(-1, len(names)).amax(0).tolist()
        for name, largest in zip(names, size, strict=True):
            if largest > EXTREME or 0 < largest < 1 / EXTREME:
                kind = "values as large as" if largest > 1 else "no value larger than"
                raise ValueError(f"{name!r} has {kind} {largest:.3g}, which loses digits or overflows; rescale it")


def zero_weights_count_nothing(data: Data, name: str) -> Data:
    """The data in which rows whose inverse variance is zero count zero times, as in R: they say nothing.

    Raises
    ------
    ValueError
        Negative or infinite weights, or none above zero.
    """
    weights, counts = data.get(name), data.get("freq_weights")
    if weights is None or bool(((weights > 0) & torch.isfinite(weights)).all()):
        return data
    if not bool(((weights >= 0) & torch.isfinite(weights)).all() & (weights > 0).any()):
        raise ValueError(
            f"{name} must not be negative, infinite or all zero; they run from "
            f"{float(weights.min()):g} to {float(weights.max()):g}"
        )
    counts = torch.ones_like(weights) if counts is None else counts
    return data.with_columns(freq_weights=torch.where(weights > 0, counts, 0.0))


def with_sampling_weights(data: Data, group: Any) -> Data:
    """The data with sampling weights, of mean 1, as what each row counts in the sums over rows.

    Their mean has no bearing on estimates, nor on standard errors, all of which must be robust; one row stays one
    observation, unless its weight is 0.

    Raises
    ------
    ValueError
        Weights that are none, or frequencies beside them.
    """
    weights = data.get("sampling_weights")
    if weights is None:
        return data
    if "freq_weights" in data.columns:
        raise ValueError("give freq_weights= or sampling_weights=, not both: repeat the rows that count several times")
    if not bool((torch.isfinite(weights) & (weights >= 0)).all()):
        raise ValueError(f"sampling_weights must not be negative or infinite; the smallest is {float(weights.min()):g}")
    sums, counts = zip(*gather((float(weights.sum()), int((weights > 0).sum())), group), strict=True)
    if sum(counts) == 0:
        raise ValueError("sampling_weights must not all be zero")
    unit = weights.double() * (sum(counts) / sum(sums))
    return data.with_columns(sampling_weights=unit, freq_weights=unit)


def learned(design: Design) -> dict[str, Any]:
    """What a design took from the rows it has seen, in plain values."""
    factors = design.factors.items()
    return {
        "columns": {name: list(columns) for name, columns in design.columns.items()},
        "levels": {name: factor.levels for name, factor in factors if factor.levels is not None},
        "classes of the response": design.response_levels,
        "transforms": {name: [str(vars(t)) for t in f.expression.transforms.values()] for name, f in factors},
    }
