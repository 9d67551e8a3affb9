"""The expected information by numbers: against closed forms, scipy's probabilities, R, and the observed one of many rows."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from problems import BY_NAME, PROBLEMS, StudentT, fitted, matched
from scipy import special, stats
from test_contract import close, expected_exists, slope, standard_errors

import torchmle as tm
from torchmle.inference import expected, responses
from torchmle.inference.expected import expected_information

CLOSED = 1e-8  # a quadrature and a closed form, in the units of the information
SUMS = 1e-7  # five-point differences of scipy's log-probabilities, squared
N = 150
D = torch.distributions


def compared(found, expected, tolerance=CLOSED):
    """Two information matrices, each entry in the units of its diagonal."""
    unit = np.sqrt(np.diag(np.asarray(expected)))
    unit = np.where(unit > 0, unit, 1.0)
    close(np.asarray(found) / unit / unit[:, None], np.asarray(expected) / unit / unit[:, None], tolerance)


# -- closed forms ----------------------------------------------------------------------------------------------

CLOSED_FORMS = ["poisson", "logit", "probit", "normal", "normal-sigma", "mnlogit"]


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms_are_what_numbers_give(name):
    problem = BY_NAME[name]
    model = problem.build(problem.frame(), freq_weights="counts")
    z = fitted(problem).fit.z
    compared(expected_information(model, z), model.expected_information(z))


def density(f):
    return lambda self, p, data: f(p, data.y)


def regression(name, parameters, f):
    """A model in six lines."""
    return type(name, (tm.RegressionModel,), {"parameters": parameters, "loglike_obs": density(f)})


def of(distribution, *names):
    return lambda p, y: distribution(*(getattr(p, name) for name in names), validate_args=False).log_prob(y)


def normal(e):
    return ((torch.exp(-2 * e[1]), 0), (2,))


def laplace(e):
    return ((torch.exp(-2 * e[1]), 0), (1,))


def cauchy(e):
    return ((0.5 * torch.exp(-2 * e[1]), 0), (0.5,))


def gumbel(e):
    euler = 0.5772156649015329
    return ((torch.exp(-2 * e[1]), (euler - 1) * torch.exp(-e[1])), (math.pi**2 / 6 + (1 - euler) ** 2,))


def gamma(e):
    """Of the mean and the shape."""
    a = e[1].exp()
    return ((a, 0), (a * a * torch.polygamma(1, a) - a,))


def student(e):
    """Of location, degrees of freedom and scale (Lange, Little and Taylor 1989, appendix B)."""
    v, s = e[1].exp(), e[2].exp()
    of_df = (torch.polygamma(1, v / 2) - torch.polygamma(1, (v + 1) / 2)) / 4 - (v + 5) / (2 * v * (v + 1) * (v + 3))
    return ((v + 1) / (v + 3) / s**2, 0, 0), (of_df * v * v, -2 * v / (v + 1) / (v + 3)), (2 * v / (v + 3),)


def beta(e):
    """Of the mean and the precision (Ferrari and Cribari-Neto 2004)."""
    m, f = torch.sigmoid(e[0]), e[1].exp()
    one, other, d = torch.polygamma(1, m * f), torch.polygamma(1, (1 - m) * f), m * (1 - m)
    cross = f * f * (m * one - (1 - m) * other) * d
    return (
        (f * f * (one + other) * d * d, cross),
        (f * f * (m * m * one + (1 - m) ** 2 * other - torch.polygamma(1, f)),),
    )


def poisson(p, y):
    return y * p.real.mu - p.mu - torch.lgamma(y + 1)


def geometric(p, y):
    return y * (p.real.mu - torch.log1p(p.mu)) - torch.log1p(p.mu)


def truncated(p, y):
    """A normal density between 0 and 3."""
    inside = torch.special.ndtr((3 - p.mu) / p.sigma) - torch.special.ndtr(-p.mu / p.sigma)
    whole = D.Normal(p.mu, p.sigma, validate_args=False).log_prob(y)
    return torch.where((y > 0) & (y < 3), whole - inside.log(), -torch.inf)


def positive_poisson(p, y):
    """Counts from one on; at zero it is no probability."""
    return poisson(p, y) - torch.log(-torch.expm1(-p.mu))


def of_positive_poisson(e):
    mu = e[0].exp()
    mean = mu / -torch.expm1(-mu)
    return ((mean * (1 + mu - mean),),)


FEW_DIGITS = (
    "normal far away",
    "shares near one",
)  # of a response, whose distance from its mean, or from one, is small
LINE = {"mu": tm.Identity(), "sigma": tm.Log()}
MU = {"mu": tm.Log()}
SHAPE = {"mu": tm.Log(), "shape": tm.Log()}


def gamma_density(p, y):
    return D.Gamma(p.shape, p.shape / p.mu, validate_args=False).log_prob(y)


def beta_density(p, y):
    return D.Beta(p.mu * p.phi, (1 - p.mu) * p.phi, validate_args=False).log_prob(y)


USERS = {
    "normal": (LINE, of(D.Normal, "mu", "sigma"), lambda rng, e: e + rng.normal(size=N), normal),
    "normal above zero": (LINE, of(D.Normal, "mu", "sigma"), lambda rng, e: 20 + e + rng.normal(size=N), normal),
    "normal far away": (LINE, of(D.Normal, "mu", "sigma"), lambda rng, e: 1e6 + e + rng.normal(size=N), normal),
    "a kink": (LINE, of(D.Laplace, "mu", "sigma"), lambda rng, e: e + rng.laplace(size=N), laplace),
    "without moments": (LINE, of(D.Cauchy, "mu", "sigma"), lambda rng, e: e + rng.standard_cauchy(size=N), cauchy),
    "gumbel": (LINE, of(D.Gumbel, "mu", "sigma"), lambda rng, e: e + rng.gumbel(size=N), gumbel),
    "student": ({"mu": tm.Identity(), "df": tm.Log(), "sigma": tm.Log()}, of(D.StudentT, "df", "mu", "sigma"),
                lambda rng, e: e + rng.standard_t(3, size=N), student),
    "gamma": (SHAPE, gamma_density, lambda rng, e: rng.gamma(3, np.exp(e) / 3), gamma),
    "near zero": (SHAPE, gamma_density, lambda rng, e: rng.gamma(0.1, 10 * np.exp(e)) + 1e-200, gamma),
    "shares": ({"mu": tm.Logit(), "phi": tm.Log()}, beta_density,
               lambda rng, e: rng.beta(6 * special.expit(e), 6 * special.expit(-e)).clip(1e-9, 1 - 1e-9), beta),
    "shares near one": ({"mu": tm.Logit(), "phi": tm.Log()}, beta_density,
                        lambda rng, e: rng.beta(3 * special.expit(e + 1), 3 * special.expit(-e - 1)).clip(1e-9, 1 - 1e-9), beta),
    "a probit": ({"p": tm.Probit()}, lambda p, y: torch.special.log_ndtr((2 * y - 1) * p.real.p),
                 lambda rng, e: (rng.random(N) < special.ndtr(e)) * 1.0,
                 lambda e: ((torch.exp(-e[0] ** 2) / (2 * math.pi) / torch.special.ndtr(e[0]) / torch.special.ndtr(-e[0]),),)),
    "poisson": (MU, poisson, lambda rng, e: rng.poisson(np.exp(e)) * 1.0, lambda e: ((e[0].exp(),),)),
    "hundreds": (MU, poisson, lambda rng, e: rng.poisson(np.exp(6 + e)) * 1.0, lambda e: ((e[0].exp(),),)),
    "millions": (MU, poisson, lambda rng, e: rng.poisson(np.exp(15 + e / 5)) * 1.0, lambda e: ((e[0].exp(),),)),
    "geometric": (MU, geometric, lambda rng, e: rng.geometric(1 / (1 + np.exp(e))) - 1.0, lambda e: ((torch.sigmoid(e[0]),),)),
    "geometric thousands": (MU, geometric, lambda rng, e: rng.geometric(1 / (1 + np.exp(8 + e))) - 1.0,
                            lambda e: ((torch.sigmoid(e[0]),),)),
    "from one on": (MU, positive_poisson, lambda rng, e: rng.poisson(np.exp(e)).clip(1) * 1.0, of_positive_poisson),
}  # fmt: skip


def frame(make):
    rng = np.random.default_rng(4)
    df = pd.DataFrame({"x": rng.normal(size=N), "twice": np.where(np.arange(N) % 3, 1.0, 2.0)})
    return df.assign(y=make(rng, 0.3 + 0.5 * df["x"]))


@pytest.mark.parametrize("name", USERS)
def test_a_users_model_has_the_textbooks_information(name):
    parameters, f, make, information = USERS[name]
    model = regression("User", parameters, f).from_formula("y ~ x", frame(make), freq_weights="twice")
    res = model.fit(cov_type="eim", warn_convergence=name != "a kink")
    z = res.fit.z
    tolerance = 1e-6 if name in FEW_DIGITS else CLOSED
    expected = model.expected_hessian(
        z, lambda eta: tuple(tuple(part + 0 * eta[0] for part in row) for row in information(eta))
    )
    compared(model.expected_information(z), expected, tolerance)
    assert "expected information" in " ".join(str(res.summary()).split())


def test_a_truncated_density_ends_where_it_ends():
    """Moments of the truncated normal by scipy."""
    df = frame(lambda rng, e: stats.truncnorm.rvs(-e, 3 - e, loc=e, random_state=rng))
    model = regression("Truncated", LINE, truncated).from_formula("y ~ x", df)
    z = model._z([0.4, 0.3, 1.2])
    mu = 0.4 + 0.3 * df["x"].to_numpy()
    of_rows = stats.truncnorm(-mu / 1.2, (3 - mu) / 1.2, loc=mu, scale=1.2)
    x = np.column_stack([np.ones(N), df["x"]])
    found = model.expected_information(z)[:2, :2]
    inverse = model.coordinates.uncentre
    found = found if inverse is None else inverse[:2, :2].T.inverse() @ found @ inverse[:2, :2].inverse()
    compared(found, x.T @ (x * (of_rows.var() / 1.2**4)[:, None]))


class OwnPoisson(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        eta, y = torch.as_tensor(self.exog) @ params, torch.as_tensor(self.endog)
        return y * eta - torch.exp(eta) - torch.lgamma(y + 1)


class OwnNegativeBinomial(tm.GenericLikelihoodModel):
    def nloglikeobs(self, params):
        size, mu = 1 / params[-1], np.exp(self.exog @ params[:-1])
        return -stats.nbinom.logpmf(self.endog, size, size / (size + mu))


class OwnStudent(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        location = torch.as_tensor(self.exog) @ params[:-2]
        return D.StudentT(params[-1].exp(), location, params[-2].exp()).log_prob(torch.as_tensor(self.endog))


@pytest.mark.parametrize(
    ("own", "model", "problem", "start", "slopes"),
    [
        (OwnPoisson, tm.Poisson, "poisson", [], []),
        (OwnNegativeBinomial, tm.NegativeBinomial, "negbin-2", [0.5], [1.0]),
        (OwnStudent, StudentT, "student", [0.0, 1.0], ["scale", "df"]),
    ],
)
def test_a_likelihood_of_the_parameters_has_that_of_the_same_model(own, model, problem, start, slopes):
    df = BY_NAME[problem].frame()
    want = model.from_formula("y ~ x + w", df).fit(cov_type="eim", disp=False)
    started = [*want.params[:3], *start]
    names = ["a", "b"][: len(start)]
    digits = {} if model is not tm.NegativeBinomial else {"warn_convergence": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tm.errors.DifferencesWarning)
        made = own.from_formula("y ~ x + w", df, extra_params_names=names or None)
        res = made.fit(started, cov_type="eim", disp=False, method="newton", **digits)
    bse = res.bse.copy() if hasattr(res.bse, "copy") else res.bse
    for at, slope_ in enumerate(slopes):
        bse[3 + at] *= want.params[slope_] if isinstance(slope_, str) else slope_
    order = [*want.params.index[:3], *(name if isinstance(name, str) else "alpha" for name in slopes)]
    close(np.asarray(bse), want.bse[order].to_numpy(), 1e-6, unit=0)


# -- sums over counts and categories --------------------------------------------------------------------------

SUMMED = [
    "glm-negbin", "glm-cloglog", "probit", "negbin-1", "negbin-2", "geometric", "negbin-p", "generalized-1", "generalized-2",
    "zero-poisson", "zero-negbin", "zero-generalized", "ordered-logit", "ordered-probit", "ordered",
]  # fmt: skip
CATEGORIES = {"glm-cloglog": 2, "probit": 2, "ordered-logit": 4, "ordered-probit": 3, "ordered": 4}
COUNTS = 1500  # with means of at most about 20


@pytest.mark.parametrize("name", SUMMED)
def test_sums_over_all_responses(name):
    """``sum_y P(y) s(y) s(y)'`` with scipy's probabilities and their slopes in the reported parameters."""
    problem, df = BY_NAME[name], BY_NAME[name].frame()
    df = df[df["years"] * np.exp(0.5 * df["x"] + df["off"]) < 7].head(120) if "years" in df else df.head(120)
    res = problem.fit(df)
    values = np.arange(float(CATEGORIES.get(name, COUNTS)))
    every = df.loc[df.index.repeat(len(values))].assign(y=np.tile(values, len(df)))

    def rows(params):
        return np.asarray(problem.rows(every, dict(zip(res.names, params, strict=True))))

    with np.errstate(all="ignore"):
        chance = np.exp(rows(res.params_array))
    close(chance.reshape(len(df), -1).sum(1), np.ones(len(df)), 1e-7)
    every, chance = every[chance > 1e-40], chance[chance > 1e-40]
    scores = slope(rows, res.params_array, 0.01 * standard_errors(res))
    compared(np.linalg.inv(res.with_covariance("eim").covariance_array), scores * chance @ scores.T, SUMS)


# -- R ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def visits():
    df = tm.datasets.doctor_visits()
    return df.assign(o=df["visits"].clip(upper=3))


def test_negative_binomial_is_glm_nb(visits):
    """R 4.2.2, MASS 7.3-58.2: glm.nb(visits ~ age + income + illness, control = glm.control(epsilon = 1e-14, maxit = 200)).

    Its standard errors of the coefficients are expected; of theta observed, so alpha's is VGAM's (below).
    """
    res = tm.NegativeBinomial.from_formula("visits ~ age + income + illness", visits).fit(cov_type="eim", disp=False)
    bse = [0.113297621852901043, 0.167252058009829008, 0.098140589345027632, 0.022057349825121135]
    close(res.bse.iloc[:4], bse, 1e-9, unit=0)
    assert not np.allclose(res.with_covariance("oim").bse.iloc[:4], bse, rtol=1e-3)
    # VGAM 1.1.7: vglm(..., negbinomial(cutoff.prob = 1 - 1e-13, eps.trig = 1e-14, max.support = 10000)), log(size)
    close(res.bse["alpha"] / res.params["alpha"], 0.0806393115866980, 1e-6, unit=0)


def test_zero_inflated_poisson_is_vgam(visits):
    """R 4.2.2, VGAM 1.1.7: vglm(visits ~ age + income + illness, zipoisson(zero = 1), epsilon = 1e-12)."""
    model = tm.ZeroInflatedPoisson.from_formula("visits ~ age + income + illness", visits)
    bse = [0.0775246654632533, 0.1099498627469523, 0.1486466490300341, 0.0888296533940724, 0.0190268202325760]
    close(model.fit(cov_type="eim", disp=False).bse, bse, 1e-6, unit=0)


@pytest.mark.parametrize(
    ("distr", "bse"),
    [
        ("logit", [0.1803866999781094, 0.1051399206373723, 0.0241253327508572, 0.1237019052474763, 0.1374465002102221,
                   0.1614828762025794]),
        ("probit", [0.0999158443786724, 0.0573558537747764, 0.0136558547607500, 0.0666804208985923, 0.0718478273086661,
                    0.0792238346538636]),
    ],
)  # fmt: skip
def test_ordered_models_are_vgam(visits, distr, bse):
    """R 4.2.2, VGAM 1.1.7: vglm(o ~ age + income + illness, cumulative(link = "logitlink", parallel = TRUE), epsilon = 1e-12)."""
    res = tm.OrderedModel.from_formula("o ~ age + income + illness", visits, distr=distr).fit(
        cov_type="eim", disp=False
    )
    close(res.bse, bse, 1e-6, unit=0)


# -- the observed one, on average ------------------------------------------------------------------------------


MANY = [p for p in PROBLEMS if expected_exists(p) and p.name != "generalized-1"]  # whose probabilities miss one


@pytest.mark.parametrize("problem", MANY, ids=repr)
def test_the_observed_information_of_many_rows_is_near(problem):
    """In the metric of one of them the other is the identity, but for one over the root of n."""
    n = 1500
    res = problem.fit(problem.frame(seed=2, n=n))
    free = np.flatnonzero(~res.fixed)
    observed, expected = (res.with_covariance(name).covariance_array[np.ix_(free, free)] for name in ("oim", "eim"))
    ratios = np.linalg.eigvals(np.linalg.solve(expected, observed)).real
    assert np.abs(np.log(ratios)).max() < 12 / np.sqrt(n)


def test_rows_without_weight_and_rows_in_single_precision():
    df = frame(USERS["gamma"][2]).assign(none=0.0)
    zero = pd.concat([df, df.sample(600, replace=True, random_state=1).assign(y=lambda df: df["y"] * 50)])
    weights = np.repeat([1.0, 0.0], [N, 600])
    model = regression("User", SHAPE, gamma_density)
    want = model.from_formula("y ~ x", df).fit(cov_type="eim").cov_params()
    found = (
        model.from_formula("y ~ x", zero.reset_index(drop=True), freq_weights=weights).fit(cov_type="eim").cov_params()
    )
    compared(found, want, 1e-7)
    with pytest.warns(UserWarning, match="float32"):
        single = model.from_formula("y ~ x", df, dtype=torch.float32)
    compared(single.fit(cov_type="eim").cov_params(), want, 1e-5)


@pytest.mark.parametrize("name", ["negbin-2", "student", "mixture", "ordered-logit"])
def test_blocks_of_rows_add_up(name, monkeypatch):
    """Also where all rows of a block have no weight."""
    problem = BY_NAME[name]
    model = problem.build(problem.frame().assign(late=lambda df: (df.index > 100) * df["counts"]), freq_weights="late")
    z = fitted(problem).fit.z
    whole = model.expected_information(z)
    monkeypatch.setattr(expected, "SORTED", 64)
    monkeypatch.setattr(expected, "ROWS", 10)
    compared(model.expected_information(z), whole, 1e-11)


@pytest.mark.parametrize("name", ["student", "gumbel", "gamma", "negbin-2", "generalized-2", "zero-poisson", "mixture"])
def test_rows_are_read_from_polynomials_or_one_by_one(name, monkeypatch):
    """`zero-poisson` varies with two predictors; rows of the mixture are all alike."""
    problem = BY_NAME[name]
    model = problem.build(problem.frame(n=400))
    z = fitted(problem).fit.z
    found = model.expected_information(z)
    monkeypatch.setattr(expected, "by_predictors", lambda *_: None)
    monkeypatch.setattr(expected, "merged", lambda rows, given: rows)
    compared(found, model.expected_information(z), 1e-9)


def test_what_varies_with_a_column_is_not_read_from_polynomials_in_the_predictors():
    """A gamma whose shape some rows double: nothing that predictors could know of."""

    class Doubled(tm.RegressionModel):
        parameters = SHAPE
        row_arguments = ("double",)

        def loglike_obs(self, p, data):
            shape = p.shape * data.double
            return D.Gamma(shape, shape / p.mu, validate_args=False).log_prob(data.y)

    df = pd.concat([frame(USERS["gamma"][2])] * 3, ignore_index=True).assign(double=1.0)
    df["x"] += np.arange(len(df)) * 1e-3
    df.loc[77, "double"] = 1000.0
    model = Doubled.from_formula("y ~ x", df, double="double")
    z = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    shape = math.exp(0.3) * df["double"].to_numpy()
    x = np.column_stack([np.ones(len(df)), df["x"]])
    compared(model.expected_information(z)[:2, :2], x.T @ (x * shape[:, None]))


def test_a_dispersion_of_zero_leaves_poissons_information():
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=N)}).assign(y=lambda df: rng.binomial(5, special.expit(df["x"])))
    with pytest.warns(UserWarning, match="alpha"):
        res = tm.NegativeBinomial.from_formula("y ~ x", df).fit(disp=False)
    poisson = tm.Poisson.from_formula("y ~ x", df).fit(disp=False)
    assert res.params["alpha"] == 0
    close(res.with_covariance("eim").bse.iloc[:2], poisson.bse, 1e-9, unit=0)


def test_groups_of_choices_are_conditioned_on():
    df = matched()
    with pytest.warns(tm.errors.SpecificationWarning):
        res = tm.ConditionalLogit.from_formula("y ~ x + w", df, groups="g").fit(disp=False)
    close(res.with_covariance("eim").cov_params(), res.cov_params(), 1e-12)


# -- what has none ---------------------------------------------------------------------------------------------


def refused(model, words):
    with pytest.raises(ValueError, match=words):
        _ = model.fit(cov_type="eim", disp=False).bse


@pytest.mark.parametrize("name", ["exponential", "exponential-entry", "exponential-interval", "exponential-left"])
def test_censored_times_have_none(name):
    refused(BY_NAME[name].build(BY_NAME[name].frame()), "no expected information with censored rows.*oim")


def test_complete_times_have_one():
    """Also those of rows that were seen from an entry time on: what is left of an exponential time is one."""
    df = frame(lambda rng, e: rng.exponential(np.exp(-e))).assign(late=np.arange(N) % 2, died=1)
    df["t"] = df["late"] + df["y"]
    x = np.column_stack([np.ones(N), df["x"]])
    for formula in ("y ~ x", "Surv(late, t, died) ~ x"):
        res = tm.ExponentialSurvival.from_formula(formula, df).fit(cov_type="eim")
        compared(np.linalg.inv(res.cov_params()), x.T @ x)
        plain = res.with_covariance("HC3").bse
        close(res.with_covariance("HC3", {"convention": "R"}).bse, plain, 1e-12)  # survreg's is the observed one


NONE = {
    "no constants": (LINE, lambda p, y: -0.5 * ((y - p.mu) / p.sigma) ** 2 - torch.log(p.sigma), lambda rng, e: e + rng.normal(size=N)),
    "quasi": (MU, lambda p, y: y * p.real.mu - p.mu, lambda rng, e: rng.gamma(2, np.exp(e) / 2)),
    "quasi of counts": (MU, lambda p, y: y * p.real.mu - p.mu, lambda rng, e: rng.poisson(np.exp(e)) * 1.0),
    # exp(-rate t), censored, which at a rate of one is a density, too
    "a survival function": (MU, lambda p, y: -y + 0.1 * (p.real.mu - p.mu) - 0.1 * (p.real.mu - p.mu).detach(),
                            lambda rng, e: rng.exponential(size=N)),
}  # fmt: skip


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_distribution_has_none(name):
    parameters, f, make = NONE[name]
    model = regression("User", parameters, f).from_formula("y ~ x", frame(make))
    with pytest.raises(ValueError, match="User has no expected information.*sums to one.*oim"):
        expected_information(model, model._z(np.array([0.3, 0.5, 1.0])[: len(model.layout.names)]))


def test_generalized_poisson_counts_whose_probabilities_miss_one_have_none():
    problem = BY_NAME["generalized-1"]
    with pytest.raises(ValueError, match="negative alpha"):
        _ = problem.fit(problem.frame(seed=2, n=4000)).with_covariance("eim").bse


def test_an_end_that_moves_with_the_parameters_is_refused():
    """A uniform density up to mu sums to one, but its scores do not average to zero."""
    df = frame(lambda rng, e: rng.random(N))
    level = regression("Level", MU, lambda p, y: torch.where((y > 0) & (y < p.mu), -p.real.mu, -torch.inf))
    model = level.from_formula("y ~ x", df)
    with pytest.raises(ValueError, match="scores have mean zero"):
        model.expected_information(model._z([0.3, 0.1]))


class Kept(tm.GenericLikelihoodModel):
    """A likelihood that looks at the responses once."""

    def initialize(self):
        super().initialize()
        self.seen_once = torch.as_tensor(self.endog)

    def loglikeobs(self, params):
        eta = torch.as_tensor(self.exog) @ params
        return self.seen_once * eta - torch.exp(eta) - torch.lgamma(self.seen_once + 1)


class Quasi(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        eta = torch.as_tensor(self.exog) @ params
        return torch.as_tensor(self.endog) * eta - torch.exp(eta)


@pytest.mark.parametrize("model", [Kept, Quasi])
def test_a_likelihood_of_the_parameters_that_is_of_the_responses_seen_alone_has_none(model):
    df = frame(USERS["poisson"][2])
    refused(model.from_formula("y ~ x", df), "for every response that self.endog could hold, is not.*oim.*define")


def test_a_likelihood_of_the_parameters_in_one_number_has_none():
    class Total(tm.GenericLikelihoodModel):
        def loglike(self, params):
            return -(torch.as_tensor(self.endog) - params[0]).square().sum()

    refused(Total(np.arange(9.0), extra_params_names=["mean"]), "all rows together")


def test_several_responses_need_it_said():
    class Pair(tm.LikelihoodModel):
        parameters = {"mean": tm.Identity()}

        def loglike_obs(self, p, data):
            return -0.5 * (data.y - p.mean).square().sum(1)

    refused(Pair(np.random.default_rng(0).normal(size=(50, 2))), "one response a row, and there are 2")


# -- what takes it ---------------------------------------------------------------------------------------------


def test_conventions_take_the_observed_one_where_none_is_in_closed_form():
    res = fitted(BY_NAME["negbin-2"])
    kwds = {"convention": "R"}
    close(res.with_covariance("HC0", kwds).bse, res.with_covariance("HC0").bse, 1e-12)
    assert not res.model.knows_expected_information and fitted(BY_NAME["probit"]).model.knows_expected_information


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_leverages_are_of_one_information(power):
    """A model that says the expected information of all rows, not of each: its bread, and observed leverages that add up to k."""

    class Own(tm.RegressionModel):
        parameters = {"mu": tm.Log()}

        def loglike_obs(self, p, data):
            return -data.y / p.mu - p.real.mu

        def expected_information(self, z):
            return 2.0 * torch.eye(2, dtype=torch.float64)

    df = frame(lambda rng, e: rng.exponential(np.exp(e)))
    res = Own.from_formula("y ~ x", df).fit()
    x, y = np.column_stack([np.ones(N), df["x"]]), df["y"].to_numpy()
    ratio = y / np.exp(x @ res.params_array)
    h = ratio * ((x @ np.linalg.inv(x.T @ (x * ratio[:, None]))) * x).sum(1)
    close(h.sum(), 2.0, 1e-9)
    scores = x * ((ratio - 1) / (1 - h) ** power)[:, None]
    kind = {0.5: "HC2", 1.0: "HC3"}[power]
    assert res.model.coordinates.uncentre is None
    want = scores.T @ scores / 4
    compared(res.with_covariance(kind, {"convention": "R"}).cov_params(), want, 1e-8)


def test_score_test_with_the_expected_information():
    """``s' I^-1 s`` with the information of the wider model, at the estimate under the hypothesis."""
    problem = BY_NAME["negbin-2"]
    res = fitted(problem)
    null = res.model.fit(constraints="x = 0", disp=False)
    s, z = res.model.sums(null.fit.z, 1)[1], null.fit.z
    want = float(s @ torch.linalg.solve(res.model.expected_information(z), s))
    found = res.score_test(r_matrix="x = 0", observed=False)
    close(found.statistic, want, 1e-8, unit=0)
    assert abs(found.statistic / res.score_test(r_matrix="x = 0").statistic - 1) > 1e-4


# -- sums over many counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [*range(1, 400), 4095, 4096, 4097, 10_000, 123_457])
def test_few_counts_add_up_polynomials_over_many(length):
    places, weights = responses._weights(length)
    assert len(np.unique(places)) == len(places) and places.min() >= 0 and places.max() < length
    assert (weights > 0).all()
    every = 2 * np.arange(length) / max(length - 1, 1) - 1
    for degree in range(min(len(places), 10)):
        exact = math.fsum(every**degree)
        close((weights * (2 * places / max(length - 1, 1) - 1) ** degree).sum(), exact, 1e-11, unit=length)
