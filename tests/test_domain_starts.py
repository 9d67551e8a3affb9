"""Links that leave means only part of the line: a search starts inside whenever there is an inside, else it says so."""

import numpy as np
import pytest
from scipy import optimize

import torchmle as tm
from torchmle import families as F
from torchmle.errors import ConvergenceWarning
from torchmle.models.glm.edges import edges
from torchmle.optim import Status

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
L = F.links
FAMILIES = {  # family, the response at a mean
    "gamma-inverse": (F.Gamma(), lambda rng, mu: rng.gamma(2, mu / 2) + 1e-9),
    "gamma-identity": (F.Gamma(L.Identity()), lambda rng, mu: rng.gamma(2, mu / 2) + 1e-9),
    "gamma-square": (F.Gamma(L.Power(2), check_link=False), lambda rng, mu: rng.gamma(2, mu / 2) + 1e-9),
    "inverse-gaussian": (F.InverseGaussian(), lambda rng, mu: rng.wald(mu, 2 * mu) + 1e-9),
    "poisson-identity": (F.Poisson(L.Identity()), lambda rng, mu: rng.poisson(mu)),
    "poisson-sqrt": (F.Poisson(L.Sqrt()), lambda rng, mu: rng.poisson(mu)),
    "binomial-log": (F.Binomial(L.Log()), lambda rng, mu: rng.random(len(mu)) < mu),
    "binomial-logc": (F.Binomial(L.LogC()), lambda rng, mu: rng.random(len(mu)) < mu),
    "binomial-identity": (F.Binomial(L.Identity()), lambda rng, mu: rng.random(len(mu)) < mu),
    "negbin-identity": (F.NegativeBinomial(L.Identity(), alpha=0.5), lambda rng, mu: rng.negative_binomial(2, 2 / (2 + mu))),
    "negbin-canonical": (F.NegativeBinomial(L.NegativeBinomial(0.5), alpha=0.5), lambda rng, mu: rng.poisson(mu)),
    "tweedie-sqrt": (F.Tweedie(L.Sqrt(), var_power=1.5), lambda rng, mu: rng.gamma(2, mu / 2) * (rng.random(len(mu)) < 0.8)),
    "gaussian-sqrt": (F.Gaussian(L.Sqrt(), check_link=False), lambda rng, mu: mu + 0.1 * rng.normal(size=len(mu))),
}  # fmt: skip
each_family = pytest.mark.parametrize("name", FAMILIES)
quiet = pytest.mark.filterwarnings(
    "ignore::torchmle.errors.DomainWarning", "ignore::torchmle.errors.ConvergenceWarning"
)


def data(family, draw, seed, spread, slope, shift):
    """A design, and an offset that pulls each row just so far that all are inside at one point alone known here."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    beta = np.array([shift, slope, -slope])
    low, high = edges(family)
    distance = spread * rng.exponential(size=30) + 1e-3
    if np.isfinite(low) and np.isfinite(high):
        eta = low + (high - low) * np.clip(distance / (1 + distance), 0.01, 0.99)
    else:
        eta = low + distance if np.isfinite(low) else high - distance
    return x, eta - x @ beta, np.asarray(draw(rng, family.link.inverse(eta)), dtype=float), beta


def stayed_inside(res):
    values = np.array([step.value for step in res.optim.history])
    return np.isfinite(values).all() and (np.diff(values) >= -1e-9 * (1 + np.abs(values[:-1]))).all()


@quiet
@each_family
@hypothesis.settings(max_examples=5, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    seed=st.integers(0, 10_000),
    spread=st.floats(0.01, 10),
    slope=st.floats(-5, 5),
    shift=st.floats(-10, 10),
    held=st.sampled_from([None, "const", "x1"]),
)
def test_every_fit_that_can_starts_and_stays_in_the_domain(name, seed, spread, slope, shift, held):
    family, draw = FAMILIES[name]
    x, offset, y, beta = data(family, draw, seed, spread, slope, shift)
    model = tm.GLM(y, x, family=family, offset=offset)
    fix = None if held is None else {held: beta[model.exog_names.index(held)]}
    res = model.fit(fix=fix)
    assert res.converged or res.optim.status is Status.EDGE
    assert stayed_inside(res)


@quiet
@each_family
@hypothesis.settings(max_examples=5, deadline=None, derandomize=True, database=None)
@hypothesis.given(seed=st.integers(0, 10_000), scale=st.floats(0.3, 30))
def test_what_cannot_start_is_infeasible(name, seed, scale):
    """Offsets of no pattern: whether a point inside exists is asked of another linear programme."""
    family, draw = FAMILIES[name]
    x, _, y, _ = data(family, draw, seed, 1.0, 0.0, 0.0)
    offset = scale * np.random.default_rng(seed).normal(size=30)
    low, high = edges(family)
    sides = [(side, side * end) for side, end in ((1.0, low), (-1.0, high)) if np.isfinite(end)]
    upper = np.concatenate([side * offset - end for side, end in sides])
    rows = np.vstack([np.column_stack([-side * x, np.ones(30)]) for side, _ in sides])
    margin = optimize.linprog([0, 0, 0, -1], rows, upper, bounds=[(None, None)] * 3 + [(None, 1.0)])
    hypothesis.assume(margin.status == 0 and abs(margin.fun) > 1e-6)
    status = tm.GLM(y, x, family=family, offset=offset).fit().optim.status
    assert (status is Status.INFEASIBLE) == (-margin.fun < 0)
    assert status is not Status.NOT_FINITE_START


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
def test_infeasible_data_are_said_to_be():
    x = np.column_stack([np.ones(6), [-2.0, -1, -0.5, 0.5, 1, 2]])
    y = np.array([1.0, 2, 3, 1, 2, 3])
    with pytest.warns(ConvergenceWarning, match="no parameters at which every row has a mean within the range"):
        res = tm.GLM(y, x, family=F.Gamma(L.Identity()), offset=[0, 0, 0, 0, 0, 1.0]).fit(fix={"const": 0.0, "x1": 1.0})
    assert not res.converged and np.isnan(res.bse).all()


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
def test_a_start_of_the_users_own_is_not_moved():
    rng = np.random.default_rng(0)
    x, y = np.column_stack([np.ones(30), rng.uniform(1, 2, 30)]), rng.gamma(2, 1, 30)
    with pytest.warns(ConvergenceWarning, match="Give start_params"):
        res = tm.GLM(y, x, family=F.Gamma(L.Identity())).fit(start_params=[-10.0, 0.0])
    assert res.optim.status is Status.NOT_FINITE_START
