"""Fits with offsets of +-800 and exposures of 1e+-300: the numbers of the fit without them, or a cause by name."""

import numpy as np
import pytest

import torchmle as tm
from torchmle import families as F
from torchmle.errors import ConvergenceWarning
from torchmle.optim import Status

LOG = F.links.Log()
N, FEW = 200, 5


def sample():
    rng = np.random.default_rng(1)
    x = rng.normal(size=N)
    mu = np.exp(0.5 + 0.4 * x)
    counts = rng.poisson(mu).astype(float)
    return np.column_stack([np.ones(N), x, np.arange(N) % 2]), {
        "counts": counts,
        "dispersed": rng.negative_binomial(2, 2 / (2 + mu)).astype(float),
        "zeros": np.where(rng.random(N) < 0.3, 0.0, counts),
        "positive": rng.gamma(2, mu / 2),
        "some": rng.gamma(2, mu / 2) * (rng.random(N) < 0.8),
        "binary": (rng.random(N) < 1 / (1 + np.exp(-0.5 * x))).astype(float),
    }


X, RESPONSES = sample()
MODELS = {
    "Poisson": (tm.Poisson, {}, "counts"),
    "NegativeBinomial": (tm.NegativeBinomial, {}, "dispersed"),
    "ZeroInflatedPoisson": (tm.ZeroInflatedPoisson, {}, "zeros"),
    "GeneralizedPoisson": (tm.GeneralizedPoisson, {"p": 2}, "dispersed"),
    "Logit": (tm.Logit, {}, "binary"),
    "Probit": (tm.Probit, {}, "binary"),
    "GLM-cloglog": (tm.GLM, {"family": F.Binomial(F.links.CLogLog())}, "binary"),
    "GLM-Poisson": (tm.GLM, {"family": F.Poisson()}, "counts"),
    "GLM-Gamma": (tm.GLM, {"family": F.Gamma(LOG)}, "positive"),
    "GLM-InverseGaussian": (tm.GLM, {"family": F.InverseGaussian(LOG)}, "positive"),
    "GLM-Tweedie": (tm.GLM, {"family": F.Tweedie(LOG, var_power=1.5)}, "some"),
}
COUNTS = ["Poisson", "NegativeBinomial", "GeneralizedPoisson", "GLM-Poisson"]
each_model = pytest.mark.parametrize("name", MODELS)


def fit(name, y=None, x=X, **arguments):
    kind, settings, response = MODELS[name]
    return kind(RESPONSES[response] if y is None else y, x, **settings, **arguments).fit(disp=False)


def same(ours, plain, shift=0.0):
    assert ours.converged
    np.testing.assert_allclose(ours.params, np.asarray(plain.params) + shift, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.bse, plain.bse, rtol=1e-7)
    assert ours.llf == pytest.approx(plain.llf, rel=1e-10)


def moved(name, column, by):
    """What is added to the parameters when `by` is added to a column's coefficient."""
    shift = np.zeros(len(fit(name).params))
    shift[column + (name == "ZeroInflatedPoisson")] = by
    return shift


@each_model
@pytest.mark.parametrize("offset", [800.0, -800.0])
def test_an_offset_of_every_row_moves_the_constant(name, offset):
    same(fit(name, offset=np.full(N, offset)), fit(name), moved(name, 0, -offset))


@each_model
@pytest.mark.parametrize("offset", [800.0, -800.0])
def test_an_offset_of_half_the_rows_moves_their_own_constant(name, offset):
    same(fit(name, offset=offset * X[:, 2]), fit(name), moved(name, 2, -offset))


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("Logit", "Probit", "GLM-cloglog")])
@pytest.mark.parametrize("exposure", [1e300, 1e-300])
def test_an_exposure_moves_the_constant(name, exposure):
    same(fit(name, exposure=np.full(N, exposure)), fit(name), moved(name, 0, -np.log(exposure)))


def lengthened(name, y):
    response = RESPONSES[MODELS[name][2]]
    return np.concatenate([response, np.full(FEW, y)]), np.vstack([X, X[:FEW]])


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("given", [{"offset": -800.0}, {"exposure": 1e-300}])
def test_rows_that_hardly_count_say_nothing(name, given):
    y, x = lengthened(name, 0.0)
    ((argument, value),) = given.items()
    known = np.concatenate([np.full(N, 1.0 if argument == "exposure" else 0.0), np.full(FEW, value)])
    same(fit(name, y, x, **{argument: known}), fit(name))


@pytest.mark.parametrize("name", COUNTS)
def test_events_in_rows_of_hardly_any_mean_are_possible(name):
    """Two events in rows whose means are 1e-347: their log-likelihoods are finite, ``y eta``, and so is the maximum."""
    y, x = lengthened(name, 2.0)
    found = fit(name, y, x, offset=np.concatenate([np.zeros(N), np.full(FEW, -800.0)]))
    assert found.converged
    assert found.llf < -800 * FEW
    score = found.model.score(np.asarray(found.params))
    assert np.abs(score).max() < 1e-5


@pytest.mark.parametrize("name", ["Poisson", "GLM-Poisson", "ZeroInflatedPoisson"])
def test_means_beyond_numbers_stop_by_name(name):
    y, x = lengthened(name, 2.0)
    with pytest.warns(ConvergenceWarning, match="not finite|without limit"):
        found = fit(name, y, x, offset=np.concatenate([np.zeros(N), np.full(FEW, 800.0)]))
    assert not found.converged
    assert found.optim.status in (Status.NOT_FINITE_START, Status.DIVERGING)


def test_means_beyond_numbers_are_possible_with_enough_dispersion():
    y, x = lengthened("NegativeBinomial", 2.0)
    found = fit("NegativeBinomial", y, x, offset=np.concatenate([np.zeros(N), np.full(FEW, 800.0)]))
    assert found.converged
    assert np.abs(found.model.score(np.asarray(found.params))).max() < 1e-4
    assert (np.linalg.eigvalsh(found.model.hessian(np.asarray(found.params))) < 0).all()


@pytest.mark.parametrize("name", ["GLM-Gamma", "GLM-InverseGaussian"])
def test_means_beyond_numbers_have_a_pearson_residual(name):
    """``(y - mu)^2 / mu^2`` is 1 and ``(y - mu)^2 / mu^3`` is 0 at an infinite mean."""
    y, x = lengthened(name, 2.0)
    found, plain = fit(name, y, x, offset=np.concatenate([np.zeros(N), np.full(FEW, 800.0)])), fit(name)
    assert found.converged
    mu, p = np.exp(X @ np.asarray(found.params)), found.model.family.variance_power
    expected = ((y[:N] - mu) ** 2 / mu**p).sum() + (FEW if p == 2 else 0)
    assert found.scale == pytest.approx(expected / (N + FEW - 3), rel=1e-9)
    assert np.isfinite(found.llf) and np.isfinite(found.bse).all()
    if p == 3:
        np.testing.assert_allclose(found.params, plain.params, rtol=1e-9)
