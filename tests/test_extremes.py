"""Log-likelihoods and their derivatives where linear predictors are huge: never a NaN, and the digits of 420-digit arithmetic."""

import sys
from functools import cache

import exact as E
import numpy as np
import pytest
import torch
from exact import mp

import torchmle as tm
from torchmle import families as F

L = F.links
LARGEST, SMALLEST = sys.float_info.max, sys.float_info.min
SIDES = (3.0, 6.5, 12.0, 30.0, 37.0, 100.0, 709.0, 745.0, 800.0)
LINE = (*(-eta for eta in reversed(SIDES)), 0.0, *SIDES)
POSITIVE = (1e-8, 1e-3, 0.5, *SIDES)
NEGATIVE = tuple(-eta for eta in POSITIVE)
INSIDE = (1e-12, 1e-3, 0.5, 1 - 2.0**-10, 1 - 2.0**-40)
COUNTS = (0.0, 1.0, 12.0)
ROUNDED = 1e-14
REACHES = (np.inf, 40.0)  # rows all of whose linear predictors are moderate may be computed by shorter formulas
SHARES = (0.0, 0.3, 1.0)
POSITIVES = (1e-6, 0.7, 30.0)


def agrees(ours, truth, rtol, floor):
    """Whether a float is the nearest to a number that floats allow: to `rtol` and `floor`, or infinite, or nothing."""
    if np.isnan(ours):
        return False
    if abs(truth) > LARGEST:
        return ours == (np.inf if truth > 0 else -np.inf)
    if abs(truth) < SMALLEST:
        return abs(ours) < 1.01 * SMALLEST + floor
    return abs(ours - truth) <= rtol * abs(truth) + floor


def check(points, ours, jets, rtol=1e-10, floor=0.0):
    """Values to 1e-12, derivatives to `rtol`; `ours` are value, gradient and, if any, rows of the Hessian's upper triangle."""
    value, g, h = ours
    columns = {"value": (value, [jet.value for jet in jets], 1e-12)}
    columns |= {f"d{j}": (part, [jet.first[j] for jet in jets], rtol) for j, part in enumerate(g)}
    columns |= {f"d{j}{j + k}": (part, [jet.second[j][j + k] for jet in jets], rtol)
                for j, row in enumerate(h) for k, part in enumerate(row)}  # fmt: skip
    found = [f"{name} at {point}: {one!r} for {mp.nstr(truth, 17)}"
             for name, (values, truths, rtol) in columns.items()
             for point, one, truth in zip(points, values.tolist(), truths, strict=True)
             if not agrees(one, truth, rtol, floor)]  # fmt: skip
    assert not found, f"{len(found)} of {len(points) * len(columns)}\n" + "\n".join(found)


# -- families, written in their means --------------------------------------------------------------------------


def against_perfect(f):
    """Log-likelihood less that of a perfect fit."""
    return lambda y, mu: f(y, mu) - f(y, E.variables(y)[0]).value


def poisson(y, mu):
    return E.log(mu) * y - mu if y else -mu


def gamma(y, mu):
    return -(y / mu) - E.log(mu)


def inverse_gaussian(y, mu):
    return 1 / mu - y / (mu**2 * 2)


def gaussian(y, mu):
    return -((y - mu) ** 2) / 2


def negative_binomial(alpha):
    alpha = mp.mpf(alpha)

    def value(y, mu):
        rest = -E.log1p(mu * alpha) * (y + 1 / alpha)
        return E.log(mu * alpha) * y + rest if y else rest

    return value


def compound(p):
    p = mp.mpf(p)
    return lambda y, mu: (mu ** (1 - p) * y / (1 - p) if y else 0) - mu ** (2 - p) / (2 - p)


def tweedie(p):
    if p == 1:
        return lambda y, mu: poisson(y, mu) + (y - y * mp.log(y) if y else 0)
    if p == 2:
        return against_perfect(gamma)
    return lambda y, mu: (
        compound(p)(y, mu) - (mp.mpf(y) ** (2 - mp.mpf(p)) / ((1 - mp.mpf(p)) * (2 - mp.mpf(p))) if y else 0)
    )


MEANS = {
    "Log": E.exp,
    "Identity": lambda z: z,
    "InversePower": lambda z: 1 / z,
    "Sqrt": lambda z: z**2,
    "InverseSquared": lambda z: z ** (-mp.mpf(1) / 2),
    "CLogLog": lambda z: -E.expm1(-E.exp(z)),
    "Power": lambda z: z ** (mp.mpf(1) / 3),
    "NegativeBinomial": lambda z: 1 / (E.expm1(-z) * mp.mpf(0.5)),
}
OF_MEANS = [  # family, log-likelihood in the mean, responses, links
    (F.Poisson, {}, poisson, COUNTS, ("Log", "Identity", "Sqrt")),
    (F.Gamma, {}, against_perfect(gamma), POSITIVES, ("Log", "Identity", "InversePower")),
    (F.Gaussian, {}, gaussian, (-3.0, 0.0, 1e6), ("Log", "Identity", "InversePower")),
    (F.InverseGaussian, {}, against_perfect(inverse_gaussian), POSITIVES, ("Log", "Identity", "InversePower", "InverseSquared")),
    *((F.NegativeBinomial, {"alpha": a}, negative_binomial(a), COUNTS, ("Log",)) for a in (1e-10, 0.5, 1e6)),
    (F.NegativeBinomial, {"alpha": 0.5}, negative_binomial(0.5), COUNTS, ("Identity", "CLogLog", "NegativeBinomial", "Power")),
    *((F.Tweedie, {"var_power": p}, tweedie(p), (0.0, *POSITIVES), ("Log", "Power")) for p in (1.0, 1.01, 1.5, 1.99)),
    *((F.Tweedie, {"var_power": p}, tweedie(p), POSITIVES, ("Log", "Power")) for p in (2.0, 2.5, 3.0)),
]  # fmt: skip
LINKS = {"Power": {"power": 3.0}, "NegativeBinomial": {"alpha": 0.5}}
LINES = {"Log": LINE, "CLogLog": LINE, "NegativeBinomial": NEGATIVE}


def success_log(z):
    return E.log(-E.expm1(-E.exp(z)))


PROBABILITIES = {  # logarithms of p and of 1 - p, and where
    "Logit": (lambda z: -E.log1p(E.exp(-z)), lambda z: -E.log1p(E.exp(z)), LINE),
    "Probit": (E.log_ncdf, lambda z: E.log_ncdf(-z), LINE),
    "Cauchy": (lambda z: E.log(E.atan(z) / mp.pi + 0.5), lambda z: E.log(0.5 - E.atan(z) / mp.pi), LINE),
    "CLogLog": (success_log, lambda z: -E.exp(z), LINE),
    "LogLog": (lambda z: -E.exp(-z), lambda z: success_log(-z), LINE),
    "Log": (lambda z: z, lambda z: E.log(-E.expm1(z)), NEGATIVE),
    "LogC": (lambda z: E.log(-E.expm1(z)), lambda z: z, NEGATIVE),
    "Identity": (E.log, lambda z: E.log1p(-z), INSIDE),
}


def bernoulli(link):
    success, failure, _ = PROBABILITIES[link]
    return lambda y, z: (success(z) * y if y else 0) + (failure(z) * (1 - y) if y < 1 else 0)


def of_mean(formula, mean):
    return lambda y, z: formula(y, mean(z))


def families():
    for kind, settings, formula, ys, names in OF_MEANS:
        for name in names:
            family = kind(getattr(L, name)(**LINKS.get(name, {})), **settings)
            text = "-".join([kind.__name__, *map(str, settings.values()), name])
            yield pytest.param(family, ys, LINES.get(name, POSITIVE), of_mean(formula, MEANS[name]), id=text)
    for name, (_, _, line) in PROBABILITIES.items():
        yield pytest.param(F.Binomial(getattr(L, name)()), SHARES, line, bernoulli(name), id=f"Binomial-{name}")


CANCELS = 3e-10  # the second derivative of log Phi(z) cancels z^2 rounding errors
SLACK = {  # relative tolerance of derivatives, and what rounding errors of numbers about one may be off
    "Binomial-Probit": (CANCELS, 0.0),
    "Binomial-Logit": (1e-10, 2e-15),
    "Probit": (CANCELS, 0.0),
    "ZeroInflatedPoisson-probit": (CANCELS, 1e-14),
    "OrderedModel-probit": (CANCELS, 1e-14),
    **dict.fromkeys(("GeneralizedPoisson-1", "GeneralizedPoisson-2", "ZeroInflatedGeneralizedPoisson"), (1e-10, 1e-12)),
    "NegativeBinomial-1e-10-Log": (1e-10, 1e-15),
    "NegativeBinomial-1000000.0-Log": (1e-10, 1e-15),
    "NegativeBinomial-0.5-CLogLog": (1e-10, 1e-15),
}


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
@pytest.mark.parametrize("reach", REACHES)
@pytest.mark.parametrize(("family", "ys", "etas", "formula"), list(families()))
def test_kernels_of_families(family, ys, etas, formula, reach, request):
    points = [(y, eta) for y in ys for eta in etas if abs(eta) <= reach]
    y, eta = (torch.tensor(column, dtype=torch.float64) for column in zip(*points, strict=True))
    kernel = family.kernel(y, eta)
    ours = kernel.value, (kernel.first,), ((kernel.second,),)
    check(
        points,
        ours,
        [formula(each, *E.variables(z)) for each, z in points],
        *SLACK.get(request.node.callspec.id.removesuffix(f"-{reach}"), ()),
    )


# -- models ----------------------------------------------------------------------------------------------------


def log_factorial(y):
    return mp.loggamma(mp.mpf(y) + 1)


def poisson_counts(y, eta):
    return eta * y - E.exp(eta) - log_factorial(y)


def negative_binomial_counts(power):
    def value(y, eta, log_alpha):
        a = E.exp(log_alpha + eta * (power - 2))
        rest = eta * y - E.log1p(a * E.exp(eta)) * (1 / a + y) - log_factorial(y)
        return sum((E.log1p(a * j) for j in range(1, int(y))), rest)

    return value


def geometric_counts(y, eta):
    return eta * y - E.log1p(E.exp(eta)) * (y + 1)


def generalized_counts(power):
    def value(y, eta, alpha):
        mu, c = E.exp(eta), alpha * E.exp(eta * power)
        rate = mu + c * y
        return eta + E.log(rate) * (y - 1) - E.log1p(c) * y - rate / (c + 1) - log_factorial(y)

    return value


def inflated(base, link):
    inside, outside, _ = PROBABILITIES[link]

    def value(y, *eta):
        main = outside(eta[-1]) + base(y, *eta[:-1])
        return main if y else E.log(E.exp(inside(eta[-1])) + E.exp(main))

    return value


def multinomial(y, *eta):
    total = sum((E.exp(z) for z in eta), 1)
    return (eta[int(y) - 1] if y else 0) - E.log(total)


def ordered(link):
    below, above, _ = PROBABILITIES[link]

    def value(y, eta, first, second):
        limits = [None, first - eta, second - eta, None]
        low, high = limits[int(y)], limits[int(y) + 1]
        if low is None or high is None:
            return below(high) if low is None else above(low)
        if low.value > 0:  # the difference of what lies above
            return E.log(E.exp(above(low)) - E.exp(above(high)))
        return E.log(E.exp(below(high)) - E.exp(below(low)))

    return value


def normal(y, mu, log_sigma):
    return -((y - mu) ** 2) * E.exp(log_sigma * -2) / 2 - log_sigma - mp.log(2 * mp.pi) / 2


def exponential(row, eta):
    """A row is (lower, upper), as Surv's interval2 has it."""
    low, high = row
    rate = E.exp(eta)
    if low == high:
        return eta - rate * low
    return -rate * low + (0 if high == np.inf else E.log(-E.expm1(-rate * (high - low))))


def grids(m, line=LINE, moderate=(0.4, -0.3, 0.2), others=()):
    """Each predictor over the line with the others moderate, and some points more."""
    return [*(tuple(eta if j == k else moderate[k] for k in range(m)) for j in range(m) for eta in line), *others]


BOTH = ((800.0, 800.0), (800.0, -800.0), (-800.0, 800.0), (-800.0, -800.0))
NB, GP, ZI = tm.NegativeBinomial, tm.GeneralizedPoisson, "inflated"
INFLATED = [(*point, eta) for point in ((800.0,), (-800.0,), (0.4,)) for eta in (-800.0, -37.0, 37.0, 800.0)]
DISPERSIONS = (0.0, 1e-12, 1e-4, 30.0, 800.0, 1e6)  # of generalized Poisson, on its own scale
CONSUL = [*((eta, 0.2) for eta in LINE), *((0.4, alpha) for alpha in DISPERSIONS), (5.0, -0.005), *((-800.0, a) for a in DISPERSIONS),
          *((20.0, a) for a in DISPERSIONS)]  # fmt: skip
ORDER = [(eta, -0.7, 1.2) for eta in LINE] + [(0.0, -0.7, top) for top in (30.0, 100.0, 800.0)] + [(0.1, 0.2, 0.21)]
MODELS = {
    "Poisson": (tm.Poisson, {}, poisson_counts, COUNTS, grids(1)),
    "NegativeBinomial-nb2": (tm.NegativeBinomial, {}, negative_binomial_counts(2), COUNTS, grids(2, others=BOTH)),
    "NegativeBinomial-nb1": (tm.NegativeBinomial, {"loglike_method": "nb1"}, negative_binomial_counts(1), COUNTS, grids(2, others=BOTH)),
    "NegativeBinomial-geometric": (tm.NegativeBinomial, {"loglike_method": "geometric"}, geometric_counts, COUNTS, grids(1)),
    "NegativeBinomialP": (tm.NegativeBinomialP, {"p": 1.5}, negative_binomial_counts(mp.mpf("1.5")), COUNTS, grids(2, others=BOTH)),
    "GeneralizedPoisson-1": (tm.GeneralizedPoisson, {"p": 1}, generalized_counts(0), COUNTS, CONSUL),
    "GeneralizedPoisson-2": (tm.GeneralizedPoisson, {"p": 2}, generalized_counts(1), COUNTS, CONSUL),
    "ZeroInflatedPoisson": (tm.ZeroInflatedPoisson, {}, inflated(poisson_counts, "Logit"), COUNTS, grids(2, others=INFLATED)),
    "ZeroInflatedPoisson-probit": (
        tm.ZeroInflatedPoisson, {"inflation": "probit"}, inflated(poisson_counts, "Probit"), COUNTS, grids(2, others=INFLATED)),
    "ZeroInflatedNegativeBinomialP": (
        tm.ZeroInflatedNegativeBinomialP, {}, inflated(negative_binomial_counts(2), "Logit"), COUNTS, grids(3)),
    "ZeroInflatedGeneralizedPoisson": (
        tm.ZeroInflatedGeneralizedPoisson, {"p": 2}, inflated(generalized_counts(1), "Logit"), COUNTS,
        [(*point, -0.3) for point in CONSUL] + [(0.4, 0.2, eta) for eta in LINE]),
    "Logit": (tm.Logit, {}, bernoulli("Logit"), SHARES, grids(1)),
    "Probit": (tm.Probit, {}, bernoulli("Probit"), (0.0, 1.0), grids(1)),
    "MNLogit": (tm.MNLogit, {}, multinomial, (0.0, 1.0, 2.0), grids(2, others=BOTH)),
    "Normal": (tm.Normal, {}, normal, (-3.0, 0.4, 1e6), grids(2)),
    **{f"OrderedModel-{distr}": (tm.OrderedModel, {"distr": distr}, ordered(link), (0.0, 1.0, 2.0), ORDER)
       for distr, link in (("logit", "Logit"), ("probit", "Probit"), ("cloglog", "CLogLog"), ("loglog", "LogLog"), ("cauchit", "Cauchy"))},
}  # fmt: skip


def check_model(name, model, rows, formula):
    """Closed forms, the log-likelihood alone and its first derivatives alone, at rows of (response, linear predictors)."""
    eta = tuple(torch.tensor(column, dtype=torch.float64) for column in zip(*(point for _, point in rows), strict=True))
    truth = [formula(y, *E.variables(*point)) for y, point in rows]
    value, g, h = model.eta_derivatives(eta, model.rows, 2)
    tolerances = SLACK.get(name, (1e-10, ROUNDED))
    check(rows, (value, g, h), truth, *tolerances)
    alone = model.loglike_obs(model.values(eta), model.rows)
    check(rows, (alone, (), ()), truth, *tolerances)
    check(rows, (*model.eta_derivatives(eta, model.rows, 1)[:2], ()), truth, *tolerances)


@pytest.mark.parametrize("reach", REACHES)
@pytest.mark.parametrize("name", MODELS)
def test_models(name, reach):
    kind, settings, formula, ys, points = MODELS[name]
    rows = [(y, point) for y in ys for point in points if max(map(abs, point)) <= reach]
    y = np.array([y for y, _ in rows])
    x = np.linspace(-1, 1, len(y)) if kind is tm.OrderedModel else np.ones(len(y))
    check_model(name, kind(y, x[:, None], **settings), rows, formula)


INTERVALS = ((0.5, 0.5), (3.0, 3.0), (3.0, np.inf), (0.0, 2.0), (1.0, 1.5), (1e3, 1e5))


@pytest.mark.parametrize("kept", [slice(0, 3), slice(None)])
def test_survival(kept):
    rows = [(ends, (eta,)) for ends in INTERVALS[kept] for eta in LINE]
    low, high = np.array([ends for ends, _ in rows]).T
    model = tm.ExponentialSurvival.from_formula("Surv(low, high, type='interval2') ~ 1", {"low": low, "high": high})
    check_model("ExponentialSurvival", model, rows, exponential)


# -- densities with a dispersion ---------------------------------------------------------------------------------------------


def gamma_density(y, eta, shape):
    return shape * (mp.log(shape * y) - eta - y * mp.exp(-eta)) - mp.log(y) - mp.loggamma(shape)


def inverse_gaussian_density(y, eta, size):
    return (mp.log(size / (2 * mp.pi * mp.mpf(y) ** 3)) - size * (y * mp.exp(-eta) - 1) ** 2 / y) / 2


def gaussian_density(y, eta, precision):
    return (mp.log(precision / (2 * mp.pi)) - precision * (y - mp.exp(eta)) ** 2) / 2


def tweedie_density(p):
    """The compound density, summed over the number of gammas where most of it lies."""
    p = mp.mpf(p)

    @cache
    def constant(y, phi):
        a, most = (2 - p) / (p - 1), int(y ** (2 - p) / ((2 - p) * phi))
        log_z = a * mp.log(y / (p - 1)) - (1 + a) * mp.log(phi) - mp.log(2 - p)
        reach = range(max(1, most - 10 * int(mp.sqrt(most)) - 60), most + 10 * int(mp.sqrt(most)) + 60)
        terms = [j * log_z - mp.loggamma(1 + j) - mp.loggamma(a * j) for j in reach]
        largest = max(terms)
        return largest + mp.log(mp.fsum(mp.exp(term - largest) for term in terms)) - mp.log(y)

    def density(y, eta, precision):
        exponent = (y * mp.exp((1 - p) * eta) / (1 - p) if y else 0) - mp.exp((2 - p) * eta) / (2 - p)
        return exponent * precision + (constant(mp.mpf(y), 1 / precision) if y else 0)

    return density


POWERS = (1 + 2.0**-20, 1.001, 1.5, 1.96)
DENSITIES = {
    "Gamma": (F.Gamma, {}, gamma_density, POSITIVES),
    "InverseGaussian": (F.InverseGaussian, {}, inverse_gaussian_density, POSITIVES),
    "Gaussian": (F.Gaussian, {}, gaussian_density, (-3.0, 0.0, 30.0)),
    **{f"Tweedie-{p}": (F.Tweedie, {"var_power": p}, tweedie_density(p), (0.0, *POSITIVES)) for p in POWERS},
}


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("name", DENSITIES)
def test_densities_at_a_scale_do_not_go_through_the_mean(name, scale):
    kind, settings, density, ys = DENSITIES[name]
    etas = (-800.0, -300.0, -3.0, 0.3, 3.0, 300.0, 800.0)
    rows = [(y, eta) for y in ys for eta in etas]
    y, eta = np.array(rows).T
    model = tm.GLM(y, np.ones((len(y), 1)), family=kind(L.Log(), **settings), offset=eta)
    ours = model.loglikeobs([0.0], scale=scale)
    with mp.workdps(60):
        truth = [density(y, mp.mpf(eta), 1 / mp.mpf(scale)) for y, eta in rows]
    assert not [row for row, one, exact in zip(rows, ours, truth, strict=True) if not agrees(one, exact, 1e-12, 1e-12)]


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e-4])
def test_gamma_densities_of_tiny_dispersions_keep_their_digits(scale):
    ours = F.Gamma(L.Log()).loglike_obs(np.array([1.5, 2.0]), np.array([1.5, 2.0]), scale=scale)
    with mp.workdps(60):
        truth = [gamma_density(y, mp.log(y), 1 / mp.mpf(scale)) for y in (1.5, 2.0)]
    assert all(agrees(one, exact, 1e-12, 0.0) for one, exact in zip(ours, truth, strict=True))


# -- small and large dispersions of counts -----------------------------------------------------------------------------------


def negative_binomial_density(y, eta, log_alpha):
    size, mu = mp.exp(-log_alpha), mp.exp(eta)
    terms = mp.loggamma(y + size) - mp.loggamma(size) - mp.loggamma(y + 1) - size * mp.log1p(mu / size)
    return terms + y * (eta - mp.log(size + mu))


@pytest.mark.parametrize("alpha", [1e-12, 1e-8, 1e-4, 0.3, 1e6])
def test_negative_binomials_keep_their_digits(alpha):
    """To 1e-12 of the log-likelihood, or rounding errors of log y!, one of the terms it is a sum of."""
    rows = [(y, float(np.log(mu)), float(np.log(alpha))) for y in (0.0, 1.0, 7.0, 1e3, 1e6, 1e9)
            for mu in (0.3, 20.0, max(y, 1.0) * 1.001)]  # fmt: skip
    y, *eta = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True))
    model = tm.NegativeBinomial(y.numpy(), np.ones((len(y), 1)))
    closed, alone = (
        model.eta_derivatives(tuple(eta), model.rows, 0)[0],
        model.loglike_obs(model.values(eta), model.rows),
    )
    with mp.workdps(60):
        truth = [negative_binomial_density(y, mp.mpf(eta), mp.mpf(log_alpha)) for y, eta, log_alpha in rows]
    for ours in (closed.tolist(), alone.tolist()):
        for row, one, exact in zip(rows, ours, truth, strict=True):
            assert agrees(one, exact, 1e-12, 1e-12 + 1e-15 * row[0] * np.log1p(row[0])), row
