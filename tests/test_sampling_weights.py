"""Sampling weights: estimates of the weighted likelihood, standard errors that do not rest on it."""

import numpy as np
import pytest
import statsmodels.api as sm
from problems import BY_NAME

import torchmle as tm

MODELS = ["ols", "poisson", "exponential", "normal-sigma", "student", "gamma"]
EVERY = pytest.mark.parametrize("name", MODELS)


def sample(name):
    df = BY_NAME[name].frame()
    return df.assign(inverse=np.random.default_rng(3).uniform(0.2, 5.0, len(df)))


def close(ours, theirs, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=1e-10)


@EVERY
def test_estimates_are_those_of_rows_that_count_as_often(name):
    df = sample(name)
    res = BY_NAME[name].fit(df, sampling_weights="inverse")
    often = BY_NAME[name].fit(df, freq_weights=df["inverse"] / df["inverse"].mean())
    close(res.params, often.params)
    assert res.nobs == len(df) and res.df_resid == len(df) - res.k_free


@EVERY
def test_a_factor_on_the_weights_changes_nothing(name):
    df = sample(name)
    res = BY_NAME[name].fit(df, sampling_weights="inverse")
    for factor in (1e-6, 5.0, 1e6):
        other = BY_NAME[name].fit(df.assign(inverse=factor * df["inverse"]), sampling_weights="inverse")
        close(other.params, res.params, 1e-7)
        close(other.bse, res.bse, 1e-7)
        assert (other.llf, other.scale) == pytest.approx((res.llf, res.scale), rel=1e-9)


@EVERY
def test_equal_weights_are_none(name):
    df = sample(name).assign(inverse=5.0)
    weighted, plain = BY_NAME[name].fit(df, sampling_weights="inverse"), BY_NAME[name].fit(df)
    for cov_type, kwds in (("HC0", {}), ("HC1", {}), ("cluster", {"groups": "firm"}), ("survey", {"psu": "firm"})):
        close(weighted.with_covariance(cov_type, kwds).cov_params(), plain.with_covariance(cov_type, kwds).cov_params())
    if name in ("ols", "poisson"):
        close(weighted.with_covariance("HC3").bse, plain.with_covariance("HC3").bse)
    close([weighted.llf, weighted.scale], [plain.llf, plain.scale])


@EVERY
def test_standard_errors_are_robust(name):
    df = sample(name)
    res = BY_NAME[name].fit(df, sampling_weights="inverse")
    assert res.cov_type == "HC1"
    scores = res.score_obs()  # with the weights in them
    bread = np.linalg.inv(-res.hessian())
    n, k = scores.shape
    hc0 = bread @ scores.T @ scores @ bread
    close(res.with_covariance("HC0").cov_params(), hc0)
    close(res.cov_params(), hc0 * n / (n - k))
    totals = np.array([scores[df["firm"] == firm].sum(0) for firm in df["firm"].unique()])
    clusters = res.with_covariance("cluster", {"groups": "firm", "convention": "none"})
    close(clusters.cov_params(), bread @ totals.T @ totals @ bread)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_least_squares_as_weighted_least_squares_in_statsmodels(kind):
    df = sample("ols")
    res = tm.OLS.from_formula("y ~ x + w", df, sampling_weights="inverse").fit(cov_type=kind)
    theirs = sm.WLS(df["y"], sm.add_constant(df[["x", "w"]]), df["inverse"]).fit(cov_type=kind)
    close(res.params, theirs.params, 1e-9)
    close(res.bse, theirs.bse, 1e-9)


def test_counts_as_a_weighted_glm_in_statsmodels():
    df = sample("poisson")
    res = tm.Poisson.from_formula("y ~ x + w", df, sampling_weights="inverse").fit(cov_type="HC0", disp=False)
    family = sm.families.Poisson()
    theirs = sm.GLM(df["y"], sm.add_constant(df[["x", "w"]]), family=family, var_weights=df["inverse"])
    close(res.bse, theirs.fit(cov_type="HC0", tol=1e-14).bse)


def test_rows_of_weight_zero_are_no_observations():
    df = sample("poisson")
    df.loc[::5, "inverse"] = 0.0
    formula = "y ~ x + w"
    res = tm.Poisson.from_formula(formula, df, sampling_weights="inverse").fit(disp=False)
    left = tm.Poisson.from_formula(formula, df[df["inverse"] > 0], sampling_weights="inverse").fit(disp=False)
    close(res.bse, left.bse)
    assert res.nobs == left.nobs == (df["inverse"] > 0).sum()


def test_what_sampling_weights_rule_out():
    df = sample("ols")
    for cov_type in ("eim", "opg", "fixed scale"):
        with pytest.raises(ValueError, match="sampling weights.*robust"):
            tm.OLS.from_formula("y ~ x", df, sampling_weights="inverse").fit(cov_type=cov_type)
    with pytest.raises(ValueError, match="not both"):
        tm.OLS.from_formula("y ~ x", df, sampling_weights="inverse", freq_weights="inverse")
    with pytest.raises(ValueError, match="negative"):
        tm.OLS.from_formula("y ~ x", df.assign(inverse=-1.0), sampling_weights="inverse")
    with pytest.raises(TypeError, match="sampling_weights"):
        tm.Poisson.from_formula("y ~ x", df, weights="inverse")
    text = tm.OLS.from_formula("y ~ x", df, sampling_weights="inverse").fit().summary().as_text()
    assert "Sampling weights" in text and "HC1" in text


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", None])
def test_no_interval_or_ratio_is_made_of_a_weighted_likelihood(cov_type):
    """Also where no covariance was asked for; and no advice is given that leads nowhere."""
    res = BY_NAME["poisson"].build(sample("poisson"), sampling_weights="inverse").fit(disp=False, cov_type=cov_type)
    with pytest.raises(ValueError, match="under sampling weights.*use method='wald'$"):
        res.conf_int(method="profile")
    with pytest.raises(ValueError, match="under sampling weights.*use wald_test"):
        res.lr_test("x = 0")
    robust = res.with_covariance("HC1").score_test(r_matrix="x = 0").statistic
    close(res.score_test(r_matrix="x = 0", cov_type="HC1").statistic, robust)
    if cov_type != "HC0":
        close(res.score_test(r_matrix="x = 0").statistic, robust)
