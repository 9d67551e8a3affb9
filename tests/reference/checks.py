"""One function per kind of number: the largest deviation of ours from theirs.

Deviations are relative to the quantity, those of coefficients to standard errors; covariances are compared as standard errors
and correlations.
"""

import numpy as np

import torchmle as tm
from torchmle.covariance.sandwich import leverage

from . import corpus
from .fits import fit as fit_case
from .fits import formula_of


def relative(ours, theirs):
    """Largest deviation relative to the largest value."""
    ours, theirs = np.asarray(ours, float), corpus.numbers(theirs)
    assert ours.shape == theirs.shape
    size = np.abs(theirs).max(initial=0.0)
    return float(np.abs(ours - theirs).max(initial=0.0) / (size if size > 0 else 1.0))


def elementwise(ours, theirs):
    """Largest relative deviation of any element."""
    ours, theirs = np.asarray(ours, float), corpus.numbers(theirs)
    assert ours.shape == theirs.shape
    return float(np.max(np.abs(ours - theirs) / np.where(theirs == 0, 1.0, np.abs(theirs)), initial=0.0))


def covariances(ours, theirs):
    """Largest deviation of a covariance matrix scaled to a unit diagonal."""
    theirs = corpus.numbers(theirs)
    assert ours.shape == theirs.shape
    scale = np.sqrt(np.diag(theirs))
    return float(np.max(np.abs(ours - theirs) / np.outer(scale, scale), initial=0.0))


def in_se(fit, ours, theirs):
    """Largest deviation in standard errors."""
    return float(np.max(np.abs(np.asarray(ours) - corpus.numbers(theirs)) / fit.se, initial=0.0))


def first(values, theirs):
    return np.asarray(values, float)[: len(theirs)]


def linear(fit):
    return fit.kind in ("OLS", "WLS")


# -- one function per key: deviation from what the case holds ----------------------------------------------------------


def limits(alpha):
    def check(fit, theirs):
        ours = fit.sign * np.asarray(fit.res.conf_int(alpha))[fit.positions]
        return in_se(fit, np.sort(ours, axis=1).T, np.sort(corpus.numbers(theirs), axis=1).T)

    return check


def log_likelihood(fit, theirs):
    return elementwise(fit.res.llf_log_time if fit.kind == "ExponentialPH" else fit.res.llf, theirs)


def criterion(name):
    def check(fit, theirs):  # R counts the variance of a linear model
        each = 2 if name == "aic" else np.log(fit.res.nobs)
        shift = each if linear(fit) else 0
        if fit.kind == "ExponentialPH":  # glm's likelihood is that of log time
            shift = 2 * (fit.res.llf - fit.res.llf_log_time)
        return elementwise(getattr(fit.res, name) + shift, theirs)

    return check


def f_statistic(fit, theirs):
    res = fit.res
    assert (res.df_model, res.df_resid) == (theirs["df1"], theirs["df2"])
    return max(elementwise(res.fvalue, theirs["value"]), elementwise(res.f_pvalue, theirs["pvalue"]))


def residuals(fit, theirs):
    # R's Pearson residuals of a linear model are not divided by sigma
    pearson = fit.res.wresid if linear(fit) else fit.res.resid_pearson
    worst = 0.0
    for ours, key in ((fit.res.resid, "response"), (pearson, "pearson")):
        values = corpus.numbers(theirs[key])
        if np.abs(values).max() < 1e-9:  # a saturated model leaves rounding errors
            assert np.abs(ours).max() < 1e-9
        else:
            worst = max(worst, relative(first(ours, values), values))
    return worst


def pearson_chi2(fit, theirs):
    ours = np.square(fit.res.resid_pearson).sum()
    return elementwise(ours, theirs) if theirs > 1e-9 else ours


def log_hazards(fit, theirs):
    return in_se(fit, -fit.coefficients(), theirs)


def hazard_ratios(fit, theirs):
    return elementwise(fit.res.tidy(exponentiate=True)["estimate"].iloc[fit.positions], theirs)


def sum_of_log_times(fit, theirs):
    return elementwise(fit.res.llf_log_time - fit.res.llf, theirs)


def fitted_values(fit, theirs):
    ours = np.asarray(fit.res.predict())
    if fit.kind == "ExponentialPH":  # glm's expected counts: the cumulative hazard
        ours = fit.res.model.endog / ours
    return relative(first(ours, theirs), theirs)


def linear_predictor(fit, theirs):
    ours = fit.sign * np.asarray(fit.res.predict(which="linear"))
    if fit.kind == "ExponentialPH":
        ours = ours + np.log(fit.res.model.endog)
    return relative(first(ours, theirs), theirs)


def leverages(fit, theirs):
    ours = leverage(fit.res.model, fit.res.fit.z, fit.res.fit.bread).numpy()
    return relative(first(ours, theirs), theirs)


def clusters(group):
    def check(fit, theirs):
        none = fit.covariance("cluster", groups=group, convention="none")
        if not isinstance(theirs, dict):
            return covariances(none, theirs)
        groups = theirs["groups"]
        other = fit.covariance("cluster", groups=group, use_correction=False)
        worst = [covariances(other, theirs["HC0_nocadjust"]), covariances(none, theirs["HC0_nocadjust"])]
        worst.append(covariances(none * groups / (groups - 1), theirs["HC0_cadjust"]))
        for convention in ("statsmodels", "R", "stata"):
            full = linear(fit) or convention == "statsmodels"
            ours = fit.covariance("cluster", groups=group, convention=convention)
            worst.append(covariances(ours, theirs["HC1_cadjust" if full else "HC0_cadjust"]))
        assert fit.res.with_covariance("cluster", {"groups": group}).df_inference == groups - 1
        return max(worst)

    return check


def newey_west(fit, theirs):
    plain = fit.covariance("HAC", maxlags=theirs["lag"])
    adjusted = fit.covariance("HAC", maxlags=theirs["lag"], use_correction=True)
    return max(covariances(plain, theirs["noadjust"]), covariances(adjusted, theirs["adjust"]))


def predictions(fit, theirs):
    new = corpus.newdata(fit.case["name"])
    if fit.kind == "AFT":
        return survival_predictions(fit, theirs, new)
    prediction = fit.res.get_prediction(new)
    if linear(fit):
        table = prediction.summary_frame(alpha=0.05)
        columns = {
            "mean": "mean", "se": "mean_se", "ci_lower": "mean_ci_lower", "ci_upper": "mean_ci_upper",
            "pi_lower": "obs_ci_lower", "pi_upper": "obs_ci_upper",
        }  # fmt: skip
        assert relative(fit.res.predict(new), theirs["mean"]) < 1e-9
        return max(relative(table[columns[key]], values) for key, values in theirs.items())
    link = fit.res.get_prediction(new, which="linear")
    return max(
        relative(link.predicted, theirs["link"]), elementwise(link.se, theirs["link_se"]),
        elementwise(prediction.predicted, theirs["response"]), elementwise(prediction.se, theirs["response_se"]),
        elementwise(prediction.conf_int(), theirs["response_ci95_from_link"]),
        elementwise(fit.res.predict(new), theirs["response"]),
    )  # fmt: skip


def survival_predictions(fit, theirs, new):
    link, mean = fit.res.get_prediction(new, which="linear"), fit.res.get_prediction(new)
    median = fit.res.get_prediction(new, which="median")
    at = theirs["quantile_p"].index(0.5)
    shape = (len(theirs["lp"]), -1)  # R drops the dimension of a single row
    half, half_se = (corpus.numbers(theirs[key]).reshape(shape)[:, at] for key in ("quantile", "quantile_se"))
    hazard = corpus.numbers(theirs["hazard"])[:, 0]
    return max(
        elementwise(-link.predicted, theirs["lp"]), elementwise(link.se, theirs["lp_se"]),
        elementwise(mean.predicted, theirs["response"]), elementwise(mean.se, theirs["response_se"]),
        elementwise(median.predicted, half), elementwise(median.se, half_se),
        elementwise(fit.res.predict(new, which="hazard"), hazard),
    )  # fmt: skip


def wald_tests(fit, theirs):
    worst = []
    for test in theirs:
        restrictions = np.zeros((len(test["R"]), len(fit.res.names)))
        restrictions[:, fit.positions] = test["R"]
        hypothesis = (restrictions, test["q"])
        f, chi2 = fit.res.f_test(hypothesis), fit.res.wald_test(hypothesis, use_f=False)
        assert (f.df_num, f.df_denom, chi2.df_num) == (test["df1"], test["df2"], test["df1"])
        robust = fit.res.with_covariance("HC1").f_test(hypothesis)
        worst += [elementwise(f.statistic, test["F"]), elementwise(f.pvalue, test["pvalue_F"])]
        worst += [elementwise(chi2.statistic, test["chisq"]), elementwise(chi2.pvalue, test["pvalue_chisq"])]
        worst.append(elementwise(robust.statistic, test["F_HC1"]))
    return max(worst)


def without_term(fit, theirs):
    """F tests and likelihood-ratio tests of leaving out one term."""
    rows = list(zip(theirs["term"], theirs["Df"], theirs.get("F_value", theirs.get("LRT")), strict=True))
    worst = []
    for term, df, statistic in rows[1:]:
        ours = term.replace("factor(", "C(").replace("^", "**").replace("log(", "np.log(")
        if linear(fit):
            test = fit.res.wald_test_terms().table.loc[patsy_term(fit, ours)]
            assert (test["df_constraint"], test["df_denom"]) == (df, fit.res.df_resid)
            worst.append(elementwise(test["statistic"], statistic))
        elif len(rows) > 2 or "- 1" not in fit.case["formula"]:  # something is left of the model
            test = fit.res.lr_test(fit_case(fit.case["name"], f"{formula_of(fit.case['name'])} - {ours}"))
            assert test.df_diff == df
            worst.append(abs(test.statistic - statistic) / (1 + abs(statistic)))
    return max(worst, default=0.0)


def patsy_term(fit, term):
    """The label of a term, whatever the order of the factors in it."""
    labels = {frozenset(label.replace(" ", "").split(":")): label for label in fit.res.wald_test_terms().table.index}
    return labels[frozenset(term.replace(" ", "").split(":"))]


def null_likelihood(fit, theirs):
    if fit.kind == "AFT":
        formula = formula_of(fit.case["name"]).split("~")[0] + "~ 1"
        rows = fit.frame.iloc[fit.rows()]
        null = tm.ExponentialSurvival.from_formula(formula, rows).fit()
        return elementwise(null.llf, theirs)
    return elementwise(fit.res.llnull, theirs)


def same_rows(fit, theirs):
    np.testing.assert_array_equal(fit.rows(), theirs)
    return 0.0


def same_order(fit, theirs):
    assert fit.res.names == theirs
    return 0.0


def same_names(fit, theirs):
    assert sorted(fit.res.names) == sorted(theirs)
    return 0.0


def proportional_hazards(fit, theirs):
    hazards = np.asarray(fit.res.params)[fit.positions]
    return max(in_se(fit, hazards, theirs["log_hazard_ratio"]), covariances(fit.covariance(), theirs["vcov"]))


def maximum_likelihood(fit, theirs):
    """A linear model with its variance as a parameter."""
    case = fit.case["name"]
    res = tm.Normal.from_formula(formula_of(case), corpus.frame(case)).fit()
    assert [*res.names[:-1], "log_sigma"] == theirs["names"]
    params, se, sigma = np.asarray(res.params).copy(), np.asarray(res.bse).copy(), res.params["sigma"]
    params[-1], se[-1] = np.log(sigma), se[-1] / sigma
    return max(float((np.abs(params - theirs["coef"]) / se).max()), elementwise(se, theirs["se"]))


def fixed_sigma(fit, theirs):
    res = tm.Normal.from_formula(formula_of(fit.case["name"]), fit.frame, sigma=1.0).fit()
    ours = res.params["Intercept"], res.bse["Intercept"], res.llf
    return elementwise(ours, [theirs["mean"], theirs["mean_se"], theirs["loglik"]])


def kaplan_meier(fit, theirs):
    response = fit.case["model"]["response"]
    curve = tm.KaplanMeier(fit.frame[response["time"]], fit.frame[response["event"]])
    table, band = curve.table.set_index("time"), curve.conf_int()
    at = [table.index[table.index <= time].max() for time in theirs["times"]]
    pairs = ((curve.survival(theirs["times"]), "surv"), (table.loc[at, "se"], "se"),
             (band.loc[at, "lower"], "lower_log"), (band.loc[at, "upper"], "upper_log"))  # fmt: skip
    return max(elementwise(ours, theirs[key]) for ours, key in pairs)


def number(attribute, transform=lambda x: x):
    return lambda fit, theirs: elementwise(transform(getattr(fit.res, attribute)), theirs)


def covariance(cov_type=None, **options):
    return lambda fit, theirs: covariances(fit.covariance(cov_type, **options), theirs)


CHECKS = {
    "names_patsy": same_names, "patsy_column_order": same_order, "rows_used_0based": same_rows,
    "coef": lambda fit, theirs: in_se(fit, fit.coefficients(), theirs),
    "se": lambda fit, theirs: elementwise(fit.se, theirs),
    "stat": lambda fit, theirs: elementwise(fit.coefficients() / fit.se, theirs),
    "pvalue": lambda fit, theirs: elementwise(np.asarray(fit.res.pvalues)[fit.positions], theirs),
    "confint_95": limits(0.05), "confint_90": limits(0.10), "vcov": covariance(), "vcov_opg": covariance("opg"),
    "vcov_robust": covariance("HC0"), **{f"vcov_{kind}": covariance(kind) for kind in ("HC0", "HC1", "HC2", "HC3")},
    "nobs": number("nobs"), "rank": number("k_free"), "df_model_total": number("k_free"), "df_resid": number("df_resid"),
    "df_loglik": lambda fit, theirs: elementwise(fit.res.k_free + linear(fit), theirs), "dispersion": number("scale"),
    "sigma": number("scale", np.sqrt), "rss": number("ssr"), "r2": number("rsquared"), "adj_r2": number("rsquared_adj"),
    "fstat": f_statistic, "loglik": log_likelihood, "loglik_survreg": number("llf"), "loglik_null": null_likelihood,
    "aic": criterion("aic"), "bic": criterion("bic"), "bic_n": criterion("bic"), "converged": number("converged"),
    "pearson_chi2": pearson_chi2,
    "fitted": fitted_values, "linear_predictor": linear_predictor, "residuals": residuals, "leverage": leverages,
    "predict": predictions, "wald_tests": wald_tests, "drop1_F": without_term, "drop1_LRT": without_term,
    "survreg_coef": log_hazards, "n_failures": number("failures"),
    "time_at_risk": number("time_at_risk"), "sum_d_log_t": sum_of_log_times,
    "hazard_ratio": hazard_ratios,
    "ph_parameterisation": proportional_hazards, "mle": maximum_likelihood, "fixed_scale_1": fixed_sigma,
    "kaplan_meier": kaplan_meier,
    "p": lambda fit, theirs: elementwise(fit.res.get_prediction(fit.frame[:1]).predicted[0], theirs),
    "p_se": lambda fit, theirs: elementwise(fit.res.get_prediction(fit.frame[:1]).se[0], theirs),
    "vcov_observed": covariance(), "vcov_HC0_observed": covariance("HC0"), "vcov_robust_observed": covariance("HC0"),
    "se_observed": lambda fit, theirs: elementwise(fit.se, theirs),
}  # fmt: skip
PATTERNS = {"vcov_cluster_": clusters, "vcov_neweywest_": lambda _: newey_west}


def checker(key):
    """The function that checks a key; None for a key nobody has told this file about."""
    if key in CHECKS:
        return CHECKS[key]
    for prefix, make in PATTERNS.items():
        if key.startswith(prefix):
            return make(key.removeprefix(prefix).removesuffix("_observed"))
    return None
