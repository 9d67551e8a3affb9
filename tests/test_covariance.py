"""Covariance matrices against statsmodels, and against their formulas written out in numpy."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from problems import BY_NAME, fitted
from statsmodels.stats.sandwich_covariance import cov_hac

import torchmle as tm

# Closed forms agree to rounding; iterated fits end within 1e-6 standard errors of the maximum, statsmodels' too.
CLOSED = 1e-10
ITERATED = 1e-6


def repaired(matrix):
    """The nearest matrix without negative eigenvalues, which statsmodels does not look for."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def close(actual, expected, tolerance):
    actual, expected = np.asarray(actual), np.asarray(expected)
    unit = np.sqrt(np.diag(expected)) if expected.ndim == 2 else np.abs(expected)
    scale = np.outer(unit, unit) if expected.ndim == 2 else unit
    assert actual.shape == expected.shape
    assert (np.abs(actual - expected) <= tolerance * scale).all()


@pytest.fixture(scope="module")
def linear():
    return BY_NAME["ols"].frame()


@pytest.fixture(scope="module")
def counts():
    return BY_NAME["poisson"].frame()


@pytest.fixture(scope="module")
def ols(linear):
    return tm.OLS.from_formula("y ~ x + w", linear).fit()


# -- statsmodels -----------------------------------------------------------------------------------------------

STATSMODELS = [
    ("nonrobust", {}),
    ("HC0", {}),
    ("HC1", {}),
    ("HC2", {}),
    ("HC3", {}),
    ("cluster", {"groups": ["firm"]}),
    ("cluster", {"groups": ["firm"], "use_correction": False}),
    ("cluster", {"groups": ["firm"], "df_correction": False}),
    ("cluster", {"groups": ["firm", "year"]}),
    ("HAC", {"maxlags": 4}),
    ("HAC", {"maxlags": 4, "use_correction": True}),
]


def their_options(options, df):
    groups = options.get("groups")
    return options if groups is None else {**options, "groups": df[groups].to_numpy().squeeze()}


@pytest.mark.parametrize(("cov_type", "options"), STATSMODELS)
@pytest.mark.parametrize("weights", [None, "precision"])
def test_least_squares_as_in_statsmodels(linear, cov_type, options, weights):
    theirs = (smf.wls("y ~ x + w", linear, weights=linear[weights]) if weights else smf.ols("y ~ x + w", linear)).fit(
        cov_type=cov_type, cov_kwds=their_options(options, linear)
    )
    model = (
        tm.WLS.from_formula("y ~ x + w", linear, weights=weights)
        if weights
        else tm.OLS.from_formula("y ~ x + w", linear)
    )
    res = model.fit(cov_type=cov_type, cov_kwds=options)
    close(res.cov_params(), repaired(theirs.cov_params()), CLOSED)
    if (theirs.bse > 0).all() and np.linalg.eigvalsh(theirs.cov_params()).min() > 0:
        close(res.pvalues, theirs.pvalues, 1e-8)
        close(res.conf_int().to_numpy().ravel(), theirs.conf_int().to_numpy().ravel(), CLOSED)
    assert res.use_t == theirs.use_t
    assert res.cov_type == cov_type
    if cov_type == "cluster":
        assert getattr(res, "df_resid_inference", None) == getattr(theirs, "df_resid_inference", None)
        assert res.use_t is False
        with_t = model.fit(cov_type=cov_type, cov_kwds=options, use_t=True)
        their_t = smf.ols("y ~ x + w", linear) if not weights else smf.wls("y ~ x + w", linear, weights=linear[weights])
        their_t = their_t.fit(cov_type=cov_type, cov_kwds=their_options(options, linear), use_t=True)
        if np.linalg.eigvalsh(theirs.cov_params()).min() > 0:
            close(with_t.pvalues, their_t.pvalues, 1e-8)
            close([with_t.fvalue, with_t.f_pvalue], [their_t.fvalue, their_t.f_pvalue], 1e-8)


@pytest.mark.parametrize(
    ("cov_type", "options"),
    [("nonrobust", {}), ("HC0", {}), ("cluster", {"groups": ["firm"]}), ("cluster", {"groups": ["firm", "year"]})],
)
def test_poisson_as_in_statsmodels(counts, cov_type, options):
    robust = {"cov_type": cov_type, "cov_kwds": their_options(options, counts)} if options else {"cov_type": cov_type}
    theirs = smf.poisson("y ~ x + w", counts, offset=counts["off"], exposure=counts["years"]).fit(
        disp=0, method="newton", tol=1e-12, **robust
    )
    res = tm.Poisson.from_formula("y ~ x + w", counts, offset="off", exposure="years").fit(
        disp=0, cov_type=cov_type, cov_kwds=options
    )
    close(res.cov_params(), repaired(theirs.cov_params()), ITERATED)
    close(res.tvalues, theirs.tvalues, ITERATED)
    assert res.use_t is False


# -- the formulas ----------------------------------------------------------------------------------------------


def ols_pieces(df, p):
    x = np.column_stack([np.ones(len(df)), df["x"], df["w"]])
    return x * (df["y"] - x @ p).to_numpy()[:, None], x.T @ x, ((x @ np.linalg.inv(x.T @ x)) * x).sum(1)


def wls_pieces(df, p):
    x, weight = np.column_stack([np.ones(len(df)), df["x"], df["w"]]), df["precision"].to_numpy()
    root = x * np.sqrt(weight)[:, None]
    leverage = ((root @ np.linalg.inv(root.T @ root)) * root).sum(1)
    return x * (weight * (df["y"].to_numpy() - x @ p))[:, None], root.T @ root, leverage


def poisson_pieces(df, p):
    x = np.column_stack([np.ones(len(df)), df["x"], df["w"]])
    mu = (df["years"] * np.exp(x @ p + df["off"])).to_numpy()
    root = x * np.sqrt(mu)[:, None]
    return x * (df["y"].to_numpy() - mu)[:, None], root.T @ root, ((root @ np.linalg.inv(root.T @ root)) * root).sum(1)


def exponential_pieces(df, p):
    x = np.column_stack([np.ones(len(df)), df["x"], df["w"]])
    expected = np.exp(x @ p) * df["time"].to_numpy()
    root = x * np.sqrt(expected)[:, None]
    return (
        x * (df["event"] - expected).to_numpy()[:, None],
        root.T @ root,
        ((root @ np.linalg.inv(root.T @ root)) * root).sum(1),
    )


def gumbel_pieces(df, p):
    x, w = np.column_stack([np.ones(len(df)), df["x"], df["w"]]), np.column_stack([np.ones(len(df)), df["w"]])
    sigma = np.exp(w @ p[3:])
    z = (df["y"].to_numpy() - x @ p[:3]) / sigma
    e = np.exp(-z)
    scores = np.column_stack([x * ((1 - e) / sigma)[:, None], w * (z * (1 - e) - 1)[:, None]])
    mixed = x.T @ (w * ((1 - e + z * e) / sigma)[:, None])
    information = np.block(
        [[x.T @ (x * (e / sigma**2)[:, None]), mixed], [mixed.T, w.T @ (w * (z * (1 - e) + z**2 * e)[:, None])]]
    )
    return scores, information, None


PIECES = {
    "ols": ols_pieces,
    "wls": wls_pieces,
    "poisson": poisson_pieces,
    "exponential": exponential_pieces,
    "gumbel": gumbel_pieces,
}
each_model = pytest.mark.parametrize("name", PIECES)
with_leverages = pytest.mark.parametrize("name", [name for name in PIECES if name != "gumbel"])


def pieces(name):
    """Result, frame, scores, bread, leverages, n and k, of which only the estimates come from the package."""
    res, df = fitted(BY_NAME[name]), BY_NAME[name].frame()
    scores, information, leverage = PIECES[name](df, res.params_array)
    return res, df, scores, np.linalg.inv(information), leverage, *scores.shape


@each_model
def test_hc0_and_hc1(name):
    res, _, s, bread, _, n, k = pieces(name)
    hc0 = bread @ s.T @ s @ bread
    close(res.with_covariance("HC0").cov_params(), hc0, CLOSED)
    close(res.with_covariance("HC1").cov_params(), hc0 * n / (n - k), CLOSED)
    stata = n / (n - k) if name in ("ols", "wls") else n / (n - 1)
    close(res.with_covariance("HC1", {"convention": "stata"}).cov_params(), hc0 * stata, CLOSED)


@with_leverages
def test_hc2_and_hc3(name):
    res, _, s, bread, leverage, _, k = pieces(name)
    assert leverage.sum() == pytest.approx(k)
    for cov_type, power in (("HC2", 0.5), ("HC3", 1.0)):
        adjusted = s / ((1 - leverage) ** power)[:, None]
        close(res.with_covariance(cov_type).cov_params(), bread @ adjusted.T @ adjusted @ bread, CLOSED)


@each_model
def test_outer_product_of_gradients(name):
    res, _, s, *_ = pieces(name)
    if name in ("ols", "wls"):
        s = s / res.scale  # least squares' scores are those of the likelihood at the estimated variance
    close(res.with_covariance("opg").cov_params(), np.linalg.inv(s.T @ s), CLOSED)


@each_model
def test_nonrobust(name):
    res, _, _, bread, _, n, k = pieces(name)
    close(res.cov_params(), bread * (res.scale if name in ("ols", "wls") else 1.0), CLOSED)
    if name == "ols":
        residuals = fitted(BY_NAME[name]).resid
        assert res.scale == pytest.approx((residuals**2).sum() / (n - k), rel=1e-12)


def clustered(scores, df, columns, factor):
    """The meat of m-way clustering by inclusion and exclusion, the factor of each part a function of its clusters."""
    total = 0
    for size in range(1, len(columns) + 1):
        for chosen in combinations(columns, size):
            sums = pd.DataFrame(scores).groupby([df[column].to_numpy() for column in chosen]).sum().to_numpy()
            total = total + (-1) ** (size + 1) * factor(len(sums)) * sums.T @ sums
    return total


@pytest.mark.parametrize("convention", ["statsmodels", "R", "stata", "none"])
@pytest.mark.parametrize("columns", [["firm"], ["firm", "year"], ["firm", "year", "g"]], ids=len)
@each_model
def test_clusters(name, columns, convention):
    res, df, s, bread, _, n, k = pieces(name)
    fewest = min(df[column].nunique() for column in columns)

    def factor(groups):
        if convention == "none":
            return 1.0
        groups = fewest if convention == "stata" else groups
        linear = name in ("ols", "wls") or convention == "statsmodels"
        return groups / (groups - 1) * ((n - 1) / (n - k) if linear else 1.0)

    expected = bread @ clustered(s, df, columns, factor) @ bread
    expected = repaired(expected)
    robust = res.with_covariance("cluster", {"groups": columns, "convention": convention})
    close(robust.cov_params(), expected, CLOSED)
    assert robust.df_resid_inference == fewest - 1
    assert robust.cov_kwds["n_groups"] == tuple(df[column].nunique() for column in columns)
    note = robust.cov_kwds["description"]
    assert " x ".join(str(df[column].nunique()) for column in columns) in note
    assert ("no small-sample factor" if convention == "none" else convention) in note


@each_model
def test_hac(name):
    res, _, s, bread, _, n, k = pieces(name)
    weights = np.maximum(0, 1 - np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 4)
    expected = bread @ s.T @ weights @ s @ bread
    close(res.with_covariance("HAC", {"maxlags": 3}).cov_params(), expected, CLOSED)
    corrected = res.with_covariance("hac", {"maxlags": 3, "use_correction": True})
    close(corrected.cov_params(), expected * n / (n - k), CLOSED)


def test_hac_is_statsmodels(linear, ols):
    theirs = cov_hac(smf.ols("y ~ x + w", linear).fit(), nlags=2, use_correction=False)
    close(ols.with_covariance("HAC", {"maxlags": 2}).cov_params(), theirs, CLOSED)


@pytest.mark.parametrize("name", ["ols", "wls", "poisson"])
def test_expected_information_is_the_observed_one_where_the_link_is_canonical(name):
    res = fitted(BY_NAME[name])
    close(res.with_covariance("eim").cov_params(), res.cov_params(), CLOSED)


def test_expected_information_of_the_normal():
    res = fitted(BY_NAME["normal-sigma"])
    df = BY_NAME["normal-sigma"].frame()
    x, w = np.column_stack([np.ones(len(df)), df["x"], df["w"]]), np.column_stack([np.ones(len(df)), df["w"]])
    precision = np.exp(-2 * w @ res.params_array[3:])
    zero = np.zeros((3, 2))
    information = np.block([[x.T @ (x * precision[:, None]), zero], [zero.T, 2 * w.T @ w]])
    close(res.with_covariance("eim").bse, np.sqrt(np.diag(np.linalg.inv(information))), CLOSED)


# -- on the reported scale -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "opg", "cluster"])
def test_natural_scales_by_the_delta_method(cov_type):
    """Covariances in sigma are those in log sigma times sigma."""
    df = BY_NAME["normal"].frame()
    kwds = {"groups": "firm"} if cov_type == "cluster" else None
    natural = tm.Normal.from_formula("y ~ x + w", df).fit(cov_type=cov_type, cov_kwds=kwds)
    # one column of ones for log sigma: the same model on the real scale
    real = tm.Normal.from_formula("y ~ x + w", df.assign(one=1.0), sigma="~ one - 1").fit(
        cov_type=cov_type, cov_kwds=kwds
    )
    change = np.diag([1, 1, 1, natural.params["sigma"]])
    assert natural.params["sigma"] == pytest.approx(np.exp(real.params["sigma[one]"]), rel=1e-9)
    close(natural.cov_params(), change @ real.cov_params().to_numpy() @ change, ITERATED)
    expected = np.exp(real.conf_int().loc["sigma[one]"])
    assert natural.conf_int().loc["sigma"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)


def test_intervals_stay_in_the_domain():
    df = BY_NAME["mixture"].frame(n=40)
    limits = BY_NAME["mixture"].fit(df).conf_int(alpha=1e-12)
    assert 0 < limits.loc["share", 0] < limits.loc["share", 1] < 1
    assert limits.loc["sigma", 0] > 0


# -- ways to say which group a row is in -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_firm(linear):
    return tm.OLS.from_formula("y ~ x + w", linear).fit(cov_type="cluster", cov_kwds={"groups": "firm"})


FORMS = {
    "name": lambda df: "firm",
    "list of one name": lambda df: ["firm"],
    "array": lambda df: df["firm"].to_numpy(),
    "column": lambda df: df["firm"].to_numpy()[:, None],
    "series": lambda df: df["firm"],
    "shuffled series": lambda df: df["firm"].sample(frac=1, random_state=3),
    "strings": lambda df: df["firm"].map("firm {}".format),
    "string dtype": lambda df: df["firm"].map("firm {}".format).astype("string"),
    "categorical": lambda df: df["firm"].map("firm {}".format).astype("category"),
    "unused categories": lambda df: df["firm"].astype(pd.CategoricalDtype(range(100))),
    "nullable": lambda df: df["firm"].astype("Int64"),
    "dates": lambda df: pd.Timestamp("2000-01-01") + pd.to_timedelta(df["firm"], "D"),
    "floats": lambda df: df["firm"] + 0.5,
    "list": lambda df: df["firm"].tolist(),
    "list of strings": lambda df: df["firm"].map(str).tolist(),
    "list of one array": lambda df: [df["firm"].to_numpy()],
    "frame": lambda df: df[["firm"]],
    "shuffled frame": lambda df: df[["firm"]].sample(frac=1, random_state=3),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_groups(linear, by_firm, form):
    model = tm.OLS.from_formula("y ~ x + w", linear)
    res = model.fit(cov_type="cluster", cov_kwds={"groups": FORMS[form](linear)})
    close(res.cov_params(), by_firm.cov_params(), CLOSED)
    assert res.cov_kwds["n_groups"] == by_firm.cov_kwds["n_groups"]


TWO_WAYS = {
    "names": lambda df: ["firm", "year"],
    "tuple": lambda df: ("firm", "year"),
    "matrix": lambda df: df[["firm", "year"]].to_numpy(),
    "frame": lambda df: df[["firm", "year"]],
    "shuffled frame": lambda df: df[["firm", "year"]].sample(frac=1, random_state=3),
    "mixed": lambda df: ["firm", df["year"].to_numpy()],
    "frame of strings and numbers": lambda df: df[["firm", "year"]].assign(firm=df["firm"].map("f{}".format)),
}


@pytest.mark.parametrize("form", TWO_WAYS)
def test_forms_of_two_groupings(linear, form):
    model = tm.OLS.from_formula("y ~ x + w", linear)
    theirs = smf.ols("y ~ x + w", linear).fit(
        cov_type="cluster", cov_kwds={"groups": linear[["firm", "year"]].to_numpy()}
    )
    res = model.fit(cov_type="cluster", cov_kwds={"groups": TWO_WAYS[form](linear)})
    close(res.cov_params(), theirs.cov_params(), CLOSED)


def test_groups_of_arrays(linear, by_firm):
    y, x = linear["y"].to_numpy(), sm.add_constant(linear[["x", "w"]].to_numpy())
    res = tm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": linear["firm"].to_numpy()})
    close(res.cov_params(), by_firm.cov_params(), CLOSED)
    with pytest.raises(ValueError, match="groups"):
        tm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": linear["firm"].to_numpy()[:-1]})


HOLES = {
    "float": lambda firm: firm.astype(float).mask(firm == 3),
    "strings": lambda firm: firm.map("f{}".format).mask(firm == 3),
    "none": lambda firm: firm.map("f{}".format).astype(object).where(firm != 3, None),
    "nullable": lambda firm: firm.astype("Int64").mask(firm == 3),
    "string dtype": lambda firm: firm.map("f{}".format).astype("string").mask(firm == 3),
    "categorical": lambda firm: firm.map("f{}".format).mask(firm == 3).astype("category"),
    "dates": lambda firm: (pd.Timestamp("2000-01-01") + pd.to_timedelta(firm, "D")).mask(firm == 3),
}


@pytest.mark.parametrize("given", ["name", "series"])
@pytest.mark.parametrize("kind", HOLES)
def test_rows_without_a_group_leave_the_fit(linear, kind, given):
    df = linear.assign(holes=HOLES[kind](linear["firm"]))
    kept = linear[linear["firm"] != 3]
    expected = tm.OLS.from_formula("y ~ x + w", kept).fit(cov_type="cluster", cov_kwds={"groups": "firm"})
    model = tm.OLS.from_formula("y ~ x + w", df)
    res = model.fit(cov_type="cluster", cov_kwds={"groups": "holes" if given == "name" else df["holes"]})
    close(res.cov_params(), expected.cov_params(), CLOSED)
    assert res.nobs == len(kept)
    assert res.model.dropped_rows == len(df) - len(kept)
    assert list(res.fittedvalues.index) == list(kept.index)
    assert f"{len(df) - len(kept)} rows with missing values were left out" in res.summary().as_text()
    assert model.nobs == len(df)  # the model the user holds keeps its rows
    with pytest.raises(ValueError, match="refit"):
        model.fit().with_covariance("cluster", {"groups": "holes"})


def test_groups_follow_the_rows_the_formula_kept(linear):
    df = linear.assign(x=linear["x"].mask(linear.index % 7 == 0))
    kept = df.dropna(subset=["x"])
    expected = tm.OLS.from_formula("y ~ x + w", kept).fit(cov_type="cluster", cov_kwds={"groups": "firm"})
    for groups in ("firm", df["firm"], df["firm"].to_numpy(), kept["firm"], kept["firm"].to_numpy()):
        res = tm.OLS.from_formula("y ~ x + w", df).fit(cov_type="cluster", cov_kwds={"groups": groups})
        close(res.cov_params(), expected.cov_params(), CLOSED)


def test_every_row_its_own_cluster_is_hc0(ols, linear):
    res = ols.with_covariance("cluster", {"groups": np.arange(len(linear)), "convention": "none"})
    close(res.cov_params(), ols.with_covariance("HC0").cov_params(), CLOSED)


def test_negative_variances_are_never_reported():
    """Three clusters one way and three the other: what is taken off for rows in both can exceed what is there."""
    rng = np.random.default_rng(2)
    df = pd.DataFrame(
        {"y": rng.normal(size=24), "x": rng.normal(size=24), "a": np.arange(24) // 8, "b": np.arange(24) % 3}
    )
    res = tm.OLS.from_formula("y ~ x", df).fit(cov_type="cluster", cov_kwds={"groups": ["a", "b"]})
    s = sm.add_constant(df["x"].to_numpy())
    s, bread = s * res.resid.to_numpy()[:, None], np.linalg.inv(s.T @ s)
    raw = bread @ clustered(s, df, ["a", "b"], lambda groups: groups / (groups - 1) * 23 / 22) @ bread
    assert np.linalg.eigvalsh(raw).min() < 0
    close(res.cov_params(), repaired(raw), CLOSED)
    assert "negative eigenvalues" in res.cov_kwds["description"]


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cov_type", "options", "error", "words"),
    [
        ("HC4", None, ValueError, "HC0.*HC3.*cluster.*HAC"),
        ("robust", None, ValueError, "'robust'"),
        ("HC1", {"groups": "firm"}, TypeError, "'groups'.*convention"),
        ("nonrobust", {"maxlags": 3}, TypeError, "'maxlags'.*use_t"),
        ("cluster", {"group": "firm"}, TypeError, "'group'.*groups.*convention"),
        ("cluster", {"groups": "firm", "convention": "sas"}, ValueError, "statsmodels, R, stata, none"),
        ("cluster", {"groups": "frim"}, ValueError, "frim"),
        ("cluster", None, KeyError, "groups"),
        ("HAC", None, KeyError, "maxlags"),
        ("HAC", {"maxlags": 3, "kernel": "cosine"}, ValueError, "bartlett.*parzen"),
        ("HAC", {"maxlags": -1}, ValueError, "maxlags"),
        ("HAC", {"maxlags": 2.5}, (ValueError, TypeError), "maxlags"),
    ],
)
def test_what_is_not_a_covariance_is_refused(linear, cov_type, options, error, words):
    with pytest.raises(error, match=words):
        tm.OLS.from_formula("y ~ x + w", linear).fit(cov_type=cov_type, cov_kwds=options)


@pytest.mark.parametrize("cov_type", ["HC2", "HC3"])
@pytest.mark.parametrize("name", ["ols", "wls", "poisson"])
def test_a_row_with_a_dummy_of_its_own_has_no_leverage_adjustment(name, cov_type):
    df = BY_NAME[name].frame()
    df = df.assign(own=(df.index == 5).astype(float))
    res = BY_NAME[name].fit(df[(df["y"] > 0) | (df.index != 5)], "y ~ x + own")
    with pytest.raises(ValueError, match="1 rows have a leverage of 1.*HC1"):
        _ = res.with_covariance(cov_type).bse
    assert np.isfinite(res.with_covariance("HC1").bse).all()


def test_no_covariance_until_asked(linear):
    res = tm.OLS.from_formula("y ~ x + w", linear).fit(cov_type=None)
    with pytest.raises(ValueError, match="cov_type=None"):
        _ = res.bse
    close(res.with_covariance("HC1").bse, tm.OLS.from_formula("y ~ x + w", linear).fit(cov_type="HC1").bse, CLOSED)


def test_with_covariance_leaves_the_first_result_alone(ols):
    before = ols.bse.copy()
    robust = ols.with_covariance("HC3")
    pd.testing.assert_series_equal(ols.bse, before)
    assert (ols.cov_type, robust.cov_type) == ("nonrobust", "HC3")
    assert not robust.bse.equals(before)


def test_names_of_kinds_ignore_case(ols):
    for one, other in (("hc1", "HC1"), ("CLUSTER", "cluster"), ("OPG", "opg")):
        kwds = {"groups": "firm"} if other == "cluster" else None
        assert ols.with_covariance(one, kwds).cov_type == other
