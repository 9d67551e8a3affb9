"""One mask for everything row-shaped; new rows are coded as the training rows were; dtypes and frames do not matter."""

import dataclasses
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from torchmle.errors import FormulaError, MissingDataError
from torchmle.formula import caller_environment, design_from_formula, late_column


def build(formula, data, **options):
    return design_from_formula({"mu": formula}, data, env=caller_environment(1), **options)


def x_of(rows, name="mu"):
    return rows.data.x[name].numpy()


@pytest.fixture
def df():
    rng = np.random.default_rng(1)
    n = 30
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n) + 5,
            "g": rng.choice(list("abc"), n),
            "o": rng.normal(size=n),
            "f": rng.integers(1, 5, n),
            "firm": rng.choice(["north", "south", "west"], n),
        },
        index=[f"r{i}" for i in range(n)],
    )


# -- missing values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["y", "x", "g", "o", "firm"])
def test_a_missing_value_anywhere_drops_the_row_everywhere(df, column):
    holed = df.astype({"f": float})
    holed.loc[["r3", "r8"], column] = None
    formula, arguments = "y ~ center(x)*g", {"offset": "o", "freq_weights": df["f"], "groups": "firm"}
    rows = build(formula, holed, arguments=arguments)
    whole = build(formula, df.drop(["r3", "r8"]), arguments={**arguments, "freq_weights": "f"})
    assert rows.dropped == 2 and rows.kept.sum() == 28 and list(rows.index) == list(whole.index)
    for name, tensor in {"y": whole.data.y, **whole.data.x, **whole.data.columns}.items():
        mine = {"y": rows.data.y, **rows.data.x, **rows.data.columns}[name]
        assert torch.equal(mine, tensor), name


def test_missing_values_of_the_other_predictors_count(df):
    df.loc["r1", "x"] = np.nan
    rows = design_from_formula({"mu": "y ~ 1", "sigma": "~ x"}, df, env=caller_environment())
    assert rows.data.n == 29 and not rows.kept[1]


def test_columns_that_are_not_used_do_not_count(df):
    df.loc["r1", "o"] = np.nan
    assert build("y ~ x", df).kept is None


@pytest.mark.parametrize("formula", ["y ~ np.log(x)", "y ~ center(np.log(x))", "np.log(x) ~ g", "y ~ bs(np.log(x), 4)"])
def test_rows_that_evaluate_to_nan_are_dropped_before_transforms_learn(df, formula):
    df.loc[["r2", "r5"], "x"] = -1.0
    rows = build(formula, df)
    clean = build(formula, df.drop(["r2", "r5"]))
    assert rows.dropped == 2
    np.testing.assert_array_equal(x_of(rows), x_of(clean))
    np.testing.assert_array_equal(rows.data.y, clean.data.y)


def test_both_kinds_of_missing_rows_are_dropped_together(df):
    df.loc["r1", "g"] = None
    df.loc[["r2", "r5"], "x"] = [np.nan, -1.0]
    rows = build("y ~ np.log(x) + g", df, subset=df.index != "r9", arguments={"offset": "o"})
    assert list(rows.index) == [label for label in df.index if label not in ("r1", "r2", "r5", "r9")]
    assert list(df.index[rows.kept]) == list(rows.index) and rows.dropped == 3
    np.testing.assert_array_equal(rows.data.offset, df.loc[rows.index, "o"])


@pytest.mark.parametrize("missing", ["raise", "none"])
def test_missing_values_can_be_refused(df, missing):
    build("y ~ x", df, missing=missing)
    df.loc["r4", "x"] = np.nan
    for kind in (FormulaError, MissingDataError):
        with pytest.raises(kind, match=r"1 incomplete rows \(row r4\)"):
            build("y ~ x", df, missing=missing)


def test_an_unknown_missing_option_is_refused(df):
    with pytest.raises(ValueError, match="missing option bad not understood"):
        build("y ~ x", df, missing="bad")


def test_no_row_left(df):
    with pytest.raises(FormulaError, match="no row is left"):
        build("y ~ x", df.assign(x=np.nan))


# -- subset ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subset",
    [
        lambda df: (df["x"] > 5).to_numpy(),
        lambda df: df["x"] > 5,
        lambda df: (df["x"] > 5)[::-1],
        lambda df: df.index[df["x"] > 5],
        lambda df: list(df.index[df["x"] > 5]),
    ],
)
def test_subset_by_mask_or_labels(df, subset):
    rows = build("y ~ center(x) + g", df, subset=subset(df), arguments={"offset": df["o"], "groups": "firm"})
    part = build("y ~ center(x) + g", df[df["x"] > 5], arguments={"offset": "o", "groups": "firm"})
    np.testing.assert_array_equal(x_of(rows), x_of(part))
    assert torch.equal(rows.data.offset, part.data.offset)
    assert rows.dropped == 0 and list(rows.index) == list(part.index)


def test_subset_errors(df):
    with pytest.raises(FormulaError, match="subset has 2 rows, the data have 30"):
        build("y ~ x", df, subset=[True, False])
    with pytest.raises(FormulaError, match="no row labelled 'r99'"):
        build("y ~ x", df, subset=["r1", "r99"])


# -- row arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "give",
    [
        lambda df: "o",
        lambda df: df["o"],
        lambda df: df["o"].sample(frac=1, random_state=0),
        lambda df: df["o"].to_numpy(),
        lambda df: list(df["o"]),
        lambda df: df[["o"]].to_numpy(),
        lambda df: torch.tensor(df["o"].to_numpy()),
        lambda df: df["o"].astype("Float64"),
    ],
)
def test_every_way_to_give_a_row_argument_is_the_same(df, give):
    df.loc["r3", "x"] = np.nan
    rows = build("y ~ x", df, arguments={"offset": give(df), "exposure": None})
    np.testing.assert_array_equal(rows.data.offset.numpy(), df["o"].drop("r3"))
    assert rows.design.row_names == ({"offset": "o"} if isinstance(give(df), str) else {})
    assert "exposure" not in rows.data.columns


def test_a_number_is_repeated(df):
    assert build("y ~ x", df, arguments={"exposure": 2}).data.exposure.tolist() == [2.0] * 30


def test_groups_become_codes(df):
    by_name = build("y ~ x", df, arguments={"groups": "firm"}).data.groups
    assert by_name.dtype == torch.int64
    for values in (df["firm"].astype("category"), df["firm"].to_numpy(), df["firm"].astype("string")):
        assert torch.equal(build("y ~ x", df, arguments={"groups": values}).data.groups, by_name)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones(29), "weights has 29 rows, the data have 30"),
        (pd.Series(np.ones(30)), "weights: its index lacks the label 'r0'"),
        (pd.Series(np.ones(30), ["r0"] * 30), "repeated labels"),
        ("O", "there is no weights column 'O'; did you mean 'o'"),
        ("g", "weights must be numbers"),
        (np.array(["a"] * 30), "weights must be numbers"),
    ],
)
def test_row_argument_errors(df, value, message):
    with pytest.raises(FormulaError, match=message):
        build("y ~ x", df, arguments={"weights": value})


def test_late_columns(df):
    df.loc["r3", "x"] = np.nan
    rows = build("y ~ x", df)
    expected = df["firm"].drop("r3").to_numpy()

    def late(value):
        return late_column(value, df, rows.kept, rows.index, "groups")

    whole = df["firm"]
    kept = whole.drop("r3")
    for value in ("firm", whole, whole[::-1], kept, kept[::-1], whole.to_numpy(), list(whole), kept.to_numpy()):
        np.testing.assert_array_equal(late(value), expected)
    with pytest.raises(FormulaError, match="groups has 12 rows, the data have 29"):
        late(np.arange(12))
    with pytest.raises(FormulaError, match="no groups column 'Firm'; did you mean 'firm'"):
        late("Firm")


# -- new rows ----------------------------------------------------------------------------------------------------------


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
    message = r"variable 'g' has level 'd' \(rows r1, r3\) that was not in the data.*; known levels: a, b, c"
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


# -- types of columns and frames ---------------------------------------------------------------------------------------

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
