"""Every number that R gave for a case of tests/reference, against ours.

What is compared follows from what a case holds: one test per case and key.  A key nobody has told the checks about fails, so
that nothing a new case brings goes unread.
"""

import numpy as np
import pandas as pd
import pytest
from reference import corpus
from reference.checks import checker, covariances, elementwise, relative
from reference.fits import fit, fitted

import torchmle as tm
from torchmle.errors import ConvergenceWarning, RankWarning

KINDS = ("ols", "wls", "poisson", "exponential_ph", "survreg", "blog", "normal")
NAMES = [name for name in corpus.cases(*KINDS) if name != "blog_c_mvn"] + ["edge_glm_poisson_saturated_haireye"]

# What this package does not offer, R's own bookkeeping, and what holds no number of a fit.
UNREAD = {
    "names", "stat_kind", "vcov_kind", "loglik_convention", "loglik_survreg_convention", "survreg_status_codes", "n_by_status",
    "bic_nobs", "df_null", "scale", "scale_fixed", "lr_chisq", "lr_df", "glm_default_tolerance", "n_clusters_inst",
    "deviance", "null_deviance", "cooks", "dffits", "anova_sequential", "anova_sequential_LRT", "margins_overall_dydx",
    "confint_profile_95", "confint_profile_95_MASS_spline", "published", "sd_unbiased", "var_ml", "log_sd", "log_sd_se",
}  # fmt: skip
UNREAD_OF_CHECK = {"how", "note", "max_shift_from_R_in_se", "last_newton_step_in_se", "max_rel_se_diff_observed_vs_R",
                   "loglik_diff_vs_R", "loglik"}  # fmt: skip
# What a kind of model does not have, or has by another convention: the null model of Poisson is here a constant, in R none
# when there is no intercept.
NOT_OF = {
    "ExponentialPH": {"pearson_chi2", "residuals", "loglik_null"},
    "AFT": {"residuals"},
    "binomial": {"pearson_chi2", "residuals", "loglik_null"},
    "no intercept": {"loglik_null"},
    "edge": {"vcov_opg"},  # scores of a saturated model are rounding errors
}

TOLERANCE = 1e-9
LOOSER = {  # where it is R that is less exact
    "pvalue": 1e-7,
    # glm() restarted at its own estimates still reports standard errors of the last iterate but one; `mle_check` agrees to 1e-9
    ("exponential_ph_veteran", "pvalue"): 1e-5,
    **{("exponential_ph_veteran", key): 1e-6 for key in ("se", "stat", "vcov", "vcov_opg", "leverage", "confint_95", "confint_90",
                                                         "vcov_HC0", "vcov_HC1", "vcov_HC2", "vcov_HC3")},
    # condition number 3e4; see test_robust_covariances_are_exact_where_r_loses_digits
    **{("ols_freeny_neweywest", key): 1e-8 for key in ("vcov_HC0", "vcov_HC1", "vcov_HC2", "vcov_HC3", "vcov_neweywest_lag0",
                                                       "vcov_neweywest_lag2", "vcov_neweywest_lag4")},
}  # fmt: skip


def absent(case):
    model = case["model"]
    kinds = [model["class"], model.get("family"), "no intercept" if "- 1" in case["formula"] else None, case["kind"]]
    return set().union(*(NOT_OF.get(kind, ()) for kind in kinds))


def questions():
    for name in NAMES:
        case = corpus.load(name)
        for part, ignored in (("expected", UNREAD | absent(case)), ("mle_check", UNREAD_OF_CHECK)):
            for key in case.get(part, {}):
                if key not in ignored and not key.startswith("rel_diff"):
                    yield pytest.param(name, part, key, id=f"{name}-{'mle-' if part == 'mle_check' else ''}{key}")


@pytest.mark.parametrize(("name", "part", "key"), list(questions()))
def test_agrees_with_r(name, part, key):
    check = checker(key)
    assert check is not None, f"nothing is known about {key!r}"
    tolerance = TOLERANCE if part == "mle_check" else LOOSER.get((name, key), LOOSER.get(key, TOLERANCE))
    assert check(fitted(name), corpus.load(name)[part][key]) <= tolerance


@pytest.mark.parametrize("name", corpus.cases("normal", "nist_univariate"))
def test_normal_distribution(name):
    expected, res = corpus.load(name)["expected"], fit(name)
    n, sd = res.nobs, res.params["sigma"]
    if "var_ml" in expected:
        assert elementwise(sd**2, expected["var_ml"]) < 1e-12
        assert elementwise(np.log(sd), expected["log_sd"]) < 1e-12
        assert elementwise(res.bse["sigma"] / sd, expected["log_sd_se"]) < 1e-12
    exact = expected.get("exact_for_double_data", expected)
    assert elementwise(sd * np.sqrt(n / (n - 1)), exact["sd_unbiased"]) < 1e-9
    assert elementwise(res.llf, exact["loglik"]) < 1e-9


@pytest.mark.parametrize("name", [*corpus.cases("mvn"), "blog_c_mvn"])
def test_multivariate_normal(name):
    expected, res = corpus.load(name)["expected"], fit(name)
    q = len(expected["mean"])
    assert res.converged
    assert relative(res.params[:q], expected["mean"]) < 1e-12
    assert covariances(res.cov.to_numpy(), expected["cov_ml"]) < 1e-12
    assert elementwise(res.bse[:q], expected["mean_se"]) < 1e-9
    lower = [(i, j) for i in range(q) for j in range(i + 1)]
    reported = dict(zip(res.names, res.bse, strict=True))
    theirs = {frozenset((res.cov.index[i], res.cov.index[j])): expected["cov_se"][i][j] for i, j in lower}
    ours = {frozenset(pair): reported[label] for pair, label in covariance_labels(res, lower).items()}
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[pair] / theirs[pair] - 1) for pair in theirs) < 1e-9
    assert elementwise(res.llf, expected["loglik"]) < 1e-12
    if "vcov_mean" in expected:
        assert covariances(res.covariance_array[:q, :q], expected["vcov_mean"]) < 1e-9
        assert covariances(res.corr.to_numpy(), expected["cor"]) < 1e-12
        assert (res.k_free, res.nobs) == (expected["n_params"], expected["nobs"])
        assert elementwise([res.aic, res.bic], [expected["aic"], expected["bic"]]) < 1e-12


def covariance_labels(res, pairs):
    """The label of each covariance in the table."""
    names = list(res.cov.index)
    found = {}
    for i, j in pairs:
        likely = {f"cov[{a}, {b}]" for a, b in ((names[i], names[j]), (names[j], names[i]))}
        (found[names[i], names[j]],) = likely & set(res.names)
    return found


def unread(part, *keys):
    """What a case holds of a fit beyond these keys."""
    return set(part) - set(keys) - UNREAD - UNREAD_OF_CHECK - {"levels", "baseline", "vcov_order", "weight_sum", "kind"}


@pytest.mark.parametrize("name", corpus.cases("mnlogit"))
def test_multinomial_logit(name):
    """nnet::multinom stops within 3e-7 standard errors of the maximum; `mle_check` is the maximum."""
    case, frame = corpus.load(name), corpus.frame(name)
    expected, exact = case["expected"], case["mle_check"]
    weights = {"freq_weights": case["options"]["weights"]} if "weights" in case["options"] else {}
    res = tm.MNLogit.from_formula(case["formula"], frame, **weights).fit(disp=False)
    theirs = expected["names_patsy"]
    assert res.model.exog_names == expected.get("patsy_column_order", theirs)
    assert (
        res.model._ynames_map == dict(enumerate(expected["levels"])) and expected["levels"][0] == expected["baseline"]
    )
    positions = [j * res.K + res.model.exog_names.index(label) for j in range(res.J - 1) for label in theirs]
    bse = res.bse.loc[theirs].to_numpy().T
    covariance = res.covariance_array[np.ix_(positions, positions)]
    for part, key, tolerance in ((expected, "coef", 1e-6), (exact, "coef", 1e-9)):
        assert np.abs((res.params.loc[theirs].to_numpy().T - corpus.numbers(part[key])) / bse).max() < tolerance
    assert elementwise(bse, expected["se"]) < 1e-6 and elementwise(bse, exact["se_observed"]) < 1e-9
    assert covariances(covariance, expected["vcov"]) < 1e-6 and covariances(covariance, exact["vcov_observed"]) < 1e-9
    ours = [res.llf, res.aic, res.llnull, res.k_free, -2 * res.llf, res.nobs]
    names = ["loglik", "aic", "loglik_null", "df_loglik", "deviance", "weight_sum"]
    assert elementwise(ours, [expected[key] for key in names]) < 1e-9
    assert elementwise(res.predict()[: len(expected["fitted_probs"])], expected["fitted_probs"]) < 1e-6
    if "predict" in expected:
        assert elementwise(res.predict(corpus.newdata(name)), expected["predict"]["probs"]) < 1e-6
    assert not unread(
        expected, *names, "coef", "se", "vcov", "nobs", "names_patsy", "patsy_column_order", "fitted_probs", "predict"
    )
    assert not unread(exact, "coef", "se_observed", "vcov_observed")


@pytest.mark.parametrize("name", corpus.cases("ordinal"))
def test_ordered_model(name):
    case, frame = corpus.load(name), corpus.frame(name)
    expected, exact = case["expected"], case["mle_check"]
    frame = frame.assign(rating=frame["rating"].cat.as_ordered())
    res = tm.OrderedModel.from_formula(case["formula"], frame, distr=case["model"]["link"]).fit(disp=False)
    names = [label.replace("|", "/") for label in expected["names_patsy"]]
    assert (
        res.names
        == [label for label in expected["patsy_column_order"] if label != "Intercept"] + names[: res.model.k_extra]
    )
    pairs = [(res.params, "coef"), (res.bse, "se"), (res.tvalues, "stat"), (res.pvalues, "pvalue")]
    assert max(elementwise(ours[names], expected[key]) for ours, key in pairs) < 1e-9
    for alpha, key in ((0.05, "confint_95"), (0.1, "confint_90")):
        assert elementwise(res.conf_int(alpha).loc[names], expected[key]) < 1e-9
    vcov = res.cov_params().loc[names, names].to_numpy()
    assert covariances(vcov, expected["vcov"]) < 1e-9 and covariances(vcov, exact["vcov_observed"]) < 1e-9
    assert (
        elementwise(res.params[names], exact["coef"]) < 1e-9
        and elementwise(res.bse[names], exact["se_observed"]) < 1e-9
    )
    ours = [res.llf, res.aic, res.k_free, res.nobs, res.model.k_extra]
    counts = ["loglik", "aic", "df_loglik", "nobs", "n_thresholds"]
    assert elementwise(ours, [expected[key] for key in counts]) < 1e-9
    assert elementwise(res.thresholds, expected["thresholds"]) < 1e-9
    assert elementwise(res.params[: res.model.k_vars], expected["beta"]) < 1e-9
    # MASS::polr stops earlier
    assert elementwise(res.thresholds, expected["polr_zeta"]) < 1e-5
    assert elementwise(res.params[: res.model.k_vars], expected["polr_beta"]) < 1e-5
    assert elementwise(res.llf, expected["polr_loglik"]) < 1e-9
    if "predict" in expected:
        assert elementwise(res.predict(corpus.newdata(name)), expected["predict"]["probs"]) < 1e-9
    assert not unread(expected, *counts, "coef", "se", "stat", "pvalue", "confint_95", "confint_90", "vcov", "thresholds", "beta",
                      "names_patsy", "patsy_column_order", "polr_zeta", "polr_beta", "polr_loglik", "predict")  # fmt: skip
    assert not unread(exact, "coef", "se_observed", "vcov_observed")


@pytest.mark.parametrize("name", corpus.cases("clogit"))
@pytest.mark.filterwarnings("ignore:Dropped:torchmle.errors.SpecificationWarning")
def test_conditional_logit(name):
    case = corpus.load(name)
    expected = case["expected"]
    res = tm.ConditionalLogit.from_formula(case["formula"], corpus.frame(name), **case["options"]).fit(disp=False)
    assert res.names == expected["names"]
    assert elementwise(res.params, expected["coef"]) < 1e-9 and elementwise(res.bse, expected["se"]) < 1e-9
    assert covariances(res.covariance_array, expected["vcov"]) < 1e-9
    assert elementwise([res.llf, res.llnull], [expected["loglik"], expected["loglik_null"]]) < 1e-9


CURVES = {"survival": "surv", "se": "se_greenwood_surv", "se_log": "se_log_surv", "n_risk": "n_risk", "n_event": "n_event",
          "n_censor": "n_censor"}  # fmt: skip


@pytest.mark.parametrize("name", corpus.cases("kaplan_meier"))
def test_kaplan_meier(name):
    case = corpus.load(name)
    response = case["model"]["response"]
    formula = f"Surv({response['time']}, {response['event']}) {case['formula']}"
    curves = list(tm.KaplanMeier.from_formula(formula, corpus.frame(name)).values())
    assert len(curves) == len(case["expected"]["curves"])
    for ours, theirs in zip(curves, case["expected"]["curves"], strict=True):
        table = ours.table.set_index("time").loc[theirs["time"]]
        assert len(ours.table) == theirs["n_times"]
        for column, key in CURVES.items():
            np.testing.assert_allclose(table[column], corpus.numbers(theirs[key]), rtol=1e-12, atol=1e-14)
        for kind in ("log", "log-log", "plain"):
            band = ours.conf_int(0.05, kind).loc[theirs["time"]]
            for side in ("lower", "upper"):
                np.testing.assert_allclose(
                    band[side], corpus.numbers(theirs[f"{side}_{kind.replace('-', '_')}"]), rtol=1e-11
                )
        assert ours.quantile(0.5) == (np.inf if theirs["median"] is None else theirs["median"])


def test_published_numbers_of_the_worked_examples():
    torch_post = fitted("blog_a_exponential_survival")
    published = torch_post.expected["published"]
    np.testing.assert_allclose(torch_post.coefficients(), published["coef"], atol=5e-7)
    np.testing.assert_allclose(torch_post.se, published["se"], atol=5e-7)
    assert round(torch_post.res.llf_log_time, 1) == published["loglik"]
    optim = fitted("blog_b_poisson")  # the post stopped short of the maximum by 1.9e-5
    np.testing.assert_allclose(optim.coefficients(), optim.expected["published"]["optim_coef"], atol=3e-5)


def test_collinear_columns_are_left_out_as_in_r():
    with pytest.warns(RankWarning, match="wt2, const"):
        res = fit("edge_ols_rank_deficient")
    expected = corpus.load("edge_ols_rank_deficient")["expected"]
    kept = expected["names_patsy"]
    assert res.names == expected["patsy_column_order"]
    assert res.dropped_columns == [name for name in res.names if name not in kept]
    assert res.params[res.dropped_columns].isna().all() and res.bse[res.dropped_columns].isna().all()
    assert elementwise(res.params[kept], expected["coef"]) < 1e-12
    assert elementwise(res.bse[kept], expected["se"]) < 1e-12
    assert covariances(res.cov_params().loc[kept, kept].to_numpy(), expected["vcov"]) < 1e-12
    assert elementwise(res.conf_int().loc[kept], np.array(expected["confint_95"])) < 1e-11
    assert elementwise(res.llf, expected["loglik"]) < 1e-12
    assert (res.k_free, res.df_resid) == (expected["rank"], expected["df_resid"])
    assert elementwise([res.rsquared, res.rsquared_adj], [expected["r2"], expected["adj_r2"]]) < 1e-12
    assert elementwise([res.fvalue, res.f_pvalue], [expected["fstat"]["value"], expected["fstat"]["pvalue"]]) < 1e-9
    assert relative(res.fittedvalues[:20], expected["fitted"]) < 1e-12


def test_survival_without_events_is_refused():
    with pytest.raises(ValueError, match="no events"):
        tm.ExponentialSurvival.from_formula("Surv(time, event) ~ x", corpus.frame("edge_survival_no_events"))


def test_complete_separation_is_no_convergence():
    assert corpus.load("edge_logit_complete_separation")["expected"]["mle_exists"] is False
    with pytest.warns(ConvergenceWarning):
        res = fit("edge_logit_complete_separation")
    assert not res.converged


def test_the_corpus_is_whole():
    for name in corpus.cases():
        case, found = corpus.load(name), corpus.frame(name)
        assert case["name"] == name
        assert len(found) == case["data"]["nrow"]
        assert isinstance(found, pd.DataFrame) and list(found.columns) == case["data"]["columns"]
