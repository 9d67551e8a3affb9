"""Every number that R gave for a generalised linear model of tests/reference, against ours.

R's conventions: expected information (where the link is not canonical it differs from the observed one, which `mle_check` has),
sandwiches with the expected bread, the dispersion counted in AIC and BIC and taken as deviance / n in the log-likelihood.
"""

import re
from functools import cache

import numpy as np
import pytest
from reference import corpus
from reference.checks import clusters, covariances, elementwise, first, in_se, newey_west, relative
from reference.fits import Fitted

import torchmle as tm
from torchmle import families
from torchmle.families import links
from torchmle.sums import row_map

NAMES = corpus.cases("glm", "quasi", "logit", "probit")
TOLERANCE = 1e-9

# R's own bookkeeping, what holds no number of a fit, what other tests look at.
UNREAD = {"names", "stat_kind", "vcov_kind", "df_null", "bic_nobs", "anova_sequential_LRT", "confint_profile_95_MASS_spline",
          "gamma_shape_ml", "gamma_shape_ml_se", "margins_overall_dydx", "how", "max_shift_from_R_in_se",
          "last_newton_step_in_se", "max_rel_se_diff_observed_vs_R"}  # fmt: skip
# R multiplies log-densities of a gamma by prior weights, as if rows were repeated; here they divide the dispersion.
WEIGHTED_GAMMA = {"loglik", "aic", "bic"}

FAMILIES = {
    "binomial": families.Binomial, "quasi_binomial": families.Binomial, "poisson": families.Poisson,
    "quasi_poisson": families.Poisson, "gamma": families.Gamma, "gaussian": families.Gaussian,
    "inverse_gaussian": families.InverseGaussian, "negative_binomial": families.NegativeBinomial, "tweedie": families.Tweedie,
}  # fmt: skip
LINKS = {
    "logit": links.Logit, "probit": links.Probit, "cauchit": links.Cauchy, "cloglog": links.CLogLog, "log": links.Log,
    "identity": links.Identity, "inverse": links.InversePower, "inverse_squared": links.InverseSquared, "sqrt": links.Sqrt,
}  # fmt: skip


def family_of(model):
    options = {"alpha": 1.0} if model["family"] == "negative_binomial" else {}
    options |= {"var_power": model["var_power"]} if "var_power" in model else {}
    return FAMILIES[model["family"]](LINKS[model["link"]](), **options)


def prior_weights(case):
    """R's weights by what they mean here."""
    kind = case["options"].get("weights_kind", "")
    if not kind:
        return {}
    return {"var_weights" if kind.startswith("variance") else "n_trials": case["options"]["weights"]}


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
def model_of(case, formula=None, **options):
    options = {**prior_weights(case), **options}
    options |= {"offset": case["options"]["offset"]} if "offset" in case["options"] else {}
    return tm.GLM.from_formula(
        formula or case["formula"], corpus.frame(case["name"]), family=family_of(case["model"]), **options
    )


def fit(case, formula=None):
    return model_of(case, formula).fit(scale="x2" if case["kind"] == "quasi" else None)


@cache
def fitted(name):
    case = corpus.load(name)
    return Fitted(case, corpus.frame(name), fit(case), case["expected"]["names_patsy"])


def students(fit):
    """The result with the reference distribution that R takes."""
    return fit.res.with_covariance("nonrobust", use_t=fit.expected["stat_kind"] == "t")


def r_criteria(fit):
    res = fit.res
    scale = {"scale": res.deviance / res.nobs} if res.family.estimates_scale else {}
    return res.information_criteria(count_scale=True, **scale)


def log_likelihood(fit, theirs):
    res = fit.res
    return elementwise(res.llf_scaled(res.deviance / res.nobs) if res.family.estimates_scale else res.llf, theirs)


def limits(alpha):
    def check(fit, theirs):
        return in_se(fit, np.asarray(students(fit).conf_int(alpha))[fit.positions].T, np.transpose(theirs))

    return check


def hat(fit):
    """Leverages by the expected information."""
    model, z = fit.res.model, fit.res.fit.z
    inverse = fit.res.with_covariance("eim").covariance_z / fit.res.scale
    return row_map(lambda block: model.block_leverage(z, block, inverse, expected=True), model.rows).numpy()


def residuals(fit, theirs):
    res, left = fit.res, np.sqrt(fit.res.scale * (1 - hat(fit)))
    response = res.resid_response / res.model.n_trials  # R: of shares
    ours = {
        "response": response, "deviance": res.resid_deviance, "pearson": res.resid_pearson, "working": res.resid_working,
        "deviance_standardized": res.resid_deviance / left, "pearson_standardized": res.resid_pearson / left,
    }  # fmt: skip
    assert set(theirs) <= {*ours, "studentized"}
    return max(relative(first(ours[key], theirs[key]), theirs[key]) for key in theirs if key in ours)


def cooks_distance(fit, theirs):
    h, pearson = hat(fit), np.asarray(fit.res.resid_pearson)
    ours = (pearson / (1 - h)) ** 2 * h / (fit.res.scale * fit.res.k_free)
    return relative(first(ours, theirs), theirs)


def predictions(fit, theirs):
    new = corpus.newdata(fit.case["name"])
    link, mean = fit.res.get_prediction(new, which="linear"), fit.res.get_prediction(new)
    return max(
        relative(link.predicted, theirs["link"]), elementwise(link.se, theirs["link_se"]),
        elementwise(mean.predicted, theirs["response"]), elementwise(mean.se, theirs["response_se"]),
        elementwise(fit.res.predict(new), theirs["response"]),
        elementwise(np.sort(mean.conf_int(), axis=1), np.sort(theirs["response_ci95_from_link"], axis=1))
        if "response_ci95_from_link" in theirs else 0.0,
    )  # fmt: skip


def without_term(fit, theirs):
    """Deviances of the model less one term."""
    worst = [elementwise(fit.res.deviance, theirs["Deviance"][0])]
    for term, deviance in list(zip(theirs["term"], theirs["Deviance"], strict=True))[1:]:
        ours = re.sub(r"(?<!np\.)\blog\(", "np.log(", term).replace("^", "**")
        worst.append(elementwise(fit_without(fit.case, ours).deviance, deviance))
    return max(worst)


def fit_without(case, term):
    response, _, right = case["formula"].partition("~")
    return fit(case, f"{response} ~ {right} - {term}")


def same_order(fit, theirs):
    assert fit.res.names == theirs
    return 0.0


def number(attribute):
    return lambda fit, theirs: elementwise(getattr(fit.res, attribute), theirs)


def covariance(cov_type=None, **options):
    return lambda fit, theirs: covariances(fit.covariance(cov_type, **options), theirs)


CHECKS = {
    "names_patsy": lambda fit, theirs: float(sorted(fit.res.names) != sorted(theirs)), "patsy_column_order": same_order,
    "coef": lambda fit, theirs: in_se(fit, fit.coefficients(), theirs),
    "se": lambda fit, theirs: elementwise(fit.se, theirs),
    "stat": lambda fit, theirs: elementwise(fit.coefficients() / fit.se, theirs),
    "pvalue": lambda fit, theirs: elementwise(np.asarray(students(fit).pvalues)[fit.positions], theirs),
    "confint_95": limits(0.05), "confint_90": limits(0.10),
    "vcov": covariance(), "vcov_opg": covariance("opg"),
    **{f"vcov_{kind}": covariance(kind, convention="R") for kind in ("HC0", "HC1", "HC2", "HC3")},
    "vcov_cluster_stratum": clusters("stratum"), "vcov_cluster_stratum_observed": clusters("stratum"),
    "nobs": number("nobs"), "rank": number("k_free"), "df_resid": number("df_resid"), "dispersion": number("scale"),
    "df_loglik": lambda fit, theirs: float(fit.res.k_free + fit.res.family.estimates_scale != theirs),
    "deviance": number("deviance"), "null_deviance": number("null_deviance"), "pearson_chi2": number("pearson_chi2"),
    "loglik": log_likelihood, "aic": lambda fit, theirs: elementwise(r_criteria(fit)["aic"], theirs),
    "bic": lambda fit, theirs: elementwise(r_criteria(fit)["bic"], theirs), "converged": number("converged"),
    "loglik_at_pearson_dispersion": number("llf"),
    "loglik_at_shape_ml": lambda fit, theirs: elementwise(fit.res.llf_scaled(1 / fit.expected["gamma_shape_ml"]), theirs),
    "linear_predictor": lambda fit, theirs: relative(first(fit.res.predict(which="linear"), theirs), theirs),
    "fitted": lambda fit, theirs: relative(first(fit.res.fittedvalues, theirs), theirs),
    "residuals": residuals, "leverage": lambda fit, theirs: relative(first(hat(fit), theirs), theirs),
    "cooks": cooks_distance, "predict": predictions, "drop1_LRT": without_term,
    "confint_profile_95": lambda fit, theirs: in_se(
        fit, np.asarray(fit.res.conf_int(method="profile"))[fit.positions].T, np.transpose(theirs)
    ),
    "vcov_observed": covariance("oim"), "vcov_HC0_observed": covariance("HC0"),
    "se_observed": lambda fit, theirs: elementwise(np.sqrt(np.diag(fit.covariance("oim"))), theirs),
}  # fmt: skip
PATTERNS = {
    "vcov_cluster_": lambda key: covariance("cluster", groups=key.removeprefix("vcov_cluster_"), convention="none"),
    "vcov_neweywest_": lambda key: newey_west,
}


def check_of(key):
    """The check of a key, exact or by the pattern it falls under."""
    return CHECKS.get(key) or next(make(key) for start, make in PATTERNS.items() if key.startswith(start))


LOOSER = {
    # complementary log-log: R ends some 1e-9 standard errors from the maximum
    ("glm_binomial_birthwt_bool_cloglog", "predict"): 1e-8, ("glm_binomial_pima_miss", "stat"): 1e-8,
    "confint_profile_95": 1e-6, "pvalue": 1e-7,
    # 3,020 rows: sandwich's numbers differ from `mle_check` by 1e-9 too
    **{("glm_binomial_cloglog_wells", f"vcov_{kind}"): 1e-8 for kind in ("HC0", "HC1", "HC2", "HC3", "opg")},
}  # fmt: skip


def questions():
    for name in NAMES:
        case = corpus.load(name)
        unread = UNREAD | (WEIGHTED_GAMMA if "var_weights" in prior_weights(case) else set())
        for part in ("expected", "mle_check"):
            for key in case[part].keys() - unread:
                yield pytest.param(name, part, key, id=f"{name}-{'mle-' if part == 'mle_check' else ''}{key}")


@pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
@pytest.mark.parametrize(("name", "part", "key"), sorted(questions(), key=lambda question: question.id))
def test_agrees_with_r(name, part, key):
    assert check_of(key)(fitted(name), corpus.load(name)[part][key]) <= LOOSER.get(
        (name, key), LOOSER.get(key, TOLERANCE)
    )


def test_frequency_weights_are_rs_prior_weights_but_count_in_the_degrees_of_freedom():
    case = corpus.load("glm_binomial_freqweights_ucb")
    frame, expected = corpus.frame(case["name"]), case["expected"]
    res = tm.GLM.from_formula(case["formula"], frame, family=families.Binomial(), freq_weights="Freq").fit()
    names = expected["names_patsy"]
    assert elementwise(res.params[names], expected["coef"]) < 1e-9
    assert elementwise(res.bse[names], expected["se"]) < 1e-9
    assert elementwise([res.llf, res.deviance, res.null_deviance],
                       [expected["loglik"], expected["deviance"], expected["null_deviance"]]) < 1e-9  # fmt: skip
    assert res.df_resid == frame["Freq"].sum() - 7


@pytest.mark.parametrize("name", corpus.cases("logit", "probit"))
def test_logit_and_probit_models(name):
    case = corpus.load(name)
    expected, check, names = case["expected"], case["mle_check"], case["expected"]["names_patsy"]
    res = getattr(tm, case["kind"].title()).from_formula(case["formula"], corpus.frame(name)).fit(disp=False)

    def covariance(kind, **options):
        return res.with_covariance(kind, options).cov_params().loc[names, names].to_numpy()

    assert np.max(np.abs(res.params[names] - expected["coef"]) / expected["se"]) < 1e-9
    assert covariances(covariance("nonrobust"), check["vcov_observed"]) < 1e-9
    assert covariances(covariance("eim"), expected["vcov"]) < 1e-9
    assert covariances(covariance("HC0"), check["vcov_HC0_observed"]) < 1e-9
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        assert covariances(covariance(kind, convention="R"), expected[f"vcov_{kind}"]) < 1e-9
    found = [res.llf, res.aic, res.bic, -2 * res.llnull, 2 * (res.llf - res.llnull)]
    theirs = [
        *(expected[key] for key in ("loglik", "aic", "bic", "null_deviance")),
        expected["null_deviance"] - expected["deviance"],
    ]
    assert elementwise(found, theirs) < 1e-9
    shown = {"response": res.resid_response, "pearson": res.resid_pearson, "deviance": res.resid_dev}
    for key, ours in shown.items():
        assert relative(first(ours, expected["residuals"][key]), expected["residuals"][key]) < 1e-9
    new = res.get_prediction(corpus.newdata(name))
    assert elementwise(new.predicted, expected["predict"]["response"]) < 1e-9
    if case["kind"] == "logit":  # canonical: observed is expected
        assert elementwise(new.se, expected["predict"]["response_se"]) < 1e-9
        assert elementwise(new.conf_int(), expected["predict"]["response_ci95_from_link"]) < 1e-9
