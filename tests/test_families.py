"""Families and links: derivatives against autograd, values against 50 digits, densities against scipy."""

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats

import torchmle as tm
from torchmle import families as F
from torchmle.errors import DomainWarning, ValueWarning
from torchmle.families import links as L
from torchmle.families.saving import describe, restore

mp.mp.dps = 50

PROBABILITIES = [
    L.Logit(),
    L.Probit(),
    L.Cauchy(),
    L.CLogLog(),
    L.LogLog(),
    L.Log(),
    L.LogC(),
    L.Identity(),
    L.CDFLink(),
]
POSITIVE = [
    L.Log(),
    L.Identity(),
    L.InversePower(),
    L.InverseSquared(),
    L.Sqrt(),
    L.Power(0.3),
    L.NegativeBinomial(0.7),
]
LINKS = [*PROBABILITIES, *POSITIVE]
SHARES, MEANS = np.linspace(0.02, 0.98, 13), np.linspace(0.05, 6, 13)

EXACT = {  # inverse links in any number of digits
    "Logit": lambda z: 1 / (1 + mp.exp(-z)), "Probit": mp.ncdf, "CDFLink": mp.ncdf,
    "Cauchy": lambda z: mp.mpf(1) / 2 + mp.atan(z) / mp.pi, "CLogLog": lambda z: -mp.expm1(-mp.exp(z)),
    "LogLog": lambda z: mp.exp(-mp.exp(-z)), "Log": mp.exp, "LogC": lambda z: -mp.expm1(z), "Identity": lambda z: z,
    "InversePower": lambda z: 1 / z, "InverseSquared": lambda z: 1 / mp.sqrt(z), "Sqrt": lambda z: z**2,
    "Power": lambda z: z ** (1 / mp.mpf(0.3)), "NegativeBinomial": lambda z: 1 / (mp.mpf(0.7) * mp.expm1(-z)),
}  # fmt: skip


def tensor(values):
    return torch.as_tensor(np.asarray(values, dtype=float))


def means_of(link):
    return SHARES if any(link is other for other in PROBABILITIES) else MEANS


@pytest.mark.parametrize("link", LINKS, ids=repr)
def test_links_are_exact(link):
    mu = means_of(link)
    z, exact = link(mu), EXACT[type(link).__name__]
    np.testing.assert_allclose(link.inverse(z), mu, rtol=1e-13)
    for order, ours in enumerate((link.inverse(z), link.inverse_deriv(z), link.inverse_deriv2(z))):
        theirs = [float(mp.diff(exact, mp.mpf(float(at)), order)) for at in z]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(link.deriv(mu) * link.inverse_deriv(z), 1, rtol=1e-12)
    np.testing.assert_allclose(
        link.deriv2(mu), -link.inverse_deriv2(z) / link.inverse_deriv(z) ** 3, rtol=1e-9, atol=1e-9
    )


def combinations():
    """Families with their links, and responses for them."""
    kinds = {
        "Gaussian": (F.Gaussian, POSITIVE[:3], [-0.5, 2.0]), "Gamma": (F.Gamma, POSITIVE[:3], [0.3, 2.0]),
        "InverseGaussian": (F.InverseGaussian, POSITIVE[:4], [0.3, 2.0]),
        "Poisson": (F.Poisson, [L.Log(), L.Identity(), L.Sqrt()], [0.0, 1.0, 3.0]),
        "Binomial": (F.Binomial, PROBABILITIES, [0.0, 0.3, 1.0]),
        "NegativeBinomial": (lambda link, check_link: F.NegativeBinomial(link, 0.7, check_link), POSITIVE, [0.0, 1.0, 3.0]),
        "Tweedie": (lambda link, check_link: F.Tweedie(link, 1.5, False, check_link), POSITIVE[:2], [0.0, 1.0, 3.0]),
    }  # fmt: skip
    for name, (make, of_links, responses) in kinds.items():
        for link in of_links:
            yield pytest.param(make(link, check_link=False), responses, id=f"{name}-{link!r}")


each_combination = pytest.mark.parametrize(("family", "responses"), list(combinations()))


@each_combination
def test_kernels_are_autograds(family, responses):
    eta = tensor(family.link(SHARES if isinstance(family, F.Binomial) else MEANS))
    for y in responses:
        point, response = eta.clone().requires_grad_(), torch.full_like(eta, y)
        kernel = family.kernel(response, point)
        (first,) = torch.autograd.grad(kernel.value.sum(), point, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), point)
        np.testing.assert_allclose(kernel.first.detach(), first.detach(), rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(kernel.second.detach(), second, rtol=1e-10, atol=1e-10)


@each_combination
def test_information_is_minus_the_expected_curvature(family, responses):
    """The curvature is linear in the response, and the response's mean is the mean."""
    mu = tensor(SHARES if isinstance(family, F.Binomial) else MEANS)
    eta = family.link.transform.inverse(mu)
    np.testing.assert_allclose(family.information(eta), -family.kernel(mu, eta).second, rtol=1e-9)


@each_combination
def test_unit_deviance_is_twice_the_likelihood_ratio(family, responses):
    """The integral of 2 (y - t) / V(t) from the mean to the response."""
    mus = (SHARES if isinstance(family, F.Binomial) else MEANS)[[1, 6, 12]]
    for y in responses:
        ours = family.unit_deviance(torch.full((3,), y, dtype=torch.float64), tensor(mus))
        for mu, found in zip(mus, ours.tolist(), strict=True):
            assert found == pytest.approx(
                float(deviance_by_quadrature(family, mp.mpf(y), mp.mpf(float(mu)))), rel=1e-9, abs=1e-12
            )


def deviance_by_quadrature(family, y, mu):
    return mp.quad(lambda t: 2 * (y - t) / variance(family, t), [mu, (mu + y) / 2, y])


def variance(family, mu):
    alpha = mp.mpf(getattr(family, "alpha", 0))
    powers = {"Gaussian": 0, "Gamma": 2, "InverseGaussian": 3, "Tweedie": mp.mpf("1.5")}
    name = type(family).__name__
    if name in powers:
        return mu ** powers[name]
    return mu * (1 - mu) if name == "Binomial" else mu + alpha * mu**2


# -- far out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [-800.0, -745.0, -40.0, 40.0, 745.0, 800.0])
@pytest.mark.parametrize("link", PROBABILITIES[:5], ids=repr)
def test_binomial_is_finite_and_exact_at_eta_of_800(link, eta):
    with mp.workdps(50 if isinstance(link, L.Cauchy) else 900):
        exact = EXACT[type(link).__name__]
        p = exact(mp.mpf(eta))
        limits = {1.0: p, 0.0: 1 - p}
        if isinstance(link, L.CLogLog) and eta > 100:  # 1 - p = exp(-exp(eta)): no number of digits would do
            limits[0.0] = None
        if isinstance(link, L.LogLog) and eta < -100:
            limits[1.0] = None
        for y, probability in limits.items():
            kernel = F.Binomial(link).kernel(tensor([y]), tensor([eta]))
            assert not any(bool(torch.isnan(part).any()) for part in kernel)
            if probability is not None and probability > 0:
                assert float(kernel.value) == pytest.approx(float(mp.log(probability)), rel=1e-12)
            elif probability is None:
                assert float(kernel.value) == pytest.approx(-np.exp(min(abs(eta), 709.0)), rel=1e-12) or abs(eta) > 709
    information = F.Binomial(link).information(tensor([eta]))
    assert bool(torch.isfinite(information).all()) and float(information) >= 0


@pytest.mark.parametrize("link", [L.Log(), L.LogC(), L.Identity()], ids=repr)
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_what_is_no_probability_has_no_likelihood(link, y):
    outside = {"Log": [0.1], "LogC": [0.1], "Identity": [-0.1, 1.1]}[type(link).__name__]
    for eta in outside:
        assert torch.isnan(F.Binomial(link).kernel(tensor([y]), tensor([eta])).value).all()


def test_poisson_with_means_that_underflow():
    kernel = F.Poisson().kernel(tensor([0.0, 3.0]), tensor([-800.0, -800.0]))
    assert kernel.value.tolist() == [0.0, -2400.0]
    assert float(F.Poisson().unit_deviance(tensor([0.0]), tensor([0.0]))) == 0.0


def far_values(mu, y, alpha):
    """Log-likelihood at unit dispersion less its constant and the first derivative in log(mu), per family."""
    third, power = mp.mpf(1) / 2, mp.mpf("1.5")
    return {
        "NegativeBinomial": (
            y * mp.log(alpha * mu / (1 + alpha * mu)) - mp.log(1 + alpha * mu) / alpha,
            (y - mu) / (1 + alpha * mu),
        ),
        "Gamma": (1 - y / mu + mp.log(y / mu), y / mu - 1),
        "InverseGaussian": (-third * (y - mu) ** 2 / (y * mu**2), (y - mu) / mu**2),
        "Tweedie": (
            -2 * y / mp.sqrt(mu) - 2 * mp.sqrt(mu) + 4 * mp.sqrt(y),
            (y - mu) * mu / mu**power,
        ),
    }


@pytest.mark.parametrize("eta", [-800.0, -300.0, 300.0, 800.0])
@pytest.mark.parametrize("y", [0.5, 3.0])
@pytest.mark.parametrize(
    "family",
    [F.NegativeBinomial(alpha=0.5), F.Gamma(L.Log()), F.InverseGaussian(L.Log()), F.Tweedie(L.Log(), var_power=1.5)],
    ids=repr,
)
def test_log_links_are_exact_where_means_leave_the_range_of_numbers(family, y, eta):
    with mp.workdps(900):
        exact = far_values(mp.exp(mp.mpf(eta)), mp.mpf(y), mp.mpf("0.5"))[type(family).__name__]
    kernel = family.kernel(tensor([y]), tensor([eta]))
    for found, value in zip((kernel.value, kernel.first), exact, strict=False):
        assert float(found) == pytest.approx(float(value), rel=1e-12, abs=1e-300)
    assert not bool(torch.isnan(kernel.second).any()) and float(family.information(tensor([eta]))) >= 0


def test_log_likelihood_of_a_glm_at_eta_of_800():
    y, ones = np.array([1.0, 2.0, 3.0, 0.0]), np.ones((4, 1))
    model = tm.GLM(y, ones, family=F.NegativeBinomial(alpha=0.5))
    for eta in (-800.0, 800.0):
        parts = model.loglike([eta]), model.score([eta]), model.hessian([eta])
        assert all(np.isfinite(part).all() for part in parts)
    assert model.loglike([800.0]) == pytest.approx(model.loglike([700.0]) - 800.0, rel=1e-9)  # 4 rows, 2 each per eta


# -- densities -------------------------------------------------------------------------------------------------

RESPONSES, WEIGHTS = np.array([0.2, 1.0, 4.0]), np.array([1.0, 2.0, 0.5])
AT, SCALE = np.array([0.5, 1.2, 3.0]), 0.7


def test_densities_are_scipys():
    shape = WEIGHTS / SCALE
    np.testing.assert_allclose(
        F.Gaussian().loglike_obs(RESPONSES, AT, WEIGHTS, SCALE),
        stats.norm.logpdf(RESPONSES, AT, np.sqrt(1 / shape)),
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        F.Gamma().loglike_obs(RESPONSES, AT, WEIGHTS, SCALE),
        stats.gamma.logpdf(RESPONSES, shape, scale=AT / shape),
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        F.InverseGaussian().loglike_obs(RESPONSES, AT, WEIGHTS, SCALE),
        stats.invgauss.logpdf(RESPONSES, AT / shape, scale=shape),
        rtol=1e-12,
    )
    counts = np.array([0.0, 2.0, 7.0])
    np.testing.assert_allclose(F.Poisson().loglike_obs(counts, AT), stats.poisson.logpmf(counts, AT), rtol=1e-13)
    np.testing.assert_allclose(
        F.NegativeBinomial(alpha=0.7).loglike_obs(counts, AT),
        stats.nbinom.logpmf(counts, 1 / 0.7, 1 / (1 + 0.7 * AT)),
        rtol=1e-12,
    )
    shares = np.array([0.0, 1.0, 1.0])
    np.testing.assert_allclose(
        F.Binomial().loglike_obs(shares, SHARES[:3]), stats.bernoulli.logpmf(shares, SHARES[:3]), rtol=1e-13
    )


@pytest.mark.parametrize(
    "family", [F.Gaussian(), F.Gamma(L.Log()), F.InverseGaussian(), F.Poisson(), F.Binomial()], ids=repr
)
def test_distributions_have_the_familys_mean_and_variance(family):
    mu = SHARES[:3] if isinstance(family, F.Binomial) else AT
    scale = SCALE if family.estimates_scale else 1.0
    mean, var = family.get_distribution(mu, scale).stats()
    np.testing.assert_allclose(mean, mu, rtol=1e-12)
    np.testing.assert_allclose(var, scale * family.variance(mu), rtol=1e-12)


def test_tweedie_names_other_families():
    for power, other in ((0, F.Gaussian()), (2, F.Gamma(L.Log())), (3, F.InverseGaussian(L.Log()))):
        family = F.Tweedie(var_power=power)
        np.testing.assert_allclose(
            family.loglike_obs(RESPONSES, AT, WEIGHTS, SCALE),
            other.loglike_obs(RESPONSES, AT, WEIGHTS, SCALE),
            rtol=1e-13,
        )
        np.testing.assert_allclose(family.deviance(RESPONSES, AT), other.deviance(RESPONSES, AT), rtol=1e-12)


# -- arguments -------------------------------------------------------------------------------------------------


def test_links_are_checked():
    with pytest.raises(TypeError, match="link class is not allowed"):
        F.Poisson(L.Log)
    with pytest.raises(TypeError, match="instance of a link class"):
        F.Poisson("log")
    with pytest.raises(ValueError, match="Invalid link for family Poisson"):
        F.Poisson(L.Probit())
    assert isinstance(F.Poisson(L.Probit(), check_link=False).link, L.Probit)
    with pytest.warns(DomainWarning, match="InversePower link function does not respect the domain of the Gamma"):
        F.Gamma().warn_of_domain()
    with pytest.warns(ValueWarning, match="alpha=1.0"):
        F.NegativeBinomial()


def test_equal_links_are_equal():
    assert L.Power(1.0) == L.Identity() and L.Power(2.0) != L.Power(3.0)
    assert len({L.Log(), L.Log(), L.Logit()}) == 2


@pytest.mark.parametrize("family", [
    F.Gaussian(), F.Binomial(L.CDFLink(stats.logistic)), F.NegativeBinomial(L.NegativeBinomial(0.3), 0.3),
    F.Tweedie(L.Power(0.4), 1.7), F.Poisson(L.Sqrt()),
], ids=repr)  # fmt: skip
def test_families_are_restored_from_plain_values(family):
    again = restore(describe(family))
    assert type(again) is type(family) and again.link == family.link
    assert [getattr(again, name, None) for name in ("alpha", "var_power", "eql")] == [
        getattr(family, name, None) for name in ("alpha", "var_power", "eql")
    ]


def test_a_link_of_ones_own_cannot_be_described():
    class Mine(L.Log):
        pass

    with pytest.raises(ValueError, match="Mine is not one of"):
        describe(F.Poisson(Mine()))


def test_former_names_of_links_still_work():
    with pytest.warns(FutureWarning, match="links.inverse_power is now links.InversePower"):
        assert L.inverse_power() == L.InversePower()
    with pytest.warns(FutureWarning):
        assert L.nbinom(alpha=0.3) == L.NegativeBinomial(0.3)
