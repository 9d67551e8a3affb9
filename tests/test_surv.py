"""Censored responses follow R's survival package: `Surv(...)` in R 4 gives the time and status asserted here."""

import numpy as np
import pandas as pd
import pytest

from torchmle.errors import FormulaError
from torchmle.formula import Surv, caller_environment, design_from_formula

NAN, INF = np.nan, np.inf


def build(formula, data, **options):
    return design_from_formula({"mu": formula}, data, env=caller_environment(1), **options)


def columns(rows):
    return {name: tensor.tolist() for name, tensor in {"time": rows.data.y, **rows.data.columns}.items()}


def test_right_censored():
    df = pd.DataFrame({"t": [5.0, 6, 1, 0], "d": [1, 0, 1, 1], "x": [1.0, 2, 3, 4]})
    rows = build("Surv(t, d) ~ x", df)
    assert columns(rows) == {"time": [5, 6, 1, 0], "event": [1, 0, 1, 1]}
    assert rows.design.response == ("t", "d") and rows.design.response_label == "Surv(t, d)"
    assert columns(build("Surv(t, d == 0) ~ x", df))["event"] == [0, 1, 0, 0]
    assert columns(build("Surv(t) ~ x", df))["event"] == [1, 1, 1, 1]
    assert columns(build("Surv(time=t, event=d) ~ x", df)) == columns(rows)
    assert columns(build("Surv(t * 12, d) ~ x", df))["time"] == [60, 72, 12, 0]


@pytest.mark.parametrize("dtype", ["bool", "boolean", "int8", "Int64", "float64", "object", "bool[pyarrow]"])
def test_types_of_the_event(dtype):
    df = pd.DataFrame({"t": [5.0, 6, 1], "d": pd.Series([1, 0, 1]).astype(bool).astype(dtype), "x": [1.0, 2, 3]})
    assert columns(build("Surv(t, d) ~ x", df))["event"] == [1, 0, 1]
    if dtype not in ("bool", "int8"):
        df.loc[1, "d"] = None
        rows = build("Surv(t, d) ~ x", df)
        assert columns(rows) == {"time": [5, 1], "event": [1, 1]} and rows.dropped == 1


def test_left_censored():
    df = pd.DataFrame({"t": [5.0, -6, 1], "d": [1, 0, 1], "x": [1.0, 2, 3]})
    assert columns(build("Surv(t, d, type='left') ~ x", df)) == {"time": [5, -6, 1], "event": [1, 2, 1]}


def test_delayed_entry():
    df = pd.DataFrame({"a": [0.0, 2, 3], "b": [5.0, 6, 4], "d": [1, 0, 1], "x": [1.0, 2, 3]})
    assert columns(build("Surv(a, b, d) ~ x", df)) == {"time": [5, 6, 4], "event": [1, 0, 1], "entry": [0, 2, 3]}
    df.loc[1, "a"] = NAN
    assert columns(build("Surv(a, b, d) ~ x", df))["entry"] == [0, 3]


def test_interval2():
    df = pd.DataFrame({"lo": [1.0, NAN, 3, 4, NAN, -INF, 6], "hi": [2.0, 2, NAN, 4, NAN, 5, INF], "x": range(7)})
    rows = build("Surv(lo, hi, type='interval2') ~ x", df)
    # R's status: 0 right-censored, 1 exact, 2 left-censored, 3 interval; the row without limits is missing
    assert columns(rows) == {"time": [1, 2, 3, 4, 5, 6], "event": [3, 2, 0, 1, 2, 0], "upper": [2, 2, 3, 4, 5, 6]}
    assert list(rows.index) == [0, 1, 2, 3, 5, 6] and rows.dropped == 1
    assert rows.design.response == ("lo", "hi")
    again = rows.design.rows(df, response=True).complete()
    assert columns(again) == columns(rows)


def test_interval2_limits_used_elsewhere_must_be_there():
    df = pd.DataFrame({"lo": [1.0, NAN, 3], "hi": [2.0, 2, 5]})
    assert build("Surv(lo, hi, type='interval2') ~ lo", df).data.n == 2
    assert build("Surv(lo, hi, type='interval2') ~ 1", df).data.n == 3


def test_interval_with_status():
    df = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [9.0, NAN, 0, 5], "s": [0, 1, 2, 3], "x": range(4)})
    rows = build("Surv(a, b, s, type='interval') ~ x", df)
    assert columns(rows) == {"time": [1, 2, 3, 4], "event": [0, 1, 2, 3], "upper": [1, 2, 3, 5]}


def test_missing_times_and_covariates_drop_the_row():
    df = pd.DataFrame({"t": [5.0, NAN, 1, 2], "d": [1, 0, 1, 0], "x": [1.0, 2, NAN, 4]})
    rows = build("Surv(t, d) ~ x", df)
    assert columns(rows) == {"time": [5, 2], "event": [1, 0]} and rows.dropped == 2


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("Surv(t - 6, d)", r"time -1.0 is negative \(rows p1, p3\)"),
        ("Surv(t, s)", r"event must be 0/1 or True/False, but is 2 \(row p2\); .* Surv\(time, status == 2\)"),
        ("Surv(t, word)", r"event must be 0/1 or True/False, but is 'dead' \(rows p1, p3\)"),
        ("Surv(t, t, d)", r"stop 5.0 is not after start.*\(rows p1, p2, p3\)"),
        ("Surv(t - 6, t, d)", r"start -1.0 is negative"),
        ("Surv(t, t - 1, type='interval2')", r"lower limit 5.0 is above the upper limit"),
        ("Surv(word, d)", "time must be numbers"),
        ("Surv(t, d, type='middle')", "type='middle' is not known; use one of right, left"),
        ("Surv(t, type='counting')", "the stop is missing"),
        ("Surv(t, t + 1, s + 2, type='interval')", r"status 4.0 is not 0, 1, 2 or 3 \(row p2\)"),
        ("Surv(t / 0, d)", r"is infinite in rows p1, p2, p3"),
    ],
)
def test_messages(response, message):
    df = pd.DataFrame(
        {"t": [5.0, 7, 4], "d": [1, 0, 1], "s": [1, 2, 1], "word": ["dead", "alive", "dead"], "x": [1.0, 2, 3]},
        index=["p1", "p2", "p3"],
    )
    with pytest.raises(FormulaError, match=message):
        build(f"{response} ~ x", df)


def test_alone():
    value = Surv([1, 2, 3], [True, False, True])
    assert value.time.tolist() == [1, 2, 3] and value.event.tolist() == [1, 0, 1]
