"""Censored responses: ``Surv(...)`` on the left side of a formula, with R's conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import FormulaError
from .missing import typed
from .problems import at_rows
from .values import is_numeric, numeric_array, plain

_TYPES = ("right", "left", "counting", "interval", "interval2")
RIGHT, EXACT, LEFT, INTERVAL = 0.0, 1.0, 2.0, 3.0


@dataclass(frozen=True)
class Survival:
    """A censored response of n rows.

    Attributes
    ----------
    time : ndarray, shape (n,)
        Exit time; the lower limit of an interval; the limit of a left-censored row. NaN if missing.
    event : ndarray, shape (n,)
        0 right-censored, 1 exact, 2 left-censored, 3 interval-censored.
    columns : mapping of str to ndarray
        ``entry`` for delayed entry; ``upper`` for interval data (equal to ``time`` in all other rows).
    """

    time: np.ndarray
    event: np.ndarray
    columns: Mapping[str, np.ndarray]


def Surv(time: Any, time2: Any = None, event: Any = None, type: str | None = None) -> Survival:  # noqa: A002
    """Survival response, as in R's survival package.

    Parameters
    ----------
    time : array_like
        Follow-up time; start of the interval at risk (``Surv(start, stop, event)``); or lower limit.
    time2 : array_like, optional
        The event when only two arguments are given (``Surv(time, event)``); else the stop time or the upper limit.
    event : array_like of bool or 0/1, optional
        Whether the event was seen. For ``type="interval"``: 0 right-censored, 1 exact, 2 left-censored, 3 interval.
    type : {"right", "left", "counting", "interval", "interval2"}, optional
        By default "right", or "counting" with three arguments. In "interval2" the limits alone say what is known:
        a missing or infinite lower limit is left-censored, a missing or infinite upper one right-censored, equal
        limits are exact.

    Raises
    ------
    FormulaError
        For negative times, stop <= start, lower > upper, or an event that is not 0/1.

    References
    ----------
    Therneau, T. (2024). A Package for Survival Analysis in R, ``Surv``.
    """
    if type is not None and type not in _TYPES:
        raise FormulaError(f"Surv: type={type!r} is not known; use one of {', '.join(_TYPES)}")
    kind = type or ("right" if event is None or time2 is None else "counting")
    if kind == "interval2":
        return _interval2(_numbers(time, "lower limit"), _numbers(time2, "upper limit"))
    if kind == "interval":
        return _interval(_numbers(time, "lower limit"), time2, event)
    if kind == "counting":
        return _counting(_numbers(time, "start"), _numbers(time2, "stop"), _needed(event, "event", kind))
    seen = event if event is not None else time2
    return _one_sided(_numbers(time, "time"), seen, kind)


def _one_sided(time: pd.Series, seen: Any, kind: str) -> Survival:
    event = np.where(time.isna(), np.nan, EXACT) if seen is None else _events(seen)
    if kind == "left":
        event = np.where(event == RIGHT, LEFT, event)
    else:
        _refuse(time < 0, time, "time {} is negative")
    return Survival(time.to_numpy(), event, {})


def _counting(start: pd.Series, stop: pd.Series, seen: Any) -> Survival:
    _refuse(start < 0, start, "start {} is negative")
    _refuse(stop.to_numpy() <= start, stop, "stop {} is not after start; every row needs a positive length")
    return Survival(stop.to_numpy(), _events(seen), {"entry": start.to_numpy()})


def _interval(lower: pd.Series, upper: Any, status: Any) -> Survival:
    if status is None:  # Surv(time, status, type="interval") has no interval-censored row
        upper, status = lower, _needed(upper, "status", "interval")
    codes = _numbers(status, "status")
    _refuse(~codes.isin((RIGHT, EXACT, LEFT, INTERVAL)) & codes.notna(), codes, "status {} is not 0, 1, 2 or 3")
    between = codes.to_numpy() == INTERVAL
    limit = np.where(between, _numbers(upper, "upper limit"), lower)
    _refuse(limit < lower, lower, "lower limit {} is above the upper limit")
    return Survival(lower.to_numpy(), codes.to_numpy(), {"upper": limit})


def _interval2(lower: pd.Series, upper: pd.Series) -> Survival:
    low, high = lower.to_numpy(), upper.to_numpy()
    _refuse(low > upper, lower, "lower limit {} is above the upper limit")
    open_left, open_right = np.isnan(low) | (low == -np.inf), np.isnan(high) | (high == np.inf)
    event = np.select(
        [open_left & open_right, open_left, open_right, low == high], [np.nan, LEFT, RIGHT, EXACT], INTERVAL
    )
    time = np.where(open_left, high, low)
    # a finite filler, so that no branch of a likelihood sees NaN or inf in rows it does not use
    return Survival(time, event, {"upper": np.where(event == INTERVAL, high, time)})


def _needed(value: Any, what: str, kind: str) -> Any:
    if value is None:
        raise FormulaError(f"Surv: type {kind!r} needs a {what}")
    return value


def _numbers(value: Any, what: str) -> pd.Series:
    """Float64 Series with the labels of the value, if it has any, for messages."""
    if value is None:
        raise FormulaError(f"Surv: the {what} is missing")
    value = typed(value)
    if not is_numeric(value) and not pd.api.types.is_bool_dtype(value.dtype):
        raise FormulaError(f"Surv: {what} must be numbers; got values of type {value.dtype}")
    numbers = numeric_array(value).astype(np.float64, copy=False)
    return pd.Series(numbers, index=value.index if isinstance(value, pd.Series) else None)


def _events(value: Any) -> np.ndarray:
    value = plain(typed(value))
    index = value.index if isinstance(value, pd.Series) else pd.RangeIndex(len(value))
    values = pd.Series(np.asarray(value, dtype=object), index=index)
    known = values[values.notna()]
    wrong = known[~known.isin((0, 1))]
    if len(wrong):
        seen = wrong.iloc[0]
        raise FormulaError(
            f"Surv: event must be 0/1 or True/False, but is {seen!r} ({at_rows(wrong.index[wrong == seen])}); write it as a "
            f"comparison, for example Surv(time, status == {seen!r})"
        )
    return values.where(values.notna(), np.nan).to_numpy(dtype=np.float64)


def _refuse(wrong: Any, values: pd.Series, message: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise FormulaError(f"Surv: {message.format(values.iloc[rows[0]])} ({at_rows(values.index[rows])})")
