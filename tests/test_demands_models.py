"""What users of other packages asked for, for generalised linear and discrete models and for what follows a fit."""

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import patsy
import pytest
import torch
from problems import means
from reference import corpus

import torchmle as tm
from torchmle import families as F
from torchmle.errors import (
    BoundaryWarning,
    ConvergenceWarning,
    DomainWarning,
    HessianInversionWarning,
    PerfectSeparationError,
    PerfectSeparationWarning,
    PrecisionWarning,
    RankError,
    RankWarning,
)
from torchmle.optim import Status

GAMMA = F.Gamma(F.links.Log())
CLUSTERS = {"groups": "g"}


def close(ours, theirs, rtol=1e-9, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


@pytest.fixture(scope="module")
def df():
    found = pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})
    rng = np.random.default_rng(5)
    found["c"] = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(0.8 + 0.3 * found["x"])))
    found["f"] = np.where(found["g"] < 3, "low", np.where(found["g"] < 6, "mid", "high"))
    return found


@pytest.fixture(scope="module")
def new():
    return pd.DataFrame({"x": [-1.0, 0.5, 2.0], "z": [0.0, 1.0, -2.0], "off": [0.3, -0.2, 1.0]})


def glm(formula, data, family, fitting=None, **arguments):
    return tm.GLM.from_formula(formula, data, family=family, **arguments).fit(**(fitting or {}))


def poisson(formula, data, fitting=None, **arguments):
    return tm.Poisson.from_formula(formula, data, **arguments).fit(disp=False, **(fitting or {}))


def logit(formula, data, fitting=None, **arguments):
    return tm.Logit.from_formula(formula, data, **arguments).fit(disp=False, **(fitting or {}))


# -- B: numerical trouble ------------------------------------------------------------------------------------------------

SEPARATED = {
    "binomial": (tm.GLM, "b ~ x + C(f)", {"family": F.Binomial()}, r"C\(f\)\[T\.mid\] \(\+inf\)"),
    "poisson": (tm.GLM, "k ~ x + C(f)", {"family": F.Poisson()}, r"C\(f\)\[T\.mid\] \(-inf\)"),
    "logit": (tm.Logit, "b ~ x + C(f)", {}, r"C\(f\)\[T\.mid\] \(\+inf\)"),
    "counts": (tm.Poisson, "k ~ x + C(f)", {}, r"C\(f\)\[T\.mid\] \(-inf\)"),
    "complete": (tm.GLM, "all ~ x + z", {"family": F.Binomial()}, r"x \(\+inf\)"),
    "complete, probit": (tm.Probit, "all ~ x + z", {}, r"x \(\+inf\)"),
}


@pytest.mark.parametrize("name", SEPARATED)
def test_b1_separation_is_said_once(df, name):
    data = df.assign(
        b=np.where(df["f"] == "mid", 1, df["yb"]),
        k=np.where(df["f"] == "mid", 0, df["yp"]),
        all=(df["x"] > 0).astype(int),
    )
    made, formula, arguments, column = SEPARATED[name]
    model = made.from_formula(formula, data, **arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        res = model.fit(disp=False)
        text = str(res.summary())
    assert [warning.category for warning in caught] == [PerfectSeparationWarning]
    with pytest.warns(PerfectSeparationWarning, match=column):
        model.fit(disp=False)
    assert res.converged is False and "no finite maximum" in " ".join(text.split())
    with pytest.raises(PerfectSeparationError, match=column):
        model.fit(disp=False, on_separation="raise")
    with pytest.raises(ValueError, match="on_separation must be 'warn' or 'raise', not 'stop'"):
        model.fit(disp=False, on_separation="stop")
    model.raise_on_perfect_prediction = True
    with pytest.raises(PerfectSeparationError, match=column):
        model.fit(disp=False)


def test_b1_a_saturated_table_is_no_separation(df):
    cells = df.groupby(["f", "g"], as_index=False)["yp"].sum()
    res = glm("yp ~ C(g)", cells, F.Poisson())
    assert res.converged
    close(res.mu, cells["yp"])


@pytest.mark.parametrize("name", ["GLM", "Logit", "MNLogit", "NegativeBinomial"])
def test_b2_collinear_columns(df, name):
    response, family = {"GLM": ("yg", {"family": GAMMA}), "Logit": ("yb", {}), "MNLogit": ("f", {}),
                        "NegativeBinomial": ("c", {})}[name]  # fmt: skip
    data = df.assign(twice=2 * df["x"] - 1)
    model = getattr(tm, name).from_formula(f"{response} ~ x + twice + z", data, **family)
    plain = getattr(tm, name).from_formula(f"{response} ~ x + z", data, **family).fit(disp=False)
    with pytest.warns(RankWarning, match="twice"):
        full = model.fit(disp=False)
    assert full.params.loc["twice":"twice"].isna().all(axis=None) and full.bse.loc["twice":"twice"].isna().all(
        axis=None
    )
    close(full.params.drop("twice"), plain.params, 1e-7, 1e-9)
    close(full.bse.drop("twice"), plain.bse, 1e-7)
    close(full.predict(), plain.predict(), 1e-8)
    close([full.llf, full.df_resid], [plain.llf, plain.df_resid])
    for refusal in ("raise", "error"):
        with pytest.raises(RankError, match="twice"):
            model.fit(disp=False, rank=refusal)


def underdispersed():
    """Counts that vary less than Poisson's."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    return pd.DataFrame({"x": x, "y": rng.binomial(6, 1 / (1 + np.exp(-0.2 * x)))})


@pytest.mark.parametrize("start", [None, [0.0, 0.0, 1.0], [1.0, 0.0, 1e-3], [0.0, 0.0, 50.0]])
@pytest.mark.parametrize("method", ["newton", "bfgs"])
def test_b6_counts_without_overdispersion_are_poissons(start, method):
    """From any start: the boundary is reported, and the other estimates and their errors are Poisson's."""
    data = underdispersed()
    model, base = tm.NegativeBinomial.from_formula("y ~ x", data), poisson("y ~ x", data)
    with pytest.warns(BoundaryWarning, match="alpha is at its lower bound 0"):
        res = model.fit(start_params=start, method=method, disp=False)
    assert res.converged and res.optim.status is Status.BOUNDARY and res.boundary == ["alpha"]
    assert res.params["alpha"] == 0 and np.isnan(res.bse["alpha"])
    assert "alpha is at its lower bound 0" in str(res.summary())
    assert abs(res.llf - base.llf) <= 1e-8 * len(data)
    close(res.params[["Intercept", "x"]], base.params)
    close(res.bse[["Intercept", "x"]], base.bse)
    close([res.llnull, res.llr_pvalue], [base.llnull, base.llr_pvalue], 1e-8)
    slope = res.model.score(np.asarray(res.params))  # none inwards, downhill outwards
    close(slope[:2] * base.bse, [0, 0], atol=1e-6)
    assert slope[2] < 0


def test_b6_alpha_is_searched_on_the_log_scale_from_poissons_means(df):
    model, base = tm.NegativeBinomial.from_formula("c ~ x", df), poisson("c ~ x", df)
    centred = model.start()  # of centred columns
    theta = model.coordinates.theta(centred)
    close(theta[:2], base.params, 1e-7)
    res = model.fit(disp=False)
    assert res.converged and res.params["alpha"] > 0
    close(res.fit.theta[2], np.log(res.params["alpha"]), 1e-12)
    close(model.layout.natural(theta)[2], np.exp(float(theta[2])), 1e-12)


def test_b6_a_dispersed_model_need_not_start_from_its_slopes():
    """R: glm.nb(Days ~ Sex, quine)."""
    quine = corpus.frame("negbin_quine_main")
    res = tm.NegativeBinomial.from_formula("Days ~ Sex", quine).fit(disp=False)
    theta = 1.074116523837109
    close(res.params, [2.722938813595959, 0.1649044979468449, 1 / theta], 1e-6)
    close(res.bse["alpha"], 0.1303131897402231 / theta**2, 2e-2)  # R's is of the expected information
    close(res.llf, -558.6371552119076, 1e-12)


def test_b7_single_and_whole_numbers_are_promoted(df):
    x = np.column_stack([np.ones(60), df["x"]])
    for dtype in (np.float32, np.float64):
        res = tm.Poisson(df["yp"].to_numpy().astype("int32"), x.astype(dtype)).fit(disp=False)
        assert res.model.rows.X.dtype == res.model.rows.y.dtype == torch.float64 and res.params.dtype == np.float64


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an MPS device")
def test_b8_a_device_without_double_precision(df):
    with pytest.warns(PrecisionWarning, match="MPS has no double precision") as caught:
        res = poisson("yp ~ x", df, device="mps")
    assert len(caught) == 1 and res.device.type == "cpu"
    close(res.params, poisson("yp ~ x", df).params, 1e-14)


class Bounded(tm.RegressionModel):
    """A likelihood that is not a number beyond a mean of 3.5."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        found = -torch.log(p.sigma) - 0.5 * ((data.y - p.mu) / p.sigma) ** 2
        return torch.where(p.mu.abs() > 3.5, torch.full_like(found, float("nan")), found)


@pytest.mark.parametrize("method", ["newton", "bfgs", "l-bfgs"])
def test_b9_a_search_steps_back_from_nan(df, method):
    res = Bounded.from_formula("yn ~ x", df).fit(start_params=[3.2, 0.0, 0.1], method=method)
    assert res.converged and res.optim.history[-1].decrement < 1e-6
    close(res.params[:2], tm.OLS.from_formula("yn ~ x", df).fit().params, 1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_b11_the_same_numbers_twice(df, monkeypatch):
    def bse():
        res = poisson("yp ~ x + z", df, {"cov_type": "cluster", "cov_kwds": CLUSTERS}, device="cuda")
        return np.concatenate([res.params, res.bse])

    close(bse(), bse(), 1e-12)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    try:
        torch.use_deterministic_algorithms(True)
        assert (bse() == bse()).all()
    finally:
        torch.use_deterministic_algorithms(before)


# -- C: inference ----------------------------------------------------------------------------------------------------------


def test_c1_glm_has_four_kinds(df):
    """R: sandwich::vcovHC of glm(yp ~ x + z + offset(off), poisson), the constant."""
    res = glm("yp ~ x + z", df, F.Poisson(), offset="off")
    found = [res.with_covariance(kind).bse["Intercept"] for kind in ("HC0", "HC1", "HC2", "HC3")]
    close(found, [0.13583934064009079, 0.13936822285825431, 0.1429830407462250, 0.15109607007102921], 1e-11)


@pytest.mark.parametrize("name", ["NegativeBinomial", "ZeroInflatedPoisson", "MNLogit", "OrderedModel"])
def test_c1_every_model_has_four_kinds(df, name):
    response = {"MNLogit": "f", "OrderedModel": "yp"}.get(name, "c")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        res = getattr(tm, name).from_formula(f"{response} ~ x", df).fit(disp=False)
    found = [np.asarray(res.with_covariance(kind).bse) for kind in ("HC0", "HC1", "HC2", "HC3")]
    known = np.isfinite(found[0])
    assert known.any() and all((np.isfinite(se) == known).all() for se in found)
    for one, other in combinations(found, 2):
        assert (np.abs(one - other) > 1e-6 * one)[known].all()


def test_c2_every_row_a_cluster_is_hc0(df):
    for res in (logit("yb ~ x", df), glm("yg ~ x", df, GAMMA), tm.MNLogit.from_formula("f ~ x", df).fit(disp=False)):
        single = res.with_covariance("cluster", {"groups": np.arange(60), "convention": "none"})
        close(single.bse, res.with_covariance("HC0").bse, 1e-12)
        text = " ".join(str(res.with_covariance("cluster", CLUSTERS).summary()).split())
        assert "8 clusters" in text and "small-sample factor" in text and "normal distribution" in text


@pytest.mark.parametrize("convention", ["statsmodels", "R", "stata", "none"])
@pytest.mark.parametrize("name", ["ols", "logit", "poisson", "gamma"])
def test_c2_the_summary_says_factor_clusters_and_degrees_of_freedom(df, name, convention):
    res, raw = WEIGHTED[name](df), None
    res, raw = (
        res.with_covariance("cluster", {**CLUSTERS, "convention": each}, use_t=True) for each in (convention, "none")
    )
    text = " ".join(str(res.summary()).split())
    assert "8 clusters" in text and "tests by Student's t, 7 degrees of freedom" in text and res.df_inference == 7
    factor = 8 / 7 if convention in ("R", "stata") else 8 / 7 * 59 / 58
    factor = 8 / 7 * 59 / 58 if name == "ols" else factor
    if convention == "none":
        assert "no small-sample factor" in text
        return
    assert f"small-sample factor of {convention}, {factor:.6g}" in text
    if convention != "R" or name != "gamma":  # R's bread is the expected information
        close(res.cov_params(), factor * raw.cov_params(), 1e-9)


def test_c2_petersens_standard_errors():
    """Stata: reg y x, cluster(firmid) and cluster(year), as on Petersen's page (Petersen 2009)."""
    data = corpus.frame("ols_petersen_cluster")
    res = tm.OLS.from_formula("y ~ x", data).fit()
    close(res.params, [0.0296797, 1.034833], 2e-6)
    for groups, expected in (("firm", [0.0670127, 0.0505957]), ("year", [0.0233867, 0.0333889])):
        for convention in ("stata", "statsmodels", "R"):
            found = res.with_covariance("cluster", {"groups": groups, "convention": convention})
            close(found.bse, expected, 2e-6)


WEIGHTED = {
    "logit": lambda data, **k: logit("yb ~ x", data, **k),
    "poisson": lambda data, **k: poisson("yp ~ x", data, **k),
    "gamma": lambda data, **k: glm("yg ~ x", data, GAMMA, **k),
    "ols": lambda data, **k: tm.OLS.from_formula("yn ~ x", data, **k).fit(),
    "negative binomial": lambda data, **k: tm.NegativeBinomial.from_formula("c ~ x", data, **k).fit(disp=False),
    "ordered": lambda data, **k: tm.OrderedModel.from_formula("yb ~ x", data, **k).fit(disp=False),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_c4_frequencies_are_rows_in_everything(df, name):
    fit = WEIGHTED[name]
    weighted, rows = fit(df, freq_weights="w"), fit(df.loc[df.index.repeat(df["w"].astype(int))].reset_index(drop=True))
    names = ("params", "bse", "llf", "aic", "bic", "df_resid", "df_model", "nobs", "pvalues", "llnull", "prsquared",
             "rsquared", "rsquared_adj", "fvalue", "deviance", "null_deviance", "pearson_chi2", "scale")  # fmt: skip
    for attribute in names:
        if hasattr(rows, attribute):
            close(getattr(weighted, attribute), getattr(rows, attribute), 1e-7, 1e-12)
    for kind, options in (("HC0", {}), ("HC1", {}), ("cluster", CLUSTERS), ("opg", {})):
        close(weighted.with_covariance(kind, options).bse, rows.with_covariance(kind, options).bse, 1e-7)


@pytest.mark.parametrize("name", WEIGHTED)
def test_c4_weights_of_a_sample_have_no_unit(df, name):
    one, hundred = (
        WEIGHTED[name](df, sampling_weights="w"),
        WEIGHTED[name](df.assign(w=100 * df["w"]), sampling_weights="w"),
    )
    for attribute in ("params", "bse", "llf", "nobs", "df_resid"):
        close(getattr(one, attribute), getattr(hundred, attribute), 1e-7)
    with pytest.raises(TypeError, match="bare weights=.*freq_weights=.*sampling_weights="):
        WEIGHTED[name](df, weights="w")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aweights", r"does not take aweights=: analytic weights.*\[aweight\].*belong to WLS \(weights=\) and GLM"),
        ("var_weights", r"belong to WLS \(weights=\) and GLM \(var_weights=\)"),
        ("sample_weight", "bare sample_weight=.*freq_weights="),
    ],
)
def test_c4_weights_by_their_names_elsewhere(df, name, words):
    with pytest.raises(TypeError, match=words):
        tm.Logit.from_formula("yb ~ x", df, **{name: "w"})
    with pytest.raises(TypeError, match=words):
        tm.Logit(df["yb"], df[["x"]], **{name: df["w"]})


@pytest.mark.parametrize("given", ["w", np.asarray])
def test_c4_weights_by_statas_names(df, given):
    """Those names say what is meant, so they are taken; analytic ones by the models that have them."""
    values = given if given == "w" else given(df["w"])
    same = (
        (lambda **k: logit("yb ~ x", df, **k), "fweights", "freq_weights"),
        (lambda **k: logit("yb ~ x", df, **k), "pweights", "sampling_weights"),
        (lambda **k: poisson("yp ~ x", df, **k), "pweight", "sampling_weights"),
        (lambda **k: glm("yn ~ x", df, F.Gaussian(), **k), "aweights", "var_weights"),
        (lambda **k: tm.WLS.from_formula("yn ~ x", df, **k).fit(), "aweights", "weights"),
        (lambda **k: tm.OLS.from_formula("yn ~ x", df, **k).fit(), "fw", "freq_weights"),
    )
    for made, name, own in same:
        ours, theirs = made(**{name: values}), made(**{own: values})
        for attribute in ("params", "bse", "llf", "nobs", "df_resid", "aic"):
            close(getattr(ours, attribute), getattr(theirs, attribute), 1e-13)
        assert ours.cov_type == theirs.cov_type and ours.model.given_arguments == theirs.model.given_arguments
        with pytest.raises(TypeError, match=f"got {own}= twice, also as {name}="):
            made(**{own: values, name: values})


def test_c4_precisions_are_weighted_least_squares(df):
    gaussian = glm("yn ~ x + z", df, F.Gaussian(), var_weights="w")
    squares = tm.WLS.from_formula("yn ~ x + z", df, weights="w").fit()
    for name in ("params", "bse", "llf", "scale", "df_resid", "aic"):
        close(getattr(gaussian, name), getattr(squares, name))
    for kind, options in (("HC0", {}), ("HC1", {}), ("HC3", {}), ("HC2", {})):
        close(gaussian.with_covariance(kind, options).bse, squares.with_covariance(kind, options).bse)
    many = glm("yn ~ x + z", df.assign(w=7 * df["w"]), F.Gaussian(), var_weights="w")  # precisions have no unit either
    close(many.bse, squares.bse)


def test_c5_criteria_of_two_conventions(df):
    """R: logLik, AIC and BIC of glm() with gaussian(), Gamma("log") and inverse.gaussian("log"); statsmodels without."""
    expected = {
        "yn": (F.Gaussian(), -92.75420603159029, 193.5084120631806, 201.885790312069),
        "yg": (GAMMA, -78.2267764294435, 164.453552858887, 172.8309311077754),
        "inverse": (F.InverseGaussian(F.links.Log()), -91.86707604369228, 191.7341520873846, None),
    }
    for name, (family, llf, aic, bic) in expected.items():
        res = glm(f"{'yg' if name == 'inverse' else name} ~ x + z", df, family)
        scale = res.deviance / 60  # R's in the likelihood; for the normal, the maximum
        close(res.llf_scaled(scale), llf, 1e-9)
        found = res.information_criteria(count_scale=True, scale=scale)
        close(found["aic"], aic, 1e-9)
        assert bic is None or found["bic"] == pytest.approx(bic, rel=1e-9)
        close(res.aic, 2 * 3 - 2 * res.llf)  # statsmodels': Pearson's scale, which is not counted
    close(glm("yg ~ x + z", df, GAMMA).llf, -78.165346, 1e-7)


def test_c5_tables_state_the_rule(df):
    """Wherever they print an AIC that leaves out an estimated dispersion, and nowhere else."""
    rule = "AIC and BIC do not count the dispersion; R's, of information_criteria(count_scale=True), do"

    def said(table):
        return rule in " ".join(str(table).split())

    squares = tm.OLS.from_formula("yn ~ x + z", df).fit()
    for res in (squares, squares.with_covariance("HC1"), glm("yg ~ x", df, GAMMA), glm("yn ~ x", df, F.Gaussian())):
        assert said(res.summary2()) and str(res.summary2()).count("count_scale") == 1
        assert said(res.summary()) == ("AIC:" in str(res.summary()))
    normal = tm.Normal.from_formula("yn ~ x + z", df).fit()
    for res in (poisson("yp ~ x", df), glm("yp ~ x", df, F.Poisson()), normal):
        assert not said(res.summary()) and not said(res.summary2())
    counted = squares.information_criteria(count_scale=True)
    close([counted["aic"], counted["bic"]], [squares.aic + 2, squares.bic + np.log(60)])
    close([counted["aic"], counted["bic"]], [normal.aic, normal.bic])  # where sigma is a parameter it is always counted


def test_c6_intervals_of_new_rows(df, new):
    """R: predict(se.fit = TRUE) on the link scale, transformed; predict(lm, interval=); with sandwich's HC1."""
    counts = {
        "poisson": poisson("yp ~ x + z", df, offset="off"),
        "glm": glm("yp ~ x + z", df, F.Poisson(), offset="off"),
    }
    for res in counts.values():
        found = res.predict(new, interval="mean", level=0.9)
        close(found["predicted"], [1.376218329970574, 1.499213061543682, 9.778272747234892])
        close(found["lower"], [1.007099735243376, 1.279476999564044, 5.55644242851505], 1e-8)
        close(found["upper"], [1.880624952492214, 1.756686368468537, 17.20788420818201], 1e-8)
        robust = res.with_covariance("HC1").predict(new, interval="mean", level=0.9)
        close(robust["lower"], [1.018632105554782, 1.28101518877632, 5.668614404691742], 1e-8)
        close(robust["upper"], [1.859333591999312, 1.754577013290703, 16.86737024133786], 1e-8)
        outer = res.predict(new, interval="obs", level=0.9)
        assert (outer["lower"] >= 0).all() and (outer == outer.round()).all()[["lower", "upper"]].all()
        assert (outer["lower"] <= found["lower"]).all() and (outer["upper"] >= found["upper"]).all()
    for res in (logit("yb ~ x + z", df), glm("yb ~ x + z", df, F.Binomial())):
        found = res.predict(new, interval="mean", level=0.9)
        close(found["lower"], [0.08074765659490282, 0.646986572530269, 0.2684458985538647], 1e-6)
        close(found["upper"], [0.447437090854174, 0.8759352132741082, 0.9352039100657344], 1e-6)
    squares = tm.OLS.from_formula("yn ~ x + z", df).fit()
    found = squares.predict(new, interval="obs", level=0.9)
    close(found["lower"], [-2.4562387137653481, -0.4391441820975732, 0.5469421234321286])
    close(found["upper"], [1.564924457293009, 3.495748264886539, 4.860853546189073])
    found = squares.predict(new, interval="mean", level=0.9)
    close(found["lower"], [-0.9445577969161143, 1.2502585061820541, 1.7771176526808343])


@pytest.mark.parametrize(
    "tail",
    ["x * z", "x + I(x**2) + z", "C(f) * x", "cr(x, df=3, constraints='center') + z", "poly(x, 2) + z", "bs(x, df=4)"],
)
def test_c7_average_effects_follow_the_formula(df, tail):
    ends = df["x"].min() + 1e-3, df["x"].max() - 1e-3  # b-splines end with the data
    for res in (logit(f"yb ~ {tail}", df), glm(f"yg ~ {tail}", df, GAMMA)):
        step, inner = 1e-5, df.assign(x=df["x"].clip(*ends))
        up, down = (res.predict(inner.assign(x=inner["x"] + sign * step)) for sign in (1, -1))
        close(res.margins(["x"], at=inner).margeff, (up - down) / (2 * step), 1e-6, 1e-8)
        if "bs" not in tail:
            up, down = (res.predict(df.assign(x=df["x"] + sign * step)) for sign in (1, -1))
            close(res.margins(["x"]).margeff, (up - down).mean() / (2 * step), 1e-6)


class Adapter:
    """What marginaleffects asks of a package."""

    def __init__(self, results):
        self.results = results
        self.data, self.formula = results.model.data.frame, results.model.formula

    def get_coef(self):
        return np.asarray(self.results.params)

    def get_vcov(self):
        return np.asarray(self.results.cov_params())

    def get_modeldata(self):
        return self.data

    def get_predict(self, params, newdata):
        exog = np.asarray(patsy.dmatrix(self.results.model.data.design_info, newdata))
        return self.results.model.predict(params, exog)

    def find_variables(self):
        return [name for name in self.data if name in self.formula]


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1"])
def test_c8_an_adapter_of_a_few_lines(df, cov_type):
    """Average effects and their delta errors by differences, as marginaleffects makes them, are ours."""
    for res in (logit("yb ~ x * z + C(f)", df, {"cov_type": cov_type}), poisson("yp ~ x * z", df, {"cov_type": cov_type}),
                glm("yg ~ x * z + I(x**2)", df, GAMMA, {"cov_type": cov_type})):  # fmt: skip
        adapter = Adapter(res)
        data, step = adapter.get_modeldata(), 1e-5

        def effect(params, adapter=adapter, data=data, step=step):
            up, down = (adapter.get_predict(params, data.assign(x=data["x"] + sign * step)) for sign in (1, -1))
            return (up - down).mean() / (2 * step)

        at = adapter.get_coef()
        gradient = [(effect(at + h) - effect(at - h)) / 2e-4 for h in np.eye(len(at)) * 1e-4]
        ours = res.margins(["x"])
        close(ours.margeff, effect(at), 1e-6)
        close(ours.margeff_se, np.sqrt(gradient @ adapter.get_vcov() @ gradient), 1e-4)
        assert {"x", "z"} <= set(adapter.find_variables())


def test_c9_budworms():
    """Collett's data; R's confint(glm) gives 0.8229 and 1.3391 for ldose."""
    dose = np.tile(np.arange(6.0), 2)
    dead = [1, 4, 9, 13, 18, 20, 0, 2, 6, 10, 12, 16]
    data = pd.DataFrame({"ldose": dose, "sex": np.repeat(["M", "F"], 6), "dead": dead, "alive": 20 - np.array(dead)})
    res = glm("dead + alive ~ sex + ldose", data, F.Binomial())
    limits = res.conf_int(method="profile").loc["ldose"]
    close(limits, [0.8229, 1.3391], atol=1e-4, rtol=0)
    for limit in limits:
        held = tm.GLM.from_formula("dead + alive ~ sex + ldose", data, family=F.Binomial()).fit(fix={"ldose": limit})
        close(held.deviance - res.deviance, 3.841458820694124, 1e-6)


@pytest.mark.parametrize("kind", ["oim", "eim", "opg"])
def test_c10_the_information_does_not_depend_on_the_search(df, kind):
    fits = [
        glm("yg ~ x + z", df, GAMMA, {"cov_type": kind, "method": method}) for method in (None, "newton", "bfgs", "nm")
    ]
    for res in fits[1:]:
        close(res.bse, fits[0].bse, 1e-7)
    words = {"oim": "observed information", "eim": "expected information", "opg": "outer product"}[kind]
    assert fits[0].cov_type == kind and words in " ".join(str(fits[0].summary()).split())


def test_c10_canonical_links_have_one_information(df):
    with pytest.warns(DomainWarning):
        gamma = glm("yg ~ x + z", df, F.Gamma())
    for res in (logit("yb ~ x + z", df), poisson("yp ~ x + z", df), glm("yb ~ x + z", df, F.Binomial()), gamma):
        close(res.with_covariance("eim").cov_params(), res.with_covariance("oim").cov_params(), 1e-10)
    probit = glm("yb ~ x + z", df, F.Binomial(F.links.Probit()))
    assert not np.allclose(probit.with_covariance("eim").bse, probit.with_covariance("oim").bse, rtol=1e-3)


def test_c11_overdispersed_counts(df):
    """R: summary(glm(yp ~ x + z, quasipoisson))."""
    res = glm("yp ~ x + z", df, F.Poisson(), {"scale": "X2", "use_t": True})
    close(res.scale, 1.747374114942702)
    close(res.bse, [0.1813523580765160, 0.1401770664679612, 0.1208416205745775], 1e-8)
    close(res.pvalues, [0.0007369881703981818, 0.1093350292241956068, 0.7290014461656322], 1e-7)
    assert res.df_inference == 57
    assert "Quasi-likelihood with a dispersion of 1.7474: no AIC" in " ".join(str(res.summary()).split())
    assert "uasi" not in str(glm("yp ~ x + z", df, F.Poisson()).summary())


def test_c11_a_response_that_is_not_counts(df, tmp_path):
    """The estimate solves the same equations; the summary says that the likelihood is none, also of a loaded fit."""
    data = df.assign(y=df["yp"] + 0.3)
    for res in (poisson("y ~ x", data, {"cov_type": "HC1"}), glm("y ~ x", data, F.Poisson(), {"cov_type": "HC1"})):
        rest = data["y"] - means(res)
        close([rest.sum(), rest @ data["x"]], [0, 0], atol=1e-9)
        assert "a quasi-likelihood, with no AIC" in " ".join(str(res.summary()).split())
        res.save(tmp_path / "fit.tm")
        assert "a quasi-likelihood" in " ".join(str(tm.load(tmp_path / "fit.tm").summary()).split())


def test_c11_a_quasi_likelihood_is_marked_and_its_aic_withheld(df, tmp_path):
    """Where statsmodels' names are not at stake; `aic` and `bic` keep its numbers."""
    data = df.assign(y=df["yp"] + 0.3)
    quasi = {"dispersed": glm("yp ~ x + z", df, F.Poisson(), {"scale": "X2"}), "glm": glm("y ~ x", data, F.Poisson()),
             "poisson": poisson("y ~ x", data), "shares": glm("yb ~ x", df, F.Binomial(), {"scale": "X2"})}  # fmt: skip
    for res in quasi.values():
        res.save(tmp_path / "fit.tm")
        for fit in (res, tm.load(tmp_path / "fit.tm")):
            assert fit.is_quasi
            with pytest.raises(ValueError, match=r"quasi-likelihood.*no information criteria"):
                fit.information_criteria()
            row = fit.glance().iloc[0]
            assert row["quasi"] and np.isnan(row["aic"]) and np.isnan(row["bic"]) and np.isfinite(row["llf"])
        close(res.aic, -2 * res.llf + 2 * len(res.params))
    plain = poisson("yp ~ x", df)
    assert not plain.is_quasi and "quasi" not in plain.glance() and plain.information_criteria()["aic"] == plain.aic
    assert not glm("yn ~ x", df, F.Gaussian()).is_quasi
    text = str(tm.table([plain, quasi["poisson"]], names=["plain", "other"]))
    line = next(line for line in text.splitlines() if line.startswith("AIC"))
    assert len(line.split()) == 2 and "other is a quasi-likelihood" in " ".join(text.split())
    assert "quasi" not in str(tm.table([plain]))


def test_c12_the_global_test_is_walds_where_errors_are_robust(df):
    options = {"cov_type": "cluster", "cov_kwds": CLUSTERS}
    for res, smaller in ((logit("yb ~ x + z", df, options), logit("yb ~ x", df)),
                         (poisson("yp ~ x + z", df, options), poisson("yp ~ x", df)),
                         (tm.NegativeBinomial.from_formula("c ~ x + z", df).fit(disp=False, **options), poisson("c ~ x", df))):  # fmt: skip
        text = str(res.summary())
        pvalue = float(res.wald_test("x = 0, z = 0").pvalue)
        printed = float(text.split("Wald p-value:")[1].split()[0])
        assert "LLR p-value" not in text and printed == pytest.approx(pvalue, rel=1e-4)
        with pytest.raises(ValueError, match="wald_test, or force=True"):
            res.lr_test(smaller)
        by_t = res.with_covariance("cluster", CLUSTERS, use_t=True)  # as the table's t: G - 1 degrees of freedom
        joint = by_t.f_test("x = 0, z = 0")
        printed = float(str(by_t.summary()).split("F p-value:")[1].split()[0])
        assert joint.df_denom == by_t.t_test("x = 0").df_denom == by_t.df_inference == df["g"].nunique() - 1
        assert printed == pytest.approx(float(joint.pvalue), rel=1e-3)
    assert "LLR p-value" in str(logit("yb ~ x + z", df).summary())


@pytest.mark.parametrize("use_t", [False, True])
def test_c12_the_global_test_of_every_regression(df, use_t):
    """Also where the head of the table has none: GLMs, distributions, survival times."""
    robust = {"cov_type": "cluster", "cov_kwds": CLUSTERS, "use_t": use_t}
    data = df.assign(t=df["yg"], e=1)
    for model, formula, more in (
        (tm.GLM, "yp ~ x + z", {"family": F.Poisson()}),
        (tm.GLM, "yg ~ x + z", {"family": GAMMA}),
        (tm.Normal, "yn ~ x + z", {}),
        (tm.ExponentialSurvival, "Surv(t, e) ~ x + z", {}),
    ):
        made = model.from_formula(formula, data, **more)
        res = made.fit(disp=False, **robust)
        test = res.wald_test("x = 0, z = 0")
        law = f"F(2, {df['g'].nunique() - 1})" if use_t else "chi2(2)"
        line = f"Wald test of all slopes: {law} = {float(test.statistic):.5g}, p-value {float(test.pvalue):.4g}"
        assert line in " ".join(str(res.summary()).split())
        assert "Wald test of all slopes" not in str(made.fit(disp=False).summary())
    constant = tm.GLM.from_formula("yp ~ 1", df, family=F.Poisson()).fit(**robust)
    assert "Wald test" not in str(constant.summary())


# -- D: data ---------------------------------------------------------------------------------------------------------------


def test_d5_the_event_of_a_two_level_response(df):
    plain = logit("yb ~ x", df)
    for values, event in ((df["yb"].astype(bool), "True"), (df["yb"].map({0: "no", 1: "yes"}), "yes"),
                          (df["yb"].map({0: "no", 1: "yes"}).astype("category"), "yes"),
                          (df["yb"].map({0: "no", 1: "yes"}).astype("string"), "yes"), (df["yb"].astype("boolean"), "True")):  # fmt: skip
        for res in (logit("y ~ x", df.assign(y=values)), glm("y ~ x", df.assign(y=values), F.Binomial())):
            close(res.params, plain.params, 1e-8)
            assert f"Event: y = {event}" in str(res.summary())


@pytest.mark.parametrize("dtype", ["Int8", "UInt16", "Int64", "Float32", "Boolean", "String", "Categorical"])
def test_d5_polars_types(df, dtype):
    pl = pytest.importorskip("polars")
    if dtype in ("String", "Categorical"):
        frame, plain = pl.from_pandas(df).with_columns(pl.col("f").cast(getattr(pl, dtype)).alias("v")), df["f"]
    elif dtype == "Boolean":
        frame, plain = pl.from_pandas(df).with_columns((pl.col("g") > 3).alias("v")), df["g"] > 3
    else:
        frame, plain = (
            pl.from_pandas(df).with_columns(pl.col("g").cast(getattr(pl, dtype)).alias("v")),
            df["g"].astype(float),
        )
    ours, theirs = logit("yb ~ x + v", frame), logit("yb ~ x + v", df.assign(v=plain))
    assert list(ours.names) == list(theirs.names)
    close(ours.params, theirs.params, 1e-10)
    close(ours.predict(frame), theirs.predict(), 1e-10)


# -- E: one's own likelihood -----------------------------------------------------------------------------------------------


class TwoForOne(tm.LikelihoodModel):
    """Only the sum of a and b is identified."""

    parameters = {"a": tm.Identity(), "b": tm.Identity(), "c": tm.Identity()}

    def loglike_obs(self, p, data):
        return -0.5 * ((data.y - p.a - p.b) ** 2 + (data.x_ - p.c) ** 2)

    row_arguments = ("x_",)


def test_e4_why_there_are_no_standard_errors(df):
    with pytest.warns(ConvergenceWarning):
        res = TwoForOne(df["yn"].to_numpy(), x_=df["x"].to_numpy()).fit()
    words = r"smallest eigenvalue of the scaled information is .*in the direction of [ab], [ab]; the norm of the gradient is"
    with pytest.warns(HessianInversionWarning, match=words) as caught:
        assert np.isnan(res.bse).all() and np.isnan(res.tvalues).all()
    assert len(caught) == 1


def test_e4_errors_that_do_without_the_inverse():
    """The outer product of the scores, where it is regular, and a pseudo-inverse, whatever the information is."""
    rng = np.random.default_rng(2)
    y, x = rng.normal(size=200), rng.normal(size=200)
    kinds = {}
    for kind in ("opg", "pinv"):
        with pytest.warns(ConvergenceWarning):
            kinds[kind] = TwoForOne(y, x_=x).fit(cov_type=kind, disp=False)
    pinv = kinds["pinv"]
    close(pinv.bse, [0.5 / 200**0.5, 0.5 / 200**0.5, 200**-0.5], 1e-8)  # a + b has variance 1 / n
    close(pinv.t_test([1, 1, 0]).sd, 200**-0.5, 1e-8)
    text = " ".join(str(pinv.summary()).split())
    assert "standard errors do without its inverse" in text and "by a pseudo-inverse" in text
    with pytest.warns(HessianInversionWarning):  # a and b have one score: it is singular too
        assert np.isnan(kinds["opg"].bse).all()

    class Ridge(tm.LikelihoodModel):
        """Curved upwards in b at the start, where it is left."""

        parameters = {"a": tm.Identity(), "b": tm.Identity()}
        row_arguments = ("x_",)

        def loglike_obs(self, p, data):
            return -0.5 * (data.y - p.a) ** 2 + 0.3 * p.b * data.x_ + p.b**2

    with pytest.warns(ConvergenceWarning):
        res = Ridge(y, x_=x).fit(start_params=[0.0, 0.0], maxiter=0, cov_type="opg", disp=False)
    scores = res.score_obs()
    close(res.cov_params(), np.linalg.inv(scores.T @ scores), 1e-8)
    with pytest.warns(HessianInversionWarning, match="no standard errors"):
        assert np.isnan(res.with_covariance("nonrobust").bse).all()
