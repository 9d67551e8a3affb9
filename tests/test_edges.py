"""Degenerate data, wrong arguments, extreme numbers: a clear statement in the user's names, never a plausible table."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import torchmle as tm
from torchmle.errors import (
    ConvergenceWarning,
    FormulaError,
    HessianInversionWarning,
    MissingDataError,
    PerfectSeparationWarning,
    RankWarning,
)
from torchmle.optim import Status

N = 50


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "g": rng.choice(list("abc"), N)})
    found["y"] = 1 + found["x"] + rng.normal(size=N)
    found["y2"] = rng.normal(size=N)
    found["c"] = rng.poisson(np.exp(0.3 + 0.5 * found["x"]))
    found["t"], found["d"] = rng.exponential(size=N), (np.arange(N) % 3 > 0).astype(int)
    return found


RESPONSES = {"OLS": "y", "Normal": "y", "Poisson": "c", "ExponentialSurvival": "Surv(t, d)", "MVNormal": "y + y2"}
each_model = pytest.mark.parametrize("name", RESPONSES)


def fit(name, data, tail=" ~ x + z", response=None, **options):
    """A fit; what it warned of under `warned`."""
    names = ("offset", "exposure", "freq_weights", "weights")
    arguments = {key: options.pop(key) for key in names if key in options}
    model = getattr(tm, name).from_formula((response or RESPONSES[name]) + tail, data, **arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        res = model.fit(disp=False, **options)
        text = str(res.summary())
    return res, {warning.category: str(warning.message) for warning in caught}, text


def close(ours, theirs, rtol=1e-9, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


# -- too few rows ------------------------------------------------------------------------------------------------------------


@each_model
def test_no_rows(df, name):
    for data in (df[:0], df.assign(x=np.nan)):
        with pytest.raises(FormulaError, match="no row is left"):
            fit(name, data)


@each_model
def test_fewer_rows_than_columns(df, name):
    res, warned, text = fit(name, df[1:3])
    assert "z" in warned[RankWarning] and "z" in " ".join(res.dropped_columns)
    assert "Rank deficient design" in text
    assert np.isnan(res.params[res.dropped_columns]).all()
    if name == "OLS":
        assert np.isnan(res.bse).all() and "No degrees of freedom are left (2 observations, 2 coefficients)" in text
        close(res.fittedvalues, df["y"][1:3])
    elif name in ("Poisson", "ExponentialSurvival"):  # saturated: each row has its own rate
        close(res.model.score(res._with_zeros())[:2], [0.0, 0.0], atol=1e-6)
    else:
        assert not res.converged and ConvergenceWarning in warned


@each_model
def test_one_row(df, name):
    res, warned, text = fit(name, df[1:2])
    assert "x" in warned[RankWarning] and "z" in warned[RankWarning]
    if name in ("Poisson", "ExponentialSurvival"):  # a constant can be had from one row
        assert res.converged
        exact = np.log(max(df["c"][1], 1)) if name == "Poisson" else -np.log(df["t"][1])
        close(res.params.iloc[0], exact, 1e-8)
    else:
        assert np.isnan(res.bse).all()
        assert ("No degrees of freedom" in text) or not res.converged


def test_as_many_rows_as_columns(df):
    res, _, text = fit("OLS", df[:3])
    assert np.isnan(res.bse).all() and np.isnan(res.pvalues).all() and np.isnan(res.fvalue)
    assert "No degrees of freedom are left (3 observations, 3 coefficients)" in text
    for name, why in {"Normal": "Parameters concerned: sigma", "MVNormal": "too few rows"}.items():
        res, _, text = fit(name, df[:3])  # the variance goes to zero
        assert not res.converged and why in " ".join(text.split())
        assert np.isnan(res.bse).all()


# -- data that say nothing, or too much ----------------------------------------------------------------------------------------


def test_a_constant_response(df):
    data = df.assign(y=3.0, c=3, t=2.0)
    res, _, text = fit("OLS", data)
    close(res.params, [3.0, 0.0, 0.0], atol=1e-14)
    assert "The fit is perfect" in text
    assert not np.isfinite(res.rsquared) or res.rsquared in (0.0, 1.0)
    res, warned, text = fit("Normal", data)
    assert not res.converged and "sigma" in warned[ConvergenceWarning]
    res, warned, _ = fit("MVNormal", data)
    assert not res.converged and "Responses concerned: y (constant)" in warned[ConvergenceWarning]
    res, _, _ = fit("Poisson", data)
    assert res.converged
    close(res.params, [np.log(3), 0.0, 0.0], atol=1e-12)


def test_a_perfect_fit(df):
    res, _, text = fit("OLS", df.assign(y=1 + 2 * df["x"] - df["z"]))
    close(res.params, [1.0, 2.0, -1.0], 1e-13)
    assert "The fit is perfect" in text
    assert "The fit is perfect" not in fit("OLS", df.assign(y=1 + 2 * df["x"] - df["z"] + 1e-9 * df["y2"]))[2]


COMBINED = {
    "y + y2 + total": r"total \(a combination of y, y2\)",
    "y + total + y2": r"y2 \(a combination of y, total\)",
    "y + double + y2": r"double \(a combination of y\)",
    "y + y2 + level": r"level \(constant\)",
    "y + nil + y2": r"nil \(constant\)",
    "y + y2 + line": r"line \(a combination of the columns of the design\)",
    "level + total + y + y2": r"level \(constant\); y2 \(a combination of total, y\)",
}


@pytest.mark.parametrize("responses", COMBINED)
@pytest.mark.parametrize("told", [{}, {"method": "bfgs"}, {"cov_type": "HC0"}], ids=str)
def test_collinear_responses_are_named(df, responses, told):
    data = df.assign(total=df["y"] + df["y2"], double=2 * df["y"], level=3.3, nil=0.0, line=1 + 2 * df["x"])
    model = tm.MVNormal.from_formula(f"{responses} ~ x + z", data)
    with pytest.warns(ConvergenceWarning, match=f"covariance matrix is singular .*Leave.*: {COMBINED[responses]}"):
        res = model.fit(**told)
    assert not res.converged and res.optim.status is Status.SINGULAR_RESPONSES
    with pytest.warns(HessianInversionWarning):
        assert np.isnan(res.bse).all()
    assert np.isnan(res.get_prediction().se).all()
    x, y = model.exog, data[responses.split(" + ")].to_numpy()  # least squares, and the limit of the covariance matrix
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    close(np.asarray(res.params)[: slopes.size], slopes.T.ravel(), 1e-10, 1e-12)
    close(res.cov, (y - x @ slopes).T @ (y - x @ slopes) / len(y), 1e-10, 1e-12)


def test_collinear_responses_with_weights_and_with_a_slope_held(df):
    data = df.assign(total=df["y"] - 3 * df["y2"], w=np.arange(len(df)) % 3)
    with pytest.warns(ConvergenceWarning, match=r"total \(a combination of y, y2\)"):
        weighted = tm.MVNormal.from_formula("y + y2 + total ~ x", data, freq_weights="w").fit()
    with pytest.warns(ConvergenceWarning, match=r"total \(a combination of y, y2\)"):
        repeated = tm.MVNormal.from_formula("y + y2 + total ~ x", data.loc[data.index.repeat(data["w"])]).fit()
    close(weighted.params, repeated.params, 1e-10, 1e-12)
    model = tm.MVNormal.from_formula("y + y2 + total ~ x", data)
    with pytest.warns(ConvergenceWarning, match=r"total \(a combination of y, y2\)"):
        assert not model.fit(fix={"y[x]": 0.0}).converged  # the other slopes make up for it
    assert tm.MVNormal.from_formula("y + total ~ x", data).fit().converged


@pytest.mark.parametrize("spread", [1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14, 1e-16])
def test_nearly_collinear_responses_are_fitted_or_named(df, spread):
    noise = np.random.default_rng(1).normal(size=N)
    res, warned, _ = fit("MVNormal", df.assign(total=df["y"] + df["y2"] + spread * noise), response="y + y2 + total")
    assert res.converged is (spread > 1e-5)
    named = "total (a combination of y, y2)" in warned.get(ConvergenceWarning, "")
    assert named is not res.converged
    assert np.isfinite(res.bse).all() if res.converged else np.isnan(res.bse).all()


@each_model
@pytest.mark.parametrize("extra", ["copy", "multiple", "zero", "constant", "sum of dummies"])
def test_exact_collinearity(df, name, extra):
    columns = {"copy": df["x"], "multiple": 3 * df["x"] + 2 * df["z"], "zero": 0.0, "constant": 7.0}
    data = df.assign(q=columns.get(extra, 1.0))
    tail = " ~ 0 + C(g) + x + z + q" if extra == "sum of dummies" else " ~ x + z + q"
    res, warned, text = fit(name, data, tail)
    reduced, _, _ = fit(name, data, tail.removesuffix(" + q"))
    assert res.converged
    assert "q" in warned[RankWarning] and all(label.rstrip("]").endswith("q") for label in res.dropped_columns)
    assert "dropped" in text
    kept = reduced.names
    close(res.params[kept], reduced.params, 1e-7)
    close(res.bse[kept], reduced.bse, 1e-7)
    assert res.df_resid == reduced.df_resid


@each_model
def test_near_collinearity_is_solved_or_said(df, name):
    """x + 1e-6 z can still be told from x; x + 1e-15 z cannot."""
    plain, _, _ = fit(name, df)
    near, warned, _ = fit(name, df.assign(q=df["x"] + 1e-6 * df["z"]), " ~ x + q")
    assert near.converged and not warned
    close(near.llf, plain.llf, 1e-9)
    same, warned, _ = fit(name, df.assign(q=df["x"] + 1e-15 * df["z"]), " ~ x + q")
    assert not same.converged or "q" in warned.get(RankWarning, "")
    nearly, warned, _ = fit(name, df.assign(q=df["x"] + 1e-9 * df["z"]), " ~ x + q")
    if not nearly.converged:
        assert np.isnan(nearly.bse).all() and HessianInversionWarning in warned
        assert "q" in warned[ConvergenceWarning] and "x" in warned[ConvergenceWarning]


def test_counts_without_events(df):
    data = df.assign(c=df["c"].where(df["g"] != "b", 0), d=df["d"].where(df["g"] != "b", 0))
    for name in ("Poisson", "ExponentialSurvival"):
        for tail in (" ~ C(g)", " ~ x * C(g)", " ~ 0 + C(g)"):
            res, warned, text = fit(name, data, tail)
            assert not res.converged and list(warned) == [PerfectSeparationWarning]
            assert "b]" in warned[PerfectSeparationWarning] and "no finite maximum" in text.replace("\n", " ")
    res, warned, _ = fit("Poisson", df.assign(c=0))
    assert not res.converged and "Intercept (-inf)" in warned[PerfectSeparationWarning]
    for event in (0, False):
        with pytest.raises(ValueError, match=r"Surv\(t, d\): no events"):
            fit("ExponentialSurvival", df.assign(d=event))


# -- extreme numbers ---------------------------------------------------------------------------------------------------------


@each_model
@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e20, 1e38])
def test_columns_of_any_reasonable_size(df, name, scale):
    plain, scaled = fit(name, df)[0], fit(name, df.assign(x=df["x"] * scale))[0]
    assert scaled.converged
    labels = [label for label in plain.names if label.rstrip("]").endswith("x")]
    for label in labels:
        close(scaled.params[label] * scale, plain.params[label], 1e-6)
        close(scaled.bse[label] * scale, plain.bse[label], 1e-6)
    close(scaled.llf, plain.llf, 1e-10)


@each_model
@pytest.mark.parametrize("scale", [1e-200, 1e-45, 1e45, 1e200])
def test_columns_out_of_all_reason(df, name, scale):
    with pytest.raises(ValueError, match="'x' has .*rescale it"):
        fit(name, df.assign(x=df["x"] * scale))


def test_responses_of_any_size(df):
    for scale in (1e-30, 1e30):
        for name in ("OLS", "Normal"):
            plain, scaled = fit(name, df)[0], fit(name, df.assign(y=df["y"] * scale))[0]
            close(scaled.params / scale, plain.params, 1e-8)
            close(scaled.bse / scale, plain.bse, 1e-8)
        plain, scaled = fit("ExponentialSurvival", df)[0], fit("ExponentialSurvival", df.assign(t=df["t"] * scale))[0]
        close(scaled.params.iloc[0], plain.params.iloc[0] - np.log(scale), 1e-9)
        close(scaled.bse, plain.bse, 1e-7)
    with pytest.raises(ValueError, match="'y' has values as large as"):
        fit("OLS", df.assign(y=df["y"] * 1e200))


@pytest.mark.parametrize("size", [-800.0, 800.0, 5000.0])
def test_linear_predictors_beyond_the_range_of_exp(df, size):
    plain, shifted = fit("Poisson", df)[0], fit("Poisson", df.assign(off=size), offset="off")[0]
    assert shifted.converged
    close(shifted.params - [-size, 0, 0], plain.params, 1e-7)
    close([shifted.llf, shifted.llnull, shifted.bse["x"]], [plain.llf, plain.llnull, plain.bse["x"]], 1e-8)
    far = tm.Poisson.from_formula("c ~ x", df).loglike([size, 0.0])
    assert far == -np.inf if size > 700 else far < -10000


# -- wrong arguments -----------------------------------------------------------------------------------------------------------


@each_model
def test_words_about_wrong_columns(df, name):
    with pytest.raises(FormulaError, match="no variable 'zz'; did you mean 'z'"):
        fit(name, df, " ~ x + zz")
    with pytest.raises(FormulaError, match="'x' is infinite in row 3"):
        fit(name, df.assign(x=df["x"].where(df.index != 3, np.inf)))
    assert any("g[T.b]" in label for label in fit(name, df, " ~ x + g")[0].names)  # strings are factors


@pytest.mark.parametrize(
    ("name", "changed", "response", "words"),
    [
        ("OLS", {}, "g", r"'g' is categorical with 3 levels"),
        ("MVNormal", {}, "y + g", r"'g' is not numeric"),
        ("Poisson", {"c": -1.0}, None, r"c: counts must not be negative; the smallest is -1"),
        ("ExponentialSurvival", {"t": -1.0}, None, r"time -1\.0 is negative \(rows 0, 1"),
        ("ExponentialSurvival", {"d": 2}, None, r"event must be 0/1.*but is 2.*status == 2"),
        ("ExponentialSurvival", {"t": 0.0}, None, r"an event at time zero"),
        ("ExponentialSurvival", {}, "Surv(g, d)", r"time must be numbers"),
    ],
)
def test_responses_a_model_cannot_have(df, name, changed, response, words):
    with pytest.raises((FormulaError, ValueError), match=words):
        fit(name, df.assign(**changed), response=response)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "words"),
    [
        ("Poisson", {"weights": "x"}, TypeError, "does not take a bare weights=.*freq_weights= repeats rows"),
        ("Poisson", {"exposure": "minus"}, ValueError, "exposure must be positive; the smallest value is -1"),
        ("Poisson", {"offset": np.ones(3)}, FormulaError, "offset has 3 rows, the data have 50"),
        ("Poisson", {"offset": "nothing"}, FormulaError, "nothing"),
        ("Poisson", {"freq_weights": "minus"}, ValueError, "freq_weights.*from -1 to -1"),
        ("OLS", {"freq_weights": "zero"}, ValueError, "freq_weights.*all zero"),
        ("WLS", {"weights": "minus"}, ValueError, "weights must not be negative"),
        ("WLS", {"weights": "zero"}, ValueError, "weights must not be .*all zero"),
        ("OLS", {"sigma": "~ x"}, TypeError, "unexpected keyword argument 'sigma'; it takes"),
    ],
)
def test_row_arguments_a_model_cannot_have(df, name, arguments, error, words):
    data = df.assign(minus=-1.0, zero=0.0)
    with pytest.raises(error, match=words):
        getattr(tm, name).from_formula(RESPONSES.get(name, "y") + " ~ x", data, **arguments)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cov_type": "HC9"}, ValueError, "cov_type not recognized: 'HC9'; choose from nonrobust"),
        ({"cov_type": "cluster"}, KeyError, "needs cov_kwds"),
        ({"cov_type": "cluster", "cov_kwds": {"groups": "nothing"}}, FormulaError, "nothing"),
        ({"cov_type": "cluster", "cov_kwds": {"group": "g"}}, TypeError, "does not take 'group'; it takes groups"),
        ({"cov_type": "HAC"}, KeyError, "maxlags"),
        ({"method": "newtonn"}, ValueError, "method must be one of: newton"),
        ({"fix": {"q": 1.0}}, ValueError, "no parameter 'q'; the parameters are Intercept, x"),
        ({"start_params": [1.0]}, ValueError, "params has 1 values; the model has 2"),
        ({"start_params": [1.0, np.nan]}, ValueError, "start_params must be finite"),
        ({"start_params": {"x": 1.0}}, TypeError, "not a dict"),
        ({"maxiters": 3}, TypeError, "maxiter"),
        ({"cov_type": "cluster", "cov_kwds": "g"}, TypeError, "cov_kwds must be a dict of options .*, not 'g'"),
    ],
)
def test_options_a_fit_does_not_have(df, options, error, words):
    with pytest.raises(error, match=words):
        tm.Poisson.from_formula("c ~ x", df).fit(disp=False, **options)


def test_one_cluster_is_none(df):
    for convention in ("statsmodels", "none"):
        kwds = {"groups": np.ones(N), "convention": convention}
        with pytest.raises(ValueError, match="single cluster"):
            tm.OLS.from_formula("y ~ x", df).fit(cov_type="cluster", cov_kwds=kwds)


@pytest.mark.parametrize(
    ("endog", "exog", "error", "words"),
    [
        ([1.0, 2, 3], None, ValueError, "OLS needs exog"),
        ([1.0, 2, 3], np.ones((2, 1)), ValueError, "different sizes: 3 and 2 rows"),
        ([1.0, 2, 3], np.ones((3, 2, 2)), ValueError, "not of shape"),
        ([1.0, 2, np.nan], np.ones((3, 1)), MissingDataError, "endog contains inf or nans"),
        ([1.0, 2, 3], [[1], [np.inf], [1]], MissingDataError, "exog contains inf or nans"),
        (["a", "b", "c"], np.ones((3, 1)), ValueError, "could not convert string to float"),
        ([1.0, 2, 3], [["a"], ["b"], ["c"]], (ValueError, TypeError), "a|object|string"),
        ([1.0, 2, 3j], np.ones((3, 1)), TypeError, "complex"),
        ([], np.ones((0, 1)), ValueError, "no rows"),
        ([1.0, 2, 3], np.ones((3, 0)), ValueError, "exog has no columns"),
        ([1.0, 2, 3], pd.DataFrame({"k": 1.0, "g": ["a", "b", "c"]}), ValueError, "column 'g': could not convert"),
        (
            [1.0, 2, 3],
            pd.DataFrame({"k": 1.0, "day": pd.date_range("2024-01-01", periods=3)}),
            ValueError,
            "'day' to float: .*dates",
        ),
    ],
)
def test_arrays_that_are_no_data(endog, exog, error, words):
    with pytest.raises(error, match=words):
        tm.OLS(endog, exog)


def test_lists_are_data():
    res = tm.OLS([1, 2, 4.0], [[1, 1], [1, 2], [1, 3]]).fit()
    close(res.params, [-2 / 3, 1.5])
    assert isinstance(res.params, np.ndarray)


def test_a_formula_needs_a_response_and_data(df):
    with pytest.raises(FormulaError, match="no response"):
        tm.OLS.from_formula("~ x", df)
    with pytest.raises(FormulaError):
        tm.OLS.from_formula("y ~ x +", df)
    with pytest.raises((FormulaError, TypeError)):
        tm.OLS.from_formula("y ~ x", None)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("g2^2", "'g2 . 2': . is no power in Python; write I.x..2."),  # for whole numbers Python would take it as bits
        ("factor(g)", r"no function 'factor' in formulas; write C\("),
        ("log(z)", r"no function 'log' in formulas; write np.log\("),
        ("ns(x, 3)", r"no function 'ns' in formulas; write cr\("),
        (".", "name the columns"),
        ("my x", r"not a valid expression: .*written Q\('name'\)"),
        ("my.x", r"no variable 'my'; did you mean .*Q\('my.x'\)"),
    ],
)
def test_formulas_as_r_has_them(df, right, words):
    with pytest.raises(FormulaError, match=words):
        tm.OLS.from_formula(f"y ~ {right}", df.assign(**{"g2": np.arange(len(df)), "my.x": df["x"]}))


def test_intervals_of_a_level_in_percent_are_refused(df):
    res = tm.Poisson.from_formula("c ~ x", df).fit(disp=False)
    for asked in (
        res.conf_int,
        res.t_test("x = 0").conf_int,
        lambda alpha: res.get_prediction(df).summary_frame(alpha=alpha),
    ):
        with pytest.raises(ValueError, match="alpha must lie between 0 and 1 .*not 95"):
            asked(alpha=95)
    with pytest.raises(ValueError, match="alpha must be positive and finite, not -1"):
        tm.families.NegativeBinomial(alpha=-1)


def test_names_of_columns_with_two_levels_are_joined(df):
    res = tm.OLS(df["y"], pd.concat({"mean": df[["x", "z"]]}, axis=1)).fit()
    assert res.names == ["mean_x", "mean_z"]  # statsmodels' names


def test_censored_times_are_no_complete_ones(df):
    data = df.assign(t=np.arange(1.0, len(df) + 1), e=1)
    for model in (tm.OLS, tm.Poisson, tm.Normal, tm.GLM, tm.distribution_model(torch.distributions.Exponential)):
        with pytest.raises(FormulaError, match="takes no Surv.* response"):
            model.from_formula("Surv(t, e) ~ x", data)
    with pytest.raises(FormulaError, match=r"the response must be Surv\(time, event\), not t"):
        tm.KaplanMeier.from_formula("t ~ 1", data)
    with pytest.raises(FormulaError, match="subset must be a mask or labels of rows, not 'x > 0'"):
        tm.OLS.from_formula("y ~ x", data, subset="x > 0")


def test_predictions_of_what_is_not_there(df):
    res = tm.OLS.from_formula("y ~ x", df).fit()
    with pytest.raises(FormulaError, match="no column 'x'; known: z"):
        res.predict(df[["z"]])
    with pytest.raises(ValueError, match="which='median' is not something OLS predicts"):
        res.predict(df, which="median")
    with pytest.raises(AttributeError, match="frozen"):
        res.params = 1
