"""Predictions: of the rows of the fit, of new rows in any order, with standard errors and intervals."""

import numpy as np
import pandas as pd
import pytest
import torch
from problems import means

import torchmle as tm
from torchmle.errors import FormulaError, RankWarning, SpecificationWarning

N = 80


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(11)
    found = pd.DataFrame({"x": rng.normal(size=N), "z": rng.uniform(1, 3, N), "g": rng.choice(["a", "b", "c"], N)})
    found["off"], found["e"], found["w"] = (
        rng.normal(0, 0.3, N),
        rng.uniform(0.5, 4, N),
        rng.integers(1, 4, N).astype(float),
    )
    mean = 1 + 0.5 * found["x"] - 0.3 * (found["g"] == "b")
    found["y"] = mean + rng.normal(size=N) * np.exp(0.2 * found["z"])
    found["y2"] = rng.normal(size=N)
    found["c"] = rng.poisson(found["e"] * np.exp(mean / 2))
    found["t"] = rng.exponential(np.exp(-mean / 2))
    found["d"] = (rng.random(N) < 0.75).astype(int)
    found.index = [f"row {i}" for i in range(N)]
    return found


FORMULA = " ~ x * C(g) + np.log(z)"
FITS = {
    "ols": lambda d: tm.OLS.from_formula("y" + FORMULA, d).fit(),
    "wls": lambda d: tm.WLS.from_formula("y" + FORMULA, d, weights="w").fit(),
    "frequencies": lambda d: tm.OLS.from_formula("y" + FORMULA, d, freq_weights="w").fit(),
    "normal": lambda d: tm.Normal.from_formula("y" + FORMULA, d).fit(),
    "normal, sigma": lambda d: tm.Normal.from_formula("y" + FORMULA, d, sigma="~ z").fit(),
    "poisson": lambda d: tm.Poisson.from_formula("c" + FORMULA, d).fit(disp=False),
    "poisson, offset": lambda d: tm.Poisson.from_formula("c" + FORMULA, d, offset="off").fit(disp=False),
    "poisson, exposure": lambda d: tm.Poisson.from_formula("c" + FORMULA, d, exposure="e", offset="off").fit(
        disp=False
    ),
    "exponential": lambda d: tm.ExponentialSurvival.from_formula("Surv(t, d)" + FORMULA, d).fit(),
    "exponential, offset": lambda d: tm.ExponentialSurvival.from_formula("Surv(t, d)" + FORMULA, d, offset="off").fit(),
    "student": lambda d: (
        tm.distribution_model(torch.distributions.StudentT).from_formula("y" + FORMULA, d).fit(fix={"df": 5.0})
    ),
    "mvnormal": lambda d: tm.MVNormal.from_formula("y + y2" + FORMULA, d).fit(),
}
each_fit = pytest.mark.parametrize("name", FITS)
each_regression = pytest.mark.parametrize("name", [name for name in FITS if name != "mvnormal"])
FITTED = {}


def fitted(name, df):
    if name not in FITTED:
        FITTED[name] = FITS[name](df)
    return FITTED[name]


def close(ours, theirs, rtol=1e-12, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


# -- the same rows, the same values ----------------------------------------------------------------------------------------


@each_fit
def test_predictions_of_the_training_rows_are_the_fitted_values(df, name):
    res = fitted(name, df)
    close(res.predict(df), means(res))
    assert res.predict(df).index.equals(df.index)


@each_fit
def test_the_order_of_rows_and_columns_does_not_matter(df, name):
    res = fitted(name, df)
    shuffled = df.sample(frac=1, random_state=3)[df.columns[::-1]]
    predicted = res.predict(shuffled)
    assert predicted.index.equals(shuffled.index)
    close(predicted.loc[df.index], means(res))


@each_fit
def test_one_row_at_a_time(df, name):
    res = fitted(name, df)
    for label in ("row 3", "row 40"):
        close(res.predict(df.loc[[label]]), means(res).loc[[label]])


@each_fit
def test_missing_values_give_missing_predictions_in_place(df, name):
    res = fitted(name, df)
    new = df.assign(x=df["x"].where(df.index != "row 5"), g=df["g"].where(df.index != "row 9"))
    predicted = res.predict(new)
    missing = ["row 5", "row 9"]
    assert predicted.index.equals(df.index) and np.isnan(predicted.loc[missing]).to_numpy().all()
    close(predicted.drop(missing), means(res).drop(missing))


@each_regression
def test_rows_left_out_of_the_fit_are_left_out_of_its_values(df, name):
    res = FITS[name](df.assign(x=df["x"].where(df.index != "row 5")))
    assert list(means(res).index) == [label for label in df.index if label != "row 5"]
    assert np.isfinite(res.predict(df)["row 5"])
    close(res.predict(df).drop("row 5"), means(res))


@each_fit
def test_new_levels_and_missing_columns_are_named(df, name):
    res = fitted(name, df)
    with pytest.raises(FormulaError, match=r"'g'.*'new'.*row 2"):
        res.predict(df.assign(g=df["g"].where(df.index != "row 2", "new")))
    with pytest.raises(FormulaError, match="'z'"):
        res.predict(df.drop(columns="z"))


@each_fit
def test_the_response_is_not_needed(df, name):
    res = fitted(name, df)
    close(res.predict(df.drop(columns=["y", "y2", "c", "t", "d", "w"])), means(res))


@each_regression
def test_arrays_predict_as_formulas_do(df, name):
    res = fitted(name, df)
    model = res.model
    if name in ("ols", "poisson", "exponential"):
        arguments = {"event": df["d"]} if name == "exponential" else {}
        arrays = type(model)(model.endog, model.exog, **arguments).fit(**({"disp": False} if name == "poisson" else {}))
        assert isinstance(arrays.predict(), np.ndarray)
        close(arrays.predict(model.exog[7:12]), means(res)[7:12], 1e-8)
    if name == "normal, sigma":
        with pytest.raises(ValueError, match="sigma needs a frame"):
            res.predict(model.exog, transform=False)
    else:
        close(res.predict(model.exog, transform=False, **late_arguments(name, df)), means(res))


def late_arguments(name, df):
    """What a matrix of columns does not hold."""
    return {
        key: df[column].to_numpy()
        for key, column in (("offset", "off"), ("exposure", "e"))
        if key in name or "exposure" in name
    }


# -- offsets and exposures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["poisson, offset", "poisson, exposure", "exponential, offset"])
def test_offsets_enter_predictions(df, name):
    res = fitted(name, df)
    linear = res.predict(df, which="linear")
    close(res.predict(df.assign(off=df["off"] + 1), which="linear"), linear + 1)
    close(res.predict(df, offset=0.0, which="linear"), linear - df["off"], 1e-11, 1e-12)
    with pytest.raises(FormulaError, match="'off'"):
        res.predict(df.drop(columns="off"))
    assert np.isnan(res.predict(df.assign(off=df["off"].where(df.index != "row 0")))["row 0"])


def test_other_offsets_of_the_rows_of_the_fit(df):
    """A number, a column's name, an array by position, a Series by its labels."""
    res, moved = fitted("poisson, offset", df), df["off"] + df["x"]
    expected = res.predict(df.assign(off=moved))
    for given in (moved, moved.sample(frac=1, random_state=1), moved.to_numpy()):
        close(res.predict(offset=given), expected)
    close(res.predict(offset="z"), res.predict(df.assign(off=df["z"])))
    close(res.predict(offset=0.5), res.predict(df.assign(off=0.5)))
    with pytest.raises(FormulaError, match="'zz'"):
        res.predict(offset="zz")
    with pytest.raises(FormulaError, match="offset has 3 rows"):
        res.predict(offset=[1.0, 2.0, 3.0])


def test_exposure_multiplies_the_mean(df):
    res = fitted("poisson, exposure", df)
    close(res.predict(df.assign(e=2 * df["e"])), 2 * means(res))
    close(res.predict(df, exposure=1.0), means(res) / df["e"])
    with pytest.raises(ValueError, match="exposure must be positive"):
        res.predict(df, exposure=0.0)


def test_arrays_must_be_said_again(df):
    array = tm.Poisson.from_formula("c ~ x", df, exposure=df["e"].to_numpy()).fit(disp=False)
    new = df[["x"]]
    with pytest.warns(SpecificationWarning, match="exposure=1"):
        close(array.predict(new), array.predict(new, exposure=1))
    with pytest.warns(SpecificationWarning, match="exposure=1"):
        array.get_prediction(new)
    close(array.predict(df, exposure=df["e"].to_numpy()), means(array))
    bare = tm.Poisson(df["c"], df[["x"]], offset=df["off"]).fit(disp=False)
    with pytest.warns(SpecificationWarning, match="offset=0"):
        close(bare.predict(df[["x"]]), bare.predict(df[["x"]], offset=0))
    with pytest.raises(TypeError, match="'offst'.*offset, exposure"):
        bare.predict(df[["x"]], offst=0)


# -- what is predicted ---------------------------------------------------------------------------------------------------------


def test_which(df):
    poisson, survival, normal = (fitted(name, df) for name in ("poisson", "exponential", "normal, sigma"))
    close(poisson.predict(df), np.exp(poisson.predict(df, which="linear")))
    close(poisson.predict(df, which="mu"), poisson.predict(df))
    rate = np.exp(survival.predict(df, which="linear"))
    close(survival.predict(df), 1 / rate)
    close(survival.predict(df, which="hazard"), rate)
    close(survival.predict(df, which="median"), np.log(2) / rate)
    sigma = np.exp(normal.params["sigma[Intercept]"] + normal.params["sigma[z]"] * df["z"])
    close(normal.predict(df, which="sigma"), sigma)
    for res in (poisson, survival, normal):
        with pytest.raises(ValueError, match="which='nothing'.*choose from.*'mean'"):
            res.predict(df, which="nothing")


@each_regression
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_standard_errors_by_central_differences(df, name, cov_type):
    """The slope of each prediction in each parameter, by refilling the parameters of the fit."""
    res = fitted(name, df).with_covariance(cov_type)
    which = {"normal, sigma": ("mean", "linear", "sigma"), "exponential": ("mean", "hazard", "median")}.get(
        name, ("mean", "linear")
    )
    for quantity in which:
        prediction = res.get_prediction(df, which=quantity)
        theta = res.fit.theta.numpy()
        steps = 1e-4 * np.sqrt(np.diag(covariance_of_reals(res)))
        slopes = np.column_stack([
            (at(res, df, quantity, theta + step) - at(res, df, quantity, theta - step)) / (2 * step.sum() or 1.0)
            for step in np.diag(steps)
        ])  # fmt: skip
        se = np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance_of_reals(res), slopes))
        close(prediction.se, se, 2e-6)
        close(prediction.predicted, res.predict(df, which=quantity))


def covariance_of_reals(res):
    """Covariance of the parameters on the real line."""
    uncentre = res.fit.coordinates.uncentre
    uncentre = torch.eye(len(res.fit.z), dtype=torch.float64) if uncentre is None else uncentre
    return (uncentre @ res.covariance_z @ uncentre.T).numpy()


def at(res, df, quantity, theta):
    """Predictions with other parameters: the linear predictors by hand, the rest by the model."""
    model = res.model
    data, _ = model.predict_data(df, True, {})
    z = model.coordinates.centred(torch.from_numpy(theta))
    return model.predict_rows(quantity, model.values(model.eta(z, data)), data).numpy()


@each_regression
@pytest.mark.parametrize("alpha", [0.05, 1e-9])
def test_intervals_lie_in_the_support(df, name, alpha):
    prediction = fitted(name, df).get_prediction(df)
    low, high = prediction.conf_int(alpha=alpha).T
    assert (low < prediction.predicted).all() and (prediction.predicted < high).all()
    if "poisson" in name or "exponential" in name:
        assert (low > 0).all()
    res = fitted(name, df)
    for quantity, arguments in (
        ("sigma", {}),
        ("scale", {}),
        ("median", {}),
        ("hazard", {}),
        ("survival", {"times": df["t"]}),
    ):
        if quantity in res.model.predictable():
            low, high = res.get_prediction(df, which=quantity, **arguments).conf_int(alpha=alpha).T
            assert (low > 0).all() and (low < high).all()
            assert quantity != "survival" or (high < 1).all()


def test_intervals_are_those_of_the_linear_predictor_mapped(df):
    res = fitted("poisson", df)
    linear = res.get_prediction(df, which="linear")
    close(res.get_prediction(df).conf_int(alpha=0.1), np.exp(linear.conf_int(alpha=0.1)))
    close(linear.conf_int(alpha=0.1)[:, 1] - linear.predicted, 1.6448536269514722 * linear.se)
    survival = fitted("exponential", df)
    mean = np.exp(-survival.get_prediction(df, which="linear").conf_int())
    close(survival.get_prediction(df).conf_int(), mean[:, ::-1], 1e-9)


def test_intervals_of_observations(df):
    res = fitted("ols", df)
    prediction = res.get_prediction(df[:5])
    frame = prediction.summary_frame(alpha=0.1)
    assert list(frame.columns) == ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper"]
    assert frame.index.equals(df.index[:5])
    close(prediction.se_obs**2, prediction.se_mean**2 + res.scale)
    reach = tm.inference.distributions.quantile(0.95, res.df_resid)
    close(frame["obs_ci_upper"], frame["mean"] + reach * prediction.se_obs)
    close(frame["mean_ci_lower"], frame["mean"] - reach * prediction.se_mean)
    weighted = fitted("wls", df)
    close(
        weighted.get_prediction(df.drop(columns="w")).se_obs ** 2 - weighted.get_prediction(df).se_mean ** 2,
        weighted.scale,
    )
    with pytest.raises(AttributeError, match="no intervals for observations"):
        _ = fitted("poisson", df).get_prediction(df).se_obs


@each_regression
def test_predictions_with_missing_values_have_missing_errors(df, name):
    res = fitted(name, df)
    prediction = res.get_prediction(df.assign(z=df["z"].where(df.index != "row 1")))
    frame = prediction.summary_frame()
    assert frame.loc["row 1"].isna().all() and frame.drop("row 1").notna().all().all()


def test_robust_covariances_reach_the_intervals(df):
    plain = fitted("poisson", df)
    robust = plain.with_covariance("cluster", {"groups": "g", "convention": "none"})
    assert not np.allclose(plain.get_prediction(df).se, robust.get_prediction(df).se, rtol=0.05)
    close(plain.get_prediction(df).predicted, robust.get_prediction(df).predicted)
    by_t = plain.with_covariance("nonrobust", use_t=True).get_prediction(df, which="linear")
    reach = tm.inference.distributions.quantile(0.975, plain.df_resid)
    close(by_t.conf_int()[:, 1], by_t.predicted + reach * by_t.se)


def test_many_rows_cost_no_square_of_them(df):
    res = fitted("poisson", df)
    many = pd.concat([df] * 1000, ignore_index=True)
    prediction = res.get_prediction(many)
    close(prediction.se[-N:], res.get_prediction(df).se)


def test_new_rows_that_break_a_linear_dependence(df):
    """R says for every new row that predictions from a rank-deficient fit may mislead; here where they do."""
    df = df.assign(twice=2 * df["x"] - df["z"])
    for model, formula in ((tm.OLS, "y ~ x + z + twice + g"), (tm.Poisson, "c ~ x + z + twice + g")):
        with pytest.warns(RankWarning, match="twice"):
            res = model.from_formula(formula, df).fit()
        close(res.predict(df.iloc[:3]), means(res).iloc[:3])  # and nothing is said
        assert res.predict(df.assign(x=np.nan)).isna().all()
        broken = df.assign(twice=df["twice"] + (np.arange(N) < 2))
        with pytest.warns(SpecificationWarning, match="2 of 80 new rows break the linear dependence .* left out twice"):
            res.predict(broken)
        with pytest.warns(SpecificationWarning, match="2 of 5 new rows"):
            res.get_prediction(broken.iloc[:5])
