"""Tests of linear hypotheses, of terms and of pairs of levels, beside statsmodels'."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.stats.multitest import multipletests

import torchmle as tm
from torchmle.errors import FormulaError, ValueWarning
from torchmle.inference.hypotheses.multiple import METHODS, adjusted

FORMULA = " ~ x * C(g) + w"


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(8)
    n = 90
    found = pd.DataFrame({"x": rng.normal(size=n), "w": rng.uniform(1, 3, n), "g": rng.choice(["a", "b", "c"], n)})
    found["h"] = rng.integers(0, 6, n)
    found["y"] = 1 + found["x"] - 0.4 * (found["g"] == "b") + rng.normal(size=n)
    found["c"] = rng.poisson(np.exp(0.3 + 0.4 * found["x"]))
    return found


def close(ours, theirs, rtol=1e-8, atol=1e-14):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


FITS = {
    "ols": (lambda d: tm.OLS.from_formula("y" + FORMULA, d).fit(), lambda d: smf.ols("y" + FORMULA, d).fit()),
    "ols, HC1": (
        lambda d: tm.OLS.from_formula("y" + FORMULA, d).fit(cov_type="HC1"),
        lambda d: smf.ols("y" + FORMULA, d).fit(cov_type="HC1"),
    ),
    "poisson": (
        lambda d: tm.Poisson.from_formula("c" + FORMULA, d).fit(disp=False),
        lambda d: smf.poisson("c" + FORMULA, d).fit(disp=False),
    ),
}
each_fit = pytest.mark.parametrize("name", FITS)
HYPOTHESES = [
    "x = 0.5",
    "x = w, C(g)[T.b] = C(g)[T.c]",
    ["x = 1", "w = 0.1"],
    {"x": 1.0},
    np.eye(7)[2],
    np.eye(7)[1:4],
    (np.eye(7)[1:3], [0.1, 0.2]),
]


@each_fit
@pytest.mark.parametrize("hypothesis", HYPOTHESES, ids=range(len(HYPOTHESES)))
def test_hypotheses_in_every_form(df, name, hypothesis):
    ours, theirs = (fit(df) for fit in FITS[name])
    one, other = ours.t_test(hypothesis), theirs.t_test(hypothesis)
    for attribute in ("effect", "sd", "tvalue", "statistic", "pvalue"):
        close(getattr(one, attribute), np.squeeze(getattr(other, attribute)).reshape(np.shape(getattr(one, attribute))))
    assert np.shape(one.pvalue) == np.shape(other.pvalue) and one.df_denom == getattr(other, "df_denom", None)
    pd.testing.assert_frame_equal(one.summary_frame(alpha=0.1), other.summary_frame(alpha=0.1), rtol=1e-8, atol=1e-12)
    for keywords in ({}, {"use_f": True}, {"use_f": False}, {"use_f": True, "df_constraints": 5}):
        one, other = (res.wald_test(hypothesis, scalar=True, **keywords) for res in (ours, theirs))
        close(one.statistic, other.statistic)
        close(one.pvalue, other.pvalue)
        assert (one.df_denom, one.distribution) == (other.df_denom, other.distribution)
    f, g = ours.f_test(hypothesis), theirs.f_test(hypothesis)
    close([f.fvalue, f.pvalue, f.df_num, f.df_denom], [g.fvalue, g.pvalue, g.df_num, g.df_denom])


def test_covariances_of_the_users_own(df):
    ours, theirs = (fit(df) for fit in FITS["ols"])
    r, v = np.eye(7)[1:3], np.diag(np.arange(1.0, 8.0))
    close(ours.t_test(r, cov_p=v).sd, np.sqrt([2.0, 3.0]))
    close(ours.wald_test(r, cov_p=v, scalar=True).statistic, theirs.wald_test(r, cov_p=v, scalar=True).statistic)
    inverse = np.linalg.inv(v[1:3, 1:3])
    close(ours.f_test(r, invcov=inverse).fvalue, theirs.f_test(r, invcov=inverse).fvalue)
    close(ours.t_test(r, use_t=False).pvalue, theirs.t_test(r, use_t=False).pvalue)


def test_shapes_and_words(df):
    ours, theirs = (fit(df) for fit in FITS["ols"])
    assert ours.wald_test("x = w = 0", scalar=False).statistic.shape == (1, 1)
    assert ours.wald_test("x = w = 0", scalar=False).pvalue.shape == (1, 1)
    assert str(ours.f_test("x = w = 0")).startswith("<F test: F=") and "<F test: F=" in repr(ours.f_test("x = 0"))
    assert str(ours.wald_test("x = 0", use_f=False)).startswith("<Wald test (chi2): statistic=")
    assert str(ours.f_test("x = 0").summary()).split(", p=")[0][:15] == str(theirs.f_test("x = 0"))[:15]
    assert "Test for Constraints" in str(ours.t_test("x = 0"))
    with pytest.raises(FormulaError, match="zz.*Intercept, "):
        ours.t_test("zz = 1")
    with pytest.raises(AttributeError):
        _ = ours.wald_test("x = 0", use_f=False).fvalue
    with pytest.warns(ValueWarning, match="2 constraints, of which 1"):
        assert ours.wald_test("x = 0, 2 * x = 0").df_num == 1


@each_fit
@pytest.mark.parametrize("keywords", [{}, {"skip_single": True}, {"combine_terms": ["C(g)", "x"]}])
def test_terms(df, name, keywords):
    ours, theirs = (fit(df).wald_test_terms(scalar=True, **keywords) for fit in FITS[name])
    assert list(ours.table.index) == list(theirs.table.index)
    assert ours.col_names == theirs.col_names and ours.distribution == theirs.distribution
    assert list(ours.table.columns) == list(theirs.table.columns)
    assert list(ours.summary_frame().columns) == list(theirs.summary_frame().columns)
    close(ours.table.astype(float), theirs.table.astype(float), 1e-7)
    close(ours.pvalues, theirs.pvalues, 1e-7)
    assert list(ours.df_constraints) == list(theirs.df_constraints)
    assert str(ours) and hasattr(ours, "df_denom") == hasattr(theirs, "df_denom")


def test_terms_of_arrays_and_more_hypotheses(df):
    x = sm.add_constant(df[["x", "w"]])
    ours, theirs = (package.OLS(df["y"], x).fit() for package in (tm, sm))
    extra = [("both", np.eye(3)[1:])]
    one, other = (res.wald_test_terms(extra_constraints=extra, scalar=True) for res in (ours, theirs))
    assert list(one.table.index) == list(other.table.index) == ["const", "x", "w", "both"]
    close(one.table.astype(float), other.table.astype(float))
    with pytest.raises(ValueError, match="no term contains 'zz'"):
        ours.wald_test_terms(combine_terms=["zz"])


@pytest.mark.parametrize("term", ["C(h)", "C(h, Sum)", "C(h, Treatment(2))", "C(h, Helmert)"])
@pytest.mark.parametrize("rest", ["", " - 1"])
def test_pairs_of_levels(df, term, rest):
    formula = f"y ~ {term} + x{rest}"
    ours, theirs = tm.OLS.from_formula(formula, df).fit(), smf.ols(formula, df).fit()
    one, other = (res.t_test_pairwise(term, method=["hs", "bonferroni"]) for res in (ours, theirs))
    pd.testing.assert_frame_equal(one.result_frame, other.result_frame, rtol=1e-8, check_dtype=False)
    assert one.contrast_labels == other.contrast_labels


def test_pairs_that_are_not_there(df):
    res = tm.OLS.from_formula("y ~ C(g) + x + C(g):C(h)", df).fit()
    names = res.t_test_pairwise("C(g)", factor_labels=["A", "B", "C"]).result_frame
    assert list(names.index) == ["B-A", "C-A", "C-B"]
    for term, message in (("zz", "no term 'zz'"), ("x", "not a single categorical"), ("C(g):C(h)", "not a single")):
        with pytest.raises(ValueError, match=message):
            res.t_test_pairwise(term)
    with pytest.raises(ValueError, match="wrong length"):
        res.t_test_pairwise("C(g)", factor_labels=["A"])


@pytest.mark.parametrize("method", METHODS)
def test_adjusted_p_values(method):
    rng = np.random.default_rng(3)
    for m in (1, 2, 5, 12):
        for power in (1, 3):
            p = rng.uniform(size=m) ** power
            close(adjusted(p, method), multipletests(p, method=method)[1], 1e-12)
    with pytest.raises(ValueError, match="choose from bonferroni"):
        adjusted([0.1], "best")


def test_terms_without_what_was_fixed(df):
    """Fixed coefficients leave their terms: the others are tested, without a warning of rank."""
    res = tm.Poisson.from_formula("c ~ x + C(g) + w", df).fit(fix={"C(g)[T.b]": 0.0, "w": 0.1}, disp=False)
    table = res.wald_test_terms().table
    assert list(table.index) == ["Intercept", "C(g)", "x"] and list(table["df_constraint"]) == [1, 1, 1]
    single = res.t_test("C(g)[T.c] = 0")
    close(table.loc["C(g)", "statistic"], single.statistic[0] ** 2)
    close(table.loc["C(g)", "pvalue"], single.pvalue)
    assert list(res.wald_test_terms(skip_single=True, combine_terms=["C(g)"]).table.index) == ["C(g)"]
