"""Intervals of every model's predictions: of means and of observations, of categories, of several responses, by numbers."""

import functools
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from problems import PROBLEMS, REGRESSIONS, fitted
from scipy import special, stats

import torchmle as tm
from torchmle.families.compound import CompoundPoissonGamma
from torchmle.families.tweedie import log_density
from torchmle.inference.predictions import by_numbers
from torchmle.inference.predictions.by_numbers import distribution_of
from torchmle.inference.predictions.predictive import quadrature
from torchmle.models.counts import distributions as count_distributions
from torchmle.models.counts import row_distribution
from torchmle.models.counts.zero_inflation import ZeroInflatedCounts

each_regression = pytest.mark.parametrize("problem", REGRESSIONS, ids=repr)
POSITIVE = ("var", "var_unscaled", "sigma", "scale", "rate", "hazard", "median", "df", "concentration")
CATEGORICAL = {"mnlogit", "ordered-logit", "ordered-probit"}


def close(ours, theirs, rtol=1e-9, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


def quantities(res):
    return dict.fromkeys(("mean", *res.model.predictable()))


# -- every model, everything it predicts -------------------------------------------------------------------------------------


@each_regression
def test_everything_that_is_predicted_has_an_interval(problem):
    res, new = fitted(problem), problem.frame(seed=1).iloc[:5]
    for which in quantities(res):
        arguments = {"times": 1.5} if which == "survival" else {}
        found = res.get_prediction(new, which=which, **arguments)
        frame = found.summary_frame(alpha=0.1)
        assert np.isfinite(frame.to_numpy()).all(), which
        assert len(frame) == found.predicted.size and set(frame.index.get_level_values(0)) == set(new.index)
        low, high = found.conf_int(alpha=0.1).T
        assert (low <= found.predicted.ravel() + 1e-12).all() and (high >= found.predicted.ravel() - 1e-12).all(), which
        wider = found.conf_int(alpha=0.01).T
        slack = 1e-3 * np.abs(high)  # curves that turn are followed over a grid
        assert (wider[0] <= low + slack).all() and (wider[1] >= high - slack).all()
        if which.startswith("prob") or which in ("survival", "inflate"):
            assert (low >= 0).all() and (high <= 1).all(), which
        if which in POSITIVE:
            assert (low > 0).all(), which
        again = res.predict(new, which=which, interval="mean", level=0.9, **arguments)
        close(again.to_numpy().reshape(-1, 3), np.column_stack([found.predicted.ravel(), low, high]))
        close(res.predict(new, which=which, **arguments), found.predicted)


@each_regression
def test_every_response_has_an_interval(problem):
    """Inside the support, wider than the plug-in one, counts for counts, an offset counted, NaN for what is missing."""
    res, new = fitted(problem), problem.frame(seed=1).iloc[:5]
    found = res.get_prediction(new)
    narrow, wide = found.conf_int(obs=True, alpha=0.5), found.conf_int(obs=True, alpha=0.02)
    assert (
        (wide[:, 0] <= narrow[:, 0]).all()
        and (narrow[:, 0] <= narrow[:, 1]).all()
        and (narrow[:, 1] <= wide[:, 1]).all()
    )
    seen = res.model.endog
    if np.min(seen) >= 0 and problem.name not in ("ols", "wls"):
        assert (wide >= 0).all()
    if hasattr(res.get_distribution(new), "pmf"):
        assert (wide == np.round(wide)).all()
    gone = new.assign(x=new["x"].where(new.index != new.index[2]))
    missing = np.isnan(res.get_prediction(gone).conf_int(obs=True)).all(1).reshape(5, -1)
    assert missing[2].all() and not np.delete(missing, 2, 0).any()


@pytest.mark.parametrize("problem", [p for p in REGRESSIONS if "offset" in p.arguments], ids=repr)
def test_offsets_move_observations(problem):
    res, new = fitted(problem), problem.frame(seed=1).iloc[:5]
    column = problem.arguments["offset"]
    moved = res.get_prediction(new.assign(**{column: new[column] + 3})).conf_int(obs=True)
    at = res.get_prediction(new).conf_int(obs=True)
    assert (moved >= at).all() and (moved > at).any()


def test_exported_models_are_in_the_table():
    """The two tests above walk over every model that the package exports and that predicts."""
    models = {getattr(tm, name) for name in tm.__all__}
    models = {kind for kind in models if isinstance(kind, type) and issubclass(kind, tm.LikelihoodModel)}
    walked = {base for problem in PROBLEMS for base in problem.model.__mro__}
    conditioned = {tm.ConditionalLogit}  # rows of groups: test_conditional.py
    bases = {tm.GenericLikelihoodModel}  # predicts what its subclasses define
    assert models - walked == conditioned | bases


# -- ordered categories --------------------------------------------------------------------------------------------------------


def ordered(n=150, seed=0, levels=4):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "off": rng.normal(size=n) / 2})
    latent = 0.8 * df["x"] + df["off"] + rng.logistic(size=n)
    edges = np.quantile(latent, np.arange(1, levels) / levels)
    return df.assign(y=np.searchsorted(edges, latent) * 10)


@pytest.mark.parametrize("levels", [2, 3, 4, 6])
def test_ordered_limits_by_hand(levels):
    """``P(y <= j) = E F(u)``, u normal about c_j - eta: integrated over u on a fine grid."""
    df = ordered(levels=levels)
    res = tm.OrderedModel.from_formula("y ~ x", df, distr="logit", offset="off").fit(disp=False)
    new = pd.DataFrame({"x": [-2.0, -0.3, 0.4, 1.9], "off": [0.5, 0.0, -1.0, 0.2]})
    v, values = res.cov_params().to_numpy(), res.params.to_numpy()
    deviations = np.linspace(-9, 9, 20_001)
    density = stats.norm.pdf(deviations) * (deviations[1] - deviations[0])
    below = np.ones((len(new), levels))
    for j in range(levels - 1):
        for i, row in enumerate(new.itertuples()):
            a = np.zeros(len(values))
            a[0], a[1 + j] = -row.x, 1.0
            u = a @ values - row.off
            below[i, j] = special.expit(u + np.sqrt(a @ v @ a) * deviations) @ density
    predictive = res.get_prediction(new).predictive
    averaged = sum(weight * np.column_stack([part.cdf(j) for j in range(levels)]) for part, weight in predictive._parts)
    close(averaged, below, 0, 2e-5 if levels < 4 else 2e-4)  # the rule for many predictors is of degree three
    plug_in = np.cumsum(np.asarray(res.predict(new)), 1)
    assert np.abs(plug_in - below).max() > 5e-4  # so the tolerance can fail
    for alpha in (0.05, 0.3, 0.6):
        limits = res.get_prediction(new).conf_int(obs=True, alpha=alpha)
        by_hand = [[10 * np.searchsorted(row, alpha / 2), 10 * np.searchsorted(row, 1 - alpha / 2)] for row in below]
        close(limits, by_hand)


def test_ordered_limits_are_categories():
    df = ordered()
    names = np.array(["none", "some", "much", "all"])
    df["y"] = pd.Categorical(names[df["y"] // 10], categories=list(names), ordered=True)
    res = tm.OrderedModel.from_formula("y ~ x", df, distr="probit").fit(disp=False)
    new = pd.DataFrame({"x": [-3.0, 0.0, np.nan]}, index=["low", "middle", "gone"])
    found = res.predict(new, interval="obs", level=0.9)
    assert list(found.columns) == ["predicted", "lower", "upper"] and list(found.index) == list(new.index)
    assert found.loc["middle", "lower"] == "none" and found.loc["middle", "upper"] == "all"
    assert found.loc["low", "predicted"] == "none" and found.loc["gone"].isna().all()
    middle = np.asarray(res.predict(new))[:2].cumsum(1) >= 0.5
    assert list(found["predicted"][:2]) == list(names[middle.argmax(1)])
    assert res.get_prediction(new, which="prob").conf_int(obs=True).shape == (3, 2)
    codes = res.get_distribution(new.iloc[:2])
    chances, each = np.asarray(res.predict(new))[:2].T, np.arange(-1, 4)[:, None]  # a column of values, a row of rows
    close(codes.pmf(each), np.vstack([[0, 0], chances]))
    close(codes.cdf(each), np.vstack([[0, 0], chances.cumsum(0)]))
    assert (codes.ppf(chances.cumsum(0) - 1e-9) == each[1:]).all()
    draws = codes.rvs((4000, 2), random_state=1)
    close((draws == each[1:, :, None]).mean(1), chances, 0, 0.03)
    with pytest.raises(ValueError, match="last dimension must be 2"):
        codes.rvs(7)
    close(codes.mean(), np.asarray(res.predict(new))[:2] @ np.arange(4))


def test_ordered_coverage():
    """Of small samples, by simulation: at least the level, as categories are coarse."""
    inside, level = [], 0.8
    for seed in range(60):
        df = ordered(60, seed, 5).drop(columns="off")
        train, new = df.iloc[:40], df.iloc[40:]
        if train["y"].nunique() < 5:
            continue
        res = tm.OrderedModel.from_formula("y ~ x", train, distr="logit").fit(disp=False)
        limits = res.get_prediction(new).conf_int(obs=True, alpha=1 - level)
        inside.append(((new["y"] >= limits[:, 0]) & (new["y"] <= limits[:, 1])).mean())
    assert level - 0.02 < np.mean(inside) < 0.97


# -- unordered categories ------------------------------------------------------------------------------------------------------


def choices(levels, n=200, seed=1):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n)})
    value = rng.gumbel(size=(n, levels)) + df["x"].to_numpy()[:, None] * np.linspace(-2, 2, levels)
    return df.assign(y=value.argmax(1))


def test_indicators_of_two_categories_are_those_of_a_logit():
    df = choices(2)
    new = pd.DataFrame({"x": np.linspace(-4, 4, 41)})
    both = tm.MNLogit.from_formula("y ~ x", df).fit(disp=False).get_prediction(new)
    one = tm.Logit.from_formula("y ~ x", df).fit(disp=False).get_prediction(new)
    for alpha in (0.05, 0.4):
        found, logit = both.conf_int(obs=True, alpha=alpha).reshape(41, 2, 2), one.conf_int(obs=True, alpha=alpha)
        close(found[:, 1], logit)
        close(found[:, 0], 1 - logit[:, ::-1])
        assert set(map(tuple, logit)) == {(0, 0), (0, 1), (1, 1)}


@pytest.mark.parametrize("levels", [3, 6])
def test_indicators_by_simulation(levels):
    """Draws of the parameters, and the categories' shares given them."""
    df = choices(levels)
    res = tm.MNLogit.from_formula("y ~ x", df).fit(disp=False)
    new = pd.DataFrame({"x": [-2.5, -1.0, 0.2, 1.5, 3.0]})
    x = np.column_stack([np.ones(5), new["x"]])
    values = np.asarray(res.params).T.ravel()
    draws = np.random.default_rng(0).multivariate_normal(values, np.asarray(res.cov_params()), 100_000)
    eta = np.einsum("nk,sjk->snj", x, draws.reshape(len(draws), levels - 1, 2))
    share = special.softmax(np.concatenate([np.zeros((*eta.shape[:2], 1)), eta], 2), 2).mean(0)
    parts = res.get_prediction(new).predictive._parts
    averaged = sum(weight * part.mean() for part, weight in parts)
    close(averaged, share, 0, 6e-3)
    for alpha in (0.05, 0.3):
        limits = res.get_prediction(new).conf_int(obs=True, alpha=alpha).reshape(5, levels, 2)
        sure = np.abs(share[..., None] - [1 - alpha / 2, alpha / 2]) > 6e-3  # not at the edge
        expected = np.stack([1 - share < alpha / 2, 1 - share < 1 - alpha / 2], 2).astype(float)
        assert (limits == expected)[sure].all()
    frame = res.predict(new, interval="obs")
    assert frame.index.names[1] == "value" and frame.shape == (5 * levels, 3)
    arrays = tm.MNLogit(df["y"].to_numpy(), sm.add_constant(df[["x"]].to_numpy())).fit(disp=False)
    assert arrays.predict(interval="mean").shape == (200, levels, 3)
    close(arrays.predict(x, interval="obs").reshape(-1, 3), frame)


def test_rule_for_many_predictors():
    """The first two moments of the standard normal distribution, and weights that sum to one."""
    for m in (1, 2, 3, 4, 9):
        points = np.array([p.numpy() for p, _ in quadrature(m)])
        weights = np.array([w for _, w in quadrature(m)])
        close([weights.sum()], [1.0], 1e-12)
        close(weights @ points, np.zeros(m), 0, 1e-12)
        close((points * weights[:, None]).T @ points, np.eye(m), 0, 1e-12)


# -- several responses ---------------------------------------------------------------------------------------------------------


def test_several_responses():
    """Each as least squares has it, with the variance of maximum likelihood and normal quantiles."""
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"x": rng.normal(1000, 2, 80), "w": rng.normal(size=80)})
    df["a"], df["b"] = df["x"] / 10 + rng.normal(size=80), df["w"] + 3 * rng.normal(size=80)
    res, new = tm.MVNormal.from_formula("a + b ~ x + w", df).fit(), df.iloc[:4]
    found = res.get_prediction(new)
    frame = found.summary_frame(alpha=0.1)
    for response in ("a", "b"):
        least = sm.OLS.from_formula(f"{response} ~ x + w", df).fit()
        theirs, shrink = least.get_prediction(new), np.sqrt(77 / 80)
        ours = frame.xs(response, level="value")
        close(ours["mean"], theirs.predicted_mean, 1e-9)
        close(ours["mean_se"], theirs.se_mean * shrink, 1e-6)
        reach = stats.norm.ppf(0.95) * theirs.se_obs * shrink
        close(ours["obs_ci_upper"] - ours["mean"], reach, 1e-6)
        close(ours["mean"] - ours["obs_ci_lower"], reach, 1e-6)
        close(ours["mean"] - ours["mean_ci_lower"], stats.norm.ppf(0.95) * theirs.se_mean * shrink, 1e-6)
    close(res.predict(new, interval="obs", level=0.9), frame[["mean", "obs_ci_lower", "obs_ci_upper"]])
    assert res.predict(interval="mean").shape == (160, 3)
    with pytest.raises(TypeError, match="offset"):
        res.get_prediction(new, offset=1.0)
    with pytest.raises(NotImplementedError, match="several numbers"):
        res.get_distribution()


# -- a user's model ------------------------------------------------------------------------------------------------------------

N = 90


def regression(name, loglike, **parameters):
    """A model that says a log-likelihood and no more."""
    return type(name, (tm.RegressionModel,), {"parameters": parameters, "loglike_obs": lambda self, p, data: loglike(p, data.y),
                                              "__doc__": name, "__module__": __name__})  # fmt: skip


def gumbel(p, y):
    z = (y - p.mu) / p.sigma
    return -z - torch.exp(-z) - torch.log(p.sigma)


def student(p, y):
    z = (y - p.mu) / p.sigma  # two degrees of freedom
    return -1.5 * torch.log1p(z * z / 2) - 1.5 * np.log(2) - torch.log(p.sigma)


def beta(p, y):
    a, b = p.mu * p.phi, (1 - p.mu) * p.phi
    return torch.lgamma(p.phi) - torch.lgamma(a) - torch.lgamma(b) + (a - 1) * torch.log(y) + (b - 1) * torch.log1p(-y)


def poisson(p, y):
    return y * torch.log(p.mu) - p.mu - torch.lgamma(y + 1)


def truncated(p, y):
    return poisson(p, y) - torch.log(-torch.expm1(-p.mu))


def geometric(p, y):
    return torch.log(p.mu) + y * torch.log1p(-p.mu)


MEAN = {"mu": tm.Identity(), "sigma": tm.Log()}
SCIPY = {  # model, what scipy calls it, draws
    "gumbel": (regression("Gumbel", gumbel, **MEAN), lambda p: stats.gumbel_r(p["mu"], p["sigma"]),
               lambda rng, eta: 50 + eta + rng.gumbel(size=N)),
    "student": (regression("Student", student, **MEAN), lambda p: stats.t(2, p["mu"], p["sigma"]),
                lambda rng, eta: eta + rng.standard_t(2, N)),
    "weibull": (regression("Weibull", lambda p, y: torch.log(p.k / p.scale) + (p.k - 1) * torch.log(y / p.scale)
                           - (y / p.scale) ** p.k, scale=tm.Log(), k=tm.Log()),
                lambda p: stats.weibull_min(p["k"], scale=p["scale"]), lambda rng, eta: np.exp(eta) * rng.weibull(0.7, N)),
    "beta": (regression("Beta", beta, mu=tm.Logit(), phi=tm.Log()),
             lambda p: stats.beta(p["mu"] * p["phi"], (1 - p["mu"]) * p["phi"]),
             lambda rng, eta: rng.beta(3 * special.expit(eta), 3 * special.expit(-eta))),
    "poisson": (regression("Counts", poisson, mu=tm.Log()), lambda p: stats.poisson(p["mu"]),
                lambda rng, eta: rng.poisson(np.exp(eta + 1))),
    "geometric": (regression("Geometric", geometric, mu=tm.Logit()), lambda p: stats.geom(p["mu"], loc=-1),
                  lambda rng, eta: rng.geometric(special.expit(eta)) - 1),
    "bernoulli": (regression("Binary", lambda p, y: torch.xlogy(y, p.mu) + torch.xlogy(1 - y, 1 - p.mu), mu=tm.Logit()),
                  lambda p: stats.bernoulli(p["mu"]), lambda rng, eta: rng.binomial(1, special.expit(eta))),
}  # fmt: skip


def user_frame(draws, seed=0):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=N), "g": rng.choice(["a", "b"], N)}, index=[f"row {i}" for i in range(N)])
    return df.assign(y=np.asarray(draws(rng, 0.3 + 0.8 * df["x"]), float))


@functools.cache
def user_fit(name):
    model, _, draws = SCIPY[name]
    return model.from_formula("y ~ x", user_frame(draws)).fit()


each_user = pytest.mark.parametrize("name", SCIPY)


@each_user
def test_distributions_by_numbers_are_scipys(name):
    far = {"gumbel": [-6.0, 30.0], "student": [-6.0, 30.0], "beta": [-2.0, 1.5]}.get(name, [-6.0, 3.0])
    res, new = user_fit(name), pd.DataFrame({"x": [-1.0, 0.0, 1.0, *far]})
    parameters = {which: np.asarray(res.predict(new, which=which)) for which in res.model.parameters}
    ours, theirs = res.get_distribution(new), SCIPY[name][1](parameters)
    discrete = hasattr(ours, "pmf")
    assert discrete == (name in ("poisson", "geometric", "bernoulli"))
    for q in (0.001, 0.025, 0.3, 0.5, 0.9, 0.975, 0.999):
        at = theirs.ppf(q)
        if discrete:
            close(ours.ppf(q), at)
            close(ours.pmf(at), theirs.pmf(at), 1e-9)
            close(ours.cdf(at), theirs.cdf(at), 1e-9)
        else:
            close(ours.cdf(at), np.full(5, q), 0, 3e-6)
            close(theirs.cdf(ours.ppf(q)), np.full(5, q), 0, 3e-6)
            close(ours.pdf(at), theirs.pdf(at), 5e-3)
    close(ours.cdf(-1e6), np.zeros(5), 0, 1e-5)
    close(ours.cdf(1e6), np.ones(5), 0, 1e-5)
    if name != "student":
        close(ours.mean(), theirs.mean(), 1e-5)
    if discrete:
        close(ours.var(), theirs.var(), 1e-5)


@each_user
def test_intervals_by_numbers_hold_observations(name):
    """The mixture over the parameters, its parts from scipy."""
    res, new = user_fit(name), pd.DataFrame({"x": [-1.0, 0.5, 2.0]}, index=list("abc"))
    frame = res.predict(new, interval="obs", level=0.8)
    assert list(frame.index) == ["a", "b", "c"] and (frame["lower"] <= frame["upper"]).all()
    predictive = res.get_prediction(new).predictive
    mixture = 0.0
    for node, weight in quadrature(len(res.model.parameters)):
        p = res.model.values(tuple(predictive._eta + (predictive._root @ node).T))
        part = SCIPY[name][1]({which: getattr(p, which).numpy() for which in res.model.parameters})
        mixture = mixture + weight * np.array([part.cdf(frame["lower"]), part.cdf(frame["upper"])])
    if name in ("poisson", "geometric", "bernoulli"):
        assert (mixture[0] >= 0.1 - 1e-9).all() and (mixture[1] >= 0.9 - 1e-9).all()
    else:
        close(mixture, [[0.1] * 3, [0.9] * 3], 0, 5e-6)


def test_a_users_negative_binomial_has_the_intervals_of_ours():
    df = user_frame(lambda rng, eta: rng.negative_binomial(2, 2 / (2 + np.exp(eta + 1))))

    def loglike(p, y):
        size, share = 1 / p.alpha, p.alpha * p.mu / (1 + p.alpha * p.mu)
        return (
            torch.lgamma(y + size)
            - torch.lgamma(size)
            - torch.lgamma(y + 1)
            + torch.xlogy(y, share)
            + size * torch.log1p(-share)
        )

    mine = regression("Dispersed", loglike, mu=tm.Log(), alpha=tm.Log()).from_formula("y ~ x", df).fit()
    ours = tm.NegativeBinomial.from_formula("y ~ x", df).fit(disp=False)
    close(mine.params, ours.params, 1e-6)
    for alpha in (0.02, 0.1, 0.5):
        close(
            mine.get_prediction(df).conf_int(obs=True, alpha=alpha),
            ours.get_prediction(df).conf_int(obs=True, alpha=alpha),
        )


def test_many_rows_by_blocks():
    res = user_fit("gumbel")
    new = pd.DataFrame({"x": np.resize(np.linspace(-1, 1, 7), 300)})
    found = res.predict(new, interval="obs").to_numpy()
    close(found, np.resize(found[:7], found.shape), 1e-9)


def test_zero_truncated_counts():
    """Responses that begin at one: the sum is one from there."""
    df = user_frame(lambda rng, eta: 1 + rng.poisson(np.exp(eta)))
    res = regression("Truncated", truncated, mu=tm.Log()).from_formula("y ~ x", df).fit()
    found, mu = res.get_distribution(df.iloc[:4]), np.asarray(res.predict(df.iloc[:4]))
    close(found.pmf(2), stats.poisson.pmf(2, mu) / -np.expm1(-mu), 1e-9)
    close(found.mean(), mu / -np.expm1(-mu), 1e-6)
    assert (res.get_prediction(df).conf_int(obs=True) >= 1).all()


def censored(p, y):
    """Zeros stand for what is below zero: a point mass on a continuous scale."""
    z = (y - p.mu) / p.sigma
    return torch.where(
        y > 0, -0.5 * z * z - torch.log(p.sigma) - 0.9189385332046727, torch.special.log_ndtr(-p.mu / p.sigma)
    )


REFUSED = {
    "a point mass": (regression("Tobit", censored, **MEAN), lambda rng, eta: np.maximum(eta + rng.normal(size=N), 0)),
    "a quasi-likelihood": (regression("Quasi", lambda p, y: y * torch.log(p.mu) - p.mu, mu=tm.Log()),
                           lambda rng, eta: rng.gamma(2, np.exp(eta))),
    "no constants": (regression("Kernel", lambda p, y: -0.5 * ((y - p.mu) / p.sigma) ** 2 - torch.log(p.sigma), **MEAN),
                     lambda rng, eta: eta + rng.normal(size=N)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_density_of_a_response_is_refused(name):
    model, draws = REFUSED[name]
    df = user_frame(draws)
    res = model.from_formula("y ~ x", df).fit()
    for ask in (lambda: res.get_distribution(df), lambda: res.predict(df, interval="obs")):
        with pytest.raises(ValueError, match=r"does not say its distribution.*does not sum to one.*define frozen"):
            ask()


@pytest.mark.parametrize(("low", "high"), [(2.911807903183931, 4.170194915322185), (-2.1301349406663936, 0.5546720011022339),
                                          (1.8355071020088358, 2.7549469907285387)])  # fmt: skip
def test_a_density_that_jumps_is_refused(low, high):
    """Also where the sum over the grid happens to come to one, as for these: quantiles were off by half a step."""

    def level(p, y):
        return torch.where((y >= low) & (y <= high), -np.log(high - low), -torch.inf) + 0 * p.mu

    rng = np.random.default_rng(0)
    draws = torch.as_tensor(rng.uniform(low, high, 300))
    for support in by_numbers.supports(by_numbers.seen(draws)):
        found = by_numbers.continuous(lambda y: level(SimpleNamespace(mu=torch.zeros_like(y)), y), 1, support)
        assert np.isnan(float(found.mass))


@each_user
@pytest.mark.parametrize("how", ["load", "load twice", "remove_data", "saved without rows"])
def test_distributions_by_numbers_outlive_the_rows(name, how, tmp_path):
    """Least, largest, median and spread of the responses, by which the support is found, go with the result."""
    model, _, draws = SCIPY[name]
    df = user_frame(draws)
    res, new = model.from_formula("y ~ x", df).fit(), df.iloc[:7].assign(x=lambda d: d["x"] + 0.1)
    limits, dist = res.predict(new, interval="obs"), res.get_distribution(new)
    res.save(tmp_path / "one")
    if how in ("remove_data", "saved without rows"):
        res.remove_data()
        res.save(tmp_path / "two")
    if how != "remove_data":
        res = tm.load(tmp_path / ("two" if how == "saved without rows" else "one"), model=model)
    if how == "load twice":
        res.save(tmp_path / "two")
        res = tm.load(tmp_path / "two", model=model)
    assert not res.model.has_rows
    close(res.predict(new, interval="obs"), limits, 1e-9)
    for q in (0.01, 0.5, 0.9):
        close(res.get_distribution(new).ppf(q), dist.ppf(q), 1e-9)
    assert res.model.seen == by_numbers.seen(torch.as_tensor(df["y"].to_numpy()))


def test_counts_outlive_the_rows(tmp_path):
    df = user_frame(SCIPY["poisson"][2])
    res = tm.Poisson.from_formula("y ~ x", df).fit(disp=False)
    before = res.predict(df.iloc[:3], which="prob")
    res.save(tmp_path / "fit", remove_data=True)
    for after in (res, tm.load(tmp_path / "fit")):
        close(after.predict(df.iloc[:3], which="prob"), before, 1e-12)


def test_a_kink_is_no_jump():
    """Laplace's density, two-sided exponential."""
    model = regression("TwoSided", lambda p, y: -(y - p.mu).abs() / p.sigma - torch.log(2 * p.sigma), **MEAN)
    df = user_frame(lambda rng, eta: eta + rng.laplace(size=N))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a maximum at a kink
        res = model.from_formula("y ~ x", df).fit()
    found = res.get_distribution(df.iloc[:4])
    exact = stats.laplace(np.asarray(res.predict(df.iloc[:4])), float(res.params["sigma"]))
    for q in (0.025, 0.4, 0.975):
        close(found.ppf(q), exact.ppf(q), 1e-3, 1e-3)


def test_a_model_may_say_its_distribution():
    class Tobit(REFUSED["a point mass"][0]):
        def frozen(self, p, data, scale):
            return stats.norm(p.mu.numpy(), p.sigma.numpy())

    df = user_frame(REFUSED["a point mass"][1])
    res = Tobit.from_formula("y ~ x", df).fit()
    found = res.predict(df, interval="obs", level=0.9)
    assert ((df["y"] <= found["upper"]) & ((df["y"] >= found["lower"]) | (df["y"] == 0))).mean() > 0.85


def test_a_likelihood_of_other_columns_needs_them():
    """Durations with an event column: new rows do not have it, and the likelihood is not a density of the response."""

    class Durations(tm.RegressionModel):
        """Exponential durations, right censored."""

        parameters = {"rate": tm.Log()}
        row_arguments = ("event",)

        def loglike_obs(self, p, data):
            return data.event * torch.log(p.rate) - p.rate * data.y

    df = user_frame(lambda rng, eta: rng.exponential(np.exp(-eta))).assign(d=np.resize([1.0, 1.0, 0.0], N))
    res = Durations.from_formula("y ~ x", df, event="d").fit()
    for rows in (None, df):
        with pytest.raises(ValueError, match="does not say its distribution"):
            res.predict(rows, interval="obs")


def test_grids_follow_each_row():
    """Densities that lie a thousand of their widths apart, and far from the responses seen."""
    res = user_fit("gumbel")
    model = type(res.model)
    df = user_frame(SCIPY["gumbel"][2])
    wide = model.from_formula("y ~ x", df, sigma="~ x").fit()
    eta = torch.tensor([[0.0, 5e4, -300.0, 51.0], [np.log(1e-3), np.log(20.0), 5.0, -9.0]], dtype=torch.float64)
    found = distribution_of(wide.model, eta, wide.model.rows.take(torch.arange(4)))
    theirs = stats.gumbel_r(eta[0].numpy(), eta[1].exp().numpy())
    for q in (0.01, 0.5, 0.99):
        close(theirs.cdf(found.ppf(q)), np.full(4, q), 0, 1e-5)


def test_families_that_torch_has_and_scipy_freezes_not():
    """`distribution_model` of a distribution that no scipy name stands for."""
    df = user_frame(lambda rng, eta: rng.beta(3 * special.expit(eta), 2))
    kind = tm.distribution_model(torch.distributions.Kumaraswamy)
    res = kind.from_formula("y ~ x", df).fit()
    a, b = (np.asarray(res.predict(df, which=which)) for which in res.model.parameters)
    found = res.get_distribution(df)
    close(1 - (1 - found.ppf(0.3) ** a) ** b, np.full(N, 0.3), 0, 1e-5)


# -- Tweedie responses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [1.1, 1.5, 1.9])
def test_tweedie_distributions(power):
    """Slopes of the distribution function are the density, its start is the point mass, its inverse the quantiles."""
    mu, phi = np.array([0.3, 1.0, 4.0, 50.0]), np.array([1.5, 0.7, 1.0, 0.4])
    found = CompoundPoissonGamma(power, mu, phi)
    zero = np.exp(-(mu ** (2 - power)) / ((2 - power) * phi))
    close(found.cdf(0.0), zero, 1e-12)
    close(found.cdf(-1.0), np.zeros(4))
    for at in (0.5 * mu, mu, 2 * mu):
        step = 1e-4 * mu
        slope = (found.cdf(at + step) - found.cdf(at - step)) / (2 * step)
        density = log_density(power, *(torch.tensor(value) for value in (at, mu, phi))).exp()
        close(slope, density, 1e-5, 1e-9)
    for q in (0.3, 0.6, 0.99):
        quantile = found.ppf(q)
        close(np.where(zero < q, found.cdf(quantile), q), np.full(4, q), 1e-9)
        assert (quantile[zero >= q] == 0).all()
    rng = np.random.default_rng(0)
    number = rng.poisson(zero_rate := -np.log(zero), (200_000, 4))
    shape, scale = (2 - power) / (power - 1), (power - 1) * phi * mu ** (power - 1)
    draws = rng.gamma(np.maximum(shape * number, 1e-12)) * scale * (number > 0)
    assert zero_rate.min() > 0
    for q in (0.5, 0.9):
        close((draws <= found.ppf(q)).mean(0), np.maximum(zero, q), 0, 5e-3)
    close(found.mean(), draws.mean(0), 0.02)
    close(found.var(), draws.var(0), 0.05)


# -- counts that scipy has not ------------------------------------------------------------------------------------------------


def rows_of(distribution, *natural):
    eta = [torch.as_tensor(np.asarray(natural[0], float)).log()]
    eta += [torch.full_like(eta[0], value) for value in natural[1:]]
    names = dict(zip(distribution.parameters, eta, strict=True))
    known = {name: scale(names[name]).numpy() for name, scale in distribution.parameters.items()}
    return row_distribution.row_distribution(distribution, known, eta)


def test_large_counts_are_found_by_their_density():
    """Against scipy's negative binomial; sums over counts ended at a million of them, and said 999,999."""
    mu, size = np.array([3.0, 2e4, 6e6, np.nan]), 1e3
    ours = row_distribution.RowDistribution(
        count_distributions.NegativeBinomialCounts(),
        (torch.from_numpy(mu).log(), torch.full((4,), -np.log(size), dtype=torch.float64)),
    )
    theirs = stats.nbinom(size, size / (size + mu))
    for q in (0.001, 0.025, 0.5, 0.999):
        np.testing.assert_allclose(ours.ppf(q)[:3], theirs.ppf(q)[:3], rtol=0, atol=1)
        at = theirs.ppf(q) + np.array([[0.0], [0.5]])
        np.testing.assert_allclose(ours.cdf(at)[:, :3], theirs.cdf(at)[:, :3], atol=1e-7)
    draws = ours.rvs((2000, 4), random_state=0)[:, 2]
    assert abs(draws.mean() - 6e6) < 4 * draws.std() / 2000**0.5


@pytest.mark.parametrize(("alpha", "power"), [(0.3, 1), (-0.02, 0), (1.5, 0)])
def test_quantiles_of_generalized_counts_are_of_their_sums(alpha, power):
    ours = rows_of(count_distributions.GeneralizedPoissonCounts(float(power)), [0.5, 3.0, 30.0], alpha)
    sums = np.cumsum(ours.pmf(np.arange(20_000.0)[:, None]), 0)
    for q in (0.0, 0.02, 0.5, 0.97, 0.9999):
        expected = [np.searchsorted(column, min(q, column[-1])) for column in sums.T]
        np.testing.assert_array_equal(ours.ppf(q), expected)
        np.testing.assert_allclose(ours.cdf(expected), sums[expected, [0, 1, 2]], rtol=1e-13)
    np.testing.assert_array_equal(ours.cdf(-1), 0.0)
    np.testing.assert_allclose(ours.cdf(np.array([[7.5], [np.inf]])), [sums[7], sums[-1]], rtol=1e-12)


def test_quantiles_of_inflated_counts():
    """``pi + (1 - pi) F``: zero up to pi, and as fast for large counts as without inflation."""
    inflated = ZeroInflatedCounts(count_distributions.PoissonCounts())
    ours, share = rows_of(inflated, [2.0, 40.0, 5e6], 0.0), 0.5
    main = stats.poisson([2.0, 40.0, 5e6])
    np.testing.assert_array_equal(ours.ppf(0.4), 0.0)
    np.testing.assert_array_equal(ours.ppf([[0.6], [0.99]]), main.ppf([[0.2], [0.98]]))
    np.testing.assert_allclose(
        ours.cdf([[-1], [0], [5e6]]), [[0] * 3, share + share * main.cdf(0), share + share * main.cdf(5e6)]
    )
    sums = np.cumsum(ours.pmf(np.arange(300.0)[:, None]), 0)[:, :2]
    np.testing.assert_allclose(sums[[0, 3, 50]], ours.cdf([[0], [3], [50]])[:, :2], rtol=1e-12)


# -- far out -------------------------------------------------------------------------------------------------------------------


def test_errors_of_what_is_beyond_squares():
    """Probabilities of 1e-170 and means of 1e200 have errors whose squares are no numbers."""
    res = fitted(next(p for p in PROBLEMS if p.name == "poisson"))
    new = pd.DataFrame({"x": [900.0, -900.0], "w": 0.0, "off": 0.0, "years": 1.0})
    linear, found = res.get_prediction(new, which="linear"), res.get_prediction(new)
    assert found.predicted.max() > 1e170
    close(found.se, found.predicted * linear.se)
    none = res.get_prediction(new.assign(x=10.8), y_values=[0], which="prob")  # exp(-mu)
    mu = np.asarray(res.predict(new.assign(x=10.8)))
    assert (none.predicted < 1e-170).all() and (none.predicted > 0).all()
    close(none.se[:, 0], none.predicted[:, 0] * mu * res.get_prediction(new.assign(x=10.8), which="linear").se, 1e-8)


def test_probabilities_of_categories_that_round_to_one():
    """Their odds are against all others together, which keep their digits."""
    res = fitted(next(p for p in PROBLEMS if p.name == "ordered-probit"))
    new = pd.DataFrame({"x": [30.0, -30.0, 60.0], "w": 0.0, "off": 0.0})
    found = res.get_prediction(new, which="prob")
    p, (low, high) = found.predicted, found.conf_int().reshape(3, -1, 2).transpose(2, 0, 1)
    assert (p == 1).any() and np.isfinite(found.conf_int()).all()
    assert (low <= p).all() and (p <= high).all() and (low[p < 1e-3] < 1e-3).all()
    for which in ("prob[0]", "prob[2]", "cumprob"):
        assert np.isfinite(res.get_prediction(new, which=which).conf_int()).all()
