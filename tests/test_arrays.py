"""Matrices as endog and exog: names, index, sizes and missing values as in statsmodels."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
import torch

from torchmle.errors import FormulaError, MissingDataError
from torchmle.formula import design_from_arrays


def build(endog, exog, **options):
    return design_from_arrays(endog, {"mu": exog}, **options)


@pytest.fixture
def xy():
    rng = np.random.default_rng(0)
    return np.column_stack([np.ones(12), rng.normal(size=(12, 2))]), rng.normal(size=12)


def as_frame(x, names="abc"):
    return pd.DataFrame(x, columns=list(names), index=[f"r{i}" for i in range(len(x))])


def test_float64_memory_is_shared(xy):
    x, y = xy
    for matrix in (x, np.asfortranarray(x), x[:, ::2]):
        rows = build(y, matrix)
        assert rows.data.x["mu"].data_ptr() == matrix.ctypes.data
        np.testing.assert_array_equal(rows.data.x["mu"].numpy(), matrix)
    assert rows.data.y.data_ptr() == y.ctypes.data
    x.flags.writeable = False  # as pandas' copy-on-write hands out its memory
    assert build(y, x).data.x["mu"].data_ptr() == x.ctypes.data
    np.testing.assert_array_equal(build(y, x[::-1]).data.x["mu"].numpy(), x[::-1])


def test_tensors_are_taken_as_they_are(xy):
    x, y = (torch.from_numpy(values) for values in xy)
    rows = build(y, x)
    assert rows.data.x["mu"].data_ptr() == x.data_ptr() and rows.index is None
    assert build(y.float(), x.int()).data.x["mu"].dtype == torch.float64
    assert rows.design.columns["mu"] == ("const", "x1", "x2")


@pytest.mark.parametrize("convert", [list, tuple, np.float32, lambda v: v.astype(object), lambda v: v[:, None]])
def test_everything_becomes_float64(xy, convert):
    x, y = xy
    rows = build(convert(y), x.astype(np.float32))
    assert rows.data.y.dtype == rows.data.x["mu"].dtype == torch.float64
    np.testing.assert_allclose(rows.data.y, y, rtol=1e-7)


@pytest.mark.parametrize(
    "exog",
    [
        lambda x: x,
        lambda x: x[:, 1:],
        lambda x: x[:, [1, 0, 2]],
        lambda x: x[:, 1],
        lambda x: np.column_stack([x, 3 * np.ones(len(x))]),
        lambda x: as_frame(x),
        lambda x: pd.Series(x[:, 1], name="dose"),
        lambda x: np.rec.fromarrays(x.T, names="u,v,w"),
    ],
)
@pytest.mark.parametrize("endog", [lambda y: y, lambda y: pd.Series(y, name="wage"), lambda y: pd.DataFrame({"w": y})])
def test_names_are_statsmodels(xy, exog, endog):
    x, y = xy
    exog, endog = exog(x), endog(y)
    if isinstance(exog, np.recarray):
        model_names = ["u", "v", "w"]  # statsmodels no longer takes these
        reference = None
    else:
        if isinstance(endog, (pd.Series, pd.DataFrame)) and isinstance(exog, (pd.Series, pd.DataFrame)):
            endog.index = exog.index
        reference = sm.OLS(endog, exog)
        model_names = reference.exog_names
    rows = build(endog, exog)
    assert list(rows.design.columns["mu"]) == model_names
    assert list(rows.design.terms["mu"]) == model_names
    if reference is not None:
        assert rows.design.response_label == reference.endog_names
    pandas = isinstance(endog, (pd.Series, pd.DataFrame)) or isinstance(exog, (pd.Series, pd.DataFrame))
    assert rows.design.pandas == pandas == (rows.index is not None)


def test_several_responses(xy):
    x, y = xy
    two = np.column_stack([y, y])
    assert build(two, x).design.response == ("y1", "y2") and build(two, x).data.y.shape == (12, 2)
    assert build(pd.DataFrame(two, columns=["k", "m"]), x).design.response_label == "['k', 'm']"


def test_index_and_size_must_agree(xy):
    x, y = xy
    frame = as_frame(x)
    with pytest.raises(ValueError, match="The indices for endog and exog are not aligned"):
        build(pd.Series(y, frame.index[::-1]), frame)
    with pytest.raises(ValueError, match="endog and exog matrices are different sizes"):
        build(y[:5], x)
    assert list(build(y, frame).index) == list(frame.index)


def test_no_design_is_a_constant(xy):
    rows = build(xy[1], None)
    assert rows.design.columns["mu"] == ("const",) and rows.data.x["mu"].tolist() == [[1.0]] * 12


@pytest.mark.parametrize("where", ["endog", "exog"])
def test_missing_values(xy, where):
    x, y = xy[0].copy(), xy[1].copy()
    target = y if where == "endog" else x[:, 1]
    target[[2, 5]] = np.nan
    weights = np.arange(12.0)
    with pytest.raises(MissingDataError, match=f"{where} contains inf or nans"):
        build(y, x)
    with pytest.raises(MissingDataError, match="NaNs were encountered in the data"):
        build(y, x, missing="raise")
    rows = build(y, as_frame(x), missing="drop", arguments={"freq_weights": weights, "groups": list("aabbccddeeff")})
    assert rows.dropped == 2 and np.flatnonzero(~rows.kept).tolist() == [2, 5]
    assert rows.data.freq_weights.tolist() == np.delete(weights, [2, 5]).tolist()
    assert rows.data.groups.tolist() == [0, 0, 1, 2, 3, 3, 4, 4, 5, 5]
    assert list(rows.index) == [f"r{i}" for i in range(12) if i not in (2, 5)]
    target[7] = np.inf
    for missing in ("none", "drop"):
        with pytest.raises(MissingDataError, match=f"{where} contains inf or nans"):
            build(y, x, missing=missing)
    with pytest.raises(ValueError, match="missing option bad not understood"):
        build(y, x, missing="bad")


def test_missing_arguments(xy):
    x, y = xy
    offset = np.where(np.arange(12) == 4, np.nan, 1.0)
    with pytest.raises(MissingDataError, match="offset contains inf or nans"):
        build(y, x, arguments={"offset": offset})
    assert build(y, x, arguments={"offset": offset}, missing="drop").data.n == 11


def test_arguments_are_aligned_or_positional(xy):
    x, y = xy
    frame, offset = as_frame(x), np.arange(12.0)
    series = pd.Series(offset, frame.index)
    for value in (offset, series, series[::-1]):
        assert build(y, frame, arguments={"offset": value}).data.offset.tolist() == offset.tolist()
    assert build(y, x, arguments={"offset": series[::-1]}).data.offset.tolist() == offset[::-1].tolist()
    with pytest.raises(FormulaError, match="offset: its index lacks the label 'r0'"):
        build(y, frame, arguments={"offset": pd.Series(offset)})
    with pytest.raises(FormulaError, match="a column name needs a formula"):
        build(y, x, arguments={"offset": "o"})


def test_classes_in_the_response(xy):
    x, _ = xy
    rows = build(np.array(["no", "yes"] * 6), x)
    assert rows.data.y.tolist() == [0.0, 1.0] * 6 and rows.design.event_level == "yes"
    assert build(pd.Series([True, False] * 6), x).data.y.tolist() == [1.0, 0.0] * 6
    three = pd.Series(pd.Categorical(list("lmh") * 4, list("lmh"), ordered=True), name="grade")
    with pytest.raises(ValueError, match="could not convert string to float"):
        build(three, x)
    rows = build(three, x, classes=True)
    assert rows.data.y.tolist() == [0, 1, 2] * 4 and rows.design.response_levels == ("l", "m", "h")
    assert rows.design.response == ("grade",)


def test_columns_of_nullable_and_other_types(xy):
    x, y = xy
    frame = pd.DataFrame({"a": x[:, 1], "k": pd.array([1, 2, 3] * 4, "Int64"), "b": [True, False] * 6})
    expected = frame.astype(float).to_numpy()
    for exog in (frame, pl.from_pandas(frame)):
        np.testing.assert_array_equal(build(y, exog).data.x["mu"].numpy(), expected)
    frame.loc[3, "k"] = pd.NA
    with pytest.raises(MissingDataError, match="exog contains"):
        build(y, frame)
    assert build(y, frame, missing="drop").data.n == 11
    with pytest.raises(ValueError, match="could not convert string to float"):
        build(y, frame.assign(a="text"))


def test_new_rows(xy):
    x, y = xy
    design = build(y, as_frame(x)).design
    for new in (x[:2], as_frame(x, "zyx").iloc[:2], x[:2].tolist(), torch.from_numpy(x[:2])):
        np.testing.assert_array_equal(design.rows(new).data.x["mu"].numpy(), x[:2])
    assert list(design.rows(as_frame(x)[3:5]).index) == ["r3", "r4"]
    np.testing.assert_array_equal(design.rows(x[4]).data.x["mu"].numpy(), x[[4]])  # one row's length is a row
    np.testing.assert_array_equal(build(y, x[:, 1]).design.rows(x[:3, 1]).data.x["mu"].numpy(), x[:3, [1]])
    with pytest.raises(ValueError, match=r"shapes \(2, 2\) and \(3,\) not aligned"):
        design.rows(x[:2, :2])


def test_new_rows_of_several_predictors(xy):
    x, y = xy
    design = design_from_arrays(y, {"mu": x, "sigma": None}).design
    assert design.rows(x[:2]).data.x["sigma"].tolist() == [[1.0], [1.0]]
    design = design_from_arrays(y, {"mu": x, "sigma": x[:, 1:]}).design
    rows = design.rows({"mu": x[:2], "sigma": x[:2, 1:]}, arguments={"offset": [1, 2]})
    assert rows.data.x["sigma"].shape == (2, 2) and rows.data.offset.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"design matrix of sigma .* is needed too"):
        design.rows(x[:2])


def test_a_column_constant_in_its_first_rows_only_is_not_the_constant():
    late = np.r_[np.ones(100), 2.0]
    x = np.column_stack([late, 3 * np.ones(101), np.arange(101.0)])
    assert build(np.arange(101.0), x).design.columns["mu"] == ("x1", "const", "x2")


def test_huge_values_are_not_infinite(xy):
    assert build(np.full(12, 1e308), xy[0]).data.y.tolist() == [1e308] * 12
