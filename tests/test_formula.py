"""Columns and values of designs are patsy's; names come from the caller; messages name what is wrong."""

import numpy as np
import pandas as pd
import patsy
import pytest

from torchmle.errors import FormulaError, SpecificationWarning
from torchmle.formula import caller_environment, design_from_formula, design_info


def frame(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "w": rng.uniform(1, 2, n),
            "k": rng.integers(0, 4, n),
            "g": rng.choice(list("abc"), n),
            "h": rng.choice(["u", "v"], n),
            "b": rng.random(n) > 0.5,
            "cat": pd.Categorical(rng.choice(["low", "mid", "high"], n), ["low", "mid", "high"]),
            "weight kg": rng.uniform(50, 90, n),
        }
    )


def build(formula, data, **options):
    # one frame further out: the names of the test itself
    return design_from_formula({"mu": formula}, data, env=caller_environment(1), **options)


def square(values):
    return values**2


cuts = [1.3, 1.6]
name_of_w = "w"
halves = np.array([[0.5], [-0.5]])

FORMULAS = [
    "y ~ x",
    "y ~ 1",
    "y ~ 0 + x",
    "y ~ x - 1",
    "y ~ x*w + w:k",
    "y ~ (x + w + k)**2 - x:k",
    "y ~ g",
    "y ~ 0 + g",
    "y ~ g - 1 + h",
    "y ~ g*h",
    "y ~ g:h",
    "y ~ 0 + g:h",
    "y ~ g/h + x",
    "y ~ x:g",
    "y ~ x*g*h",
    "y ~ g:h:x",
    "y ~ 0 + g + h:x + h:g",
    "y ~ k + C(k):x + b",
    "y ~ C(g, Sum)",
    "y ~ 0 + C(g, Sum):x + C(h, Sum)",
    "y ~ C(g, Treatment('b'))*x",
    "y ~ C(g, Treatment(reference='c')) + C(g, Treatment('b')):h",
    "y ~ C(g, Helmert) + C(k, Poly) + C(h, Diff)",
    "y ~ C(g, levels=['c', 'a', 'b'])",
    "y ~ C(h, halves)",
    "y ~ C(k)*b",
    "y ~ cat*x + C(cat, Sum)",
    "y ~ C(C(g), Sum)",
    "y ~ C(np.floor(w * 3))",
    "y ~ bs(x, 4) + bs(w, knots=cuts, degree=2)",
    "y ~ cr(x, df=4) + cc(w, df=3)",
    "y ~ te(cr(x, 3), cr(w, 3))",
    "y ~ center(x) + center(k)*g",
    "y ~ center(x**2):bs(center(w), 4)",
    "y ~ np.log(w) + I(x**2) + I(k - 1) + square(w)",
    "y ~ Q('weight kg')*Q(name_of_w) + C(Q('g'))",
    "y ~ I(g == 'a') + I(x > 0):w",
    "y ~ np.column_stack([x, w])",
    "np.log(w) ~ x",
    "y ~ g.str.upper() + x.abs()",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_design_is_patsys(formula):
    df = frame()
    response, expected = patsy.dmatrices(formula, df)
    rows = build(formula, df)
    assert list(rows.design.columns["mu"]) == expected.design_info.column_names
    assert dict(rows.design.terms["mu"]) == dict(expected.design_info.term_name_slices)
    np.testing.assert_array_equal(rows.data.x["mu"].numpy(), np.asarray(expected))
    np.testing.assert_array_equal(rows.data.y.numpy(), np.asarray(response)[:, 0])


@pytest.mark.parametrize("formula", FORMULAS)
def test_predicting_a_part_gives_the_fitted_part(formula):
    df = frame()
    rows = build(formula, df)
    part = df.iloc[[11, 5, 7]]
    again = rows.design.rows(part, response=True)
    np.testing.assert_array_equal(again.data.x["mu"].numpy(), rows.data.x["mu"].numpy()[[11, 5, 7]])
    np.testing.assert_array_equal(again.data.y.numpy(), rows.data.y.numpy()[[11, 5, 7]])
    assert list(again.index) == [11, 5, 7]


@pytest.mark.parametrize(
    "formula", ["y ~ standardize(x)", "y ~ scale(x, ddof=1):g", "y ~ standardize(w, center=False)"]
)
def test_standardize_agrees_with_patsy_to_rounding(formula):
    # patsy adds up row by row, we at once
    df = frame()
    rows = build(formula, df)
    np.testing.assert_allclose(rows.data.x["mu"].numpy(), np.asarray(patsy.dmatrix(formula[4:], df)), atol=1e-13)


def test_patsys_own_standardize_imported_by_the_caller_is_replaced_too():
    from patsy import standardize

    assert standardize is patsy.standardize
    rows = build("y ~ standardize(x)", frame())
    assert type(next(iter(rows.design.factors["standardize(x)"].expression.transforms.values()))).__module__ == (
        "torchmle.formula.language.scaling"
    )


def test_blocks_join_seamlessly():
    df = frame(20_000)
    formula = "y ~ x*g + cat:h:w"
    np.testing.assert_array_equal(build(formula, df).data.x["mu"].numpy(), np.asarray(patsy.dmatrices(formula, df)[1]))


@pytest.mark.parametrize(
    ("tail", "intercept"), [("", True), (" + 0", False), (" - 1", False), (" + 0 + 1", True), (" + v1:v2", True)]
)
def test_long_formulas_mean_what_short_ones_do(tail, intercept):
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 260)), columns=[f"v{i}" for i in range(260)])
    for names in (wide.columns[:4], wide.columns):
        columns = build("v0 ~ v3 + " + " + ".join(names) + tail, wide).design.columns["mu"]
        assert ("Intercept" in columns) == intercept
        assert ("v1:v2" in columns) == ("v1:v2" in tail)
        assert len(columns) == len(names) + intercept + ("v1:v2" in tail)


def test_several_predictors_share_the_rows_but_not_the_columns():
    df = frame()
    df.loc[3, "w"] = np.nan
    rows = design_from_formula({"mu": "y ~ x", "sigma": "~ w", "nu": "g"}, df, env=caller_environment())
    assert rows.data.n == 199
    assert {name: len(columns) for name, columns in rows.design.columns.items()} == {"mu": 2, "sigma": 2, "nu": 3}
    assert rows.design.formulas == {"mu": "y ~ x", "sigma": "~ w", "nu": "g"}


def test_only_the_first_formula_has_a_response():
    with pytest.raises(FormulaError, match="the formula of sigma is 'y ~ w'"):
        design_from_formula({"mu": "y ~ x", "sigma": "y ~ w"}, frame(), env=caller_environment())
    with pytest.raises(FormulaError, match="no response"):
        build("~ x", frame())


def test_several_responses():
    df = frame()
    rows = build("y + x + w ~ g", df)
    np.testing.assert_array_equal(rows.data.y.numpy(), df[["y", "x", "w"]].to_numpy())
    assert rows.design.response == ("y", "x", "w")
    assert rows.design.response_label == "['y', 'x', 'w']"
    with pytest.raises(FormulaError, match="'g' is not numeric"):
        build("y + g ~ x", df)


def test_columns_left_out():
    df = frame()
    rows = build("y ~ g*x + w", df, drop_cols=["g[T.b]", "g[T.c]:x", "w"])
    full = build("y ~ g*x + w", df)
    kept = ["Intercept", "g[T.c]", "x", "g[T.b]:x"]
    assert list(rows.design.columns["mu"]) == kept
    places = [full.design.columns["mu"].index(name) for name in kept]
    np.testing.assert_array_equal(rows.data.x["mu"].numpy(), full.data.x["mu"].numpy()[:, places])
    np.testing.assert_array_equal(rows.design.rows(df).data.x["mu"].numpy(), rows.data.x["mu"].numpy())
    assert "w" not in rows.design.terms["mu"]
    with pytest.raises(FormulaError, match=r"no design column 'g\[T.B\]'; did you mean 'g\[T.b\]'"):
        build("y ~ g", df, drop_cols=["g[T.B]"])


def test_local_names_are_found_through_any_wrapper():
    factor = 3.0

    def double(values):
        return 2 * values

    rows = build("y ~ double(x) + I(x * factor)", frame())
    np.testing.assert_allclose(rows.data.x["mu"].numpy()[:, 1] * 1.5, rows.data.x["mu"].numpy()[:, 2])
    assert factor == 3.0 and double(1) == 2


def test_eval_env_counts_frames_outside_the_package():
    inner_only = 1

    def at(depth):
        return caller_environment(depth).namespace

    def one_further_out():
        outer_only = 2
        assert "outer_only" in at(1) and "inner_only" not in at(0) and outer_only == 2
        return at(2)

    assert "inner_only" in one_further_out() and inner_only == 1
    assert "np" not in caller_environment(-1).namespace
    with pytest.raises(ValueError, match="not that deep"):
        caller_environment(10_000)


def test_examples_in_docstrings_are_the_callers_code():
    # doctest runs them with the globals of the module they document
    namespace = {"__name__": "torchmle.models", "caller_environment": caller_environment, "marker": 5}
    for filename, inside in (("<doctest torchmle.models[0]>", True), ("models.py", False)):
        exec(compile("env = caller_environment()", filename, "exec"), namespace)
        assert ("marker" in namespace["env"].namespace) == inside


def test_variables_of_the_caller():
    z = np.arange(200.0)
    df = frame()
    rows = build("y ~ z", df)
    np.testing.assert_array_equal(rows.data.x["mu"].numpy()[:, 1], z)
    with pytest.raises(FormulaError, match="no column 'z'"):
        rows.design.rows(df)  # the caller's array has no say in new data
    y, x = pd.Series([1.0, 2.0, 4.0], list("abc")), pd.Series([3.0, 5.0, 4.0], list("cab"))
    rows = build("y ~ x", None)
    assert list(rows.index) == ["a", "b", "c"]
    np.testing.assert_array_equal(rows.data.x["mu"].numpy()[:, 1], x[["a", "b", "c"]])
    assert len(y) == 3


def test_a_column_hides_the_callers_variable_and_that_hides_patsys():
    x = np.zeros(200)
    df = frame()
    np.testing.assert_array_equal(build("y ~ x", df).data.x["mu"].numpy()[:, 1], df["x"])

    def center(values):
        return values + x.sum() + 7

    np.testing.assert_array_equal(build("y ~ center(x)", df).data.x["mu"].numpy()[:, 1], df["x"] + 7)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ xx", r"no variable 'xx'; did you mean 'x'"),
        ("y ~ G", r"no variable 'G'; did you mean 'g'"),
        ("y ~ quite_unlike_it", r"no variable 'quite_unlike_it'; known: y, x, w"),
        ("y ~ Q('weight')", r"no variable 'weight'; did you mean Q.'weight kg'."),
        ("y ~ centre(x)", r"no function 'centre'; did you mean 'center'"),
        ("y ~ np.logg(x)", r"cannot evaluate 'np.logg\(x\)': AttributeError"),
        ("y ~ x +", r"cannot parse the formula 'y ~ x \+'"),
        ("y ~ I(x y)", r"I\(x y\)"),
        ("y:x ~ w", r"'y:x' is not one"),
        ("y ~ I([v for v in x])", "comprehensions are not supported"),
        ("y ~ x.iloc[:3]", r"'x.iloc\[:3\]' gives 3 values for 200 rows"),
        ("y ~ I(3)", r"'I\(3\)' gives a single value for 200 rows"),
        ("y ~ C(g, Treatment('z'))", r"'z'"),
        ("y ~ C(g, levels=['a', 'b'])", r"level 'c' \(row \d+\) is not among the levels given: a, b"),
        ("y ~ np.log(0 * w)", r"term 'np.log\(0 \* w\)' is infinite in rows 0, 1, 2, 3, 4, … \(195 more\)"),
        ("y ~ I(1j * w)", "real numbers"),
        ("g ~ x", r"response 'g' is categorical with 3 levels \('a', 'b', 'c'\)"),
    ],
)
def test_messages(formula, message):
    with pytest.raises(FormulaError, match=message):
        build(formula, frame())


def test_formula_errors_are_patsys_errors_and_value_errors():
    for kind in (patsy.PatsyError, ValueError):
        with pytest.raises(kind):
            build("y ~ nothing_like_it", frame())


def test_a_mean_taken_anew_is_warned_of():
    df = frame()
    for formula in ("y ~ I(x - np.mean(x))", "y ~ I(x / w.std())"):
        with pytest.warns(SpecificationWarning, match="computed anew") as caught:
            build(formula, df)
        assert caught[0].filename == __file__
    # these do not depend on which rows are given, or are remembered
    build("y ~ np.column_stack([x, w]).max(axis=1) + bs(x, knots=np.quantile(x, [0.4]))", df)


def test_patsys_own_tools_take_the_design():
    df = frame()
    rows = build("y ~ center(x)*g + C(k):h + np.log(w)", df)
    info = design_info(rows.design)
    assert info.term_name_slices == dict(rows.design.terms["mu"])
    (again,) = patsy.build_design_matrices([info], df.iloc[:3])
    np.testing.assert_array_equal(np.asarray(again), rows.data.x["mu"].numpy()[:3])
    assert info.linear_constraint("g[T.b] = 2").coefs[0].tolist() == [
        float(name == "g[T.b]") for name in rows.design.columns["mu"]
    ]
