"""Penalised fits: the conditions of a maximum, statsmodels' numbers, and glmnet's."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.genmod.tests.results import glmnet_r_results

import torchmle as tm
from torchmle.optim.proximal import Penalty, quadratic_minimum

N = 300


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(21)
    x = np.column_stack([np.ones(N), rng.normal(size=(N, 6)) + 0.7 * rng.normal(size=(N, 1))])
    eta = x @ [0.3, 0.5, -0.4, 0.0, 0.0, 0.2, 0.0]
    return {"x": x, "count": rng.poisson(np.exp(eta)).astype(float), "binary": (eta + rng.logistic(size=N) > 0) * 1.0,
            "positive": rng.gamma(2.0, np.exp(eta) / 2)}  # fmt: skip


FAMILIES = {
    "gaussian": ("count", tm.families.Gaussian(), sm.families.Gaussian()),
    "poisson": ("count", tm.families.Poisson(), sm.families.Poisson()),
    "binomial": ("binary", tm.families.Binomial(), sm.families.Binomial()),
    "gamma": ("positive", tm.families.Gamma(tm.families.links.Log()), sm.families.Gamma(sm.families.links.Log())),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("share", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("alpha", [0.0, 0.08, [0, 0.1, 0.1, 0.2, 0.05, 0.1, 0.1]])
def test_elastic_net_of_a_glm(data, name, share, alpha):
    response, ours, theirs = FAMILIES[name]
    y, x = data[response], data["x"]
    found = tm.GLM(y, x, family=ours).fit_regularized(alpha=alpha, L1_wt=share)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = sm.GLM(y, x, family=theirs)
        options = {"cnvrg_tol": 1e-13, "maxiter": 2000} if share else {}
        expected = peer.fit_regularized(alpha=np.asarray(alpha) if np.ndim(alpha) else alpha, L1_wt=share, **options)
    assert found.converged
    np.testing.assert_allclose(found.predict(), peer.predict(found.params))

    def violation(b):
        """Of the conditions of a maximum."""
        weight = np.broadcast_to(alpha, 7)
        slope = peer.score(b, scale=1) / N - weight * (1 - share) * b
        inside, outside = slope - weight * share * np.sign(b), np.abs(slope) - weight * share
        return np.where(b != 0, np.abs(inside), np.maximum(outside, 0)).max()

    assert violation(found.params) < 1e-11
    if violation(np.asarray(expected.params)) < 1e-11:  # statsmodels' coordinate descent may end early
        np.testing.assert_allclose(found.params, expected.params, atol=1e-10)
    else:
        assert share < 1 or name == "poisson"


def penalised(model, b, alpha, share, n=N):
    return model.loglike(b) / n - (alpha * (share * np.abs(b) + (1 - share) * b**2 / 2)).sum()


@pytest.mark.parametrize("name", ["binomial", "poisson"])
def test_glmnet(name):
    """glmnet on standardised columns, as recorded by statsmodels: alpha, lambda, coefficients."""
    rows = np.loadtxt(f"{glmnet_r_results.__file__.rsplit('/', 1)[0]}/enet_{name}.csv", delimiter=",")
    y, x = rows[:, 0], rows[:, 1:]
    family = {"binomial": tm.families.Binomial, "poisson": tm.families.Poisson}[name]()
    for j in range(9):
        share, alpha, *expected = getattr(glmnet_r_results, f"rslt_{name}_{j}")
        found = tm.GLM(y, x, family=family).fit_regularized(L1_wt=share, alpha=alpha)
        np.testing.assert_allclose(found.params, expected, atol=0.05)  # glmnet stops early: it must not be better
        model = tm.GLM(y, x, family=family)
        mine, theirs = (penalised(model, np.asarray(b), alpha, share, len(y)) for b in (found.params, expected))
        assert mine >= theirs


def test_refitting(data):
    model = tm.GLM(data["count"], data["x"], family=tm.families.Poisson())
    kept = np.flatnonzero(model.fit_regularized(alpha=0.15).params)
    refit = model.fit_regularized(alpha=0.15, refit=True)
    small = tm.GLM(data["count"], data["x"][:, kept], family=tm.families.Poisson()).fit()
    assert 0 < len(kept) < 7
    np.testing.assert_allclose(refit.params[kept], small.params, rtol=1e-8)
    np.testing.assert_allclose(refit.bse[kept], small.bse, rtol=1e-8)


MODELS = {
    "logit": ("binary", tm.Logit, sm.Logit),
    "probit": ("binary", tm.Probit, sm.Probit),
    "poisson": ("count", tm.Poisson, sm.Poisson),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("alpha", [5.0, [0, 5, 5, 10, 10, 5, 20]])
def test_lasso_of_discrete_models(data, name, alpha):
    response, ours, theirs = MODELS[name]
    y, x = data[response], data["x"]
    found = ours(y, x).fit_regularized(alpha=alpha, disp=False)
    weight, b = np.broadcast_to(alpha, 7).astype(float), found.params
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = theirs(y, x).fit_regularized(alpha=weight, disp=0, acc=1e-14, maxiter=5000)
    np.testing.assert_allclose(b, peer.params, atol=1e-6)
    np.testing.assert_array_equal(found.trimmed, peer.trimmed)
    assert found.nnz_params == peer.nnz_params
    np.testing.assert_allclose(found.bse, peer.bse, rtol=1e-5)
    for statistic in ("llf", "aic", "bic", "df_model", "df_resid"):
        assert getattr(found, statistic) == pytest.approx(getattr(peer, statistic), rel=1e-6), statistic
    score = peer.model.score(b)
    np.testing.assert_allclose(score[b != 0], (weight * np.sign(b))[b != 0], atol=1e-6)
    assert (np.abs(score[b == 0]) <= weight[b == 0]).all()
    assert found.converged


def test_what_is_zero_has_no_standard_error(data):
    df = pd.DataFrame(data["x"][:, 1:], columns=list("abcdef")).assign(y=data["count"])
    found = tm.Poisson.from_formula("y ~ a + b + c + d + e + f", df).fit_regularized(alpha=25, disp=False)
    zero = found.trimmed
    assert 0 < zero.sum() < 7
    assert (found.params[zero] == 0).all() and found.bse[zero].isna().all() and found.bse[~zero].notna().all()
    held = tm.Poisson.from_formula("y ~ a + b + c + d + e + f", df)
    assert set(np.flatnonzero(zero)) == {i for i, name in enumerate(held.exog_names) if found.params[name] == 0}
    text = str(found.summary())
    assert "set to zero" in text and "Held fixed" not in text
    names = found.params.index[zero]
    assert np.isnan(found.t_test(np.eye(7)).sd[zero]).all() and np.isfinite(found.t_test(np.eye(7)).sd[~zero]).all()
    with pytest.raises(ValueError, match=f"set {names[0]} to zero"):
        found.f_test(f"{names[0]} = 0")
    assert not hasattr(held.fit(disp=False), "trimmed")


def test_trimming(data):
    model = tm.Logit(data["binary"], data["x"])
    off = model.fit_regularized(alpha=10, trim_mode="off", disp=False)
    auto = model.fit_regularized(alpha=10, disp=False)
    np.testing.assert_array_equal(off.params, auto.params)
    assert off.nnz_params == 7 > auto.nnz_params
    size = model.fit_regularized(alpha=2, trim_mode="size", size_trim_tol=0.2, disp=False)
    assert (np.abs(size.params[~size.trimmed]) > 0.2).all() and size.trimmed.any()


def test_parameters_beside_coefficients_are_not_penalised(data):
    rng = np.random.default_rng(2)
    y = rng.negative_binomial(2, 0.5, N).astype(float)
    model = tm.NegativeBinomial(y, data["x"])
    found = model.fit_regularized(alpha=8, disp=False)
    assert list(found.trimmed).count(True) > 2 and not found.trimmed[-1]
    b = np.asarray(found.params)
    score = model.score(b)
    np.testing.assert_allclose(score[b != 0], np.append(8 * np.sign(b[:-1]), 0)[b != 0], atol=1e-5)
    same = model.fit_regularized(alpha=[8] * 7 + [0], disp=False)
    np.testing.assert_array_equal(same.params, found.params)
    np.testing.assert_array_equal(model.fit_regularized(alpha=[8] * 7, disp=False).params, found.params)
    with pytest.raises(ValueError, match="alpha cannot be penalised"):
        model.fit_regularized(alpha=[8] * 8, disp=False)


def test_categories(data):
    y = np.digitize(data["count"], [0.5, 2.5])
    model = tm.MNLogit(y, data["x"])
    found = model.fit_regularized(alpha=6, disp=False)
    b = np.asarray(found.params_array)
    score = np.asarray(model.score(b))
    np.testing.assert_allclose(score[b != 0], 6 * np.sign(b)[b != 0], atol=1e-6)
    assert (np.abs(score[b == 0]) <= 6).all() and (b == 0).any()


def test_no_penalty_is_the_plain_fit(data):
    model = tm.Probit(data["binary"], data["x"])
    found, plain = model.fit_regularized(alpha=0, disp=False), model.fit(disp=False)
    np.testing.assert_allclose(found.params, plain.params, rtol=1e-7)
    np.testing.assert_allclose(found.bse, plain.bse, rtol=1e-7)
    with pytest.warns(tm.errors.ConvergenceWarning):
        assert not model.fit_regularized(alpha=0, maxiter=1, disp=False).converged


@pytest.mark.parametrize(
    ("options", "words"),
    [({"method": "foo"}, "method must be"), ({"trim_mode": "x"}, "trim_mode"), ({"alpha": -1}, "negative")],
)
def test_what_cannot_be(data, options, words):
    with pytest.raises(ValueError, match=words):
        tm.Logit(data["binary"], data["x"]).fit_regularized(**options)
    with pytest.raises(ValueError, match="L1_wt must be 1"):
        tm.GLM(data["count"], data["x"]).fit_regularized(method="l1_slsqp", L1_wt=0.5)
    with pytest.raises(TypeError, match="no option 'alhpa'"):
        tm.Logit(data["binary"], data["x"]).fit_regularized(alhpa=1)


@pytest.mark.parametrize("seed", range(6))
def test_quadratic_with_nearly_collinear_columns(seed):
    """Coordinate descent alone would creep."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 8)) * 1e-4 + rng.normal(size=(40, 1))
    hessian, gradient = x.T @ x, -x.T @ rng.normal(size=40)
    penalty = Penalty(np.full(8, 0.3), np.zeros(8))
    t = quadratic_minimum(gradient, hessian, penalty, np.zeros(8))
    slope = -(gradient + hessian @ t)
    np.testing.assert_allclose(slope[t != 0], 0.3 * np.sign(t)[t != 0], atol=1e-8)
    assert (np.abs(slope[t == 0]) <= 0.3 + 1e-9).all()


HALF_LINES = {
    "gamma-inverse": (tm.families.Gamma(), lambda rng, mu: rng.gamma(3, mu / 3), lambda eta: 1 / eta),
    "poisson-sqrt": (tm.families.Poisson(tm.families.links.Sqrt()), lambda rng, mu: rng.poisson(mu), np.square),
    "poisson-identity": (tm.families.Poisson(tm.families.links.Identity()), lambda rng, mu: rng.poisson(mu), lambda eta: eta),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", HALF_LINES)
def test_links_that_leave_zero_out_start_elsewhere(name, share):
    """Zero coefficients are outside their domain; the conditions of a minimum hold where the search ends."""
    family, draw, mean = HALF_LINES[name]
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(150), rng.uniform(-1, 1, (150, 3))])
    y, weights = draw(rng, mean(x @ [3.0, 0.8, -0.5, 0.0])).astype(float), rng.integers(1, 4, 150)
    model = tm.GLM(y, x, family=family, freq_weights=weights)
    found = model.fit_regularized(alpha=0.02, L1_wt=share)
    b, n = np.asarray(found.params), weights.sum()
    slope = model.score(b, scale=1.0) / n - 0.02 * (1 - share) * b
    unit = np.sqrt(-np.diag(model.hessian(b, scale=1.0)) / n)
    beyond = np.where(b == 0, np.maximum(np.abs(slope) - 0.02 * share, 0), slope - 0.02 * share * np.sign(b))
    np.testing.assert_allclose(beyond / unit, 0, atol=1e-8)
    assert found.converged
    with pytest.raises(ValueError, match="not finite at the start"):
        model.fit_regularized(
            alpha=0.02, L1_wt=share, start_params=[-3.0, 0.0, 0.0, 0.0] if name != "poisson-sqrt" else [np.nan] * 4
        )
