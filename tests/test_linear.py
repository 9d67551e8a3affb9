"""What statsmodels' users ask of OLS and WLS, against statsmodels, R's cases and refits without a row."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from problems import BY_NAME
from reference import corpus
from reference.fits import fitted
from scipy import stats
from statsmodels.base.elastic_net import RegularizedResults
from statsmodels.sandbox.regression.predstd import wls_prediction_std
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.diagnostic import acorr_breusch_godfrey, het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor

import torchmle as tm
import torchmle.formula.api as tmf
from torchmle.errors import InvalidTestWarning

FORMULA = "y ~ x + w + C(g)"


@pytest.fixture(scope="module")
def df():
    return BY_NAME["wls"].frame().set_index(np.arange(1000, 1240))


@pytest.fixture(scope="module", params=["ols", "wls"])
def pair(request, df):
    """Ours and theirs."""
    if request.param == "ols":
        return tm.OLS.from_formula(FORMULA, df).fit(), smf.ols(FORMULA, df).fit()
    return (
        tm.WLS.from_formula(FORMULA, df, weights="precision").fit(),
        smf.wls(FORMULA, df, weights=df["precision"]).fit(),
    )


def same(ours, theirs, rtol=1e-9, atol=1e-12):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)
    if isinstance(theirs, pd.Series):
        assert list(ours.index) == list(theirs.index)


NUMBERS = [
    "params", "bse", "tvalues", "pvalues", "rsquared", "rsquared_adj", "fvalue", "f_pvalue", "llf", "aic", "bic", "nobs", "df_model",
    "df_resid", "scale", "ssr", "ess", "centered_tss", "uncentered_tss", "mse_model", "mse_resid", "mse_total", "resid", "wresid",
    "resid_pearson", "fittedvalues", "condition_number", "eigenvals", "normalized_cov_params", "cov_HC0", "cov_HC1", "cov_HC2",
    "cov_HC3", "HC0_se", "HC1_se", "HC2_se", "HC3_se",
]  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_result_as_in_statsmodels(pair, name):
    ours, theirs = pair
    same(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("name", ["wexog", "wendog", "pinv_wexog", "weights", "df_model", "df_resid", "rank"])
def test_model_as_in_statsmodels(pair, name):
    ours, theirs = pair
    same(getattr(ours.model, name), getattr(theirs.model, name))


@pytest.mark.parametrize("crit", ["aic", "bic", "aicc", "hqic", "AIC"])
def test_criteria_as_in_statsmodels(pair, crit):
    ours, theirs = pair
    for dk in (0, 1):
        same(ours.info_criteria(crit, dk_params=dk), theirs.info_criteria(crit, dk_params=dk))
    with pytest.raises(ValueError, match="crit"):
        ours.info_criteria("dic")


def test_criteria_of_r_count_the_variance():
    case = fitted("ols_mtcars_factors")
    for crit in ("aic", "bic"):
        same(case.res.info_criteria(crit, dk_params=1), case.expected[crit])


@pytest.mark.parametrize(
    ("cov_type", "options"), [("HC1", {}), ("HAC", {"maxlags": 3}), ("fixed scale", {"scale": 2.0})]
)
def test_another_covariance_keeps_students_t(pair, cov_type, options):
    ours, theirs = (res.get_robustcov_results(cov_type, **options) for res in pair)
    same(ours.bse, theirs.bse)
    same(ours.pvalues, theirs.pvalues, rtol=1e-7)
    assert ours.use_t is theirs.use_t is True
    assert pair[0].get_robustcov_results(cov_type, use_t=False, **options).use_t is False
    assert pair[0].cov_type == "nonrobust"


# -- the model evaluated ---------------------------------------------------------------------------------------


def test_evaluation_as_in_statsmodels(df):
    ours, theirs = tm.OLS.from_formula(FORMULA, df), smf.ols(FORMULA, df)
    at = np.array([1.0, 0.2, -0.1, 0.4, -0.3])
    for scale in (None, 2.0):
        same(ours.loglike(at, scale), theirs.loglike(at, scale))
        same(ours.score(at, scale), theirs.score(at, scale))
    same(ours.hessian(at, 2.0), theirs.hessian(at, 2.0))
    same(ours.hessian_factor(at), theirs.hessian_factor(at))
    same(ours.get_distribution(at, 2.0).mean(), theirs.get_distribution(at, 2.0).mean())
    same(ours.get_distribution(at, 2.0).std(), theirs.get_distribution(at, 2.0).std())


def test_weights_shape_the_distribution_and_the_hessian(pair, df):
    ours, _ = pair
    variance = 2.0 / ours.model.weights
    same(ours.model.get_distribution(ours.params, 2.0).var(), variance)
    same(
        (ours.model.exog.T * ours.model.hessian_factor()) @ ours.model.exog / -2.0, ours.model.hessian(ours.params, 2.0)
    )


def test_one_number_is_the_weight_of_all_rows(df):
    y, x = df["y"], sm.add_constant(df[["x"]])
    ours, theirs = tm.WLS(y, x, 0.5).fit(), sm.WLS(y, x, 0.5).fit()
    for name in ("params", "bse", "scale", "llf", "rsquared"):
        same(getattr(ours, name), getattr(theirs, name))
    with pytest.raises(ValueError, match="weights"):
        tm.WLS(y, x, np.ones((len(y), 2)))
    with pytest.raises(ValueError, match="3 dimensions"):
        ours.model.whiten(np.ones((2, 2, 2)))
    with pytest.raises(TypeError, match="belong to WLS"):
        tm.OLS(y, x, weights=0.5)


def test_degrees_of_freedom_set_by_hand(df):
    """Of a design from which effects were taken out before, as within groups."""
    y, x = df["y"], sm.add_constant(df[["x"]])
    ours, theirs = tm.OLS(y, x), sm.OLS(y, x)
    for model in (ours, theirs):
        model.df_model += 3
        model.df_resid -= 3
    ours, theirs = ours.fit(), theirs.fit()
    for name in (
        "df_model",
        "df_resid",
        "scale",
        "bse",
        "pvalues",
        "rsquared_adj",
        "fvalue",
        "aic",
        "bic",
        "mse_resid",
    ):
        same(getattr(ours, name), getattr(theirs, name))


def test_offset_is_a_column_with_coefficient_one(df):
    ours = tm.OLS.from_formula("y ~ x", df, offset="w").fit()
    moved = tm.OLS.from_formula("I(y - w) ~ x", df).fit()
    for name in ("params", "bse", "scale", "ssr", "llf"):
        same(getattr(ours, name), getattr(moved, name))
    for name in ("rsquared", "rsquared_adj", "fvalue", "f_pvalue", "ess"):  # the F test is that of the slopes
        same(getattr(ours, name), getattr(moved, name))
    same(ours.fvalue, ours.tvalues["x"] ** 2)
    same(ours.fittedvalues, moved.fittedvalues + df["w"])
    same(ours.predict(df[:3]), ours.fittedvalues[:3])


def test_rows_of_weight_zero_leave_the_fit(df):
    """R: lm(y ~ x, weights = w) drops them from the fit, n and the degrees of freedom."""
    df = df.assign(v=np.where(np.arange(len(df)) % 4 == 0, 0.0, np.exp(df["w"])))
    ours, kept = (tm.WLS.from_formula("y ~ x", rows, weights="v").fit() for rows in (df, df[df["v"] > 0]))
    for name in ("params", "bse", "llf", "nobs", "df_resid", "scale", "rsquared_adj", "fvalue", "aic", "bic"):
        same(getattr(ours, name), getattr(kept, name))
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        same(ours.with_covariance(kind).bse, kept.with_covariance(kind).bse)
    left = (df["v"] == 0).to_numpy()
    assert not np.asarray(ours.wresid)[left].any() and not ours.model.weights[left].any()
    same(np.asarray(ours.get_influence().hat_matrix_diag)[~left], kept.get_influence().hat_matrix_diag)
    assert not np.asarray(ours.get_influence().hat_matrix_diag)[left].any()
    assert np.isinf(ours.get_prediction(df[:1]).summary_frame()["obs_ci_upper"]).all()  # a variance without bound


# -- predictions -----------------------------------------------------------------------------------------------


def test_predictions_as_in_statsmodels(pair, df):
    ours, theirs = pair
    new = df[:4].assign(x=[0.0, 1.0, 2.0, 3.0])
    for given in ({"weights": 1.0}, {"weights": np.array([0.5, 1.0, 2.0, 4.0])}, {"weights": 2.0}):
        frame, other = (res.get_prediction(new, **given).summary_frame(alpha=0.1) for res in pair)
        assert list(frame.columns) == list(other.columns) and list(frame.index) == list(other.index)
        same(frame, other)
    same(ours.get_prediction().summary_frame(), theirs.get_prediction().summary_frame())
    same(np.column_stack(wls_prediction_std(ours)), np.column_stack(wls_prediction_std(theirs)))


# -- nested models ---------------------------------------------------------------------------------------------


def nested(df, module, **options):
    full = module.ols(FORMULA, df).fit(**options)
    return full, module.ols("y ~ x", df).fit(**options)


def arrays(df, module, **options):
    """Without labels, for which statsmodels' own test fails."""
    x = smf.ols(FORMULA, df).exog
    y = df["y"].to_numpy()
    return module.OLS(y, x).fit(**options), module.OLS(y, x[:, [0, 3]]).fit(**options)


def test_comparisons_as_in_statsmodels(df):
    (full, small), (their_full, their_small) = nested(df, tmf), nested(df, smf)
    same(full.compare_f_test(small), their_full.compare_f_test(their_small))
    same(full.compare_lr_test(small), their_full.compare_lr_test(their_small))
    assert full.compare_lr_test(small).pvalue == full.compare_lr_test(small)[1]


LM = [
    ("nonrobust", {}),
    ("HC0", {}),
    ("HC3", {}),
    ("HAC", {"maxlags": 2}),
    ("cluster", {"groups": "firm"}),
]


@pytest.mark.parametrize(("cov_type", "options"), LM)
@pytest.mark.parametrize("use_lr", [False, True])
def test_multiplier_test_as_in_statsmodels(df, cov_type, options, use_lr):
    if "groups" in options:
        options = {"groups": df["firm"].to_numpy()}
    fitting = {"cov_type": cov_type, "cov_kwds": options}
    ours, theirs = arrays(df, tm, **fitting), arrays(df, sm, **fitting)
    n = len(df) if cov_type == "cluster" else 1  # which statsmodels divides by once more than its formula says
    for demean in (True, False):
        expected = theirs[0].compare_lm_test(theirs[1], demean, use_lr)
        found = ours[0].compare_lm_test(ours[1], demean, use_lr)
        same(found.statistic, expected[0] * n)
        same(found.pvalue, stats.chi2.sf(expected[0] * n, 3))
        assert found.df_diff == expected[2] == 3
    labelled = nested(df, tmf, **fitting)
    same(labelled[0].compare_lm_test(labelled[1], True, use_lr), ours[0].compare_lm_test(ours[1], True, use_lr))
    if use_lr:
        same(ours[0].compare_lr_test(ours[1], large_sample=True), ours[0].compare_lm_test(ours[1], use_lr=True))


@pytest.mark.parametrize(("cov_type", "options"), [kind for kind in LM if kind[0] != "HAC"])
@pytest.mark.parametrize("use_lr", [False, True])
def test_multiplier_test_counts_rows_as_often_as_they_are_said_to(df, cov_type, options, use_lr):
    df = df.assign(n=np.arange(len(df)) % 3, v=1.0 + np.arange(len(df)) % 2)
    repeated = df.loc[df.index.repeat(df["n"])]

    def statistic(rows, **more):
        fits = [
            tm.WLS.from_formula(formula, rows, weights="v", **more).fit(cov_type=cov_type, cov_kwds=options)
            for formula in (FORMULA, "y ~ x")
        ]
        return fits[0].compare_lm_test(fits[1], True, use_lr).statistic

    same(statistic(df, freq_weights="n"), statistic(repeated))


def test_comparisons_that_do_not_hold(df):
    full, small = nested(df, tmf)
    other = tm.OLS.from_formula("y ~ precision", df).fit()
    for pair in ((small, full), (full, other)):
        with pytest.raises(ValueError, match="not nested"):
            pair[0].compare_lm_test(pair[1])
    robust = full.with_covariance("HC1")
    for compare in (robust.compare_f_test, robust.compare_lr_test):
        with pytest.warns(InvalidTestWarning, match="wald_test"):
            compare(small)


# -- influence -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def influences(df):
    ours, theirs = tm.OLS.from_formula(FORMULA, df).fit(), smf.ols(FORMULA, df).fit()
    return ours.get_influence(), theirs.get_influence()


MEASURES = [
    "hat_matrix_diag", "hat_diag_factor", "resid_studentized_internal", "resid_studentized_external", "resid_studentized", "dfbeta",
    "dfbetas", "resid_press", "ess_press", "cov_ratio", "influence", "sigma2_not_obsi", "params_not_obsi", "resid_var", "resid_std",
    "det_cov_params_not_obsi",
]  # fmt: skip


@pytest.mark.parametrize("name", MEASURES)
def test_influence_as_in_statsmodels(influences, name):
    same(*(getattr(one, name) for one in influences), rtol=1e-8)


@pytest.mark.parametrize("name", ["cooks_distance", "dffits", "dffits_internal"])
def test_influence_with_thresholds_as_in_statsmodels(influences, name):
    ours, theirs = (getattr(one, name) for one in influences)
    for part in range(2):
        same(ours[part], theirs[part], rtol=1e-8)


def test_influence_frame_as_in_statsmodels(influences):
    ours, theirs = (one.summary_frame() for one in influences)
    assert list(ours.columns) == list(theirs.columns) and list(ours.index) == list(theirs.index)
    same(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize("method", ["bonf", "sidak", "holm", "fdr_bh"])
@pytest.mark.parametrize("options", [{}, {"order": True}, {"cutoff": 0.99}])
def test_outlier_test_as_in_statsmodels(df, method, options):
    spoiled = df.assign(y=df["y"] + np.where(df.index == 1100, 12.0, 0.0))
    ours, theirs = (
        res.outlier_test(method, **options)
        for res in (tm.OLS.from_formula(FORMULA, spoiled).fit(), smf.ols(FORMULA, spoiled).fit())
    )
    assert list(ours.columns) == list(theirs.columns) and list(ours.index) == list(theirs.index)
    assert ours[f"{method}(p)"].min() < 1e-6
    same(ours, theirs, rtol=1e-8)


def test_leaving_out_rows_of_a_weighted_fit(df):
    problem = tm.WLS.from_formula(FORMULA, df, weights="precision").fit()
    infl = problem.get_influence()
    for row in (0, 17, 239):
        rest = df.drop(index=df.index[row])
        refit = tm.WLS.from_formula(FORMULA, rest, weights="precision").fit()
        same(infl.params_not_obsi[row], refit.params_array)
        same(infl.sigma2_not_obsi[row], refit.mse_resid)
        same(infl.cov_ratio[row], np.linalg.det(refit.cov_params()) / np.linalg.det(problem.cov_params()), rtol=1e-8)
        out = df.iloc[[row]]
        same(infl.resid_press.iloc[row], out["y"].iloc[0] - refit.predict(out).iloc[0])


@pytest.mark.parametrize("name", corpus.cases("ols", "wls"))
def test_influence_as_in_r(name):
    case = fitted(name)
    infl = case.res.get_influence()
    for ours, key in (
        (infl.hat_matrix_diag, "leverage"),
        (infl.cooks_distance[0], "cooks"),
        (infl.dffits[0], "dffits"),
    ):
        theirs = corpus.numbers(case.expected[key])
        same(ours[: len(theirs)], theirs, rtol=1e-8, atol=1e-10)


# -- penalties -------------------------------------------------------------------------------------------------

PENALTIES = [(0.1, 1.0), (0.1, 0.5), (0.05, 0.0), ([0.0, 0.1, 0.2, 0.3], 0.7), ([0.0, 0.5, 0.0, 0.5], 0.0)]


@pytest.mark.parametrize(("alpha", "share"), PENALTIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_elastic_net_as_in_statsmodels_and_by_its_conditions(df, alpha, share, weighted):
    y, x = df["y"].to_numpy(), sm.add_constant(np.column_stack([df["x"], df["w"], df["precision"]]))
    w = df["precision"].to_numpy() if weighted else np.ones(len(y))
    model = tm.WLS(y, x, w) if weighted else tm.OLS(y, x)
    ours = model.fit_regularized(alpha=alpha, L1_wt=share)
    theirs = (sm.WLS(y, x, w) if weighted else sm.OLS(y, x)).fit_regularized(
        alpha=np.array(alpha) if isinstance(alpha, list) else alpha,
        L1_wt=share,
        cnvrg_tol=1e-14,
        zero_tol=1e-10,
        maxiter=1000,
    )
    same(ours.params, theirs.params, rtol=1e-5, atol=1e-6)
    b = ours.params
    slope = (
        x.T @ (w * (y - x @ b)) / w.sum() - (1 - share) * np.asarray(alpha) * b
    )  # what the absolute values must balance
    limit = share * np.broadcast_to(alpha, b.shape)
    np.testing.assert_allclose(np.where(b != 0, slope - limit * np.sign(b), 0.0), 0.0, atol=1e-9)
    assert (np.abs(slope) <= limit + 1e-9).all()
    assert ours.converged
    same(ours.fittedvalues, x @ b)
    same(ours.predict(x[:3]), x[:3] @ b)


def test_penalised_estimates_without_standard_errors(df):
    ours = tm.OLS.from_formula(FORMULA, df).fit_regularized(alpha=0.1)
    theirs = smf.ols(FORMULA, df).fit_regularized(alpha=0.1)
    assert isinstance(theirs._results, RegularizedResults) and not hasattr(ours, "bse")
    same(ours.params, theirs.params, rtol=1e-5, atol=1e-6)
    assert list(ours.params.index) == list(theirs.params.index)
    same(ours.predict(df[:3]), theirs.predict(df[:3]), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="refit=True"):
        ours.summary()


def test_refitting_holds_zeros(df):
    model = tm.OLS.from_formula(FORMULA, df)
    kept = np.flatnonzero(np.asarray(model.fit_regularized(alpha=0.2).params))
    refit = model.fit_regularized(alpha=0.2, refit=True)
    small = tm.OLS(df["y"].to_numpy(), model.exog[:, kept]).fit()
    same(np.asarray(refit.params)[kept], small.params)
    same(np.asarray(refit.bse)[kept], small.bse)
    assert 0 < len(kept) < 5 and refit.params.drop(refit.params.index[kept]).eq(0).all()


def test_profiled_scale_is_a_stronger_penalty_at_unit_variance(df):
    """``log(s) / 2`` has the slope of ``s / 2`` at s = 1, so the first order conditions are those of alpha times s."""
    y, x = df["y"].to_numpy(), sm.add_constant(df[["x", "w"]].to_numpy())
    profiled = tm.OLS(y, x).fit_regularized(alpha=0.05, L1_wt=0.5, profile_scale=True)
    s = ((y - x @ profiled.params) ** 2).mean()
    same(profiled.params, tm.OLS(y, x).fit_regularized(alpha=0.05 * s, L1_wt=0.5).params, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "sqrt_lasso"}, "sqrt_lasso"),
        ({"method": "slsqp"}, "method must be"),
        ({"L1_wt": 1.5}, "L1_wt"),
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": [1.0, 2.0]}, "2 values"),
    ],
)
def test_penalties_that_are_none(df, options, words):
    with pytest.raises(ValueError, match=words):
        tm.OLS.from_formula(FORMULA, df).fit_regularized(**options)


# -- statsmodels' own functions on our results -----------------------------------------------------------------


def test_functions_of_statsmodels_take_our_results(df):
    ours, theirs = tm.OLS.from_formula(FORMULA, df).fit(), smf.ols(FORMULA, df).fit()
    same(het_breuschpagan(ours.resid, ours.model.exog), het_breuschpagan(theirs.resid, theirs.model.exog))
    found, expected = (acorr_breusch_godfrey(res, nlags=2, result_object=False) for res in (ours, theirs))
    same(found, expected, rtol=1e-8)
    for i in range(1, 5):
        same(variance_inflation_factor(ours.model.exog, i), variance_inflation_factor(theirs.model.exog, i))


@pytest.mark.parametrize("typ", [1, 2, 3])
def test_analysis_of_variance_as_in_statsmodels(df, typ):
    ours, theirs = tm.OLS.from_formula(FORMULA, df).fit(), smf.ols(FORMULA, df).fit()
    table, other = anova_lm(ours, typ=typ), anova_lm(theirs, typ=typ)
    assert list(table.index) == list(other.index)
    same(table, other, rtol=1e-8)


def test_analysis_of_variance_of_two_models(df):
    ours, theirs = (anova_lm(*reversed(nested(df, module))) for module in (tmf, smf))
    same(ours, theirs, rtol=1e-8)


def test_slim_summary(df):
    res = tm.OLS.from_formula(FORMULA, df).fit()
    full, slim = res.summary(), res.summary(slim=True)
    assert (len(full.tables), len(slim.tables)) == (3, 2)
    assert slim.tables[1].as_text() == full.tables[1].as_text()
    assert "R-squared" in slim.as_text() and "Omnibus" not in slim.as_text() and "AIC" not in slim.as_text()


def test_plots_of_influence(df):
    pytest.importorskip("matplotlib").use("agg")
    infl = tm.OLS.from_formula(FORMULA, df).fit().get_influence()
    assert len(infl.plot_influence().axes[0].collections[0].get_offsets()) == len(df)
    assert infl.plot_index("cooks").axes[0].get_ylabel() == "Cook's distance"
