"""Empirical likelihood of linear models against Matlab's figures, statsmodels 0.15 and a scalar equation."""

import numpy as np
import pytest
import statsmodels.api as sm_reference
from scipy import optimize, stats
from statsmodels.emplike.tests.results.el_results import RegressionResults

import torchmle.api as sm

MATLAB = RegressionResults()


@pytest.fixture(scope="module")
def data():
    frame = sm_reference.datasets.stackloss.load()
    return frame.endog, sm.add_constant(frame.exog)


@pytest.fixture(scope="module")
def results(data):
    return sm.OLS(*data).fit()


@pytest.fixture(scope="module")
def reference(data):
    return sm_reference.OLS(*data).fit()


@pytest.mark.parametrize(("number", "value"), [(0, -30), (1, 0.5), (2, 1), (3, 0)])
def test_statistic_and_probabilities_are_matlabs(results, number, value):
    known = getattr(MATLAB, f"test_beta{number}")
    statistic, pvalue, weights = results.el_test([value], [number], return_weights=True)
    assert statistic == pytest.approx(known[0], abs=1e-6)
    assert pvalue == pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-10)
    np.testing.assert_allclose(weights, known[2], atol=2e-5)  # printed with six digits
    assert statistic == pytest.approx(-2 * np.log(21 * weights).sum(), rel=1e-9)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_interval_is_matlabs(results, number):
    low, high = results.conf_int_el(number)
    np.testing.assert_allclose((low, high), getattr(MATLAB, f"test_ci_beta{number}"), rtol=1e-6)
    critical = stats.chi2.ppf(0.95, 1)
    assert results.el_test([high], [number])[0] == pytest.approx(critical, abs=1e-6)
    assert results.conf_int_el(number, 0.2, method="powell")[1] < high


def test_joint_tests_and_fixed_columns_are_statsmodels(results, reference):
    for arguments, options in [
        (([-40, 0.7, 1.3, -0.15], [0, 1, 2, 3]), {}),
        (([1, 0], [1, 2]), {}),
        (([0.5], [1]), {"stochastic_exog": False}),
    ]:
        theirs = reference.el_test(*arguments, **options, result_object=False)
        np.testing.assert_allclose(results.el_test(*arguments, **options), theirs, rtol=1e-7)


def test_probabilities_satisfy_the_equations(results):
    found = results.el_test([0.5], [1], ret_params=True)
    residuals = results.model.endog - results.model.exog @ found.nuisance_params
    assert found.nuisance_params[1] == 0.5
    assert found.weights.sum() == pytest.approx(1, abs=1e-8)
    equations = (found.weights * residuals) @ results.model.exog
    scale = np.abs(results.model.exog * residuals[:, None]).mean(0)
    np.testing.assert_allclose(equations / scale, 0, atol=1e-8)


def test_a_mean_is_a_scalar_equation():
    """Owen (1988): sum g / (1 + t g) = 0 for the multiplier t."""
    y = np.random.default_rng(2).gamma(2, size=40)
    g = y - 2.4
    t = optimize.brentq(lambda t: (g / (1 + t * g)).sum(), -1 / g.max() + 1e-9, -1 / g.min() - 1e-9, xtol=1e-14)
    found = sm.OLS(y, np.ones(40)).fit().el_test([2.4], [0], return_weights=True, result_object=True)
    assert found.statistic == pytest.approx(2 * np.log1p(t * g).sum(), rel=1e-9)
    np.testing.assert_allclose(found.weights, 1 / (40 * (1 + t * g)), rtol=1e-7)


def test_weights_scale_rows(data):
    y, x = data
    w = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    weighted = sm.WLS(y, x, weights=w).fit().el_test([0.5], [1])
    scaled = sm.OLS(y * np.sqrt(w), x.mul(np.sqrt(w), axis=0)).fit().el_test([0.5], [1])
    np.testing.assert_allclose(weighted, scaled, rtol=1e-8)


def test_values_that_no_probabilities_give(results):
    statistic, pvalue = results.el_test([5, 5], [1, 2])
    assert statistic > 1000 and pvalue < 1e-200


def test_what_is_refused(data, results):
    with pytest.raises(ValueError, match="method must be one of nm, powell; it is 'odd'"):
        results.el_test([0], [1], method="odd")
    with pytest.raises(ValueError, match=r"param_nums must be 1 of the positions 0 to 3; they are \[4\]"):
        results.el_test([0], [4])
    with pytest.raises(ValueError, match="the interval goes on beyond the bound 0.8"):
        results.conf_int_el(1, upper_bound=0.8)
    y, x = data
    with pytest.warns(UserWarning, match="rank-deficient"):
        collinear = sm.OLS(y, x.assign(twice=2 * x.iloc[:, 1])).fit()
    with pytest.raises(ValueError, match="the design is rank deficient: leave out twice"):
        collinear.el_test([0], [1])
