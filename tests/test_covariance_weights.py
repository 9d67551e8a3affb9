"""Robust covariances under weights of each kind, in generalised linear models."""

import numpy as np
import pandas as pd
import pytest

import torchmle as tm

N = 150
LOG_GAMMA = tm.families.Gamma(tm.families.links.Log())
KINDS = [
    ("HC0", {}),
    ("HC1", {}),
    ("HC2", {}),
    ("HC3", {}),
    ("cluster", {"groups": "firm"}),
    ("cluster", {"groups": ["firm", "year"]}),
    ("survey", {"psu": "firm"}),
]
EVERY_KIND = pytest.mark.parametrize(("cov_type", "options"), KINDS)
EVERY_CONVENTION = pytest.mark.parametrize("convention", ["statsmodels", "R", "stata"])


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(12)
    frame = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "firm": np.arange(N) % 17})
    frame["year"] = rng.integers(0, 9, N)
    eta = 0.3 + 0.5 * frame["x"] - 0.2 * frame["z"] + 0.1 * (frame["firm"] % 3)
    return frame.assign(
        y=eta + rng.normal(size=N),
        amount=rng.gamma(2, np.exp(eta) / 2),
        count=rng.poisson(np.exp(eta)),
        times=rng.integers(0, 4, N).astype(float),
        precision=rng.uniform(0.3, 3.0, N),
    )


def glm(df, response, family, **arguments):
    return tm.GLM.from_formula(f"{response} ~ x + z", df, family=family, **arguments).fit()


def same(ours, theirs, rtol=1e-7):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    scale = np.sqrt(np.abs(np.diag(theirs)))
    assert (np.abs(ours - theirs) <= rtol * np.outer(scale, scale)).all()


@EVERY_CONVENTION
@EVERY_KIND
def test_frequencies_are_repeated_rows(df, cov_type, options, convention):
    """The meat counts a row as often as it occurs, clusters and degrees of freedom do too."""
    if cov_type == "survey" and convention != "statsmodels":
        pytest.skip("said once")
    repeated = df.loc[df.index.repeat(df["times"].astype(int))].reset_index(drop=True)
    options = {**options, "convention": convention}
    one = glm(df, "amount", LOG_GAMMA, freq_weights="times").with_covariance(cov_type, options)
    other = glm(repeated, "amount", LOG_GAMMA).with_covariance(cov_type, options)
    same(one.cov_params(), other.cov_params())
    assert one.df_inference == other.df_inference


@EVERY_KIND
def test_precisions_are_those_of_weighted_least_squares(df, cov_type, options):
    """In the score, so that the meat has their squares; the small-sample factors are the same too."""
    gaussian = glm(df, "y", tm.families.Gaussian(), var_weights="precision").with_covariance(cov_type, options)
    wls = tm.WLS.from_formula("y ~ x + z", df, weights="precision").fit().with_covariance(cov_type, options)
    same(gaussian.cov_params(), wls.cov_params())


@EVERY_CONVENTION
@EVERY_KIND
def test_the_unit_of_precisions_has_no_bearing(df, cov_type, options, convention):
    options = {**options, "convention": convention}
    found = [
        glm(df.assign(precision=factor * df["precision"]), "amount", LOG_GAMMA, var_weights="precision")
        .with_covariance(cov_type, options)
        .cov_params()
        for factor in (1.0, 5.0)
    ]
    same(*found)


@pytest.mark.parametrize("convention", ["statsmodels", "stata"])
def test_three_ways_to_write_the_same_counts(df, convention):
    """Rows of a cell one by one with frequencies, as means with precisions, as sums with exposure."""
    df = df.assign(x=df["x"].round(), z=df["z"].round(), cell=lambda d: d["x"] * 100 + d["z"])
    cells = (
        df.groupby("cell")
        .agg(x=("x", "first"), z=("z", "first"), total=("count", "sum"), n=("count", "size"))
        .reset_index()
    )
    cells = cells.assign(mean=cells["total"] / cells["n"])
    family = tm.families.Poisson()
    rows = glm(df, "count", family)
    means = glm(cells, "mean", family, var_weights="n")
    sums = glm(cells, "total", family, exposure="n")
    options = {"groups": "cell", "convention": "none" if convention == "statsmodels" else convention}
    for res in (means, sums):
        np.testing.assert_allclose(res.params, rows.params, rtol=1e-8)
        same(res.cov_params(), rows.cov_params())
        same(
            res.with_covariance("cluster", options).cov_params(), rows.with_covariance("cluster", options).cov_params()
        )
        test = "x = 0, z = 0"
        assert res.wald_test(test).statistic == pytest.approx(rows.wald_test(test).statistic, rel=1e-7)


@pytest.mark.parametrize("cov_type", ["HC0", "HC1", "HC2", "HC3"])
def test_conventions_agree_where_the_link_is_canonical(df, cov_type):
    res = glm(df, "count", tm.families.Poisson())
    same(res.with_covariance(cov_type, {"convention": "R"}).cov_params(), res.with_covariance(cov_type).cov_params())


def test_factors_of_a_nonlinear_model(df):
    res = tm.Logit.from_formula("I(y > 0.5) ~ x + z", df).fit(disp=False)
    plain, n, k, g = res.with_covariance("cluster", {"groups": "firm", "convention": "none"}).cov_params(), N, 3, 17
    for convention, factor in (
        ("statsmodels", g / (g - 1) * (n - 1) / (n - k)),
        ("R", g / (g - 1)),
        ("stata", g / (g - 1)),
    ):
        robust = res.with_covariance("cluster", {"groups": "firm", "convention": convention})
        same(robust.cov_params(), factor * plain)
        assert robust.df_inference == g - 1
