"""docs/differences.md: its form, and the numbers of least squares, covariances, generalised linear models and intervals."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from differing import (
    Difference,
    X,
    counts,
    df,
    events,
    g,
    n,
    normal,
    positive,
    repeat,
    row,
    rows,
    successes,
    trials,
    two_columns,
    w,
)
from reference import corpus
from scipy.stats import chi2, t

import torchmle.api as tm
import torchmle.formula.api as tmf


@pytest.mark.parametrize("cells", [cells for _, cells in rows()], ids=lambda cells: cells[0][:50])
def test_a_row_is_complete(cells):
    """Four cells: what is decided by a figure has one, what is not says so, and nobody is left without an answer."""
    assert len(cells) == 4 and all(cells)
    assert re.search(r"\d", cells[2]) or cells[2].startswith("surface: ")


def test_no_row_stands_twice():
    starts = [cells[0] for _, cells in rows()]
    assert len(set(starts)) == len(starts)


def ols(s, x=X, **options):
    return s.OLS(normal, x).fit(**options)


def poisson(s, x=X, y=counts, scale=None, **options):
    return s.GLM(y, x, s.families.Poisson(), **options).fit(scale=scale)


def gamma(s, x=X, **options):
    return s.GLM(positive, x, s.families.Gamma(s.families.links.Log())).fit(**options)


# -- least squares and covariances ------------------------------------------------------------------------------------------


@row("GLM and discrete: HC1, HC2 and HC3 are HC0")
def test_hc():
    def errors(s, *kinds):
        model = s.GLM(counts, X, s.families.Poisson())
        return [model.fit(cov_type=kind).bse[1] for kind in kinds]

    kinds, by_r = ("HC1", "HC2", "HC3"), [0.176371895892, 0.180167970187, 0.189070680578]
    return Difference(errors(sm, *kinds), errors(tm, *kinds), errors(tm, *["HC0"] * 3), by_r)


@row("robust covariances of links that are not canonical take the observed")
def test_expected_bread():
    ours = gamma(tm, cov_type="HC0", cov_kwds={"convention": "R"})
    by_r = [0.0993471064738, 0.0754305130103, 0.0755256541384]  # of glm's own, less exact, iterations
    default = gamma(tm, cov_type="HC0").bse
    return Difference(gamma(sm, cov_type="HC0").bse, ours.bse, default, by_r, judge_rtol=1e-6)


@row("cluster: (n−1)/(n−k) counts rows")
def test_clusters_of_frequencies():
    def fit(s, **more):
        model = s.GLM(counts, X, s.families.Poisson(), freq_weights=w)
        return model.fit(cov_type="cluster", cov_kwds={"groups": g, **more}).bse

    total, k = w.sum(), 3
    repeated = tm.GLM(counts[repeat], X[repeat], tm.families.Poisson()).fit(
        cov_type="cluster", cov_kwds={"groups": g[repeat]}
    )
    factor = (n - 1) * (total - k) / ((n - k) * (total - 1))
    return Difference(fit(sm), fit(tm), fit(tm, scaling_factor=factor), repeated.bse)


@row("two-way clusters: the matrix may have negative eigenvalues")
def test_two_ways_that_are_no_variance():
    noise = np.random.default_rng(1)
    first, second = noise.integers(0, 4, 24), noise.integers(0, 4, 24)
    x, y = sm.add_constant(noise.normal(size=(24, 2))), noise.normal(size=24)

    def covariance(s, groups):
        return s.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": groups}).cov_params()

    both = np.column_stack([first, second])
    way = covariance(tm, first) + covariance(tm, second) - covariance(tm, 100 * first + second)
    assert np.linalg.eigvalsh(covariance(sm, both))[0] < -0.019 < -1e-15 < np.linalg.eigvalsh(covariance(tm, both))[0]
    return Difference(covariance(sm, both), covariance(tm, both), way)


@row("hac-panel takes rows as they stand")
def test_panels_in_any_order():
    def fit(s, at=slice(None)):
        return s.OLS(normal[at], X[at]).fit(cov_type="hac-panel", cov_kwds={"groups": g[at], "maxlags": 1}).bse

    order = np.argsort(g, kind="stable")
    runs = np.cumsum(np.diff(g, prepend=g[0]) != 0)  # each run of equal labels is a group of its own in statsmodels
    time = {"groups": runs, "time": np.arange(n), "maxlags": 1}
    corrected = tm.OLS(normal, X).fit(cov_type="hac-panel", cov_kwds=time).bse
    return Difference(fit(sm), fit(tm), corrected, fit(sm, order))


@row("HAC with freq_weights divides scores")
def test_time_of_repeated_rows():
    theirs = sm.GLM(counts, X, sm.families.Poisson(), freq_weights=w)
    model = tm.GLM(counts, X, tm.families.Poisson(), freq_weights=w)
    with pytest.raises(ValueError, match="its own time"):
        model.fit(cov_type="HAC", cov_kwds={"maxlags": 1})
    res = model.fit()
    u, bread = res.score_obs() / np.sqrt(w)[:, None], np.linalg.inv(-res.hessian())
    lagged = u[1:].T @ u[:-1] / 2
    way = np.sqrt(np.diag(bread @ (u.T @ u + lagged + lagged.T) @ bread))
    return Difference(theirs.fit(cov_type="HAC", cov_kwds={"maxlags": 1}).bse, res.bse, way)


@row("compare_lm_test under a cluster covariance divides")
def test_score_test_of_clusters():
    def test(s):
        return ols(s, cov_type="cluster", cov_kwds={"groups": g}).compare_lm_test(ols(s, X[:, :2]))[0]

    residuals = np.asarray(ols(tm, X[:, :2]).resid)
    scores = X * residuals[:, None]
    sums = pd.DataFrame(scores - scores.mean(0)).groupby(g).sum().to_numpy()
    mean = scores.mean(0)
    return Difference(test(sm), test(tm), test(tm) / n, n * mean @ np.linalg.solve(sums.T @ sums / n, mean))


@row("OLS.hessian of the concentrated log-likelihood is half")
def test_hessian_of_the_concentrated_loglikelihood():
    theirs, ours, h = ols(sm), ols(tm), 1e-4
    moved = [ours.params + h * np.eye(3)[0], ours.params, ours.params - h * np.eye(3)[0]]
    values = [theirs.model.loglike(params) for params in moved]
    np.testing.assert_allclose(ours.hessian()[0, 0], (values[0] - 2 * values[1] + values[2]) / h**2, rtol=1e-6)
    return Difference(theirs.model.hessian(theirs.params), ours.hessian(), ours.hessian() / 2)


@row("rank-deficient OLS")
def test_collinear_columns():
    x = np.column_stack([X, X[:, 1] + X[:, 2]])
    ours = ols(tm, x)
    by_r = [0.737255088815, 1.182912217051, 0.199590844054, np.nan]
    return Difference(ols(sm, x).params, ours.params, ols(tm, x, rank="pinv").params, by_r)


@row("robust F with an implicit constant")
def test_f_across_the_constant():
    dummies = np.column_stack([(g % 3 == i) * 1.0 for i in range(3)] + [df["x"]])
    explicit = ols(sm, np.column_stack([np.ones(n), dummies[:, 1:]]), cov_type="HC0")
    values = [ols(s, dummies, cov_type="HC0").fvalue for s in (sm, tm)]
    return Difference(values[0], values[1], judge=explicit.fvalue)


@row("rows of weight 0 (WLS)")
def test_rows_of_no_weight():
    some = np.where(np.arange(n) < 5, 0, w)
    theirs, ours = (s.WLS(normal, X, some).fit() for s in (sm, tm))
    by_r = [0.213546520962, 0.161356279899, 0.145563143438]
    assert np.isneginf(theirs.llf) and ours.llf == pytest.approx(-83.9848207339)
    by_weights = tm.GLM(normal, X, var_weights=some).fit()
    np.testing.assert_allclose(by_weights.bse, ours.bse, rtol=1e-8)
    return Difference(theirs.bse, ours.bse, ours.bse * np.sqrt(ours.df_resid / (n - 3)), by_r)


@row("OLS and WLS have no offset")
def test_offsets_of_least_squares():
    theirs, ours = (s.OLS(normal, X, offset=df["off"].to_numpy()).fit().rsquared for s in (sm, tm))
    return Difference(theirs, ours, ols(tm).rsquared, sm.OLS(normal - df["off"], X).fit().rsquared)


@row("predictions of a WLS for new rows")
def test_weights_of_new_rows():
    new, columns = df[df["w"] != 1].head(2), ["obs_ci_lower", "obs_ci_upper"]
    theirs = smf.wls("yn ~ x", df, weights=df["w"]).fit().get_prediction(new).summary_frame()[columns]
    res = tmf.wls("yn ~ x", df, weights="w").fit()
    ours, way = (res.get_prediction(new, **told).summary_frame()[columns] for told in ({}, {"weights": 1.0}))
    known = res.get_prediction(new).summary_frame()
    half = t.ppf(0.975, res.df_resid) * np.sqrt(known["mean_se"] ** 2 + res.scale / new["w"])
    return Difference(theirs, ours, way, np.column_stack([known["mean"] - half, known["mean"] + half]))


@row("linear_rainbow, linear_reset of a WLS")
def test_specification_of_weighted_fits():
    theirs, ours = (s.stats.linear_reset(s.WLS(normal, X, w).fit()).statistic for s in (sm, tm))
    fitted = np.asarray(tm.WLS(normal, X, w).fit().fittedvalues)
    more = np.column_stack([X, fitted**2, fitted**3])
    way, judge = (fit.wald_test("x3 = 0, x4 = 0", use_f=False, scalar=True).statistic for fit in (
        tm.OLS(normal, more).fit(), sm.WLS(normal, more, w).fit()))  # fmt: skip
    return Difference(theirs, ours, way, judge)


@row("linear_harvey_collier leaves out three")
def test_recursive_residuals():
    theirs, ours = (s.stats.linear_harvey_collier(ols(s, X[:, :2]))[0] for s in (sm, tm))
    return Difference(theirs, ours, judge=-0.685151745887)  # lmtest::harvtest


# -- generalised linear models -----------------------------------------------------------------------------------------------


@row("GLM.llnull takes the null model")
def test_null_likelihood():
    null = gamma(tm, X[:, :1])
    return Difference(gamma(sm).llnull, gamma(tm).llnull, null.llf_scaled(gamma(tm).scale), gamma(sm, X[:, :1]).llf)


@row("GLM.nobs counts rows")
def test_frequencies_are_rows():
    theirs, ours = (poisson(s, freq_weights=w) for s in (sm, tm))
    way = 1 - np.exp(2 * (ours.llnull - ours.llf) / ours.model.rows.n)
    judge = poisson(sm, X[repeat], counts[repeat]).pseudo_rsquared()
    return Difference(theirs.pseudo_rsquared(), ours.pseudo_rsquared(), way, judge)


@row("binomial counts: resid_working")
def test_working_residuals():
    theirs, ours = (s.GLM(two_columns, X, s.families.Binomial()).fit().resid_working for s in (sm, tm))
    np.testing.assert_allclose(ours[:3], [-0.368923932854, 0.335828137217, 0.796220854894], rtol=1e-9)  # by R
    return Difference(theirs, ours, ours * trials**2)


@row("binomial rows without trials")
def test_rows_without_trials():
    none = np.vstack([[0, 0], two_columns[1:]])
    with pytest.raises(ValueError, match="nan"):
        sm.GLM(none, X, sm.families.Binomial()).fit()
    ours = tm.GLM(none, X, tm.families.Binomial()).fit().params
    return Difference(
        np.full(3, np.nan), ours, judge=sm.GLM(two_columns[1:], X[1:], sm.families.Binomial()).fit().params
    )


@row('scale="X2" of two-column binomial counts')
def test_dispersion_of_binomial_counts():
    theirs, ours = (s.GLM(two_columns, X, s.families.Binomial()).fit(scale="X2") for s in (sm, tm))
    weights = trials.astype(float)
    pearson = np.asarray(ours.resid_pearson) ** 2
    way = np.sum(pearson / weights) / ours.df_resid
    return Difference(theirs.scale, ours.scale, way, 0.887336271717)


@row("llf of shares, with or without")
def test_proportions():
    y = successes / trials
    theirs, ours = (s.GLM(y, X, s.families.Binomial(), var_weights=trials).fit().llf for s in (sm, tm))
    res = tm.GLM(y, X, tm.families.Binomial(), var_weights=trials).fit()
    way = res.family.loglike(res.model.endog, res.mu, res.model.var_weights)
    bare = tm.GLM(y, X, tm.families.Binomial()).fit()
    assert bare.is_quasi
    assert bare.llf == pytest.approx((y * np.log(bare.mu) + (1 - y) * np.log1p(-bare.mu)).sum(), rel=1e-12)
    return Difference(theirs, ours, way, -81.5072836277)  # R's logLik


@row("Logit of shares: llf")
def test_shares_of_a_logit():
    y = successes / trials
    theirs, ours = (s.Logit(y, X).fit(disp=0) for s in (sm, tm))
    way = np.log(ours.model.cdf((2 * y - 1) * ours.fittedvalues)).sum()
    return Difference(
        theirs.llf, ours.llf, way, np.sum(y * np.log(theirs.predict()) + (1 - y) * np.log1p(-theirs.predict()))
    )


@row('pseudo R-squared of a Binomial with `scale="X2"`')
def test_pseudo_rsquared_at_a_dispersion():
    theirs, ours = (s.GLM(events, X, s.families.Binomial()).fit(scale="X2") for s in (sm, tm))
    way = 1 - np.exp(2 / ours.nobs * (ours.llnull - ours.llf))
    judge = -np.expm1(-(theirs.null_deviance - theirs.deviance) / theirs.scale / n)
    return Difference(theirs.pseudo_rsquared(), ours.pseudo_rsquared(), way, judge)


@row("`get_influence().exog` and `hat_matrix_exog_diag`")
def test_leverages_of_the_design():
    theirs, ours = (poisson(s).get_influence() for s in (sm, tm))
    judge = np.diag(X @ np.linalg.pinv(X))
    return Difference(theirs.hat_matrix_exog_diag, ours.hat_matrix_exog_diag, ours.hat_matrix_diag, judge)


@row("GLM of a two-level string or boolean response")
def test_which_level_is_the_event():
    data = df.assign(s=np.where(events == 1, "yes", "no"))
    theirs, ours = (
        f.glm("s ~ x + z", data, family=s.families.Binomial()).fit().params for s, f in ((sm, smf), (tm, tmf))
    )
    turned = data.assign(s=pd.Categorical(data["s"], categories=["yes", "no"]))
    way = tmf.glm("s ~ x + z", turned, family=tm.families.Binomial()).fit().params
    return Difference(theirs, ours, way, sm.Logit(events, X).fit(disp=0).params)


@row("IRLS ends where the deviance")
def test_where_a_search_ends():
    theirs = sm.GLM(counts, X, sm.families.Poisson()).fit(tol=0.1)
    ours, early = (tm.GLM(counts, X, tm.families.Poisson()).fit(**told) for told in (
        {"tol": 0.1}, {"maxiter": 2, "warn_convergence": False}))  # fmt: skip
    return Difference(theirs.params, ours.params, early.params, sm.Poisson(counts, X).fit(disp=0, tol=1e-14).params)


@row("IRLS that does not converge")
def test_a_search_that_stops():
    def warned(s, **told):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert not s.GLM(counts, X, s.families.Poisson()).fit(maxiter=2, **told).converged
        return len(caught)

    return Difference(warned(sm), warned(tm), warned(tm, warn_convergence=False))


@row("log-binomial, identity-link Binomial")
def test_edge_of_a_domain():
    noise = np.random.default_rng(8)
    x = noise.uniform(0, 1, 40)
    y = (noise.random(40) < np.clip(np.exp(-1.3 + 1.3 * x), 0, 1)).astype(float)
    theirs, ours = (s.GLM(y, sm.add_constant(x), s.families.Binomial(s.families.links.Log())).fit() for s in (sm, tm))
    assert theirs.converged and not ours.converged and ours.llf == pytest.approx(-22.769322, abs=1e-5)
    return Difference(theirs.llf, ours.llf)


@row("square-root link: a fit may end")
def test_square_roots_are_positive():
    noise = np.random.default_rng(18)
    x = sm.add_constant(noise.normal(size=(25, 2)))
    y = noise.poisson(np.clip(x @ [0.6, 0.9, 0.5], 0, None) ** 2)
    theirs, ours = (s.GLM(y, x, s.families.Poisson(s.families.links.Sqrt())).fit() for s in (sm, tm))
    assert theirs.converged and (x @ theirs.params).min() < -4 and ours.llf > theirs.llf + 14
    return Difference(theirs.llf, ours.llf)


@row("fit_history: the deviance over")
def test_history():
    theirs, ours = gamma(sm), gamma(tm)
    last = ours.fit_history["deviance"][-1]
    return Difference(theirs.fit_history["deviance"][-1], last, last / ours.scale, ours.deviance)


# -- maxima that do not exist, verdicts ---------------------------------------------------------------------------------------


@row("quasi-separated Binomial GLM")
def test_separated_levels():
    level, noise = np.repeat([0, 1], [40, 20]), np.random.default_rng(1)
    x = np.column_stack([np.ones(60), level, noise.normal(size=60)])
    y = np.where(level == 1, 1, noise.random(60) < 0.5).astype(float)
    theirs, ours = (s.GLM(y, x, s.families.Binomial()).fit() for s in (sm, tm))
    assert theirs.converged and 23 < theirs.params[1] < 24 and theirs.bse[1] > 1e4
    assert not ours.converged and np.isposinf(ours.params[1]) and np.isnan(ours.bse[1])
    rest = sm.Logit(y[level == 0], x[level == 0][:, [0, 2]]).fit(disp=0)
    np.testing.assert_allclose(ours.bse[[0, 2]], rest.bse, rtol=1e-7)
    return Difference(theirs.params, ours.params, judge=[rest.params[0], np.inf, rest.params[1]])


@row("no likelihood-ratio test of GLMs")
def test_ratios_of_deviances():
    trees = pd.read_csv(corpus.HERE / "data" / "trees.csv")
    x, y = sm.add_constant(np.log(trees[["Girth", "Height"]].to_numpy())), trees["Volume"].to_numpy()

    def fits(s):
        family = s.families.InverseGaussian(s.families.links.Log())
        return [s.GLM(y, x[:, :k], family).fit() for k in (3, 2)]

    (full, small), (ours, less) = fits(sm), fits(tm)
    by_r = 38.7621818201  # anova(test = "F")
    return Difference(2 * (full.llf - small.llf), ours.lr_test(less).statistic, 2 * (ours.llf - less.llf), by_r)


@row("llr_pvalue of a constrained fit")
def test_constraints_on_the_constant():
    theirs, ours = (s.Poisson(counts, X).fit_constrained("const = 0.5", disp=0) for s in (sm, tm))
    return Difference(theirs.llr_pvalue, ours.llr_pvalue, chi2.sf(ours.llr, ours.df_model))
