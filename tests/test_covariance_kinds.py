"""Panels, kernels, jackknife, surveys and R's conventions: against R's sandwich, statsmodels and formulas in numpy."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from problems import BY_NAME, fitted
from reference.corpus import frame

import torchmle as tm
from torchmle.covariance.kernels import lag_weights

R_DESIGN = json.loads((Path(__file__).parent / "reference" / "design.json").read_text())
SANDWICH = json.loads((Path(__file__).parent / "reference" / "sandwich.json").read_text())
CLOSED = 1e-10
GAPS = [0.120770451774, 0.130333759465]
HOLE_NW = [0.119382733585, 0.125639189050]
HOLE_SCC = [0.251621063277, 0.022502898124]
TRUNCATED = 2e-6  # kernHAC leaves out lags whose weight is below 1e-7


def deviation(ours, theirs):
    """Largest deviation of a covariance matrix scaled to a unit diagonal."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    theirs = theirs.reshape(ours.shape)
    scale = np.sqrt(np.abs(np.diag(theirs)))
    return np.abs((ours - theirs) / np.outer(scale, scale)).max()


@pytest.fixture(scope="module")
def freeny():
    return tm.OLS.from_formula("y ~ price_index + income_level + market_potential", frame("ols_freeny_neweywest")).fit()


@pytest.fixture(scope="module")
def discoveries():
    return tm.Poisson.from_formula("count ~ t + I(t**2)", frame("glm_poisson_hac_discoveries")).fit(disp=False)


@pytest.fixture(scope="module")
def series(freeny, discoveries):
    return {"ols": freeny, "poisson_fit": discoveries}


@pytest.fixture(scope="module")
def panel():
    return frame("ols_petersen_cluster")


@pytest.fixture(scope="module")
def looms():
    path = Path(__file__).parent / "reference" / "data" / "warpbreaks.csv"
    return pd.read_csv(path).assign(loom=np.tile(np.arange(9), 6))


@pytest.fixture(scope="module")
def gamma(looms):
    formula = "breaks ~ wool + C(tension, Treatment('L'))"
    res = tm.GLM.from_formula(formula, looms, family=tm.families.Gamma(tm.families.links.Log())).fit()
    levels = [next(name for name in res.names if name.endswith(f"T.{level}]")) for level in "MH"]  # in R's order
    return res, [0, 1, *map(res.names.index, levels)]


# -- kernels and lags ------------------------------------------------------------------------------------------

KERNELS = {"bartlett": "Bartlett", "parzen": "Parzen", "qs": "Quadratic Spectral", "uniform": "Truncated"}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["ols", "poisson_fit"])
def test_kernels_as_in_r(series, name, kernel):
    ours = series[name].with_covariance("HAC", {"maxlags": 3, "kernel": kernel}).cov_params()
    assert deviation(ours, SANDWICH[f"{name} kernHAC 4 {KERNELS[kernel]}"]) < TRUNCATED


@pytest.mark.parametrize("kernel", ["parzen", "qs", "Quadratic Spectral"])
@pytest.mark.parametrize("name", ["ols", "poisson_fit"])
def test_bandwidths_between_whole_numbers(series, name, kernel):
    ours = series[name].with_covariance("HAC", {"maxlags": 2.5, "kernel": kernel}).cov_params()
    assert deviation(ours, SANDWICH[f"{name} kernHAC 3.5 {KERNELS.get(kernel, kernel)}"]) < TRUNCATED


@pytest.mark.parametrize("name", ["ols", "poisson_fit"])
def test_automatic_lags_as_in_r(series, name):
    robust = series[name].with_covariance("HAC", {"maxlags": "newey-west"})
    assert deviation(robust.cov_params(), SANDWICH[f"{name} NeweyWest automatic"]) < 1e-7
    assert f"{int(SANDWICH[f'{name} bw Bartlett'][0])} lags" in robust.cov_kwds["description"]
    for kernel in ("parzen", "qs"):
        ours = series[name].with_covariance("HAC", {"maxlags": "newey-west", "kernel": kernel})
        assert deviation(ours.cov_params(), SANDWICH[f"{name} kernHAC automatic {KERNELS[kernel]}"]) < TRUNCATED


def test_lags_by_rule(discoveries):
    by_rule, given = (discoveries.with_covariance("HAC", {"maxlags": lags}) for lags in ("rule", 4))
    assert deviation(by_rule.cov_params(), given.cov_params()) < 1e-14  # 4 (100 / 100) ** (2 / 9)
    assert by_rule.cov_kwds["description"] == given.cov_kwds["description"]


def test_a_kernel_of_ones_own(discoveries):
    given = discoveries.with_covariance(
        "HAC", {"maxlags": 3, "kernel": lambda lags: 1 - np.arange(lags + 1) / (lags + 1)}
    )
    named = discoveries.with_covariance("HAC", {"maxlags": 3, "weights_func": "Bartlett"})
    assert deviation(given.cov_params(), named.cov_params()) < 1e-14
    assert callable(given.cov_kwds["weights_func"]) and named.cov_kwds["weights_func"] == "Bartlett"


def test_many_lags_by_transform_as_one_by_one():
    rng = np.random.default_rng(4)
    y, x = rng.normal(size=900).cumsum(), sm.add_constant(rng.normal(size=(900, 2)))
    res = tm.OLS(y, x).fit(cov_type="HAC", cov_kwds={"maxlags": 400})
    theirs = sm.OLS(y, x).fit(cov_type="HAC", cov_kwds={"maxlags": 400})
    assert deviation(res.cov_params(), theirs.cov_params()) < CLOSED


# -- panels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffled", [False, True])
def test_panels_as_in_r(panel, shuffled):
    df = panel.sample(frac=1, random_state=1) if shuffled else panel
    model = tm.OLS.from_formula("y ~ x", df)
    options = {"groups": "firm", "time": "year", "maxlags": 3, "use_correction": False}
    res = model.fit(cov_type="hac-panel", cov_kwds=options)
    assert deviation(res.cov_params(), SANDWICH["petersen panel"]) < CLOSED
    assert res.df_inference == 499
    options = {"time": "year", "maxlags": 3, "use_correction": False}
    res = model.fit(cov_type="hac-groupsum", cov_kwds=options)
    assert deviation(res.cov_params(), SANDWICH["petersen Driscoll-Kraay"]) < CLOSED


def years(*left_out):
    """Eight firms over seven years, without some (firm, year)."""
    df = pd.DataFrame([(firm, year) for firm in range(8) for year in range(2000, 2007)], columns=["firm", "year"])
    t = df["year"] - 2000
    df["x"] = np.cos(3 * df["firm"] + t**2)
    df["y"] = df["x"] + np.sin(df["firm"] * t) + 0.3 * t
    gone = [(firm, year) in left_out for firm, year in zip(df["firm"], df["year"], strict=True)]
    return df[~np.array(gone)].sample(frac=1, random_state=2)


def panel_errors(df, cov_type="hac-panel", **options):
    columns = {"groups": "firm", "time": "year"} if cov_type == "hac-panel" else {"time": "year"}
    kwds = {**columns, "maxlags": 2, "use_correction": False, **options}
    return tm.OLS.from_formula("y ~ x", df).fit(cov_type=cov_type, cov_kwds=kwds)


def test_lags_of_a_panel_with_gaps_are_differences_of_time():
    """R 4.2.2, plm: vcovNW(plm(y ~ x, index = c("firm", "yr"), model = "pooling"), maxlag = 2); sandwich::vcovPL the same.

    Two firms lack two years; then all lack one, which in R is not there and here counts among whole numbers.
    """
    gaps = years(*[(firm, year) for firm in (1, 4) for year in (2003, 2004)])
    for df in (
        gaps,
        gaps.assign(year=gaps["year"].map("in {}".format)),
        gaps.assign(year=pd.Categorical(gaps["year"])),
    ):
        np.testing.assert_allclose(panel_errors(df).bse, GAPS, rtol=1e-9)
    hole = years(*[(firm, 2003) for firm in range(8)])
    for cov_type, theirs in (("hac-panel", HOLE_NW), ("hac-groupsum", HOLE_SCC)):
        np.testing.assert_allclose(panel_errors(hole, cov_type, convention="R").bse, theirs, rtol=1e-9)
        whole = panel_errors(hole, cov_type).bse
        assert np.abs(whole / theirs - 1).max() > 1e-2
        np.testing.assert_allclose(panel_errors(hole.astype({"year": float}), cov_type).bse, whole, rtol=1e-12)


@pytest.mark.parametrize("kernel", ["bartlett", "parzen", "qs"])
def test_panel_by_its_double_sum(kernel):
    """``sum_ij k(|t_i - t_j|) s_i s_j'`` over pairs of one firm; two rows of one firm and year are at lag 0."""
    df = years((0, 2002), (3, 2004), (3, 2005))
    df = pd.concat([df, df.iloc[:4].assign(y=1.0)], ignore_index=True)
    res = panel_errors(df, kernel=kernel)
    x = sm.add_constant(df[["x"]].to_numpy())
    scores, inverse = x * np.asarray(res.resid)[:, None], np.linalg.inv(x.T @ x)
    apart = np.abs(df["year"].to_numpy()[:, None] - df["year"].to_numpy())
    weights = lag_weights(kernel, 2, 7)
    weights = np.append(weights, np.zeros(7))[apart] * (df["firm"].to_numpy()[:, None] == df["firm"].to_numpy())
    assert deviation(res.cov_params(), inverse @ scores.T @ weights @ scores @ inverse) < CLOSED


@pytest.mark.parametrize("apart", [1, 1000])
def test_many_lags_of_a_panel_by_their_double_sum(apart):
    """By a Fourier transform where periods are close, pair by pair where they are not."""
    rng = np.random.default_rng(5)
    firm, time, x = np.repeat([0, 1], 300), np.tile(np.arange(300) * apart, 2), rng.normal(size=600)
    y, exog = rng.normal(size=600).cumsum(), sm.add_constant(x)
    options = {"groups": firm, "time": time, "maxlags": 250 * apart, "use_correction": False}
    res = tm.OLS(y, exog).fit(cov_type="hac-panel", cov_kwds=options)
    scores, inverse = exog * res.resid[:, None], np.linalg.inv(exog.T @ exog)
    lags = np.abs(time[:, None] - time) / (250 * apart + 1)
    weights = np.where(firm[:, None] == firm, (1 - lags).clip(0), 0.0)
    assert deviation(res.cov_params(), inverse @ scores.T @ weights @ scores @ inverse) < CLOSED


def test_lags_of_a_panel_by_rule_go_by_its_periods():
    """As Stata's xtscc: floor(4 (T / 100)^(2/9)), of T periods, not of all rows; an automatic choice there is not."""
    df = years()
    for cov_type in ("hac-panel", "hac-groupsum"):
        by_rule, two = (panel_errors(df, cov_type, maxlags=lags) for lags in ("rule", 2))
        assert deviation(by_rule.cov_params(), two.cov_params()) < CLOSED
    with pytest.raises(ValueError, match="for one series, not for a panel"):
        panel_errors(df, maxlags="newey-west")
    with pytest.raises(ValueError, match="number the periods"):
        panel_errors(df.assign(year=df["year"] * 10**6))


def test_two_ways_as_in_r(panel):
    res = tm.OLS.from_formula("y ~ x", panel).fit(
        cov_type="cluster", cov_kwds={"groups": ["firm", "year"], "convention": "R"}
    )
    assert deviation(res.cov_params(), SANDWICH["petersen firm and year"]) < CLOSED


PANELS = [
    ("hac-panel", ["firm"], {"use_correction": "hac"}),
    ("hac-panel", ["firm"], {"use_correction": "cluster"}),
    ("hac-panel", ["year"], {"use_correction": False, "df_correction": False}),
    ("hac-panel", ["firm"], {"kernel": "uniform"}),
    ("hac-groupsum", ["year"], {}),
    ("hac-groupsum", ["year"], {"use_correction": "hac", "kernel": "uniform"}),
    ("hac-groupsum", ["year"], {"use_correction": False, "df_correction": False}),
]


@pytest.mark.parametrize(("cov_type", "column", "options"), PANELS)
@pytest.mark.parametrize("kind", ["ols", "poisson"])
def test_panels_as_in_statsmodels(panel, kind, cov_type, column, options):
    df = panel.assign(c=np.round(np.exp(0.3 * panel["y"]))).iloc[:2000]
    y = df["y"] if kind == "ols" else df["c"]
    x = sm.add_constant(df[["x"]])
    key = "groups" if column == ["firm"] else "time"
    options = {**options, "maxlags": 2, key: df[column[0]].to_numpy()}
    ours, theirs = (tm.OLS, sm.OLS) if kind == "ols" else (tm.Poisson, sm.Poisson)
    settings = {} if kind == "ols" else {"disp": False}
    res = ours(y, x).fit(cov_type=cov_type, cov_kwds=options, use_t=True, **settings)
    other = theirs(y, x).fit(cov_type=cov_type, cov_kwds=dict(options), use_t=True, **settings)
    assert deviation(res.cov_params(), other.cov_params()) < 1e-7
    if kind == "ols":
        with np.errstate(
            invalid="ignore"
        ):  # the uniform kernel allows negative variances, for which there are no tests
            np.testing.assert_allclose(res.pvalues, other.pvalues, rtol=1e-8)
    negative = bool((np.diag(other.cov_params()) < 0).any())
    assert ("not positive semi-definite" in res.cov_kwds["description"]) >= negative
    assert bool(res.bse.isna().any()) == negative
    assert res.cov_type == cov_type


# -- R's sandwich of a non-canonical link ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_expected_bread_and_leverages_as_in_r(gamma, kind):
    res, order = gamma
    ours = np.asarray(res.with_covariance(kind, {"convention": "R"}).cov_params())[np.ix_(order, order)]
    assert deviation(ours, SANDWICH[f"gamma {kind}"]) < 1e-9
    observed = np.asarray(res.with_covariance(kind).cov_params())[np.ix_(order, order)]
    assert deviation(observed, SANDWICH[f"gamma {kind}"]) > 1e-3


def test_expected_bread_of_clusters_and_series_as_in_r(gamma):
    res, order = gamma
    pick = np.ix_(order, order)
    ours = res.with_covariance("cluster", {"groups": "loom", "convention": "R"})
    assert deviation(np.asarray(ours.cov_params())[pick], SANDWICH["gamma cluster"]) < 1e-8
    ours = res.with_covariance("HAC", {"maxlags": 2, "use_correction": True, "convention": "R"})
    assert deviation(np.asarray(ours.cov_params())[pick], SANDWICH["gamma NeweyWest 2"]) < 1e-8


# -- leaving out clusters --------------------------------------------------------------------------------------


def left_out(problem, df, column):
    """Estimates without each cluster, from fits of the rest."""
    return np.array([np.asarray(problem.fit(df[df[column] != g]).params) for g in np.unique(df[column])])


@pytest.mark.parametrize("name", ["ols", "wls", "poisson", "exponential", "normal-sigma"])
def test_jackknife_is_the_fits_without_each_cluster(name):
    problem, res = BY_NAME[name], fitted(BY_NAME[name])
    points = left_out(problem, problem.frame(), "firm")
    for cov_type, centre in (("cluster-crv3", np.asarray(res.params)), ("cluster-jk", points.mean(0))):
        expected = (points - centre).T @ (points - centre)
        plain = res.with_covariance(cov_type, {"groups": "firm", "use_correction": False})
        assert deviation(plain.cov_params(), expected) < 1e-6
        g = len(points)
        corrected = res.with_covariance(cov_type, {"groups": "firm"})
        assert deviation(corrected.cov_params(), expected * (g - 1) / g) < 1e-6
        assert corrected.df_inference == g - 1


@pytest.mark.parametrize("cov_type", ["cluster-crv3", "cluster-jk"])
@pytest.mark.parametrize("weights", [None, "precision"])
def test_jackknife_as_in_statsmodels(cov_type, weights):
    df = BY_NAME["ols"].frame()
    x = sm.add_constant(df[["x", "w"]])
    arguments = {"weights": df[weights]} if weights else {}
    ours, theirs = (tm.WLS, sm.WLS) if weights else (tm.OLS, sm.OLS)
    fitting = {"cov_type": cov_type, "cov_kwds": {"groups": df["firm"]}}
    res, other = ours(df["y"], x, **arguments).fit(**fitting), theirs(df["y"], x, **arguments).fit(**fitting)
    assert deviation(res.cov_params(), other.cov_params()) < 1e-9


def test_leaving_out_each_row_is_hc3():
    """``d_i = A x_i e_i / (1 - h_i)``."""
    res = fitted(BY_NAME["ols"])
    rows = res.with_covariance("cluster-crv3", {"groups": np.arange(240), "use_correction": False})
    assert deviation(rows.cov_params(), res.with_covariance("HC3").cov_params()) < CLOSED


@pytest.mark.parametrize("cov_type", ["cluster-crv3", "cluster-jk"])
def test_what_the_jackknife_cannot_do_is_refused(cov_type):
    df = BY_NAME["ols"].frame()
    with pytest.raises(ValueError, match="at least 2 clusters"):
        _ = tm.OLS.from_formula("y ~ x", df).fit(cov_type=cov_type, cov_kwds={"groups": np.zeros(len(df))}).bse
    with pytest.raises(NotImplementedError, match="one grouping"):
        tm.OLS.from_formula("y ~ x", df).fit(cov_type=cov_type, cov_kwds={"groups": ["firm", "year"]})
    with pytest.raises(ValueError, match="cluster '3' .*rank-deficient"):
        _ = tm.OLS.from_formula("y ~ x + I(firm == 3)", df).fit(cov_type=cov_type, cov_kwds={"groups": "firm"}).bse


# -- a given scale, a given factor, a given distribution -------------------------------------------------------


def test_fixed_scale_as_in_statsmodels():
    df = BY_NAME["wls"].frame()
    for scale in (1.0, 5.0):
        options = {"scale": scale} if scale != 1 else None
        res = tm.WLS.from_formula("y ~ x", df, weights="precision").fit(cov_type="fixed scale", cov_kwds=options)
        x = sm.add_constant(df[["x"]])
        other = sm.WLS(df["y"], x, df["precision"]).fit(cov_type="fixed scale", cov_kwds=options)
        assert deviation(res.cov_params(), other.cov_params()) < CLOSED
        assert res.scale == other.scale == scale
        assert res.use_t is other.use_t is False  # no dispersion was estimated
        np.testing.assert_allclose(res.pvalues, other.pvalues, rtol=1e-9)
        np.testing.assert_allclose((res.fvalue, res.f_pvalue), (other.fvalue, other.f_pvalue), rtol=1e-9)
        np.testing.assert_allclose(res.resid_pearson, other.resid_pearson, rtol=1e-9)
    with pytest.raises(ValueError, match="scale"):
        tm.OLS.from_formula("y ~ x", df).fit(cov_type="fixed scale", cov_kwds={"scale": -1})


def test_factor_and_distribution_of_ones_own():
    res = fitted(BY_NAME["poisson"])
    plain = res.with_covariance("cluster", {"groups": "firm"})
    own = res.with_covariance("cluster", {"groups": "firm", "scaling_factor": 0.25, "use_t": True})
    np.testing.assert_allclose(own.bse, plain.bse / 2, rtol=1e-14)
    assert (plain.use_t, own.use_t) == (False, True)
    assert (own.pvalues > plain.pvalues * 0).all()


# -- surveys ---------------------------------------------------------------------------------------------------


def survey_meat(scores, strata, psu, fractions):
    """The sum over strata written out."""
    total = 0
    for h in np.unique(strata):
        inside = strata == h
        sums = pd.DataFrame(scores[inside]).groupby(psu[inside]).sum().to_numpy()
        n, f = len(sums), fractions[inside][0]
        centred = sums - sums.mean(0)
        total = total + (1 - f) * n / (n - 1) * centred.T @ centred
    return total


@pytest.mark.parametrize("fpc", [None, "share", "units"])
@pytest.mark.parametrize("name", ["ols", "poisson"])
def test_survey_is_its_formula(name, fpc):
    df = BY_NAME[name].frame()
    df = df.assign(region=df["firm"] % 3)
    units = df.groupby("region")["firm"].nunique()
    df = df.assign(share=0.1 + 0.1 * df["region"], units=10 * df["region"].map(units))
    res = BY_NAME[name].fit(df)
    scores = np.asarray(res.score_obs())
    share = {None: np.zeros(len(df)), "share": df["share"].to_numpy(), "units": np.full(len(df), 0.1)}[fpc]
    meat = survey_meat(scores, df["region"].to_numpy(), df["firm"].to_numpy(), share)
    bread = np.linalg.inv(-np.asarray(res.hessian()))
    options = {"strata": "region", "psu": "firm", "fpc": fpc}
    robust = res.with_covariance("survey", {key: value for key, value in options.items() if value})
    assert deviation(robust.cov_params(), bread @ meat @ bread) < 1e-9
    assert robust.df_inference == df["firm"].nunique() - 3


DESIGNS = {
    "rows": {},
    "psu": {"psu": "g"},
    "strata": {"strata": "stratum", "psu": "g"},
    "fpc": {"strata": "stratum", "psu": "g", "fpc": "units"},
}
RESPONSES = {"gaussian": "yn", "poisson": "yp", "logit": "yb"}


def simulated():
    df = pd.read_csv(Path(__file__).parent / "reference" / "data" / "simulated.csv")
    stratum = df["g"] % 3
    return df.assign(
        stratum=stratum, units=np.array([9, 30, 14])[stratum], share=df["w"] / 1.7, alone=df["g"] == df["g"][0]
    )


def weighted_fit(kind):
    family = {"gaussian": tm.families.Gaussian, "poisson": tm.families.Poisson, "logit": tm.families.Binomial}[kind]()
    formula = f"{RESPONSES[kind]} ~ x + z"
    return tm.GLM.from_formula(formula, simulated(), family=family, sampling_weights="share").fit()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", RESPONSES)
def test_survey_is_that_of_r(kind, design):
    """R's survey 4.1-1, svyglm of svydesign."""
    robust = weighted_fit(kind).with_covariance("survey", DESIGNS[design])
    assert deviation(robust.cov_params(), R_DESIGN[f"survey {design} {kind}"]) < 1e-10
    assert [robust.df_inference] == R_DESIGN[f"df {design}"]


@pytest.mark.parametrize("how", ["certainty", "adjust"])
def test_lonely_units_are_those_of_r(how):
    robust = weighted_fit("poisson").with_covariance("survey", {"strata": "alone", "psu": "g", "lonely_psu": how})
    assert deviation(robust.cov_params(), R_DESIGN[f"survey {how} poisson"]) < 1e-10


def test_jackknife_over_clusters_is_that_of_r():
    """R's clubSandwich 0.5.8; its CR3 leaves out the factor (G - 1) / G of the jackknife."""
    res, clusters = tm.OLS.from_formula("yn ~ x + z", simulated()).fit(), simulated()["g"].nunique()
    plain = res.with_covariance("cluster", {"groups": "g", "convention": "none"})
    assert deviation(plain.cov_params(), R_DESIGN["clubSandwich CR0"]) < CLOSED
    left_out = res.with_covariance("cluster-crv3", {"groups": "g"})
    assert deviation(left_out.cov_params() * clusters / (clusters - 1), R_DESIGN["clubSandwich CR3"]) < CLOSED


def test_one_stratum_is_clusters_with_their_factor():
    res = fitted(BY_NAME["poisson"])
    survey = res.with_covariance("survey", {"psu": "firm"})
    assert (
        deviation(
            survey.cov_params(), res.with_covariance("cluster", {"groups": "firm", "convention": "R"}).cov_params()
        )
        < 1e-6
    )
    rows = res.with_covariance("survey")
    n = res.nobs
    assert deviation(rows.cov_params(), res.with_covariance("HC0").cov_params() * n / (n - 1)) < 1e-6


def test_a_stratum_with_one_unit():
    df = BY_NAME["ols"].frame()
    df = df.assign(region=np.where(df["firm"] == 1, "alone", "rest"))
    res = tm.OLS.from_formula("y ~ x", df).fit()
    with pytest.raises(ValueError, match="1 strata.*lonely_psu"):
        _ = res.with_covariance("survey", {"strata": "region", "psu": "firm"}).bse
    certain, adjusted = (
        res.with_covariance("survey", {"strata": "region", "psu": "firm", "lonely_psu": how})
        for how in ("certainty", "adjust")
    )
    scores = np.asarray(res.score_obs())
    rest = (df["region"] == "rest").to_numpy()
    bread = np.linalg.inv(-np.asarray(res.hessian()))
    meat = survey_meat(scores[rest], np.zeros(rest.sum()), df["firm"].to_numpy()[rest], np.zeros(rest.sum()))
    assert deviation(certain.cov_params(), bread @ meat @ bread) < 1e-9
    alone = scores[~rest].sum(0) - scores.sum(0) / df["firm"].nunique()
    assert deviation(adjusted.cov_params(), bread @ (meat + np.outer(alone, alone)) @ bread) < 1e-9


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cov_type", "options", "error", "words"),
    [
        ("hac-panel", {"maxlags": 2}, ValueError, "either time or groups"),
        ("hac-groupsum", {"maxlags": 2}, KeyError, "time"),
        ("hac-panel", {"groups": "firm"}, KeyError, "maxlags"),
        ("hac-panel", {"groups": "firm", "maxlags": 2, "use_correction": "hc"}, ValueError, "use_correction"),
        ("HAC", {"maxlags": "automatic"}, ValueError, "newey-west"),
        ("HAC", {"maxlags": "newey-west", "kernel": "uniform"}, ValueError, "bartlett, parzen and qs"),
        ("survey", {"lonely_psu": "drop"}, ValueError, "certainty"),
    ],
)
def test_what_is_not_a_covariance_is_refused(cov_type, options, error, words):
    with pytest.raises(error, match=words):
        _ = tm.OLS.from_formula("y ~ x", BY_NAME["ols"].frame()).fit(cov_type=cov_type, cov_kwds=options).bse


def test_series_of_repeated_rows_are_refused():
    df = BY_NAME["ols"].frame().assign(times=2.0)
    with pytest.raises(ValueError, match="own time"):
        tm.OLS.from_formula("y ~ x", df, freq_weights="times").fit(cov_type="HAC", cov_kwds={"maxlags": 2})


# -- what a summary says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use_t", "words"), [(True, "Student's t, 11 degrees of freedom"), (False, "the normal distribution")]
)
def test_summary_names_factor_clusters_and_distribution(use_t, words):
    df = BY_NAME["poisson"].frame()
    df = df.assign(firm=df["firm"] % 12)
    res = BY_NAME["poisson"].fit(df, fitting={"cov_type": "cluster", "cov_kwds": {"groups": "firm"}, "use_t": use_t})
    text = " ".join(res.summary().as_text().split())
    factor = 12 / 11 * (res.nobs - 1) / (res.nobs - 3)
    assert f"(CRV1); 12 clusters, small-sample factor of statsmodels, {factor:.6g}; tests by {words}" in text
    stata = res.with_covariance("cluster", {"groups": "firm", "convention": "stata"})
    assert f"factor of stata, {12 / 11:.6g}" in stata.cov_kwds["description"]


def test_the_factors_of_two_way_clusters_are_printed():
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"x": rng.normal(size=300), "f": rng.integers(0, 20, 300), "t": rng.integers(0, 10, 300)})
    df["y"] = rng.poisson(np.exp(0.3 * df["x"]))
    res = tm.Poisson.from_formula("y ~ x", df).fit(cov_type="cluster", cov_kwds={"groups": ["f", "t"]}, disp=False)
    pairs = len(df.groupby(["f", "t"]))
    factors = ", ".join(f"{g / (g - 1) * 299 / 298:.6g}" for g in (20, 10, pairs))
    text = " ".join(str(res.summary()).split())
    assert f"20 x 10 clusters, small-sample factors of statsmodels, {factors}; tests by" in text


@pytest.mark.parametrize(
    ("cov_type", "kwds", "said"),
    [
        ("HC1", {}, f"(HC1), small-sample factor {240 / 237:.6g}; tests by the normal distribution"),
        ("HC1", {"convention": "stata"}, f"small-sample factor {240 / 239:.6g};"),
        ("HC3", {}, "(HC3); tests by the normal distribution"),
        ("HAC", {"maxlags": 2, "use_correction": True}, f"with small sample correction, {240 / 237:.6g}; tests by"),
        (
            "hac-panel",
            {"maxlags": 2, "groups": "firm"},
            f"40 series, 2 lags, small-sample factor {240 / 237:.6g}; tests by",
        ),
        (
            "hac-groupsum",
            {"maxlags": 2, "time": "year", "use_correction": False},
            "8 periods, 2 lags, no small-sample factor;",
        ),
    ],
)
def test_a_summary_says_the_factor_and_what_tests_refer_to(cov_type, kwds, said):
    res = fitted(BY_NAME["poisson"]).with_covariance(cov_type, kwds)
    assert said in " ".join(str(res.summary()).split())
