"""RESET and rainbow tests against statsmodels 0.15 and R's lmtest; of all three, what weights and offsets do."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm_reference
from scipy import stats

import torchmle.api as sm
from torchmle.stats.diagnostic import linear_harvey_collier, linear_rainbow, linear_reset

FORMULA = "y ~ a + b + d"


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    df = pd.DataFrame(rng.normal(size=(120, 2)), columns=["a", "b"])
    df["d"] = (rng.random(120) < 0.4) * 1.0
    df["y"] = 10 + 2 * df["a"] - df["b"] + 0.5 * df["a"] ** 2 + df["d"] + rng.normal(size=120)
    df["w"] = rng.uniform(0.5, 2, size=120)
    return df


@pytest.fixture(scope="module")
def pair(frame):
    return sm.OLS.from_formula(FORMULA, frame).fit(), sm_reference.OLS.from_formula(FORMULA, frame).fit()


@pytest.mark.parametrize("kind", ["fitted", "exog", "princomp"])
@pytest.mark.parametrize("power", [2, 3, [2, 4], [3]])
@pytest.mark.parametrize(("cov_type", "use_f"), [("nonrobust", True), ("nonrobust", False), ("HC3", True)])
def test_reset(pair, kind, power, cov_type, use_f):
    ours, theirs = (
        module.linear_reset(res, power=power, test_type=kind, use_f=use_f, cov_type=cov_type)
        for module, res in zip((sm.stats, sm_reference.stats), pair, strict=True)
    )
    rtol = 1e-5 if kind == "princomp" else 1e-8  # theirs is found by iteration
    np.testing.assert_allclose(ours.statistic, theirs.statistic, rtol=rtol)
    np.testing.assert_allclose(ours.pvalue, theirs.pvalue, rtol=20 * rtol, atol=1e-12)
    assert ours.df_constraint == (theirs.df_num if use_f else theirs.df_denom)


def test_reset_is_the_f_test_of_the_powers(frame):
    """By hand, with weights: residual sums of squares with and without squares and cubes of the fitted values."""
    design = sm.add_constant(frame[["a", "b"]])
    results = sm.WLS(frame["y"], design, weights=frame["w"]).fit()
    fitted = np.asarray(results.fittedvalues)
    wider = sm.WLS(frame["y"], design.assign(two=fitted**2, three=fitted**3), weights=frame["w"]).fit()
    expected = (results.ssr - wider.ssr) / 2 / (wider.ssr / (120 - 5))
    found = linear_reset(results, use_f=True)
    assert found.statistic == pytest.approx(expected, rel=1e-9)
    assert found.pvalue == pytest.approx(stats.f.sf(expected, 2, 115), rel=1e-8)


def test_reset_does_not_depend_on_units(frame):
    small = sm.OLS.from_formula(FORMULA, frame.assign(y=frame["y"] * 1e-8)).fit()
    plain = sm.OLS.from_formula(FORMULA, frame).fit()
    assert linear_reset(small, 4).statistic == pytest.approx(linear_reset(plain, 4).statistic, rel=1e-8)


@pytest.mark.parametrize(
    "options",
    [{}, {"frac": 0.3}, {"order_by": "a"}, {"order_by": ["d", "b"]}, {"use_distance": True, "frac": 0.4}],
)
def test_rainbow(pair, options):
    ours, theirs = linear_rainbow(pair[0], **options), sm_reference.stats.linear_rainbow(pair[1], **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_rainbow_by_hand(frame):
    """The order as positions, with weights."""
    design = sm.add_constant(frame[["a", "b"]])
    results = sm.WLS(frame["y"], design, weights=frame["w"]).fit()
    order = np.argsort(frame["a"].to_numpy())
    middle = order[30:90]
    inner = sm.WLS(frame["y"].iloc[middle], design.iloc[middle], weights=frame["w"].iloc[middle]).fit()
    expected = (results.ssr - inner.ssr) / 60 / (inner.ssr / 57)
    found = linear_rainbow(results, order_by=order)
    assert found.fvalue == pytest.approx(expected, rel=1e-10)
    assert found.pvalue == pytest.approx(stats.f.sf(expected, 60, 57), rel=1e-8)


def test_what_is_refused(pair, frame):
    results = pair[0]
    with pytest.raises(
        ValueError, match=r"power must be at least 2, or different powers of 2 and more; it is \[2, 2\]"
    ):
        linear_reset(results, [2, 2])
    with pytest.raises(ValueError, match="test_type must be one of fitted, exog, princomp; it is 'odd'"):
        linear_reset(results, test_type="odd")
    with pytest.raises(ValueError, match="nothing but a constant"):
        linear_reset(sm.OLS(frame["y"], np.ones(120)).fit())
    with pytest.raises(ValueError, match="two values at most"):
        linear_reset(sm.OLS(frame["y"], frame[["d"]]).fit(), test_type="exog")
    with pytest.raises(ValueError, match="not by both"):
        linear_rainbow(results, order_by="a", use_distance=True)
    with pytest.raises(ValueError, match="order_by: no column 'z' in the design; its columns are Intercept, a, b, d"):
        linear_rainbow(results, order_by="z")
    with pytest.raises(ValueError, match=r"frac=0.03 of 120 rows leaves 3 in the middle, not enough for 4 columns"):
        linear_rainbow(results, frac=0.03)
    counts = sm.Poisson(np.arange(5), np.ones(5)).fit(disp=False)
    with pytest.raises(TypeError, match="OLS and WLS; the result is of Poisson"):
        linear_reset(counts)


TESTS = {
    "rainbow": linear_rainbow,
    "rainbow by a column": lambda res: linear_rainbow(res, order_by="a"),
    "rainbow by distance": lambda res: linear_rainbow(res, use_distance=True),
    "Harvey and Collier": lambda res: linear_harvey_collier(res, order_by="a"),
    "reset": lambda res: (linear_reset(res).statistic,),
    "reset of columns": lambda res: (linear_reset(res, test_type="exog").statistic,),
    "reset of components": lambda res: (linear_reset(res, test_type="princomp").statistic,),
}


@pytest.mark.parametrize("name", TESTS)
def test_rows_without_weight_are_no_rows(frame, name):
    """Neither where they stand among the others nor what they hold makes a difference."""
    idle = frame.assign(w=0.0, y=1e3, a=frame["a"] * 3, d=0.5)
    every = pd.concat([frame, idle]).sample(frac=1, random_state=1)
    rows = every[every["w"] > 0]
    found, expected = (TESTS[name](sm.WLS.from_formula(FORMULA, df, weights=df["w"]).fit()) for df in (every, rows))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["fitted", "exog", "princomp"])
def test_reset_counts_rows_as_often_as_they_are_said_to(frame, kind):
    df = frame.assign(n=1.0 + np.arange(120) % 3)
    weighted = sm.OLS.from_formula(FORMULA, df, freq_weights="n").fit()
    repeated = sm.OLS.from_formula(FORMULA, df.loc[df.index.repeat(df["n"].astype(int))]).fit()
    one, other = (linear_reset(res, test_type=kind).statistic for res in (weighted, repeated))
    assert one == pytest.approx(other, rel=1e-9)
    for test in (linear_rainbow, linear_harvey_collier):
        with pytest.raises(ValueError, match="from 1 to 3 times: repeat the rows"):
            test(weighted)


def test_an_offset_is_no_part_of_what_the_columns_explain(frame):
    df = frame.assign(off=np.linspace(0, 30, 120) ** 1.5)
    with_offset = sm.OLS.from_formula(FORMULA, df, offset="off").fit()
    without = sm.OLS.from_formula(FORMULA, df.assign(y=df["y"] - df["off"])).fit()
    for test in (linear_rainbow, linear_harvey_collier):
        np.testing.assert_allclose(test(with_offset), test(without), rtol=1e-9)
