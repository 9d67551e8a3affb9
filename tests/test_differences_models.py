"""docs/differences.md: the numbers of counts, choices, likelihoods of one's own, margins, predictions and data."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from differing import (
    Difference,
    X,
    category,
    counts,
    df,
    even,
    events,
    exposure,
    frame,
    n,
    normal,
    positive,
    repeat,
    row,
    w,
    zeros,
)
from mpmath import mp, mpf
from reference import corpus
from scipy import stats
from scipy.special import expit
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.discrete.diagnostic import PoissonDiagnostic
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools.numdiff import approx_fprime

import torchmle.api as tm
import torchmle.formula.api as tmf


def poisson(s, x=X, y=counts, **options):
    return s.Poisson(y, x, **options).fit(disp=0)


def errors(hessian):
    return np.sqrt(np.diag(np.linalg.inv(-np.asarray(hessian))))


# -- counts -------------------------------------------------------------------------------------------------------------------


@row("NegativeBinomial(P) on counts that are not overdispersed")
def test_no_dispersion():
    theirs, ours = (s.NegativeBinomial(even, X).fit(disp=0) for s in (sm, tm))
    assert theirs.mle_retvals["converged"] and np.isnan(theirs.bse).all() and theirs.llf < -91.8282
    limit = poisson(sm, y=even)
    np.testing.assert_allclose(ours.llf, limit.llf, rtol=1e-12)
    return Difference(theirs.bse, ours.bse, judge=[*limit.bse, np.nan])


@row("zero-inflated models without excess zeros")
def test_no_excess_zeros():
    theirs, ours = (s.ZeroInflatedPoisson(even, X).fit(disp=0, maxiter=500) for s in (sm, tm))
    assert -13 < theirs.params[0] < -12.5 and theirs.bse[0] > 170 and np.isneginf(ours.params[0])
    return Difference(theirs.bse, ours.bse, judge=[np.nan, *poisson(sm, y=even).bse])


@row("interval of a dispersion or another transformed parameter")
def test_interval_of_alpha():
    theirs = sm.NegativeBinomial(counts, X).fit(disp=0, method="newton").conf_int()[-1]
    res = tm.NegativeBinomial(counts, X).fit(disp=0)
    alpha, se, z = res.params[-1], res.bse[-1], stats.norm.ppf(0.975)
    judge = alpha * np.exp([-z * se / alpha, z * se / alpha])
    return Difference(theirs, res.conf_int()[-1], [alpha - z * se, alpha + z * se], judge, rtol=1e-6)


@row("NegativeBinomial: log-gamma differences")
def test_small_dispersion():
    params = np.array([0.6, 0.2, -0.04, 1e-8])
    mp.dps, size = 60, 1 / mpf(1e-8)
    means = [mp.exp(mp.fdot(line, map(mpf, params[:3]))) for line in X]
    judge = sum(
        mp.loggamma(size + y) - mp.loggamma(size) - mp.loggamma(y + 1)
        + size * mp.log(size / (size + mu)) + y * mp.log(mu / (size + mu)) for y, mu in zip(counts, means, strict=True)
    )  # fmt: skip
    theirs, ours = (s.NegativeBinomial(counts, X).loglike(params) for s in (sm, tm))
    return Difference(theirs, ours, judge=float(judge), judge_rtol=1e-12)


@row("NegativeBinomialP.hessian at p other than")
def test_hessian_of_negative_binomial_p():
    res, model = tm.NegativeBinomialP(counts, X, p=1.5).fit(disp=0), sm.NegativeBinomialP(counts, X, p=1.5)
    judge = errors(approx_fprime(res.params, model.score, centered=True))
    return Difference(errors(model.hessian(res.params)), res.bse, judge=judge)


@row("ZeroInflatedPoisson.hessian is not")
def test_hessian_of_zero_inflated_poisson():
    res, model = tm.ZeroInflatedPoisson(zeros, X).fit(disp=0), sm.ZeroInflatedPoisson(zeros, X)
    by_r = [0.312762065109, 0.1535043025725, 0.1189761438018, 0.0946537927924]
    return Difference(errors(model.hessian(res.params)), res.bse, judge=by_r, judge_rtol=1e-6)


@row('ZeroInflatedPoisson.predict(which="prob") leaves')
def test_probabilities_of_exposed_counts():
    res, model = (s.ZeroInflatedPoisson(zeros, X, exposure=exposure) for s in (tm, sm))
    res, many = res.fit(disp=0), {"which": "prob", "y_values": np.arange(80)}
    theirs = model.predict(res.params, **many) @ np.arange(80)
    ours, way = (res.predict(X, exposure=by, **many) @ np.arange(80) for by in (exposure, np.ones(n)))
    return Difference(theirs, ours, way, res.predict())


@row("llr_pvalue of zero-inflated models")
def test_degrees_of_freedom_of_inflation():
    ours = tm.ZeroInflatedPoisson(zeros, X, exog_infl=X[:, :2]).fit(disp=0)
    theirs = sm.ZeroInflatedPoisson(zeros, X, exog_infl=X[:, :2])
    theirs = theirs.fit(disp=0, start_params=ours.params, method="newton")
    way, judge = (stats.chi2.sf(ours.llr, df) for df in (ours.df_model, 5 - 2))
    return Difference(theirs.llr_pvalue, ours.llr_pvalue, way, judge, rtol=1e-7)


@row('test_dispersion: "CT nb1"')
def test_dispersion_test_by_regression():
    theirs = PoissonDiagnostic(poisson(sm)).test_dispersion().summary_frame().statistic.iloc[4]
    ours = poisson(tm).get_diagnostic().test_dispersion().summary_frame().statistic
    mu = poisson(tm).predict()
    judge = stats.ttest_1samp(((counts - mu) ** 2 - counts) / mu, 0).statistic
    return Difference(theirs, ours[4], ours[3], judge)


@row("test_poisson_zeroinflation, of van den Broek")
def test_added_zeros():
    fits = [poisson(s, X[:, 1:], zeros) for s in (sm, tm)]
    theirs = PoissonDiagnostic(fits[0]).test_poisson_zeroinflation(method="broek").statistic
    ours, mu, x = fits[1].get_diagnostic().test_poisson_zeroinflation().statistic, fits[1].predict(), X[:, 1:]
    score = np.where(zeros == 0, np.expm1(mu), -1).sum()
    y = np.arange(80)
    pmf, slope = stats.poisson.pmf(y, mu[:, None]), np.where(y == 0, np.expm1(mu)[:, None], -1)
    cross = x.T @ (pmf * slope * (y - mu[:, None])).sum(1)  # expectations, term by term
    variance = (pmf * slope**2).sum() - cross @ np.linalg.solve((x.T * mu) @ x, cross)
    way = score / np.sqrt(np.expm1(mu).sum() - zeros.sum())
    return Difference(theirs, ours, way, score / np.sqrt(variance))


# -- choices ------------------------------------------------------------------------------------------------------------------

levels = np.digitize(normal + np.random.default_rng(0).logistic(size=n) * 0.5, [0, 1, 2])


@row("OrderedModel reports the first threshold and logarithms")
def test_thresholds():
    options = {"method": "bfgs", "disp": 0, "gtol": 1e-10, "maxiter": 2000}
    theirs, ours = OrderedModel(levels, X[:, 1:], distr="logit"), tm.OrderedModel(levels, X[:, 1:], distr="logit")
    theirs, ours = theirs.fit(**options), ours.fit(disp=0)
    judge = [theirs.params[2], *(theirs.params[2] + np.exp(theirs.params[3:]).cumsum())]
    return Difference(theirs.params[2:], ours.params[2:], ours.increments().effect, judge, rtol=1e-6)


@row("OrderedModel: a category of a pandas Categorical that no row has")
def test_empty_categories():
    data = frame[["x", "z"]]
    first = pd.Series(pd.Categorical(levels, categories=[-1, 0, 1, 2, 3], ordered=True))
    theirs = OrderedModel(first, data, distr="logit").fit(method="bfgs", disp=0)
    ours, judge = (tm.OrderedModel(y, data, distr="logit").fit(disp=0).params for y in (first, levels))
    return Difference(theirs.params[:2], ours[:2], judge=judge[:2])


@row("MNLogit: HC2 and HC3")
def test_leverages_of_several_predictors():
    def errors(s, kind):
        return s.MNLogit(category, X).fit(disp=0, cov_type=kind).bse

    return Difference(errors(sm, "HC3"), errors(tm, "HC3"), errors(tm, "HC0"), rtol=1e-6)


@row("MNLogit: a string response in a formula")
def test_named_categories():
    data = df.assign(c=np.array(["a", "b", "c"])[category], k=category)
    with pytest.raises(ValueError, match="multiple columns"):
        smf.mnlogit("c ~ x", data)
    ours = tmf.mnlogit("c ~ x", data).fit(disp=0).params
    return Difference(np.full((2, 2), np.nan), ours, judge=smf.mnlogit("k ~ x", data).fit(disp=0, tol=1e-14).params)


@row("MNLogit with collinear columns")
def test_collinear_choices():
    x = np.column_stack([X, X[:, 1]])
    with pytest.raises(np.linalg.LinAlgError):
        sm.MNLogit(category, x).fit(disp=0)
    ours = tm.MNLogit(category, x).fit(disp=0).params
    judge = sm.MNLogit(category, X).fit(disp=0, tol=1e-14).params
    return Difference(np.full((4, 2), np.nan), ours, judge=[*judge, [np.nan, np.nan]])


@row("ConditionalLogit: Hessian by finite differences")
def test_conditional_logit():
    data = corpus.frame("clogit_infert_groups")
    y, x, groups = data["case"].to_numpy(), data[["spontaneous", "induced"]].to_numpy(), data["stratum"].to_numpy()
    theirs, ours = (model(y, x, groups=groups).fit(disp=0) for model in (ConditionalLogit, tm.ConditionalLogit))
    by_r = [1.9858755166824, 1.4090116318794]
    np.testing.assert_allclose(ours.bse, [0.35244353980785, 0.36071243624950], rtol=1e-9)
    return Difference(theirs.params, ours.params, judge=by_r, judge_rtol=1e-9)


# -- likelihoods of one's own, score tests, penalties -----------------------------------------------------------------------------


def own(base):
    class Counts(base):
        def nloglikeobs(self, params):
            return -stats.poisson.logpmf(self.endog, np.exp(self.exog @ params))

    return Counts(counts, X[:, 1:]).fit(disp=0, start_params=[0.1, 0.1], method="bfgs")


@row("GenericLikelihoodModel: aic and bic count")
def test_parameters_are_counted():
    theirs, ours = own(GenericLikelihoodModel), own(tm.GenericLikelihoodModel)
    way = -2 * ours.llf + 2 * (ours.df_model + ours.model.k_constant + ours.model.k_extra)
    return Difference(theirs.aic, ours.aic, way, poisson(sm, X[:, 1:]).aic)


@row("GenericLikelihoodModel: differences of first and second order")
def test_differences_of_numpy_code():
    judge = sm.Poisson(counts, X[:, 1:]).fit(disp=0, tol=1e-14).bse
    return Difference(own(GenericLikelihoodModel).bse, own(tm.GenericLikelihoodModel).bse, judge=judge)


@row("a subclass of Poisson, Logit, GLM … may override")
def test_penalties_of_ones_own():
    def penalised(base):
        class Mine(base):
            def loglike(self, params):
                return stats.poisson.logpmf(self.endog, np.exp(self.exog @ params)).sum() - 5 * np.sum(params**2)

        return Mine(counts, X)

    with pytest.raises(TypeError, match="no part in the fit"):
        penalised(tm.Poisson)
    theirs = penalised(sm.Poisson).fit(disp=0).params  # by Newton, which does not look at loglike
    ours = penalised(tm.GenericLikelihoodModel).fit(disp=0, start_params=np.zeros(3)).params
    score = X.T @ (counts - np.exp(X @ ours)) - 10 * ours
    np.testing.assert_allclose(score, 0, atol=1e-5)
    return Difference(theirs, ours, poisson(tm).params)


@row('score_test(cov_type="HC0")')
def test_robust_score_test():
    theirs, ours = (poisson(s, X[:, :2]).score_test(exog_extra=X[:, 2:], cov_type="HC0").statistic for s in (sm, tm))
    small, full = poisson(tm, X[:, :2]), tm.Poisson(counts, X)
    params = np.r_[small.params, 0]
    scores, root = full.score_obs(params), np.sqrt(small.predict())[:, None]

    def statistic(middle):
        inverse = np.linalg.inv(-full.hessian(params))
        return (inverse @ scores.sum(0))[2] ** 2 / (inverse @ middle @ inverse)[2, 2]

    left = X[:, 2:] * root
    left = left - (X[:, :2] * root) @ np.linalg.lstsq(X[:, :2] * root, left, rcond=None)[0]
    product = (counts[:, None] - root**2) / root * left
    judge = n - np.sum((1 - product @ np.linalg.lstsq(product, np.ones(n), rcond=None)[0]) ** 2)  # Wooldridge (1991)
    return Difference(theirs, ours, statistic(n * np.cov(scores.T)), judge)


@row('score_test(hypothesis="separate")')
def test_separate_score_tests():
    theirs, ours = (
        poisson(s, X[:, :1]).score_test(exog_extra=X[:, 1:], hypothesis="separate").statistic for s in (sm, tm)
    )
    params, full = np.r_[poisson(tm, X[:, :1]).params, 0, 0], tm.Poisson(counts, X)
    way = full.score(params) / np.sqrt(np.diag(-full.hessian(params)))
    joint = [poisson(sm, X[:, :1]).score_test(exog_extra=X[:, [j]]).statistic[0] for j in (1, 2)]
    return Difference(theirs[1:], ours, way[1:], np.sign(ours) * np.sqrt(joint))


@row("the summary of discrete models prints the LLR p-value")
def test_overall_test_of_robust_fits():
    theirs, ours = (s.Poisson(counts, X).fit(disp=0, cov_type="HC0") for s in (sm, tm))
    assert "Wald p-value:                  0.27912" in str(ours.summary())
    judge = theirs.wald_test("x1 = 0, x2 = 0", scalar=True).pvalue
    return Difference(theirs.llr_pvalue, ours.overall_test.pvalue, ours.llr_pvalue, judge)


@row("GLM.fit_regularized: coordinate descent")
def test_ridge():
    theirs, ours = (s.GLM(normal, X).fit_regularized(alpha=0.1, L1_wt=0.0).params for s in (sm, tm))
    return Difference(theirs, ours, judge=np.linalg.solve(X.T @ X / n + 0.1 * np.eye(3), X.T @ normal / n))


@row("GLM.fit_regularized with freq_weights")
def test_penalty_of_frequencies():
    def fit(s, alpha, at=slice(None), **weights):
        return s.GLM(counts[at], X[at], s.families.Poisson(), **weights).fit_regularized(alpha=alpha, L1_wt=1.0).params

    way = fit(tm, 0.2 * n / w.sum(), freq_weights=w)
    return Difference(fit(sm, 0.2, freq_weights=w), fit(tm, 0.2, freq_weights=w), way, fit(sm, 0.2, repeat))


@row("discrete fit_regularized: SLSQP")
def test_l1_of_discrete_models():
    theirs, ours = (np.asarray(s.Poisson(counts, X).fit_regularized(alpha=2.0, disp=0).params) for s in (sm, tm))
    score = X.T @ (counts - np.exp(X @ ours))
    np.testing.assert_allclose(score, 2 * np.sign(ours), rtol=1e-7)
    return Difference(theirs, ours)


# -- margins and predictions --------------------------------------------------------------------------------------------------


@row('MNLogit.get_margeff(method="eyex")')
def test_elasticities_of_choices():
    with pytest.raises(ValueError, match="broadcast"):
        sm.MNLogit(category, X).fit(disp=0).get_margeff(method="eyex")
    res, h = tm.MNLogit(category, X).fit(disp=0), 1e-5

    def logs(step):
        return np.log(res.predict(X * [1, np.exp(step), 1]))

    ours = res.get_margeff(method="eyex").margeff[0]
    return Difference(np.full(3, np.nan), ours, judge=((logs(h) - logs(-h)) / (2 * h)).mean(0))


@row('GLM/discrete get_prediction(which="var", "prob", "var_unscaled")')
def test_intervals_inside_the_support():
    fits = [s.GLM(events, X, s.families.Binomial()).fit() for s in (sm, tm)]
    theirs, ours = (fit.get_prediction(which="var_unscaled") for fit in fits)
    top = theirs.summary_frame().to_numpy()[:, 3].argmax()
    interval = fits[1].get_prediction(which="linear").conf_int()[top]
    low, high = expit(interval) * (1 - expit(interval))
    assert theirs.conf_int()[top, 1] > 0.35 > 0.25 > ours.conf_int()[top, 1]
    return Difference(
        theirs.conf_int()[top], ours.conf_int()[top], ours.conf_int(method="delta")[top],
        [min(low, high), 0.25 if interval[0] < 0 < interval[1] else max(low, high)], rtol=1e-6, judge_rtol=1e-3,
    )  # fmt: skip


@row("get_margeff with exposure takes exposure 1")
def test_margins_of_exposed_counts():
    theirs, ours = (poisson(s, exposure=exposure).get_margeff().margeff for s in (sm, tm))
    res, h = poisson(tm, exposure=exposure), 1e-5
    up, down = (res.predict(X + np.array([0, step, 0]), exposure=exposure).mean() for step in (h, -h))
    np.testing.assert_allclose(ours[0], (up - down) / (2 * h), rtol=1e-8)
    return Difference(theirs, ours, res.params[1:] * res.predict(X, exposure=1).mean())


@row("predict(frame) of a model of matrices")
def test_columns_by_name():
    turned = frame[["z", "x", "const"]]
    theirs, ours = (s.OLS(normal, frame).fit().predict(turned) for s in (sm, tm))
    res = tm.OLS(normal, frame).fit()
    return Difference(theirs, ours, res.predict(turned.to_numpy()), res.fittedvalues)


@row("GLM.get_influence(observed=True) without a canonical link")
def test_influence_by_one_information():
    fits = [s.GLM(positive, X, s.families.Gamma(s.families.links.Log())).fit() for s in (sm, tm)]
    theirs, found = (fit.get_influence(observed=True) for fit in fits)
    res = fits[1]
    weights = [res.model.hessian_factor(res.params, observed=told) for told in (True, False)]
    way = found.d_params * np.sqrt(weights[0] / weights[1])[:, None]
    scores = res.score_obs() / (1 - found.hat_matrix_diag)[:, None]
    return Difference(theirs.d_params, found.d_params, way, scores @ np.linalg.inv(-res.hessian()))


@row("get_prediction() of the fit's own rows leaves the exposure out")
def test_predictions_of_exposed_rows():
    theirs, ours = (poisson(s, exposure=exposure) for s in (sm, tm))
    np.testing.assert_allclose(ours.get_prediction().predicted, ours.predict(), rtol=1e-12)
    way = ours.get_prediction(X, exposure=1).summary_frame()
    return Difference(theirs.get_prediction().summary_frame(), ours.get_prediction().summary_frame(), way, rtol=1e-6)


@row("GLM.get_prediction(average=True)")
def test_average_of_predictions():
    theirs, ours = (s.GLM(counts, X, s.families.Poisson()).fit() for s in (sm, tm))
    return Difference(
        theirs.get_prediction(average=True).predicted_mean, ours.get_prediction(average=True).predicted_mean,
        ours.get_prediction(average=False).predicted_mean, [theirs.predict().mean()],
    )  # fmt: skip


@row("get_margeff of `y ~ x*z`")
def test_margins_of_products():
    theirs, ours = (f.logit("yb ~ x*z", df).fit(disp=0) for f in (smf, tmf))
    h = 1e-5
    up, down = (ours.predict(df.assign(x=df["x"] + step)).mean() for step in (h, -h))
    margin = ours.margins().summary_frame()["dy/dx"]["x"]
    return Difference(
        theirs.get_margeff().margeff[0], margin, ours.get_margeff().margeff[0], (up - down) / (2 * h), rtol=1e-6
    )


@row("predict(df) on the frame of the fit drops")
def test_predictions_of_the_fitted_frame():
    fits = [f.poisson("yp ~ x", df, exposure=exposure).fit(disp=0) for f in (smf, tmf)]
    theirs, ours = (fit.predict(df) for fit in fits)
    return Difference(theirs, ours, fits[1].predict(df, exposure=1), fits[1].predict(), rtol=1e-6)


# -- data, names ---------------------------------------------------------------------------------------------------------------


@row("predict of a discrete model takes a matrix with too few columns")
def test_columns_that_are_missing():
    theirs = poisson(sm).predict(X[:, :2])
    with pytest.raises(ValueError, match="3 columns"):
        poisson(tm).predict(X[:, :2])
    padded = np.column_stack([X[:, :2], np.zeros(n)])
    return Difference(theirs, poisson(tm).predict(), poisson(tm).predict(padded))


@row("predictions of a record array or dict")
def test_rows_that_are_missing():
    new = {"x": np.array([0.5, np.nan, 1.0])}
    theirs, ours = (np.asarray(f.ols("yn ~ x", df).fit().predict(new)) for f in (smf, tmf))
    return Difference(theirs, ours, ours[~np.isnan(ours)])


@row("a Series with the data's labels in another order")
def test_labels():
    shuffled = df["w"].sample(frac=1, random_state=0)
    theirs, ours = (f.wls("yn ~ x", df, weights=shuffled).fit().params for f in (smf, tmf))
    way = tmf.wls("yn ~ x", df, weights=shuffled.to_numpy()).fit().params
    return Difference(theirs, ours, way, smf.wls("yn ~ x", df, weights=df["w"]).fit().params)


@row("`y ~ k^2` in a formula")
def test_exclusive_or():
    data = df.assign(k=np.arange(n) % 4)
    with pytest.raises(ValueError, match="no power"):
        tmf.ols("yn ~ k^2", data)
    way = tmf.ols("yn ~ I(np.bitwise_xor(k, 2))", data).fit().params
    return Difference(smf.ols("yn ~ k^2", data).fit().params, tmf.ols("yn ~ I(k**2)", data).fit().params, way)


@row("cov_params(column=1)")
def test_variance_of_a_column():
    theirs, ours = (s.OLS(normal, frame).fit().cov_params(column=1) for s in (sm, tm))
    return Difference(theirs, ours, pd.DataFrame(ours, frame.columns, frame.columns), np.linalg.inv(X.T @ X)[1, 1]
                      * np.sum((normal - X @ np.linalg.lstsq(X, normal, rcond=None)[0]) ** 2) / (n - 3))  # fmt: skip


@row('info_criteria("gbic")')
def test_criteria_of_lv_and_liu():
    theirs, ours = (poisson(s) for s in (sm, tm))
    way = [ours.info_criteria("gbic"), ours.info_criteria("gbicp")]
    return Difference(
        theirs.info_criteria("gbic"), ours.info_criteria("gbic"), way, theirs.info_criteria("gbic")[0], rtol=1e-6
    )


@row("wald_test_terms of a model without formula")
def test_terms_are_columns():
    theirs, ours = (s.NegativeBinomial(counts, frame).fit(disp=0).wald_test_terms(scalar=True).table for s in (sm, tm))
    way = tm.NegativeBinomial(counts, frame).fit(disp=0).wald_test("alpha = 0", scalar=True).statistic
    assert "alpha" not in ours.index
    return Difference(theirs.loc["alpha", "statistic"], np.nan, way, rtol=1e-5)
