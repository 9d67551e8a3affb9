"""New rows are coded as the training rows were, and what is missing or unknown in them is said or stays NaN."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from formula_frame import build, frame, x_of

from torchmle.errors import FormulaError


@pytest.fixture
def df():
    return frame()


def test_incomplete_new_rows_stay_as_nan(df):
    rows = build("y ~ center(x)*g + bs(x, 4)", df)
    new = df.iloc[:6].copy()
    new.loc["r1", "x"] = np.nan
    new.loc["r4", "g"] = None
    again = rows.design.rows(new)
    assert np.isnan(x_of(again)).all(axis=1).tolist() == [False, True, False, False, True, False]
    np.testing.assert_array_equal(x_of(again)[[0, 2, 3, 5]], x_of(rows)[[0, 2, 3, 5]])
    complete = again.complete()
    assert complete.dropped == 2 and list(complete.index) == ["r0", "r2", "r3", "r5"]
    assert complete.kept.tolist() == [True, False, True, True, False, True]
    assert np.isnan(x_of(rows.design.rows(new.assign(x=np.nan)))).all()
    within = dataclasses.replace(again, kept=np.array([False, True, True, True, False, True, True, True])).complete()
    assert within.kept.tolist() == [False, True, False, True, False, True, False, True]


def test_levels_outside_the_cuts_are_nan_not_the_last_level(df):
    rows = build("y ~ C(pd.cut(x, [0, 5, 20]))", df)
    new = rows.design.rows(pd.DataFrame({"x": [-3.0, 4.0, 6.0]}))
    np.testing.assert_array_equal(x_of(new), [[np.nan, np.nan], [1, 0], [1, 1]])


def test_unseen_levels(df):
    rows = build("y ~ g*x", df)
    new = df.iloc[:5].assign(g=["a", "d", "b", "d", "e"])
    message = r"variable 'g' has level 'd' \(2 rows: r1, r3\) that was not in the data.*; known levels: a, b, c"
    with pytest.raises(FormulaError, match=message):
        rows.design.rows(new)
    lenient = x_of(rows.design.rows(new, unseen="nan"))
    assert np.isnan(lenient).all(axis=1).tolist() == [False, True, False, True, True]


@pytest.mark.parametrize("formula", ["y ~ C(np.floor(x))", "y ~ x:C(np.floor(x))", "y ~ C(f)"])
def test_unseen_levels_of_expressions(df, formula):
    rows = build(formula, df)
    with pytest.raises(FormulaError, match="has level 77"):
        rows.design.rows(df.iloc[:2].assign(x=77.5, f=77))


def test_unused_levels_are_left_out_and_remembered(df):
    df["c"] = pd.Categorical(df["g"], ["z", "c", "b", "a"])
    rows = build("y ~ c", df)
    assert rows.design.columns["mu"] == ("Intercept", "c[T.b]", "c[T.a]")
    with pytest.raises(FormulaError, match=r"level 'z' .*only declared as a category"):
        rows.design.rows(pd.DataFrame({"c": pd.Categorical(["z", "a"])}))
    # other declared levels, or the same in another order, are the same values
    new = pd.DataFrame({"c": pd.Categorical(["a", "b"], ["b", "q", "a"])})
    np.testing.assert_array_equal(x_of(rows.design.rows(new)), [[1, 0, 1], [1, 1, 0]])


def test_levels_given_in_the_formula_stay(df):
    rows = build("y ~ C(g, levels=['a', 'z', 'b', 'c'])", df)
    assert rows.design.columns["mu"][1].endswith("[T.z]") and not x_of(rows)[:, 1].any()


def test_levels_lost_with_missing_rows_are_left_out(df):
    df.loc[df["g"] == "b", "x"] = np.nan
    assert build("y ~ g + x", df).design.columns["mu"] == ("Intercept", "g[T.c]", "x")
    assert build("y ~ g", df, subset=df["g"] != "a").design.columns["mu"] == ("Intercept", "g[T.c]")


def test_one_row_with_one_level_keeps_all_columns(df):
    rows = build("y ~ 0 + g*x", df)
    for new in (df.iloc[[7]], df.iloc[7], df.iloc[7].to_dict()):
        np.testing.assert_array_equal(x_of(rows.design.rows(new)), x_of(rows)[[7]])


def test_missing_columns_are_named(df):
    rows = build("y ~ x + g", df)
    with pytest.raises(FormulaError, match="there is no column 'g'; did you mean 'G'"):
        rows.design.rows(df.rename(columns={"g": "G"}))
    rows.design.rows(df[["x", "g"]])  # the response is not needed
    with pytest.raises(FormulaError, match="no column 'y'"):
        rows.design.rows(df[["x", "g"]], response=True)


def test_named_row_arguments_are_read_again(df):
    rows = build("y ~ x", df, arguments={"offset": "o", "freq_weights": "f"})
    np.testing.assert_array_equal(rows.design.rows(df.iloc[:3]).data.offset, df["o"].iloc[:3])
    assert rows.design.rows(df[["x"]], arguments={"offset": 0}).data.offset.tolist() == [0.0] * 30
    with pytest.raises(FormulaError, match=r"fitted with offset='o'.* no such column"):
        rows.design.rows(df[["x"]])
    rows.design.rows(df[["x", "o"]])  # predictions do not need weights
    with pytest.raises(FormulaError, match="freq_weights='f'"):
        rows.design.rows(df[["y", "x", "o"]], response=True)


def test_a_matrix_may_stand_for_the_formula(df):
    rows = build("y ~ x + g", df)
    np.testing.assert_array_equal(x_of(rows.design.rows(x_of(rows)[:4], transform=False)), x_of(rows)[:4])
