"""Fits on which iteratively reweighted least squares is known to fail: the kinds of Marschner (2011), "glm2", The R Journal 3/2."""

import numpy as np
import pandas as pd
import pytest
from reference import corpus
from scipy import optimize, special

import torchmle as tm
from torchmle import families as F

COLUMNS = ["const", "width", "dark", "spine"]
SAMPLES = ["rep20", "rep26", "rep34", "rep50"]
quiet = pytest.mark.filterwarnings(
    "ignore::torchmle.errors.DomainWarning", "ignore::torchmle.errors.ConvergenceWarning"
)


@pytest.fixture(scope="module")
def crabs():
    """Horseshoe crabs (Agresti 2007, table 3.2): satellites, width above the smallest, dark (C > 3) and good spine (S < 3).

    `rep20` ... are rows drawn by R 4.2.2, ``set.seed(20); sample(173, replace = TRUE)``.
    """
    found = pd.read_csv(corpus.HERE / "data" / "crabs.csv")
    return found.assign(const=1.0, width=found["width"] - found["width"].min())


@pytest.mark.parametrize("start", [None, -1.75, -1.81, -5.0, 5.0])
def test_a_constant_logit_from_any_start(start):
    """R's glm goes to infinity from -1.81 on: ``glm(c(1, 1, 1, 0) ~ 1, binomial, start = -1.81)``."""
    res = tm.GLM([1.0, 1.0, 1.0, 0.0], np.ones(4), family=F.Binomial()).fit(None if start is None else [start])
    assert res.converged
    assert res.params[0] == pytest.approx(np.log(3), abs=1e-8)


@quiet
@pytest.mark.parametrize("start", [None, np.ones(4)])
def test_satellites_of_crabs_under_the_identity(crabs, start):
    """R 4.2.2: ``glm(satellites ~ width + dark + spine, poisson("identity"), start = rep(1, 4), epsilon = 1e-14)``."""
    res = tm.GLM(crabs["satellites"], crabs[COLUMNS], family=F.Poisson(F.links.Identity())).fit(start)
    assert res.converged
    theirs = [0.038646829894931754, 0.530919552822218477, -0.174710028295061520, 0.291769150538502720]
    np.testing.assert_allclose(res.params, theirs, atol=1e-6)  # scoring stops there: the deviance has its digits before
    assert np.abs(res.model.score(res.params)).max() < 1e-9
    assert res.llf == pytest.approx(-455.583618079680, abs=1e-9)
    assert res.deviance == pytest.approx(555.869564199199, abs=1e-9)


def best_of(x, y):
    """Highest log-likelihood with means that are not negative; it is concave, so any maximum is the highest."""
    kept = y > 0

    def minus(b):
        mu = x @ b
        return mu.sum() - y[kept] @ np.log(np.maximum(mu[kept], 1e-300))

    def slope(b):
        return x.sum(0) - x[kept].T @ (y[kept] / np.maximum((x @ b)[kept], 1e-300))

    inside = {"type": "ineq", "fun": lambda b: x @ b, "jac": lambda b: x}
    found = optimize.minimize(minus, np.ones(4), jac=slope, method="SLSQP", constraints=inside,
                              options={"maxiter": 1000, "ftol": 1e-14})  # fmt: skip
    return -found.fun - special.gammaln(y + 1).sum()


@quiet
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("start", [None, np.ones(4)])
def test_samples_of_crabs_on_which_glm_cycles(crabs, sample, start):
    """R's ``glm(..., start = rep(1, 4), maxit = 100)`` does not converge on these; the log-likelihood here is the highest."""
    rows = crabs.iloc[crabs[sample] - 1].reset_index(drop=True)
    res = tm.GLM(rows["satellites"], rows[COLUMNS], family=F.Poisson(F.links.Identity())).fit(start)
    assert res.converged or res.optim.status is tm.optim.Status.EDGE
    mu = rows[COLUMNS].to_numpy() @ np.asarray(res.params)
    assert (mu > 0).all()
    highest = best_of(rows[COLUMNS].to_numpy(), rows["satellites"].to_numpy(dtype=float))
    assert res.llf == pytest.approx(highest, abs=1e-5)
