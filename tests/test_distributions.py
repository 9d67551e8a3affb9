"""Regression models of torch's distributions against scipy: densities, means, maxima and standard errors."""

import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats
from torch import distributions as td

import torchmle as tm
from torchmle.errors import ConvergenceWarning

# Densities agree to the roundings of two libraries' special functions; derivatives of scipy's log-likelihood are
# five-point differences over 0.01 standard errors.
DENSITY = 1e-9
VON_MISES = 1e-8  # torch's Bessel functions are Abramowitz and Stegun's polynomials
DIFFERENCES = 1e-5

N = 200
X = np.random.default_rng(0).normal(size=N)


def exp(x):
    return np.exp(x)


# torch's class, main parameter, truth of the others, scipy's distribution of (main linear predictor, others),
# and the size of the linear predictor
CASES = {
    "Normal": (td.Normal, "loc", {"scale": 1.5}, lambda e, p: stats.norm(e, p["scale"])),
    "StudentT": (td.StudentT, "loc", {"df": 4.0, "scale": 1.5}, lambda e, p: stats.t(p["df"], e, p["scale"])),
    "Cauchy": (td.Cauchy, "loc", {"scale": 1.5}, lambda e, p: stats.cauchy(e, p["scale"])),
    "Laplace": (td.Laplace, "scale", {"loc": 0.5}, lambda e, p: stats.laplace(p["loc"], exp(e))),
    "Gumbel": (td.Gumbel, "loc", {"scale": 1.5}, lambda e, p: stats.gumbel_r(e, p["scale"])),
    "LogNormal": (td.LogNormal, "loc", {"scale": 0.5}, lambda e, p: stats.lognorm(p["scale"], scale=exp(e))),
    "Gamma": (td.Gamma, "concentration", {"rate": 2.0}, lambda e, p: stats.gamma(exp(e), scale=1 / p["rate"])),
    "Gamma of the rate": (td.Gamma, "rate", {"concentration": 2.0}, lambda e, p: stats.gamma(p["concentration"], scale=exp(-e))),
    "InverseGamma": (td.InverseGamma, "rate", {"concentration": 3.0}, lambda e, p: stats.invgamma(p["concentration"], scale=exp(e))),
    "Exponential": (td.Exponential, "rate", {}, lambda e, p: stats.expon(scale=exp(-e))),
    "Weibull": (td.Weibull, "scale", {"concentration": 1.7}, lambda e, p: stats.weibull_min(p["concentration"], scale=exp(e))),
    "HalfNormal": (td.HalfNormal, "scale", {}, lambda e, p: stats.halfnorm(scale=exp(e))),
    "Chi2": (td.Chi2, "df", {}, lambda e, p: stats.chi2(exp(e))),
    "Beta": (td.Beta, "concentration1", {"concentration0": 2.0}, lambda e, p: stats.beta(exp(e), p["concentration0"])),
    "Poisson": (td.Poisson, "rate", {}, lambda e, p: stats.poisson(exp(e))),
    "Bernoulli": (td.Bernoulli, "probs", {}, lambda e, p: stats.bernoulli(special.expit(e))),
    "Geometric": (td.Geometric, "probs", {}, lambda e, p: stats.geom(special.expit(e), loc=-1)),
    "NegativeBinomial": (td.NegativeBinomial, "probs", {"total_count": 3.0},
                         lambda e, p: stats.nbinom(p["total_count"], special.expit(-e))),
    "VonMises": (td.VonMises, "loc", {"concentration": 2.0}, lambda e, p: stats.vonmises(p["concentration"], e)),
}  # fmt: skip
SMOOTH = [name for name in CASES if name != "Laplace"]
each_case = pytest.mark.parametrize("name", CASES)
each_smooth_case = pytest.mark.parametrize("name", SMOOTH)


def draw(name):
    _, _, others, dist = CASES[name]
    y = dist(0.4 + 0.5 * X, others).rvs(size=N, random_state=np.random.default_rng(1))
    return pd.DataFrame({"x": X, "y": y.astype(float)})


def build(name):
    torchs, main, _, _ = CASES[name]
    return tm.distribution_model(torchs, main=main).from_formula("y ~ x", draw(name))


def logpmf(dist, y):
    return (dist.logpmf if hasattr(dist.dist, "pmf") else dist.logpdf)(y)


def scipy_rows(name, names, params):
    p = dict(zip(names, params, strict=True))
    return logpmf(CASES[name][3](p["Intercept"] + p["x"] * X, p), draw(name)["y"])


def truth(name, names):
    values = {"Intercept": 0.4, "x": 0.5, **CASES[name][2]}
    return np.array([values[label] for label in names])


@each_case
def test_density_is_scipys(name):
    model = build(name)
    names = list(model.layout.names)
    assert names[:2] == ["Intercept", "x"]
    for factor in (1.0, 1.3):
        params = factor * truth(name, names)
        rows = model.row_loglike(model._z(params), model.rows)
        tolerance = VON_MISES if name == "VonMises" else DENSITY
        np.testing.assert_allclose(rows, scipy_rows(name, names, params), rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def fits():
    return {}


def fit(name, fits):
    if name not in fits:
        fits[name] = build(name).fit()
    return fits[name]


def slopes(function, x, steps):
    columns = []
    for j, step in enumerate(steps):
        at = [function(x + i * step * np.eye(len(x))[j]) for i in (-2, -1, 1, 2)]
        columns.append((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step))
    return np.array(columns)


@each_smooth_case
def test_the_estimate_maximises_scipys_likelihood(name, fits):
    """There its slope is zero, its curvature is what standard errors say, and the truth is near."""
    res = fit(name, fits)
    names, bse = res.names, res.bse.to_numpy()

    def total(params):
        return scipy_rows(name, names, params).sum()

    estimate = res.params.to_numpy()
    assert res.converged
    assert res.llf == pytest.approx(total(estimate), rel=DENSITY)
    np.testing.assert_allclose(slopes(total, estimate, 0.01 * bse) * bse, 0, atol=DIFFERENCES)
    step = 0.1 * bse  # second differences of differences: coarser, or rounding would show
    hessian = slopes(lambda p: slopes(total, p, step), estimate, step)
    covariance = np.linalg.inv(-hessian)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), bse, rtol=1e-3)
    assert (np.abs(estimate - truth(name, names)) < 4 * bse).all()


MEANLESS = ("Cauchy", "VonMises")


@pytest.mark.parametrize("name", [name for name in SMOOTH if name not in MEANLESS])
def test_predicted_means_are_scipys(name, fits):
    res = fit(name, fits)
    p = res.params
    new = pd.DataFrame({"x": [-1.0, 0.0, 2.0]})
    dist = CASES[name][3](p["Intercept"] + p["x"] * new["x"].to_numpy(), p)
    np.testing.assert_allclose(res.predict(new), dist.mean(), rtol=1e-9)
    frame = res.get_prediction(new).summary_frame()
    np.testing.assert_allclose(frame["predicted"], dist.mean(), rtol=1e-9)
    assert (frame["se"] > 0).all()


CLOSED = {
    "Normal": lambda y: {"Intercept": y.mean(), "scale": y.std()},
    "LogNormal": lambda y: {"Intercept": np.log(y).mean(), "scale": np.log(y).std()},
    "Exponential": lambda y: {"Intercept": -np.log(y.mean())},
    "HalfNormal": lambda y: {"Intercept": 0.5 * np.log((y**2).mean())},
    "Poisson": lambda y: {"Intercept": np.log(y.mean())},
    "Bernoulli": lambda y: {"Intercept": special.logit(y.mean())},
    "Geometric": lambda y: {"Intercept": -np.log(y.mean())},
}


@pytest.mark.parametrize("name", CLOSED)
def test_constants_have_closed_forms(name):
    torchs, main, _, _ = CASES[name]
    df = draw(name)
    res = tm.distribution_model(torchs, main=main).from_formula("y ~ 1", df).fit()
    expected = CLOSED[name](df["y"].to_numpy())
    assert set(res.names) == set(expected)
    for label, value in expected.items():
        assert res.params[label] == pytest.approx(value, rel=1e-8)


def test_a_kink_is_owned_up_to():
    """The Laplace likelihood has no second derivative in its location: the estimate is the median or a warning."""
    model = tm.distribution_model(td.Laplace).from_formula("y ~ 1", draw("Normal"))
    with pytest.warns(tm.errors.ConvergenceWarning, match="kink|flat"):
        res = model.fit()
    assert not res.converged
    with pytest.warns(tm.errors.HessianInversionWarning, match="Intercept"):
        assert np.isnan(res.bse["Intercept"])


# -- parameters, support, refusals -----------------------------------------------------------------------------


def test_main_parameter_and_order():
    assert list(tm.distribution_model(td.StudentT).parameters) == ["loc", "df", "scale"]
    assert list(tm.distribution_model(td.Gamma).parameters) == ["concentration", "rate"]
    assert list(tm.distribution_model(td.Gamma, main="rate").parameters) == ["rate", "concentration"]
    model = tm.distribution_model(td.NegativeBinomial, main="probs")
    assert model.parameters == {"probs": tm.Logit(), "total_count": tm.Log()}
    assert model.__name__ == "NegativeBinomial"
    assert "NegativeBinomial" in model.__doc__


WITHOUT = ("Categorical", "Dirichlet", "Multi", "LowRank", "Mixture", "Uniform", "Wishart", "Independent")
WITHOUT += ("Transformed", "ExponentialFamily", "Distribution")


@pytest.mark.parametrize("name", [name for name, value in vars(td).items() if inspect.isclass(value)])
def test_every_distribution_becomes_a_model_or_says_why_not(name):
    found = getattr(td, name)
    if not issubclass(found, td.Distribution):
        return
    if any(word in name for word in WITHOUT):
        with pytest.raises(ValueError, match="RegressionModel"):
            tm.distribution_model(found)
    else:
        assert tm.distribution_model(found).parameters


def test_unknown_main():
    with pytest.raises(ValueError, match=r"'mu'.*loc.*scale"):
        tm.distribution_model(td.Normal, main="mu")


@pytest.mark.parametrize(
    ("torchs", "bad"),
    [(td.Gamma, -1.0), (td.Gamma, 0.0), (td.Beta, 1.5), (td.Beta, 0.0), (td.Beta, 1.0), (td.Poisson, 0.5), (td.Poisson, -1.0),
     (td.Bernoulli, 2.0), (td.LogNormal, 0.0), (td.Weibull, 0.0), (td.Chi2, 0.0)],
)  # fmt: skip
def test_values_without_density_are_named(torchs, bad):
    good = 1.0 if torchs in (td.Poisson, td.Bernoulli) else 0.5
    df = pd.DataFrame({"width": [good, bad, good, bad, good]})
    with pytest.raises(
        ValueError, match=rf"width: 2 values lie outside the support of {torchs.__name__}.*first is {bad:g}"
    ):
        tm.distribution_model(torchs).from_formula("width ~ 1", df)


@pytest.mark.parametrize(
    ("torchs", "edge"), [(td.Exponential, 0.0), (td.HalfNormal, 0.0), (td.Poisson, 0.0), (td.Geometric, 0.0)]
)
def test_ends_with_a_density_are_kept(torchs, edge):
    y = pd.DataFrame({"y": [edge, 1.0, 2.0, 3.0, 1.0, edge]})
    assert tm.distribution_model(torchs).from_formula("y ~ 1", y).fit().converged


def test_support_that_depends_on_parameters_is_left_to_the_likelihood():
    y = pd.DataFrame({"y": 0.1 * (1 - np.random.default_rng(0).random(50)) ** (-1 / 3)})
    res = tm.distribution_model(td.Pareto).from_formula("y ~ 1", y).fit(fix={"scale": 0.1})
    assert np.exp(res.params["Intercept"]) == pytest.approx(50 / np.log(y["y"] / 0.1).sum(), rel=1e-8)


def test_far_linear_predictors_do_not_overflow():
    df = pd.DataFrame({"y": [1.0, 0.0, 1.0, 0.0], "x": [800.0, -800.0, 1.0, 2.0]})
    model = tm.distribution_model(td.Bernoulli).from_formula("y ~ x - 1", df)
    assert model.loglike([1.0]) == pytest.approx(-np.log1p(np.exp(-1)) - np.log1p(np.exp(2)))
    assert np.isfinite(model.score([1.0])).all()


def test_formulas_for_any_parameter():
    df = draw("StudentT").assign(w=np.random.default_rng(2).normal(size=N))
    model = tm.distribution_model(td.StudentT)
    res = model.from_formula("y ~ x", df, scale="~ w").fit(fix={"df": 4})
    assert res.names == ["Intercept", "x", "df", "scale[Intercept]", "scale[w]"]
    assert (res.params["df"], res.bse["df"]) == (pytest.approx(4, rel=1e-14), 0)
    held = model.from_formula("y ~ x", df, scale="~ w", df=4.0).fit()
    pd.testing.assert_series_equal(held.params, res.params)
    x, w = (pd.DataFrame({"Intercept": 1.0, name: df[name]}) for name in ("x", "w"))
    matrix = model(df["y"], x, scale=w).fit(fix={"df": 4})
    np.testing.assert_allclose(matrix.params, res.params, rtol=1e-7)
    scale = np.exp(res.params["scale[Intercept]"] + res.params["scale[w]"] * df["w"])
    np.testing.assert_allclose(res.predict(which="scale"), scale)
    with pytest.raises(ValueError, match=r"'tau'.*'mean'.*'loc'.*'scale'"):
        res.predict(which="tau")


def test_subclasses_may_add_to_a_distribution_model():
    class Scaled(tm.distribution_model(td.Normal)):
        def mean(self, p, data):
            return 2 * p.loc

    res = Scaled.from_formula("y ~ x", draw("Normal")).fit()
    np.testing.assert_allclose(res.predict(), 2 * res.predict(which="loc"))
    assert torch.is_tensor(res.fit.theta)


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@pytest.mark.parametrize("n", [3, 4])
def test_a_mean_that_meets_every_response_leaves_no_sigma(n):
    df = pd.DataFrame(np.random.default_rng(0).normal(size=(n, 5)), columns=["y", "a", "b", "c", "d"])
    with pytest.warns(ConvergenceWarning, match=r"keeps rising .* Parameters concerned: sigma"):
        res = tm.Normal.from_formula("y ~ a + b + c + d - 1", df).fit(disp=False)
    assert not res.converged
