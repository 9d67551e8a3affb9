"""Tests of terms in models whose coefficients do not stand one by one under the columns of one design."""

import numpy as np
import pytest
import statsmodels.formula.api as smf
from problems import BY_NAME, fitted, matched

import torchmle as tm


def by_hand(res, positions):
    """Wald's statistic of some parameters."""
    params, covariance = res.params_array[positions], res.covariance_array[np.ix_(positions, positions)]
    return params @ np.linalg.solve(covariance, params)


@pytest.mark.filterwarnings("ignore:Dropped .* groups")
def test_terms_of_a_conditional_logit_are_its_coefficients():
    for formula, data in (("y ~ x + C(region % 3):x + w", matched()), ("y ~ x + w", matched(seed=1))):
        res = tm.ConditionalLogit.from_formula(formula, data, groups="g").fit(disp=False)
        table = res.wald_test_terms().table
        single = [name for name in table.index if name in res.names]
        assert len(table) == len(res.term_positions()) >= 2 and "w" in single
        z = np.asarray(res.tvalues)[[res.names.index(name) for name in single]]
        np.testing.assert_allclose(table.loc[single, "statistic"], z**2, rtol=1e-10)
        assert sorted(i for at in res.term_positions().values() for i in at) == list(range(len(res.names)))
    assert res.n_groups == res.model.group_statistics[0]


def test_a_term_of_several_responses_is_tested_in_all_of_them():
    df = BY_NAME["mvnormal-x"].frame()
    res = tm.MVNormal.from_formula("a + b ~ x + C(g)", df).fit(disp=False)
    terms, table = res.term_positions(), res.wald_test_terms().table
    assert [[res.names[i] for i in terms[name]] for name in ("Intercept", "x")] == [
        ["a[Intercept]", "b[Intercept]"],
        ["a[x]", "b[x]"],
    ]
    assert [len(terms["C(g)"]), table.loc["C(g)", "df_constraint"]] == [4, 4]
    for name, at in terms.items():
        assert table.loc[name, "statistic"] == pytest.approx(by_hand(res, at), rel=1e-10)
    with pytest.raises(ValueError, match="several responses or categories"):
        res.t_test_pairwise("C(g)")
    # Wilks' test of a term with the same covariance in all equations, to first order: its trace of Hotelling and Lawley
    ols = smf.ols("a ~ x + C(g)", df).fit()
    assert by_hand(res, terms["x"][:1]) == pytest.approx(ols.tvalues["x"] ** 2 * ols.nobs / ols.df_resid, rel=1e-8)


def test_terms_of_an_inflation_are_named_as_its_coefficients():
    res = fitted(BY_NAME["zero-negbin"])
    table = res.wald_test_terms().table
    assert list(table.index) == ["inflate_Intercept", "inflate_w", "Intercept", "x", "w"]
    np.testing.assert_allclose(table["statistic"], np.asarray(res.tvalues)[: len(table)] ** 2, rtol=1e-10)


def test_pairs_of_levels_are_not_compared_in_one_category_alone():
    df = BY_NAME["mnlogit"].frame()
    res = tm.MNLogit.from_formula("y ~ x + C(g)", df).fit(disp=False)
    with pytest.raises(ValueError, match="several responses or categories"):
        res.t_test_pairwise("C(g)")


def test_no_dispersion_no_attribute_of_it():
    for name in ("geometric", "zero-poisson"):
        assert not hasattr(fitted(BY_NAME[name]), "lnalpha")
    res = fitted(BY_NAME["negbin-2"])
    assert res.lnalpha == pytest.approx(np.log(res.params["alpha"])) and res.lnalpha_std_err > 0
