"""Count models: digits as dispersions go to zero, maxima at the boundary, probabilities and moments, statsmodels' numbers."""

import itertools
import warnings

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from problems import BY_NAME, fitted
from scipy import special, stats
from statsmodels.discrete import count_model, discrete_model
from statsmodels.tools.sm_exceptions import ModelWarning

import torchmle as tm
import torchmle.formula.api as smf
from torchmle.errors import BoundaryWarning, ConvergenceWarning, ProfileWarning, SpecificationWarning
from torchmle.families.rising import log1p_excess, rising, trigamma
from torchmle.models.counts.distributions import GeneralizedPoissonCounts, NegativeBinomialCounts, PoissonCounts
from torchmle.models.counts.zero_inflation import ZeroInflatedCounts
from torchmle.optim import Status

ROUNDING = 1e-13  # of the largest term: a few hundred roundings
mp.mp.dps = 60

ALPHAS = [10.0, 1.0, *(10.0**-k for k in range(1, 16))]
COUNTS = [0.0, 1.0, 2.0, 3.5, 7.0, 40.0, 1e3, 1e5]
MEANS = [1e-8, 1e-3, 0.5, 3.0, 150.0, 1e5, 1e8]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def numbers(parts):
    return [float(part) for part in parts]


# -- digits ----------------------------------------------------------------------------------------------------


def exact_rising(y, log_a):
    """``log Gamma(y + 1/a) - log Gamma(1/a) + y log a`` and two derivatives in log a, with 60 digits."""
    y, r = mp.mpf(y), mp.exp(-mp.mpf(log_a))
    slope, bend = mp.digamma(y + r) - mp.digamma(r), mp.psi(1, y + r) - mp.psi(1, r)
    return mp.loggamma(y + r) - mp.loggamma(r) - y * mp.log(r), y - r * slope, r * slope + r**2 * bend


@pytest.mark.parametrize("alpha", [1e8, 1e3, *ALPHAS, 1 / 14.999, 1 / 15.001])
def test_the_rising_factorial_keeps_its_digits(alpha):
    log_a = float(np.log(alpha))
    for y in COUNTS:
        found, exact = rising(double(y), double(log_a), 2), exact_rising(y, log_a)
        # relative to a y^2, what it is about when a is small, or to the log-gamma functions it is made of
        size = min(alpha * y * (y + 1), y * (abs(log_a) + 1) + y * np.log1p(y))
        for ours, theirs in zip(found, exact, strict=True):
            assert abs(float(ours) - theirs) <= ROUNDING * max(size, abs(theirs))


def test_the_rising_factorial_of_a_whole_count_is_a_sum_of_logarithms():
    for y, a in itertools.product((1, 2, 5, 30), (1e-12, 1e-3, 0.3, 2.0)):
        expected = np.sum(np.log1p(a * np.arange(y)))
        assert float(rising(double(y), double(np.log(a))).value) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_mixed_dispersions_are_those_of_each_row():
    y, log_a = double(4, 9, 1, 300), double(-1.0, -20.0, 2.0, -5.0)
    together = rising(y, log_a, 2)
    for i in range(4):
        for part, whole in zip(rising(y[i : i + 1], log_a[i : i + 1], 2), together, strict=True):
            assert float(part) == float(whole[i])


def test_helpers_have_all_digits():
    for x in (1e-6, 0.01, 0.5, 3.0, 15.0, 1e5):
        assert float(trigamma(double(x))) == pytest.approx(float(mp.psi(1, x)), rel=1e-15)
    for x in (1e-20, 1e-9, 1e-3, 0.04, 0.0527, 0.06, 1.0, 1e6):
        exact = (mp.log1p(x) - mp.mpf(x) / (1 + mp.mpf(x))) / mp.mpf(x) ** 2
        assert float(log1p_excess(double(x))) == pytest.approx(float(exact), rel=1e-14)
    assert float(log1p_excess(double(0.0))) == 0.5


def exact_value(distribution, point, y):
    """A log-probability of mpmath numbers."""
    mu, y = mp.exp(point[0]), mp.mpf(y)
    if isinstance(distribution, ZeroInflatedCounts):
        zeta = point[-1]
        logit = distribution.inflation == "logit"
        share, other = (1 / (1 + mp.exp(-zeta)), 1 / (1 + mp.exp(zeta))) if logit else (mp.ncdf(zeta), mp.ncdf(-zeta))
        base = exact_value(distribution.base, point[:-1], y)
        return mp.log(share + other * mp.exp(base)) if y == 0 else mp.log(other) + base
    if isinstance(distribution, PoissonCounts):
        return y * mp.log(mu) - mu - mp.loggamma(y + 1)
    if isinstance(distribution, NegativeBinomialCounts):
        size = mu ** (2 - mp.mpf(distribution.power)) * mp.exp(-point[1])
        value = mp.loggamma(y + size) - mp.loggamma(size) - mp.loggamma(y + 1)
        return value + size * mp.log(size / (size + mu)) + y * mp.log(mu / (size + mu))
    c = point[1] * mu**distribution.power
    return mp.log(mu) + (y - 1) * mp.log(mu + c * y) - y * mp.log1p(c) - (mu + c * y) / (1 + c) - mp.loggamma(y + 1)


def terms(distribution, eta, y):
    """About the largest term a log-probability is made of: what rounding is relative to."""
    mu = float(eta[0].exp())
    return mu + y * (abs(float(eta[0])) + 1) + float(torch.lgamma(double(y + 1))) + abs(float(eta[-1])) + 1


def check_value(distribution, eta, y):
    eta, y = tuple(double(value) for value in eta), float(y)
    factorial = torch.lgamma(double(y + 1))
    exact = exact_value(distribution, [mp.mpf(float(value)) for value in eta], y)
    for value in (
        distribution.loglike(eta, double(y), factorial),
        distribution.derivatives(eta, double(y), factorial, 2)[0],
    ):
        assert abs(float(value) - exact) <= 1e-14 * terms(distribution, eta, y)


@pytest.mark.parametrize("power", [2.0, 1.0, 1.5])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_negative_binomial_log_probabilities_lose_no_digits(alpha, power):
    for y, mu in itertools.product(COUNTS, MEANS):
        check_value(NegativeBinomialCounts(power), (np.log(mu), np.log(alpha)), y)


@pytest.mark.parametrize("alpha", [1e-6, 1e-9, 1e-12, 1e-14])
def test_a_family_with_a_tiny_alpha_is_nearly_poisson(alpha):
    """The difference is ``alpha / 2 sum((y - mu)^2 - y)``."""
    df = BY_NAME["poisson"].frame()
    poisson = smf.poisson("y ~ x", df).fit(disp=False)
    res = smf.glm("y ~ x", df, family=tm.families.NegativeBinomial(alpha=alpha)).fit()
    mu, y = poisson.predict(), df["y"].to_numpy()
    assert res.llf - poisson.llf == pytest.approx(alpha / 2 * np.sum((y - mu) ** 2 - y), rel=1e-3, abs=1e-10)


def slopes(function, at):
    """Gradient and Hessian (upper rows) of a function of mpmath numbers by differences of 60 digits."""
    at = [mp.mpf(float(value)) for value in at]
    k = len(at)
    gradient = [mp.diff(function, tuple(at), tuple(int(i == j) for i in range(k))) for j in range(k)]
    hessian = [[mp.diff(function, tuple(at), tuple((i == j) + (i == m) for i in range(k))) for m in range(j, k)]
               for j in range(k)]  # fmt: skip
    return gradient, hessian


CASES = [
    *[(NegativeBinomialCounts(p), (np.log(mu), np.log(a)), y) for p in (2.0, 1.0, 1.5)
      for a, mu, y in [(1e-1, 3.0, 5), (1e-6, 40.0, 2), (1e-11, 0.2, 0), (1e-14, 300.0, 310), (2.0, 1e4, 9), (0.3, 1e-6, 1)]],
    *[(GeneralizedPoissonCounts(q), (np.log(mu), a), y) for q in (0.0, 0.5, 1.0)
      for a, mu, y in [(0.3, 3.0, 5), (1e-12, 4.0, 2), (-0.02, 5.0, 8), (0.0, 2.0, 0), (0.1, 0.5, 1)]],
    *[(ZeroInflatedCounts(base, link), (np.log(2.0), *extra, zeta), y) for link in ("logit", "probit")
      for base, extra in ((PoissonCounts(), ()), (NegativeBinomialCounts(), (np.log(0.3),)), (GeneralizedPoissonCounts(1.0), (0.1,)))
      for zeta, y in [(-0.7, 0), (1.3, 0), (0.4, 3), (-6.0, 0), (3.0, 0)]],
]  # fmt: skip


@pytest.mark.parametrize(("distribution", "eta", "y"), CASES)
def test_derivatives_are_slopes_of_exact_log_probabilities(distribution, eta, y):
    check_value(distribution, eta, y)
    at = tuple(double(value) for value in eta)
    _, g, h = distribution.derivatives(at, double(y), torch.lgamma(double(y + 1)), 2)
    gradient, hessian = slopes(lambda *point: exact_value(distribution, point, y), eta)
    size = [float(abs(row[0])) + 1e-300 for row in hessian]
    for j in range(len(eta)):
        assert float(g[j]) == pytest.approx(float(gradient[j]), rel=1e-10, abs=1e-13 * (1 + y))
        for m in range(len(eta) - j):
            scale = (size[j] * size[j + m]) ** 0.5
            assert float(h[j][m]) == pytest.approx(float(hessian[j][m]), rel=1e-10, abs=1e-10 * scale + 1e-14)


# -- at the boundary -------------------------------------------------------------------------------------------


def under(n=400, seed=3):
    """Counts that vary less than Poisson's."""
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "w": rng.normal(size=n)})
    return df.assign(y=rng.binomial(np.round(4 * np.exp(0.3 + 0.4 * df["x"])).astype(int), 0.5).astype(float))


def fit_at_boundary(model, df, formula="y ~ x", **arguments):
    with pytest.warns(BoundaryWarning):
        return model.from_formula(formula, df, **arguments).fit(disp=False)


ALPHA = [
    (tm.NegativeBinomial, {}), (tm.NegativeBinomial, {"loglike_method": "nb1"}), (tm.NegativeBinomialP, {"p": 1.5}),
]  # fmt: skip
SHARE = [(tm.ZeroInflatedPoisson, {}), (tm.ZeroInflatedPoisson, {"inflation": "probit"})]


@pytest.mark.parametrize(("model", "arguments", "name"), [*((*case, "alpha") for case in ALPHA),
                                                          *((*case, "inflate_const") for case in SHARE)])  # fmt: skip
def test_what_poisson_explains_is_poissons(model, arguments, name):
    df = under()
    poisson, res = smf.poisson("y ~ x", df).fit(disp=False), fit_at_boundary(model, df, **arguments)
    assert res.converged and res.optim.status is Status.BOUNDARY and res.boundary == [name]
    kept = ["Intercept", "x"]
    assert abs(res.llf - poisson.llf) <= 1e-8 * len(df)
    np.testing.assert_allclose(res.params[kept], poisson.params, rtol=1e-9)
    np.testing.assert_allclose(res.bse[kept], poisson.bse, rtol=1e-9)
    assert np.isnan(res.bse[name]) and np.isnan(res.pvalues[name]) and res.conf_int().loc[name].isna().all()
    assert res.aic == pytest.approx(poisson.aic + 2)
    assert (res.df_model, res.df_resid) == (poisson.df_model, poisson.df_resid)
    assert "lower bound 0" in str(res.summary())
    np.testing.assert_allclose(res.predict(df), poisson.predict(df), rtol=1e-9)
    np.testing.assert_allclose(res.predict(which="var"), poisson.predict(), rtol=1e-9)
    robust = res.with_covariance("HC1")
    np.testing.assert_allclose(robust.bse[kept], poisson.with_covariance("HC1").bse, rtol=1e-9)


def test_alpha_is_zero_and_so_is_the_share_of_added_zeros():
    res = fit_at_boundary(tm.NegativeBinomial, under())
    assert res.params["alpha"] == 0 and res.lnalpha == -np.inf
    res = fit_at_boundary(tm.ZeroInflatedPoisson, under())
    assert (res.predict(which="prob-main") == 1).all() and (res.predict(which="inflate") == 0).all()


def test_a_share_at_its_boundary_has_an_infinite_logit():
    df = under()
    res = fit_at_boundary(tm.ZeroInflatedPoisson, df)
    assert res.params["inflate_const"] == -np.inf and "-inf" in str(res.summary())
    assert res.model.loglike(res.params) == pytest.approx(res.llf, rel=1e-14)
    with pytest.warns(BoundaryWarning):
        again = res.model.fit(start_params=res.params, disp=False)
    np.testing.assert_allclose(again.params, res.params, rtol=1e-12)
    with pytest.warns(ProfileWarning, match="inflate_const: the estimate itself is infinite"):
        low, high = res.conf_int(method="profile").loc["inflate_const"]
    at_limit = tm.ZeroInflatedPoisson.from_formula("y ~ x", df).fit(fix={"inflate_const": high}, disp=False)
    assert low == -np.inf and 2 * (res.llf - at_limit.llf) == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-8)


def test_a_boundary_is_found_from_any_start():
    model = smf.negativebinomial("y ~ x", under())
    for alpha in (1e-3, 0.5, 20.0):
        with pytest.warns(BoundaryWarning):
            res = model.fit(start_params=[0.1, 0.0, alpha], disp=False)
        assert res.params["alpha"] == 0


def test_both_boundaries_at_once():
    df = under()
    res = fit_at_boundary(tm.ZeroInflatedNegativeBinomialP, df)
    assert sorted(res.boundary) == ["alpha", "inflate_const"]
    assert abs(res.llf - smf.poisson("y ~ x", df).fit(disp=False).llf) < 1e-8 * len(df)


def test_one_boundary_of_two():
    """Overdispersed counts have no zeros to add; inflated counts that vary little have no dispersion."""
    df = BY_NAME["negbin-2"].frame(n=600)
    negative_binomial = tm.NegativeBinomialP.from_formula("y ~ x + w", df, **BY_NAME["negbin-2"].arguments).fit(
        disp=False
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        res = tm.ZeroInflatedNegativeBinomialP.from_formula("y ~ x + w", df, **BY_NAME["negbin-2"].arguments).fit(
            disp=False
        )
    assert res.llf >= negative_binomial.llf - 1e-8
    assert (res.boundary == ["inflate_const"]) == any(warning.category is BoundaryWarning for warning in caught)
    rng = np.random.default_rng(1)
    df = under(800).assign(y=lambda df: np.where(rng.random(800) < 0.3, 0.0, df["y"]))
    inflated = tm.ZeroInflatedPoisson.from_formula("y ~ x", df).fit(disp=False)
    res = fit_at_boundary(tm.ZeroInflatedNegativeBinomialP, df)
    assert res.boundary == ["alpha"]
    np.testing.assert_allclose(res.params[inflated.names], inflated.params, rtol=1e-7)
    np.testing.assert_allclose(res.bse[inflated.names], inflated.bse, rtol=1e-7)
    assert res.llf == pytest.approx(inflated.llf, rel=1e-12)


def test_derivatives_at_the_boundary_point_outwards():
    df = under().assign(x=lambda df: 1e6 + df["x"])  # centred inside
    res = fit_at_boundary(tm.NegativeBinomial, df)
    at, step = res.params.to_numpy(), np.array([0, 0, 1e-6])
    assert (
        res.score()[2] == pytest.approx((res.model.loglike(at + step) - res.llf) / 1e-6, rel=1e-4)
        and res.score()[2] < 0
    )
    hessian = res.hessian()
    poisson = smf.poisson("y ~ x", df).fit(disp=False)
    np.testing.assert_allclose(hessian[:2, :2], poisson.hessian(), rtol=1e-9)
    assert np.isnan(hessian[2]).all() and np.isnan(res.score_obs()[:, 2]).all()
    np.testing.assert_allclose(res.score_obs()[:, :2], poisson.score_obs(), rtol=1e-7, atol=1e-6)


def test_influence_at_the_boundary_is_poissons():
    df = under()
    influence = fit_at_boundary(tm.NegativeBinomial, df).get_influence()
    poisson = smf.poisson("y ~ x", df).fit(disp=False).get_influence()
    np.testing.assert_allclose(influence.resid_score(), poisson.resid_score(), rtol=1e-7)
    np.testing.assert_allclose(influence.hat_matrix_diag, poisson.hat_matrix_diag, rtol=1e-7)


def test_alpha_may_be_held_at_zero():
    df = BY_NAME["negbin-2"].frame()
    res = smf.negativebinomial("y ~ x", df).fit(fix={"alpha": 0}, disp=False)
    assert res.llf == pytest.approx(smf.poisson("y ~ x", df).fit(disp=False).llf, rel=1e-13)
    assert res.bse["alpha"] == 0


def test_a_boundary_survives_saving(tmp_path):
    res = fit_at_boundary(tm.NegativeBinomial, under(), loglike_method="nb1")
    res.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit")
    assert loaded.boundary == ["alpha"] and loaded.optim.status is Status.BOUNDARY
    assert loaded.model.loglike_method == "nb1"
    pd.testing.assert_series_equal(loaded.bse, res.bse)


def test_a_dispersion_that_is_hardly_there_is_estimated():
    """Score of alpha at zero just positive: no boundary, and the maximum is where the score of alpha vanishes."""
    rng = np.random.default_rng(5)
    df = pd.DataFrame({"x": rng.normal(size=500)})
    df["y"] = rng.poisson(np.exp(1 + 0.5 * df["x"])).astype(float)
    poisson = smf.poisson("y ~ x", df).fit(disp=False)
    excess = np.sum((df["y"] - poisson.predict()) ** 2 - df["y"])
    assert excess > 0
    res = smf.negativebinomial("y ~ x", df).fit(disp=False)
    assert res.optim.status is Status.CONVERGED and 0 < res.params["alpha"] < 0.1
    assert res.llf > poisson.llf
    assert np.abs(res.score() * res.bse).max() < 1e-6


def test_the_user_may_hold_or_bound_alpha():
    df = under()
    res = smf.negativebinomial("y ~ x", df).fit(fix={"alpha": 0.2}, disp=False)
    assert res.converged and res.optim.status is Status.CONVERGED and res.bse["alpha"] == 0
    expected = sm.GLM(df["y"], sm.add_constant(df["x"]), family=sm.families.NegativeBinomial(alpha=0.2)).fit(tol=1e-14)
    np.testing.assert_allclose(res.params[:2], expected.params, rtol=1e-9)
    assert res.llf == pytest.approx(expected.llf, rel=1e-12)


def test_underdispersed_counts_have_a_negative_alpha_in_the_generalized_poisson():
    df = under()
    for p in (1, 2):
        res = tm.GeneralizedPoisson.from_formula("y ~ x", df, p=p).fit(disp=False)
        assert res.converged and res.params["alpha"] < -3 * res.bse["alpha"]
        assert (res.predict(which="var") < res.predict()).all()
        theirs = discrete_model.GeneralizedPoisson(df["y"], sm.add_constant(df[["x"]]), p=p)
        expected = theirs.fit(start_params=res.params.to_numpy(), method="newton", disp=0)
        np.testing.assert_allclose(res.params, expected.params, rtol=1e-8)
        np.testing.assert_allclose(res.bse, expected.bse, rtol=1e-6)


def test_a_degenerate_generalized_poisson_does_not_claim_a_maximum():
    df = pd.DataFrame({"x": np.tile([0.0, 1.0], 40), "y": np.full(80, 3.0)})
    with pytest.warns(ConvergenceWarning):
        res = tm.GeneralizedPoisson.from_formula("y ~ x", df).fit(disp=False)
    assert not res.converged and res.optim.status is Status.EDGE
    assert any("end of its range" in problem for problem in res.problems())


GENERALIZED = [(tm.GeneralizedPoisson, 1), (tm.GeneralizedPoisson, 2), (tm.ZeroInflatedGeneralizedPoisson, 2)]


@pytest.mark.parametrize(("model", "p"), GENERALIZED, ids=["gp-1", "gp-2", "inflated"])
def test_a_negative_alpha_says_what_its_probabilities_add_up_to(model, p):
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"x": rng.normal(size=150)})
    df["mild"], df["y"] = rng.binomial(12, 0.25, 150), np.round(np.exp(1 + 0.3 * df["x"]))
    zeros = (rng.random(150) < 0.4) & (model is tm.ZeroInflatedGeneralizedPoisson)
    df.loc[zeros, ["mild", "y"]] = 0
    with pytest.warns(SpecificationWarning, match="alpha is negative"):
        res = model.from_formula("y ~ x", df, p=p).fit(disp=False)
    total = np.asarray(res.predict(which="prob", y_values=np.arange(60))).sum(1)
    if zeros.any():  # those of the counts before inflation
        share = 1 - np.asarray(res.predict(which="prob-main"))
        total = (total - share) / (1 - share)
    np.testing.assert_allclose(res.probabilities, [total.min(), total.max()], rtol=1e-9)
    assert any("compare with no other model" in problem for problem in res.problems())
    mild = model.from_formula("mild ~ x", df, p=p).fit(disp=False)
    assert mild.params["alpha"] < 0 and not mild.problems()
    if not zeros.any():
        total = np.asarray(mild.predict(which="prob", y_values=np.arange(60))).sum(1)
        np.testing.assert_allclose(mild.probabilities, [total.min(), total.max()], rtol=1e-9)


@pytest.mark.slow
def test_a_boundary_is_found_in_many_rows():
    """Where the search starts from a sample of the rows."""
    df = under(250_000)
    res = fit_at_boundary(tm.NegativeBinomial, df)
    assert res.boundary == ["alpha"]
    assert abs(res.llf - smf.poisson("y ~ x", df).fit(disp=False).llf) <= 1e-8 * len(df)


# -- against statsmodels ---------------------------------------------------------------------------------------

ANALYTIC = [
    ("negbin-2", discrete_model.NegativeBinomial), ("negbin-1", discrete_model.NegativeBinomial),
    ("geometric", discrete_model.NegativeBinomial), ("generalized-1", discrete_model.GeneralizedPoisson),
    ("generalized-2", discrete_model.GeneralizedPoisson), ("zero-poisson", count_model.ZeroInflatedPoisson),
    ("zero-negbin", count_model.ZeroInflatedNegativeBinomialP),
    ("zero-generalized", count_model.ZeroInflatedGeneralizedPoisson), ("negbin-p", discrete_model.NegativeBinomialP),
]  # fmt: skip
WRONG_HESSIAN = {"zero-poisson", "negbin-p", "zero-generalized"}  # statsmodels' is not the derivative of its own score


def theirs(name, model):
    """statsmodels' model of a problem's frame, with constants last in its own terms but in our order."""
    problem, df = BY_NAME[name], BY_NAME[name].frame()
    exog = df[["x", "w"]].assign(Intercept=1.0)[["Intercept", "x", "w"]]
    known = {key: value for key, value in problem.arguments.items() if key not in ("offset", "exposure", "inflate")}
    if "inflate" in problem.arguments:
        known["exog_infl"] = df[["w"]].assign(Intercept=1.0)[["Intercept", "w"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model(df["y"], exog, offset=df["off"], exposure=df["years"], **known)
    found._transparams = False  # before a fit it takes log(alpha) for alpha
    return found


@pytest.mark.parametrize(("name", "model"), ANALYTIC)
def test_likelihoods_and_scores_are_statsmodels(name, model):
    res, other = fitted(BY_NAME[name]), theirs(name, model)
    assert [other.exog_names, *res.names][0][: len(res.names)] == res.names[: len(other.exog_names)]
    for steps in (0.0, 0.5, -0.5):
        at = res.params_array + steps * res._bse
        np.testing.assert_allclose(res.model.loglike(at), other.loglike(at), rtol=1e-12)
        np.testing.assert_allclose(res.model.score(at) * res._bse, other.score(at) * res._bse, rtol=1e-6, atol=5e-6)
        np.testing.assert_allclose(res.model.loglikeobs(at), other.loglikeobs(at), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "model"), ANALYTIC)
def test_results_are_statsmodels(name, model):
    res = fitted(BY_NAME[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = theirs(name, model).fit(start_params=res.params_array, disp=0, method="bfgs", maxiter=0)
        expected = expected.model.fit(start_params=res.params_array, disp=0, method="newton", maxiter=3)
    np.testing.assert_allclose(res.llf, expected.llf, rtol=1e-12)
    np.testing.assert_allclose(res.params, expected.params, atol=1e-5 * res._bse.min())
    if name not in WRONG_HESSIAN:
        np.testing.assert_allclose(res.bse, expected.bse, rtol=2e-5)
    for attribute in ("aic", "bic", "df_model", "df_resid", "nobs"):
        assert getattr(res, attribute) == pytest.approx(getattr(expected, attribute), rel=1e-12)
    for attribute in ("resid", "resid_pearson"):
        np.testing.assert_allclose(getattr(res, attribute), getattr(expected, attribute), rtol=1e-4, atol=1e-5)
    for which in ("mean", "var", "linear"):
        np.testing.assert_allclose(res.predict(which=which), expected.predict(which=which), rtol=1e-5, atol=1e-6)
    if model is discrete_model.NegativeBinomial:  # of the others statsmodels raises with an exposure, or leaves it out
        y = np.array([0, 1, 7])
        probabilities = expected.predict(which="prob", y_values=y)
        np.testing.assert_allclose(res.predict(which="prob", y_values=y), probabilities, rtol=1e-5)


def test_names_are_statsmodels():
    for name, model in ANALYTIC:
        ours, other = fitted(BY_NAME[name]).model, theirs(name, model)
        assert ours.exog_names[: len(other.exog_names)] == other.exog_names and ours.data.xnames == ours.exog_names
        assert ours.exog.shape == other.exog.shape
    assert fitted(BY_NAME["negbin-2"]).model.k_extra == 1 and fitted(BY_NAME["zero-negbin"]).model.k_extra == 3
    assert BY_NAME["negbin-p"].build(BY_NAME["negbin-p"].frame())._get_init_kwds()["p"] == 1.5


def test_dispersion_on_the_log_scale():
    res = fitted(BY_NAME["negbin-2"])
    assert res.lnalpha == pytest.approx(np.log(res.params["alpha"]))
    assert res.lnalpha_std_err == pytest.approx(res.bse["alpha"] / res.params["alpha"])
    z = stats.norm.ppf(0.975)
    limits = np.exp(res.lnalpha + np.array([-z, z]) * res.lnalpha_std_err)
    np.testing.assert_allclose(res.conf_int().loc["alpha"], limits)


def test_null_models():
    """Constants alone, with the dispersion and one share of added zeros; offset and exposure stay."""
    for name, free in (("negbin-2", {"mu", "alpha"}), ("zero-poisson", {"mu", "inflate"})):
        problem, df = BY_NAME[name], BY_NAME[name].frame()
        null = problem.fit(df, "y ~ 1", inflate=None) if "inflate" in free else problem.fit(df, "y ~ 1")
        res = fitted(problem)
        assert res.llnull == pytest.approx(null.llf, rel=1e-10)
        df_of_test = res.k_free - null.k_free
        assert res.llr_pvalue == pytest.approx(stats.chi2.sf(2 * (res.llf - null.llf), df_of_test), rel=1e-8)


# -- probabilities ---------------------------------------------------------------------------------------------

COUNT_PROBLEMS = ["poisson", *(name for name, _ in ANALYTIC)]


@pytest.mark.parametrize("name", COUNT_PROBLEMS)
def test_probabilities_add_up_to_one_and_to_the_moments(name):
    res = fitted(BY_NAME[name])
    y = np.arange(1500)
    p = res.predict(which="prob", y_values=y)
    # a negative alpha of the generalized Poisson ends the support, and some probability with it
    tolerance = 2e-3 if name == "generalized-1" else 1e-6
    np.testing.assert_allclose(p.sum(1), 1.0, atol=tolerance)
    np.testing.assert_allclose(p @ y, res.predict(), rtol=10 * tolerance)
    np.testing.assert_allclose(p @ y**2 - (p @ y) ** 2, res.predict(which="var"), rtol=100 * tolerance)


@pytest.mark.parametrize("name", COUNT_PROBLEMS)
def test_distributions_say_the_same_as_predictions(name):
    res = fitted(BY_NAME[name])
    distribution = res.get_distribution()
    np.testing.assert_allclose(np.squeeze(distribution.mean()), res.predict(), rtol=1e-10)
    np.testing.assert_allclose(np.squeeze(distribution.var()), res.predict(which="var"), rtol=1e-10)
    probabilities = res.predict(which="prob", y_values=[0, 3])
    for column, value in enumerate((0, 3)):
        np.testing.assert_allclose(distribution.pmf(value), probabilities[:, column], rtol=1e-9)
    np.testing.assert_allclose(distribution.cdf(1), res.predict(which="prob", y_values=[0, 1]).sum(1), rtol=1e-9)
    median = distribution.ppf(0.5)
    assert (distribution.cdf(median) >= 0.5).all() and (distribution.cdf(median - 1) < 0.5).all()
    draws = distribution.rvs(size=(400, res.model.rows.n), random_state=np.random.default_rng(0))
    far = (draws.mean(0) - res.predict()) / np.sqrt(res.predict(which="var") / 400)
    assert np.abs(far).max() < 5 and abs(far.mean()) < 0.3


def test_probabilities_of_arrays_are_arrays():
    df = BY_NAME["negbin-2"].frame()
    res = tm.NegativeBinomial(df["y"].to_numpy(), np.column_stack([np.ones(len(df)), df["x"]])).fit(disp=False)
    assert res.predict(which="prob").shape == (len(df), df["y"].max() + 1)
    assert isinstance(res.predict_prob([0, 2]), np.ndarray)
    given = res.model.predict(res.params, which="prob", y_values=[2])[:, 0]  # alpha by way of its logarithm
    np.testing.assert_allclose(given, res.predict_prob([2])[:, 0], rtol=1e-13)


def test_quantities_of_zero_inflation():
    res = fitted(BY_NAME["zero-poisson"])
    mu, share = res.predict(which="mean-main"), res.predict(which="inflate")
    np.testing.assert_allclose(res.predict(), (1 - share) * mu)
    np.testing.assert_allclose(res.predict(which="prob-main"), 1 - share)
    np.testing.assert_allclose(res.predict(which="prob-zero"), share + (1 - share) * np.exp(-mu))
    np.testing.assert_allclose(
        res.predict(which="mean-nonzero"), (1 - share) * mu / (1 - res.predict(which="prob-zero"))
    )


def test_both_designs_as_matrices():
    problem, df = BY_NAME["zero-negbin"], BY_NAME["zero-negbin"].frame()
    exog, infl = sm.add_constant(df[["x", "w"]]), sm.add_constant(df[["w"]])
    rows = {"offset": df["off"], "exposure": df["years"]}
    res = tm.ZeroInflatedNegativeBinomialP(df["y"], exog, infl, **rows, inflation="probit").fit(disp=False)
    assert res.names == ["inflate_const", "inflate_w", "const", "x", "w", "alpha"]
    np.testing.assert_allclose(res.params, fitted(problem).params, rtol=1e-8)
    new = res.predict(exog[:5], exog_infl=infl[:5], offset=df["off"][:5], exposure=df["years"][:5])
    np.testing.assert_allclose(new, fitted(problem).predict()[:5], rtol=1e-8)
    same = res.predict(
        exog[:5], exog_infl=infl.mean(), offset=df["off"][:5], exposure=df["years"][:5], which="mean-main"
    )
    np.testing.assert_allclose(same, fitted(problem).predict(which="mean-main")[:5], rtol=1e-8)
    alone = tm.ZeroInflatedPoisson(df["y"].to_numpy(), exog.to_numpy()).fit(disp=False)
    assert alone.names == ["inflate_const", "const", "x1", "x2"]
    assert alone.predict(exog.to_numpy()[:3]).shape == (3,)


# -- at the door -----------------------------------------------------------------------------------------------


def test_deep_paths_of_statsmodels():
    from torchmle.discrete import count_model as counts
    from torchmle.discrete import discrete_model as discrete

    for module in (counts, discrete):
        for name in module.__all__:
            assert getattr(tm, name, getattr(module, name)) is getattr(module, name)
    df = BY_NAME["poisson"].frame()
    res = discrete.CountModel.from_formula("y ~ x", df).fit(disp=False)
    np.testing.assert_allclose(res.params, smf.poisson("y ~ x", df).fit(disp=False).params, rtol=1e-12)


def test_unknown_variants_are_refused():
    df = under(20)
    with pytest.raises(ValueError, match="loglike_method must be one of"):
        tm.NegativeBinomial.from_formula("y ~ x", df, loglike_method="nb3")
    with pytest.raises(ValueError, match="inflation must be one of"):
        tm.ZeroInflatedPoisson.from_formula("y ~ x", df, inflation="cauchit")
    with pytest.raises(ValueError, match="must not be negative"):
        tm.NegativeBinomial.from_formula("y ~ x", df.assign(y=-1.0))


def test_far_starts_arrive():
    """Newton's steps go the whole way, up and down, from dispersions far too large or too small."""
    problem, df = BY_NAME["negbin-2"], BY_NAME["negbin-2"].frame()
    for alpha in (1e-6, 1e-3, 30.0, 1e4):
        res = problem.build(df).fit(start_params=[0.0, 0.0, 0.0, alpha], disp=False)
        assert res.converged
        np.testing.assert_allclose(res.params, fitted(problem).params, rtol=1e-7)


def test_columns_on_odd_scales_and_large_counts():
    rng = np.random.default_rng(8)
    df = pd.DataFrame({"income": rng.normal(5e4, 1e4, 400)})
    mu = np.exp(8 + 1e-5 * df["income"])
    df["y"] = rng.negative_binomial(50, 50 / (50 + mu)).astype(float)
    res = smf.negativebinomial("y ~ income", df).fit(disp=False)
    assert res.converged and abs(res.params["alpha"] - 0.02) < 0.01


def test_probabilities_of_new_rows_have_their_labels():
    res, df = fitted(BY_NAME["negbin-2"]), BY_NAME["negbin-2"].frame()
    found = res.predict(df[10:13], which="prob", y_values=[0, 4])
    assert list(found.columns) == [0, 1] and list(found.index) == [10, 11, 12]
    np.testing.assert_allclose(found, res.predict(which="prob", y_values=[0, 4])[10:13])
    table = res.get_prediction(df[10:13], which="prob", y_values=[0, 4]).summary_frame()
    np.testing.assert_allclose(table["predicted"], found.to_numpy().ravel())
    gradient = np.array([[h.predict(df[10:11], which="prob", y_values=[4]).iloc[0, 0] for h in moved(res, 1e-4, j)]
                         for j in range(4)]) @ [1, -1] / 2e-4  # fmt: skip
    assert table["se"].iloc[1] == pytest.approx(np.sqrt(gradient @ res.covariance_array @ gradient), rel=1e-5)


def moved(res, step, j):
    """Results with one parameter held a step above and below its estimate, the others where they are."""
    for sign in (1, -1):
        at = dict(zip(res.names, res.params_array + sign * step * np.eye(len(res.names))[j], strict=True))
        yield BY_NAME["negbin-2"].build(BY_NAME["negbin-2"].frame()).fit(fix=at, disp=False, cov_type=None)


@pytest.mark.parametrize("name", ["negbin-2", "negbin-1", "negbin-p", "generalized-1", "generalized-2"])
def test_factors_of_rows_make_the_score_and_the_hessian(name):
    res = fitted(BY_NAME[name])
    at = res.params_array + 0.5 * res._bse
    x, model = res.model.exog, res.model
    (mean, alpha), (h, mixed, bend) = model.score_factor(at), model.hessian_factor(at)
    np.testing.assert_allclose(np.column_stack([mean[:, None] * x, alpha]), model.score_obs(at), rtol=1e-9, atol=1e-12)
    whole = np.block([[(x.T * h) @ x, (x.T @ mixed)[:, None]], [mixed @ x, bend.sum()]])
    np.testing.assert_allclose(whole, model.hessian(at), rtol=1e-9)


def test_information_ratio():
    res = smf.poisson("y ~ x + w", BY_NAME["poisson"].frame()).fit(disp=False)
    exog = sm.add_constant(BY_NAME["poisson"].frame()[["x", "w"]])
    for cov_type in ("nonrobust", "HC0"):
        expected = sm.Poisson(BY_NAME["poisson"].frame()["y"], exog).fit(disp=0, cov_type=cov_type, tol=1e-12)
        np.testing.assert_allclose(res.with_covariance(cov_type).im_ratio, expected.im_ratio, rtol=1e-6, atol=1e-8)


def test_fitted_values_are_linear_predictors_without_offset():
    res = fitted(BY_NAME["negbin-2"])
    np.testing.assert_allclose(res.fittedvalues, res.model.exog @ res.params[:3], rtol=1e-12)
    assert res.fittedvalues.index.equals(res.model.index)


# -- diagnostics -----------------------------------------------------------------------------------------------


def diagnostic_pair(name):
    problem, df = BY_NAME[name], BY_NAME[name].frame()
    ours = problem.fit(df, "y ~ x", offset=None, exposure=None)
    model = discrete_model.Poisson if name == "poisson" else discrete_model.NegativeBinomialP
    theirs = model(df["y"], sm.add_constant(df[["x"]])).fit(start_params=ours.params_array, method="newton", disp=0)
    return ours.get_diagnostic(y_max=12), theirs.get_diagnostic(y_max=12)


@pytest.mark.parametrize("name", ["poisson", "negbin-2"])
@pytest.mark.parametrize("edges", [[0, 1, 2], [0, 1, 2, 3, 5, 8], list(range(8))])
def test_probabilities_are_tested_as_in_statsmodels(name, edges):
    ours, theirs = diagnostic_pair(name)
    np.testing.assert_allclose(ours.probs_predicted, theirs.probs_predicted, rtol=1e-6)
    test, expected = ours.test_chisquare_prob(edges), theirs.test_chisquare_prob(np.array(edges))
    assert test.df == expected.df
    np.testing.assert_allclose([test.statistic, test.pvalue], [expected.statistic, expected.pvalue], rtol=1e-5)
    np.testing.assert_allclose(test.diff1[:, :-1], expected.diff1[:, :-1], atol=1e-7)


def test_dispersion_is_tested_as_in_statsmodels():
    ours, theirs = diagnostic_pair("poisson")
    test, expected = ours.test_dispersion(), theirs.test_dispersion()
    right = [i for i, method in enumerate(expected.method) if method != "CT nb1"]  # where it repeats "CT nb2"
    np.testing.assert_allclose(test.statistic[right], expected.statistic[right], rtol=1e-7)
    np.testing.assert_allclose(test.pvalue[right], expected.pvalue[right], rtol=1e-6, atol=1e-12)
    res = ours.results
    excess = ((res.model.endog - res.predict()) ** 2 - res.model.endog) / res.predict()
    np.testing.assert_allclose(test.statistic[4], stats.ttest_1samp(excess, 0).statistic, rtol=1e-9)
    assert (
        test.summary_frame()
        .drop(columns=["statistic", "pvalue"])
        .equals(expected.summary_frame().drop(columns=["statistic", "pvalue"]))
    )


def test_zeros_are_tested_as_in_statsmodels():
    ours, theirs = diagnostic_pair("poisson")
    test, expected = ours.test_poisson_zeroinflation(), theirs.test_poisson_zeroinflation(method="broek")
    np.testing.assert_allclose([test.statistic, test.pvalue], [expected.statistic, expected.pvalue], rtol=1e-6)


def test_diagnostics_count_frequencies():
    df = BY_NAME["poisson"].frame()
    weighted = tm.Poisson.from_formula("y ~ x", df, freq_weights="counts").fit(disp=False).get_diagnostic()
    repeated = df.loc[df.index.repeat(df["counts"].astype(int))]
    plain = tm.Poisson.from_formula("y ~ x", repeated).fit(disp=False).get_diagnostic()
    edges = [0, 1, 2, 3]
    np.testing.assert_allclose(weighted.test_chisquare_prob(edges)[:3], plain.test_chisquare_prob(edges)[:3], rtol=1e-7)
    np.testing.assert_allclose(weighted.test_dispersion().statistic, plain.test_dispersion().statistic, rtol=1e-7)
    np.testing.assert_allclose(weighted.test_poisson_zeroinflation(), plain.test_poisson_zeroinflation(), rtol=1e-7)


def test_frequencies_are_drawn():
    plt = pytest.importorskip("matplotlib.pyplot")
    diagnostic = fitted(BY_NAME["negbin-2"]).get_diagnostic(y_max=9)
    axes = diagnostic.plot_probs(upp_xlim=8).axes
    np.testing.assert_allclose(axes[0].lines[0].get_ydata(), diagnostic.probs_predicted.sum(0))
    plt.close("all")


TWO_MAXIMA = [(1054, tm.ZeroInflatedNegativeBinomialP), (1277, tm.ZeroInflatedGeneralizedPoisson)]


@pytest.mark.filterwarnings("ignore::torchmle.errors.BoundaryWarning", "ignore::torchmle.errors.SpecificationWarning")
@pytest.mark.parametrize(("seed", "model"), TWO_MAXIMA, ids=["negbin", "generalized"])
def test_of_two_maxima_the_higher_is_found(seed, model):
    """Zeros by inflation or by dispersion: no search from random starts ends higher."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([30, 60, 120, 300]))
    x, z = rng.normal(size=n), rng.normal(size=n)
    mu = np.exp(rng.normal() * 0.7 + rng.normal() * 0.6 * x)
    share = special.expit(rng.normal() + rng.normal() * z)
    alpha, kind = rng.exponential() * 0.7, rng.integers(3)
    counts = rng.poisson(mu) if kind == 0 else rng.negative_binomial(1 / alpha, 1 / (1 + alpha * mu))
    y = np.where(rng.random(n) < share, 0, counts).astype(float)
    own, other = np.column_stack([np.ones(n), x]), np.column_stack([np.ones(n), z])
    inflate = None if rng.random() < 0.5 else other if rng.random() < 0.5 else own
    fitted_model = model(y, own, exog_infl=inflate)
    res = fitted_model.fit(disp=False)
    assert res.converged
    first = len(res.names) - 3
    for _ in range(8):
        start = [
            *rng.normal(0, 1.5, first),
            np.log(y.mean()) + 0.5 * rng.normal(),
            0.3 * rng.normal(),
            rng.exponential() + 0.05,
        ]
        again = fitted_model.fit(start_params=start, disp=False, warn_convergence=False)
        assert not again.converged or again.llf <= res.llf + 1e-6
