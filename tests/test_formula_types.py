"""Types of columns and kinds of frames make no difference to a design."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from formula_frame import build, frame, x_of

from torchmle.errors import FormulaError, SpecificationWarning
from torchmle.formula import caller_environment, design_from_formula


@pytest.fixture
def df():
    return frame()


NUMBERS = ["int8", "int64", "uint16", "float32", "Int64", "Float64", "int64[pyarrow]", "double[pyarrow]", "object"]
STRINGS = ["object", "string", "string[pyarrow]", "category", pd.ArrowDtype(pa.string())]
STRINGS += [pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))]


@pytest.mark.parametrize("formula", ["y ~ f*g", "f ~ C(f):g", "y ~ center(f) + np.sqrt(f) + I(f + 1)"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_types_of_numbers(df, dtype, holes, formula):
    expected = build(formula, df.drop(["r2", "r6"]) if holes else df)
    new = df.astype({"f": dtype})
    if holes:
        new["f"] = new["f"].astype(float) if dtype in NUMBERS[:4] else new["f"]
        new.loc[["r2", "r6"], "f"] = None if dtype == "object" else pd.NA if dtype[0] in "IF" else np.nan
    rows = build(formula, new)
    np.testing.assert_array_equal(x_of(rows), x_of(expected))
    np.testing.assert_array_equal(rows.data.y, expected.data.y)
    assert rows.dropped == 2 * holes
    np.testing.assert_array_equal(x_of(expected.design.rows(new).complete()), x_of(expected))


@pytest.mark.parametrize("formula", ["y ~ g*x", "y ~ C(g, Sum)", "y ~ I(g == 'a') + g"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("dtype", STRINGS, ids=str)
def test_types_of_strings(df, dtype, holes, formula):
    expected = build(formula, df.drop(["r2", "r6"]) if holes else df)
    new = df.astype({"g": dtype})
    if holes:
        new["g"] = new["g"].where(~new.index.isin(["r2", "r6"]))
    rows = build(formula, new)
    assert rows.design.columns == expected.design.columns and rows.dropped == 2 * holes
    np.testing.assert_array_equal(x_of(rows), x_of(expected))


@pytest.mark.parametrize("dtype", ["bool", "boolean", "bool[pyarrow]", "object"])
@pytest.mark.parametrize("formula", ["y ~ b*x", "b ~ x", "y ~ C(b)"])
def test_types_of_booleans(df, dtype, formula):
    df["b"] = df["x"] > 5
    expected = build(formula, df)
    new = df.astype({"b": dtype})
    rows = build(formula, new)
    np.testing.assert_array_equal(x_of(rows), x_of(expected))
    np.testing.assert_array_equal(rows.data.y, expected.data.y)
    if dtype != "bool":
        new.loc["r5", "b"] = pd.NA
        np.testing.assert_array_equal(x_of(build(formula, new)), np.delete(x_of(expected), 5, axis=0))


def test_decimals_and_number_objects_are_numbers(df):
    exact = df.assign(f=[decimal.Decimal(int(f)) for f in df["f"]])
    assert build("y ~ f", exact).design.columns["mu"] == ("Intercept", "f")
    mixed = df.assign(f=[None, 2.5, *df["f"].iloc[2:]])
    assert build("y ~ f", mixed.astype({"f": object})).data.n == 29


@pytest.mark.parametrize(
    ("values", "levels", "event"),
    [
        ([True, False] * 15, (False, True), True),
        (["yes", "no"] * 15, ("no", "yes"), "yes"),
        (pd.Categorical(["yes", "no"] * 15, ["yes", "no"]), ("yes", "no"), "no"),
    ],
)
def test_two_level_responses_are_one_column_and_say_what_counts_as_one(df, values, levels, event):
    df["r"] = values
    rows = build("r ~ x", df)
    assert rows.design.response_levels == levels and rows.design.event_level == event
    np.testing.assert_array_equal(rows.data.y.numpy(), (df["r"] == event).astype(float))
    np.testing.assert_array_equal(rows.design.rows(df.iloc[:4], response=True).data.y, rows.data.y[:4])
    new = df.iloc[:4].astype({"r": object})
    new.loc["r1", "r"] = None
    np.testing.assert_array_equal(rows.design.rows(new, response=True).data.y[[0, 1]], [rows.data.y[0], np.nan])
    cut = build("I(pd.cut(x, [0, 5, 20])) ~ 1", df).design
    assert np.isnan(cut.rows(pd.DataFrame({"x": [-1.0, 4.0]}), response=True).data.y.numpy()).tolist() == [True, False]


def test_classes(df):
    rows = build("g ~ x", df, classes=True)
    assert rows.design.response_levels == ("a", "b", "c") and rows.design.event_level is None
    np.testing.assert_array_equal(rows.data.y.numpy(), df["g"].map({"a": 0, "b": 1, "c": 2}))
    with pytest.raises(FormulaError, match="1 level "):
        build("r ~ x", df.assign(r="only"))


def arrow(df):
    return pa.Table.from_pandas(df, preserve_index=False)


FRAMES = {
    "polars": pl.from_pandas,
    "polars lazy": lambda df: pl.from_pandas(df).lazy(),
    "polars categories": lambda df: pl.from_pandas(df).with_columns(pl.col("g").cast(pl.Enum(["a", "b", "c"]))),
    "arrow": arrow,
    "arrow chunks": lambda df: pa.concat_tables([arrow(df.iloc[:7]), arrow(df.iloc[7:])]),
    "dict of arrays": lambda df: {name: df[name].to_numpy() for name in df},
    "dict of lists": lambda df: df.to_dict("list"),
    "records": lambda df: df.to_records(index=False),
}


@pytest.mark.parametrize("convert", FRAMES.values(), ids=FRAMES.keys())
@pytest.mark.parametrize("holes", [False, True])
def test_other_frames(df, convert, holes):
    df = df.reset_index(drop=True).astype({"f": float})
    if holes:
        df.loc[[2, 6], "f"], df.loc[4, "g"] = np.nan, None
    arguments = {"offset": "o", "groups": "firm"}
    formula = "y ~ g*center(f) + C(x > 5) + np.log(f)"
    expected = build(formula, df, arguments=arguments)
    rows = build(formula, convert(df), arguments=arguments)
    assert rows.design.columns == expected.design.columns and list(rows.index) == list(expected.index)
    for name, tensor in {**expected.data.x, **expected.data.columns}.items():
        assert torch.equal({**rows.data.x, **rows.data.columns}[name], tensor), name
    np.testing.assert_array_equal(x_of(expected.design.rows(convert(df))), x_of(expected.design.rows(df)))


def test_null_integers_of_polars_and_arrow():
    table = pl.DataFrame({"y": [1.0, 2.0, 3.0, 4.0], "k": [1, None, 3, 4], "b": [True, None, False, True]})
    for data in (table, table.to_arrow(), table.to_dict(as_series=False)):
        rows = build("y ~ k + b", data)
        np.testing.assert_array_equal(x_of(rows), [[1, 1, 1], [1, 0, 3], [1, 1, 4]])


def test_only_named_columns_are_read(df):
    class Watched(dict):
        def __getitem__(self, name):
            assert name in ("y", "x", "o")
            return super().__getitem__(name)

    build("y ~ x", Watched(df.to_dict("list")), arguments={"offset": "o"})


def test_odd_data_are_refused(df):
    with pytest.raises(FormulaError, match="2 columns called 'x'"):
        build("y ~ x", pd.concat([df, df[["x"]]], axis=1))
    with pytest.raises(FormulaError, match="a formula needs a pandas or polars DataFrame"):
        build("y ~ x", np.zeros((3, 2)))
    with pytest.raises(FormulaError, match="column 'x' has 2 rows, other columns have 3"):
        build("y ~ x", {"y": [1, 2, 3], "x": [1, 2]})


def test_the_users_data_are_left_alone(df):
    df.loc["r3", "x"] = np.nan
    before = df.copy()
    build("y ~ center(x)*g + standardize(f)", df, arguments={"offset": "o"})
    pd.testing.assert_frame_equal(df, before)


def test_a_nan_in_a_list_of_strings_is_missing_not_a_level():
    # numpy turns ["a", nan] into ["a", "nan"]
    g = ["a", np.nan, "b", "a"]
    data = {"y": [1.0, 2.0, 3.0, 4.0], "g": g}
    for rows in (
        build("y ~ g", data),
        build("y ~ C(g)", {"y": data["y"]}),
        build("y ~ 1", data, arguments={"groups": g}),
    ):
        assert rows.dropped == 1 and not any("nan" in name for name in rows.design.columns["mu"])


DISGUISED = {
    "dates": (pd.date_range("2024-01-01", periods=30), "dates or times"),
    "lengths of time": (pd.to_timedelta(np.arange(30), unit="h"), "dates or times"),
    "text": ([f"{v / 7:.4f}" for v in range(29)] + ["unknown"], "numbers written as text .such as '0.0000'."),
}


@pytest.mark.parametrize("kind", DISGUISED)
def test_numbers_in_disguise_enter_as_factors_with_a_warning(kind):
    values, words = DISGUISED[kind]
    df = pd.DataFrame({"x": values, "y": np.arange(30.0)})
    with pytest.warns(SpecificationWarning, match=f"'x' holds {words}, so that it enters as a factor of 30 levels"):
        rows = design_from_formula({"mu": "y ~ x"}, df, env=caller_environment())
    assert len(rows.design.columns["mu"]) == 30
    few = pd.DataFrame({"x": ["1", "2", "3"] * 10, "y": np.arange(30.0)})
    design_from_formula({"mu": "y ~ x"}, few, env=caller_environment())  # codes are no numbers: no warning
    design_from_formula({"mu": "y ~ C(x)"}, df, env=caller_environment())  # asked for
