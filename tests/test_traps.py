"""Subtle errors that other packages have had, numbered as in our notes on them; each test would have caught one.

Those of generalised linear models are in `test_glm_traps`, those of discrete models in `test_traps_models`.
"""

import math
import re

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import torch
from problems import means
from reference import corpus
from scipy import stats

import torchmle as tm
from torchmle.errors import (
    ConvergenceWarning,
    FormulaError,
    HessianInversionWarning,
    PrecisionWarning,
    RankWarning,
    ValueWarning,
)
from torchmle.fitting.starts import total_weight


@pytest.fixture(scope="module")
def df():
    return pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})


@pytest.fixture(scope="module")
def repeated(df):
    return df.loc[df.index.repeat(df["w"].astype(int))].reset_index(drop=True)


@pytest.fixture(scope="module")
def poisson(df):
    return count("yp ~ x + z", df)


def count(formula, data, **options):
    names = ("offset", "exposure", "freq_weights")
    arguments = {name: options.pop(name) for name in names if name in options}
    return tm.Poisson.from_formula(formula, data, **arguments).fit(disp=False, **options)


def ols(formula, data, **options):
    return tm.OLS.from_formula(formula, data).fit(**options)


def survival(data, formula="Surv(futime, fustat) ~ age", **arguments):
    return tm.ExponentialSurvival.from_formula(formula, data, **arguments).fit()


@pytest.fixture(scope="module")
def ovarian():
    return corpus.frame("exponential_ph_ovarian")


def close(ours, theirs, rtol=1e-9):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol)


# -- covariances and degrees of freedom ----------------------------------------------------------------------------------


def test_t01_hc0_to_hc3_are_four_different_things(df):
    """R: sandwich::vcovHC of glm(yp ~ x + z + offset(off), poisson)."""
    res = count("yp ~ x + z", df, offset="off")
    close(res.params, [0.42467695637222652, 0.40533755941107935, -0.02240539127132685], 1e-12)
    close(res.with_covariance("HC0").bse, [0.13583934064009079, 0.08416341860748228, 0.10554695138420209], 1e-12)
    close(res.with_covariance("HC1").bse, [0.13936822285825431, 0.08634984552875767, 0.10828888724877557], 1e-12)
    close(res.with_covariance("HC2").bse, [0.1429830407462250, 0.0896172030061603, 0.1118673927767010], 1e-12)
    close(res.with_covariance("HC3").bse, [0.15109607007102921, 0.09586488081093465, 0.11893045185437324], 1e-12)


def test_t02_cluster_factors_of_two_packages(df, poisson):
    """R: sandwich::vcovCL, whose default for a glm leaves (n - 1) / (n - k) out, where statsmodels has it."""
    kwds = {"groups": "g"}
    close(poisson.with_covariance("cluster", {**kwds, "convention": "R"}).bse,
          [0.19233922028809294, 0.19855171291847237, 0.09857120602808986], 1e-10)  # fmt: skip
    close(poisson.with_covariance("cluster", {**kwds, "convention": "none"}).bse,
          [0.1799168660893208, 0.1857281208245053, 0.0922049202895546], 1e-10)  # fmt: skip
    close(
        poisson.with_covariance("cluster", kwds).bse,
        [0.1956845009954536, 0.2020050450763375, 0.1002856163981284],
        1e-10,
    )
    theirs = smf.poisson("yp ~ x + z", df).fit(disp=0, tol=1e-13, cov_type="cluster", cov_kwds={"groups": df["g"]})
    close(poisson.with_covariance("cluster", kwds).bse, theirs.bse, 1e-7)
    linear = ols("yn ~ x + z", df, cov_type="cluster", cov_kwds={"groups": "g", "convention": "R"})
    close(linear.bse, [0.15242633428856048, 0.20957689577460575, 0.08730787770232844], 1e-12)


def test_t03_cluster_factor_counts_frequencies(df, repeated):
    """R: vcovCL(type = "HC1") of the repeated rows."""
    res = count("yp ~ x + z", df, freq_weights="w", cov_type="cluster", cov_kwds={"groups": "g"})
    close(res.bse, [0.20534640598094933, 0.22261010276141771, 0.09700643727069232], 1e-12)
    assert res.nobs == len(repeated) == 160


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1", "cluster"])
@pytest.mark.parametrize("use_t", [True, False])
def test_t04_one_number_of_degrees_of_freedom(df, cov_type, use_t):
    kwds = {"groups": "g"} if cov_type == "cluster" else None
    res = ols("yn ~ x + z", df, cov_type=cov_type, cov_kwds=kwds, use_t=use_t)
    df_expected = df["g"].nunique() - 1 if cov_type == "cluster" else len(df) - 3
    assert res.df_inference == df_expected
    test, joint = res.t_test("x = 0"), res.wald_test("x = 0")
    close(res.pvalues["x"], test.pvalue)
    close(joint.pvalue, test.pvalue)
    close(res.conf_int().loc["x"], test.conf_int()[0])
    assert test.df_denom == joint.df_residual == (df_expected if use_t else None)
    assert joint.df_denom == (df_expected if use_t else 1)
    close(res.tidy()["p_value"][1], test.pvalue)
    zero = res.params["x"] - res.t_test("x = 0").conf_int(alpha=float(test.pvalue))[0]
    close(np.abs(zero).max(), abs(res.params["x"]), 1e-6)  # the interval of level 1 - p just reaches zero
    assert ("P>|t|" if use_t else "P>|z|") in str(res.summary())


def test_t05_hc1_of_weighted_least_squares(df):
    """R: vcovHC(lm(yn ~ x + z, weights = w), "HC1"); and the same as least squares of the weighted rows."""
    res = tm.WLS.from_formula("yn ~ x + z", df, weights="w").fit(cov_type="HC1")
    close(res.bse, [0.1749280204043995, 0.1568137179324836, 0.1364173489877357], 1e-12)
    root = np.sqrt(df["w"].to_numpy())
    x = np.column_stack([np.ones(len(df)), df["x"], df["z"]])
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        transformed = tm.OLS(df["yn"].to_numpy() * root, x * root[:, None]).fit(cov_type=kind)
        close(res.with_covariance(kind).bse, transformed.bse, 1e-11)


@pytest.mark.parametrize("kind", ["nonrobust", "HC0", "HC1", "HC2", "HC3", "opg"])
def test_t06_frequencies_enter_the_meat_once_and_precisions_twice(df, repeated, kind):
    weighted, expanded = count("yp ~ x + z", df, freq_weights="w"), count("yp ~ x + z", repeated)
    if kind in ("HC2", "HC3"):  # a repeated row has its own leverage
        assert not np.allclose(weighted.with_covariance(kind).bse, weighted.with_covariance("HC0").bse)
    close(weighted.with_covariance(kind).bse, expanded.with_covariance(kind).bse, 1e-11)
    if kind == "HC0":
        close(
            expanded.with_covariance(kind).bse, [0.08783002854066860, 0.10087516778141982, 0.05361976424244353], 1e-12
        )
    precise = tm.WLS.from_formula("yn ~ x + z", df, weights="w").fit(cov_type="HC0")
    x, w = np.column_stack([np.ones(len(df)), df["x"], df["z"]]), df["w"].to_numpy()
    bread = np.linalg.inv(x.T @ (x * w[:, None]))
    scores = x * (w * precise.resid.to_numpy())[:, None]
    close(precise.cov_params(), bread @ scores.T @ scores @ bread, 1e-10)


def test_t07_robust_errors_under_constant_weights(df, ovarian):
    one, five = survival(ovarian), survival(ovarian.assign(w=5.0), freq_weights="w")
    for kind in ("nonrobust", "HC0"):  # five times the rows: the square root of five, not five
        close(one.with_covariance(kind).bse / five.with_covariance(kind).bse, np.full(2, math.sqrt(5)))
    clustered = {"groups": np.arange(len(ovarian)), "convention": "none"}
    close(five.with_covariance("cluster", clustered).bse, one.with_covariance("HC0").bse)  # copies are one cluster
    light, heavy = (tm.WLS.from_formula("yn ~ x", df.assign(w=w), weights="w").fit() for w in (1.0, 7.0))
    for kind in ("nonrobust", "HC1", "HC3"):
        close(light.with_covariance(kind).bse, heavy.with_covariance(kind).bse)


@pytest.mark.parametrize("method", ["newton", "bfgs", "l-bfgs", "cg", "newton-cg", "nm", "trust-exact", "adam"])
def test_t08_standard_errors_do_not_depend_on_the_optimiser(df, poisson, method):
    res = count("yp ~ x + z", df, method=method)
    assert res.converged
    close(res.bse, poisson.bse, 1e-8)
    assert np.abs((res.params - poisson.params) / poisson.bse).max() < 1e-6
    normal = tm.Normal.from_formula("yn ~ x + z", df).fit(method=method)
    closed = ols("yn ~ x + z", df)
    close(normal.bse[:3] * math.sqrt(60 / 57), closed.bse, 1e-7)


def test_t09_hessian_of_the_concentrated_likelihood(df):
    model = tm.WLS.from_formula("yn ~ x + z", df, weights="w")
    at = np.array([0.3, 0.2, -0.4])
    for scale in (None, 1.7):
        slopes, curvature = differences(lambda p, scale=scale: model.loglike(p, scale), at)
        close(model.score(at, scale), slopes, 1e-7)
        close(model.hessian(at, scale), curvature, 1e-4)
    best = model.fit()
    assert best.model.loglike(best.params[::-1]) == best.model.loglike(best.params)  # by label
    close(-best.model.hessian(best.params), np.linalg.inv(best.cov_params()) * 60 / 57, 1e-9)  # not half of it


def differences(function, at, step=1e-4):
    """Gradient and Hessian by central differences."""
    k, moves = len(at), np.eye(len(at)) * step
    slopes = [(function(at + h) - function(at - h)) / (2 * step) for h in moves]
    curvature = np.empty((k, k))
    for i, a in enumerate(moves):
        for j, b in enumerate(moves):
            curvature[i, j] = function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b)
    return np.array(slopes), curvature / (4 * step**2)


class Probit(tm.RegressionModel):
    """A link that is not canonical: observed and expected information differ."""

    parameters = {"p": tm.Probit()}

    def loglike_obs(self, p, data):
        return torch.special.log_ndtr((2 * data.y - 1) * p.real.p)


def test_t10_observed_information_of_a_link_that_is_not_canonical(df):
    res, theirs = Probit.from_formula("yb ~ x + z", df).fit(), smf.probit("yb ~ x + z", df).fit(disp=0, tol=1e-13)
    close(res.bse, theirs.bse, 1e-7)
    close(res.params, theirs.params, 1e-7)
    expected = smf.glm("yb ~ x + z", df, family=sm.families.Binomial(sm.families.links.Probit())).fit(tol=1e-13).bse
    assert not np.allclose(res.bse, expected, rtol=1e-3)
    close(res.with_covariance("eim").bse, expected, 1e-7)


def test_t12_wald_tests_count_the_rank(df, poisson):
    one = poisson.wald_test("x = 0")
    with pytest.warns(ValueWarning, match="2 constraints, of which 1"):
        twice = poisson.wald_test("x = 0, 2 * x = 0")
    assert (one.df_num, twice.df_num) == (1, 1)
    close(twice.statistic, one.statistic)
    with pytest.warns(ValueWarning, match="2 constraints, of which 1"):
        close(poisson.f_test("x = 0, 2 * x = 0").statistic, poisson.f_test("x = 0").statistic)
    terms = count("yp ~ x + z + C(g)", df).wald_test_terms().table
    assert terms["df_constraint"].to_dict() == {"Intercept": 1, "x": 1, "z": 1, "C(g)": df["g"].nunique() - 1}


def test_t13_no_likelihood_ratio_beside_robust_errors(df, poisson):
    smaller = count("yp ~ z", df)
    test = poisson.lr_test(smaller)
    close(test.statistic, 2 * (poisson.llf - smaller.llf))
    robust = poisson.with_covariance("HC1")
    with pytest.raises(ValueError, match="wald_test"):
        robust.lr_test(smaller)
    assert robust.lr_test(smaller, force=True) == test
    for res in (poisson, tm.Logit.from_formula("yb ~ x + z", df).fit(disp=False)):
        assert "LLR p-value" in str(res.summary()) and "Wald p-value" not in str(res.summary())
        for kind, options in (("HC1", {}), ("cluster", {"groups": "g"})):
            other = res.with_covariance(kind, options)
            assert "LLR" not in str(other.summary())
            close(other.overall_test.pvalue, other.wald_test("x = 0, z = 0").pvalue)


@pytest.mark.parametrize("model", ["ols", "poisson", "normal"])
def test_t14_labels_and_variances_move_together(df, model):
    fit = {"ols": lambda f, d: ols("yn" + f, d), "poisson": lambda f, d: count("yp" + f, d),
           "normal": lambda f, d: tm.Normal.from_formula("yn" + f, d).fit()}[model]  # fmt: skip
    one, other = fit(" ~ x + z", df), fit(" ~ z + x", df)
    assert one.names[:3] == ["Intercept", "x", "z"] and other.names[:3] == ["Intercept", "z", "x"]
    for attribute in ("params", "bse", "pvalues"):
        close(getattr(one, attribute), getattr(other, attribute)[one.names], 1e-8)
    scaled = fit(" ~ x + z", df.assign(x=df["x"] * 1000))
    close(scaled.bse["x"] * 1000, one.bse["x"], 1e-8)
    close(scaled.bse["z"], one.bse["z"], 1e-8)
    close(fit(" ~ x + z", df.assign(yn=df["yn"] * 8)).bse, one.bse * (1 if model == "poisson" else 8), 1e-8)


class TwoForOne(tm.LikelihoodModel):
    """Only the sum of two parameters is identified."""

    parameters = {"a": tm.Identity(), "b": tm.Identity(), "c": tm.Identity()}

    def loglike_obs(self, p, data):
        return -0.5 * ((data.y - p.a - p.b) ** 2 + (data.x_ - p.c) ** 2)

    row_arguments = ("x_",)


def test_t15_some_standard_errors_are_no_standard_errors(df):
    with pytest.warns(ConvergenceWarning, match=r"not identified separately.*concerned: [ab], [ab]"):
        res = TwoForOne(df["yn"].to_numpy(), x_=df["x"].to_numpy()).fit()
    assert not res.converged
    with pytest.warns(HessianInversionWarning, match="in the direction of"):
        assert np.isnan(res.bse).all()
    assert np.isnan(res.pvalues).all() and np.isnan(res.conf_int()).all()
    assert "not identified" in str(res.summary())


def test_t16_two_way_clusters(df):
    """R: sandwich::vcovCL(cluster = ~ g + w)."""
    data = df.assign(w=df["w"].astype(int).astype(str))
    res = ols("yn ~ x + z", data, cov_type="cluster", cov_kwds={"groups": ["g", "w"], "convention": "R"})
    close(res.bse, [0.11278379036473958, 0.13075765367665412, 0.08041417579574346], 1e-11)
    assert res.df_inference == min(data["g"].nunique(), data["w"].nunique()) - 1
    assert np.linalg.eigvalsh(res.cov_params()).min() >= 0
    alone = ols("yn ~ x", df, cov_type="cluster", cov_kwds={"groups": np.arange(60), "convention": "none"})
    close(alone.bse, ols("yn ~ x", df, cov_type="HC0").bse)
    holes = df.assign(g=df["g"].astype(float).where(df.index > 4))
    dropped = ols("yn ~ x", holes, cov_type="cluster", cov_kwds={"groups": "g"})
    kept = ols("yn ~ x", df[df.index > 4], cov_type="cluster", cov_kwds={"groups": "g"})
    assert dropped.nobs == 55
    close(dropped.bse, kept.bse)


# -- likelihood, scale, information criteria -------------------------------------------------------------------------------


def test_t17_denominators_and_what_criteria_count(df):
    """R: AIC(lm) is 193.50841206318060 and counts the variance; with weights the log-likelihood is -91.86189058565392."""
    linear, normal = ols("yn ~ x + z", df), tm.Normal.from_formula("yn ~ x + z", df).fit()
    close(
        [linear.llf, linear.aic + 2, linear.bic + math.log(60)],
        [-92.7542060315903, 193.5084120631806, 201.8857903120690],
        1e-12,
    )
    close([normal.llf, normal.aic, normal.bic], [-92.7542060315903, 193.5084120631806, 201.8857903120690], 1e-12)
    close(linear.scale, linear.ssr / 57)
    close(normal.params["sigma"] ** 2, linear.ssr / 60, 1e-9)
    weighted = tm.WLS.from_formula("yn ~ x + z", df, weights="w").fit()
    close([weighted.llf, weighted.aic + 2], [-91.86189058565392, 191.72378117130785], 1e-12)
    close(weighted.bse, [0.2051275439037430, 0.1581693704542241, 0.1398957297126141], 1e-12)


def test_t17_denominators_are_sums_of_frequencies(df):
    """The variance by sum(w) - k, its maximum-likelihood estimate by sum(w), whatever the number of rows."""
    counted, normal = (
        tm.OLS.from_formula("yn ~ x + z", df, freq_weights="w").fit(),
        tm.Normal.from_formula("yn ~ x + z", df, freq_weights="w").fit(),
    )
    ssr = (df["w"] * counted.resid**2).sum()
    close([counted.scale, counted.mse_resid, counted.ssr], [ssr / 157, ssr / 157, ssr])
    close(normal.params["sigma"] ** 2, ssr / 160, 1e-8)
    llf = -80 * (math.log(2 * math.pi * ssr / 160) + 1)
    close([counted.llf, counted.aic, counted.bic], [llf, 6 - 2 * llf, 3 * math.log(160) - 2 * llf])
    close([normal.llf, normal.aic, normal.bic], [llf, 8 - 2 * llf, 4 * math.log(160) - 2 * llf])
    gaussian = tm.GLM.from_formula("yn ~ x + z", df, freq_weights="w").fit()
    close([gaussian.scale, gaussian.llf, gaussian.aic], [ssr / 157, llf, 6 - 2 * llf])


def test_t19_and_t20_the_null_model_keeps_offset_exposure_and_weights(df, repeated):
    """R: logLik(glm(yp ~ 1 + offset(off), poisson)) is -101.9638186640723; of the repeated rows, -309.5573241981550."""
    with_offset = count("yp ~ x + z", df, offset="off")
    close(with_offset.llnull, -101.9638186640723, 1e-12)
    close(with_offset.llnull, count("yp ~ 1", df, offset="off").llf, 1e-12)
    exposed = count("yp ~ x + z", df.assign(e=np.exp(df["off"])), exposure="e")
    close([exposed.llnull, exposed.llf], [with_offset.llnull, with_offset.llf], 1e-12)
    weighted = count("yp ~ x + z", df, freq_weights="w")
    close([weighted.llf, weighted.llnull], [-304.7838330215218, -309.5573241981550], 1e-12)
    close(count("yp ~ x - 1", df).llnull, count("yp ~ 1", df).llf, 1e-12)  # a constant, with or without an intercept
    normal = tm.Normal.from_formula("yn ~ x", df).fit()
    null = tm.Normal.from_formula("yn ~ 1", df).fit()  # each at its own sigma
    close(normal.lr_test(null).statistic, -60 * math.log(1 - ols("yn ~ x", df).rsquared), 1e-9)


def test_t22_statistics_count_frequencies(df, repeated):
    weighted, expanded = count("yp ~ x + z", df, freq_weights="w"), count("yp ~ x + z", repeated)
    for name in ("nobs", "df_resid", "df_model", "llf", "llnull", "prsquared", "llr_pvalue", "aic", "bic"):
        close(getattr(weighted, name), getattr(expanded, name), 1e-11)
    close(df["w"] @ weighted.llf_obs, expanded.llf, 1e-12)
    close(weighted.margins("x").summary_frame().iloc[:, :2], expanded.margins("x").summary_frame().iloc[:, :2], 1e-9)
    linear, rows = (tm.OLS.from_formula("yn ~ x", df, freq_weights="w").fit(), ols("yn ~ x", repeated))
    for name in ("nobs", "df_resid", "rsquared", "rsquared_adj", "fvalue", "f_pvalue", "scale", "llf", "aic", "bic"):
        close(getattr(linear, name), getattr(rows, name), 1e-11)
    close(linear.bse, rows.bse, 1e-11)


def test_t22_pseudo_r_squared_and_nobs_of_weighted_rows(df):
    """R: logLik of glm(yp ~ x + z, poisson) and of the constant in the repeated rows, -304.78 and -309.56 in 160 of them."""
    llf, llnull, n = -304.7838330215218, -309.5573241981550, 160
    weighted = tm.GLM.from_formula("yp ~ x + z", df, family=tm.families.Poisson(), freq_weights="w").fit()
    close(weighted.pseudo_rsquared("cs"), 1 - math.exp(2 * (llnull - llf) / n), 1e-10)  # 0.147 by the rows
    close(weighted.pseudo_rsquared("mcf"), 1 - llf / llnull, 1e-10)
    discrete = count("yp ~ x + z", df, freq_weights="w")
    close(discrete.prsquared, 1 - llf / llnull, 1e-10)
    for res in (weighted, discrete, tm.NegativeBinomial.from_formula("yp ~ x", df, freq_weights="w").fit(disp=False),
                tm.Logit.from_formula("yb ~ x", df, freq_weights="w").fit(disp=False)):  # fmt: skip
        assert res.nobs == n and res.df_resid == n - 1 - res.df_model
        found = re.search(r"No. Observations: +(\S+)", str(res.summary()))
        assert found is not None and float(found[1]) == n
        close(res.bic, -2 * res.llf + res.k_free * math.log(n), 1e-12)


def test_t23_weights_that_leave_too_little(df):
    light = tm.OLS.from_formula("yn ~ x + z", df.assign(w=0.01), freq_weights="w").fit()
    assert light.df_resid < 0 and np.isnan(light.bse).all()
    assert "No degrees of freedom are left" in str(light.summary())
    counts = count("yp ~ x + z", df.assign(w=0.01), freq_weights="w")  # a factor n / (n - k) of the wrong sign
    for kind, options in (("HC1", {}), ("cluster", {"groups": "g"})):
        assert np.isnan(counts.with_covariance(kind, options).bse).all()
    zeros = df.assign(w=(df.index >= 10).astype(float))
    for kind in ("nonrobust", "HC1", "HC3"):
        without = count("yp ~ x", df[df.index >= 10], cov_type=kind)
        weighted = count("yp ~ x", zeros, freq_weights="w", cov_type=kind)
        close(weighted.bse, without.bse, 1e-10)
        assert (weighted.nobs, weighted.df_resid) == (without.nobs, without.df_resid) == (50, 48)


def test_t25_the_scale_that_is_given_is_used(df):
    model = tm.OLS.from_formula("yn ~ x", df)
    res = model.fit()
    resid, at = res.resid.to_numpy(), res.params.to_numpy()
    for scale in (0.5, 2.0):
        density = -0.5 * (np.log(2 * np.pi * scale) + resid**2 / scale)
        close(model.loglike(at, scale), density.sum(), 1e-12)
    close(model.loglike(at), res.llf, 1e-12)
    close(res.llf_obs.sum(), res.llf, 1e-12)


def test_t25_deviances_have_all_terms_and_bic_is_of_the_likelihood(df):
    """Without a constant the residuals do not add up to zero, and the second term of a Poisson deviance counts."""
    res = tm.GLM.from_formula("yp ~ x - 1", df, family=tm.families.Poisson()).fit()
    y, mu = df["yp"].to_numpy(), res.mu
    logs = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mu), 0.0)
    assert abs((y - mu).sum()) > 1
    close(res.deviance, 2 * (logs - (y - mu)).sum(), 1e-12)
    saturated = sum(k * math.log(k) - k - math.lgamma(k + 1) if k else 0.0 for k in y.tolist())
    close(res.deviance, 2 * (saturated - res.llf), 1e-12)
    close(res.bic, -2 * res.llf + math.log(60), 1e-12)
    close(res.bic_deviance, res.deviance - 59 * math.log(60), 1e-12)


def test_t26_rates_and_means(ovarian):
    res = survival(ovarian)
    rate = np.exp(res.predict(which="linear"))
    close(res.predict(which="rate"), rate)
    close(res.predict(), 1 / rate)
    close(res.predict(which="median"), math.log(2) / rate)


def test_t27_r_squared_without_an_intercept(df):
    none = ols("yn ~ x - 1", df)
    close(none.rsquared, 1 - none.ssr / (df["yn"] ** 2).sum())
    close(none.rsquared, smf.ols("yn ~ x - 1", df).fit().rsquared)
    dummies, usual = ols("yn ~ C(g) + x - 1", df), ols("yn ~ C(g) + x", df)
    for name in ("rsquared", "rsquared_adj", "fvalue", "f_pvalue", "df_model"):
        close(getattr(dummies, name), getattr(usual, name), 1e-9)
    close(dummies.with_covariance("HC1").fvalue, usual.with_covariance("HC1").fvalue, 1e-9)


def test_t28_survival_likelihood_is_the_density_of_time(ovarian):
    """R: survreg(Surv(futime, fustat) ~ 1, dist = "exponential")$loglik is -98.03220020004719."""
    res = survival(ovarian, "Surv(futime, fustat) ~ 1")
    events, time = ovarian["fustat"].sum(), ovarian["futime"].sum()
    close(res.llf, events * math.log(events / time) - events, 1e-14)
    close(res.llf, -98.03220020004719, 1e-14)
    rate = events / time
    density = (
        stats.expon.logpdf(ovarian["futime"], scale=1 / rate),
        stats.expon.logsf(ovarian["futime"], scale=1 / rate),
    )
    rows = np.where(ovarian["fustat"] == 1, *density)  # by row, by sum, by blocks: the same density of time
    close(res.llf_obs, rows)
    close(
        [res.llf_obs.sum(), res.model.loglike(res.params), res.model.loglikeobs(res.params).sum()],
        [rows.sum()] * 3,
        1e-13,
    )
    logs = np.log(ovarian["futime"][ovarian["fustat"] == 1]).sum()
    close(res.llf_log_time, res.llf + logs)


def test_t29_truncation_divides_by_survival_to_entry(ovarian):
    data = ovarian.assign(entry=ovarian["futime"] * 0.3, start=0.0)
    late = survival(data, "Surv(entry, futime, fustat) ~ 1")
    events, time = data["fustat"].sum(), (data["futime"] - data["entry"]).sum()
    close(late.llf, events * math.log(events / time) - events, 1e-13)
    rate = math.exp(late.params.iloc[0])
    density = data["fustat"] * math.log(rate) - rate * data["futime"] + rate * data["entry"]
    close(late.llf_obs, density)
    close(survival(data, "Surv(start, futime, fustat) ~ 1").llf, survival(data, "Surv(futime, fustat) ~ 1").llf)
    unknown = data.assign(fustat=data["fustat"].astype(float).where(data.index != 3))
    assert survival(unknown).nobs == len(data) - 1  # a missing event is missing, not True


def test_t30_three_ways_to_write_down_the_same_counts(df):
    data = df.assign(cell=df["g"] % 3, k=1.0)
    cells = data.groupby("cell", as_index=False).agg(total=("yp", "sum"), k=("k", "sum"))
    rows = count("yp ~ C(cell)", data)
    summed = count("total ~ C(cell)", cells, exposure="k")
    tallied = data.groupby(["cell", "yp"], as_index=False).agg(k=("k", "sum"))
    tally = count("yp ~ C(cell)", tallied, freq_weights="k")
    for other in (summed, tally):
        close(other.params, rows.params, 1e-8)
        close(other.bse, rows.bse, 1e-8)
        close(other.wald_test_terms().statistic, rows.wald_test_terms().statistic, 1e-7)
    close(tally.llf, rows.llf, 1e-12)


# -- formulas and predictions ------------------------------------------------------------------------------------------------


def test_t31_new_levels_are_refused_and_single_ones_keep_their_columns(df):
    data = df.assign(f=np.where(df["g"] < 3, "low", np.where(df["g"] < 6, "mid", "high")))
    res = count("yp ~ C(f) * x", data)
    with pytest.raises(FormulaError, match=r"'f'.*'new'.*known levels"):
        res.predict(pd.DataFrame({"f": ["low", "new"], "x": [0.0, 0.0]}))
    close(res.predict(data.iloc[[5]]), means(res).iloc[[5]], 1e-12)


def test_t32_columns_keep_their_places(df):
    data = df.assign(a=np.where(df["g"] % 2, "o", "e"), b=np.where(df["w"] > 2, "h", "l"))
    res, theirs = ols("yn ~ x + a * b + x:a", data), smf.ols("yn ~ x + a * b + x:a", data).fit()
    assert res.names == list(theirs.params.index)
    close(res.predict(data[::-1]), theirs.predict(data[::-1]), 1e-9)
    with pytest.warns(tm.errors.RankWarning, match="twice"):
        collinear = ols("yn ~ x + z + twice + a", data.assign(twice=2 * data["x"] + 1))
    plain = ols("yn ~ x + z + a", data)
    new = data.assign(twice=2 * data["x"] + 1)[::-1]
    close(collinear.predict(new), plain.predict(new), 1e-9)


@pytest.mark.parametrize(
    "formula",
    [
        "a * b * x",
        "x + a * b + x:a",
        "x:a + z:b + a:b",
        "a:x:b + z",
        "C(b) * C(a) + np.exp(z) - 1",
        "x * a - 1 + bs(z, df=4):b",
    ],
)
def test_t32_products_of_factors_and_numbers_keep_their_columns(df, formula):
    """Every column of the design is patsy's, under its name; predictions hold with rows and columns in any order."""
    data = df.assign(a=np.where(df["g"] < 2, "o", np.where(df["g"] < 5, "e", "u")), b=np.where(df["w"] > 3, "h", "l"))
    data["b"] = np.where(df["w"] == 1, "m", data["b"])
    res, theirs = ols(f"yn ~ {formula}", data, rank="drop"), patsy.dmatrix(formula, data, return_type="dataframe")
    assert res.names == list(theirs.columns) and len(res.names) > 6 and not res.dropped_columns
    close(res.model.exog, theirs, 1e-12)
    best, *_ = np.linalg.lstsq(theirs.to_numpy(), df["yn"].to_numpy(), rcond=None)
    np.testing.assert_allclose(res.params, best, rtol=1e-7, atol=1e-8)
    for new in (data[::-1], data.sample(frac=1, random_state=4)[data.columns[::-1]], data[3:9]):
        np.testing.assert_allclose(res.predict(new), (theirs @ best)[new.index], rtol=1e-8, atol=1e-9)
    fewer = tm.OLS.from_formula(f"yn ~ {formula}", data, drop_cols=[res.names[2], res.names[-3]])
    close(fewer.exog, theirs.drop(columns=[res.names[2], res.names[-3]]), 1e-12)
    close(fewer.fit().predict(data[::-1]), fewer.fit().predict()[::-1], 1e-12)


@pytest.mark.parametrize("tail", ["z + twice + a", "twice:a + z + x:a", "zero + z + twice"])
@pytest.mark.parametrize("made", ["ols", "poisson"])
def test_t32_columns_left_out_do_not_move_the_others(df, tail, made):
    """Of new rows, in which the left-out columns are no longer combinations of the others, these count nothing."""
    data = df.assign(a=np.where(df["g"] % 2, "o", "e"), twice=2 * df["x"] + 1, zero=0.0)
    fit = {"ols": lambda tail: ols(f"yn ~ {tail}", data), "poisson": lambda tail: count(f"yp ~ {tail}", data)}[made]
    with pytest.warns(RankWarning):
        res = fit(f"x + {tail}")
    assert res.dropped_columns
    new = data[::-1].assign(z=1.0, x=np.arange(60) / 60)
    new = new.assign(twice=2 * new["x"] + 1)
    matrix = np.asarray(patsy.build_design_matrices([patsy.dmatrix(f"x + {tail}", data).design_info], new)[0])
    used = res.params.notna().to_numpy()
    eta = matrix[:, used] @ res.params.dropna().to_numpy()
    for rows in (new, new[new.columns[::-1]]):
        close(res.predict(rows, which="linear"), eta, 1e-9)
    close(res.model.exog[:, used] @ res.params.dropna().to_numpy(), res.predict(which="linear"), 1e-9)


@pytest.mark.parametrize("how", ["name", "series", "array"])
def test_t33_predictions_of_the_training_rows_are_the_fitted_values(df, how):
    """Which are those of the coefficients, offset and exposure, whatever the order of rows and columns."""
    data = df.assign(x=df["x"].where(df.index != 7), e=np.exp(df["z"] / 3) + df["w"], yg=df["yg"].where(df.index != 9))
    given = {
        "name": lambda name: name,
        "series": lambda name: data[name][::-1],
        "array": lambda name: data[name].to_numpy(),
    }
    off, exposure, weights = (given[how](name) for name in ("off", "e", "w"))
    poisson = {"family": tm.families.Poisson(), "offset": off, "exposure": exposure, "freq_weights": weights}
    gamma = {"family": tm.families.Gamma(tm.families.links.Log()), "offset": off, "var_weights": weights}
    res = {
        "poisson": count("yp ~ x + z", data, offset=off, exposure=exposure, freq_weights=weights),
        "glm": tm.GLM.from_formula("yp ~ x + z", data, **poisson).fit(),
        "gamma": tm.GLM.from_formula("yg ~ x + z", data, **gamma).fit(),
        "logit": tm.Logit.from_formula("yb ~ x + z", data, offset=off, freq_weights=weights).fit(disp=False),
        "wls": tm.WLS.from_formula("yn ~ x + z", data, weights=weights).fit(),
        "normal": tm.Normal.from_formula("yn ~ x + z", data, freq_weights=weights).fit(),
    }
    for name, fit in res.items():
        left = [7, 9] if name == "gamma" else [7]
        b = fit.params
        eta = b["Intercept"] + b["x"] * df["x"] + b["z"] * df["z"] + (0 if name in ("wls", "normal") else df["off"])
        eta += np.log(data["e"]) if name in ("poisson", "glm") else 0
        mean = {"logit": 1 / (1 + np.exp(-eta)), "wls": eta, "normal": eta}.get(name, np.exp(eta)).drop(left)
        close(means(fit), mean, 1e-12)
        if name in ("glm", "gamma", "wls", "normal"):
            close(fit.fittedvalues, mean, 1e-12)
            assert fit.fittedvalues.index.equals(mean.index)
        for new in (data, data[::-1], data.sample(frac=1, random_state=1)[data.columns[::-1]], data[5:30]):
            prediction, expected = fit.predict(new), mean.reindex(new.index)
            if how == "name" and name == "gamma":
                expected = expected.fillna(pd.Series({9: np.exp(eta[9])}))  # its response alone is missing
            assert prediction.index.equals(new.index)
            close(prediction, expected, 1e-12)
            close(fit.get_prediction(new).predicted, expected, 1e-12)


def test_t34_missing_is_no_category(df):
    strings = pd.Series(np.where(df["g"] < 4, "low", "high"), dtype="string").where(df.index > 2, pd.NA)
    res = count("yp ~ x + f", df.assign(f=strings))
    assert res.names == ["Intercept", "f[T.low]", "x"] and res.nobs == 57
    objects = strings.astype(object).where(df.index > 2, np.nan)
    close(count("yp ~ x + f", df.assign(f=objects)).params, res.params)
    texts = [text if isinstance(text, str) else math.nan for text in objects]  # numpy makes "nan" of such a list's last
    for values in (
        texts,
        strings.astype("category"),
        objects.where(df.index > 2, None),
        strings.to_numpy(dtype=object),
    ):
        found = count("yp ~ x + f", {"yp": df["yp"].to_numpy(), "x": df["x"].to_numpy(), "f": values})
        assert found.names == res.names and found.nobs == 57
        close(found.params, res.params)
    numbers = count("yp ~ x + C(g)", df.assign(g=df["g"].where(df.index > 2)))
    kept = count("yp ~ x + C(g)", df[df.index > 2])
    assert numbers.nobs == 57 and len(numbers.names) == len(kept.names) == df["g"].nunique() + 1
    close(numbers.params, kept.params)
    assert np.isnan(res.predict(pd.DataFrame({"x": [0.0], "f": [None]}))[0])


def test_t35_two_valued_responses_are_one_column(df):
    for values in (df["yb"].astype(bool), df["yb"].map({0: "no", 1: "yes"}), df["yb"].astype("boolean")):
        res = Probit.from_formula("y ~ x", df.assign(y=values)).fit()
        close(res.params, Probit.from_formula("yb ~ x", df).fit().params)
        assert res.model.endog.shape == (60,)
        event = "yes" if "yes" in set(values) else "True"
        for made in (
            res,
            ols("y ~ x", df.assign(y=values)),
            tm.Logit.from_formula("y ~ x", df.assign(y=values)).fit(disp=False),
        ):
            assert f"Event: y = {event}" in str(made.summary()) and made.model.endog.shape == (60,)
            assert made.names == ["Intercept", "x"]
    assert "Event" not in str(ols("yb ~ x", df).summary())


def test_t36_all_levels_without_an_intercept(df):
    res = ols("yn ~ 0 + C(g)", df)
    assert len(res.names) == df["g"].nunique() and not res.dropped_columns
    close(res.params, df.groupby("g")["yn"].mean(), 1e-12)
    assert len(ols("yn ~ C(g)", df).names) == df["g"].nunique()


# -- numerics and torch --------------------------------------------------------------------------------------------------------


def test_t37_no_nan_from_the_branch_not_taken():
    rng = np.random.default_rng(0)
    t = rng.exponential(size=400)
    lower, upper = np.floor(2 * t) / 2, np.floor(2 * t) / 2 + 0.5
    data = pd.DataFrame(
        {"lower": np.where(t < 1, lower, t), "upper": np.where(t < 1, upper, t), "x": rng.normal(size=400)}
    )
    data.loc[::7, "upper"] = np.inf
    data.loc[3:5, "lower"] = -np.inf
    res = tm.ExponentialSurvival.from_formula("Surv(lower, upper, type='interval2') ~ x", data).fit(cov_type="HC0")
    assert res.converged and np.isfinite(res.bse).all() and np.isfinite(res.score_obs()).all()
    at = np.array([40.0, 0.0])  # rates at which the other branches overflow
    assert np.isfinite(
        tm.ExponentialSurvival.from_formula("Surv(lower, upper, type='interval2') ~ x", data).loglike(at)
    )


def test_t38_a_diagonal_covariance_has_a_hessian():
    y = np.kron(np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]), np.ones((5, 1))) * [1.0, 3.0]
    res = tm.MVNormal(y).fit()
    assert res.converged
    np.testing.assert_allclose(res.cov, np.diag([1.0, 9.0]), atol=1e-14)
    assert np.isfinite(res.hessian()).all()
    variances = np.array([1.0, 9.0])
    close(np.asarray(res.bse)[[2, 4]], variances * math.sqrt(2 / 20), 1e-10)
    close(np.asarray(res.bse)[3], math.sqrt(9 / 20), 1e-10)


def test_t38_rows_that_are_met_exactly_have_a_hessian():
    """The length of a residual of zero has no second derivative; its square has."""
    corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * [1.0, 3.0, 0.5]
    y = np.concatenate([np.repeat(corners, 4, axis=0), np.zeros((9, 3))])
    n, variances = 25, np.array([1.0, 9.0, 0.25]) * 16 / 25
    model = tm.MVNormal(y)
    at = np.concatenate([np.zeros(3), np.diag(variances)[np.tril_indices(3)]])
    spread = np.outer(variances, variances)[np.tril_indices(3)] * np.array([2, 1, 2, 1, 1, 2]) / n
    np.testing.assert_allclose(
        -model.hessian(at), np.diag(1 / np.concatenate([variances / n, spread])), rtol=1e-10, atol=1e-9
    )
    res = model.fit()
    assert res.converged
    close(res.bse**2, np.concatenate([variances / n, spread]), 1e-9)


@pytest.mark.parametrize("method", ["newton", "l-bfgs", "bfgs"])
@pytest.mark.parametrize("times", [1.0, 1e6])
def test_t40_stopping_does_not_depend_on_the_size_of_the_likelihood(df, poisson, method, times):
    res = count("yp ~ x + z", df.assign(w=times), freq_weights="w", method=method)
    assert res.converged
    assert np.abs((res.params - poisson.params) / res.bse).max() < 1e-5
    close(res.bse * math.sqrt(times), poisson.bse, 1e-7)


def test_t41_single_precision_columns_far_from_zero():
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(20_000), rng.normal(50, 10, 20_000), rng.normal(size=20_000)]).astype(np.float32)
    y = (x @ [1.0, 0.02, 0.5] + rng.normal(size=20_000)).astype(np.float32)
    exact = tm.OLS(y, x).fit()  # promoted to double precision
    assert exact.model.rows.x["mu"].dtype == torch.float64
    with pytest.warns(PrecisionWarning):
        single = tm.OLS(y, x, dtype=torch.float32).fit()
    assert np.abs((single.params - exact.params) / exact.bse).max() < 0.01
    close(single.bse, exact.bse, 1e-4)


def test_t42_converged_means_converged(df):
    with pytest.warns(ConvergenceWarning, match="iteration limit"):
        stopped = count("yp ~ x + z", df, maxiter=1)
    assert stopped.converged is False
    assert "Not converged" in str(stopped.summary())
    good = count("yp ~ x + z", df)
    assert good.converged is True and np.isfinite(good.params).all() and np.isfinite(good.bse).all()
    with pytest.warns(ConvergenceWarning, match="not finite at the start"):
        lost = count("yp ~ x + z", df, start_params=[800.0, 0.0, 0.0], method="bfgs")
    assert lost.converged is False


def test_t43_nothing_is_penalised(df):
    for scale in (1.0, 1e-4):
        res = count("yp ~ x + z", df.assign(x=df["x"] * scale))
        root_information = np.sqrt(np.diag(np.linalg.inv(res.cov_params())))
        assert np.abs(res.score() / root_information).max() < 1e-8
    flat = count("yp ~ 1", df)
    close(math.exp(flat.params.iloc[0]), df["yp"].mean(), 1e-12)


def test_t44_counts_of_zero_and_extreme_predictors(df):
    zeros = count("yp ~ x", df.assign(yp=np.where(df.index == 0, 1, 0)))
    assert math.isclose(np.exp(zeros.predict(which="linear")).sum(), 1.0, rel_tol=1e-9)
    model = tm.Poisson.from_formula("yp ~ x", df)
    eta = 30 + 2 * df["x"]
    exact = (df["yp"] * eta - np.exp(eta) - [math.lgamma(y + 1) for y in df["yp"]]).sum()
    own = Count.from_formula("yp ~ x", df)  # whose mean is the transform's
    for at in (model, own, tm.GLM.from_formula("yp ~ x", df, family=tm.families.Poisson())):
        close(at.loglike([30.0, 2.0]), exact, 1e-13)
        close(at.loglikeobs([30.0, 2.0]).sum(), exact, 1e-13)
        rest = df["yp"] - np.exp(eta)
        close(at.score([30.0, 2.0]), [rest.sum(), rest @ df["x"]], 1e-13)
        mixed = -np.exp(eta) @ df["x"]
        close(at.hessian([30.0, 2.0]), [[-np.exp(eta).sum(), mixed], [mixed, -np.exp(eta) @ df["x"] ** 2]], 1e-12)
        value, *_ = at.sums(torch.tensor([30.0, 2.0], dtype=torch.float64), 2)
        close(float(value), exact, 1e-13)  # what the search sees and a result reports
    assert total_weight(model.rows) == 60


class Count(tm.RegressionModel):
    parameters = {"mu": tm.Log()}

    def loglike_obs(self, p, data):
        return data.y * p.real.mu - p.mu - torch.lgamma(data.y + 1)


def test_counts_of_millions_converge():
    """Terms of 1e8 in a log-likelihood of -400 round to 1e-8, which is no reason to doubt a maximum."""
    rng = np.random.default_rng(111)
    n, k = 200, 2
    assert (n, k) == (rng.choice([30, 200, 2000]), rng.integers(1, 8))
    x = np.column_stack([np.ones(n), rng.normal(size=(n, k)) * rng.choice([0.1, 1, 3])])
    truth, offset = rng.normal(size=k + 1) * rng.choice([0.1, 0.5, 1.5]), rng.normal(size=n) * rng.choice([0, 1, 4])
    y = rng.poisson(np.exp(np.clip(x @ truth + offset, -20, 15))).astype(float)
    assert y.max() > 3e6
    res = tm.Poisson(y, x, offset=offset).fit(disp=False)
    assert res.converged
    assert np.abs(res.score() * res.bse).max() < 1e-7
