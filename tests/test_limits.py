"""Limits of fits without a finite maximum: what runs away is named, what does not is right, and what only looks so is left alone."""

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linprog

import torchmle as tm
from torchmle.errors import BoundaryWarning, ConvergenceWarning, PerfectSeparationWarning

N = 60


class UsersLogit(tm.LikelihoodModel):
    """A likelihood of which nothing is known but its value."""

    parameters = {"beta": tm.Coefficients()}

    def loglike_obs(self, p, data):
        return torch.nn.functional.logsigmoid((2 * data.y - 1) * (data.X @ p.beta))


class UsersPoisson(tm.LikelihoodModel):
    parameters = {"beta": tm.Coefficients()}

    def loglike_obs(self, p, data):
        eta = data.X @ p.beta
        return data.y * eta - torch.exp(eta) - torch.lgamma(data.y + 1)


USERS = {UsersLogit: tm.Logit, UsersPoisson: tm.Poisson}


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(3)
    found = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "g": rng.choice(list("abc"), N)})
    found["y"] = ((rng.random(N) < 1 / (1 + np.exp(-found["x"]))) | (found["g"] == "b")).astype(float)
    found["k"] = rng.poisson(np.exp(0.3 + 0.5 * found["x"])) * (found["g"] != "b")
    found["often"] = rng.poisson(np.exp(0.5 + 0.3 * found["x"])) * (rng.random(N) < 0.6)
    return found


def fit(model, **options):
    """A fit and what it warned of, by category."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        res = model.fit(disp=False, **options)
        str(res.summary())
    return res, {warning.category: str(warning.message) for warning in caught}


@pytest.mark.parametrize("users", USERS)
def test_a_users_likelihood_names_what_ran_away_and_keeps_the_rest(df, users):
    formula = "y ~ x + C(g)" if users is UsersLogit else "k ~ x + C(g)"
    res, warned = fit(users.from_formula(formula, df))
    assert list(warned) == [ConvergenceWarning]
    assert "Parameters concerned: C(g)[T.b]. " in warned[ConvergenceWarning]
    rest, none = fit(USERS[users].from_formula(formula, df[df["g"] != "b"]))
    assert not none and not res.converged and np.isnan(res.bse["C(g)[T.b]"])
    np.testing.assert_allclose(res.params[rest.names], rest.params, rtol=1e-5)
    np.testing.assert_allclose(res.bse[rest.names], rest.bse, rtol=1e-5)


def test_complete_separation_of_a_users_likelihood_is_along_its_column(df):
    res, warned = fit(UsersLogit.from_formula("y ~ x", df.assign(y=1.0 * (df["x"] > 0))))
    assert "Parameters concerned: x" in warned[ConvergenceWarning] and np.isnan(res.bse["x"])


@pytest.mark.parametrize("name", ["Logit", "Poisson", "MNLogit", "cloglog"])
def test_a_row_far_from_the_others_is_no_separation(name):
    """Nearly all of the information is that row's at the start, and next to none at the maximum, which is finite."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=100)
    y = 1.0 * (rng.random(100) < 1 / (1 + np.exp(-x)))
    x[3], y[3] = 1e6, 0.0
    exog = np.column_stack([np.ones(100), x])
    cloglog = tm.families.Binomial(tm.families.links.CLogLog())
    model = tm.GLM(y, exog, family=cloglog) if name == "cloglog" else getattr(tm, name)(y, exog)
    res, warned = fit(model)
    assert not warned and res.converged and res.certificate.converged
    centre = np.asarray(res.params).ravel()
    width = np.asarray(res.bse).ravel()
    for j in range(2):  # below the maximum on both sides, by about the parabola: the last row bends it
        for sign in (-1, 1):
            moved = centre + 0.003 * sign * width * (np.arange(2) == j)
            assert model.loglike(moved) < res.llf
    assert np.abs(model.score(centre) * width).max() < 1e-6


def test_counts_without_zeros_are_never_inflated(df):
    """The share of added zeros goes to none; the counts still tell what their mean is."""
    data = df.assign(c=df["often"] + 1)
    res, warned = fit(tm.ZeroInflatedPoisson.from_formula("c ~ x", data, inflate="~ z"))
    rest, _ = fit(tm.Poisson.from_formula("c ~ x", data))
    assert list(warned) == [PerfectSeparationWarning]
    assert "some outcomes are ruled out" in warned[PerfectSeparationWarning]
    assert res.params["inflate_Intercept"] == -np.inf and np.isnan(res.params["inflate_z"])
    np.testing.assert_allclose(res.params[rest.names], rest.params, rtol=1e-8)
    np.testing.assert_allclose(res.bse[rest.names], rest.bse, rtol=1e-8)
    assert res.llf == pytest.approx(rest.llf, rel=1e-12)


def test_rows_are_counted_as_predicted_when_nothing_can_change_them(df):
    """A level that is always zero, in both parts of the model; another that is never inflated still has a mean."""
    data = df.assign(c=np.where(df["g"] == "b", 0, df["often"]))
    _, warned = fit(tm.ZeroInflatedPoisson.from_formula("c ~ x + C(g)", data, inflate="~ C(g)"))
    assert f"{(df['g'] == 'b').sum()} of {N} rows" in warned[PerfectSeparationWarning]
    halved = df.assign(w=np.arange(N) % 2, y=1.0)
    _, warned = fit(tm.Logit.from_formula("y ~ x", halved, freq_weights="w"))
    assert f"Perfect separation: {N // 2} of {N // 2} rows" in warned[PerfectSeparationWarning]


def test_a_dispersion_at_its_boundary_beside_separated_rows(df):
    data = df.assign(c=np.where(df["g"] == "b", 0, df["often"]))
    res, warned = fit(tm.ZeroInflatedNegativeBinomialP.from_formula("c ~ x", data, inflate="~ C(g)"))
    rest, _ = fit(tm.ZeroInflatedPoisson.from_formula("c ~ x", data, inflate="~ C(g)"))
    assert set(warned) == {PerfectSeparationWarning, BoundaryWarning}
    assert res.params["alpha"] == 0 and np.isnan(res.bse["alpha"]) and res.certificate.boundary == ("alpha",)
    assert res.params["inflate_C(g)[T.b]"] == rest.params["inflate_C(g)[T.b]"] == np.inf
    kept = [name for name in rest.names if np.isfinite(rest.params[name])]
    np.testing.assert_allclose(res.params[kept], rest.params[kept], rtol=1e-7)
    np.testing.assert_allclose(res.bse[kept], rest.bse[kept], rtol=1e-7)


def test_a_likelihood_without_an_upper_limit_is_no_separation(df):
    """One level is fitted exactly, and its spread goes to zero; nothing is said of standard errors in a limit."""
    data = df.assign(y=np.where(df["g"] == "b", 2.0, df["z"]))
    res, warned = fit(tm.Normal.from_formula("y ~ C(g)", data, sigma="~ C(g)"))
    assert PerfectSeparationWarning not in warned
    assert "Parameters concerned: sigma[C(g)[T.b]]" in warned[ConvergenceWarning]
    assert not res.converged and np.isnan(res.bse).all()


def test_inflation_by_a_column_far_from_zero(df):
    """Years are taken less their mean; the model without them is not."""
    data = df.assign(year=2000 + np.arange(N) % 8, c=df["often"])
    res = tm.ZeroInflatedPoisson.from_formula("c ~ x", data, inflate="~ year").fit(disp=False)
    near = data.assign(year=data["year"] - 2000)
    other = tm.ZeroInflatedPoisson.from_formula("c ~ x", near, inflate="~ year").fit(disp=False)
    assert res.llnull == pytest.approx(other.llnull, rel=1e-10) and res.llf == pytest.approx(other.llf, rel=1e-10)


def test_one_row(df):
    """Whatever can be said of it, nothing fails inside."""
    data = df[:1].assign(c=0, lower=0.0, upper=1.0)
    res, warned = fit(tm.ZeroInflatedPoisson.from_formula("c ~ x", data, inflate="~ z"))
    assert PerfectSeparationWarning in warned and not np.isfinite(res.params).any()
    model = tm.ExponentialSurvival.from_formula("Surv(lower, upper, type='interval2') ~ 1", data)
    res, warned = fit(model)
    assert PerfectSeparationWarning in warned and res.params["Intercept"] == np.inf
    assert "those of the limit" not in warned[PerfectSeparationWarning]


def test_a_step_out_of_the_range_of_a_distribution_is_not_taken(df):
    """torch's Student t makes a chi-square that refuses degrees of freedom rounded to zero."""
    student = tm.distribution_model(torch.distributions.StudentT)
    two = pd.DataFrame({"y": [-1.858, -3.332], "x": [0.126, -0.132], "w": [-0.191, -0.603]})
    res, warned = fit(student.from_formula("y ~ x + w", two, scale="~ w"))
    assert not res.converged and ConvergenceWarning in warned and np.isnan(res.bse).all()
    model = student.from_formula("z ~ x", df)
    far = torch.tensor([0.0, 0.0, -800.0, 0.0], dtype=torch.float64)
    assert bool(model.sums(far, 2)[0].isnan())


def test_members_that_are_chosen_whenever_they_can_be(df):
    """Groups of a conditional logit: every member of level b has y = 1."""
    data = df.assign(f=np.arange(N) % 12)
    model = tm.ConditionalLogit.from_formula("y ~ x + C(g)", data, groups="f")
    res, warned = fit(model)
    held, _ = fit(model, fix={"C(g)[T.b]": 60.0})
    assert list(warned) == [PerfectSeparationWarning] and not res.converged
    assert "C(g)[T.b] (+inf)" in warned[PerfectSeparationWarning]
    assert res.params["C(g)[T.b]"] == np.inf and np.isnan(res.bse["C(g)[T.b]"])
    kept = ["C(g)[T.c]", "x"]
    np.testing.assert_allclose(res.params[kept], held.params[kept], rtol=1e-8)
    np.testing.assert_allclose(res.bse[kept], held.bse[kept], rtol=1e-8)
    assert res.llf == pytest.approx(held.llf, abs=1e-9)
    chance, b = np.asarray(res.predict()), (data["g"] == "b").to_numpy()
    np.testing.assert_allclose(chance[b], 1.0, rtol=1e-12)
    certain = pd.Series(np.minimum(chance, 1 - chance) < 1e-8).groupby(data["f"]).transform("all")
    assert f"{certain.sum()} of {N} rows" in warned[PerfectSeparationWarning]


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_conditional_logit_with_a_coefficient_held(df, value):
    """Against that of no coefficients there is a likelihood ratio where the one that is held is zero."""
    data = df.assign(f=np.arange(N) % 6, y=np.random.default_rng(0).integers(0, 2, N))
    res, _ = fit(tm.ConditionalLogit.from_formula("y ~ x + z", data, groups="f"), fix={"z": value})
    alone, _ = fit(tm.ConditionalLogit.from_formula("y ~ x", data, groups="f", offset=value * data["z"]))
    np.testing.assert_allclose(
        [res.params["x"], res.bse["x"], res.llf], [alone.params["x"], alone.bse["x"], alone.llf], rtol=1e-9
    )
    if value == 0:
        assert res.llr_pvalue == pytest.approx(alone.llr_pvalue, rel=1e-9)
    else:
        assert np.isnan(res.llr_pvalue)


def test_sets_of_members_are_separated_where_a_linear_programme_says_so():
    """All sets of as many members of each group, listed, against the differences of pairs that the model looks at."""
    rng, found = np.random.default_rng(2), set()
    for _ in range(40):
        exog, y, groups = rng.integers(-2, 3, (12, 2)).astype(float), rng.integers(0, 2, 12), np.arange(12) // 4
        rows = [
            exog[own][y[own] == 1].sum(0) - exog[list(members)].sum(0)
            for own in (np.flatnonzero(groups == group) for group in range(3))
            for members in combinations(own, int(y[own].sum()))
            if 0 < y[own].sum() < 4
        ]
        if not rows or np.linalg.matrix_rank(np.array(rows)) < 2:
            continue
        rows = np.array(rows)
        best = linprog(-rows.sum(0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tm.errors.SpecificationWarning)
            res, warned = fit(tm.ConditionalLogit(y, exog, groups=groups))
        separated = bool(best.fun < -1e-7)
        assert (PerfectSeparationWarning in warned) is separated and res.converged is not separated
        found.add(separated)
    assert found == {True, False}


def test_degrees_of_freedom_and_dispersion_are_those_of_r():
    """glm(c ~ x + g, quasipoisson) and sandwich::vcovHC(type = "HC1") of R 4.2, epsilon = 1e-14: what is infinite is estimated too."""
    x = [-1.2, 0.3, 0.8, -0.5, 1.1, 0.2, -0.7, 0.9, 0.1, -0.3, 0.6, -1.0]
    data = pd.DataFrame({"x": x, "g": list("aaaabbbbcccc"), "c": [0, 2, 3, 1, 0, 0, 0, 0, 2, 1, 4, 0]})
    model = tm.GLM.from_formula("c ~ x + g", data, family=tm.families.Poisson())
    res, _ = fit(model, scale="X2")
    kept = ["Intercept", "x", "g[T.c]"]
    assert (res.df_resid, res.df_model) == (8, 3) and res.scale == pytest.approx(0.148160115663, rel=1e-10)
    np.testing.assert_allclose(res.bse[kept], [0.1940160555, 0.2320414050, 0.2204214008], rtol=1e-8)
    robust, _ = fit(model, cov_type="HC1")
    np.testing.assert_allclose(robust.bse[kept], [0.273835496, 0.332627414, 0.211778397], rtol=1e-8)
    assert fit(tm.Poisson.from_formula("c ~ x + g", data))[0].df_resid == 8


def test_separation_beside_equations_and_shared_effects(df):
    data = df.assign(both=df["x"] + df["z"], double=2 * df["x"])
    told, warned = fit(tm.Logit.from_formula("y ~ x + z + C(g)", data), constraints="x = z")
    summed, _ = fit(tm.Logit.from_formula("y ~ both + C(g)", data))
    assert list(warned) == [PerfectSeparationWarning] and told.params["C(g)[T.b]"] == np.inf
    kept = ["Intercept", "C(g)[T.c]", "x"]
    theirs = ["Intercept", "C(g)[T.c]", "both"]
    np.testing.assert_allclose(told.params[kept], summed.params[theirs], rtol=1e-8)
    np.testing.assert_allclose(told.bse[kept], summed.bse[theirs], rtol=1e-8)
    assert (told.llf, told.df_resid) == (pytest.approx(summed.llf, abs=1e-9), summed.df_resid)
    tied, warned = fit(tm.Logit.from_formula("y ~ x + C(g)", data), constraints="C(g)[T.b] = 2 * x")
    assert not warned and tied.converged  # the equation leaves no way to infinity
    shared, warned = fit(tm.Logit.from_formula("y ~ x + double + C(g)", data), rank="pinv")
    alone, _ = fit(tm.Logit.from_formula("y ~ x + C(g)", data))
    assert set(warned) == {tm.errors.RankWarning, PerfectSeparationWarning} and shared.params["C(g)[T.b]"] == np.inf
    assert shared.params["x"] + 2 * shared.params["double"] == pytest.approx(alone.params["x"], rel=1e-8)
    np.testing.assert_allclose(shared.bse[["Intercept", "C(g)[T.c]"]], alone.bse[["Intercept", "C(g)[T.c]"]], rtol=1e-8)
