"""Censored responses: ``Surv(...)`` on the left side of a formula, with R's conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import FormulaError
from .problems import at_rows
from .values import missing_rows, plain

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


def Surv(time: Any, time2: Any = None, event: Any = None, type: str | None = None) -> Survival:  # noqa: N802, A002
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
    kind = type or ("right" if event is None else "counting")
    if kind == "interval2":
        return _interval2(_numbers(time, "lower"), _numbers(_needed(time2, "upper limit", kind), "upper"))
    if kind == "interval":
        return _interval(_numbers(time, "lower"), time2, event)
    if kind == "counting":
        stop = _numbers(_needed(time2, "stop time", kind), "stop")
        return _counting(_numbers(time, "start"), stop, _needed(event, "event", kind))
    seen = event if event is not None else time2
    return _one_sided(_numbers(time, "time"), seen, kind)


def _one_sided(time: np.ndarray, seen: Any, kind: str) -> Survival:
    event = np.where(np.isnan(time), np.nan, EXACT) if seen is None else _events(seen)
    if kind == "left":
        event = np.where(event == 0.0, LEFT, event)
    else:
        _refuse(time < 0, time, "Surv: time {} is negative")
    return Survival(time, event, {})


def _counting(start: np.ndarray, stop: np.ndarray, seen: Any) -> Survival:
    _refuse(start < 0, start, "Surv: start {} is negative")
    _refuse(stop <= start, stop, "Surv: stop {} is not after start; give rows of positive length")
    return Survival(np.where(np.isnan(start), np.nan, stop), _events(seen), {"entry": start})


def _interval(lower: np.ndarray, upper: Any, status: Any) -> Survival:
    if status is None:  # Surv(time, status, type="interval") has no interval-censored row
        upper, status = lower, _needed(upper, "status", "interval")
    codes = _numbers(status, "status")
    _refuse(~np.isin(codes, (0.0, 1.0, 2.0, 3.0)) & ~np.isnan(codes), codes, "Surv: status {} is not 0, 1, 2 or 3")
    limit = np.where(codes == INTERVAL, _numbers(upper, "upper"), lower)
    codes = np.where(np.isnan(limit), np.nan, codes)
    _refuse(limit < lower, lower, "Surv: lower limit {} is above the upper limit")
    return Survival(lower, codes, {"upper": limit})


def _interval2(lower: np.ndarray, upper: np.ndarray) -> Survival:
    open_left, open_right = np.isnan(lower) | (lower == -np.inf), np.isnan(upper) | (upper == np.inf)
    _refuse(lower > upper, lower, "Surv: lower limit {} is above the upper limit")
    event = np.select(
        [open_left & open_right, open_left, open_right, lower == upper], [np.nan, LEFT, RIGHT, EXACT], INTERVAL
    )
    time = np.where(open_left, upper, lower)
    # a finite filler, so that no branch of a likelihood sees NaN or inf in rows it does not use
    return Survival(time, event, {"upper": np.where(event == INTERVAL, upper, time)})


def _needed(value: Any, what: str, kind: str) -> Any:
    if value is None:
        raise FormulaError(f"Surv: type {kind!r} needs a {what}")
    return value


def _numbers(value: ArrayLike, what: str) -> np.ndarray:
    value = plain(value if hasattr(value, "dtype") else np.asarray(value))
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise FormulaError(f"Surv: {what} must be numbers, not {value.dtype}") from None


def _events(value: Any) -> np.ndarray:
    value = plain(value if hasattr(value, "dtype") else np.asarray(value))
    missing = missing_rows(value)
    known = value if missing is None else value[~missing]
    try:
        numbers = np.asarray(known, dtype=np.float64)
        wrong = ~np.isin(numbers, (0.0, 1.0))
    except (TypeError, ValueError):
        wrong = np.ones(len(known), dtype=bool)
    if wrong.any():
        seen = pd.unique(np.asarray(known)[wrong])[0]
        raise FormulaError(
            f"Surv: event must be 0/1 or True/False, but has the value {seen!r}; write the event as a comparison, "
            f"for example Surv(time, status == {seen!r})"
        )
    out = np.full(len(value), np.nan)
    out[slice(None) if missing is None else ~missing] = numbers
    return out


def _refuse(wrong: np.ndarray, values: np.ndarray, message: str) -> None:
    if wrong.any():
        rows = np.flatnonzero(wrong)
        raise FormulaError(f"{message.format(values[rows[0]])} ({at_rows(rows.tolist())})")
