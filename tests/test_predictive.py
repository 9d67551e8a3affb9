"""Predictions with their distributions: intervals for new observations, averages, probabilities, tests, unseen levels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from scipy import stats
from statsmodels.formula import api as sm_formulas

import torchmle as tm
from torchmle import families
from torchmle.errors import FormulaError

N = 120


def simulated():
    rng = np.random.default_rng(5)
    df = pd.DataFrame({"x": rng.normal(size=N), "g": rng.choice(["a", "b", "c"], N), "z": rng.uniform(1, 3, N)})
    mean = 0.5 + 0.4 * df["x"] - 0.3 * (df["g"] == "b")
    df["u"], df["c"] = mean + rng.normal(size=N), rng.poisson(np.exp(mean))
    df["n"], df["p"] = rng.negative_binomial(2, 2 / (2 + np.exp(mean))), rng.gamma(2.0, np.exp(mean) / 2)
    df["y"], df["t"] = (mean + rng.logistic(size=N) > 0.5).astype(int), rng.exponential(np.exp(mean))
    df["e"], df["d"] = rng.uniform(0.5, 2, N), 1
    df.index = [f"row {i}" for i in range(N)]
    return df


DF = simulated()
NEW = DF.iloc[:9]


def glm(response, family, link):
    return tm.GLM.from_formula(
        f"{response} ~ x + C(g)", DF, family=getattr(families, family)(getattr(families.links, link)())
    ).fit()


FITS = {
    "ols": lambda: tm.OLS.from_formula("u ~ x + C(g)", DF).fit(),
    "normal": lambda: tm.Normal.from_formula("u ~ x + C(g)", DF, sigma="~ z").fit(),
    "poisson": lambda: tm.Poisson.from_formula("c ~ x + C(g)", DF, exposure="e").fit(disp=False),
    "negative binomial": lambda: tm.NegativeBinomialP.from_formula("n ~ x + C(g)", DF).fit(disp=False),
    "zero-inflated": lambda: tm.ZeroInflatedPoisson.from_formula("n ~ x", DF).fit(disp=False),
    "logit": lambda: tm.Logit.from_formula("y ~ x + C(g)", DF).fit(disp=False),
    "exponential": lambda: tm.ExponentialSurvival.from_formula("Surv(t, d) ~ x + C(g)", DF).fit(),
    "glm poisson": lambda: glm("c", "Poisson", "Log"),
    "glm gamma": lambda: glm("p", "Gamma", "Log"),
    "glm inverse gaussian": lambda: glm("p", "InverseGaussian", "Log"),
    "glm gaussian": lambda: glm("u", "Gaussian", "Identity"),
    "student": lambda: (
        tm.distribution_model(torch.distributions.StudentT).from_formula("u ~ x", DF).fit(fix={"df": 5.0})
    ),
    "weibull": lambda: tm.distribution_model(torch.distributions.Weibull).from_formula("t ~ x", DF).fit(),
}
FITTED = {}
each_fit = pytest.mark.parametrize("name", FITS)


def fitted(name):
    if name not in FITTED:
        FITTED[name] = FITS[name]()
    return FITTED[name]


def close(ours, theirs, rtol=1e-9, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


# -- distributions -----------------------------------------------------------------------------------------------------------


@each_fit
def test_distributions_have_the_predicted_means(name):
    res = fitted(name)
    close(res.get_distribution(NEW).mean(), res.predict(NEW), 1e-8)
    close(res.get_distribution().mean(), res.predict(), 1e-8)


def test_distributions_are_the_likelihoods():
    for name, response in (("normal", "u"), ("poisson", "c"), ("logit", "y"), ("exponential", "t"), ("student", "u")):
        res = fitted(name)
        found = res.get_distribution()
        logs = found.logpmf(DF[response]) if hasattr(found, "pmf") else found.logpdf(DF[response])
        close(logs, res.llf_obs, 1e-9, 1e-12)
    gamma = fitted("glm gamma")
    close(gamma.get_distribution().var(), gamma.scale * np.asarray(gamma.predict()) ** 2)


def test_models_have_distributions_at_any_parameters():
    logit, ols, gamma = fitted("logit"), fitted("ols"), fitted("glm gamma")
    params = logit.params * 0.5
    close(logit.model.get_distribution(params).mean(), logit.model.predict(params))
    close(ols.model.get_distribution(ols.params, 4.0).std(), np.full(N, 2.0))
    close(gamma.model.get_distribution(gamma.params, 0.3).var(), 0.3 * np.asarray(gamma.predict()) ** 2)


# -- intervals for observations ------------------------------------------------------------------------------------------------


@each_fit
def test_intervals_hold_the_plug_in_quantiles(name):
    """Not being sure of the parameters makes intervals wider."""
    res = fitted(name)
    found = res.predict(NEW, interval="obs", level=0.9)
    assert list(found.columns) == ["predicted", "lower", "upper"] and found.index.equals(NEW.index)
    close(found["predicted"], res.predict(NEW))
    plug_in = res.get_distribution(NEW)
    assert (found["lower"] <= plug_in.ppf(0.05) * (1 + 1e-9) + 1e-12).all()
    assert (found["upper"] >= plug_in.ppf(0.95) * (1 - 1e-9) - 1e-12).all()
    if name not in ("ols", "normal", "glm gaussian", "student"):
        assert (found["lower"] >= 0).all()
    if hasattr(plug_in, "pmf"):
        assert (found[["lower", "upper"]] == found[["lower", "upper"]].round()).all(None)


def test_normal_means_give_the_textbook_interval():
    res = fitted("glm gaussian")
    found, se = res.predict(NEW, interval="obs", level=0.9), res.get_prediction(NEW).se
    reach = stats.norm.ppf(0.95) * np.sqrt(res.scale + se**2)
    close(found["upper"] - found["predicted"], reach, 1e-5)
    ols = fitted("ols").predict(NEW, interval="obs", level=0.9)
    reach = stats.t.ppf(0.95, fitted("ols").df_resid) * np.sqrt(fitted("ols").scale + se**2)
    close(ols["predicted"] - ols["lower"], reach, 1e-8)


def test_averaged_probabilities_by_simulation():
    """The distribution function of draws of the parameters, and of responses given them, at the limits."""
    rng = np.random.default_rng(0)
    for name, response in (("glm gamma", "p"), ("exponential", "t")):
        res = fitted(name)
        limits = res.predict(NEW, interval="obs", level=0.9)[["lower", "upper"]].to_numpy()
        linear = res.get_prediction(NEW, which="linear")
        eta = linear.predicted + linear.se * rng.normal(size=(200_000, 1))
        mean = np.exp(eta) if name == "glm gamma" else np.exp(-eta)
        shape = 1 / res.scale
        kind = stats.gamma(shape, scale=mean / shape) if name == "glm gamma" else stats.expon(scale=mean)
        below = np.array([kind.cdf(limits[:, 0]).mean(0), kind.cdf(limits[:, 1]).mean(0)])
        close(below, [[0.05] * len(NEW), [0.95] * len(NEW)], atol=5e-4, rtol=0)
        assert response in DF


def simulate(model, response, draws, repeats, n, seed):
    """Shares of new observations inside 90 % intervals, averaged over the parameters or at the estimate."""
    rng = np.random.default_rng(seed)
    inside, plug_in = [], []
    for _ in range(repeats):
        df = pd.DataFrame({"x": rng.normal(size=n), "d": 1})
        df["y"] = draws(rng, 0.7 + 0.5 * df["x"])
        new = pd.DataFrame({"x": rng.normal(size=20)})
        try:
            res = model(response, df)
        except ValueError:  # no event or no count in the sample
            continue
        y = draws(rng, 0.7 + 0.5 * new["x"])
        found, at = res.predict(new, interval="obs", level=0.9), res.get_distribution(new)
        inside.append(((y >= found["lower"]) & (y <= found["upper"])).mean())
        plug_in.append(((y >= at.ppf(0.05)) & (y <= at.ppf(0.95))).mean())
    return np.mean(inside), np.mean(plug_in)


def test_coverage():
    """Small samples: intervals that know of the uncertainty keep their level, those that do not fall short."""
    honest, plug_in = simulate(
        lambda f, df: tm.ExponentialSurvival.from_formula(f, df).fit(), "Surv(y, d) ~ x",
        lambda rng, eta: rng.exponential(np.exp(eta)), 250, 12, 1,
    )  # fmt: skip
    assert 0.88 < honest < 0.93 and plug_in < honest - 0.015
    honest, plug_in = simulate(
        lambda f, df: tm.Poisson.from_formula(f, df).fit(disp=False), "y ~ x",
        lambda rng, eta: rng.poisson(np.exp(eta)), 250, 15, 2,
    )  # fmt: skip
    assert 0.90 < honest < 0.97 and plug_in < honest  # counts: at least the level


@each_fit
def test_missing_values_have_no_intervals(name):
    found = fitted(name).predict(NEW.assign(x=NEW["x"].where(NEW.index != "row 3")), interval="obs")
    assert found.loc["row 3"].isna().all() and found.drop("row 3").notna().all(None)


def test_intervals_of_means():
    for name in ("poisson", "logit", "ols", "glm gamma"):
        res = fitted(name)
        found = res.predict(NEW, interval="mean", level=0.8)
        close(found[["lower", "upper"]], res.get_prediction(NEW).conf_int(alpha=0.2))
    arrays = tm.Logit(DF["y"].to_numpy(), sm.add_constant(DF[["x"]]).to_numpy()).fit(disp=False)
    assert arrays.predict(interval="mean").shape == (N, 3)
    with pytest.raises(ValueError, match="interval='both'.*'mean' or 'obs'"):
        fitted("ols").predict(NEW, interval="both")
    with pytest.raises(ValueError, match="which='mean' alone"):
        fitted("poisson").predict(NEW, which="linear", interval="obs")


# -- intervals of other quantities ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.05, 1e-6])
def test_intervals_stay_where_the_quantity_lives(alpha):
    low, high = fitted("logit").get_prediction(DF, which="var").conf_int(alpha=alpha).T
    assert (low > 0).all() and (high <= 0.25).all() and (low < high).all()
    low, high = fitted("glm gamma").get_prediction(DF, which="var_unscaled").conf_int(alpha=alpha).T
    assert (low > 0).all() and (low < high).all()
    for name in ("poisson", "negative binomial"):
        found = fitted(name).get_prediction(DF, which="prob", y_values=[0, 1, 5])
        low, high = found.conf_int(alpha=alpha).T
        assert (low >= 0).all() and (high <= 1).all() and (low < high).all()


def test_a_variance_at_its_greatest_has_an_interval():
    """p(1 - p) has no slope at a half, so a symmetric interval would say that it is known exactly."""
    res = tm.Logit(np.tile([0.0, 1.0], 20), np.ones(40)).fit(disp=False)
    found = res.get_prediction(np.ones((1, 1)), which="var")
    reach = 1.959963984540054 * res.bse[0]
    p = 1 / (1 + np.exp(-reach))
    assert found.se[0] < 1e-8
    close(found.conf_int()[0], [p * (1 - p), 0.25], 1e-6)


def test_probabilities_of_counts():
    res = fitted("poisson")
    found = res.get_prediction(NEW, which="prob", y_values=[0, 2])
    mu = np.asarray(res.predict(NEW))
    close(found.predicted, stats.poisson.pmf([[0, 2]], mu[:, None]))
    linear = res.get_prediction(NEW, which="linear")
    slope = np.abs(stats.poisson.pmf([[0, 2]], mu[:, None]) * (np.array([[0, 2]]) - mu[:, None]))
    close(found.se, slope * linear.se[:, None])
    frame = found.summary_frame()
    assert frame.index[:3].tolist() == [("row 0", 0), ("row 0", 2), ("row 1", 0)]
    close(frame["predicted"], found.predicted.ravel())
    everything = res.get_prediction(which="prob", average=True)
    close(everything.predicted, np.asarray(res.predict(which="prob")).mean(0))
    with pytest.raises(ValueError, match="y_values are for which='prob'"):
        res.get_prediction(NEW, y_values=[1])


# -- averages, tests, labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["poisson", "logit", "glm gamma", "normal"])
def test_averages(name):
    res = fitted(name)
    found = res.get_prediction(NEW, average=True)
    gradient = res.model._deriv_mean_dparams(res.params)[: len(NEW)].mean(0)
    close(found.predicted, [np.asarray(res.predict(NEW)).mean()])
    close(found.se, [np.sqrt(gradient @ res.cov_params().to_numpy() @ gradient)])
    close(found.conf_int()[0], found.predicted + np.array([-1, 1]) * 1.959963984540054 * found.se)
    weights = np.arange(len(NEW))
    close(res.get_prediction(NEW, average=True, agg_weights=weights).predicted, [(weights * res.predict(NEW)).mean()])
    assert found.summary_frame().shape == (1, 4)


@pytest.mark.filterwarnings("ignore:using default log-link")
def test_statsmodels():
    logit = sm_formulas.logit("y ~ x + C(g)", DF).fit(disp=False, tol=1e-13)
    poisson = sm_formulas.poisson("c ~ x + C(g)", DF, exposure=DF["e"]).fit(disp=False, tol=1e-13)
    gamma = sm_formulas.glm("p ~ x + C(g)", DF, family=sm.families.Gamma(sm.families.links.Log())).fit(tol=1e-13)
    for ours, theirs, arguments in (
        (fitted("logit"), logit, {}), (fitted("poisson"), poisson, {"exposure": NEW["e"]}), (fitted("glm gamma"), gamma, {}),
    ):  # fmt: skip
        for options in ({}, {"which": "mean"}, {"which": "linear"}):
            a, b = ours.get_prediction(NEW, **options), theirs.get_prediction(NEW, **options, **arguments)
            frames = a.summary_frame(alpha=0.1), b.summary_frame(alpha=0.1)
            assert list(frames[0].columns) == list(frames[1].columns)
            close(*frames, 1e-5)
        a, b = ours.get_prediction(NEW), theirs.get_prediction(NEW, **arguments)
        for alternative in ("two-sided", "larger", "smaller"):
            close(a.t_test(0.5, alternative)[0], b.t_test(0.5, alternative)[0], 1e-5)
            close(a.t_test(0.5, alternative)[1], b.t_test(0.5, alternative)[1], 1e-4, 1e-12)
        close(a.conf_int(method="delta"), b.conf_int(method="delta"), 1e-5)
    close(fitted("glm gamma").get_prediction(NEW).linpred.se, gamma.get_prediction(NEW).linpred.se, 1e-5)
    with pytest.raises(ValueError, match="alternative must be one of"):
        a.t_test(alternative="greater")
    with pytest.raises(ValueError, match="method='exact'"):
        a.conf_int(method="exact")


def test_weights_of_new_rows():
    ours, theirs = fitted("ols"), sm_formulas.ols("u ~ x + C(g)", DF).fit()
    a, b = ours.get_prediction(NEW, weights=4.0), theirs.get_prediction(NEW, weights=4.0)
    close(a.summary_frame(), b.summary_frame())
    named = ours.get_prediction(NEW, row_labels=list("abcdefghi"))
    assert list(named.summary_frame().index) == list("abcdefghi")


@pytest.mark.parametrize("name", ["ols", "poisson", "logit"])
def test_unseen_levels(name):
    res = fitted(name)
    new = NEW.assign(g=["q", *NEW["g"].iloc[1:]])
    with pytest.raises(FormulaError, match="'q'"):
        res.predict(new)
    found = res.predict(new, unseen="nan")
    assert np.isnan(found.iloc[0])
    close(found.iloc[1:], res.predict(NEW).iloc[1:])


def test_columns_in_another_order_go_by_name():
    """statsmodels takes them by position; names that are not those of the fit are no better a guide here."""
    x = sm.add_constant(DF[["x", "z"]])
    res = tm.Poisson(DF["c"], x).fit(disp=False)
    close(res.predict(x[["z", "const", "x"]]), res.predict(x))
    close(res.get_prediction(x[["z", "const", "x"]].iloc[:5]).se, res.get_prediction(x.iloc[:5]).se)
    renamed = x.set_axis(["a", "b", "c"], axis=1)
    close(res.predict(renamed), res.predict(x))
