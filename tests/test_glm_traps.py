"""Subtle errors that other packages have had in generalised linear models, numbered as in our notes on them."""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from reference import corpus
from scipy import optimize, stats

import torchmle as tm
from torchmle import families as F
from torchmle.errors import ConvergenceWarning, DomainWarning
from torchmle.families import links as L
from torchmle.families.tweedie import log_density
from torchmle.optim import Status


@pytest.fixture(scope="module")
def df():
    frame = pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})
    rng = np.random.default_rng(11)
    trials = rng.integers(1, 9, len(frame)).astype(float)
    wins = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-0.3 - 0.5 * frame["x"]))).astype(float)
    return frame.assign(n=trials, wins=wins, losses=trials - wins, share=wins / trials)


@pytest.fixture(scope="module")
def repeated(df):
    return df.loc[df.index.repeat(df["w"].astype(int))].reset_index(drop=True)


def glm(formula, data, family, fitting=None, **arguments):
    return tm.GLM.from_formula(formula, data, family=family, **arguments).fit(**(fitting or {}))


def close(ours, theirs, rtol=1e-9):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol)


def same(
    one, other, names=("params", "bse", "llf", "deviance", "null_deviance", "llnull", "df_resid", "scale", "aic", "bic")
):
    for name in names:
        close(getattr(one, name), getattr(other, name))


GAMMA, BINOMIAL = F.Gamma(L.Log()), F.Binomial()


def test_1_hc_kinds_differ_without_a_canonical_link(df):
    res = glm("yg ~ x + z", df, GAMMA)
    ses = [res.with_covariance(kind).bse["x"] for kind in ("HC0", "HC1", "HC2", "HC3")]
    assert len(set(np.round(ses, 10))) == 4
    assert ses[1] / ses[0] == pytest.approx(np.sqrt(60 / 57))


def test_3_frequencies_count_in_cluster_corrections(df, repeated):
    options = ("cluster", {"groups": "g"})
    weighted = glm("yp ~ x", df, F.Poisson(), freq_weights="w").with_covariance(*options)
    close(weighted.bse, glm("yp ~ x", repeated, F.Poisson()).with_covariance(*options).bse)


def test_5_precision_weights_give_hc1_the_factor_of_weighted_least_squares(df):
    ours = glm("yn ~ x + z", df, F.Gaussian(), var_weights="w").with_covariance("HC1")
    theirs = tm.WLS.from_formula("yn ~ x + z", df, weights="w").fit(cov_type="HC1")
    close(ours.bse, theirs.bse)


def test_6_frequencies_enter_the_meat_once_and_precisions_squared(df, repeated):
    counted = glm("yp ~ x", df, F.Poisson(), freq_weights="w").with_covariance("HC0")
    close(counted.bse, glm("yp ~ x", repeated, F.Poisson()).with_covariance("HC0").bse)
    precise = glm("yp ~ x", df, F.Poisson(), var_weights="w")
    x, rest = precise.model.exog, df["yp"].to_numpy() - precise.mu
    w = df["w"].to_numpy()
    bread = np.linalg.inv(x.T * (w * precise.mu) @ x)
    close(precise.with_covariance("HC0").cov_params(), bread @ (x.T * (w * rest) ** 2 @ x) @ bread)


def test_8_standard_errors_do_not_depend_on_the_optimiser(df):
    for family in (F.Gaussian(), F.Gaussian(L.Log()), GAMMA):
        fits = [glm("yg ~ x + z", df, family, {"method": method}) for method in ("newton", "bfgs", "nm")]
        for res in fits[1:]:
            close(res.bse, fits[0].bse, 1e-7)
        close(fits[0].with_covariance("eim").bse, glm("yg ~ x + z", df, family).bse, 1e-7)


@pytest.mark.parametrize("method", [None, "newton", "bfgs", "nm"])
@pytest.mark.parametrize("unit", [1.0, 1e3])
def test_8_restricted_fits_have_the_dispersion_once(df, method, unit):
    """Least squares of the columns that a restriction leaves, whatever searched, in any unit of the response."""
    data = df.assign(y=unit * df["yn"], both=df["x"] + df["z"], rest=unit * (df["yn"] - 0.3 * df["z"]))
    fitting = {} if method is None else {"method": method}
    equal = glm("y ~ x + z", data, F.Gaussian(), {"constraints": "x = z", **fitting})
    held = glm("y ~ x + z", data, F.Gaussian(), {"fix": {"z": 0.3 * unit}, **fitting})
    one, other = sm.OLS.from_formula("y ~ both", data).fit(), sm.OLS.from_formula("rest ~ x", data).fit()
    close([equal.bse["x"], equal.bse["z"], equal.scale], [one.bse["both"], one.bse["both"], one.scale], 1e-7)
    close([held.bse["x"], held.scale], [other.bse["x"], other.scale], 1e-7)
    close(glm("y ~ both", data, F.Gaussian(), fitting).bse, one.bse, 1e-7)


def test_10_the_observed_information_of_any_link_is_the_likelihoods_slope(df):
    for response, family in (
        ("yg", GAMMA),
        ("yg", F.Gaussian(L.Log())),
        ("yb", F.Binomial(L.CLogLog())),
        ("yp", F.Poisson(L.Sqrt())),
    ):
        with pytest.warns(DomainWarning) if family.link == L.Sqrt() else _nothing():
            model = tm.GLM.from_formula(f"{response} ~ x", df, family=family)
        at = model.fit().params.to_numpy() * 0.97
        step = 1e-5
        slopes = [
            (model.score(at + step * e, scale=0.8) - model.score(at - step * e, scale=0.8)) / (2 * step)
            for e in np.eye(2)
        ]
        close(model.hessian(at, scale=0.8), slopes, 1e-6)
        values = [
            (model.loglike(at + step * e, 0.8) - model.loglike(at - step * e, 0.8)) / (2 * step) for e in np.eye(2)
        ]
        close(model.score(at, scale=0.8) * (0.8 if isinstance(family, F.Binomial) else 1.0), values, 1e-6)


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_11_scores_of_counts_know_the_trials(df):
    res = glm("wins + losses ~ x + z", df, BINOMIAL)
    rows = res.model.score_obs(res.params * 0.9)
    probability = 1 / (1 + np.exp(-res.model.exog @ (res.params.to_numpy() * 0.9)))
    close(rows, (df["wins"] - df["n"] * probability).to_numpy()[:, None] * res.model.exog)
    close(res.model.score(res.params * 0.9), rows.sum(0))


def test_18_the_gamma_likelihood_says_at_which_dispersion(df):
    res = glm("yg ~ x + z", df, GAMMA)
    y, mu = df["yg"], res.mu

    def density(scale):
        return stats.gamma.logpdf(y, 1 / scale, scale=mu * scale).sum()

    close([res.llf, res.llf_scaled(0.3)], [density(res.scale), density(0.3)])
    best = optimize.minimize_scalar(
        lambda log: -density(np.exp(log)), bounds=(-6, 3), method="bounded", options={"xatol": 1e-10}
    )
    scale = float(np.exp(best.x))
    assert res.llf < -best.fun  # Pearson's estimate is not the likelihood's
    close(res.information_criteria(count_scale=True, scale=scale)["aic"], 2 * best.fun + 2 * 4, 1e-8)


def test_19_the_null_likelihood_is_at_its_own_dispersion(df):
    res, null = glm("yg ~ x + z", df, GAMMA), glm("yg ~ 1", df, GAMMA)
    close([res.llnull, res.null_deviance], [null.llf, null.deviance])
    assert abs(res.llnull - null.llf_scaled(res.scale)) > 0.05  # what is printed elsewhere


def test_20_the_null_model_keeps_offset_exposure_and_weights(df):
    more = {"offset": "off", "exposure": "n", "freq_weights": "w", "var_weights": "n"}
    res, null = glm("yp ~ x", df, F.Poisson(), **more), glm("yp ~ 1", df, F.Poisson(), **more)
    close([res.llnull, res.null_deviance], [null.llf, null.deviance])
    close(res.null, null.mu)


def test_21_counts_shares_and_trials_one_by_one_are_one_model(df):
    counts = glm("wins + losses ~ x + z", df, BINOMIAL)
    shares = glm("share ~ x + z", df, BINOMIAL, n_trials="n")
    same(counts, shares)
    for name in ("resid_response", "resid_pearson", "resid_deviance", "resid_working"):
        close(getattr(counts, name), getattr(shares, name))
    close(counts.llf_obs, stats.binom.logpmf(df["wins"], df["n"], counts.mu))
    long = pd.concat([df.assign(y=1.0, k=df["wins"]), df.assign(y=0.0, k=df["losses"])])
    single = glm("y ~ x + z", long, BINOMIAL, freq_weights="k")
    same(counts, single, ("params", "bse"))
    close(counts.llf - counts.llnull, single.llf - single.llnull)
    weighted = glm("share ~ x + z", df, BINOMIAL, var_weights="n")
    same(counts, weighted)


def test_22_frequencies_are_repeated_rows_in_everything(df, repeated):
    for response, family in (("yp", F.Poisson()), ("yg", GAMMA), ("yn", F.Gaussian()), ("yb", BINOMIAL)):
        one, other = (
            glm(f"{response} ~ x + z", df, family, freq_weights="w"), glm(f"{response} ~ x + z", repeated, family),
        )  # fmt: skip
        same(one, other)
        for kind in ("cs", "mcf"):
            close(one.pseudo_rsquared(kind), other.pseudo_rsquared(kind))
        close([one.pearson_chi2, one.bic_deviance], [other.pearson_chi2, other.bic_deviance])
        assert one.information_criteria() == pytest.approx(other.information_criteria())


def test_23_weights_that_sum_below_the_columns_leave_no_dispersion(df):
    res = glm("yn ~ x + z", df[:6], F.Gaussian(), freq_weights=np.full(6, 0.4))
    assert res.df_resid < 0 and np.isnan(res.scale) and res.bse.isna().all()


@pytest.mark.parametrize("kind", ["freq_weights", "var_weights"])
def test_23_rows_without_weight_leave_the_fit(df, kind):
    weights = np.where(np.arange(len(df)) < 50, df["w"], 0.0)
    for response, family in (("yn", F.Gaussian()), ("yg", GAMMA)):
        one = glm(f"{response} ~ x + z", df, family, **{kind: weights})
        same(one, glm(f"{response} ~ x + z", df[:50], family, **{kind: weights[:50]}))


# -- Tweedie ---------------------------------------------------------------------------------------------------


def exact_tweedie(p, y, mu, phi):
    """Log-density by the Poisson sum of gammas, in 60 digits."""
    with mp.workdps(60):
        p, y, mu, phi = (mp.mpf(value) for value in (p, y, mu, phi))
        rate, shape, scale = mu ** (2 - p) / (phi * (2 - p)), (2 - p) / (p - 1), phi * (p - 1) * mu ** (p - 1)
        if y == 0:
            return float(-rate)
        centre = int(y ** (2 - p) / (phi * (2 - p))) + 1
        reach = int(15 * mp.sqrt(centre)) + 60

        def term(j):
            gamma = (j * shape - 1) * mp.log(y) - y / scale - mp.loggamma(j * shape) - j * shape * mp.log(scale)
            return -rate + j * mp.log(rate) - mp.loggamma(j + 1) + gamma

        terms = [term(j) for j in range(max(1, centre - reach), centre + reach)]
        largest = max(terms)
        return float(largest + mp.log(mp.fsum(mp.exp(value - largest) for value in terms)))


@pytest.mark.parametrize("phi", [1e-4, 0.1, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("y", [0.0, 1e-6, 0.5, 3.0, 40.0])
@pytest.mark.parametrize("p", [1.1, 1.5, 1.9])
def test_24_tweedie_densities_are_exact(p, y, phi):
    if y ** (2 - p) / phi > 1e5:
        pytest.skip("too many terms for sixty digits")
    ours = log_density(p, *(torch.tensor([value], dtype=torch.float64) for value in (y, 1.3, phi)))
    assert float(ours) == pytest.approx(exact_tweedie(p, y, 1.3, phi), rel=1e-10, abs=1e-10)


def test_24_a_response_of_zero_has_its_probability():
    """``exp(-mu^(2-p) / (phi (2-p)))``; the extended quasi-likelihood is infinite there."""
    exact, quasi = F.Tweedie(var_power=1.5), F.Tweedie(var_power=1.5, eql=True)
    assert exact.loglike_obs(np.array([0.0]), np.array([2.0]), scale=0.5)[0] == pytest.approx(-np.sqrt(2.0) / 0.25)
    assert np.isinf(quasi.loglike_obs(np.array([0.0]), np.array([2.0]), scale=0.5)[0])


def test_25_the_gaussian_likelihood_uses_the_scale_it_is_given(df):
    model = tm.GLM.from_formula("yn ~ x", df, family=F.Gaussian())
    at = np.array([0.2, 0.1])
    close(model.loglike(at, scale=2.0), stats.norm.logpdf(df["yn"], model.exog @ at, np.sqrt(2.0)).sum())
    close(model.fit().llf, tm.OLS.from_formula("yn ~ x", df).fit().llf)


def test_26_distributions_have_the_fitted_dispersion(df):
    for response, family in (("yg", GAMMA), ("yg", F.InverseGaussian(L.Log())), ("yn", F.Gaussian())):
        res = glm(f"{response} ~ x", df, family, var_weights="w")
        mean, variance = res.get_distribution().stats()
        close(mean, res.mu)
        close(variance, res.scale * family.variance(res.mu) / df["w"])


def test_30_repeated_averaged_and_summed_counts_agree(df):
    groups = (
        df.assign(a=df["x"] > 0, b=df["z"] > 0).groupby(["a", "b"])["yp"].agg(["sum", "mean", "size"]).reset_index()
    )
    each = glm("yp ~ a + b", df.assign(a=df["x"] > 0, b=df["z"] > 0), F.Poisson())
    averaged = glm("mean ~ a + b", groups, F.Poisson(), var_weights="size")
    summed = glm("sum ~ a + b", groups, F.Poisson(), exposure="size")
    for other in (averaged, summed):
        same(each, other, ("params", "bse"))
        close(each.wald_test("a[T.True] = 0").statistic, other.wald_test("a[T.True] = 0").statistic)


# -- starts and steps ------------------------------------------------------------------------------------------

HARD = {
    "poisson-identity": F.Poisson(L.Identity()), "poisson-sqrt": F.Poisson(L.Sqrt()), "poisson-log": F.Poisson(),
    "gamma-inverse": F.Gamma(), "gamma-identity": F.Gamma(L.Identity()), "gamma-log": GAMMA,
    "inverse-gaussian": F.InverseGaussian(), "inverse-gaussian-identity": F.InverseGaussian(L.Identity()),
    "gaussian-log": F.Gaussian(L.Log()), "gaussian-inverse": F.Gaussian(L.InversePower()),
    "binomial-log": F.Binomial(L.Log(), check_link=False), "binomial-logc": F.Binomial(L.LogC()),
    "binomial-identity": F.Binomial(L.Identity()), "negative-binomial": F.NegativeBinomial(L.NegativeBinomial(0.5), 0.5),
    "tweedie": F.Tweedie(var_power=1.5),
}  # fmt: skip


def response_for(family, rng, x):
    mu = np.exp(0.2 + 0.5 * x)
    if isinstance(family, F.Binomial):
        return (rng.random(len(x)) < np.minimum(0.95, 0.4 * mu)).astype(float)
    if isinstance(family, F.Poisson | F.NegativeBinomial):
        return rng.poisson(mu).astype(float)
    if isinstance(family, F.Tweedie):
        return np.where(rng.random(len(x)) < 0.3, 0.0, rng.gamma(1.0, mu))
    if isinstance(family, F.Gaussian):
        return mu + 0.2 * rng.normal(size=len(x))
    return rng.gamma(0.7, mu / 0.7) + 1e-12


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning", "ignore::torchmle.errors.ConvergenceWarning")
@pytest.mark.parametrize("name", HARD)
def test_44_starts_are_in_the_domain_and_the_search_stays_there(name):
    """Zeros, means near the ends of their range, offsets: it converges, or says that the edge stopped it."""
    family = HARD[name]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=40)
        model = tm.GLM(response_for(family, rng, x), np.column_stack([np.ones(40), x]), family=family)
        start = model.start()
        assert np.isfinite(float(model.sums(start, 0)[0]))
        res = model.fit()
        values = [step.value for step in res.optim.history]
        assert np.isfinite(values).all() and (np.diff(values) >= -1e-9 * np.abs(values[:-1])).all()
        assert np.isfinite(family.variance(res.mu)).all() and (family.variance(res.mu) >= 0).all()
        assert res.converged or res.optim.status is Status.EDGE


def test_b5_a_start_from_which_scoring_diverges():
    """Marschner (2011): from -1.81 plain scoring runs to infinity; the estimate is log 3."""
    y = np.array([1.0, 1.0, 1.0, 0.0])
    for start in (-1.75, -1.81, -10.0, 30.0):
        res = tm.GLM(y, np.ones((4, 1)), family=BINOMIAL).fit(start_params=[start])
        assert res.converged and res.params[0] == pytest.approx(np.log(3), rel=1e-9)


def shares(eta):
    return np.clip(np.exp(eta), 0.0, 0.98)


EDGES = {  # family, true coefficients, the means they give, and the log-likelihood of a row
    "log-binomial": (F.Binomial(L.Log()), [-1.0, 0.2, 0.3], shares, -np.inf, 0.0,
                     lambda y, eta: y * eta + (1 - y) * np.log1p(-np.exp(eta))),
    "identity-binomial": (F.Binomial(L.Identity()), [0.1, 0.2, 0.3], lambda eta: np.clip(eta, 0.02, 0.98), 0.0, 1.0,
                          lambda y, eta: y * np.log(eta) + (1 - y) * np.log1p(-eta)),
    "identity-poisson": (F.Poisson(L.Identity()), [0.05, 0.4, 0.5], lambda eta: np.maximum(eta, 0.0), 0.0, np.inf,
                         lambda y, eta: y * np.log(eta) - eta),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", EDGES)
def test_b5_the_maximum_within_a_links_domain_is_found_and_an_edge_named(name, seed):
    """Against sequential quadratic programming with a constraint for every row and edge."""
    family, beta, mean, low, high, loglike = EDGES[name]
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(80), rng.normal(size=80), rng.integers(0, 2, 80)])
    if name != "log-binomial":
        x[:, 1] = np.abs(x[:, 1])
    mu = mean(x @ beta)
    y = (rng.poisson(mu) if isinstance(family, F.Poisson) else rng.random(80) < mu).astype(float)
    tiny = 1e-9
    constraints = [
        {"type": "ineq", "fun": lambda b, end=end, side=side: side * (x @ b - end) - tiny}
        for end, side in ((low, 1.0), (high, -1.0))
        if np.isfinite(end)
    ]
    start = np.array([-1.0 if name == "log-binomial" else 0.5, 0.0, 0.0])
    options = {"maxiter": 500, "ftol": 1e-12}
    with np.errstate(all="ignore"):
        best = optimize.minimize(
            lambda b: -loglike(y, np.clip(x @ b, low + tiny / 2, high - tiny / 2)).sum(),
            start, constraints=constraints, method="SLSQP", options=options,
        )  # fmt: skip
    distance = min(np.min(x @ best.x - low), np.min(high - x @ best.x))
    model = tm.GLM(y, x, family=family)
    if distance > 1e-6:
        res = model.fit()
        assert res.converged
    else:
        with pytest.warns(ConvergenceWarning, match="edge of the model's domain"):
            res = model.fit()
        assert not res.converged and np.isnan(res.bse).all()
    at = np.clip(x @ res.params, low + tiny / 2, high - tiny / 2)
    assert loglike(y, at).sum() == pytest.approx(-best.fun, abs=1e-5)


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
def test_b5_gamma_with_an_identity_link_converges():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = np.column_stack([np.ones(50), rng.uniform(0, 5, 50), rng.integers(0, 2, 50)])
        res = tm.GLM(rng.gamma(0.8, x @ [0.1, 1.0, 0.5] / 0.8), x, family=F.Gamma(L.Identity())).fit()
        assert res.converged and (res.mu > 0).all()
        assert np.abs(res.score() * res.bse).max() < 1e-6


@pytest.mark.parametrize("size", [1e-14, 1e-6, 1e6, 1e14])
@pytest.mark.parametrize(
    "family", [F.Gaussian(L.Log()), F.InverseGaussian(L.Log()), F.Gamma(), F.Tweedie(L.Log(), var_power=1.7)], ids=repr
)
@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
def test_units_of_the_response_and_of_the_weights_change_no_verdict(df, family, size):
    """The likelihood at unit dispersion is far larger or smaller than the one that counts; both searches end alike."""
    y = np.random.default_rng(4).gamma(3, np.exp(0.2 + 0.3 * df["x"]) / 3)
    frame = df.assign(y=y, big=y * size)
    small, large = glm("y ~ x + z", frame, family), glm("big ~ x + z", frame, family)
    assert small.converged and large.converged
    level = size if isinstance(family.link, L.InversePower) else 1.0
    close(large.params[1:] * level, small.params[1:], rtol=1e-8)
    close(large.bse * level, small.bse, rtol=1e-8)
    weighted = glm("y ~ x + z", frame, family, var_weights=np.full(len(df), size))
    assert weighted.converged
    close(weighted.params, small.params)
    close(weighted.bse, small.bse)


@pytest.mark.parametrize("name", ["glm_gamma_log_trees", "glm_invgauss_log_trees", "glm_tweedie15_log_affairs"])
def test_likelihood_ratio_where_the_dispersion_is_estimated(name):
    """At one dispersion, as R's anova: its F times the degrees of freedom."""
    case = corpus.load(name)
    families = {"gamma": F.Gamma(L.Log()), "inverse_gaussian": F.InverseGaussian(L.Log())}
    family = families.get(case["model"]["family"], F.Tweedie(L.Log(), var_power=1.5))
    table, formula, frame = case["expected"]["anova_sequential_LRT"], case["formula"], corpus.frame(name)
    full = glm(formula, frame, family)
    restricted = glm(formula.rsplit(" + ", 1)[0], frame, family)
    test = full.lr_test(restricted)
    assert test.df_diff == table["Df"][-1]
    assert test.statistic == pytest.approx(table["F"][-1] * table["Df"][-1], rel=1e-8)
    assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, test.df_diff))
    assert restricted.lr_test(full) == test


def test_likelihood_ratio_of_a_dispersion_that_was_asked_for(df):
    """R: anova(glm(yp ~ x, quasipoisson), glm(yp ~ x + z, quasipoisson), test = "LRT"), over the dispersion of the second.

    Two Pearson dispersions have no likelihoods to be compared by: twice the difference may be negative.
    """
    full, small = (glm(formula, df, F.Poisson(), {"scale": "X2"}) for formula in ("yp ~ x + z", "yp ~ x"))
    with pytest.raises(ValueError, match="quasi-likelihood"):
        full.lr_test(small)
    for test in (full.lr_test(small, force=True), full.lr_test("z = 0", force=True)):
        assert test.statistic == pytest.approx(0.1212085725657333, rel=1e-9) and test.df_diff == 1
    full, small = (glm(formula, df, GAMMA, {"scale": 2.0}) for formula in ("yg ~ x + z", "yg ~ x"))
    assert full.lr_test(small).statistic == pytest.approx(2 * (full.llf - small.llf), rel=1e-8)


def test_likelihood_ratio_of_normal_responses_with_any_link(df):
    """R: 2 (logLik(b) - logLik(a)) of glm(exp(yn / 2) ~ x, gaussian("log")) and with + z: each at its own dispersion."""
    formulas = ("np.exp(yn / 2) ~ x + z", "np.exp(yn / 2) ~ x")
    full, small = (glm(formula, df, F.Gaussian(L.Log())) for formula in formulas)
    assert full.lr_test(small).statistic == pytest.approx(9.499743863325449, rel=1e-8)
    assert full.lr_test("z = 0").statistic == pytest.approx(9.499743863325449, rel=1e-8)


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
def test_no_start_no_standard_errors():
    frame = pd.DataFrame(
        {"x": [-2.0, -1, -0.5, 0.5, 1, 2], "y": [0, 0, 0, 1, 1, 1], "far": [0.1, 0.2, 0.3, 0.1, 0.2, 5]}
    )
    with pytest.warns(ConvergenceWarning, match="no parameters at which"):
        res = glm("y ~ x", frame, F.Binomial(L.Identity()), offset="far")
    assert not res.converged and np.isnan(res.llf) and np.isnan(res.bse).all()


def test_derivatives_of_a_result_are_at_its_dispersion():
    """With the deviance's dispersion, or parameters held: minus the inverse of the Hessian is the covariance printed."""
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"x": rng.normal(size=60), "w": rng.normal(size=60)})
    df["y"] = rng.gamma(2, np.exp(0.3 * df["x"]))
    model = tm.GLM.from_formula("y ~ x + w", df, family=F.Gamma(L.Log()))
    for told, free in (({"scale": "dev"}, [0, 1, 2]), ({"fix": {"w": 0.2}}, [0, 1]), ({"scale": 0.7}, [0, 1, 2])):
        res = model.fit(method="newton", **told)
        information = -res.hessian()[np.ix_(free, free)]
        np.testing.assert_allclose(
            np.linalg.inv(information), res.cov_params().to_numpy()[np.ix_(free, free)], rtol=1e-8
        )
        np.testing.assert_allclose(res.score_obs() * res.scale, model.score_obs(res.params, scale=1.0), rtol=1e-12)


def test_rows_of_weight_zero_have_no_weighted_residual():
    """R 4.2: resid(glm(y ~ x, poisson, weights = w), "pearson") and "deviance" are 0 where w is."""
    rng = np.random.default_rng(0)
    x, w = np.column_stack([np.ones(20), rng.normal(size=20)]), np.ones(20)
    y, w[3], w[5] = rng.poisson(2, 20).astype(float), 0.0, 2.0
    for name in ("Poisson", "Gaussian"):
        ours = tm.GLM(y, x, family=getattr(tm.families, name)(), var_weights=w).fit()
        theirs = sm.GLM(y, x, family=getattr(sm.families, name)(), var_weights=w).fit()
        for kind in ("pearson", "deviance", "response", "working"):
            got, expected = getattr(ours, f"resid_{kind}"), getattr(theirs, f"resid_{kind}")
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)
