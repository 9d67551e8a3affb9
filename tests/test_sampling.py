"""Where a fit to many rows starts changes the path, never the answer."""

import numpy as np
import pytest
import torch

import torchmle as tm
from torchmle.fitting import sampling
from torchmle.fitting.objective import Objective
from torchmle.optim import maximize

N = 240_000


def designed(kind):
    """Columns of which a sample of the rows tells much, or little."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 4))
    x[:, 0] = 1.0
    if kind == "a rare level":
        x[:, 3] = rng.permutation(N) < 60
    if kind == "heavy tails":
        x[:, 3] = np.clip(rng.standard_t(2, size=N), -6, 6)
    eta = x @ np.array([0.2, 0.4, -0.3, 0.25])
    return x, eta, rng


def responses(name, eta, rng):
    if name == "Poisson":
        return rng.poisson(np.exp(eta))
    if name == "Gamma":
        return rng.gamma(2.0, np.exp(eta) / 2.0)
    return rng.random(len(eta)) < 1 / (1 + np.exp(-eta))


def fitted(name, y, x, **options):
    if name == "Gamma":
        family = tm.families.Gamma(tm.families.links.Log())
        return tm.GLM(y, x, family=family).fit(method="newton", **options)
    return getattr(tm, name)(y, x).fit(disp=False, **options)


@pytest.mark.parametrize("kind", ["plain", "a rare level", "heavy tails"])
@pytest.mark.parametrize("name", ["Poisson", "Logit", "Gamma"])
def test_the_answer_is_that_of_a_search_from_zero(name, kind):
    x, eta, rng = designed(kind)
    y = responses(name, eta, rng).astype(float)
    near, plain = fitted(name, y, x), fitted(name, y, x, start_params=np.zeros(4))
    assert near.converged and plain.converged
    np.testing.assert_allclose(near.params / plain.bse, plain.params / plain.bse, rtol=0, atol=1e-9)
    np.testing.assert_allclose(near.bse, plain.bse, rtol=1e-9)
    assert near.llf == pytest.approx(plain.llf, rel=1e-13)


def test_few_passes_with_the_hessian():
    x, eta, rng = designed("plain")
    model = tm.Poisson(responses("Poisson", eta, rng), x)
    start = sampling.start_from_sample(model, model.coordinates)
    optimum = maximize(Objective(model, model.coordinates), start)
    assert optimum.converged and optimum.history[0].decrement < 1e-4 and optimum.hessian_evaluations <= 3


def test_steps_that_would_not_come_nearer_are_not_taken():
    """With a curvature that is far too small every step overshoots; the sample's maximum is then kept."""
    x, eta, rng = designed("plain")
    model = tm.Poisson(responses("Poisson", eta, rng), x)
    objective = Objective(model, model.coordinates)
    sample = maximize(objective, torch.zeros(4, dtype=torch.float64), maxiter=2)
    assert torch.equal(sampling.drawn_near(objective, sample, 0.01), sample.x)
