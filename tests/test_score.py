"""Score tests: four ways to the same null hypothesis, statsmodels' numbers, auxiliary regressions and closed forms."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import torchmle as tm

N = 300
FAMILIES = {
    "poisson": (tm.families.Poisson(), sm.families.Poisson()),
    "gaussian": (tm.families.Gaussian(), sm.families.Gaussian()),
    "gamma": (tm.families.Gamma(tm.families.links.Log()), sm.families.Gamma(sm.families.links.Log())),
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(N), rng.normal(size=(N, 2))])
    more = rng.normal(size=(N, 2))
    y = rng.poisson(np.exp(0.3 * x.sum(1) + 0.1 * more[:, 0])).astype(float)
    return y, x, more


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("observed", [True, False])
def test_glm_against_statsmodels(data, name, observed):
    y, x, more = data
    ours, theirs = FAMILIES[name]
    y = y + 1 if name == "gamma" else y
    small = tm.GLM(y, x, family=ours).fit()
    model = tm.GLM(y, np.column_stack([x, more]), family=ours)
    held = model.fit_constrained("x3 = 0, x4 = 0")
    peer = sm.GLM(y, x, family=theirs).fit(tol=1e-12).score_test(exog_extra=more, observed=observed)
    for test in (
        small.score_test(more, observed=observed),
        held.score_test(observed=observed),
        model.fit().score_test(r_matrix="x3 = 0, x4 = 0", observed=observed),
        model.fit().score_test(params_constrained=held.params, k_constraints=2, observed=observed),
    ):
        assert test.statistic == pytest.approx(float(peer.statistic[0]), rel=1e-8)
        assert test.pvalue == pytest.approx(float(peer.pvalue[0]), rel=1e-8)
        assert test.k_constraint == 2 and test.distribution == "chi2"
        assert tuple(test) == (test.statistic, test.pvalue)


@pytest.mark.parametrize(("ours", "theirs"), [(tm.Poisson, sm.Poisson), (tm.Logit, sm.Logit), (tm.Probit, sm.Probit)])
def test_discrete_models_against_statsmodels(data, ours, theirs):
    y, x, more = data
    y = y if ours is tm.Poisson else (y > 1).astype(float)
    peer = theirs(y, x).fit(disp=0, tol=1e-12).score_test(exog_extra=more)
    assert ours(y, x).fit(disp=False).score_test(more).statistic == pytest.approx(float(peer.statistic[0]), rel=1e-8)


def test_robust_is_wooldridges_auxiliary_regression(data):
    """n - SSR of regressing 1 on residuals times what is left of the new columns after a weighted regression on the old."""
    y, x, more = data
    small = tm.Poisson(y, x).fit(disp=False)
    mu = np.asarray(small.predict())
    root = np.sqrt(mu)[:, None]
    left = more * root - (x * root) @ np.linalg.lstsq(x * root, more * root, rcond=None)[0]
    scores = left * ((y - mu) / np.sqrt(mu))[:, None]
    explained = scores @ np.linalg.lstsq(scores, np.ones(N), rcond=None)[0]
    expected = N - ((1 - explained) ** 2).sum()
    assert small.score_test(more, cov_type="HC0").statistic == pytest.approx(expected, rel=1e-9)
    held = tm.Poisson(y, np.column_stack([x, more])).fit(constraints="x3=0, x4=0", disp=False, cov_type="HC0")
    assert held.score_test().statistic == pytest.approx(expected, rel=1e-9)
    factor = held.score_test(cov_type="HC1").statistic / expected
    assert factor == pytest.approx((N - 5) / N)


def test_clusters(data):
    y, x, more = data
    groups = {"groups": np.arange(N) // 6}
    small = tm.Poisson(y, x).fit(disp=False, cov_type="cluster", cov_kwds=groups)
    full = tm.Poisson(y, np.column_stack([x, more])).fit(disp=False, cov_type="cluster", cov_kwds=groups)
    found = small.score_test(more)
    assert found.statistic == pytest.approx(full.score_test(r_matrix="x3=0,x4=0").statistic, rel=1e-8)
    assert found.statistic == pytest.approx(full.wald_test("x3=0,x4=0").statistic, rel=0.2)  # alike near the null
    each = small.score_test(more, cov_type="cluster", cov_kwds={**groups, "use_correction": False})
    assert each.statistic > found.statistic


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_separate_tests_are_those_of_one_constraint(data, cov_type):
    y, x, more = data
    small = tm.Poisson(y, x).fit(disp=False)
    separate = small.score_test(more, hypothesis="separate", cov_type=cov_type)
    assert separate.distribution == "norm" and separate.statistic.shape == (2,)
    if cov_type == "nonrobust":
        alone = [small.score_test(more[:, [j]]).statistic for j in range(2)]
        scores = small.model.score_obs(small.params)[:, 0]  # residuals
        signs = np.sign(more.T @ scores)
        full = np.column_stack([x, more])
        information = np.linalg.inv(full.T @ (full * np.asarray(small.predict())[:, None]))[3:, 3:]
        efficient = np.linalg.inv(information)
        expected = (more.T @ scores) / np.sqrt(np.diag(efficient))
        np.testing.assert_allclose(separate.statistic, expected, rtol=1e-8)
        np.testing.assert_allclose(signs * np.sqrt(alone), expected, rtol=1e-8)


def test_a_variance_in_closed_form():
    rng = np.random.default_rng(8)
    y = rng.normal(size=120) * 1.3
    held = tm.Normal(y, np.ones(120)).fit(constraints="sigma = 1")
    squares = ((y - y.mean()) ** 2).sum()
    score, information = squares - 120, 2 * squares  # in log sigma, at sigma = 1
    assert held.score_test().statistic == pytest.approx(score**2 / information, rel=1e-10)
    assert held.score_test(observed=False).statistic == pytest.approx(score**2 / 240, rel=1e-10)


def test_columns_for_the_second_parameter():
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"x": rng.normal(size=200) + 1e6, "w": rng.normal(size=200)})
    df["y"] = (df["x"] - 1e6) + np.exp(0.1 * df["w"]) * rng.normal(size=200)
    small = tm.Normal.from_formula("y ~ x", df).fit()
    full = tm.Normal.from_formula("y ~ x", df, sigma="~ w").fit()
    expected = full.score_test(r_matrix="sigma[w] = 0")
    for extra in ("w", df["w"], df[["w"]], ["w"]):
        found = small.score_test((None, extra))
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-7)
    both = small.score_test(("w", "w"))
    assert both.k_constraint == 2 and both.statistic >= found.statistic


def test_predictors_that_share_a_design():
    rng = np.random.default_rng(6)
    x = sm.add_constant(rng.normal(size=(200, 2)))
    y = rng.integers(0, 3, 200)
    found = tm.MNLogit(y, x[:, :2]).fit(disp=False).score_test(x[:, 2])
    full = tm.MNLogit(y, x).fit(disp=False)
    names = [name for name in full.names if name.endswith("x2")]
    expected = full.score_test(r_matrix=[f"{name} = 0" for name in names])
    assert found.k_constraint == 2
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-8)


def test_weights_are_rows(data):
    y, x, more = data
    counts = np.random.default_rng(0).integers(0, 4, N)
    rows = np.repeat(np.arange(N), counts)
    family = tm.families.Gaussian()
    weighted = tm.GLM(y, x, family=family, freq_weights=counts.astype(float)).fit()
    repeated = tm.GLM(y[rows], x[rows], family=family).fit()
    for cov_type in ("nonrobust", "HC0"):
        found = weighted.score_test(more, cov_type=cov_type).statistic
        assert found == pytest.approx(repeated.score_test(more[rows], cov_type=cov_type).statistic, rel=1e-9)


def test_bounds_are_hypotheses_too(data):
    y, x, more = data
    model = tm.Poisson(y, np.column_stack([x, more]))
    bounded = model.fit(bounds={"x2": (None, 0)}, disp=False)
    assert bounded.score_test().statistic == pytest.approx(model.fit(fix={"x2": 0}, disp=False).score_test().statistic)


def test_what_cannot_be_tested(data):
    y, x, more = data
    small = tm.Poisson(y, x).fit(disp=False)
    with pytest.raises(ValueError, match="needs a hypothesis"):
        small.score_test()
    with pytest.raises(ValueError, match="linear combinations"):
        small.score_test(x[:, 1] + x[:, 2])
    with pytest.raises(ValueError, match="k_constraints"):
        small.score_test(params_constrained=[0, 0, 0])
    with pytest.raises(ValueError, match="'joint' or 'separate'"):
        small.score_test(more, hypothesis="both")
    with pytest.raises(ValueError, match="needs r_matrix as well"):
        small.score_test(params_constrained=[0, 0, 0], k_constraints=3, cov_type="HC0")
    held = tm.Poisson(y, x).fit(constraints="x1 = x2", disp=False)
    with pytest.raises(ValueError, match="without constraints"):
        held.score_test(more)
    with pytest.raises(ValueError, match="nothing to test"):
        held.score_test(r_matrix="x1 = x2")


def test_the_three_classical_tests_agree_near_the_null():
    rng = np.random.default_rng(12)
    x = sm.add_constant(rng.normal(size=(20_000, 3)))
    y = rng.poisson(np.exp(x @ [0.1, 0.2, 0.2, 0.01])).astype(float)
    full = tm.Poisson(y, x).fit(disp=False)
    held = tm.Poisson(y, x).fit(constraints="x1 = x2, x3 = 0", disp=False)
    score, ratio = held.score_test().statistic, full.lr_test(held).statistic
    wald = full.wald_test("x1 = x2, x3 = 0").statistic
    np.testing.assert_allclose([ratio, wald], score, rtol=0.01)


# -- the test of a whole model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cov_type", ["HC1", "cluster"])
def test_robust_summaries_show_walds_test(data, cov_type, tmp_path):
    y, x, _ = data
    groups = {"groups": np.arange(N) // 6} if cov_type == "cluster" else {}
    plain = tm.Poisson(y, x).fit(disp=False)
    assert "LLR p-value" in str(plain.summary())
    assert tuple(plain.overall_test) == ("LR", plain.llr, 2, plain.llr_pvalue)
    robust = tm.Poisson(y, x).fit(disp=False, cov_type=cov_type, cov_kwds=groups)
    expected = robust.wald_test("x1 = 0, x2 = 0")
    assert robust.overall_test == ("Wald", expected.statistic, 2, expected.pvalue)
    text = str(robust.summary())
    assert "Wald p-value" in text and "LLR" not in text
    glance = robust.glance().iloc[0]
    assert (glance["test"], glance["statistic"]) == ("Wald", expected.statistic)
    with pytest.raises(ValueError, match="robust"):
        robust.lr_test(tm.Poisson(y, x[:, :2]).fit(disp=False))
    robust.save(tmp_path / "fit")
    assert "Wald p-value" in str(tm.load(tmp_path / "fit").summary())
    by_t = tm.Poisson(y, x).fit(disp=False, cov_type=cov_type, cov_kwds=groups, use_t=True)
    assert by_t.overall_test.kind == "F"
    assert by_t.overall_test.pvalue == by_t.f_test("x1 = 0, x2 = 0").pvalue


def test_walds_test_of_dummies_does_not_depend_on_their_coding():
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"g": rng.choice(list("abc"), 200), "x": rng.normal(size=200)})
    df["y"] = rng.poisson(np.exp(0.2 * df["x"] + 0.3 * (df["g"] == "b"))).astype(float)
    options = {"disp": False, "cov_type": "HC0"}
    coded = tm.Poisson.from_formula("y ~ C(g) + x", df).fit(**options).overall_test
    dummies = tm.Poisson.from_formula("y ~ 0 + C(g) + x", df).fit(**options).overall_test
    assert dummies.df == coded.df == 3
    assert dummies.statistic == pytest.approx(coded.statistic)
    choices = tm.MNLogit(df["y"].clip(upper=2), df[["x"]].assign(const=1.0)).fit(**options)
    assert choices.overall_test.df == 2
    assert choices.overall_test.statistic == pytest.approx(choices.wald_test(["y1_x = 0", "y2_x = 0"]).statistic)


def test_row_factors_make_score_and_hessian(data):
    y, x, _ = data
    for model in (tm.Poisson(y, x), tm.Logit((y > 1).astype(float), x), tm.Normal(y, x)):
        params = model.fit(disp=False).params + 0.01
        first, second = model.score_factor(params), model.hessian_factor(params)
        if first.ndim == 1:
            np.testing.assert_allclose(x.T @ first, model.score(params), rtol=1e-10)
            np.testing.assert_allclose(x.T @ (x * second[:, None]), model.hessian(params), rtol=1e-10)
        else:
            np.testing.assert_allclose(x.T @ first[:, 0], model.score(params)[:3], rtol=1e-10)
            block = x.T @ (x * second[:, 0, 0, None])
            np.testing.assert_allclose(block, model.hessian(params)[:3, :3], rtol=1e-10)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_units_of_columns_do_not_matter(data, cov_type):
    """Of those tested together, whose variances differ by any number of digits; nor where columns left out lie."""
    y, x, _ = data
    data = pd.DataFrame({"y": y, "x": x[:, 1], "w": x[:, 2]})
    other = data.assign(x=data["x"] * 1e9, w=data["w"] * 1e-9)
    results = [tm.Poisson.from_formula("y ~ x + w", df).fit(disp=False) for df in (data, other)]
    one, two = (res.score_test("x = 0, w = 0", cov_type=cov_type).statistic for res in results)
    assert one == pytest.approx(two, rel=1e-9)
    narrow = tm.Poisson.from_formula("y ~ 1", data).fit(disp=False)
    for columns in (data[["x", "w"]], other[["x", "w"]], data[["x", "w"]] + 1e8):
        assert narrow.score_test(columns, cov_type=cov_type).statistic == pytest.approx(one, rel=1e-6)
