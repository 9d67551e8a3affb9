"""One mask for everything row-shaped: variables of all formulas, subset, offset, weights, groups."""

import numpy as np
import pandas as pd
import pytest
import torch
from formula_frame import build, frame, x_of

from torchmle.errors import FormulaError, MissingDataError
from torchmle.formula import caller_environment, design_from_formula, late_column


@pytest.fixture
def df():
    return frame()


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
