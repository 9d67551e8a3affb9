"""Influence of single rows: against fits without them, finite differences, published numbers and statsmodels."""

import matplotlib
import numpy as np
import pandas as pd
import problems
import pytest
import statsmodels.api as sm

import torchmle as tm
from torchmle import families
from torchmle.models.choices.multinomial import MNLogit

matplotlib.use("Agg")
N = 90


def simulated():
    rng = np.random.default_rng(8)
    df = pd.DataFrame({"x": rng.normal(size=N), "z": rng.uniform(0, 2, N)}, index=[f"row {i}" for i in range(N)])
    df["b"] = (df["x"] + rng.logistic(size=N) > 0).astype(int)
    df["c"] = rng.negative_binomial(2, 2 / (2 + np.exp(0.2 + 0.5 * df["x"])))
    df["p"] = rng.gamma(2.0, np.exp(0.4 * df["x"]) / 2)
    df["w"] = rng.integers(1, 4, N).astype(float)
    df["m"] = rng.integers(0, 3, N)
    return df


DF = simulated()


def glm(response, family, link, **arguments):
    made = getattr(families, family)(getattr(families.links, link)())
    return tm.GLM.from_formula(f"{response} ~ x + z", DF, family=made, **arguments).fit()


FITS = {
    "logit": lambda: tm.Logit.from_formula("b ~ x + z", DF).fit(disp=False),
    "probit": lambda: tm.Probit.from_formula("b ~ x + z", DF).fit(disp=False),
    "poisson": lambda: tm.Poisson.from_formula("c ~ x + z", DF).fit(disp=False),
    "negative binomial": lambda: tm.NegativeBinomialP.from_formula("c ~ x + z", DF).fit(disp=False),
    "gamma": lambda: glm("p", "Gamma", "Log"),
    "binomial probit": lambda: glm("b", "Binomial", "Probit"),
    "gaussian": lambda: glm("p", "Gaussian", "Identity"),
}
FITTED = {}


def fitted(name):
    if name not in FITTED:
        FITTED[name] = FITS[name]()
    return FITTED[name]


each_fit = pytest.mark.parametrize("name", FITS)


@each_fit
def test_one_step_is_near_the_fit_without_the_row(name):
    res = fitted(name)
    influence = res.get_influence()
    rows = np.argsort(-influence.cooks_distance[0])[[1, 5, 20, 60]]
    without = influence.refit(rows)
    assert list(without.index) == list(DF.index[rows])
    change = res.params.to_numpy() - without.to_numpy()
    distance = np.abs(influence.d_params[rows] - change) / np.asarray(res.bse)
    moved = np.abs(change) / np.asarray(res.bse)
    assert (distance <= 0.12 * moved.max(1, keepdims=True)).all()
    np.testing.assert_allclose(influence.params_one, res.params.to_numpy() - influence.d_params, rtol=1e-12)


def test_least_squares_changes_are_exact():
    influence = fitted("gaussian").get_influence()
    change = fitted("gaussian").params.to_numpy() - influence.refit([3, 40]).to_numpy()
    np.testing.assert_allclose(influence.d_params[[3, 40]], change, rtol=1e-9)


@pytest.mark.parametrize("model", ["poisson", "negative binomial"])
def test_leverages_are_slopes_of_fitted_means_in_responses(model):
    res, step = fitted(model), 1e-3
    kind = type(res.model)
    for row in np.flatnonzero(DF["c"] > 0)[:3]:
        means = []
        for sign in (1.0, -1.0):
            changed = DF["c"].astype(float).to_numpy()
            changed[row] += sign * step
            other = kind.from_formula("c ~ x + z", DF.assign(c=changed)).fit(disp=False, tol=1e-24)
            means.append(np.asarray(other.predict())[row])
        slope = (means[0] - means[1]) / (2 * step)
        assert res.get_influence().hat_matrix_diag[row] == pytest.approx(slope, rel=1e-5)


@each_fit
def test_measures_follow_from_changes(name):
    res = fitted(name)
    influence = res.get_influence()
    d, h = influence.d_params, influence.hat_matrix_diag
    np.testing.assert_allclose(influence.dfbetas, d / np.asarray(res.bse), rtol=1e-12)
    assert ((h > 0) & (h < 1)).all()
    np.testing.assert_allclose(influence.resid_studentized, influence.resid / np.sqrt(1 - h), rtol=1e-12)
    pearson = np.asarray(res.resid_pearson) / np.sqrt(res.scale)
    np.testing.assert_allclose(influence.resid, pearson, rtol=1e-12)
    x = res.model.exog
    np.testing.assert_allclose(influence.d_linpred, (x * d[:, : x.shape[1]]).sum(1), rtol=1e-9, atol=1e-12)
    linear = res.get_prediction(which="linear")
    np.testing.assert_allclose(influence.d_linpred_scaled, influence.d_linpred / linear.se, rtol=1e-12)
    slopes = res.model._deriv_mean_dparams(res.params)
    np.testing.assert_allclose(influence.d_fittedvalues, (slopes * d).sum(1), rtol=1e-9, atol=1e-13)
    frame = influence.summary_frame()
    names = [f"dfb_{label}" for label in res.names] + ["cooks_d", "standard_resid", "hat_diag", "dffits_internal"]
    assert list(frame.columns) == names and frame.index.equals(DF.index)
    if name not in ("gamma", "binomial probit", "gaussian"):
        v = res.cov_params().to_numpy()
        cook = np.einsum("ij,jk,ik->i", d, np.linalg.inv(v), d) / len(v)
        np.testing.assert_allclose(influence.cooks_distance[0], cook, rtol=1e-8)
    scores, information = res.score_obs(), -np.asarray(res.hessian())
    joint = np.einsum("ij,jk,ik->i", scores, np.linalg.inv(information), scores)
    np.testing.assert_allclose(influence.resid_score(), joint, rtol=1e-9)
    alone = influence.resid_score(joint=False, index=[1], studentize=True)[:, 0]
    np.testing.assert_allclose(alone, np.asarray(scores)[:, 1] / np.sqrt(information[1, 1] * (1 - h)), rtol=1e-9)


def their(name):
    x = sm.add_constant(DF[["x", "z"]])
    tight = {"disp": False, "tol": 1e-13}
    return {
        "logit": lambda: sm.Logit(DF["b"], x).fit(**tight),
        "probit": lambda: sm.Probit(DF["b"], x).fit(**tight),
        "poisson": lambda: sm.Poisson(DF["c"], x).fit(**tight),
        "negative binomial": lambda: sm.NegativeBinomialP(DF["c"], x).fit(
            start_params=fitted("negative binomial").params.to_numpy(), method="newton", **tight
        ),
        "gamma": lambda: sm.GLM(DF["p"], x, family=sm.families.Gamma(sm.families.links.Log())).fit(tol=1e-14),
        "binomial probit": lambda: sm.GLM(DF["b"], x, family=sm.families.Binomial(sm.families.links.Probit())).fit(
            tol=1e-14
        ),
        "gaussian": lambda: sm.GLM(DF["p"], x).fit(tol=1e-14),
    }[name]()


@pytest.mark.filterwarnings("ignore:using default log-link")
@each_fit
def test_statsmodels(name):
    """With the expected information in GLMs: with the observed one, theirs mixes it with residuals of the expected one."""
    options = {"observed": False} if name in ("gamma", "binomial probit", "gaussian") else {}
    ours, theirs = fitted(name).get_influence(**options), their(name).get_influence(**options)
    for measure in ("hat_matrix_diag", "resid", "resid_studentized", "d_params", "dfbetas", "d_fittedvalues",
                    "d_fittedvalues_scaled"):  # fmt: skip
        np.testing.assert_allclose(
            getattr(ours, measure), getattr(theirs, measure), rtol=1e-5, atol=1e-7, err_msg=measure
        )
    for a, b in zip(ours.cooks_distance, theirs.cooks_distance, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(ours.resid_score_factor(), theirs.resid_score_factor(), rtol=1e-5)
    np.testing.assert_allclose(ours.summary_frame(), theirs.summary_frame(), rtol=1e-5, atol=1e-7)


def test_observed_information_without_a_canonical_link():
    """Leverages and changes are those of the observed information: nearer to the fits without each row."""
    res = fitted("gamma")
    x = res.model.exog
    weight = np.asarray(DF["p"]) / np.asarray(res.predict())  # minus the second derivative in eta, times the scale
    a = np.linalg.inv((x.T * weight) @ x)
    h = weight * np.einsum("ij,jk,ik->i", x, a, x)
    influence = res.get_influence()
    np.testing.assert_allclose(influence.hat_matrix_diag, h, rtol=1e-9)
    np.testing.assert_allclose(res.get_hat_matrix_diag(), h, rtol=1e-9)
    steps = ((weight - 1)[:, None] * x) @ a / (1 - h)[:, None]
    np.testing.assert_allclose(influence.d_params, steps, rtol=1e-8, atol=1e-12)
    expected = res.get_influence(observed=False).hat_matrix_diag
    np.testing.assert_allclose(expected, (x * np.linalg.pinv(x).T).sum(1), rtol=1e-9)


def test_williams():
    """Five doses, 40 mice each: R's influence.measures of glm(cbind(y, 40 - y) ~ x, binomial)."""
    y = np.array([0, 2, 14, 19, 30])
    x = np.column_stack([np.ones(5), np.arange(1, 6)])
    influence = tm.GLM(np.column_stack([y, 40 - y]), x, family=families.Binomial()).fit().get_influence()
    hat = [0.2594393406119333, 0.3696442663244837, 0.3535768402250521, 0.389209198535791, 0.6281303543027403]
    cook = [0.25220202795934726, 0.26107981497746285, 1.28985614424132389, 0.08449722285516942, 0.36362110845918005]
    np.testing.assert_allclose(influence.hat_matrix_diag, hat, rtol=5e-6)
    np.testing.assert_allclose(influence.cooks_distance[0], cook, rtol=1e-5)


def test_a_row_that_counts_for_several():
    """Leaving out a row of frequency w leaves out w equal rows."""
    res = glm("c", "Poisson", "Log", freq_weights="w")
    influence = res.get_influence()
    repeated = DF.loc[DF.index.repeat(DF["w"].astype(int))]
    for row in ("row 4", "row 30"):
        at = DF.index.get_loc(row)
        less = tm.GLM.from_formula("c ~ x + z", repeated.drop(row), family=families.Poisson()).fit()
        change = (res.params - less.params).to_numpy()
        np.testing.assert_allclose(influence.d_params[at], change, atol=0.1 * abs(change).max())


def test_robust_errors_scale_changes():
    robust = fitted("poisson").with_covariance("HC0")
    plain, other = fitted("poisson").get_influence(), robust.get_influence()
    np.testing.assert_allclose(plain.d_params, other.d_params, rtol=1e-12)
    ratio = np.asarray(fitted("poisson").bse) / np.asarray(robust.bse)
    np.testing.assert_allclose(other.dfbetas, plain.dfbetas * ratio, rtol=1e-10)


def test_where_there_are_none():
    inflated = tm.ZeroInflatedPoisson(DF["c"], sm.add_constant(DF[["x"]])).fit(disp=False)
    with pytest.warns(UserWarning, match="no leverages"):
        frame = inflated.get_influence().summary_frame()
    assert "hat_diag" not in frame and "cooks_d" in frame
    plain = tm.Normal.from_formula("p ~ x", DF).fit().get_influence()
    assert list(plain.summary_frame().columns[-3:]) == ["cooks_d", "hat_diag", "dffits_internal"]
    with pytest.raises(AttributeError, match="no Pearson residuals"):
        _ = plain.resid_studentized
    several = MNLogit.from_formula("m ~ x", DF).fit(disp=False).get_influence()
    with pytest.raises(ValueError, match="several means"):
        _ = several.d_fittedvalues


@pytest.mark.parametrize("name", ["mvnormal", "mixture", "ordered"])
def test_likelihoods_without_linear_predictors_have_no_leverages(name):
    with pytest.raises(ValueError, match=r"no linear predictors .*jackknife\(\) leaves rows out"):
        _ = problems.fitted(problems.BY_NAME[name]).get_influence().hat_matrix_diag


def test_plots():
    influence = fitted("logit").get_influence()
    (ax,) = influence.plot_influence().axes
    assert ax.get_xlabel() == "Leverage" and len(ax.collections[0].get_offsets()) == N
    assert influence.plot_index("cook", threshold=0.0, title="rows").axes[0].get_title() == "rows"
    assert influence.plot_index("dfbeta", idx=1).axes[0].get_ylabel() == "DFBETA of x"
    assert influence.plot_index("resid").axes[0].get_ylabel() == "resid"
    with pytest.raises(ValueError, match="say which by idx"):
        influence.plot_index("dfbeta")
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("model", ["GLM", "Poisson"])
@pytest.mark.filterwarnings("ignore::torchmle.errors.RankWarning")
def test_cooks_distance_counts_the_columns_that_were_kept(model):
    """R: cooks.distance divides by the rank, whatever the columns left out as collinear."""
    family = {"family": families.Poisson()} if model == "GLM" else {}
    kept, more = (
        getattr(tm, model).from_formula(f"c ~ x + z{rest}", DF, **family).fit(disp=False).get_influence()
        for rest in ("", " + I(x + z)")
    )
    for ours, theirs in zip(more.cooks_distance, kept.cooks_distance, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
