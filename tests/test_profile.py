"""Profile likelihood and the delta method against R, closed forms, constrained refits and finite differences."""

import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import test_reference_glm
import torch
from problems import BY_NAME, PROBLEMS, fitted
from reference import corpus, fits
from scipy import optimize, stats

import torchmle as tm
from torchmle.errors import ProfileWarning

mpl.use("Agg")

Q = stats.norm.ppf(0.975)
Bernoulli = tm.distribution_model(torch.distributions.Bernoulli)


def with_profiles():
    """Cases for which R found profile intervals, and how they are fitted."""
    for name in corpus.cases():
        if "confint_profile_95" in corpus.load(name)["expected"]:
            yield name, test_reference_glm.fitted if name in test_reference_glm.NAMES else fits.fitted


def budworm():
    """Collett's (1991) tobacco budworms: moths killed of 20 at doses 1, 2 ... 32 micrograms (MASS, p. 190)."""
    dead = {"M": [1, 4, 9, 13, 18, 20], "F": [0, 2, 6, 10, 12, 16]}
    rows = [(sex, dose, died, count if died else 20 - count) for sex, counts in dead.items()
            for dose, count in enumerate(counts) for died in (1, 0)]  # fmt: skip
    return pd.DataFrame(rows, columns=["sex", "ldose", "died", "moths"])


# -- intervals -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "fit"), list(with_profiles()))
def test_limits_are_those_of_r(name, fit):
    found = fit(name)
    ours = np.asarray(found.res.conf_int(method="profile"))[found.positions]
    theirs = corpus.numbers(found.expected["confint_profile_95"])
    assert np.abs((ours - theirs) / found.se[:, None]).max() < 1e-6


def test_budworms():
    res = Bernoulli.from_formula("died ~ sex + ldose", budworm(), freq_weights="moths").fit()
    np.testing.assert_allclose(res.conf_int(method="profile").loc["ldose"], [0.8229, 1.3391], atol=1e-4)


@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_twice_the_log_likelihood_falls_by_the_quantile_at_each_limit(problem):
    res, df = fitted(problem), problem.frame()
    drop = (stats.t.ppf(0.975, res.df_resid) if res.use_t else Q) ** 2 * res.scale
    free = [name for name in res.names if not res.fixed[res.names.index(name)]]
    profiles = res.profile_likelihood(free[-1], points=3).conf_int(0.05)
    name = free[-1]
    if name.startswith("cov[") or name.startswith("cut["):
        return  # see below
    for limit in profiles.loc[name]:
        held = problem.build(df).fit(**{"disp": False, **problem.fitting, "fix": {name: limit}})
        top = res.fit.optimum.value - held.fit.optimum.value
        assert 2 * top == pytest.approx(drop, abs=1e-6)


def test_least_squares_has_students_intervals():
    res = fitted(BY_NAME["wls"])
    np.testing.assert_allclose(res.conf_int(method="profile"), res.conf_int(), rtol=1e-10)
    wide = res.conf_int(0.2, method="profile")
    np.testing.assert_allclose(wide, res.conf_int(0.2), rtol=1e-10)


def test_sigma_of_normal_observations():
    """With ``r = s^2 / sigma^2``: ``n (r - 1 - log r) = q^2``, whose two roots are known to every digit."""
    y = np.random.default_rng(2).normal(size=12)
    res = tm.Normal(y, np.ones((12, 1))).fit()

    def excess(r):
        return 12 * (r - 1 - np.log(r)) - Q**2

    roots = optimize.brentq(excess, 1, 9, xtol=1e-14), optimize.brentq(excess, 1e-9, 1, xtol=1e-14)
    np.testing.assert_allclose(res.conf_int(method="profile")[1], y.std() / np.sqrt(roots), rtol=1e-9)


def test_entries_of_a_covariance_matrix():
    """Against scipy's constrained optimiser, and by the sum of squares for a variance."""
    res, df = fitted(BY_NAME["mvnormal"]), BY_NAME["mvnormal"].frame()
    n, top = len(df), res.llf
    sample = np.cov(df[["a", "b"]].T, bias=True)
    limits = res.conf_int(method="profile")

    def fall(entries):  # means at their estimates: they stay there whatever the covariance
        matrix = np.array([[entries[0], entries[1]], [entries[1], entries[2]]])
        return (
            n
            / 2
            * (
                np.linalg.slogdet(matrix)[1]
                + np.trace(np.linalg.solve(matrix, sample))
                - np.linalg.slogdet(sample)[1]
                - 2
            )
        )

    for position, name in enumerate(["cov[a, a]", "cov[b, a]", "cov[b, b]"]):
        for limit in limits.loc[name]:
            found = optimize.minimize(
                fall, sample[[0, 1, 1], [0, 0, 1]], method="SLSQP", options={"ftol": 1e-14},
                constraints={"type": "eq", "fun": lambda entries, p=position, c=limit: entries[p] - c},
            )  # fmt: skip
            assert 2 * found.fun == pytest.approx(Q**2, abs=1e-5)
    assert np.isfinite(top)


def test_a_fixed_parameter_keeps_its_value_and_a_dropped_one_has_none():
    df = BY_NAME["poisson"].frame().assign(copy=lambda d: d["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        res = tm.Poisson.from_formula("y ~ x + w + copy", df).fit(disp=False, fix={"w": -0.3})
    limits = res.conf_int(method="profile")
    assert (limits.loc["w"] == -0.3).all() and limits.loc["copy"].isna().all()
    reduced = tm.Poisson.from_formula("y ~ x", df, offset=-0.3 * df["w"]).fit(disp=False)
    np.testing.assert_allclose(limits.loc["x"], reduced.conf_int(method="profile").loc["x"], rtol=1e-8)


@pytest.mark.parametrize("model", [tm.OLS, tm.Poisson, tm.NegativeBinomial])
def test_constraints_hold_along_a_profile(model):
    """With ``x = z + 0.1`` the model is one in x + z, with an offset for what is known."""
    rng = np.random.default_rng(8)
    df = pd.DataFrame({"x": rng.normal(5, 1, 120), "z": rng.normal(size=120), "w": rng.normal(size=120)})
    df["y"] = rng.negative_binomial(2, 2 / (2 + np.exp(0.1 * df["x"] + 0.3 * df["w"])))
    df = df.assign(s=df["x"] + df["z"], known=0.1 * df["x"])
    tied = model.from_formula("y ~ x + z + w", df).fit(constraints="x = z + 0.1", disp=False).conf_int(method="profile")
    other = model.from_formula("y ~ s + w", df, offset="known").fit(disp=False).conf_int(method="profile")
    kept = ["Intercept", "w", *other.index[3:]]
    np.testing.assert_allclose(tied.loc[kept], other.loc[kept], rtol=1e-7)
    np.testing.assert_allclose(tied.loc["z"], other.loc["s"], rtol=1e-7)
    np.testing.assert_allclose(tied.loc["x"], other.loc["s"] + 0.1, rtol=1e-7)


def test_what_constraints_determine_keeps_its_value():
    df = pd.DataFrame({"x": [1.0, 2, 4, 3, 5], "z": [0.0, 1, 1, 0, 2], "y": [1, 0, 3, 2, 4]})
    res = tm.Poisson.from_formula("y ~ x + z", df).fit(constraints="x = z, x + z = 0.4", disp=False)
    limits = res.conf_int(method="profile")
    np.testing.assert_allclose(limits.loc[["x", "z"]], 0.2, rtol=1e-12)
    assert limits.loc["Intercept", 0] < res.params["Intercept"] < limits.loc["Intercept", 1]


def test_columns_far_from_zero():
    """Centred inside; the intercept absorbs the centres, and its limits are those of the shifted fit."""
    df = BY_NAME["poisson"].frame()
    near = tm.Poisson.from_formula("y ~ x", df).fit(disp=False)
    far = tm.Poisson.from_formula("y ~ x", df.assign(x=df["x"] + 1e4)).fit(disp=False)
    np.testing.assert_allclose(
        far.conf_int(method="profile").loc["x"], near.conf_int(method="profile").loc["x"], rtol=1e-7
    )
    lower, upper = far.conf_int(method="profile").loc["Intercept"]
    held = tm.Poisson.from_formula("y ~ x", df.assign(x=df["x"] + 1e4)).fit(disp=False, fix={"Intercept": lower})
    assert 2 * (far.llf - held.llf) == pytest.approx(Q**2, abs=1e-6) and upper > lower


class Excess(tm.RegressionModel):
    """Normal observations whose variance exceeds 1 by tau squared; nothing is left of tau where it is small."""

    parameters = {"mu": tm.Identity(), "tau": tm.Log()}

    def loglike_obs(self, p, data):
        variance = 1 + p.tau**2
        return -0.5 * (torch.log(2 * torch.pi * variance) + (data.y - p.mu) ** 2 / variance)


def test_no_limit_where_the_likelihood_levels_off():
    y = np.tile([-1.0, 1.0], 10) * np.sqrt(1.5)  # twice the log-likelihood falls by 20 (0.5 - log 1.5) = 1.9 to tau = 0
    res = Excess(y, np.ones((20, 1))).fit()
    with pytest.warns(ProfileWarning, match="tau: the profile never falls far enough"):
        lower, upper = res.conf_int(method="profile")[1]
    assert lower == 0
    held = Excess(y, np.ones((20, 1)), tau=upper).fit()
    assert 2 * (res.llf - held.llf) == pytest.approx(Q**2, abs=1e-7)
    curve = res.profile_likelihood("tau", points=5)["tau"]
    assert np.isfinite(curve.frame[["value", "loglike", "signed_root"]]).all(axis=None)


def test_robust_standard_errors_have_no_profile():
    res = fitted(BY_NAME["poisson"]).with_covariance("HC1")
    with pytest.raises(ValueError, match="robust .*HC1.*with_covariance"):
        res.conf_int(method="profile")
    with pytest.raises(ValueError, match="method must be 'wald' or 'profile'"):
        res.conf_int(method="likelihood")
    with pytest.raises(ValueError, match="no parameter 'z'; the parameters are Intercept, x, w"):
        fitted(BY_NAME["poisson"]).profile_likelihood("z")


# -- curves --------------------------------------------------------------------------------------------------------------------


def test_a_curve_is_made_of_constrained_maxima():
    problem = BY_NAME["exponential"]
    res, df = fitted(problem), problem.frame()
    curve = res.profile_likelihood("x", points=5)["x"]
    assert (np.diff(curve.value) > 0).all() and (np.diff(curve.signed_root) > 0).all()
    for value, loglike, root in zip(curve.value, curve.loglike, curve.signed_root, strict=True):
        held = problem.build(df).fit(fix={"x": value})
        assert loglike == pytest.approx(held.llf, abs=1e-8)
        assert root**2 == pytest.approx(2 * (res.llf - held.llf), abs=1e-7)
    assert list(curve.frame) == ["parameter", "value", "loglike", "signed_root"]


def test_curves_of_all_parameters():
    res = fitted(BY_NAME["normal"])
    profiles = res.profile_likelihood(points=5)
    assert profiles.names == res.names and set(profiles.frame["parameter"]) == set(res.names)
    np.testing.assert_array_equal(profiles.conf_int(0.1), res.conf_int(0.1, method="profile"))
    axes = res.plot_profile()
    assert [ax.get_xlabel() for ax in axes] == res.names
    assert profiles.names == [curve.name for curve in profiles.curves]
    one = res.plot_profile("x")
    dashed = sorted(line.get_xdata()[0] for line in one.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(dashed, res.conf_int(method="profile").loc["x"])


# -- the delta method ----------------------------------------------------------------------------------------------------------


def test_a_function_against_finite_differences():
    res = fitted(BY_NAME["gamma"])

    def ratio(p):
        return torch.exp(p.x) / p["w"] * p.concentration

    def plain(b):
        return np.exp(b[1]) / b[2] * b[3]

    found, b = res.delta(ratio), res.params.to_numpy()
    slope = optimize.approx_fprime(b, plain, 1e-7)
    assert found.estimate == pytest.approx(plain(b), rel=1e-14)
    assert found.se == pytest.approx(np.sqrt(slope @ res.cov_params().to_numpy() @ slope), rel=1e-5)
    np.testing.assert_allclose(
        found.conf_int(0.1)[0], found.estimate + np.array([-1, 1]) * stats.norm.ppf(0.95) * found.se
    )


def test_linear_functions_are_t_tests():
    res = fitted(BY_NAME["ols"])
    found = res.delta(lambda p: {"sum": p.x + p.w, "first": p[0], "twice": 2 * p[1:3][0]})
    test = res.t_test([[0, 1, 1], [1, 0, 0], [0, 2, 0]])
    np.testing.assert_allclose(found.se, test.sd, rtol=1e-12)
    np.testing.assert_allclose(found.summary_frame()["p_value"], test.pvalue, rtol=1e-9)
    assert list(found.summary_frame().index) == ["sum", "first", "twice"]
    assert "sum" in str(found.summary())
    np.testing.assert_allclose(found.conf_int(), test.conf_int(), rtol=1e-12)


def test_a_matrix_parameter_is_a_matrix():
    res = fitted(BY_NAME["mvnormal"])
    found = res.delta(lambda p: p.cov[0, 1] / torch.sqrt(p.cov[0, 0] * p.cov[1, 1]))
    sample = np.corrcoef(BY_NAME["mvnormal"].frame()[["a", "b"]].T)[0, 1]
    assert found.estimate == pytest.approx(sample, rel=1e-9)
    assert found.se == pytest.approx((1 - sample**2) / np.sqrt(240), rel=1e-9)  # the textbook's


def test_functions_that_cannot_be():
    res = fitted(BY_NAME["ols"])
    with pytest.raises(TypeError, match="use those of torch"):
        res.delta(lambda p: np.exp(p.x))
    with pytest.raises(TypeError, match="not float"):
        res.delta(lambda p: 3.0)
    with pytest.raises(AttributeError, match="no parameter 'z'; the parameters are Intercept, x, w"):
        res.delta(lambda p: p.z)
    with pytest.raises(ValueError, match="2 labels"):
        res.delta(lambda p: p.x, names=["a", "b"])
    constant = res.delta(lambda p: torch.tensor([1.0]) + 0 * p.x, names=["one"])
    assert constant.se == 0


def test_a_profile_needs_no_standard_errors():
    model = tm.NegativeBinomial.from_formula("y ~ x", BY_NAME["negbin-2"].frame())
    without, other = (model.fit(cov_type=kind, disp=False).conf_int(method="profile") for kind in (None, "nonrobust"))
    np.testing.assert_array_equal(without, other)


@pytest.mark.filterwarnings("ignore::torchmle.errors.BoundaryWarning")
@pytest.mark.parametrize("options", [{}, {"constraints": "x = 0.4"}])
def test_a_dispersion_of_zero_has_a_limit_above(options):
    rng = np.random.default_rng(1)
    df = pd.DataFrame({"x": rng.normal(size=150)}).assign(y=lambda df: rng.binomial(6, 1 / (1 + np.exp(-df["x"]))))
    model = tm.NegativeBinomial.from_formula("y ~ x", df)
    res = model.fit(disp=False, **options)
    low, high = res.conf_int(method="profile").loc["alpha"]
    assert res.params["alpha"] == low == 0
    held = model.fit(fix={"alpha": high}, disp=False, **options)
    assert 2 * (res.llf - held.llf) == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-7)


def test_functions_without_a_value():
    res = fitted(BY_NAME["poisson"])
    nothing = res.delta(lambda p: {"root": torch.log(-torch.exp(p.x)), "x": p.x}).summary_frame()
    assert nothing.loc["root"].isna().all() and nothing.loc["x", "se"] == pytest.approx(res.bse["x"])
    with pytest.raises(ValueError, match="gives no values"):
        res.delta(lambda p: p[:0])


def test_limits_within_bounds():
    """The interval of what is bounded ends there; those of others are where the fall within the bounds is the quantile."""
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"x": rng.normal(size=80)})
    df["z"] = 0.7 * df["x"] + 0.5 * rng.normal(size=80)
    model = tm.Poisson.from_formula("y ~ x + z", df.assign(y=rng.poisson(np.exp(0.5 + 0.4 * df["x"] + 0.1 * df["z"]))))
    bounds = {"x": (0.0, model.fit(disp=False).params["x"] + 0.03)}
    res = model.fit(disp=False, bounds=bounds)
    limits = res.conf_int(method="profile")
    assert tuple(limits.loc["x"]) == bounds["x"]
    for limit in limits.loc["z"]:
        held = model.fit(disp=False, bounds=bounds, fix={"z": limit})
        assert held.at_bounds and 2 * (res.llf - held.llf) == pytest.approx(Q**2, rel=1e-8)
    constrained = model.fit(disp=False, bounds=bounds, constraints="Intercept + z = 0.7")
    low, high = constrained.conf_int(method="profile").loc["x"]
    assert 0 <= low < constrained.params["x"] < high == bounds["x"][1]
