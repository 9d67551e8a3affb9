"""NIST's reference data sets: correct digits of linear regressions, analyses of variance and means.

Rounding the published data to double precision already limits how many certified digits any program can show; the ceiling of
each set was computed exactly.  Beside the certified values stands the exact answer for the rounded data, in rational
arithmetic, which has no such limit.
"""

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from reference import corpus
from reference.digits import digits
from reference.fits import fit, fitted

import torchmle as tm

LINEAR = [name for name in corpus.cases("nist_linear") if name != "nist_lls_filip"]
WITH_ERRORS = [name for name in LINEAR if corpus.load(name)["expected"]["sigma"] > 0]


def estimates(name):
    """A case's fit, coefficients and standard errors in the order certified."""
    found = fitted(name)
    return found.res, found.coefficients(), found.se


# -- exact arithmetic ------------------------------------------------------------------------------------------------


def root(value, bits=200):
    """Square root of a fraction to some 60 digits."""
    return Fraction(isqrt(int(value * (1 << 2 * bits))), 1 << bits)


def exact_inverse(matrix):
    """Inverse of a matrix of fractions by Gauss-Jordan elimination."""
    k = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(k))] for i, row in enumerate(matrix)]
    for i in range(k):
        pivot = next(r for r in range(i, k) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(k):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[k:] for row in rows]


class Exact:
    """Least squares in rational arithmetic: what the doubles in x and y imply, without rounding."""

    def __init__(self, x, y):
        self.x = [[Fraction(float(value)) for value in row] for row in x]
        self.y = [Fraction(float(value)) for value in y]
        n, k = len(self.x), len(self.x[0])
        gram = [[sum(row[i] * row[j] for row in self.x) for j in range(k)] for i in range(k)]
        self.inverse = exact_inverse(gram)
        moments = [sum(row[i] * y for row, y in zip(self.x, self.y, strict=True)) for i in range(k)]
        self.coef = [sum(a * b for a, b in zip(row, moments, strict=True)) for row in self.inverse]
        fitted = [sum(a * b for a, b in zip(row, self.coef, strict=True)) for row in self.x]
        self.residuals = [a - b for a, b in zip(self.y, fitted, strict=True)]
        self.ssr = sum(e * e for e in self.residuals)
        self.scale = self.ssr / (n - k) if n > k else None

    def se(self):
        return np.array([float(root(self.scale * row[i])) for i, row in enumerate(self.inverse)])

    def sandwich(self, power):
        """HC0, HC2, HC3 for powers 0, 1, 2 of 1 / (1 - leverage)."""
        k = len(self.inverse)
        loads = [[sum(a * b for a, b in zip(row, x, strict=True)) for row in self.inverse] for x in self.x]
        weights = []
        for load, x, e in zip(loads, self.x, self.residuals, strict=True):
            free = 1 - sum(a * b for a, b in zip(load, x, strict=True))
            weights.append(e * e / free**power)
        rows = list(zip(loads, weights, strict=True))
        return np.array([[float(sum(w * load[i] * load[j] for load, w in rows)) for j in range(k)] for i in range(k)])


# -- linear regression -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINEAR)
def test_certified_values(name):
    expected, (res, coef, se) = corpus.load(name)["expected"], estimates(name)
    enough = min(value for value in expected["lre_ceiling_double_data"].values() if value is not None) - 0.5
    assert digits(coef, expected["coef"]) >= enough
    if name in WITH_ERRORS:
        assert digits(se, expected["se"]) >= enough
        assert digits(np.sqrt(res.scale), expected["sigma"]) >= enough
        assert digits(res.ssr, expected["rss"]) >= enough
        assert digits(res.fvalue, expected["F"]) >= min(enough, 13.5)  # Wampler 5 explains 0.2 % of its variance
    assert digits(res.rsquared, expected["r2"]) >= 13.5
    assert (res.df_resid, res.df_model, res.nobs) == (expected["df_resid"], expected["df_model"], expected["nobs"])


@pytest.mark.parametrize("name", WITH_ERRORS)
def test_exact_answers_for_data_in_double_precision(name):
    exact, (res, coef, se) = corpus.load(name)["expected"]["exact_for_double_data"], estimates(name)
    assert digits(coef, exact["coef"]) >= 13
    assert digits(se, exact["se"]) >= 13.5
    assert digits(np.sqrt(res.scale), exact["sigma"]) >= 13.5
    assert digits(fitted(name).covariance(), exact["vcov"]) >= 13
    assert digits(res.llf, exact["loglik"]) >= 14


def test_an_exact_polynomial_leaves_nothing():
    res, coef, se = estimates("nist_lls_wampler1")
    assert digits(coef, np.ones(6)) >= 15.5
    assert (se < 1e-15 * coef).all()
    assert (res.rsquared, res.f_pvalue) == (1.0, 0.0)


def test_filip_is_as_exact_as_its_rounded_columns():
    """x**2 to x**10 are rounded before any solver sees them, which costs half of the certified digits."""
    expected, (res, coef, se) = corpus.load("nist_lls_filip")["expected"], estimates("nist_lls_filip")
    assert res.converged and not res.dropped_columns
    assert digits(coef, expected["coef"]) >= 7.5
    assert digits(se, expected["se"]) >= 7.5
    exact = Exact(res.model.exog, res.model.endog)
    names = fitted("nist_lls_filip").positions
    assert digits(coef, [float(exact.coef[i]) for i in names]) >= 13
    assert digits(se, exact.se()[names]) >= 13
    assert digits(np.sqrt(res.scale), float(root(exact.scale))) >= 13
    assert digits(res.ssr, float(exact.ssr)) >= 13


def test_robust_covariances_are_exact_where_r_loses_digits():
    res = fit("ols_freeny_neweywest")
    exact = Exact(res.model.exog, res.model.endog)
    assert digits(res.params, [float(value) for value in exact.coef]) >= 12.5
    assert digits(res.bse, exact.se()) >= 12.5
    for kind, power in (("HC0", 0), ("HC2", 1), ("HC3", 2)):
        ours, theirs = res.with_covariance(kind).bse, np.sqrt(np.diag(exact.sandwich(power)))
        assert digits(ours, theirs) >= 10


@pytest.mark.parametrize("method", ["newton", "qr", "pinv"])
@pytest.mark.parametrize("name", ["nist_lls_longley", "nist_lls_norris"])
def test_every_closed_form_has_the_digits(name, method):
    res, exact = fit(name, method=method), corpus.load(name)["expected"]["exact_for_double_data"]
    assert digits(res.params, exact["coef"]) >= 13
    assert digits(res.bse, exact["se"]) >= 13


# -- analysis of variance, means and standard deviations -----------------------------------------------------------------


@pytest.mark.parametrize("name", corpus.cases("nist_anova"))
def test_analysis_of_variance(name):
    expected, (res, coef, se) = corpus.load(name)["expected"], estimates(name)
    ceiling, exact = expected["lre_ceiling_double_data"], expected["exact_for_double_data"]
    assert digits(res.fvalue, expected["F"]) >= ceiling["F"] - 0.5
    assert digits(np.sqrt(res.scale), expected["sigma"]) >= ceiling["sigma"] - 0.5
    ours = [res.ess, res.ssr, res.fvalue, res.rsquared, np.sqrt(res.scale)]
    assert digits(ours, [exact[key] for key in ("between_ss", "within_ss", "F", "r2", "sigma")]) >= 14.5
    assert digits(coef, exact["coef"]) >= 14.5
    assert digits(se, exact["se"]) >= 14.5
    (term,) = [label for label in res.wald_test_terms().table.index if "treatment" in label]
    assert digits(res.wald_test_terms().table.loc[term, "statistic"], exact["F"]) >= 11


@pytest.mark.parametrize("name", corpus.cases("nist_univariate"))
def test_mean_and_standard_deviation(name):
    expected, res = corpus.load(name)["expected"], fit(name)
    ceiling, exact = expected["lre_ceiling_double_data"], expected["exact_for_double_data"]
    mean, sigma = res.params
    assert digits(mean, float(expected["certified_text"]["mean"])) >= ceiling["mean"] - 0.5
    unbiased = sigma * np.sqrt(res.nobs / (res.nobs - 1))
    assert digits(unbiased, expected["sd_unbiased"]) >= ceiling["sd"] - 1
    assert digits([mean, sigma], [exact["mean"], exact["sd_ml"]]) >= 15
    assert digits(res.bse, [exact["mean_se_ml"], exact["sd_se_ml"]]) >= 14
    assert digits(res.llf, exact["loglik"]) >= 15
    least_squares = tm.OLS.from_formula("y ~ 1", corpus.frame(name)).fit()
    assert digits(least_squares.params, exact["mean"]) >= 15
    assert digits(np.sqrt(least_squares.scale), exact["sd_unbiased"]) >= 15
