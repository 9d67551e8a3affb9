"""One row per model: how to make data it fits, what is true of them, and its likelihood written down a second time.

`tests/test_contract.py` holds the laws every row obeys. A new model is one row here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import special, stats

import torchmle as tm
from torchmle import families

# -- models a user might write ---------------------------------------------------------------------------------


class Gumbel(tm.RegressionModel):
    """y = mu + sigma * standard Gumbel noise."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        z = (data.y - p.mu) / p.sigma
        return -z - torch.exp(-z) - torch.log(p.sigma)


class Mixture(tm.LikelihoodModel):
    """Two normal components that share a standard deviation."""

    parameters = {"share": tm.Logit(), "low": tm.Identity(), "high": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        def component(mean):
            return -0.5 * ((data.y - mean) / p.sigma) ** 2 - torch.log(p.sigma) - 0.5 * np.log(2 * np.pi)

        return torch.logaddexp(torch.log(p.share) + component(p.low), torch.log1p(-p.share) + component(p.high))


class OrderedLogit(tm.LikelihoodModel):
    """Four ordered categories: coefficients and increasing thresholds."""

    parameters = {"beta": tm.Coefficients(), "cut": tm.Ordered(3)}

    def loglike_obs(self, p, data):
        limits = torch.cat([p.cut.new_tensor([-60.0]), p.cut, p.cut.new_tensor([60.0])])
        above, below = limits[data.y.long() + 1] - data.X @ p.beta, limits[data.y.long()] - data.X @ p.beta
        return torch.log(torch.sigmoid(above) - torch.sigmoid(below))


StudentT = tm.distribution_model(torch.distributions.StudentT)
Gamma = tm.distribution_model(torch.distributions.Gamma, main="rate")


# -- data ------------------------------------------------------------------------------------------------------


def covariates(rng, n):
    """Two numeric columns, a factor, firms of about six rows, and counts 0 ... 3 that add up to about 1.5 n."""
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "w": rng.uniform(-1, 1, n),
            "g": rng.choice(["a", "b", "c"], n),
            "firm": rng.integers(0, max(2, n // 6), n),
            "year": rng.integers(2000, 2008, n),
            "counts": rng.integers(0, 4, n).astype(float),
        }
    )


def mean(df, constant=1.0, x=0.5, w=-0.3):
    return constant + x * df["x"] + w * df["w"]


def linear_data(rng, n):
    df = covariates(rng, n)
    df["precision"] = rng.uniform(0.5, 2, n)
    return df.assign(y=mean(df) + rng.normal(size=n) / np.sqrt(df["precision"]))


def normal_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=mean(df) + 1.5 * rng.normal(size=n))


def heteroscedastic_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=mean(df) + np.exp(0.2 + 0.6 * df["w"]) * rng.normal(size=n))


def count_data(rng, n):
    df = covariates(rng, n).assign(off=rng.normal(0, 0.3, n), years=rng.uniform(0.5, 3, n))
    return df.assign(y=rng.poisson(df["years"] * np.exp(mean(df) + df["off"])).astype(float))


def dispersed_data(power, alpha=0.5):
    """Negative binomial counts with variance ``mu + alpha mu^power``."""

    def make(rng, n):
        df = covariates(rng, n).assign(off=rng.normal(0, 0.3, n), years=rng.uniform(0.5, 3, n))
        mu = df["years"] * np.exp(mean(df) + df["off"])
        size = mu ** (2 - power) / alpha
        return df.assign(y=rng.negative_binomial(size, size / (size + mu)).astype(float))

    return make


def generalized_data(alpha, power):
    """Generalized Poisson counts, by inversion of the distribution function."""

    def make(rng, n):
        df = covariates(rng, n).assign(off=rng.normal(0, 0.3, n), years=rng.uniform(0.5, 3, n))
        mu, below = df["years"] * np.exp(mean(df) + df["off"]), rng.uniform(size=n)
        at, total = np.zeros(n), np.zeros(n)
        for y in range(1000):
            probability = np.exp(generalized_row(y, mu, alpha, power))
            total += probability
            above = (below > total) & (probability > 0)  # a negative alpha ends the support
            if not above.any():
                break
            at += above
        return df.assign(y=at)

    return make


def inflated_data(make, link):
    """Other counts, of which more are zero."""

    def inflate(rng, n):
        df = make(rng, n)
        return df.assign(y=np.where(rng.random(n) < link(-0.7 + 0.9 * df["w"]), 0.0, df["y"]))

    return inflate


def binary_data(probability):
    """Outcomes of 0 and 1 by an inverse link."""

    def make(rng, n):
        df = covariates(rng, n)
        return df.assign(y=(rng.random(n) < probability(mean(df, -0.5, 1.0, -0.6))).astype(float))

    return make


def survival_data(rng, n):
    df = covariates(rng, n)
    time, limit = rng.exponential(np.exp(-mean(df, -1.0))), rng.uniform(1, 6, n)
    return df.assign(time=np.minimum(time, limit), event=(time <= limit).astype(int))


def entry_data(rng, n):
    """Rows are observed only if they live until a random entry time."""
    df = covariates(rng, 3 * n)
    time, entry = rng.exponential(np.exp(-mean(df, -1.0))), rng.uniform(0, 1.5, 3 * n)
    df = df.assign(entry=entry, time=np.minimum(time, entry + 4), event=(time <= entry + 4).astype(int))
    return df[time > entry].head(n).reset_index(drop=True)


def interval_data(rng, n):
    """Exact, left-, right- and interval-censored rows: visits at whole times, a quarter observed exactly."""
    df = covariates(rng, n)
    time = rng.exponential(np.exp(-mean(df, -0.5)))
    lower, upper = np.minimum(np.floor(time), 4.0), np.where(time < 4, np.floor(time) + 1, np.inf)
    exact = rng.random(n) < 0.25
    return df.assign(lower=np.where(exact, time, lower), upper=np.where(exact, time, upper))


def left_data(rng, n):
    df = covariates(rng, n)
    time, limit = rng.exponential(np.exp(-mean(df, -1.0))), rng.uniform(0.2, 2, n)
    return df.assign(time=np.maximum(time, limit), event=(time >= limit).astype(int))


def several_data(rng, n):
    df = covariates(rng, n)
    noise = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.0], [0.6, 0.8]]).T
    return df.assign(a=1 + 0.5 * df["x"] + noise[:, 0], b=-1 - 0.3 * df["x"] + noise[:, 1])


def student_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=mean(df) + np.exp(0.2 + 0.6 * df["w"]) * rng.standard_t(5, n))


def gamma_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=rng.gamma(2.0, np.exp(-mean(df))))


def positive_data(draw):
    """Positive responses with mean ``years exp(line + off)``, of a variance that falls with `precision`."""

    def make(rng, n):
        df = covariates(rng, n).assign(off=rng.normal(0, 0.3, n), years=rng.uniform(0.5, 3, n))
        df["precision"] = rng.uniform(0.5, 2, n)
        return df.assign(y=draw(rng, df["years"] * np.exp(mean(df) + df["off"]), df["precision"].to_numpy()))

    return make


def tweedie_draw(rng, mu, precision, power=1.5, scale=0.8):
    """Sums of a Poisson number of gammas (Jorgensen 1987)."""
    scale = scale / precision
    number = rng.poisson(mu ** (2 - power) / (scale * (2 - power)))
    shape = np.maximum(number, 1) * (2 - power) / (power - 1)
    return np.where(number > 0, rng.gamma(shape, scale * (power - 1) * mu ** (power - 1)), 0.0)


def gumbel_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=mean(df) + np.exp(0.2 + 0.6 * df["w"]) * rng.gumbel(size=n))


def mixture_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=np.where(rng.random(n) < 0.4, -2.0, 1.5) + 0.7 * rng.normal(size=n))


def ordered_data(rng, n):
    df = covariates(rng, n)
    return df.assign(y=np.digitize(mean(df, 0.0) + rng.logistic(size=n), [-1.0, 0.0, 1.5]).astype(float))


def probit_data(rng, n):
    df = covariates(rng, n).assign(off=rng.normal(0, 0.3, n))
    return df.assign(y=np.digitize(mean(df, 0.0) + df["off"] + rng.normal(size=n), [-0.8, 0.6]).astype(float))


def matched(groups=40, seed=0, most=9):
    """Groups of two to nine members with constants of their own; some of them all zeros or ones."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, most + 1, groups)
    g = np.repeat(np.arange(groups), sizes)
    df = pd.DataFrame(
        {"g": g, "x": rng.normal(size=len(g)), "w": rng.uniform(-1, 1, len(g)), "s": rng.normal(size=len(g))}
    )
    constant = rng.normal(size=groups)
    df["region"], df["level"], df["weight"] = g // 4, constant[g], rng.integers(1, 4, groups)[g]
    df["y"] = (0.8 * df["x"] - 0.5 * df["w"] + constant[g] + rng.logistic(size=len(g)) > 0).astype(int)
    return df.sample(frac=1, random_state=seed).reset_index(drop=True)


def choice_data(rng, n):
    df = covariates(rng, n)
    value = np.column_stack([np.zeros(n), mean(df, 0.3, 0.8, -0.5), mean(df, -0.2, -0.4, 1.0)])
    value += rng.gumbel(size=value.shape)
    return df.assign(y=np.array(["bus", "car", "walk"])[value.argmax(1)])


# -- the likelihoods again, by scipy ---------------------------------------------------------------------------


def line(df, p, prefix="", columns=("x", "w")):
    """The linear predictor of a formula in `columns`, from labelled parameters."""
    label = (lambda name: f"{prefix}[{name}]") if prefix else (lambda name: name)
    return p[label("Intercept")] + sum(p[label(name)] * df[name] for name in columns)


def binary_rows(probability):
    return lambda df, p: stats.bernoulli.logpmf(df["y"], probability(line(df, p)))


def cloglog(eta):
    return -np.expm1(-np.exp(eta))


def exponential_rows(df, p):
    """d log(rate) - rate t, less the survival until entry."""
    rate = np.exp(line(df, p))
    return np.where(df["event"] == 1, np.log(rate), 0) - rate * (df["time"] - df.get("entry", 0.0))


def interval_rows(df, p):
    rate = np.exp(line(df, p))
    exact = stats.expon.logpdf(df["lower"], scale=1 / rate)
    between = np.exp(-rate * df["lower"]) - np.where(np.isinf(df["upper"]), 0.0, np.exp(-rate * df["upper"]))
    return np.where(df["lower"] == df["upper"], exact, np.log(np.where(between > 0, between, 1.0)))


def left_rows(df, p):
    scale = np.exp(-line(df, p))
    return np.where(
        df["event"] == 1, stats.expon.logpdf(df["time"], scale=scale), stats.expon.logcdf(df["time"], scale=scale)
    )


def dispersed_rows(power):
    def rows(df, p):
        mu = df["years"] * np.exp(line(df, p) + df["off"])
        size = mu ** (2 - power) / p.get("alpha", 1.0)
        return stats.nbinom.logpmf(df["y"], size, size / (size + mu))

    return rows


def generalized_row(y, mu, alpha, power):
    """Log-probability by Consul and Jain's theta and lambda."""
    theta, share = mu / (1 + alpha * mu**power), alpha * mu**power / (1 + alpha * mu**power)
    rate = theta + share * y
    value = np.log(theta) + (y - 1) * np.log(np.where(rate > 0, rate, 1.0)) - rate - special.gammaln(y + 1)
    return np.where(rate > 0, value, -np.inf)


def generalized_rows(power):
    return lambda df, p: generalized_row(df["y"], df["years"] * np.exp(line(df, p) + df["off"]), p["alpha"], power)


def inflated_rows(rows, link):
    def inflated(df, p):
        share = link(p["inflate_Intercept"] + p["inflate_w"] * df["w"])
        return np.log(np.where(df["y"] == 0, share, 0.0) + (1 - share) * np.exp(rows(df, p)))

    return inflated


def poisson_rows(df, p):
    return stats.poisson.logpmf(df["y"], df["years"] * np.exp(line(df, p) + df["off"]))


def exposed_mean(df, p):
    return df["years"] * np.exp(line(df, p) + df["off"])


def gamma_rows(df, p, scale):
    shape = df["precision"] / scale
    return stats.gamma.logpdf(df["y"], shape, scale=exposed_mean(df, p) / shape)


def inverse_gaussian_rows(df, p, scale):
    size, mu = df["precision"] / scale, exposed_mean(df, p)
    return stats.invgauss.logpdf(df["y"], mu / size, scale=size)


def tweedie_rows(df, p, scale, power=1.5):
    """The compound density, summed over the number of gammas."""
    scale, mu = (scale / df["precision"]).to_numpy()[:, None], exposed_mean(df, p).to_numpy()[:, None]
    rate, y, number = mu ** (2 - power) / (scale * (2 - power)), df["y"].to_numpy()[:, None], np.arange(1, 400)
    shape, unit = number * (2 - power) / (power - 1), scale * (power - 1) * mu ** (power - 1)
    parts = stats.poisson.logpmf(number, rate) + stats.gamma.logpdf(np.where(y > 0, y, 1.0), shape, scale=unit)
    return np.where(y[:, 0] > 0, special.logsumexp(parts, axis=1), -rate[:, 0])


def several_rows(df, p, columns):
    means = [p[f"{y}[Intercept]"] + sum(p[f"{y}[{name}]"] * df[name] for name in columns) for y in ("a", "b")]
    covariance = [[p["cov[a, a]"], p["cov[b, a]"]], [p["cov[b, a]"], p["cov[b, b]"]]]
    return stats.multivariate_normal.logpdf(df[["a", "b"]] - np.column_stack(means), cov=covariance)


def mixture_rows(df, p):
    parts = [stats.norm.logpdf(df["y"], p[name], p["sigma"]) for name in ("low", "high")]
    return np.logaddexp(np.log(p["share"]) + parts[0], np.log(1 - p["share"]) + parts[1])


def ordered_rows(df, p):
    eta = p["x"] * df["x"] + p["w"] * df["w"]
    limits = np.array([-np.inf, *(p[f"cut[{i}]"] for i in range(3)), np.inf])
    y = df["y"].to_numpy().astype(int)
    return np.log(special.expit(limits[y + 1] - eta) - special.expit(limits[y] - eta))


def interval_choice_rows(df, p):
    eta, y = p["x"] * df["x"] + p["w"] * df["w"] + df["off"], df["y"].to_numpy().astype(int)
    limits = np.array([-np.inf, p["0/1"], p["1/2"], np.inf])
    return np.log(stats.norm.cdf(limits[y + 1] - eta) - stats.norm.cdf(limits[y] - eta))


def choice_rows(df, p):
    lines = {level: line(df, {name: p[f"y{level}_{name}"] for name in LINE}) for level in ("car", "walk")}
    eta = pd.DataFrame({"bus": 0.0 * df["x"], **lines})
    chosen = eta.to_numpy()[np.arange(len(df)), eta.columns.get_indexer(df["y"])]
    return chosen - special.logsumexp(eta, axis=1)


# -- the table -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Problem:
    """A model and data for it.

    Attributes
    ----------
    rows : callable
        Log-likelihood of each row from a frame and labelled parameters, without this package; None when the variance
        is concentrated out (least squares, compared with statsmodels instead).
    reordered : str
        The formula with its terms in another order.
    scales : tuple of str
        Parameters that are multiplied by c when the response is; None when the family is not closed under scaling.
    centres : bool
        Whether the linear predictors may have columns that lie 1e8 standard deviations from zero.
    disperses : bool
        Whether a dispersion is estimated beside the likelihood: laws of likelihoods are then laws at a dispersion held, which
        `rows` take as a third argument.
    """

    name: str
    model: type
    formula: str
    make: Callable[[np.random.Generator, int], pd.DataFrame]
    truth: Mapping[str, float]
    rows: Callable[[pd.DataFrame, Mapping[str, float]], Any] | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fitting: Mapping[str, Any] = field(default_factory=dict)
    reordered: str = ""
    scales: tuple[str, ...] | None = None
    centres: bool = True
    disperses: bool = False

    def held(self, res):
        """The dispersion of a fit, to hold it while parameters move; nothing where there is none."""
        return {"scale": float(res.scale)} if self.disperses else {}

    def frame(self, seed=0, n=240):
        return self.make(np.random.default_rng(seed), n)

    def build(self, df, formula=None, **more):
        return self.model.from_formula(formula or self.formula, df, **{**self.arguments, **more})

    def fit(self, df, formula=None, fitting=None, **more):
        return self.build(df, formula, **more).fit(**{"disp": False, **self.fitting, **(fitting or {})})

    def __repr__(self):
        return self.name


LINE = {"Intercept": 1.0, "x": 0.5, "w": -0.3}
EXPOSED = {"offset": "off", "exposure": "years"}
DISPERSED = {**EXPOSED, "var_weights": "precision"}
INFLATION = {"inflate_Intercept": -0.7, "inflate_w": 0.9}
BINARY = {"Intercept": -0.5, "x": 1.0, "w": -0.6}
HAZARD = {**LINE, "Intercept": -1.0}
SPREAD = {"sigma[Intercept]": 0.2, "sigma[w]": 0.6}
CHOICE = {
    "ycar_Intercept": 0.3,
    "ycar_x": 0.8,
    "ycar_w": -0.5,
    "ywalk_Intercept": -0.2,
    "ywalk_x": -0.4,
    "ywalk_w": 1.0,
}
COVARIANCE = {"cov[a, a]": 1.0, "cov[b, a]": 0.6, "cov[b, b]": 1.0}
SLOPES = {"a[Intercept]": 1.0, "a[x]": 0.5, "b[Intercept]": -1.0, "b[x]": -0.3}
EVERY_LINE = tuple(LINE)

PROBLEMS = [
    Problem("ols", tm.OLS, "y ~ x + w", linear_data, LINE, None, reordered="y ~ w + x", scales=EVERY_LINE),
    Problem("ols-factor", tm.OLS, "y ~ x + w + C(g)", linear_data, {**LINE, "C(g)[T.b]": 0.0, "C(g)[T.c]": 0.0}, None,
            reordered="y ~ C(g) + w + x", scales=(*EVERY_LINE, "C(g)[T.b]", "C(g)[T.c]")),
    Problem("wls", tm.WLS, "y ~ x + w", linear_data, LINE, None, {"weights": "precision"}, reordered="y ~ w + x",
            scales=EVERY_LINE),
    Problem("poisson", tm.Poisson, "y ~ x + w", count_data, LINE,
            poisson_rows, EXPOSED, reordered="y ~ w + x"),
    Problem("glm-poisson", tm.GLM, "y ~ x + w", count_data, LINE, poisson_rows, {**EXPOSED, "family": families.Poisson()},
            reordered="y ~ w + x"),
    Problem("glm-negbin", tm.GLM, "y ~ x + w", dispersed_data(2), LINE,
            lambda df, p: dispersed_rows(2)(df, {**p, "alpha": 0.5}),
            {**EXPOSED, "family": families.NegativeBinomial(alpha=0.5)}, {"method": "newton"}, reordered="y ~ w + x"),
    Problem("glm-cloglog", tm.GLM, "y ~ x + w", binary_data(cloglog), BINARY, binary_rows(cloglog),
            {"family": families.Binomial(families.links.CLogLog())}, {"method": "newton"}, reordered="y ~ w + x"),
    Problem("glm-gamma", tm.GLM, "y ~ x + w", positive_data(lambda rng, mu, w: rng.gamma(2 * w, mu / (2 * w))), LINE, gamma_rows,
            {**DISPERSED, "family": families.Gamma(families.links.Log())}, {"method": "newton"}, reordered="y ~ w + x",
            disperses=True),
    Problem("glm-inverse-gaussian", tm.GLM, "y ~ x + w", positive_data(lambda rng, mu, w: rng.wald(mu, 8 * w)), LINE,
            inverse_gaussian_rows, {**DISPERSED, "family": families.InverseGaussian(families.links.Log())},
            {"method": "newton"}, reordered="y ~ w + x", disperses=True),
    Problem("glm-tweedie", tm.GLM, "y ~ x + w", positive_data(tweedie_draw), LINE, tweedie_rows,
            {**DISPERSED, "family": families.Tweedie(families.links.Log(), var_power=1.5)}, {"method": "newton"},
            reordered="y ~ w + x", disperses=True),
    Problem("logit", tm.Logit, "y ~ x + w", binary_data(special.expit), BINARY, binary_rows(special.expit), reordered="y ~ w + x"),
    Problem("probit", tm.Probit, "y ~ x + w", binary_data(special.ndtr), BINARY, binary_rows(special.ndtr),
            reordered="y ~ w + x"),
    Problem("negbin-2", tm.NegativeBinomial, "y ~ x + w", dispersed_data(2), {**LINE, "alpha": 0.5}, dispersed_rows(2), EXPOSED,
            reordered="y ~ w + x"),
    Problem("negbin-1", tm.NegativeBinomial, "y ~ x + w", dispersed_data(1, 1.5), {**LINE, "alpha": 1.5}, dispersed_rows(1),
            {**EXPOSED, "loglike_method": "nb1"}, reordered="y ~ w + x"),
    Problem("geometric", tm.NegativeBinomial, "y ~ x + w", dispersed_data(2, 1.0), LINE, dispersed_rows(2),
            {**EXPOSED, "loglike_method": "geometric"}, reordered="y ~ w + x"),
    Problem("negbin-p", tm.NegativeBinomialP, "y ~ x + w", dispersed_data(1.5), {**LINE, "alpha": 0.5}, dispersed_rows(1.5),
            {**EXPOSED, "p": 1.5}, reordered="y ~ w + x"),
    Problem("generalized-1", tm.GeneralizedPoisson, "y ~ x + w", generalized_data(-0.1, 0), {**LINE, "alpha": -0.1},
            generalized_rows(0), {**EXPOSED, "p": 1}, reordered="y ~ w + x"),
    Problem("generalized-2", tm.GeneralizedPoisson, "y ~ x + w", generalized_data(0.2, 1), {**LINE, "alpha": 0.2},
            generalized_rows(1), {**EXPOSED, "p": 2}, reordered="y ~ w + x"),
    Problem("zero-poisson", tm.ZeroInflatedPoisson, "y ~ x + w", inflated_data(count_data, special.expit), {**INFLATION, **LINE},
            inflated_rows(poisson_rows, special.expit), {**EXPOSED, "inflate": "~ w"}, reordered="y ~ w + x"),
    Problem("zero-negbin", tm.ZeroInflatedNegativeBinomialP, "y ~ x + w", inflated_data(dispersed_data(2), special.ndtr),
            {**INFLATION, **LINE, "alpha": 0.5}, inflated_rows(dispersed_rows(2), special.ndtr),
            {**EXPOSED, "inflate": "~ w", "inflation": "probit"}, reordered="y ~ w + x"),
    Problem("zero-generalized", tm.ZeroInflatedGeneralizedPoisson, "y ~ x + w",
            inflated_data(generalized_data(0.2, 1), special.expit), {**INFLATION, **LINE, "alpha": 0.2},
            inflated_rows(generalized_rows(1), special.expit), {**EXPOSED, "inflate": "~ w"}, reordered="y ~ w + x"),
    Problem("mnlogit", tm.MNLogit, "y ~ x + w", choice_data, CHOICE, choice_rows, reordered="y ~ w + x"),
    Problem("ordered-logit", tm.OrderedModel, "y ~ x + w", ordered_data,
            {"x": 0.5, "w": -0.3, "0/1": -1.0, "1/2": 0.0, "2/3": 1.5},
            lambda df, p: ordered_rows(df, {**p, "cut[0]": p["0/1"], "cut[1]": p["1/2"], "cut[2]": p["2/3"]}),
            {"distr": "logit"}, reordered="y ~ w + x"),
    Problem("ordered-probit", tm.OrderedModel, "y ~ x + w", probit_data,
            {"x": 0.5, "w": -0.3, "0/1": -0.8, "1/2": 0.6}, interval_choice_rows, {"offset": "off"}, reordered="y ~ w + x"),
    Problem("exponential", tm.ExponentialSurvival, "Surv(time, event) ~ x + w", survival_data, HAZARD, exponential_rows,
            reordered="Surv(time, event) ~ w + x"),
    Problem("exponential-entry", tm.ExponentialSurvival, "Surv(entry, time, event) ~ x + w", entry_data, HAZARD,
            exponential_rows, reordered="Surv(entry, time, event) ~ w + x"),
    Problem("exponential-interval", tm.ExponentialSurvival, "Surv(lower, upper, type='interval2') ~ x + w", interval_data,
            {**HAZARD, "Intercept": -0.5}, interval_rows, reordered="Surv(lower, upper, type='interval2') ~ w + x"),
    Problem("exponential-left", tm.ExponentialSurvival, "Surv(time, event, type='left') ~ x + w", left_data, HAZARD,
            left_rows, reordered="Surv(time, event, type='left') ~ w + x"),
    Problem("normal", tm.Normal, "y ~ x + w", normal_data, {**LINE, "sigma": 1.5},
            lambda df, p: stats.norm.logpdf(df["y"], line(df, p), p["sigma"]),
            reordered="y ~ w + x", scales=(*EVERY_LINE, "sigma")),
    Problem("normal-sigma", tm.Normal, "y ~ x + w", heteroscedastic_data, {**LINE, **SPREAD},
            lambda df, p: stats.norm.logpdf(df["y"], line(df, p), np.exp(line(df, p, "sigma", ["w"]))),
            {"sigma": "~ w"}, reordered="y ~ w + x"),
    Problem("normal-fixed", tm.Normal, "y ~ x + w", normal_data, {**LINE, "sigma": 1.5},
            lambda df, p: stats.norm.logpdf(df["y"], line(df, p), p["sigma"]), {"sigma": 1.5}, reordered="y ~ w + x"),
    Problem("mvnormal", tm.MVNormal, "a + b ~ 1", lambda rng, n: several_data(rng, n).assign(a=lambda df: df["a"] - 0.5 * df["x"],
            b=lambda df: df["b"] + 0.3 * df["x"]), {"a[Intercept]": 1.0, "b[Intercept]": -1.0, **COVARIANCE},
            lambda df, p: several_rows(df, p, [])),
    Problem("mvnormal-x", tm.MVNormal, "a + b ~ x", several_data, {**SLOPES, **COVARIANCE},
            lambda df, p: several_rows(df, p, ["x"]), reordered="a + b ~ x"),
    Problem("student", StudentT, "y ~ x + w", student_data,
            {**LINE, "df": 5.0, "scale[Intercept]": 0.2, "scale[w]": 0.6},
            lambda df, p: stats.t.logpdf(df["y"], p["df"], line(df, p), np.exp(line(df, p, "scale", ["w"]))),
            {"scale": "~ w"}, reordered="y ~ w + x"),
    Problem("gamma", Gamma, "y ~ x + w", gamma_data, {**LINE, "concentration": 2.0},
            lambda df, p: stats.gamma.logpdf(df["y"], p["concentration"], scale=np.exp(-line(df, p))), reordered="y ~ w + x"),
    Problem("gumbel", Gumbel, "y ~ x + w", gumbel_data, {**LINE, **SPREAD},
            lambda df, p: stats.gumbel_r.logpdf(df["y"], line(df, p), np.exp(line(df, p, "sigma", ["w"]))),
            {"sigma": "~ w"}, reordered="y ~ w + x"),
    Problem("mixture", Mixture, "y ~ 1", mixture_data, {"share": 0.4, "low": -2.0, "high": 1.5, "sigma": 0.7}, mixture_rows,
            fitting={"start_params": [0.5, -1.0, 1.0, 1.0]}, scales=("low", "high", "sigma")),
    Problem("ordered", OrderedLogit, "y ~ x + w - 1", ordered_data,
            {"x": 0.5, "w": -0.3, "cut[0]": -1.0, "cut[1]": 0.0, "cut[2]": 1.5}, ordered_rows,
            fitting={"start_params": [0.0, 0.0, -1.0, 0.0, 1.0]}, reordered="y ~ w + x - 1", centres=False),
]  # fmt: skip
NAMES = [problem.name for problem in PROBLEMS]
BY_NAME = dict(zip(NAMES, PROBLEMS, strict=True))
LIKELIHOODS = [problem for problem in PROBLEMS if problem.rows is not None]
REGRESSIONS = [problem for problem in PROBLEMS if issubclass(problem.model, tm.RegressionModel)]
CLOSED_FORMS = [p for p in REGRESSIONS if p.model.eta_derivatives is not tm.RegressionModel.eta_derivatives]


def means(res):
    """Predicted means of the rows of the fit, with their labels; `fittedvalues` of discrete models are linear predictors."""
    values, index = np.asarray(res.predict()), res.model.index
    if index is None:
        return values
    return pd.Series(values, index) if values.ndim == 1 else pd.DataFrame(values, index)


@cache
def fitted(problem):
    """The fit of the default frame, made once: results are frozen."""
    return problem.fit(problem.frame())
