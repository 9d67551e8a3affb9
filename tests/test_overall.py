"""Under robust standard errors a summary shows Wald's test of all slopes and no likelihood ratio, whatever the model."""

import io
import re

import numpy as np
import pandas as pd
import pytest
import torch
from problems import BY_NAME, Mixture, OrderedLogit

import torchmle as tm

LINE = "Wald test of all slopes"


class Own(tm.LikelihoodModel):
    """A normal regression by a likelihood without linear predictors, and two coefficients that are of no columns."""

    parameters = {"sigma": tm.Log(), "beta": tm.Coefficients(), "more": tm.Coefficients(["p", "q"])}

    def loglike_obs(self, p, data):
        z = (data.y - data.X @ p.beta) / p.sigma
        return -0.5 * z**2 - torch.log(p.sigma) - p.more.square().sum()


class Generic(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        x, y = torch.as_tensor(self.exog), torch.as_tensor(self.endog)
        return -0.5 * ((y - x @ params[:-1]) * torch.exp(-params[-1])) ** 2 - params[-1]


@pytest.fixture(scope="module")
def df():
    return BY_NAME["normal"].frame().assign(z=lambda df: df["y"] + np.cos(np.arange(len(df))))


def said(res):
    """Distribution, degrees of freedom, statistic and p-value of the line in the summary; None when there is none."""
    text = re.sub(r"\s+", " ", str(res.summary()))
    found = re.search(rf"{LINE}: (\w+)\(([\d., ]+)\) = (\S+), p-value (\S+)", text)
    return None if found is None else (found[1], found[2], float(found[3]), float(found[4]))


def as_said(test):
    law = "F" if test.distribution == "F" else "chi2"
    degrees = f"{test.df_num:g}, {test.df_denom:g}" if law == "F" else f"{test.df_num:g}"
    return law, degrees, float(f"{float(test.statistic):.5g}"), float(f"{float(test.pvalue):.4g}")


CASES = [
    (Own, "y ~ x + w", ["x", "w"]),
    (tm.Normal, "y ~ x + w", ["x", "w"]),
    (tm.MVNormal, "y + z ~ x + w", ["y[x]", "y[w]", "z[x]", "z[w]"]),
]


@pytest.mark.parametrize(("model", "formula", "names"), CASES)
@pytest.mark.parametrize("use_t", [False, True])
def test_the_test_is_that_of_every_slope(df, model, formula, names, use_t):
    res = model.from_formula(formula, df).fit(cov_type="HC1", use_t=use_t)
    matrix = np.eye(len(res.names))[[res.names.index(name) for name in names]]
    assert said(res) == as_said(res.wald_test(matrix))
    assert LINE not in str(res.with_covariance("nonrobust").summary())


@pytest.mark.parametrize("model", [Own, tm.Normal, tm.MVNormal])
def test_dummies_of_all_levels_are_tested_for_being_equal(df, model):
    response = "y + z" if model is tm.MVNormal else "y"
    one = model.from_formula(f"{response} ~ 0 + C(g)", df).fit(cov_type="HC1")
    other = model.from_formula(f"{response} ~ C(g)", df).fit(cov_type="HC1")
    assert said(one)[:2] == said(other)[:2] == ("chi2", "4" if model is tm.MVNormal else "2")
    assert said(one)[2] == pytest.approx(said(other)[2], rel=1e-4)


def test_a_model_without_a_constant_is_tested_for_all_its_columns():
    res = BY_NAME["ordered"].fit(BY_NAME["ordered"].frame(), fitting={"cov_type": "HC0"})
    assert isinstance(res.model, OrderedLogit)
    assert said(res) == as_said(res.wald_test("x = 0, w = 0"))


def test_without_columns_there_is_no_test(df):
    found = [
        tm.Normal(df["y"].to_numpy()).fit(cov_type="HC0"),
        tm.MVNormal(df[["y", "z"]].to_numpy()).fit(cov_type="HC0"),
        BY_NAME["mixture"].fit(BY_NAME["mixture"].frame(), fitting={"cov_type": "HC0"}),
        tm.Normal.from_formula("y ~ 1", df).fit(cov_type="HC0"),
    ]
    assert isinstance(found[2].model, Mixture)
    assert [said(res) for res in found] == [None] * 4


def test_a_conditional_logit_shows_walds_test(df):
    rng = np.random.default_rng(1)
    some = df.assign(b=(rng.random(len(df)) < 0.5).astype(float), firm=np.arange(len(df)) // 8)
    res = tm.ConditionalLogit.from_formula("b ~ x + w", some, groups="firm").fit(disp=False, cov_type="HC0")
    test = res.wald_test("x = 0, w = 0")
    assert res.overall_test == ("Wald", float(test.statistic), 2, float(test.pvalue))
    text = str(res.summary())
    assert "Wald p-value:" in text and "LLR p-value" not in text
    assert "LLR p-value:" in str(res.with_covariance("nonrobust").summary())


@pytest.mark.parametrize(
    ("model", "formula"), [(tm.Normal, "y ~ 0 + C(g)"), (tm.MVNormal, "y + z ~ x"), (OrderedLogit, "c ~ x - 1")]
)
def test_a_saved_result_says_the_same(df, model, formula):
    res = model.from_formula(formula, df.assign(c=pd.qcut(df["y"], 4, labels=False))).fit(cov_type="HC1")
    file = io.BytesIO()
    res.save(file)
    file.seek(0)
    loaded = tm.load(file)
    assert said(loaded) == said(res) is not None
    res.remove_data()
    assert said(res) == said(loaded)


def test_terms_of_coefficients_beside_others(df):
    res = Own.from_formula("y ~ x + C(g)", df).fit()
    terms = res.term_positions()
    assert {name: [res.names[i] for i in at] for name, at in terms.items()} == {
        "beta[Intercept]": ["Intercept"], "beta[x]": ["x"], "beta[C(g)]": ["C(g)[T.b]", "C(g)[T.c]"]
    }  # fmt: skip
    other = Generic.from_formula("y ~ x + C(g)", df, extra_params_names=["log_sigma"]).fit(disp=False)
    table = other.wald_test_terms().table
    assert list(table.index) == ["Intercept", "C(g)", "x"]
    normal = tm.Normal.from_formula("y ~ x + C(g)", df).fit()
    np.testing.assert_allclose(table["statistic"], normal.wald_test_terms().table["statistic"], rtol=1e-6)


def test_where_every_dummy_is_held_there_is_no_test(df):
    model = tm.Normal.from_formula("y ~ 0 + C(g)", df)
    res = model.fit(fix={f"C(g)[{level}]": 1.0 for level in "abc"}, cov_type="HC0")
    assert said(res) is None


def test_an_infinite_coefficient_leaves_the_test_undefined_without_a_word(df):
    separated = df.assign(b=np.where(df["x"] > 1, 1, np.arange(len(df)) % 2), up=(df["x"] > 1) * 1.0)
    with pytest.warns(tm.errors.PerfectSeparationWarning):
        res = tm.Logit.from_formula("b ~ w + up", separated).fit(disp=False, cov_type="HC1")
    assert np.isnan(res.overall_test.pvalue) and "Wald p-value:" in str(res.summary())
    assert res.wald_test("w = 0").pvalue == pytest.approx(float(res.pvalues["w"]), rel=1e-9)


@pytest.mark.parametrize("model", [tm.Poisson, tm.GLM, tm.OLS])
@pytest.mark.parametrize("formula", ["y ~ x + C(g) - 1", "y ~ x"])
def test_a_result_without_rows_is_read_by_another_distribution(model, formula, tmp_path):
    """Dummies add up to a constant, which the test of all slopes leaves out; that is known without the rows, too."""
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"x": rng.normal(size=90), "g": np.arange(90) % 3})
    df["y"] = rng.poisson(np.exp(0.4 * df["x"] + 0.2 * df["g"]))
    fit = model.from_formula(formula, df).fit(cov_type="HC1", disp=False)
    fit.save(tmp_path / "fit")
    found = tm.load(tmp_path / "fit")
    fit.use_t = found.use_t = True
    assert str(found.summary()).splitlines()[-12:] == str(fit.summary()).splitlines()[-12:]
    fit.remove_data()
    fit.use_t = False
    assert "HC1" in str(fit.summary())
