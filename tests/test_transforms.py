"""Transforms: there and back, derivatives, domains, and the layout of parameters made of them."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import torchmle as tm
from torchmle.fitting.coordinates import Coordinates, fixed_entries, hold
from torchmle.parameters import Parameters

ROUNDING = 1e-12  # a handful of float64 operations; what a saturating map cannot give back is left out below

SCALARS = {
    "Identity": (tm.Identity(), lambda x: x),
    "Log": (tm.Log(), np.exp),
    "Softplus": (tm.Softplus(), lambda x: np.logaddexp(0, x)),
    "Logit": (tm.Logit(), special.expit),
    "Probit": (tm.Probit(), special.ndtr),
    "CLogLog": (tm.CLogLog(), lambda x: -np.expm1(-np.exp(x))),
    "Interval": (tm.Interval(-2, 3), lambda x: -2 + 5 * special.expit(x)),
    "Fisher": (tm.Interval(-1, 1), lambda x: np.tanh(x / 2)),
    "Power": (tm.Power(3), lambda x: x ** (1 / 3)),
    "Inverse": (tm.Inverse(), lambda x: 1 / x),
    "InverseSquared": (tm.InverseSquared(), lambda x: x**-0.5),
    "Sqrt": (tm.Sqrt(), lambda x: x**2),
}
POSITIVE_ONLY = {"Power", "Inverse", "InverseSquared", "Sqrt"}
each_scalar = pytest.mark.parametrize("name", SCALARS)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def grid(name):
    return torch.linspace(0.2 if name in POSITIVE_ONLY else -2.5, 2.5, 41, dtype=torch.float64)


@each_scalar
def test_values_are_the_formulas(name):
    transform, formula = SCALARS[name]
    torch.testing.assert_close(
        transform(grid(name)), torch.from_numpy(formula(grid(name).numpy())), rtol=ROUNDING, atol=0
    )


@each_scalar
def test_there_and_back(name):
    transform, _ = SCALARS[name]
    torch.testing.assert_close(transform.inverse(transform(grid(name))), grid(name), rtol=1e-11, atol=1e-11)


@each_scalar
def test_natural_values_lie_in_the_domain(name):
    transform, _ = SCALARS[name]
    low, high = transform.domain
    values = transform(grid(name))
    assert bool(((values > low) & (values < high)).all())
    for outside in (low - 1, high + 1):
        if np.isfinite(outside) and name not in POSITIVE_ONLY:
            assert not bool(torch.isfinite(transform.inverse(double(outside))).all())


@each_scalar
def test_first_and_second_derivatives(name):
    transform, _ = SCALARS[name]
    for value in grid(name)[::8]:
        point = value.clone().requires_grad_()
        assert torch.autograd.gradcheck(transform, (point,))
        assert torch.autograd.gradgradcheck(transform, (point,))


@pytest.mark.parametrize(
    ("transform", "real", "natural"),
    [
        (tm.Softplus(), 40.0, 40.0 + np.exp(-40.0)),
        (tm.Softplus(), 700.0, 700.0),
        (tm.Softplus(), -40.0, np.log1p(np.exp(-40.0))),
        (tm.Softplus(), -700.0, np.exp(-700.0)),
        (tm.CLogLog(), -40.0, -np.expm1(-np.exp(-40.0))),
        (tm.Probit(), -37.0, scipy.stats.norm.cdf(-37.0)),
        (tm.Logit(), -700.0, special.expit(-700.0)),
    ],
)
def test_far_out(transform, real, natural):
    assert float(transform(double(real))) == pytest.approx(natural, rel=1e-12, abs=0)
    assert float(transform.inverse(double(natural))) == pytest.approx(real, rel=1e-12)


def test_softplus_keeps_its_curvature_where_torch_gives_it_up():
    point = double(25.0).requires_grad_()
    (first,) = torch.autograd.grad(tm.Softplus()(point).sum(), point, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), point)
    assert float(second) == pytest.approx(np.exp(-25.0), rel=1e-9)


def test_equal_transforms_are_equal():
    assert tm.Interval(0, 1) == tm.Interval(0, 1) != tm.Interval(0, 2)
    assert tm.Log() != tm.Softplus()
    assert len({tm.Log(), tm.Log(), tm.Power(2), tm.Power(2)}) == 2
    assert repr(tm.Interval(0, 1)) == "Interval(0, 1)"


@pytest.mark.parametrize("make", [lambda: tm.Power(0), lambda: tm.Interval(1, 1), lambda: tm.Interval(2, 1)])
def test_impossible_transforms_are_refused(make):
    with pytest.raises(ValueError):
        make()


# -- vectors and matrices --------------------------------------------------------------------------------------

VECTORS = {
    "Ordered": tm.Ordered(4),
    "Simplex": tm.Simplex(4),
    "CholeskyCovariance": tm.CholeskyCovariance(3),
    "Correlation": tm.Correlation(4),
    "Coefficients": tm.Coefficients(["a", "b"]),
    "one": tm.CholeskyCovariance(1),
    "pair": tm.Correlation(["a", "b"]),
}
each_vector = pytest.mark.parametrize("name", VECTORS)
reals = st.lists(st.floats(-2.5, 2.5), min_size=10, max_size=10)


@each_vector
@settings(max_examples=25, deadline=None)
@given(values=reals)
def test_vectors_there_and_back(name, values):
    transform = VECTORS[name]
    real = double(*values)[: transform.size]
    natural = transform(real)
    torch.testing.assert_close(transform.inverse(natural), real, rtol=1e-7, atol=1e-7)  # correlations near one
    entries = transform.flatten(natural)
    assert entries.ndim == 1 and len(entries) == len(transform.labels("p")) == len(transform.scales())
    torch.testing.assert_close(transform.unflatten(entries), natural, rtol=ROUNDING, atol=ROUNDING)
    if name == "Ordered":
        assert bool((natural.diff() > 0).all())
    if name == "Simplex":
        assert bool((natural > 0).all()) and float(natural.sum()) == pytest.approx(1)
    if name in ("CholeskyCovariance", "Correlation", "pair"):
        assert bool((torch.linalg.eigvalsh(natural) > 0).all())
        torch.testing.assert_close(natural, natural.T)
        factor = transform.factor(real)
        torch.testing.assert_close(factor, torch.linalg.cholesky(natural), rtol=1e-8, atol=1e-8)
    if name in ("Correlation", "pair"):
        torch.testing.assert_close(natural.diagonal(), torch.ones(transform.dimension, dtype=torch.float64))


@each_vector
def test_vector_derivatives(name):
    point = torch.linspace(-0.8, 0.9, VECTORS[name].size, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(VECTORS[name], (point,))
    assert torch.autograd.gradgradcheck(VECTORS[name], (point,))


def test_labels():
    assert tm.CholeskyCovariance(["a", "b"]).labels("cov") == ("cov[a, a]", "cov[b, a]", "cov[b, b]")
    assert tm.Correlation(["a", "b", "c"]).labels("rho") == ("rho[b, a]", "rho[c, a]", "rho[c, b]")
    assert tm.Ordered(2).labels("cut") == ("cut[0]", "cut[1]")
    assert tm.Simplex(3).labels("p") == ("p[0]", "p[1]", "p[2]")


def test_ordered_and_simplex_are_their_formulas():
    real = double(0.3, -1.0, 0.5)
    expected = double(0.3, 0.3 + np.exp(-1), 0.3 + np.exp(-1) + np.exp(0.5))
    torch.testing.assert_close(tm.Ordered(3)(real), expected)
    torch.testing.assert_close(tm.Simplex(4)(real), torch.from_numpy(special.softmax([0, 0.3, -1.0, 0.5])))


def test_a_pair_is_fishers_z():
    assert float(tm.Correlation(2)(double(0.7))[1, 0]) == pytest.approx(np.tanh(0.7), rel=1e-14)


# -- the layout of parameters ----------------------------------------------------------------------------------


@pytest.fixture
def layout():
    return Parameters(
        [
            ("beta", tm.Coefficients(["x", "w"]), None),
            ("sigma", tm.Log(), None),
            ("cut", tm.Ordered(2), None),
            ("cov", tm.CholeskyCovariance(2), None),
        ]
    )


THETA = double(0.5, -1.0, 0.3, -0.2, 0.4, 0.1, -0.3, 0.2)


def test_layout_there_and_back(layout):
    assert layout.size == 8
    assert layout.names == ("x", "w", "sigma", "cut[0]", "cut[1]", "cov[0, 0]", "cov[1, 0]", "cov[1, 1]")
    torch.testing.assert_close(layout.real(layout.natural(THETA)), THETA)
    values = layout.values(THETA)
    assert values.sigma == THETA[2].exp()
    assert values.real.sigma == THETA[2]
    assert values.cov.shape == (2, 2)
    with pytest.raises(AttributeError, match=r"'tau'.*beta, sigma, cut, cov"):
        _ = values.tau
    with pytest.raises(AttributeError, match=r"'tau'.*beta, sigma, cut, cov"):
        _ = values.real.tau


def test_jacobian_and_curvature_of_a_layout(layout):
    weights = torch.arange(1.0, 9.0, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(layout.natural, THETA)
    torch.testing.assert_close(layout.jacobian(THETA), jacobian)
    hessian = torch.autograd.functional.hessian(lambda theta: (weights * layout.natural(theta)).sum(), THETA)
    torch.testing.assert_close(layout.curvature(THETA, weights), hessian)


def test_fixing_by_name(layout):
    assert fixed_entries(layout, {"w": 2.0}) == {1: 2.0}
    assert fixed_entries(layout, {"sigma": 2.0}) == {2: pytest.approx(np.log(2))}
    assert fixed_entries(layout, {"cut": [0.0, 1.0]}) == {3: 0.0, 4: 0.0}
    assert fixed_entries(layout, {"cov": np.diag([4.0, 1.0])}) == {5: pytest.approx(np.log(2)), 6: 0.0, 7: 0.0}
    for fix, words in (
        ({"sigma": -1.0}, "domain of Log"),
        ({"cut": [1.0, 0.0]}, "domain of"),
        ({"cut[0]": 1.0}, "as a whole"),
        ({"beta": 1.0}, "no parameter"),
        ({"tau": 1.0}, r"'tau'.*sigma"),
        ({"cut": [1.0, 2.0, 3.0]}, "cannot be"),
    ):
        with pytest.raises(ValueError, match=words):
            fixed_entries(layout, fix)


def test_held_coordinates_stay_on_their_plane():
    uncentre = torch.eye(3, dtype=torch.float64)
    uncentre[0, 1:] = double(-1e3, -5.0)
    free = Coordinates(uncentre, torch.zeros(3, dtype=torch.float64))
    theta = double(1.0, 2.0, 3.0)
    torch.testing.assert_close(free.theta(free.centred(theta)), theta, rtol=0, atol=0)
    for values in ({0: 1.0}, {1: 2.0}, {0: 1.0, 2: 3.0}, {1: 2.0, 2: 3.0}):
        held = hold(free, values)
        assert held.size == 3 - len(values)
        torch.testing.assert_close(held.basis.T @ held.basis, torch.eye(held.size, dtype=torch.float64))
        for phi in (torch.zeros(held.size, dtype=torch.float64), double(0.7, -0.3, 0.1)[: held.size]):
            on_plane = held.theta(held.z(phi))
            for index, value in values.items():
                assert float(on_plane[index]) == pytest.approx(value, rel=1e-14)
            torch.testing.assert_close(held.phi(held.z(phi)), phi)
