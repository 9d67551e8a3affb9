"""Marginal effects: against central differences of predictions, closed forms, marginaleffects and statsmodels."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from problems import BY_NAME
from problems import fitted as fit_of
from statsmodels.formula import api as sm_formulas

import torchmle as tm
from torchmle.models.choices.multinomial import MNLogit

N = 250


def simulated():
    rng = np.random.default_rng(42)
    df = pd.DataFrame({"x": rng.normal(size=N), "z": rng.uniform(0.5, 3, N), "g": rng.choice(["a", "b", "c"], N)})
    eta = -0.3 + 0.6 * df["x"] - 0.4 * df["z"] + 0.8 * df["x"] * df["z"] + 0.5 * (df["g"] == "b")
    df["y"] = (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(int)
    df["c"] = rng.poisson(np.exp(0.2 + 0.4 * df["x"] - 0.2 * df["x"] ** 2 + 0.3 * (df["g"] == "c")))
    df["b"], df["k"] = rng.random(N) < 0.4, rng.poisson(2.0, N)
    df["p"], df["u"] = rng.gamma(2.0, np.exp(0.3 * df["x"]) / 2), df["x"] + rng.normal(size=N)
    df["e"], df["off"], df["w"] = rng.uniform(0.5, 2, N), rng.normal(0, 0.3, N), rng.integers(1, 4, N).astype(float)
    df["m"] = np.column_stack([rng.gumbel(size=N), 0.7 * df["x"] + rng.gumbel(size=N), rng.gumbel(size=N)]).argmax(1)
    df["t"] = 1.6e9 + 1e4 * rng.normal(size=N)
    return df


DF = simulated()
FORMULAS = {
    "product": "x * z",
    "square": "x + I(x**2)",
    "factor": "C(g) * x + z",
    "splines": "bs(x, df=5) + cr(z, df=3, constraints='center')",
    "logarithm": "np.log(z) * x + np.sqrt(z)",
    "centred": "center(x) * standardize(z) + b",
    "of two": "I(x * z) + np.exp(x / z):C(g)",
    "time": "t + x",
}
MODELS = {
    "logit": lambda f: tm.Logit.from_formula("y ~ " + f, DF).fit(disp=False),
    "probit": lambda f: tm.Probit.from_formula("y ~ " + f, DF).fit(disp=False),
    "poisson": lambda f: tm.Poisson.from_formula("c ~ " + f, DF, exposure="e", offset=DF["off"]).fit(disp=False),
    "gamma": lambda f: tm.GLM.from_formula("p ~ " + f, DF, family=tm.families.Gamma(tm.families.links.Log())).fit(),
    "ols": lambda f: tm.OLS.from_formula("u ~ " + f, DF).fit(),
    "normal": lambda f: tm.Normal.from_formula("u ~ " + f, DF, sigma="~ z").fit(),
}
FITTED = {}


def fitted(model, formula):
    if (model, formula) not in FITTED:
        FITTED[model, formula] = MODELS[model](FORMULAS[formula])
    return FITTED[model, formula]


def offsets(res):
    return {"offset": DF["off"]} if "offset" in res.model.given_arguments else {}


def central(res, name, which="mean", frame=DF, data=DF, **arguments):
    """Slope of each prediction by central differences; by one-sided ones over less at the ends of the variable's range."""
    low, high = data[name].min(), data[name].max()
    h = 1e-5 * (high - low)
    h = np.where((frame[name] + h > high) | (frame[name] - h < low), 1e-3 * h, h)
    up, down = np.minimum(frame[name] + h, high), np.maximum(frame[name] - h, low)
    predict = [np.asarray(res.predict(frame.assign(**{name: at}), which=which, **arguments)) for at in (up, down)]
    return ((predict[0] - predict[1]).T / (up - down).to_numpy()).T


# -- estimates ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("formula", FORMULAS)
def test_average_effects_are_central_differences_of_predictions(model, formula):
    res = fitted(model, formula)
    found = res.margins().frame().set_index(["term", "contrast"])["estimate"]
    for (name, contrast), effect in found.items():
        if contrast == "slope":
            expected = central(res, name, **offsets(res)).mean()
            assert effect == pytest.approx(
                expected, rel=1e-6, abs=1e-7 * abs(np.asarray(res.predict())).mean() / DF[name].std()
            )
        else:
            high, low = ({"True": True, "False": False}.get(level, level) for level in contrast.split(" - "))
            levels = (res.predict(DF.assign(**{name: level}), **offsets(res)).mean() for level in (high, low))
            assert effect == pytest.approx(next(levels) - next(levels), rel=1e-10)


@pytest.mark.parametrize(
    "name", [name for name, problem in BY_NAME.items() if issubclass(problem.model, tm.RegressionModel)]
)
def test_every_model_has_margins(name):
    """Slopes of the mean (of each probability, where there are several) are differences of predictions."""
    res = fit_of(BY_NAME[name])
    frame, margins = res.model.frame_rows(), res.margins()
    labels, given = margins.labels, [a for a in res.model.linear_arguments() if a in res.model.given_arguments]
    known = {a: res.model.rows.columns[a].numpy() for a in given if a not in res.model.design.row_names}
    for term in labels["term"][labels["contrast"] == "slope"].unique():
        slopes = central(res, term, frame=frame, data=frame, **known)
        scale = abs(np.asarray(res.predict())).mean() / frame[term].std()
        np.testing.assert_allclose(
            margins.margeff[labels["term"] == term], slopes.mean(0), rtol=1e-6, atol=1e-6 * scale
        )
    assert np.isfinite(margins.margeff_se).all()
    columns = res.get_margeff()
    assert np.isfinite(columns.margeff_se).all()


def test_interactions_are_followed():
    """statsmodels' get_margeff takes the product for a variable of its own."""
    res = fitted("logit", "product")
    effect = res.margins("x").margeff[0]
    naive = res.get_margeff().summary_frame()["dy/dx"]["x"]
    p = np.asarray(res.predict())
    slope = res.params["x"] + res.params["x:z"] * DF["z"]
    assert effect == pytest.approx((p * (1 - p) * slope).mean(), rel=1e-12)
    assert abs(effect - naive) > 0.05


@pytest.mark.parametrize("which", ["sigma", "linear"])
def test_any_prediction_has_effects(which):
    res = fitted("normal", "product")
    found = res.margins("z", which=which)
    assert found.margeff[0] == pytest.approx(central(res, "z", which).mean(), rel=1e-6)


def test_elasticities():
    res = fitted("gamma", "product")
    slope, q = central(res, "x"), np.asarray(res.predict())
    for method, expected in (("eyex", slope * DF["x"] / q), ("dyex", slope * DF["x"]), ("eydx", slope / q)):
        assert res.margins("x", method=method).margeff[0] == pytest.approx(expected.mean(), rel=1e-6)
    logs = [np.log(res.predict(DF.assign(z=value))) for value in (1.0, 2.0)]
    ratio = res.margins("z", method="eydx", contrast={"z": (1.0, 2.0)})
    assert ratio.margeff[0] == pytest.approx((logs[1] - logs[0]).mean(), rel=1e-10)
    with pytest.raises(ValueError, match="needs a derivative; 'z'"):
        res.margins("z", method="eyex", contrast={"z": (1.0, 2.0)})


def test_contrasts():
    res = fitted("logit", "factor")
    means = {level: res.predict(DF.assign(g=level)).mean() for level in "abc"}
    for contrast, expected in (
        ("reference", ["b - a", "c - a"]),
        ("sequential", ["b - a", "c - b"]),
        ("pairwise", ["b - a", "c - a", "c - b"]),
        ({"g": ("c", "b")}, ["b - c"]),
    ):
        found = res.margins("g", contrast=contrast).frame()
        assert found["contrast"].tolist() == expected
        for label, effect in zip(expected, found["estimate"], strict=True):
            high, low = label.split(" - ")
            assert effect == pytest.approx(means[high] - means[low], rel=1e-10)


def test_where_effects_are_taken():
    res = fitted("poisson", "product")
    given = {"x": [0.0, 1.0], "z": [1.0, 2.0, 3.0]}
    found = res.margins("x", at=given).frame()
    assert found[["x", "z"]].to_numpy().tolist() == [[x, z] for x in given["x"] for z in given["z"]]
    for _, row in found.iterrows():
        h = 1e-5
        near = [res.predict(DF.assign(z=row["z"], x=row["x"] + step), offset=DF["off"]).mean() for step in (h, -h)]
        assert row["estimate"] == pytest.approx((near[0] - near[1]) / (2 * h), rel=1e-8)
    three = res.margins(["x", "z"], at=DF.iloc[:3], offset=DF["off"].iloc[:3])
    assert three.frame()["row"].tolist() == [0, 1, 2] * 2
    np.testing.assert_allclose(three.margeff[:3], central(res, "x", offset=DF["off"])[:3], rtol=1e-5)
    middle = res.margins("x", at="mean")
    means = {name: DF[name].mean() for name in ("x", "z", "e", "off")}
    rate = means["e"] * np.exp(res.predict(pd.DataFrame([means]), which="linear", exposure=1.0, offset=means["off"])[0])
    assert middle.margeff[0] == pytest.approx(rate * (res.params["x"] + res.params["x:z"] * means["z"]), rel=1e-10)
    by_level = fitted("ols", "factor").margins("x", at="mean").margeff[0]
    params, most = fitted("ols", "factor").params, DF["g"].mode()[0]
    assert by_level == pytest.approx(params["x"] + params.get(f"C(g)[T.{most}]:x", 0.0), rel=1e-10)


def test_matrices_have_columns_for_variables():
    x = sm.add_constant(DF[["x", "z"]])
    res = tm.Logit(DF["y"], x).fit(disp=False)
    frame = res.margins().frame()
    assert frame["term"].tolist() == ["x", "z"]
    theirs = sm.Logit(DF["y"], x).fit(disp=False, tol=1e-12).get_margeff()
    np.testing.assert_allclose(
        frame[["estimate", "std_error"]], np.column_stack([theirs.margeff, theirs.margeff_se]), 1e-8
    )
    middle = sm.Logit(DF["y"], x).fit(disp=False, tol=1e-12).get_margeff(at="mean")
    np.testing.assert_allclose(res.margins(at="mean").margeff, middle.margeff, 1e-8)
    jump = res.margins("x", contrast={"x": (0, 1)}, at={"z": [1.0]}).margeff[0]
    ends = [res.predict(x.assign(x=value, z=1.0)).mean() for value in (1, 0)]
    assert jump == pytest.approx(ends[0] - ends[1], rel=1e-10)
    normal = tm.Normal(DF["u"].to_numpy(), DF[["x", "z"]].to_numpy(), sigma=DF[["z"]].to_numpy()).fit()
    assert normal.margins().frame()["term"].tolist() == ["x1", "x2", "sigma[x1]"]


def test_several_outcomes():
    res = MNLogit.from_formula("m ~ x * z + C(g)", DF).fit(disp=False)
    frame = res.margins().frame()
    slopes = frame[frame["term"] == "x"]
    assert slopes["outcome"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(slopes["estimate"], central(res, "x").mean(0), rtol=1e-6)
    assert abs(frame.groupby(["term", "contrast"])["estimate"].sum()).max() < 1e-14
    rows = res.margins("x", at=DF.iloc[:2]).frame()
    assert rows[["row", "outcome"]].to_numpy().tolist() == [[r, j] for r in (0, 1) for j in range(3)]
    np.testing.assert_allclose(rows["estimate"], central(res, "x")[:2].ravel(), rtol=1e-5)


# -- standard errors ---------------------------------------------------------------------------------------------------------


def moved(res, z):
    """The same result at other parameters."""
    fit = replace(res.fit)
    vars(fit)["z"] = z
    return type(res)(fit, res.covariance, res.use_t)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("formula", ["product", "factor", "splines", "centred"])
def test_gradients_are_differences_in_the_parameters(model, formula):
    res, z = fitted(model, formula), fitted(model, formula).fit.z
    second = {"method": "dyex", "variables": "x"} if model in ("ols", "normal") else {"method": "eydx"}
    third = {"at": DF.iloc[:2], **({"offset": 0.0} if model == "poisson" else {})}
    for options in ({}, second, third, {"at": "mean"}):
        found = res.margins(**options)
        steps = 1e-5 * res.fit.bread.diagonal().sqrt().clamp_min(1e-8)
        for j, step in enumerate(steps):
            ends = [moved(res, z.index_add(0, torch.tensor([j]), sign * step[None])).margins(**options).margeff
                    for sign in (1.0, -1.0)]  # fmt: skip
            slope = (ends[0] - ends[1]) / (2 * float(step))
            np.testing.assert_allclose(found.gradient[:, j], slope, rtol=2e-5, atol=1e-6 * abs(found.gradient).max())
        v = res.covariance_z.numpy()
        np.testing.assert_allclose(
            found.margeff_se, np.sqrt(np.diag(found.gradient @ v @ found.gradient.T)), rtol=1e-12
        )


def test_standard_error_by_hand():
    """Logit y ~ x * z: d AME / d beta = mean of p(1-p)[(1-2p)(b1 + b3 z) x_i + d(b1 + b3 z)/d beta]."""
    res = fitted("logit", "product")
    p, x = np.asarray(res.predict()), res.model.exog
    slope = (res.params["x"] + res.params["x:z"] * DF["z"]).to_numpy()
    direct = np.column_stack([np.zeros(N), np.ones(N), np.zeros(N), DF["z"]])
    gradient = ((p * (1 - p))[:, None] * ((1 - 2 * p) * slope)[:, None] * x + (p * (1 - p))[:, None] * direct).mean(0)
    for cov_type in ("nonrobust", "HC0"):
        robust = res.with_covariance(cov_type)
        se = np.sqrt(gradient @ robust.cov_params().to_numpy() @ gradient)
        assert robust.margins("x").margeff_se[0] == pytest.approx(se, rel=1e-10)


MARGINALEFFECTS = {  # Python's marginaleffects 0.6.0 on statsmodels 0.15.0 fits; errors by its numerical derivatives
    "logit": [
        ({"variables": ["x", "z"]}, [0.248598362181, -0.0837177203172], [0.0220648548719, 0.0353042620134]),
        ({"variables": "g", "contrast": "pairwise"}, [0.0347518714476, -0.170052054879, -0.204803926327],
         [0.0650028513705, 0.0619483072938, 0.0590988680702]),
        ({"variables": ["x", "z"], "method": "eyex"}, [-0.493796774553, -1.1193231745], [0.103471025429, 0.359468406253]),
    ],
    "poisson": [
        ({"variables": ["x", "z"]}, [0.277055350413, -0.0277690146306], [0.0673541691987, 0.0908270837623]),
        ({"variables": "g", "contrast": "pairwise"}, [0.253832737783, 0.731622234808, 0.477789497025],
         [0.162014660105, 0.180959291991, 0.156405752725]),
        ({"variables": ["x", "z"], "method": "eyex"}, [-0.493003516962, 0.022153140878], [0.127059057016, 0.136796045794]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("model", MARGINALEFFECTS)
def test_marginaleffects(model):
    if model == "logit":
        res = tm.Logit.from_formula("y ~ x * z + C(g)", DF).fit(disp=False)
    else:
        res = tm.Poisson.from_formula("c ~ x + I(x**2) + C(g)*z", DF).fit(disp=False, cov_type="HC0")
    for options, effects, errors in MARGINALEFFECTS[model]:
        found = res.margins(**options)
        np.testing.assert_allclose(found.margeff, effects, rtol=2e-9)
        np.testing.assert_allclose(found.margeff_se, errors, rtol=1e-4)


def test_frequencies_are_repeated_rows():
    family = tm.families.Poisson()
    once = tm.GLM.from_formula("c ~ x * z + C(g)", DF, family=family, freq_weights="w").fit(cov_type="HC0")
    repeated = DF.loc[DF.index.repeat(DF["w"].astype(int))].reset_index(drop=True)
    many = tm.GLM.from_formula("c ~ x * z + C(g)", repeated, family=family).fit(cov_type="HC0")
    for options in ({}, {"at": "mean"}, {"at": {"x": 1.0}}):
        ours, theirs = once.margins(**options), many.margins(**options)
        np.testing.assert_allclose(ours.margeff, theirs.margeff, rtol=1e-9)
        np.testing.assert_allclose(ours.margeff_se, theirs.margeff_se, rtol=1e-8)


# -- what comes back ---------------------------------------------------------------------------------------------------------


def test_the_object():
    res = fitted("logit", "factor")
    found = res.margins()
    frame = found.frame(level=0.9)
    assert list(frame.columns) == [
        "term", "contrast", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    ]  # fmt: skip
    reach = 1.6448536269514722 * found.margeff_se
    np.testing.assert_allclose(frame["conf_high"], found.margeff + reach, rtol=1e-12)
    assert found.names == ["g[b - a]", "g[c - a]", "x", "z"]
    text = str(found.summary())
    assert "Logit Marginal Effects" in text and "dy/dx" in text and "g[b - a]" in text
    assert "[0.05" in str(found.summary(alpha=0.1))
    table = tm.table({"fit": res, "effects": found})
    assert "g[b - a]" in str(table)
    both = found.t_test("x = z")
    gradient = found.gradient[2] - found.gradient[3]
    assert both.sd[0] == pytest.approx(np.sqrt(gradient @ res.covariance_z.numpy() @ gradient), rel=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(found.cov_margins())), found.margeff_se, rtol=1e-12)
    by_t = res.with_covariance("nonrobust", use_t=True).margins()
    assert by_t.df == res.df_resid and "P>|t|" in str(by_t.summary())


def test_mistakes_are_named():
    res = fitted("logit", "factor")
    for options, message in (
        ({"variables": "q"}, "no variable 'q'.*g, x, z"),
        ({"method": "dxdy"}, "method='dxdy'.*'dydx'"),
        ({"at": "median"}, "at='median'.*'overall'"),
        ({"at": {"q": 1}}, "at: there is no variable 'q'"),
        ({"contrast": "helmert"}, "contrast='helmert'.*'pairwise'"),
        ({"contrast": {"q": "pairwise"}}, "no variable 'q'"),
        ({"at": DF.assign(x=np.nan).head(2)}, "missing values"),
    ):
        with pytest.raises(ValueError, match=message):
            res.margins(**options)
    with pytest.raises(ValueError, match="not something Logit predicts"):
        res.margins(which="nothing")


def test_memory():
    """The whole call, formula and all, takes less than three times the design."""
    rows = 60_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, 20)), columns=[f"v{j}" for j in range(20)])
    frame["y"] = (rng.random(rows) < 0.5).astype(float)
    res = tm.Logit.from_formula("y ~ " + " + ".join(f"v{j}" for j in range(20)) + " + v0:v1", frame).fit(disp=False)
    for at in ("overall", {"v0": [-1.0, 0.0, 1.0, 2.0]}):
        tracemalloc.start()
        res.margins(["v0", "v1"], at=at)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * rows * 22 * 8


# -- statsmodels' form -------------------------------------------------------------------------------------------------------

COLUMN_OPTIONS = [
    {},
    {"at": "mean"},
    {"at": "median"},
    {"at": "zero"},
    {"method": "eyex"},
    {"method": "eydx", "at": "mean"},
    {"dummy": True},
    {"dummy": True, "count": True, "method": "eydx"},
    {"count": True, "at": "mean"},
    {"atexog": {2: 1.0}},
]
PAIRS = {
    "logit": (tm.Logit, sm_formulas.logit, "y ~ x + z + C(g) + k"),
    "probit": (tm.Probit, sm_formulas.probit, "y ~ x + z + C(g) + k"),
    "poisson": (tm.Poisson, sm_formulas.poisson, "c ~ x + z + C(g) + k"),
}


@pytest.mark.parametrize("model", PAIRS)
@pytest.mark.parametrize("options", COLUMN_OPTIONS, ids=str)
def test_columns_as_in_statsmodels(model, options):
    ours, theirs, formula = PAIRS[model]
    a = ours.from_formula(formula, DF).fit(disp=False, cov_type="HC0").get_margeff(**options)
    b = theirs(formula, DF).fit(disp=False, cov_type="HC0", tol=1e-12).get_margeff(**options)
    ours_frame, theirs_frame = a.summary_frame(alpha=0.1), b.summary_frame(alpha=0.1)
    pd.testing.assert_index_equal(ours_frame.columns, theirs_frame.columns)
    pd.testing.assert_index_equal(ours_frame.index, theirs_frame.index)
    np.testing.assert_allclose(ours_frame, theirs_frame, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(a.conf_int(), b.conf_int(), rtol=1e-6, atol=1e-9)
    assert str(a.summary()).splitlines()[:5] == str(b.summary()).splitlines()[:5]


@pytest.mark.parametrize("options", [{}, {"at": "mean"}, {"at": "median"}], ids=str)
def test_multinomial_columns_as_in_statsmodels(options):
    a = MNLogit.from_formula("m ~ x + z + k", DF).fit(disp=False).get_margeff(**options)
    b = sm_formulas.mnlogit("m ~ x + z + k", DF).fit(disp=False, tol=1e-12).get_margeff(**options)
    pd.testing.assert_index_equal(a.summary_frame().index, b.summary_frame().index)
    np.testing.assert_allclose(a.summary_frame(), b.summary_frame(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(a.conf_int(), b.conf_int(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(a.margeff_se, b.margeff_se, rtol=1e-7)


def test_each_row():
    a = tm.Logit.from_formula("y ~ x + z", DF).fit(disp=False).get_margeff(at="all")
    b = sm_formulas.logit("y ~ x + z", DF).fit(disp=False, tol=1e-12).get_margeff(at="all")
    np.testing.assert_allclose(a.margeff, b.margeff, rtol=1e-8)
    with pytest.raises(ValueError, match="Only margeff are available when `at` is 'all'"):
        a.summary_frame()


def test_exposure_counts_in_columns_effects():
    """statsmodels takes exposure for 1 here, and refuses offsets."""
    res = tm.Poisson.from_formula("c ~ x + z", DF, exposure="e", offset="off").fit(disp=False)
    np.testing.assert_allclose(res.get_margeff().margeff, res.margins().margeff, rtol=1e-12)
    np.testing.assert_allclose(res.get_margeff().margeff_se, res.margins().margeff_se, rtol=1e-10)
    np.testing.assert_allclose(res.get_margeff().margeff[0], central(res, "x").mean(), rtol=1e-7)


def test_mistakes_in_columns_effects():
    res = tm.Logit.from_formula("y ~ x + b + k", DF).fit(disp=False)
    for options, message in (
        ({"at": "nowhere"}, "nowhere not a valid option"),
        ({"method": "dxdy"}, "method is not understood.  Got dxdy"),
        ({"dummy": True, "method": "eyex"}, "eyex not allowed for discrete variables"),
        ({"count": True, "at": "median"}, "median not allowed for discrete variables"),
        ({"atexog": np.ones((3, 2))}, "same number of variables"),
    ):
        with pytest.raises(ValueError, match=message):
            res.get_margeff(**options)


def test_a_constant_alone_has_no_effects():
    res = tm.Poisson.from_formula("y ~ 1", pd.DataFrame({"y": [0, 1, 3, 2]})).fit(disp=False)
    for effects in (res.margins, res.get_margeff, lambda: res.get_margeff(at="all")):
        with pytest.raises(ValueError, match="no variable to take effects of"):
            effects()


@pytest.mark.parametrize("at", ["overall", "mean", "median", "zero"])
def test_columns_count_rows_as_often_as_they_are_said_to(at):
    formula = "c ~ x + z + offset(off)"
    weighted = tm.Poisson.from_formula(formula, DF, freq_weights="w").fit(disp=False)
    repeated = tm.Poisson.from_formula(formula, DF.loc[DF.index.repeat(DF["w"].astype(int))]).fit(disp=False)
    a, b = (res.get_margeff(at=at) for res in (weighted, repeated))
    np.testing.assert_allclose(a.margeff, b.margeff, rtol=1e-8)
    np.testing.assert_allclose(a.margeff_se, b.margeff_se, rtol=1e-8)
