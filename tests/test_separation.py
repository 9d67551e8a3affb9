"""Perfect prediction: one warning with the columns, infinite estimates said to be so, and right numbers for the others."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from reference import corpus
from scipy import optimize, stats

import torchmle as tm
from torchmle.errors import BoundaryWarning, PerfectSeparationError, PerfectSeparationWarning
from torchmle.optim.recession import definite_sign, recession

LINKS = tm.families.links
N = 60


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "g": rng.choice(list("abc"), N)})
    away = found["g"] == "b"
    found["c"] = rng.poisson(np.exp(0.3 + 0.5 * found["x"])) * ~away
    often = rng.poisson(3 * np.exp(0.3 * found["x"] + rng.normal(0, 0.8, N))) * (rng.random(N) < 0.7)
    found["k"] = often * ~away
    found["y"] = (rng.random(N) < 1 / (1 + np.exp(-found["x"]))) | away
    found["t"], found["d"] = rng.exponential(size=N), (np.arange(N) % 3 > 0) & ~away
    utilities = np.column_stack([np.zeros(N), 0.5 * found["x"], 0.2 - found["x"]]) + rng.gumbel(size=(N, 3))
    grade = np.digitize(found["x"] + rng.logistic(size=N), [-1.0, 1.0])
    found["grade"] = np.where(away, 2, grade)
    found["choice"] = np.where(away, 0, utilities.argmax(1))
    return found.astype({"y": int, "d": int})


def binomial(link):
    return lambda formula, data, **rows: tm.GLM.from_formula(
        formula, data, family=tm.families.Binomial(link), **rows
    )  # fmt: skip


MODELS = {
    "poisson": (tm.Poisson.from_formula, "c"),
    "poisson-glm": (lambda formula, data: tm.GLM.from_formula(formula, data, family=tm.families.Poisson()), "c"),
    "logit": (tm.Logit.from_formula, "y"),
    "probit": (tm.Probit.from_formula, "y"),
    "binomial": (binomial(LINKS.Logit()), "y"),
    "cloglog": (binomial(LINKS.CLogLog()), "y"),
    "bernoulli": (tm.distribution_model(torch.distributions.Bernoulli).from_formula, "y"),
    "survival": (tm.ExponentialSurvival.from_formula, "Surv(t, d)"),
    "multinomial": (tm.MNLogit.from_formula, "choice"),
    "negative binomial": (tm.NegativeBinomial.from_formula, "k"),
    "zero-inflated": (tm.ZeroInflatedPoisson.from_formula, "k"),
    "ordered": (tm.OrderedModel.from_formula, "grade"),
}
each_model = pytest.mark.parametrize("name", MODELS)


def fit(model, **options):
    """A fit, and everything it and its summary warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        res = model.fit(disp=False, **options)
        text = str(res.summary())
    return res, caught, text


def flat(values):
    return np.asarray(values, float).T.ravel()


# -- quasi-complete separation -------------------------------------------------------------------------------------------------


@each_model
@pytest.mark.parametrize("tail", [" ~ x + C(g)", " ~ 0 + C(g) + x", " ~ z + x * C(g)"])
def test_a_level_with_one_outcome(df, name, tail):
    """The others are those of a fit without the level's rows, to rounding error; its own is infinite."""
    if name == "ordered" and "0 +" in tail:
        pytest.skip("thresholds take the place of the constant")
    make, response = MODELS[name]
    res, caught, text = fit(make(response + tail, df))
    rest, none, _ = fit(make(response + tail, df[df["g"] != "b"]))
    assert [warning.category for warning in caught] == [PerfectSeparationWarning] and not none
    message = " ".join(str(caught[0].message).split())
    assert "b]" in message and f"{(df['g'] == 'b').sum()} of {N} rows" in message and "inf)" in message
    assert not res.converged and "Quasi-complete separation" in " ".join(text.split())
    theirs, names = rest.model.layout.names, res.model.layout.names
    kept = [i for i, label in enumerate(names) if label in theirs]
    assert len(kept) == len(theirs)
    gone = [i for i in range(len(names)) if i not in kept]
    np.testing.assert_allclose(flat(res.params)[kept], flat(rest.params), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(flat(res.bse)[kept], flat(rest.bse), rtol=1e-7)
    assert not np.isfinite(flat(res.params)[gone]).any() and np.isinf(flat(res.params)[gone]).any()
    assert np.isnan(flat(res.bse)[gone]).all() and np.isnan(flat(res.pvalues)[gone]).all()
    assert res.llf == pytest.approx(rest.llf, abs=1e-9)
    assert np.isfinite(np.asarray(res.predict())).all()


def test_an_infinite_constant_leaves_contrasts_undetermined(df):
    res, _, text = fit(tm.Logit.from_formula("y ~ x + C(g, Treatment('b'))", df))
    rest, _, _ = fit(tm.Logit.from_formula("y ~ x + C(g)", df[df["g"] != "b"]))
    assert res.params["Intercept"] == np.inf and (res.params.filter(like="C(g") == -np.inf).all()
    assert res.params["x"] == pytest.approx(rest.params["x"], rel=1e-8)
    assert res.bse["x"] == pytest.approx(rest.bse["x"], rel=1e-8)
    assert "inf" in text


def test_signs_that_are_not_determined(df):
    """Along ``x * C(g)[b]`` the level's line can rise either way."""
    res, caught, _ = fit(tm.Poisson.from_formula("c ~ x * C(g)", df))
    assert res.params["C(g)[T.b]"] == -np.inf and np.isnan(res.params["x:C(g)[T.b]"])
    assert "Not determined: x:C(g)[T.b]" in str(caught[0].message)


def test_columns_far_from_zero(df):
    far = df.assign(x=df["x"] + 1e5)
    res, caught, _ = fit(tm.Logit.from_formula("y ~ x + C(g)", far))
    near, _, _ = fit(tm.Logit.from_formula("y ~ x + C(g)", df))
    assert len(caught) == 1
    assert res.params["x"] == pytest.approx(near.params["x"], rel=1e-6)
    assert res.bse["x"] == pytest.approx(near.bse["x"], rel=1e-6)
    assert res.params["C(g)[T.b]"] == np.inf


def test_a_level_that_is_never_inflated(df):
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(0.5 + 0.3 * df["x"])) * (rng.random(N) < 0.6)
    data = df.assign(c=np.where(df["g"] == "b", counts + 1, counts))
    res, caught, _ = fit(tm.ZeroInflatedPoisson.from_formula("c ~ x", data, inflate="~ C(g)"))
    assert [warning.category for warning in caught] == [PerfectSeparationWarning]
    assert res.params["inflate_C(g)[T.b]"] == -np.inf and np.isnan(res.bse["inflate_C(g)[T.b]"])
    assert np.isfinite(res.params.drop("inflate_C(g)[T.b]")).all()
    b, others = data["g"] == "b", data["g"] != "b"

    def negative(p):  # the level's rows are Poisson, the others inflated
        mean, share = np.exp(p[0] + p[1] * data["x"]), 1 / (1 + np.exp(-p[2] - p[3] * (data["g"] == "c")))
        mass = stats.poisson.pmf(data["c"], mean)
        return -np.log(mass[b]).sum() - np.log(share * (data["c"] == 0) + (1 - share) * mass)[others].sum()

    best = optimize.minimize(
        negative, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}
    )
    ours = res.params[["Intercept", "x", "inflate_Intercept", "inflate_C(g)[T.c]"]]
    np.testing.assert_allclose(ours, best.x, atol=1e-5)
    assert res.llf == pytest.approx(-best.fun, abs=1e-8)


def test_an_outcome_that_one_level_never_has(df):
    """Of three choices b may have two: no row is predicted, but one coefficient is infinite."""
    rng = np.random.default_rng(4)
    data = df.assign(choice=rng.integers(0, 3, N))
    data.loc[(data["g"] == "b") & (data["choice"] == 2), "choice"] = 1
    res, caught, _ = fit(tm.MNLogit.from_formula("choice ~ C(g)", data))
    counts = data.groupby("g")["choice"].value_counts().unstack(fill_value=0)
    assert [warning.category for warning in caught] == [PerfectSeparationWarning]
    assert "some outcomes are ruled out" in str(caught[0].message) and "y2_C(g)[T.b] (-inf)" in str(caught[0].message)
    b, a = counts.loc["b"], counts.loc["a"]
    assert res.params.loc["C(g)[T.b]", 0] == pytest.approx(np.log(b[1] / b[0]) - np.log(a[1] / a[0]), rel=1e-7)
    se = np.sqrt(1 / b[1] + 1 / b[0] + 1 / a[1] + 1 / a[0])
    assert res.bse.loc["C(g)[T.b]", 0] == pytest.approx(se, rel=1e-7)
    assert res.params.loc["C(g)[T.b]", 1] == -np.inf


def test_hypotheses_about_what_is_left(df):
    """An infinite estimate that a hypothesis does not speak of does not make it unknown."""
    res, _, _ = fit(tm.Logit.from_formula("y ~ x + z + g", df))
    test = res.t_test("x - z = 0, g[T.b] = 0, x + g[T.b] = 0")
    gap = res.params["x"] - res.params["z"]
    covariance = res.cov_params()
    variance = covariance.loc["x", "x"] + covariance.loc["z", "z"] - 2 * covariance.loc["x", "z"]
    assert test.effect[0] == pytest.approx(gap) and test.sd[0] == pytest.approx(np.sqrt(variance))
    assert np.isposinf(test.effect[1:]).all() and np.isnan(test.sd[1:]).all()


def test_margins_of_infinite_coefficients(df):
    """Slopes in a column with an infinite coefficient have no finite limit; those of other columns, and contrasts, do."""
    res, _, _ = fit(tm.Logit.from_formula("y ~ x + z + g", df))
    columns, rows = res.get_margeff().summary_frame(), df["g"] != "b"
    assert columns.loc["g[T.b]"].isna().all()
    rest, _, _ = fit(tm.Logit.from_formula("y ~ x + z + g", df[rows]))
    alone = rest.get_margeff().summary_frame()
    np.testing.assert_allclose(
        columns.loc[["x", "z"]].iloc[:, :2], alone.loc[["x", "z"]].iloc[:, :2] * rows.mean(), rtol=1e-8
    )
    contrast = res.margins("g").frame().set_index("contrast").loc["b - a", "estimate"]
    assert contrast == pytest.approx(1 - res.predict(df.assign(g="a")).mean(), rel=1e-9)


def test_robust_errors_of_what_is_left(df):
    for cov_type, options in (("HC0", {}), ("cluster", {"groups": np.arange(N) // 3, "use_correction": False})):
        res, _, _ = fit(tm.Poisson.from_formula("c ~ x + C(g)", df), cov_type=cov_type, cov_kwds=options)
        kept = (df["g"] != "b").to_numpy()
        if options:
            options = {**options, "groups": options["groups"][kept]}
        rest, _, _ = fit(tm.Poisson.from_formula("c ~ x + C(g)", df[kept]), cov_type=cov_type, cov_kwds=options)
        np.testing.assert_allclose(res.bse[rest.names], rest.bse, rtol=1e-7)


def test_profile_intervals_of_infinite_estimates_have_one_limit(df):
    model = tm.Logit.from_formula("y ~ x + C(g)", df)
    res, _, _ = fit(model)
    with pytest.warns(tm.errors.ProfileWarning, match="the estimate itself is infinite"):
        low, high = res.conf_int(method="profile").loc["C(g)[T.b]"]
    held, _, _ = fit(model, fix={"C(g)[T.b]": low})
    assert high == np.inf and 2 * (res.llf - held.llf) == pytest.approx(1.959963984540054**2, abs=1e-7)


def test_a_saved_fit_keeps_its_infinities(df, tmp_path):
    res, _, text = fit(tm.Poisson.from_formula("c ~ x + C(g)", df))
    res.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit")
    pd.testing.assert_series_equal(loaded.params, res.params)
    pd.testing.assert_series_equal(loaded.bse, res.bse)
    assert "Quasi-complete separation" in text and "Quasi-complete separation" in str(loaded.summary())


# -- complete separation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["newton", "bfgs"])
@pytest.mark.parametrize("name", ["logit", "probit", "binomial", "cloglog"])
def test_complete_separation(name, method):
    make, _ = MODELS[name]
    frame = corpus.frame("edge_logit_complete_separation")
    res, caught, text = fit(make("y ~ x + z", frame), method=method)
    assert [warning.category for warning in caught] == [PerfectSeparationWarning]
    assert "Perfect separation: 10 of 10 rows" in " ".join(text.split())
    assert not res.converged and not np.isfinite(res.params).any() and np.isnan(res.bse).all()
    assert res.params["x"] == np.inf or np.isnan(res.params["x"])
    assert res.llf == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(res.predict(), frame["y"], atol=1e-9)


def test_cauchy_tails_are_long():
    frame = corpus.frame("edge_logit_complete_separation")
    res, caught, _ = fit(binomial(LINKS.Cauchy())("y ~ x + z", frame))
    assert [warning.category for warning in caught] == [PerfectSeparationWarning]
    assert res.llf == pytest.approx(0.0, abs=1e-6)


def test_on_demand_it_is_an_error(df):
    model = tm.Logit.from_formula("y ~ x + C(g)", df)
    model.raise_on_perfect_prediction = True
    with pytest.raises(PerfectSeparationError, match=r"C\(g\)\[T.b\] \(\+inf\)"):
        model.fit(disp=False)
    model.raise_on_perfect_prediction = False
    with pytest.warns(PerfectSeparationWarning):
        model.fit(disp=False)


def test_a_response_that_never_varies(df):
    for response, sign in ((0.0, -np.inf), (1.0, np.inf)):
        res, caught, _ = fit(tm.Logit.from_formula("y ~ 1", df.assign(y=response)))
        assert len(caught) == 1 and res.params["Intercept"] == sign
    res, caught, _ = fit(tm.Poisson.from_formula("c ~ x", df.assign(c=0)))
    assert res.params["Intercept"] == -np.inf and len(caught) == 1


# -- when there is none --------------------------------------------------------------------------------------------------------


def test_saturated_models_are_not_separated():
    frame = corpus.frame("edge_glm_poisson_saturated_haireye")
    res, caught, _ = fit(tm.Poisson.from_formula("Freq ~ Hair * Eye * Sex", frame))
    assert res.converged and not caught
    cells = pd.DataFrame({"y": [0, 1, 0, 1], "g": list("aabb"), "n": [3.0, 5.0, 4.0, 1.0]})
    res, caught, _ = fit(tm.Logit.from_formula("y ~ C(g)", cells, freq_weights="n"))
    assert res.converged and not caught


def test_extreme_probabilities_alone_are_not_separation():
    """The slope is 200 and almost every row is predicted, but two of them overlap."""
    x = np.linspace(-1, 1, 400)
    y = (x > 0).astype(float)
    y[[199, 200]] = 1.0, 0.0
    res, caught, _ = fit(tm.Logit(y, np.column_stack([np.ones(400), x])))
    assert res.converged and not caught and res.params[1] > 100


def test_separation_is_found_exactly_where_a_linear_programme_finds_it():
    rng, found = np.random.default_rng(1), 0
    for model in (tm.Logit, tm.Probit) * 30:
        n, k = rng.integers(8, 40), rng.integers(1, 5)
        x = np.column_stack([np.ones(n), rng.integers(0, 3, (n, k)) + rng.normal(size=(n, k)) * rng.integers(0, 2, k)])
        y = (rng.random(n) < 1 / (1 + np.exp(-x @ rng.normal(0, 1.5, k + 1)))).astype(float)
        if np.linalg.matrix_rank(x) <= k:
            continue
        signed = np.where(y[:, None] == 1, x, -x)
        best = optimize.linprog(-signed.sum(0), -signed, np.zeros(n), bounds=(-1, 1))
        res, caught, _ = fit(model(y, x))
        assert (best.fun < -1e-7) == (not res.converged) == (len(caught) == 1)
        found += best.fun < -1e-7
    assert 10 < found < 50


# -- the programme -------------------------------------------------------------------------------------------------------------


def test_the_cone_of_directions():
    equal, unequal = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 5.0]])
    cone = recession(equal.double(), unequal.double())
    assert cone.strict.all() and cone.flat.shape[1] == 2 and abs(cone.direction[2]) < 1e-12
    assert bool((unequal.double() @ cone.direction > 0).all())
    axes = torch.eye(3, dtype=torch.float64)
    assert [definite_sign(cone, unequal.double(), axis) for axis in axes] == [1, 0, 0]
    assert recession(equal.double(), torch.cat([unequal, -unequal]).double()) is None
    assert recession(torch.eye(3, dtype=torch.float64), unequal.double()) is None


def test_many_rows_are_added_as_they_are_needed():
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(20_000), rng.normal(size=(20_000, 3))])
    direction = np.array([0.1, 1.0, -1.0, 0.5])
    signed = x * np.sign(x @ direction)[:, None]
    cone = recession(torch.zeros(0, 4, dtype=torch.float64), torch.from_numpy(signed))
    assert cone is not None and cone.strict.all()
    signed[0] *= -1
    assert recession(torch.zeros(0, 4, dtype=torch.float64), torch.from_numpy(signed)) is None


# -- other data without an answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["NegativeBinomial", "GeneralizedPoisson", "ZeroInflatedPoisson", "Poisson"])
def test_counts_that_are_all_zero(df, name):
    """No row speaks of a dispersion or a share either."""
    res, caught, _ = fit(getattr(tm, name).from_formula("c ~ x + z", df.assign(c=0)))
    assert [warning.category for warning in caught] == [PerfectSeparationWarning]
    assert res.params["Intercept"] == -np.inf
    assert not np.isfinite(res.params).any() and np.isnan(res.bse).all()


FAMILIES = {
    "gamma": tm.families.Gamma(LINKS.Log()),
    "gaussian": tm.families.Gaussian(),
    "inverse gaussian": tm.families.InverseGaussian(LINKS.Log()),
    "tweedie": tm.families.Tweedie(var_power=1.5, link=LINKS.Log()),
}


@pytest.mark.parametrize("power", ["nb1", "nb2"])
def test_a_level_without_events_and_a_dispersion_at_its_boundary(df, power):
    """What is left is Poisson's fit to the rows of the other levels."""
    rest = tm.Poisson.from_formula("c ~ x + z + g", df[df["g"] != "b"]).fit(disp=False)
    res, caught, _ = fit(tm.NegativeBinomial.from_formula("c ~ x + z + g", df, loglike_method=power))
    assert {warning.category for warning in caught} == {PerfectSeparationWarning, BoundaryWarning}
    assert res.params["alpha"] == 0 and np.isneginf(res.params["g[T.b]"])
    kept = rest.params.index
    np.testing.assert_allclose(res.params[kept], rest.params, rtol=1e-9)
    np.testing.assert_allclose(res.bse[kept], rest.bse, rtol=1e-9)
    assert res.llf == pytest.approx(rest.llf, rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_dispersion_that_cannot_be_estimated(df, family):
    positive = df.assign(y=2.0)
    for rows, words in (
        (3, "No degrees of freedom are left (3 observations, 3 coefficients)"),
        (N, "The fit is perfect"),
    ):
        varied = positive[:rows] if rows == N else positive[:rows].assign(y=[1.0, 2.0, 4.0])
        res, caught, text = fit(tm.GLM.from_formula("y ~ x + z", varied, family=family))
        assert not caught and words in " ".join(text.split())
        assert rows == N or np.isnan(res.bse).all()


def test_no_standard_errors_for_what_ran_away(df):
    """Normal observations that are all fitted: sigma goes to 0, and no number of it is printed as if it were known."""
    res, caught, text = fit(tm.Normal.from_formula("y ~ x", df.assign(y=3.0)))
    assert not res.converged and np.isnan(res.bse).all()
    assert "sigma" in str(caught[0].message) and "Not converged" in text


def test_a_level_without_events_in_few_rows_is_no_maximum():
    """The Poisson fit from which a search may start is itself far out, where everything is level."""
    rows = {
        "y": [2, 2, 0, 0, 1, 1, 0],
        "g": list("ccbacba"),
        "x": [2.04, -2.56, 0.42, -0.57, -0.45, -0.22, -2.02],
        "z": [-0.08, -0.57, 1.74, 0.21, -1.01, -0.79, -0.06],
    }
    model = tm.NegativeBinomial.from_formula("y ~ C(g) + x + z", pd.DataFrame(rows), loglike_method="geometric")
    with pytest.warns(PerfectSeparationWarning, match="2 of 7 rows"):
        res = model.fit()
    assert not res.converged
    assert np.isneginf(res.params["Intercept"]) and np.isposinf(res.params["C(g)[T.b]"])
    assert np.isnan(res.bse.iloc[:3]).all() and np.isfinite(res.bse.iloc[3:]).all()


@pytest.mark.parametrize("distr", ["logit", "probit"])
def test_ordered_categories_separated_by_slopes_and_thresholds_together(distr):
    """No category can be told apart by the linear predictor while the thresholds stay where they are."""
    rows = {
        "y": [0, 0, 1, 2, 0, 3, 1],
        "g": list("ccbacba"),
        "x": [2.04, -2.56, 0.42, -0.57, -0.45, -0.22, -2.02],
        "z": [-0.08, -0.57, 1.74, 0.21, -1.01, -0.79, -0.06],
    }
    model = tm.OrderedModel.from_formula("y ~ C(g) + x + z", pd.DataFrame(rows), distr=distr)
    with pytest.warns(PerfectSeparationWarning, match="7 of 7 rows"):
        res = model.fit(disp=False)
    assert not res.converged and res.llf == pytest.approx(0, abs=1e-9) and np.isnan(res.bse).all()
    assert not np.isfinite(res.params).any()
