"""Bootstrap and jackknife against one fit at a time, closed forms, scipy and the sandwich."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from problems import BY_NAME, PROBLEMS, fitted
from scipy import stats

import torchmle as tm
from torchmle.errors import ConvergenceWarning
from torchmle.fitting.batched import can_be_batched
from torchmle.fitting.resampling import case_weights, replicate
from torchmle.inference.bootstrap import Bootstrap, quantiles

BATCHED = ("poisson", "ols", "wls", "exponential", "exponential-interval", "normal-sigma", "student", "gumbel")


def quietly(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return function()


# -- the replicates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_replicates_are_fits_of_weighted_rows(problem):
    """Every model, batched or not: a replicate is what `fit` makes of the drawn counts as frequency weights."""
    res, df = fitted(problem), problem.frame()
    if "freq_weights" in problem.arguments:
        return
    drawn = np.bincount(np.random.default_rng(3).integers(0, len(df), len(df)), minlength=len(df)).astype(float)
    found = quietly(lambda: replicate(res.fit, lambda seeds, part: np.tile(drawn, (2, 1)), 2))
    if found.failures:  # such rows have no maximum
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            problem.fit(df.assign(drawn=drawn), freq_weights="drawn")
        assert caught
        return
    exact = problem.fit(df.assign(drawn=drawn), freq_weights="drawn")
    se = np.where(exact._bse > 0, exact._bse, 1.0)
    theirs = exact.params_array
    assert np.abs((found.values - theirs) / se)[:, np.isfinite(se)].max() < 1e-5
    np.testing.assert_array_equal(found.values[0], found.values[1])


def test_many_models_go_in_batches():
    for name in BATCHED:
        res = fitted(BY_NAME[name])
        assert can_be_batched(res.model, res.fit.z), name


def test_columns_far_from_zero_and_what_is_held():
    df = BY_NAME["poisson"].frame()
    plain = tm.Poisson.from_formula("y ~ x + w", df).fit(disp=False, fix={"w": -0.3})
    far = tm.Poisson.from_formula("y ~ x + w", df.assign(x=df["x"] + 1e4)).fit(disp=False, fix={"w": -0.3})
    one, other = plain.bootstrap(20, seed=2), far.bootstrap(20, seed=2)
    np.testing.assert_allclose(other.replicates["x"], one.replicates["x"], rtol=1e-6)
    np.testing.assert_allclose(
        other.replicates["Intercept"] + 1e4 * other.replicates["x"], one.replicates["Intercept"], atol=1e-5
    )
    assert (one.replicates["w"] == -0.3).all() and one.se["w"] == 0
    assert (one.conf_int().loc["w"] == -0.3).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twice = tm.Poisson.from_formula("y ~ x + copy", df.assign(copy=df["x"])).fit(disp=False)
    found = twice.bootstrap(20, seed=2)
    assert np.isnan(found.se["copy"]) and np.isfinite(found.se[["Intercept", "x"]]).all()


def test_a_seed_makes_them_reproducible_and_touches_nothing_else():
    res = fitted(BY_NAME["poisson"])
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, threads = res.bootstrap(600, seed=5), torch.get_num_threads()
    torch.set_num_threads(1)
    second = res.bootstrap(600, seed=5)
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(first.values, second.values)
    assert (before[0] == np.random.get_state()[1]).all() and before[1].equal(torch.get_rng_state())
    assert (first.values != res.bootstrap(600, seed=6).values).any()
    assert isinstance(first.replicates, pd.DataFrame) and first.replicates.shape == (600, 3)


def test_how_many_go_together_changes_nothing(monkeypatch):
    """Each replicate has a seed of its own, so fewer replicates are the first of many."""
    problem = BY_NAME["poisson"]
    plain, counted = fitted(problem), problem.fit(problem.frame(), freq_weights="counts")
    for res, more in ((plain, {}), (plain, {"groups": "firm"}), (counted, {})):
        many = res.bootstrap(40, seed=5, **more).values
        np.testing.assert_array_equal(res.bootstrap(15, seed=5, **more).values, many[:15])
        with monkeypatch.context() as patched:
            patched.setattr("torchmle.fitting.batched.MOST_TOGETHER", 7)
            np.testing.assert_allclose(res.bootstrap(40, seed=5, **more).values, many, rtol=1e-12)


# -- standard errors and bias ----------------------------------------------------------------------------------------------------


def test_the_mean_of_a_sample():
    """The bootstrap variance of a mean is ``sum (y - mean)^2 / n^2`` but for the error of 4,000 replicates, 1.1 %."""
    y = np.random.default_rng(1).exponential(size=40)
    res = tm.OLS(y, np.ones((40, 1))).fit()
    found = res.bootstrap(4000, seed=1)
    assert found.se[0] == pytest.approx(y.std() / np.sqrt(40), rel=0.04)
    assert abs(found.bias[0]) < 4 * found.se[0] / np.sqrt(4000)
    assert found.cov()[0, 0] == pytest.approx(found.se[0] ** 2, rel=1e-12)


def test_the_sandwich_is_its_limit():
    df = BY_NAME["poisson"].frame(n=2000)
    res = tm.Poisson.from_formula("y ~ x + w", df, offset="off", exposure="years").fit(disp=False, cov_type="HC0")
    found = res.bootstrap(2000, seed=4)
    np.testing.assert_allclose(found.se, res.bse, rtol=0.08)
    np.testing.assert_allclose(found.conf_int(), res.conf_int(), atol=0.25 * res.bse.max())


def test_clusters_are_drawn_whole():
    df = BY_NAME["poisson"].frame(n=1200)
    effect = np.random.default_rng(0).normal(0, 0.7, df["firm"].max() + 1)
    df["y"] = np.random.default_rng(1).poisson(np.exp(0.5 * df["x"] + effect[df["firm"]]))
    res = tm.Poisson.from_formula("y ~ x", df).fit(disp=False, cov_type="cluster", cov_kwds={"groups": "firm"})
    found = res.bootstrap(1500, seed=3, groups="firm")
    assert found.kind == "cluster"
    np.testing.assert_allclose(found.se, res.bse, rtol=0.15)
    assert res.bootstrap(300, seed=3).se["Intercept"] < 0.8 * found.se["Intercept"]


def test_responses_drawn_from_the_model():
    for name in ("poisson", "normal", "ols"):
        problem = BY_NAME[name]
        res = problem.fit(problem.frame(n=400))
        found = res.bootstrap(300, seed=2, kind="parametric")
        np.testing.assert_allclose(found.se, res.bse, rtol=0.2)
    censored = fitted(BY_NAME["exponential"])
    with pytest.raises(ValueError, match="censoring"):
        censored.bootstrap(10, kind="parametric")


@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_every_model_that_says_its_responses_draws_them(problem):
    res = fitted(problem)
    if problem.name.startswith("exponential") or problem.name in ("mixture", "ordered"):
        with pytest.raises(ValueError, match="censoring|does not say what it predicts"):
            res.bootstrap(10, seed=1, kind="parametric")
        return
    found = quietly(lambda: res.bootstrap(100, seed=1, kind="parametric"))
    ratio = np.sqrt(np.diag(np.asarray(found.cov()))) / np.where(res._bse > 0, res._bse, np.nan)
    assert np.nanmin(ratio) > 0.6 and np.nanmedian(ratio) < 1.25


def test_as_many_responses_are_drawn_as_a_row_counts():
    df = BY_NAME["poisson"].frame(n=60).assign(counts=lambda frame: frame["counts"] + 3)
    weighted = tm.Poisson.from_formula("y ~ x", df, freq_weights="counts").fit(disp=False)
    found = weighted.bootstrap(400, seed=1, kind="parametric")
    np.testing.assert_allclose(found.se, weighted.bse, rtol=0.12)
    halves = tm.Poisson.from_formula("y ~ x", df.assign(counts=df["counts"] / 2), freq_weights="counts").fit(disp=False)
    with pytest.raises(ValueError, match="whole number"):
        halves.bootstrap(10, kind="parametric")


def test_rows_that_count_nothing_are_not_drawn():
    df = BY_NAME["poisson"].frame(n=60)
    twice = tm.Poisson.from_formula("y ~ x", df, freq_weights=np.tile([0, 2], 30)).fit(disp=False)  # as many as rows
    found = twice.bootstrap(400, seed=1, kind="parametric")
    np.testing.assert_allclose(found.values.mean(0), twice.params, atol=0.2 * twice.bse.min())
    np.testing.assert_allclose(found.se, twice.bse, rtol=0.12)


def test_successes_are_drawn_out_of_their_trials():
    rng = np.random.default_rng(3)
    df = pd.DataFrame({"x": rng.normal(size=60), "n": 8.0})
    df["s"] = rng.binomial(8, 1 / (1 + np.exp(0.3 - 0.4 * df["x"])))
    df = df.assign(f=8 - df["s"], p=df["s"] / 8)
    family = tm.families.Binomial()
    counts = tm.GLM.from_formula("s + f ~ x", df, family=family).fit()
    draws = [counts.bootstrap(300, seed=1, kind="parametric").values]
    for name in ("n_trials", "var_weights"):
        res = tm.GLM.from_formula("p ~ x", df, family=family, **{name: "n"}).fit()
        draws.append(res.bootstrap(300, seed=1, kind="parametric").values)
        np.testing.assert_allclose(draws[-1], draws[0], atol=1e-8)
    np.testing.assert_allclose(draws[0].std(0), counts.bse, rtol=0.12)
    odd = tm.GLM.from_formula("p ~ x", df.assign(n=7.5), family=family, var_weights="n").fit()
    with pytest.raises(ValueError, match="not whole numbers cannot be drawn"):
        odd.bootstrap(10, kind="parametric")


def test_a_sampling_weight_is_that_of_one_observation():
    """A row is drawn, or left out, with all its weight."""
    df = BY_NAME["ols"].frame(n=80)
    res = tm.OLS.from_formula("y ~ x", df, sampling_weights="precision").fit(cov_type="HC3")
    rows = [tm.OLS.from_formula("y ~ x", df.drop(index=i), sampling_weights="precision").fit().params for i in df.index]
    found = res.jackknife()
    np.testing.assert_allclose(found.values, rows, rtol=1e-9)
    np.testing.assert_allclose(found.se, res.bse, rtol=0.02)
    np.testing.assert_allclose(res.bootstrap(1500, seed=2).se, res.bse, rtol=0.1)


class Written(tm.GenericLikelihoodModel):
    """Poisson's likelihood of the parameters, with all rows in `self`."""

    def loglikeobs(self, params):
        eta = torch.as_tensor(self.exog) @ torch.as_tensor(params)
        y = torch.as_tensor(self.endog)
        return y * eta - torch.exp(eta) - torch.lgamma(y + 1)


def test_a_likelihood_of_the_parameters_is_resampled_as_any_other():
    df = BY_NAME["poisson"].frame(n=80)
    x, firm = np.column_stack([np.ones(80), df["x"]]), df["firm"].to_numpy()
    plain = tm.Poisson(df["y"].to_numpy(), x).fit(disp=False)
    own = Written(df["y"].to_numpy(), x).fit(disp=False)
    for groups in (None, firm):
        np.testing.assert_allclose(
            own.jackknife(groups=groups).values, plain.jackknife(groups=groups).values, rtol=1e-6
        )
        told = {"reps": 20, "seed": 1} | ({} if groups is None else {"groups": groups})
        np.testing.assert_allclose(
            own.with_covariance("bootstrap", told).bse, plain.with_covariance("bootstrap", told).bse, rtol=1e-6
        )
    for kind in ("cluster-jk", "cluster-crv3"):
        ours, theirs = (res.with_covariance(kind, {"groups": firm}).bse for res in (own, plain))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_as_a_kind_of_covariance():
    problem = BY_NAME["poisson"]
    res = problem.fit(problem.frame(), fitting={"cov_type": "bootstrap", "cov_kwds": {"reps": 200, "seed": 9}})
    np.testing.assert_allclose(res.bse, fitted(problem).bootstrap(200, seed=9).se, rtol=1e-9)
    assert "by the bootstrap, 200 samples of rows" in " ".join(str(res.summary()).split())
    firms = res.with_covariance("bootstrap", {"reps": 200, "seed": 9, "groups": "firm"})
    np.testing.assert_allclose(firms.bse, res.bootstrap(200, seed=9, groups="firm").se, rtol=1e-9)
    normal = fitted(BY_NAME["normal"]).with_covariance("bootstrap", {"reps": 400, "seed": 1})
    np.testing.assert_allclose(
        normal.bse, fitted(BY_NAME["normal"]).bootstrap(400, seed=1).se, rtol=0.02
    )  # sigma: delta
    with pytest.raises(TypeError, match="takes reps, seed, groups"):
        res.with_covariance("bootstrap", {"nrep": 3})


# -- intervals -------------------------------------------------------------------------------------------------------------------


def test_percentiles_are_order_statistics():
    found = fitted(BY_NAME["poisson"]).bootstrap(999, seed=1)
    ordered = np.sort(found.values[:, 1])
    np.testing.assert_array_equal(found.conf_int().loc["x"], ordered[[24, 974]])
    np.testing.assert_allclose(found.conf_int(0.2).loc["x"], ordered[[99, 899]])
    centre = found.results.params["x"]
    np.testing.assert_allclose(found.conf_int(kind="basic").loc["x"], 2 * centre - ordered[[974, 24]], rtol=1e-12)


def test_intervals_are_those_of_r():
    """R 4.2.2, boot 1.3: boot.ci(conf=, type=c("perc", "basic", "bca"), L=) of these replicates, b$t0 = 0.21."""
    i = np.arange(1, 200.0)
    t = 0.2 + 0.05 * (np.sin(i**1.5) + 0.3 * np.cos(i) + 0.001 * i)
    influence = np.array([-2, -1.5, -0.3, 0.1, 0.4, 0.2, 1.9, 0.7, -0.9, 1.4])[:, None]
    res = tm.OLS(np.array([0.21, 0.21]), np.ones((2, 1))).fit()
    found = Bootstrap(res, t[:, None], {}, "case", influence, np.ones(10))
    expected = {
        0.9: [0.15286308892710701, 0.26347394992459439, 0.15652605007540560, 0.26713691107289295, 0.14485821296295470,
              0.25900257395675180],
        0.95: [0.14335805611033856, 0.26751038002642935, 0.15248961997357063, 0.27664194388966146, 0.14032730301377064,
               0.26438923416705173],
        0.8: [0.15609587613673465, 0.25707137713404338, 0.16292862286595661, 0.26390412386326534, 0.15368534547836979,
              0.25182804530499420],
    }  # fmt: skip
    for level, limits in expected.items():
        ours = [found.conf_int(1 - level, kind)[0] for kind in ("percentile", "basic", "bca")]
        np.testing.assert_allclose(np.concatenate(ours), limits, rtol=1e-13)
    np.testing.assert_array_equal(quantiles(t, np.array([0.0, 1e-9, 1 - 1e-9, 1.0])), np.sort(t)[[0, 0, -1, -1]])


def test_bca_is_scipys():
    """For a skewed mean; the acceleration by hand, the limits as scipy has them up to its own draws."""
    y = np.random.default_rng(7).exponential(size=50)
    res = tm.OLS(y, np.ones((50, 1))).fit()
    found = res.bootstrap(9999, seed=3)
    u = y - y.mean()
    assert found._acceleration(0) == pytest.approx((u**3).sum() / (6 * (u**2).sum() ** 1.5), rel=1e-9)
    theirs = stats.bootstrap((y,), np.mean, n_resamples=9999, method="BCa", random_state=1, vectorized=True)
    np.testing.assert_allclose(
        found.conf_int(kind="bca")[0], theirs.confidence_interval, atol=0.03 * theirs.standard_error * 4
    )
    percentile = found.conf_int()[0]
    assert (found.conf_int(kind="bca")[0] > percentile).all()  # skewed to the right
    a, z = found._acceleration(0), stats.norm.ppf((found.values < y.mean()).mean())
    level = stats.norm.cdf(z + (z - 1.959963984540054) / (1 - a * (z - 1.959963984540054)))
    assert found.conf_int(kind="bca")[0, 0] == pytest.approx(
        quantiles(found.values[:, 0], np.array([level]))[0], rel=1e-12
    )


def test_basic_intervals_of_a_spread_stay_positive():
    y = np.random.default_rng(2).standard_cauchy(12)
    res = tm.Normal(y, np.ones((12, 1))).fit()
    found = quietly(lambda: res.bootstrap(400, seed=1))
    low, high = found.conf_int(kind="basic")[1]
    assert 0 < low < high
    assert list(found.summary_frame()) == ["estimate", "bias", "se", "conf_low", "conf_high"]


# -- the jackknife -----------------------------------------------------------------------------------------------------------------


def test_the_jackknife_of_least_squares():
    """``b - b_(i) = (X'X)^-1 x_i e_i / (1 - h_i)``."""
    df = BY_NAME["ols"].frame(n=60)
    res = tm.OLS.from_formula("y ~ x + w", df).fit()
    x = np.column_stack([np.ones(60), df["x"], df["w"]])
    inverse = np.linalg.inv(x.T @ x)
    change = (x @ inverse) * (np.asarray(res.resid) / (1 - ((x @ inverse) * x).sum(1)))[:, None]
    values = np.asarray(res.params) - change
    found = res.jackknife()
    np.testing.assert_allclose(found.values, values, rtol=1e-9)
    centred = values - values.mean(0)
    np.testing.assert_allclose(found.cov(), 59 / 60 * centred.T @ centred, rtol=1e-8)
    np.testing.assert_allclose(found.bias, 59 * (values.mean(0) - res.params), rtol=1e-6, atol=1e-12)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    y = np.random.default_rng(1).normal(size=30)
    res = tm.OLS(y, np.ones((30, 1))).fit()
    assert res.jackknife().se[0] == pytest.approx(res.bse[0], rel=1e-12)
    assert res.jackknife().bias[0] == pytest.approx(0, abs=1e-12)


def test_frequency_weights_are_rows():
    df = BY_NAME["poisson"].frame(n=80)
    weighted = tm.Poisson.from_formula("y ~ x", df, freq_weights="counts").fit(disp=False)
    rows = tm.Poisson.from_formula("y ~ x", df.loc[df.index.repeat(df["counts"].astype(int))]).fit(disp=False)
    np.testing.assert_allclose(weighted.jackknife().se, rows.jackknife().se, rtol=1e-8)
    np.testing.assert_allclose(weighted.jackknife().bias, rows.jackknife().bias, rtol=1e-4)
    one, other = weighted.bootstrap(3000, seed=1), rows.bootstrap(3000, seed=1)
    np.testing.assert_allclose(one.se, other.se, rtol=0.08)
    for j in range(2):
        assert one._acceleration(j) == pytest.approx(other._acceleration(j), rel=1e-9)


def test_clusters_are_left_out_whole():
    df = BY_NAME["ols"].frame(n=90)
    res = tm.OLS.from_formula("y ~ x", df).fit(cov_type="cluster-jk", cov_kwds={"groups": "firm"})
    np.testing.assert_allclose(res.jackknife(groups="firm").se, res.bse, rtol=1e-8)


# -- replicates that fail ------------------------------------------------------------------------------------------------------------


def test_failures_are_counted_and_named():
    """A level with three events: now and then a sample has none of them."""
    df = pd.DataFrame({"g": np.repeat(list("ab"), [40, 10]), "y": 0.0})
    df.loc[[0, 3, 5, 8, 40, 44], "y"] = 1.0
    res = tm.Logit.from_formula("y ~ C(g)", df).fit(disp=False)
    with pytest.warns(ConvergenceWarning, match=r"of 200 replicates are left out: .*perfect prediction"):
        found = res.bootstrap(200, seed=1)
    lost = np.isnan(found.values).all(1)
    assert found.failures["perfect prediction"] == lost.sum() > 0
    weights = case_weights(res.model)(np.random.SeedSequence(1).spawn(200), slice(0, 200))
    y, b = df["y"].to_numpy(), (df["g"] == "b").to_numpy()
    for row, failed in zip(weights, lost, strict=True):
        cells = [row @ (part & outcome) for part in (b, ~b) for outcome in (y == 1, y == 0)]
        assert failed == (min(cells) == 0)
    assert np.isfinite(found.se).all() and "left out" in repr(found)


def test_requests_that_cannot_be_met():
    res = fitted(BY_NAME["poisson"])
    with pytest.raises(ValueError, match="kind must be one of 'case', 'cluster', 'parametric', not 'wild'"):
        res.bootstrap(10, kind="wild")
    with pytest.raises(ValueError, match="groups= are for kind='cluster'"):
        res.bootstrap(10, kind="cluster")
    with pytest.raises(ValueError, match="reps must be 2 or more"):
        res.bootstrap(1)
    with pytest.raises(ValueError, match="kind must be one of 'percentile', 'basic', 'bca'"):
        res.bootstrap(10, seed=1).conf_int(kind="normal")


@pytest.mark.parametrize("name", ["poisson", "logit", "glm-gamma"])
def test_standard_errors_by_simulated_responses(name):
    """`cov_type="bootstrap"` with kind="parametric" is the covariance of `results.bootstrap` of that kind."""
    problem, df = BY_NAME[name], BY_NAME[name].frame()
    plain = problem.fit(df)
    robust = plain.with_covariance("bootstrap", cov_kwds={"kind": "parametric", "reps": 60, "seed": 4})
    drawn = plain.bootstrap(60, kind="parametric", seed=4).values
    np.testing.assert_allclose(robust.cov_params(), np.cov(drawn.T), rtol=1e-9)
    assert "60 samples of simulated responses" in " ".join(str(robust.summary()).split())
    np.testing.assert_allclose(robust.bse, plain.bse, rtol=0.5)


def test_kinds_of_bootstrap_covariances_that_do_not_exist():
    problem, df = BY_NAME["poisson"], BY_NAME["poisson"].frame()
    with pytest.raises(ValueError, match="kind must be one of 'case', 'cluster', 'parametric', not 'wild'"):
        problem.fit(df).with_covariance("bootstrap", cov_kwds={"kind": "wild"})
    with pytest.raises(ValueError, match="groups= are for kind='cluster'"):
        problem.fit(df).with_covariance("bootstrap", cov_kwds={"kind": "cluster"})


def test_parametric_replicates_draw_a_row_as_often_as_it_counts():
    """Four times each row, as weights or as rows: the same responses of the same seed, not one that counts four times."""
    problem = BY_NAME["poisson"]
    df = problem.frame(n=80).assign(four=4)
    kwds = {"kind": "parametric", "reps": 20, "seed": 1}
    weighted = problem.fit(df, freq_weights="four").with_covariance("bootstrap", kwds)
    repeated = problem.fit(pd.concat([df] * 4, ignore_index=True)).with_covariance("bootstrap", kwds)
    np.testing.assert_allclose(weighted.cov_params(), repeated.cov_params(), rtol=1e-6)
    parts = problem.fit(df.assign(half=1.5), freq_weights="half")
    with pytest.raises(ValueError, match="whole number; use kind='case'"):
        parts.bootstrap(5, kind="parametric")
    sampled = problem.fit(df.assign(s=1 + df["counts"]), sampling_weights="s")
    with pytest.raises(ValueError, match="under sampling weights"):
        sampled.bootstrap(5, kind="parametric")
