"""What users of other packages asked for: separation, rank, units, verdicts, tests and intervals one can trust."""

import itertools
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import torch
from problems import means
from reference import corpus
from reference.fits import fit
from scipy import stats

import torchmle as tm
from torchmle.covariance.registry import KINDS
from torchmle.errors import (
    ConvergenceWarning,
    FormulaError,
    HessianInversionWarning,
    MissingDataError,
    RankWarning,
    SpecificationWarning,
)


def close(ours, theirs, rtol=1e-9, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


@pytest.fixture(scope="module")
def df():
    found = pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})
    rng = np.random.default_rng(5)
    found["t"] = rng.exponential(np.exp(0.3 * found["x"]))
    found["d"] = (rng.random(60) < 0.7).astype(float)
    found["c"] = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(0.8 + 0.3 * found["x"])))
    found["f"] = np.where(found["g"] < 3, "low", np.where(found["g"] < 6, "mid", "high"))
    return found


GAMMA, BINOMIAL = tm.families.Gamma(tm.families.links.Log()), tm.families.Binomial()
MODELS = {
    "ols": lambda tail, data, **fit: tm.OLS.from_formula("yn" + tail, data).fit(**fit),
    "wls": lambda tail, data, **fit: tm.WLS.from_formula("yn" + tail, data, weights="w").fit(**fit),
    "poisson": lambda tail, data, **fit: tm.Poisson.from_formula("yp" + tail, data).fit(disp=False, **fit),
    "exponential": lambda tail, data, **fit: tm.ExponentialSurvival.from_formula("Surv(t, d)" + tail, data).fit(**fit),
    "logit": lambda tail, data, **fit: tm.Logit.from_formula("yb" + tail, data).fit(disp=False, **fit),
    "gamma": lambda tail, data, **fit: tm.GLM.from_formula("yg" + tail, data, family=GAMMA).fit(**fit),
    "negbin": lambda tail, data, **fit: tm.NegativeBinomial.from_formula("c" + tail, data).fit(disp=False, **fit),
    "normal": lambda tail, data, **fit: tm.Normal.from_formula("yn" + tail, data).fit(**fit),
    "mvnormal": lambda tail, data, **fit: tm.MVNormal.from_formula("yn + yg" + tail, data).fit(**fit),
}
# of the kinds of covariance that need to be told something
OPTIONS = {
    "cluster": {"groups": "g"}, "cluster-jk": {"groups": "g"}, "cluster-crv3": {"groups": "g"}, "hac": {"maxlags": 2},
    "hac-panel": {"maxlags": 2, "groups": np.arange(60) // 10}, "hac-groupsum": {"maxlags": 1, "time": np.arange(60) // 6},
    "survey": {"psu": "g"}, "bootstrap": {"reps": 30, "seed": 1},
}  # fmt: skip
each_model = pytest.mark.parametrize("model", MODELS)
each_regression = pytest.mark.parametrize("model", [name for name in MODELS if name != "mvnormal"])


# -- B: numerical trouble ------------------------------------------------------------------------------------------------


def test_b1_quasi_separation_names_the_column(df):
    """A level without events: the maximum lies at minus infinity."""
    data = df.assign(yp=df["yp"].where(df["f"] != "mid", 0), d=df["d"].where(df["f"] != "mid", 0))
    for model in ("poisson", "exponential"):
        with pytest.warns(ConvergenceWarning, match=r"no finite maximum.*C\(f\)\[T\.mid\]") as caught:
            res = MODELS[model](" ~ x + C(f)", data)
        assert not res.converged and len(caught) == 1
        assert "no finite maximum" in str(res.summary())
    bernoulli = tm.distribution_model(torch.distributions.Bernoulli)
    complete = df.assign(y=(df["x"] > 0).astype(float))
    quasi = complete.assign(y=np.where(df["f"] == "low", 1.0, df["yb"]))
    for data, formula, column in ((complete, "y ~ x + z", "x"), (quasi, "y ~ z + C(f)", r"C\(f\)")):
        with pytest.warns(ConvergenceWarning, match=rf"no finite maximum.*({column})"):
            assert not bernoulli.from_formula(formula, data).fit().converged


def test_b1_a_saturated_model_is_no_separation():
    res = fit("edge_glm_poisson_saturated_haireye")
    assert res.converged
    close(means(res), res.model.endog)
    close(res.resid_pearson, np.zeros(32), atol=1e-9)


@each_model
def test_b2_collinear_columns(df, model):
    data = df.assign(twice=2 * df["x"] - 1, zero=0.0, ones=1.0)
    reduced = MODELS[model](" ~ x + z", data)
    with pytest.warns(RankWarning) as caught:
        full = MODELS[model](" ~ x + twice + zero + z + ones", data)
    for column in ("twice", "zero", "ones"):
        assert any(column in str(warning.message) for warning in caught)
        assert any(column in name for name in full.dropped_columns)
    assert np.isnan(full.params[full.dropped_columns]).all()
    assert full.names[:4] != reduced.names[:4] and set(reduced.names) < set(full.names)
    close(full.params[reduced.names], reduced.params, 1e-7)
    close(full.bse[reduced.names], reduced.bse, 1e-7)
    close(full.predict(data), reduced.predict(data), 1e-8)
    close([full.llf, full.df_resid], [reduced.llf, reduced.df_resid])
    assert "linear combinations" in str(full.summary())


@each_model
@pytest.mark.parametrize(("a", "b"), [(1e8, 1.0), (-1e6, 1e-6), (0.0, 1e6), (0.0, 1e-6), (1.7e9, 86400.0)])
def test_b3_location_and_scale_of_a_column(df, model, a, b):
    """Values are rounded to the digits that a + b x leaves, so the moved column is taken as it is and moved back."""
    data = df.assign(m=a + b * df["x"])
    exact = ((data["m"].map(np.longdouble) - np.longdouble(a)) / np.longdouble(b)).astype(float)
    plain, moved = MODELS[model](" ~ x", data.assign(x=exact)), MODELS[model](" ~ m", data)
    assert moved.converged
    close(moved.llf, plain.llf, 1e-10)
    slopes = {"m": "x", "yn[m]": "yn[x]", "yg[m]": "yg[x]"}
    found = [(ours, theirs) for ours, theirs in slopes.items() if ours in moved.names]
    assert found
    for ours, theirs in found:
        close(moved.params[ours] * b, plain.params[theirs], 1e-6, 1e-8)
        close(moved.bse[ours] * b, plain.bse[theirs], 1e-6)
    close(moved.predict(data), plain.predict(data.assign(x=exact)), 1e-7)


@each_model
def test_b4_the_verdict(df, model):
    res = MODELS[model](" ~ x + z", df)
    assert res.converged is True and np.isfinite(res.llf) and np.isfinite(res.params).all()
    assert res.optim.decrement < 1e-8
    assert np.linalg.eigvalsh(res.optim.hessian.numpy()).max() < 0
    assert isinstance(MODELS[model](" ~ x", df).converged, bool)


@pytest.mark.filterwarnings("ignore", category=HessianInversionWarning)
@pytest.mark.parametrize("model", ["poisson", "exponential", "logit", "gamma", "negbin", "normal"])
def test_b4_a_search_that_is_stopped_says_why(df, model):
    """With the reason in the warning and in the table, whatever was asked of the standard errors."""
    start = {"normal": [3.0, 1.0, 1.0, 4.0], "negbin": [1.0, 1.0, 1.0, 2.0]}.get(model, [1.0, 1.0, 1.0])
    for limit, method in ((1, "newton"), (1, "bfgs"), (0, "newton")):
        with pytest.warns(ConvergenceWarning, match="iteration limit"):
            res = MODELS[model](" ~ x + z", df, start_params=start, maxiter=limit, method=method, cov_type="HC0")
        assert res.converged is False and "iteration limit" in " ".join(str(res.summary()).split())
        assert res.mle_retvals["converged"] is False


@pytest.mark.parametrize("model", ["poisson", "exponential", "normal"])
def test_b5_the_likelihood_never_falls(df, model):
    for scale in (1.0, 30.0):
        res = MODELS[model](" ~ x + z", df.assign(x=df["x"] * scale), start_params=None)
        values = [step.value for step in res.optim.history]
        assert values == sorted(values) or np.diff(values).min() > -1e-9 * abs(values[-1])
    far = {"poisson": [4.0, 3.0, -3.0], "exponential": [5.0, -4.0, 3.0], "normal": [50.0, 20.0, -20.0, 0.01]}[model]
    res = MODELS[model](" ~ x + z", df, start_params=far)
    assert res.converged
    assert np.diff([step.value for step in res.optim.history]).min() >= 0
    close(res.params, MODELS[model](" ~ x + z", df).params, 1e-6)


def test_b9_how_the_optimisation_went(df):
    res = MODELS["poisson"](" ~ x + z", df)
    assert res.optim.method == "newton" and res.optim.status.name == "CONVERGED"
    assert res.optim.evaluations >= res.optim.iterations >= 1
    assert len(res.optim.history) >= 2 and res.optim.history[-1].value == pytest.approx(res.llf)
    assert res.optim.history[-1].decrement < res.optim.history[0].decrement
    for method in ("newton", "bfgs", "l-bfgs", "cg", "trust-exact", "nm", "adam"):
        far = MODELS["poisson"](" ~ x + z", df, method=method, start_params=[1.0, 1.0, 1.0])
        how = far.optim
        assert how.history[0].value == pytest.approx(far.model.loglike([1.0, 1.0, 1.0]))
        assert len(how.history) == how.iterations + 1 > 5 and np.isfinite([step.value for step in how.history]).all()
        assert how.method == method and how.status.name == "CONVERGED" and how.message
        assert how.value == pytest.approx(res.llf) and how.evaluations >= how.iterations >= 1
        assert len(how.history) >= 2 and how.history[-1].value >= how.history[0].value
        assert how.history[-1].decrement < how.history[0].decrement and how.history[-1].decrement < 1e-8
        assert float(how.gradient.norm()) < 1e-3


@pytest.mark.parametrize("cov_type", KINDS)
def test_b10_a_fixed_coefficient_is_an_offset(df, cov_type):
    options = {"cov_type": cov_type, "cov_kwds": OPTIONS.get(cov_type), "disp": False}
    fixed = tm.Poisson.from_formula("yp ~ x + z", df).fit(fix={"z": 0.5}, **options)
    offset = tm.Poisson.from_formula("yp ~ x", df, offset=0.5 * df["z"]).fit(**options)
    close(fixed.params[["Intercept", "x"]], offset.params, 1e-8)
    close(fixed.bse[["Intercept", "x"]], offset.bse, 1e-8)
    close([fixed.llf, fixed.aic, fixed.bic, fixed.df_resid], [offset.llf, offset.aic, offset.bic, offset.df_resid])
    assert (fixed.params["z"], fixed.bse["z"]) == (0.5, 0.0)
    assert "Held fixed: z" in str(fixed.summary())


@pytest.mark.parametrize("cov_type", KINDS)
@pytest.mark.parametrize("model", ["gamma", "logit", "ols"])
def test_b10_equal_coefficients_are_one_column(df, model, cov_type):
    """A restricted fit is the reparametrised one, whatever the standard errors; more than one equation too."""
    fitting = {"cov_type": cov_type, "cov_kwds": OPTIONS.get(cov_type)}
    data = df.assign(both=df["x"] + df["z"], less=df["x"] - 2 * df["z"])
    one, two = (
        MODELS[model](" ~ both", data, **fitting),
        MODELS[model](" ~ x + z", data, constraints="x = z", **fitting),
    )
    kept, same = ["Intercept", "x", "z"], ["Intercept", "both", "both"]
    close(two.params[kept], one.params[same], 1e-8)
    close(two.bse[kept], one.bse[same], 1e-7)
    close([two.llf, two.aic, two.df_resid, two.scale], [one.llf, one.aic, one.df_resid, one.scale])
    close(two.pvalues[kept], one.pvalues[same], 1e-6, 1e-12)
    other = MODELS[model](" ~ x + z", data, constraints="z = -2 * x", **fitting)
    slope = MODELS[model](" ~ less", data, **fitting)
    close([other.params["x"], other.bse["x"]], [slope.params["less"], slope.bse["less"]], 1e-7, 1e-10)
    close(other.bse["z"], 2 * slope.bse["less"], 1e-7)


# -- C: inference ----------------------------------------------------------------------------------------------------------


def test_c1_what_is_not_defined_is_refused(df):
    res = tm.Normal.from_formula("yn ~ x", df).fit()
    with pytest.raises(ValueError, match="cov_type not recognized: 'HC4'"):
        res.with_covariance("HC4")


def test_c2_the_factor_is_said(df):
    for convention, words in (("statsmodels", "factor of statsmodels"), ("none", "no small-sample factor")):
        res = MODELS["ols"](" ~ x", df, cov_type="cluster", cov_kwds={"groups": "g", "convention": convention})
        text = str(res.summary())
        assert words in text.replace("\n", " ") and "8 clusters" in text.replace("\n", " ")


@pytest.mark.parametrize(
    "groups",
    [
        "g", ["g"], lambda df: df["g"], lambda df: df["g"].to_numpy(), lambda df: df["g"].to_numpy()[:, None], lambda df: df[["g"]],
        lambda df: df["g"].astype(str), lambda df: df["g"].astype("category"), lambda df: df["g"].sample(frac=1, random_state=0),
        lambda df: list(df["g"].map("firm {}".format)),
    ],
)  # fmt: skip
def test_c3_cluster_keys_as_people_have_them(df, groups):
    given = groups(df) if callable(groups) else groups
    by_name = MODELS["poisson"](" ~ x", df, cov_type="cluster", cov_kwds={"groups": "g"})
    close(MODELS["poisson"](" ~ x", df, cov_type="cluster", cov_kwds={"groups": given}).bse, by_name.bse, 1e-12)


TWO, THREE = ["g", "w"], ["g", "f", "w"]


@pytest.mark.parametrize("names", [TWO, THREE])
@pytest.mark.parametrize("model", ["ols", "poisson", "logit"])
def test_c3_several_ways_as_people_have_them(df, model, names):
    """Names, Series in any order, arrays, strings, categories and the columns of a frame or matrix."""
    columns = [df[name] for name in names]
    ways = [
        columns, tuple(columns), [column.to_numpy() for column in columns], [column.to_numpy()[:, None] for column in columns],
        [column.astype(str) for column in columns], [column.astype("category") for column in columns], df[names],
        [column.sample(frac=1, random_state=0) for column in columns],
        np.column_stack([pd.factorize(column)[0] for column in columns]), [*names[:-1], df[names[-1]].map("level {}".format)],
    ]  # fmt: skip
    by_name = MODELS[model](" ~ x", df, cov_type="cluster", cov_kwds={"groups": names})
    for groups in ways:
        res = MODELS[model](" ~ x", df, cov_type="cluster", cov_kwds={"groups": groups})
        close(res.cov_params(), by_name.cov_params(), 1e-11, 1e-15)
        assert res.df_inference == by_name.df_inference == min(column.nunique() for column in columns) - 1


@pytest.mark.parametrize("tail", [" ~ x", " ~ x + z"])
@pytest.mark.parametrize("names", [TWO, THREE])
@pytest.mark.parametrize("convention", ["statsmodels", "none"])
def test_c3_several_ways_add_up(df, names, convention, tail):
    """Sums over each grouping, less those over pairs of them, plus those over all three; never negative, with a note."""
    res = MODELS["ols"](tail, df, cov_type="cluster", cov_kwds={"groups": names, "convention": convention})
    x = res.model.exog
    bread, scores, n, k = np.linalg.inv(x.T @ x), x * res.resid.to_numpy()[:, None], *x.shape
    total = np.zeros((k, k))
    for size in range(1, len(names) + 1):
        for chosen in itertools.combinations(names, size):
            sums = pd.DataFrame(scores).groupby([df[name].to_numpy() for name in chosen]).sum().to_numpy()
            factor = 1 if convention == "none" else len(sums) / (len(sums) - 1) * (n - 1) / (n - k)
            total += (-1) ** (size + 1) * factor * bread @ sums.T @ sums @ bread
    values, vectors = np.linalg.eigh(total)
    close(res.cov_params(), (vectors * values.clip(0)) @ vectors.T, 1e-9, 1e-15)
    assert (np.linalg.eigvalsh(res.cov_params()) >= -1e-15).all()
    said = "negative eigenvalues of the multi-way matrix set to zero" in " ".join(str(res.summary()).split())
    assert said == (values.min() < -1e-9)
    assert said or names == TWO


def test_c5_information_criteria_count_what_is_estimated(df):
    linear, normal = MODELS["ols"](" ~ x + z", df), MODELS["normal"](" ~ x + z", df)
    close([normal.aic, normal.bic, normal.llf], [linear.aic + 2, linear.bic + np.log(60), linear.llf])
    known = tm.Normal.from_formula("yn ~ x + z", df, sigma=1.0).fit()
    assert known.k_free == 3
    close(known.aic, -2 * known.llf + 6)


@each_regression
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1"])
def test_c6_intervals_are_made_with_the_covariance_asked_for(df, model, cov_type):
    res = MODELS[model](" ~ x + z", df, cov_type=cov_type)
    x = np.column_stack([np.ones(60), df["x"], df["z"]])
    se = np.sqrt(np.einsum("ij,jk,ik->i", x, res.covariance_array[:3, :3], x))
    close(res.get_prediction(df, which="linear").se, se, 1e-8)


@pytest.mark.parametrize(("model", "top"), [("poisson", np.inf), ("logit", 1), ("gamma", np.inf), ("negbin", np.inf),
                                            ("exponential", np.inf)])  # fmt: skip
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1"])
def test_c6_limits_stay_in_the_support(df, model, top, cov_type):
    """Far from the data and at a level next to one, where symmetric limits about the mean would be negative."""
    res = MODELS[model](" ~ x + z", df, cov_type=cov_type)
    new = df[:6].assign(x=[-8.0, -3.0, -0.1, 0.1, 3.0, 8.0])
    for level in (0.9, 0.999999):
        found = res.predict(new, interval="mean", level=level)
        assert ((found["lower"] >= 0) & (found["lower"] < found["predicted"])).all()
        assert ((found["upper"] <= top) & (found["upper"] > found["predicted"])).all()
        linear = res.predict(new, interval="mean", level=level, which="linear")
        reach = stats.norm.ppf((1 + level) / 2) * res.get_prediction(new, which="linear").se
        close(linear["upper"] - linear["predicted"], reach, 1e-9)
        link = {"logit": lambda mean: np.log(mean / (1 - mean)), "exponential": lambda mean: -np.log(mean)}.get(
            model, np.log
        )
        ends = np.sort(np.column_stack([link(found["lower"]), link(found["upper"])]), axis=1)
        close(ends, linear[["lower", "upper"]], 1e-5)
        outer = res.predict(new, interval="obs", level=level)
        assert (
            (outer["lower"] >= 0).all() and (outer["upper"] <= top).all() and (outer["lower"] <= outer["upper"]).all()
        )
        assert model in ("gamma", "exponential") or (outer[["lower", "upper"]] % 1 == 0).all(axis=None)


def test_c12_the_global_test_uses_the_covariance(df):
    res = MODELS["ols"](" ~ x + z", df, cov_type="cluster", cov_kwds={"groups": "g"})
    close(res.fvalue, res.f_test("x = 0, z = 0").statistic)
    close(res.f_pvalue, res.f_test("x = 0, z = 0").pvalue)
    theirs = smf.ols("yn ~ x + z", df).fit(cov_type="cluster", cov_kwds={"groups": df["g"]})
    close([res.fvalue, res.f_pvalue], [theirs.fvalue, theirs.f_pvalue], 1e-9)
    with pytest.raises(ValueError, match="robust"):
        res.lr_test(MODELS["ols"](" ~ x", df))


# -- D: formulas and data ------------------------------------------------------------------------------------------------


def test_d1_offsets_at_prediction_time(df):
    named = tm.Poisson.from_formula("yp ~ x", df, offset="off").fit(disp=False)
    close(named.predict(df), means(named), 1e-13)
    with pytest.raises(FormulaError, match="'off'"):
        named.predict(df[["x"]])
    for formula in ("yp ~ x + offset(off)", "yp ~ offset( off ) + x"):
        inside = tm.Poisson.from_formula(formula, df).fit(disp=False)
        close(inside.params, named.params, 1e-13)
        close(inside.predict(df), means(inside), 1e-13)
        with pytest.raises(FormulaError, match="'off'"):
            inside.predict(df[["x"]])
    matrix = named.model.exog[:5]  # of a design that the caller has made
    for offset in (0, 0.0, df["off"][:5], df["off"][:5].to_numpy()):
        found = named.predict(matrix, transform=False, offset=offset)
        close(found, np.exp(matrix @ np.asarray(named.params) + np.asarray(offset)), 1e-13)
    with pytest.raises(FormulaError, match="was fitted with offset='off'; pass offset= for the new rows"):
        named.predict(matrix, transform=False)
    with pytest.raises(FormulaError, match="given twice"):
        tm.Poisson.from_formula("yp ~ x + offset(off)", df, offset="off")
    with pytest.raises(FormulaError, match="2 offsets"):
        tm.Poisson.from_formula("yp ~ x + offset(off) + offset(x)", df)


EXPOSED = pd.DataFrame(
    {"x": [0.3, -1.2, 0.8, 1.5, -0.4, 0.1, -0.9, 1.1, 0.6, -0.2], "t": [1.5, 2, 0.7, 3.1, 1.2, 2.4, 0.9, 1.8, 2.2, 1.1],
     "y": [2, 1, 3, 9, 0, 2, 1, 4, 3, 2]}
)  # fmt: skip
LATER = pd.DataFrame({"x": [0.0, 1.0], "t": [2.0, 5.0]}, index=["a", "b"])


@pytest.mark.parametrize(
    "formula", ["y ~ x + offset(log(t))", "y ~ offset(np.log(t)) + x", "y ~ x + offset( np.log( t**1 ) )"]
)
def test_d1_expressions_in_offsets(formula, tmp_path):
    """R 4.2: glm(y ~ x + offset(log(t)), poisson), predict(f, new, se.fit = TRUE)."""
    for build in (tm.Poisson.from_formula, lambda f, d: tm.GLM.from_formula(f, d, family=tm.families.Poisson())):
        res = build(formula, EXPOSED).fit(disp=False)
        close(res.params, [0.10631458041576038, 0.66423676410244947], 1e-9)
        close(res.bse, [0.27360091714935125, 0.25739304076578662], 1e-7)
        close(res.llf, -15.052530503909967, 1e-12)
        for same in (res, pickle.loads(pickle.dumps(res)), saved(res, tmp_path)):  # noqa: S301
            close(same.predict(LATER), [2.2243433778277502, 10.8047867869680196], 1e-9)
            linear = same.get_prediction(LATER, which="linear")
            close(linear.predicted, [0.79946176097570565, 2.37998925695231023], 1e-9)
            close(linear.se, [0.27360091714935125, 0.20247407084886118], 1e-7)
            close(
                same.predict(LATER[["x"]], offset=0), np.exp(same.params["Intercept"] + same.params["x"] * LATER["x"])
            )
            with pytest.raises(FormulaError, match="'t'"):
                same.predict(LATER[["x"]])
        close(res.predict(EXPOSED), means(res), 1e-13)
        assert list(res.params.index) == ["Intercept", "x"] and "t" not in set(res.margins().frame()["term"])


def saved(res, folder):
    res.save(folder / "fit.tm")
    return tm.load(folder / "fit.tm")


def test_d1_an_offset_alone():
    """R 4.2: glm(y ~ offset(log(t^2 + 1)), poisson)."""
    res = tm.Poisson.from_formula("y ~ offset(log(t**2 + 1))", EXPOSED).fit(disp=False)
    close(res.params, [-0.48036641628128213], 1e-9)
    close(np.log(res.predict(LATER)), [1.1290714961528181, 2.7777301217402002], 1e-9)
    without = tm.Poisson.from_formula("y ~ x + offset(log(t)) - 1", EXPOSED).fit(disp=False)
    assert list(without.params.index) == ["x"]


def test_d1_missing_values_in_an_expression():
    """Rows whose offset cannot be made are left out, and predicted as missing."""
    data = EXPOSED.assign(t=EXPOSED["t"].where(EXPOSED.index != 4), x=EXPOSED["x"].where(EXPOSED.index != 7))
    with np.errstate(invalid="ignore"):
        negative = tm.Poisson.from_formula(
            "y ~ x + offset(log(t))", EXPOSED.assign(t=EXPOSED["t"].where(EXPOSED.index != 4, -1))
        )
    res = tm.Poisson.from_formula("y ~ x + offset(log(t))", data).fit(disp=False)
    kept = tm.Poisson.from_formula("y ~ x + offset(log(t))", EXPOSED.drop([4, 7])).fit(disp=False)
    close(res.params, kept.params, 1e-12)
    assert res.nobs == 8 and res.model.dropped_rows == 2 and negative.dropped_rows == 1
    found = res.predict(data)
    assert list(found.index[found.isna()]) == [4, 7]
    with pytest.raises(MissingDataError):
        tm.Poisson.from_formula("y ~ x + offset(log(t))", data, missing="raise")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ x + offset(log(s))", "'s'"),
        ("y ~ x + offset(log(t)", "not closed"),
        ("y ~ x + offset(log t)", r"cannot read offset\(log t\)"),
        ("y ~ x * offset(log(t))", "must be a term of its own"),
        ("y ~ offset(log(t)):x", "must be a term of its own"),
        ("y ~ x + offset(log(t)) + offset(x)", r"2 offsets.*offset\(log\(t\) \+ x\)"),
        ("y ~ x + offset(C(t))", r"one number for each row; it has categories"),
        ("y ~ x + offset(bs(t, 4))", r"one number for each row; it has 4 columns"),
        ("y ~ x + offset(log(t - t))", "infinite"),
    ],
)
def test_d1_offsets_that_cannot_be_read(formula, words):
    with np.errstate(divide="ignore"), pytest.raises(FormulaError, match=words):
        tm.Poisson.from_formula(formula, EXPOSED)


@pytest.mark.parametrize("model", ["poisson", "glm", "survival"])
@pytest.mark.parametrize("given", [pd.Series, np.asarray])
def test_d1_offsets_without_a_name(df, model, given):
    """Known for the rows of the frame that was fitted, whatever their order; never taken from rows that only look alike."""
    holes = df.assign(x=df["x"].where(df.index != 3), yp=df["yp"].where(df.index != 5), t=df["t"].where(df.index != 5))
    made = {
        "poisson": (tm.Poisson, "yp ~ x", {"exposure": given(df["w"])}),
        "glm": (tm.GLM, "yp ~ x", {"family": tm.families.Poisson(), "exposure": given(df["w"])}),
        "survival": (tm.ExponentialSurvival, "Surv(t, d) ~ x", {}),
    }[model]
    named = made[0].from_formula(made[1], holes, offset="off", **made[2]).fit(disp=False)
    res = made[0].from_formula(made[1], holes, offset=given(df["off"]), **made[2]).fit(disp=False)
    fitted = means(named)
    found = res.predict(holes)
    close(found.drop([3, 5]), fitted, 1e-13)
    assert found[[3, 5]].isna().all()
    for rows in (
        holes.copy(),
        holes[::-1],
        holes[10:25],
        holes.sample(frac=1, random_state=0)[list(holes.columns[::-1])],
    ):
        close(res.predict(rows), found[rows.index], 1e-13)
        close(res.get_prediction(rows).predicted, found[rows.index], 1e-13)
    others = (
        holes[["x"]],
        holes.assign(x=0.0),
        holes.rename(lambda label: label + 100),
        pd.DataFrame({"x": [0.0, 1.0]}),
    )
    for rows in others:
        with pytest.warns(SpecificationWarning, match="does not carry over"):
            res.predict(rows)
    close(
        res.predict(holes, offset=0)[6:], found[6:] / np.exp(df["off"][6:] * (-1 if model == "survival" else 1)), 1e-12
    )


def test_d1_offsets_without_a_name_follow_the_rows():
    """Repeated labels go by position, and only in the very frame; a frame whose rows were moved is another one."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"y": rng.poisson(2.0, 30), "x": rng.normal(size=30)}, index=np.arange(30) // 2)
    off = rng.normal(size=30)
    res = tm.Poisson.from_formula("y ~ x", frame, offset=off).fit(disp=False)
    close(res.predict(frame), means(res), 1e-13)
    with pytest.warns(SpecificationWarning):
        res.predict(frame.copy())
    moved = frame.sort_index(ascending=False)
    frame.index, frame[:] = moved.index, moved.to_numpy()  # the same object, its rows in another order
    with pytest.warns(SpecificationWarning):
        res.predict(frame)
    res.remove_data()
    with pytest.warns(SpecificationWarning):
        res.predict(frame)


def test_d2_levels(df):
    data = df.assign(f=pd.Categorical(df["f"], ["low", "never", "mid", "high"]))
    res = MODELS["poisson"](" ~ f", data)
    assert res.names == ["Intercept", "f[T.mid]", "f[T.high]"] and not res.dropped_columns
    with pytest.raises(FormulaError, match="never"):
        res.predict(pd.DataFrame({"f": ["never"]}))
    floors = MODELS["ols"](" ~ C(np.floor(x))", df)
    with pytest.raises(FormulaError, match="99"):
        floors.predict(pd.DataFrame({"x": [99.5]}))
    crossed = MODELS["poisson"](" ~ f * x", data)
    new = df.iloc[:4].assign(f=["low", "absent", "mid", "absent"])
    for fitted, rows, gone in ((res, new, [1, 3]), (crossed, new, [1, 3]),
                            (floors, df.iloc[:3].assign(x=[*df["x"][:2], 99.5]), [2])):  # fmt: skip
        name = "np.floor" if fitted is floors else "'f'"
        level, lost = ("99", "(row 2)") if fitted is floors else ("'absent'", "(2 rows: 1, 3)")
        with pytest.raises(FormulaError, match="has level") as caught:
            fitted.predict(rows)
        assert name in str(caught.value) and level in str(caught.value) and lost in str(caught.value)
        found = fitted.predict(rows, unseen="nan").isna()
        assert list(np.flatnonzero(found)) == gone


@pytest.mark.parametrize("model", ["ols", "poisson", "logit"])
def test_d2_an_empty_cell_is_named(df, model):
    """Two factors that never meet in one of their cells: its column is all zeros and is left out by name."""
    data = df.assign(a=np.where(df["x"] > 0, "up", "down"), b=np.where(df["z"] > 0, "right", "left"))
    data = data[(data["a"] == "down") | (data["b"] == "left")]
    with pytest.warns(RankWarning, match=r"a\[T.up\]:b\[T.right\]"):
        crossed = MODELS[model](" ~ a * b", data)
    plain = MODELS[model](" ~ a + b", data)
    assert crossed.dropped_columns == ["a[T.up]:b[T.right]"]
    close(crossed.params[plain.names], plain.params, 1e-8, 1e-12)
    close(crossed.bse[plain.names], plain.bse, 1e-8)
    close(crossed.predict(data), plain.predict(data), 1e-8)


@pytest.mark.parametrize("column", ["yp", "x", "z", "off", "w", "g"])
def test_d3_a_missing_value_leaves_every_array(df, column):
    holes = df.assign(**{column: df[column].astype(float).where(~df.index.isin([4, 17]))})

    def fit(data):
        model = tm.Poisson.from_formula("yp ~ x + z", data, offset="off", freq_weights="w")
        return model.fit(disp=False, cov_type="cluster", cov_kwds={"groups": "g"})

    ours, theirs = fit(holes), fit(df.drop([4, 17]))
    close(ours.params, theirs.params)
    close(ours.bse, theirs.bse)
    assert (ours.nobs, ours.model.dropped_rows) == (theirs.nobs, 2)
    assert "2 rows with missing values were left out" in str(ours.summary())
    if column in ("x", "z", "off"):
        assert np.isnan(ours.predict(holes)[[4, 17]]).all() and ours.predict(holes).notna().sum() == 58


def test_d3_missing_survival_times_and_arrays(df):
    holes = df.assign(t=df["t"].where(df.index != 9))
    assert MODELS["exponential"](" ~ x", holes).nobs == 59
    events = MODELS["exponential"](" ~ x", df.assign(d=df["d"].astype(float).where(df.index != 9)))
    close(events.params, MODELS["exponential"](" ~ x", df.drop(9)).params, 1e-12)
    assert (events.nobs, events.model.dropped_rows) == (59, 1)
    with pytest.raises(MissingDataError, match="exog"):
        tm.Poisson(df["yp"], holes[["t"]])
    with pytest.raises(MissingDataError, match="1 incomplete rows .row 9."):
        tm.Poisson.from_formula("yp ~ t", holes, missing="raise")


def test_d4_series_are_aligned_and_arrays_are_positional(df):
    straight = tm.Poisson.from_formula("yp ~ x", df, offset=df["off"]).fit(disp=False)
    shuffled = tm.Poisson.from_formula("yp ~ x", df, offset=df["off"].sample(frac=1, random_state=2)).fit(disp=False)
    close(shuffled.params, straight.params, 1e-13)
    with pytest.raises((ValueError, FormulaError), match="offset"):
        tm.Poisson.from_formula("yp ~ x", df, offset=df["off"].rename(lambda label: label + 1))
    weights = df["w"].sample(frac=1, random_state=2)
    close(tm.WLS.from_formula("yn ~ x", df, weights=weights).fit().params, MODELS["wls"](" ~ x", df).params, 1e-12)
    with pytest.raises(ValueError, match="not aligned"):
        tm.OLS(df["yn"], df[["x"]][::-1])


NUMBERS = ["float32", "Float32", "Float64", "int8", "uint16", "int64", "Int8", "Int64", "UInt32", "bool", "boolean",
           "double[pyarrow]", "int64[pyarrow]", "bool[pyarrow]"]  # fmt: skip
LABELS = ["category", "string", "string[python]", "string[pyarrow]", "object"]


@pytest.mark.parametrize("dtype", [*NUMBERS, *LABELS])
def test_d5_modern_types(df, dtype):
    """As a regressor, with and without missing values, and a number also as a response and as a weight."""
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    if dtype in LABELS:
        plain = df["f"].astype(object)
        column, missing = df["f"].astype(dtype), None if dtype in ("category", "object") else pd.NA
    else:
        plain = (df["g"] % 2 if "bool" in dtype else df["g"]).astype(float)
        column, missing = plain.astype("int64").astype(dtype), pd.NA
    holes = [4, 17]
    gaps = column.astype(dtype if column.dtype.kind not in "biuf" or dtype[0].isupper() else "float64").copy()
    if not isinstance(column.dtype, np.dtype) or dtype in ("object", "float32"):
        gaps = column.copy()
        gaps[holes] = missing if not isinstance(column.dtype, np.dtype) else np.nan
    for values, frame in ((column, df), (gaps, df.drop(holes) if gaps.isna().any() else df)):
        ours, theirs = MODELS["ols"](" ~ x + v", df.assign(v=values)), MODELS["ols"](" ~ x + v", frame.assign(v=plain))
        order = ["Intercept", "v", "x"] if len(ours.names) == 3 else ours.names
        named = ours.params.rename({"v[T.True]": "v"})  # a boolean is a factor, and factors come first
        close(named[order], theirs.params[order], 1e-12)
        assert ours.nobs == theirs.nobs == len(frame)
        close(ours.predict(frame.assign(v=values)), theirs.predict(frame.assign(v=plain)), 1e-12)
    if dtype in NUMBERS:
        as_response, plain_response = (
            tm.Poisson.from_formula("v ~ x", df.assign(v=values, u=np.maximum(df["g"], 1)), freq_weights="u").fit(
                disp=False
            )
            for values in (column if "bool" not in dtype else column.astype("int64"), plain)
        )
        close(as_response.params, plain_response.params, 1e-12)
        weighted = [tm.WLS.from_formula("yn ~ x", df.assign(v=values), weights="v").fit() for values in (column, plain)]
        close(weighted[0].bse, weighted[1].bse, 1e-12)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_d5_modern_types_in_expressions_and_as_responses(df, dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    boolean = "bool" in dtype
    plain = (df["g"] % 2 if boolean else df["g"]).astype(float)
    given = plain.astype("int64").astype(dtype)
    numbers = (" ~ np.sqrt(v) + I(v ** 3)", " ~ x * v", " ~ C(v)", " ~ bs(v, df=4)")
    for tail in (" ~ x + I(v * 1.0)",) if boolean else numbers:
        ours, theirs = (MODELS["ols"](tail, df.assign(v=values)) for values in (given, plain))
        close(ours.params, theirs.params, 1e-10)
        close(ours.predict(df.assign(v=given)), means(theirs), 1e-10)
    if boolean:  # an event, and no two columns
        for made in (MODELS["logit"], lambda tail, data: tm.GLM.from_formula("yb" + tail, data, family=BINOMIAL).fit()):
            ours, theirs = (made(" ~ x", df.assign(yb=values)) for values in (given, plain))
            close(ours.params, theirs.params, 1e-10)
            assert "Event: yb = True" in str(ours.summary())


def test_d8_transforms_remember(df):
    formula = " ~ center(x) + standardize(z) + bs(off, df=4) + np.exp(w)"
    res = MODELS["ols"](formula, df)
    part = df[10:25]
    close(res.predict(part), means(res)[10:25], 1e-10)
    holes = MODELS["ols"](" ~ standardize(x)", df.assign(x=df["x"].where(df.index != 0)))
    column = holes.model.exog[:, 1]
    assert holes.nobs == 59 and abs(column.mean()) < 1e-14 and column.std() == pytest.approx(1, rel=1e-13)
    found = holes.predict(df.assign(x=df["x"].where(df.index != 0)))
    assert np.isnan(found[0])
    close(found[1:], means(holes), 1e-12)
    for rows in (df[10:25], df[:1], df[::-1][3:7]):
        for term in (
            "center(x)",
            "standardize(x)",
            "scale(x)",
            "bs(x, df=5)",
            "cr(x, df=4, constraints='center')",
            "poly(x, 2)",
        ):
            for model in ("ols", "poisson"):
                fitted = MODELS[model](f" ~ {term} + z", df)
                close(fitted.predict(rows), means(fitted).loc[rows.index], 1e-9)


@pytest.mark.parametrize("function", ["np.mean(x)", "np.std(x)", "x.mean()", "x.std()"])
def test_d8_what_is_computed_anew_is_said(df, function):
    with pytest.warns(SpecificationWarning, match=rf"{re.escape(function)} is computed anew"):
        MODELS["ols"](f" ~ I(x - {function})", df)


def test_d8_orthogonal_polynomials(df):
    """R: lm(yn ~ poly(x, 3) + z), and its predictions."""
    res = MODELS["ols"](" ~ poly(x, 3) + z", df)
    order = ["Intercept", "poly(x, 3)[0]", "poly(x, 3)[1]", "poly(x, 3)[2]", "z"]
    close(
        res.params[order],
        [0.8431158739699125, 8.211130146040679, 0.06184308368413174, -0.741640170281036, 0.18629612115866],
    )
    close(
        res.bse[order], [0.2260542295157225, 1.1899039764820756, 1.18232891077094, 1.1928616017626554, 0.15372773484469]
    )
    new = pd.DataFrame({"x": [-3.0, 0.0, 4.0], "z": [0.0, 1.0, 2.0]})
    close(res.predict(new), [-1.4062003748013767, 0.9470132419517094, 1.6580465605198496])
    close(pickle.loads(pickle.dumps(res)).predict(new), res.predict(new))  # noqa: S301
    close(res.predict(df[10:25]), means(res)[10:25], 1e-12)
    with pytest.raises(FormulaError, match="below the 8 different values"):
        MODELS["ols"](" ~ poly(g, 8)", df)


# -- E: likelihoods of one's own -------------------------------------------------------------------------------------------


class Gumbel(tm.RegressionModel):
    """Ten lines: everything else follows."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        z = (data.y - p.mu) / p.sigma
        return -z - torch.exp(-z) - torch.log(p.sigma)


def test_e1_bookkeeping_is_done(df):
    res = Gumbel.from_formula("yn ~ x + C(f)", df, sigma="~ z").fit(cov_type="HC1")
    assert res.converged
    assert res.names == ["Intercept", "C(f)[T.low]", "C(f)[T.mid]", "x", "sigma[Intercept]", "sigma[z]"]
    assert (res.k_free, res.df_resid, res.df_model) == (6, 54, 3)
    close(res.aic, -2 * res.llf + 12)
    assert all(name in str(res.summary()) for name in res.names)
    close(res.predict(df), means(res))
    close(pickle.loads(pickle.dumps(res)).params, res.params)  # noqa: S301
    for kind in KINDS:
        other = res.with_covariance(kind, OPTIONS.get(kind))
        assert np.isfinite(other.bse).all() and (other.bse > 0).all() and other.bse.index.tolist() == res.names
        assert all(name in str(other.summary()) for name in res.names)
    assert Gumbel.from_formula("yn ~ x", df).fit().names == ["Intercept", "x", "sigma"]


class Probit(tm.RegressionModel):
    parameters = {"p": tm.Probit()}

    def loglike_obs(self, p, data):
        return torch.special.log_ndtr((2 * data.y - 1) * p.real.p)


def test_e2_spectors_probit_takes_a_few_newton_steps():
    """The 32 rows of the tutorial: from zeros, to the estimates of a probit model."""
    data = sm.datasets.spector.load_pandas().data
    res = Probit.from_formula("GRADE ~ GPA + TUCE + PSI", data).fit(start_params=np.zeros(4))
    theirs = smf.probit("GRADE ~ GPA + TUCE + PSI", data).fit(disp=0, tol=1e-14, maxiter=200)
    assert res.converged and res.optim.iterations <= 10
    close(res.params, theirs.params, 1e-8)
    close(res.bse, theirs.bse, 1e-8)


def test_e2_the_tutorial_probit_takes_a_few_newton_steps():
    rng = np.random.default_rng(32)  # 32 rows, as the tutorial's
    data = pd.DataFrame({"a": rng.normal(3, 0.5, 32), "b": rng.integers(12, 30, 32), "c": rng.integers(0, 2, 32)})
    data["y"] = (0.5 * data["a"] + 0.05 * data["b"] + data["c"] + rng.normal(size=32) > 3.2).astype(float)
    res, theirs = (
        Probit.from_formula("y ~ a + b + c", data).fit(start_params=np.zeros(4)),
        smf.probit("y ~ a + b + c", data),
    )
    theirs = theirs.fit(disp=0, tol=1e-14)
    assert res.converged and res.optim.iterations <= 10
    close(res.params, theirs.params, 1e-8)
    close(res.bse, theirs.bse, 1e-8)


class StudentT(tm.RegressionModel):
    """A correlation-like parameter in (0, 1) beside a positive one."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log(), "share": tm.Logit()}

    def loglike_obs(self, p, data):
        narrow = torch.distributions.Normal(p.mu, p.sigma).log_prob(data.y) + torch.log(p.share)
        wide = torch.distributions.Normal(p.mu, 3 * p.sigma).log_prob(data.y) + torch.log1p(-p.share)
        return torch.logaddexp(narrow, wide)


def test_e3_natural_values_with_delta_errors_and_intervals_inside_the_domain():
    rng = np.random.default_rng(7)
    x, z, wide = rng.normal(size=400), rng.normal(size=400), rng.random(400) < 0.3
    data = pd.DataFrame({"y": 1 + x + rng.normal(size=400) * np.where(wide, 3.0, 1.0), "x": x, "z": z})
    res, other = (StudentT.from_formula(f, data).fit() for f in ("y ~ x + z", "y ~ z + x"))
    assert res.names == ["Intercept", "x", "z", "sigma", "share"]
    for attribute in ("params", "bse"):
        close(getattr(res, attribute), getattr(other, attribute)[res.names], 1e-6)
    real = res.fit.theta.numpy()
    close(res.params["sigma"], np.exp(real[3]))
    natural = res.cov_params().loc["sigma", "sigma"] / res.params["sigma"] ** 2
    limits = res.conf_int(0.05).loc["sigma"]
    close(np.log(limits), real[3] + np.array([-1, 1]) * 1.959963984540054 * np.sqrt(natural), 1e-9)
    low, high = res.conf_int(1e-10).loc["share"]
    assert 0 < low < res.params["share"] < high < 1
    close(np.sqrt(np.diag(np.linalg.inv(-res.hessian()))), res.bse, 1e-6)


class Thresholds(tm.LikelihoodModel):
    """Ordered categories 0, 1, 2: a latent logistic variable between increasing thresholds."""

    parameters = {"beta": tm.Coefficients(), "cut": tm.Ordered(2)}

    def loglike_obs(self, p, data):
        limits = torch.cat([p.cut.new_tensor([-60.0]), p.cut, p.cut.new_tensor([60.0])])
        at, mu = data.y.long(), data.X @ p.beta
        return torch.log(torch.sigmoid(limits[at + 1] - mu) - torch.sigmoid(limits[at] - mu))


class Correlated(tm.LikelihoodModel):
    """Two standard normal variables and their correlation."""

    parameters = {"rho": tm.Correlation(["a", "b"])}

    def loglike_obs(self, p, data):
        factor = torch.linalg.cholesky(p.rho)
        z = torch.linalg.solve_triangular(factor, data.y.T, upper=False)
        return -0.5 * (z**2).sum(0) - factor.diagonal().log().sum()


def natural_errors(model, at, step=1e-4):
    """Roots of the diagonal of the inverse of minus the Hessian by differences, in the values of the table."""
    moves = np.eye(len(at)) * step
    hessian = [[model.loglike(at + a + b) - model.loglike(at + a - b) - model.loglike(at - a + b) + model.loglike(at - a - b)
                for b in moves] for a in moves]  # fmt: skip
    return np.sqrt(np.diag(np.linalg.inv(-np.array(hessian) / (4 * step**2))))


def test_e3_thresholds_and_correlations_are_natural_with_delta_errors():
    rng = np.random.default_rng(11)
    x, z = rng.normal(size=(2, 500))
    data = pd.DataFrame(
        {"x": x, "z": z, "y": np.digitize(x - z / 2 + rng.logistic(size=500), [-1.0, 0.8]).astype(float)}
    )
    start = [0.0, 0.0, -1.0, 1.0]
    res, other = (
        Thresholds.from_formula(f"y ~ {tail} - 1", data).fit(start_params=start) for tail in ("x + z", "z + x")
    )
    assert res.converged and res.names == ["x", "z", "cut[0]", "cut[1]"] and other.names[:2] == ["z", "x"]
    close(res.params["cut[1]"], res.fit.theta[2] + res.fit.theta[3].exp(), 1e-12)  # a threshold, not a step
    close(res.bse, natural_errors(res.model, res.params.to_numpy()), 1e-4)
    for attribute in ("params", "bse", "pvalues"):
        close(getattr(res, attribute), getattr(other, attribute)[res.names], 1e-6)
    close(
        res.conf_int().loc["cut[1]"],
        res.params["cut[1]"] + np.array([-1, 1]) * 1.959963984540054 * res.bse["cut[1]"],
        1e-9,
    )
    pair = rng.normal(size=(50, 2)) @ np.array([[1.0, 0.95], [0.0, np.sqrt(1 - 0.95**2)]])
    res = Correlated(pair).fit()
    rho = res.params[0]
    close(rho, np.tanh(res.fit.theta.numpy()), 1e-12)
    close(res.bse, natural_errors(res.model, res.params, 1e-5), 1e-4)
    reach = 1.959963984540054 * res.bse[0] / (1 - rho**2)  # on Fisher's scale
    close(res.conf_int()[0], np.tanh(np.arctanh(rho) + np.array([-reach, reach])), 1e-9)
    assert (np.abs(res.conf_int(1e-12)) < 1).all()


@pytest.mark.parametrize("method", ["newton", "bfgs"])
def test_e5_robust_errors_of_a_likelihood_of_rows(df, method):
    """The scores of a loop over the rows by differences make HC0 and clusters; no optimiser's Hessian does."""
    model = Gumbel.from_formula("yn ~ x + z", df)
    res = model.fit(method=method)
    at, step = np.asarray(res.params), 1e-5
    scores, hessian = np.zeros((60, 4)), np.zeros((4, 4))
    for row in range(60):
        one = Gumbel.from_formula("yn ~ x + z", df[row : row + 1])
        scores[row] = [(one.loglike(at + h) - one.loglike(at - h)) / (2 * step) for h in np.eye(4) * step]
    for j, h in enumerate(np.eye(4) * step):
        hessian[j] = (model.score(at + h) - model.score(at - h)) / (2 * step)
    close(res.score_obs(), scores, 1e-6, 1e-7)
    bread = np.linalg.inv(-(hessian + hessian.T) / 2)
    close(res.cov_params(), bread, 1e-6, 1e-9)
    close(res.with_covariance("HC0").cov_params(), bread @ scores.T @ scores @ bread, 1e-5, 1e-9)
    totals = pd.DataFrame(scores).groupby(df["g"].to_numpy()).sum().to_numpy()
    options = {"groups": "g", "convention": "none"}
    close(res.with_covariance("cluster", options).cov_params(), bread @ totals.T @ totals @ bread, 1e-5, 1e-9)


def test_e5_scores_of_rows(df):
    res = Gumbel.from_formula("yn ~ x", df).fit(cov_type="cluster", cov_kwds={"groups": "g", "convention": "none"})
    scores = res.score_obs()
    params = np.asarray(res.params)
    for row in (0, 31):
        one = Gumbel.from_formula("yn ~ x", df[row : row + 1])
        close(scores[row], one.score(params), 1e-9, 1e-12)
    bread = np.linalg.inv(-res.hessian())
    totals = pd.DataFrame(scores).groupby(df["g"].to_numpy()).sum().to_numpy()
    close(res.cov_params(), bread @ totals.T @ totals @ bread, 1e-7, 1e-12)

    class Summed(Gumbel):
        def loglike_obs(self, p, data):
            return super().loglike_obs(p, data).sum()

    with pytest.raises(ValueError, match=r"one value for each of the 60 rows, shape \(60,\), not their sum"):
        Summed.from_formula("yn ~ x", df).fit()
