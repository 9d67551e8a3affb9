"""The expected information of responses with limits: against integrals, closed forms and VGAM."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats
from test_contract import close
from test_expected import LINE, SHAPE, D, beta_density, compared, frame, gamma_density, regression

import torchmle as tm

N = 150


def normal_between(low, high):
    """Tobin's likelihood with one or two limits."""

    def rows(p, y):
        below, above = ((np.clip(end, -60, 60) - p.mu) / p.sigma for end in (low, high))  # finite slopes
        inside = D.Normal(p.mu, p.sigma, validate_args=False).log_prob(y)
        ends = torch.where(y <= low, torch.special.log_ndtr(below), torch.special.log_ndtr(-above))
        return torch.where((y > low) & (y < high), inside, ends)

    return rows


def information_between(mu, sigma, low, high):
    """Of (mu, log sigma): an integral by Gauss and Legendre's rule, and Mills's ratios."""
    start, end = max(low, mu - 12 * sigma), min(high, mu + 12 * sigma)
    nodes, weights = np.polynomial.legendre.leggauss(150)
    z = (start + (end - start) * (nodes + 1) / 2 - mu) / sigma
    slopes = np.stack([z / sigma, z * z - 1])
    found = slopes * (weights * (end - start) / 2 * stats.norm.pdf(z) / sigma) @ slopes.T
    for end, sign in ((low, -1), (high, 1)):
        if np.isfinite(end):
            z = (end - mu) / sigma
            chance = stats.norm.cdf(-sign * z)
            slope = sign * stats.norm.pdf(z) / chance * np.array([1 / sigma, z])
            found += chance * np.outer(slope, slope)
    return found


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (-np.inf, 1.0), (-0.5, 1.5)])
def test_tobins_model(low, high):
    df = frame(lambda rng, e: (e + 1.3 * rng.normal(size=N)).clip(low, high))
    res = regression("Tobit", LINE, normal_between(low, high)).from_formula("y ~ x", df).fit(cov_type="eim")
    b, sigma = res.params_array[:2], res.params["sigma"]
    want = np.zeros((3, 3))
    for x in df["x"]:
        map_ = np.array([[1, x, 0], [0, 0, 1 / sigma]])
        want += map_.T @ information_between(b[0] + b[1] * x, sigma, low, high) @ map_
    compared(np.linalg.inv(res.cov_params()), want)


@pytest.mark.parametrize("censored", [0, 1])
def test_a_limit_that_few_reach_or_none(censored):
    """The likelihood says what a response at the limit would have had for a probability."""
    df = frame(lambda rng, e: (2 + e + rng.normal(size=N)).clip(0.05))
    df.loc[: censored - 1, "y"] = 0.0
    model = regression("Tobit", LINE, normal_between(0.0, np.inf)).from_formula("y ~ x", df)
    want = np.zeros((3, 3))
    for x in df["x"]:
        map_ = np.array([[1, x, 0], [0, 0, 1.0]])
        want += map_.T @ information_between(1.0 + 0.5 * x, math.exp(0.2), 0.0, np.inf) @ map_
    compared(model.expected_information(torch.tensor([1.0, 0.5, 0.2], dtype=torch.float64)), want)


def test_tobins_model_is_vgams():
    """R 4.2.2, VGAM 1.1.7: vglm(yt ~ x, tobit(Lower = 0), epsilon = 1e-13), yt = pmax(mpg - 18, 0), x = wt of mtcars."""
    mpg = [21, 21, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4, 14.7, 32.4, 30.4, 33.9, 21.5,
           15.5, 15.2, 13.3, 19.2, 27.3, 26, 30.4, 15.8, 19.7, 15, 21.4]  # fmt: skip
    wt = [2.62, 2.875, 2.32, 3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73, 3.78, 5.25, 5.424, 5.345, 2.2, 1.615,
          1.835, 2.465, 3.52, 3.435, 3.84, 3.845, 1.935, 2.14, 1.513, 3.17, 2.77, 3.57, 2.78]  # fmt: skip
    df = pd.DataFrame({"y": np.maximum(np.array(mpg) - 18, 0), "x": wt})
    res = regression("Tobit", LINE, normal_between(0.0, np.inf)).from_formula("y ~ x", df).fit(cov_type="eim")
    close(res.params_array[:2], [24.461696026052731, -7.264093207546480], 1e-7, unit=0)
    close(res.bse.iloc[:2], [2.5064647933852284, 0.8735663092576217], 1e-6, unit=0)
    close(res.bse["sigma"] / res.params["sigma"], 0.1698321437926854, 1e-6, unit=0)


class OwnLimit(tm.RegressionModel):
    """Exponential times of which each is seen up to a limit of its own."""

    parameters = {"rate": tm.Log()}
    row_arguments = ("limit",)

    def loglike_obs(self, p, data):
        return torch.where(data.y < data.limit, p.real.rate, 0.0) - p.rate * data.y


def test_each_row_has_its_own_limit():
    """A time is seen with probability ``1 - exp(-rate limit)``, which is the information in log rate."""
    rng = np.random.default_rng(1)
    df = frame(lambda rng, e: rng.exponential(np.exp(-e))).assign(limit=rng.uniform(0.3, 3, N))
    df["y"] = df[["y", "limit"]].min(axis=1)
    res = OwnLimit.from_formula("y ~ x", df, limit="limit", freq_weights="twice").fit(cov_type="eim")
    x = np.column_stack([np.ones(N), df["x"]])
    seen = -np.expm1(-np.exp(x @ res.params_array) * df["limit"]) * df["twice"]
    compared(np.linalg.inv(res.cov_params()), x.T @ (x * seen.to_numpy()[:, None]))


def inflated(f, at, inside):
    """A density with a probability p of one value beside it."""

    def rows(p, y):
        whole = torch.log1p(-p.p) + f(p, torch.where(y == at, inside, y))
        return torch.where(y == at, torch.log(p.p), whole)

    return rows


INFLATED = {
    "gamma": (SHAPE, gamma_density, 0.0, lambda rng, e: rng.gamma(2, np.exp(e) / 2)),
    "beta": ({"mu": tm.Logit(), "phi": tm.Log()}, beta_density, 1.0, lambda rng, e: rng.beta(2, 2 * np.exp(-e))),
}


@pytest.mark.parametrize("name", INFLATED)
def test_a_value_with_a_probability_of_its_own(name):
    """The density's parameters know of the share of the rows that have it, p of all."""
    parameters, f, at, make = INFLATED[name]
    df = frame(make)
    whole = regression("Whole", parameters, f).from_formula("y ~ x", df)
    df["y"] = df["y"].where(np.arange(N) % 4 > 0, at)
    model = regression("Inflated", {**parameters, "p": tm.Logit()}, inflated(f, at, 0.5)).from_formula("y ~ x", df)
    z = torch.tensor([0.2, 0.3, 0.9, -1.0], dtype=torch.float64)
    share = special.expit(-1.0)
    want = np.zeros((4, 4))
    want[:3, :3] = whole.expected_information(z[:3]).numpy() * (1 - share)
    want[3, 3] = N * share * (1 - share)
    compared(model.expected_information(z), want, 1e-7)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_censoring_that_only_a_column_marks_is_refused(sign):
    """The times at which the other rows would have been censored are not in the data."""

    class Marked(tm.RegressionModel):
        parameters = LINE
        row_arguments = ("marked",)

        def loglike_obs(self, p, data):
            z = (data.y - p.mu) / p.sigma
            inside = D.Normal(p.mu, p.sigma, validate_args=False).log_prob(data.y)
            return torch.where(data.marked > 0, torch.special.log_ndtr(sign * z), inside)

    df = frame(lambda rng, e: e + rng.normal(size=N)).assign(marked=np.arange(N) % 3 == 0)
    with pytest.raises(ValueError, match="censoring that a column marks"):
        _ = Marked.from_formula("y ~ x", df, marked="marked").fit(cov_type="eim", warn_convergence=False).bse
