"""docs/differences.md: what one of the two refuses, warns of, labels or shapes in another way, and where both agree."""

import contextlib
import io
import warnings
from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from differing import Difference, X, category, counts, df, frame, g, n, normal, positive, row, rows, w
from patsy import PatsyError
from reference import corpus
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.diagnostic import linear_reset

import torchmle.api as tm
import torchmle.formula.api as tmf
from torchmle.errors import ModelError

THEIRS = SimpleNamespace(s=sm, f=smf, ordered=OrderedModel, conditional=ConditionalLogit)
OURS = SimpleNamespace(s=tm, f=tmf, ordered=tm.OrderedModel, conditional=tm.ConditionalLogit)
strings = np.column_stack([g.astype(str), (g % 3).astype(str)]).astype(object)
matched = corpus.frame("clogit_infert_groups")
pairs = matched["case"].to_numpy(), matched[["spontaneous", "induced"]].to_numpy()
stratum = matched["stratum"].to_numpy()
split = (X[:, 2] > 0).astype(float)  # what X separates completely
labelled = frame.set_axis([f"r{i}" for i in range(n)])
missing = np.where(np.arange(n) == 3, np.nan, normal)


def ols(at, x=X, **options):
    return at.s.OLS(normal, x).fit(**options)


def poisson(at, y=counts, x=X, **options):
    return at.s.Poisson(y, x).fit(disp=0, **options)


def family(at, y=counts, scale=None, **options):
    return at.s.GLM(y, X, at.s.families.Poisson(), **options).fit(scale=scale)


def clustered(at, groups, kind="cluster", **more):
    return ols(at, cov_type=kind, cov_kwds={"groups": groups, **more}).bse


def caught(call):
    """Classes of the warnings of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return [warning.category.__name__ for warning in found]


def replaced_variance(at):
    own = at.s.families.Poisson()
    own.variance = lambda mu: mu**2
    return at.s.GLM(counts, X, own).fit().params.shape


def assigned(at):
    res = ols(at)
    res.llf = 1.0
    return res.llf


def without_rows(at):
    res = at.s.OLS(normal, frame).fit()
    res.remove_data()
    return res.resid


def printed(at):
    with contextlib.redirect_stdout(io.StringIO()) as found:
        at.s.GLM(counts, X, at.s.families.Poisson()).fit(disp=True)
    return bool(found.getvalue())


def shapes(at):
    test = ols(at).t_test("x1 = 0")
    return [np.shape(getattr(test, name)) for name in ("sd", "tvalue", "statistic", "effect")]


def new_variances(at):
    res = at.s.Poisson(pd.Series(counts, labelled.index), labelled).fit(disp=0)
    return list(res.get_prediction(labelled[:2], which="var").summary_frame().index)


def named(at, depth):
    """A fit that needs a name of this function."""
    factor = 3.0
    return round(at.f.ols("yn ~ I(x * factor)", df, eval_env=depth).fit().params.iloc[1] * factor, 5)


def scaled(at, depth):
    return at.f.ols("yn ~ I(x * factor)", df, eval_env=depth).fit().params.iloc[1]


def named_above(at, depth):
    """A fit that needs a name of the function that calls the one where it stands."""
    factor = 3.0
    return round(scaled(at, depth) * factor, 5)


DATES = df.assign(day=pd.date_range("2020-01-01", periods=n))
# row, what is seen of it, in statsmodels, here; an exception is seen by its name
SEEN = [
    ("groups: one or two", lambda at: clustered(at, strings).shape, "TypeError", (3,)),
    ("groups: one or two", lambda at: clustered(at, np.column_stack([g, g % 3, g % 2])).shape, "ValueError", (3,)),
    ("a cluster covariance of one", lambda at: clustered(at, 0 * g), "ZeroDivisionError", "ValueError"),
    ("HAC kernels", lambda at: ols(at, cov_type="HAC", cov_kwds={"maxlags": 2, "kernel": "parzen"}).bse.shape, "KeyError", (3,)),
    ("cluster-jk", lambda at: at.s.GLM(counts, X, at.s.families.Poisson()).fit(
        cov_type="cluster-jk", cov_kwds={"groups": g}).bse.shape, "TypeError", (3,)),
    ("compare_lm_test, compare_lr", lambda at: round(at.s.OLS(pd.Series(normal), frame).fit().compare_lm_test(
        at.s.OLS(pd.Series(normal), frame[["const", "x"]]).fit())[0], 5), "ValueError", 1.80659),
    ("fit_regularized(refit=True)", lambda at: hasattr(at.s.WLS(normal, X, w).fit_regularized(
        alpha=0.5, L1_wt=1.0, refit=True), "bse"), False, True),
    ("OLSInfluence", lambda at: at.s.WLS(normal, X, w).fit().get_influence().hat_matrix_diag.shape, "AttributeError", (n,)),
    ("`family.variance", replaced_variance, (3,), "AttributeError"),
    ("get_distribution", lambda at: caught(family(at, scale="X2").get_distribution), ["UserWarning"], ["SpecificationWarning"]),
    ("Complete separation", lambda at: len(caught(lambda: at.s.GLM(split, X, at.s.families.Binomial()).fit())) > 1, True, False),
    ("Complete separation", lambda at: caught(lambda: at.s.Logit(split, X).fit(disp=0)) == ["PerfectSeparationWarning"], False, True),
    ("No profile-likelihood", lambda at: poisson(at).conf_int(method="profile").shape, "TypeError", (3, 2)),
    ("MNLogit.fittedvalues", lambda at: at.s.MNLogit(pd.Series(category), frame).fit(disp=0).fittedvalues.shape, "TypeError", (n, 2)),
    ("MNLogit.get_prediction", lambda at: at.s.MNLogit(category, X).fit(disp=0).get_prediction().predicted.shape,
     "NotImplementedError", (n, 3)),
    ("ConditionalLogit formula", lambda at: at.f.conditional_logit("case ~ induced", matched, groups="stratum").fit(disp=0).params.shape,
     "ValueError", (1,)),
    ("ConditionalLogit: a column", lambda at: at.conditional(
        pairs[0], np.column_stack([pairs[1], stratum % 3]), groups=stratum).fit(disp=0).params.shape, "ValueError", (3,)),
    ("ConditionalLogit.predict", lambda at: at.conditional(*pairs, groups=stratum).fit(disp=0).predict().shape,
     "NotImplementedError", (len(matched),)),
    ("results attributes", assigned, 1.0, "AttributeError"),
    ("dict of arrays", lambda at: caught(lambda: at.f.ols("y ~ x", {"y": normal, "x": X[:, 1]})), ["DeprecationWarning"], []),
    ("fit_constrained", lambda at: at.s.OLS(normal, X).fit_constrained("x1 = x2").params.shape, "AttributeError", (3,)),
    ("predictions by the delta", new_variances, [0, 1], ["r0", "r1"]),
    ("log-likelihood and AIC", lambda at: round(poisson(at, counts + 0.5).aic, 4), 228.7385, 228.7385),
    ('missing="none"', lambda at: bool(np.isnan(at.s.OLS(missing, X, missing="none").fit().params).all()), True, "MissingDataError"),
    ("formulas: an explicit", lambda at: named(at, 0), "PatsyError", 1.15685),
    ("formulas: an explicit", lambda at: named(at, 1), 1.15685, "FormulaError"),
    ("formulas: an explicit", lambda at: named_above(at, 2 if at is THEIRS else 1), 1.15685, 1.15685),
    ("a column of dates", lambda at: "SpecificationWarning" in caught(lambda: at.f.ols("yn ~ day", DATES)), False, True),
    ("unknown keywords", lambda at: round(at.s.OLS(normal, X, weights=w).fit().params[1], 5), 1.18291, "TypeError"),
    ("float32 and integer", lambda at: at.s.OLS(normal.astype("float32"), X.astype("float32")).exog.dtype.name, "float32", "float64"),
    ("remove_data()", without_rows, "TypeError", "ModelError"),
    ("`t_test` of one", shapes, [(1, 1), (1, 1), (1, 1), (1,)], [(1,), (1,), (1,), (1,)]),
    ("`get_robustcov_results`", lambda at: type(at.s.OLS(normal, frame).fit().get_robustcov_results("HC1").bse).__name__,
     "ndarray", "Series"),
    ('GLM.info_criteria("hqic")', lambda at: family(at).info_criteria("hqic") is None, True, False),
    ('GLM.info_criteria("hqic")', lambda at: round(ols(at).info_criteria("tic"), 3), "ValueError", 191.419),
    ("MNLogit.summary2", lambda at: "y=2" in str(at.s.MNLogit(category, X).fit(disp=0).summary2()).replace(" ", ""), False, True),
    ("`summary2` is printed", lambda at: ols(at).summary().tables[1].data[1][1], "    0.7373", "0.7373"),
    ("`GLM.fit(disp=True)`", printed, False, True),
]  # fmt: skip


ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    ModelError,
    NotImplementedError,
    TypeError,
    ValueError,
    PatsyError,
)


def seen(call, at):
    try:
        return call(at)
    except ERRORS as error:
        return type(error).__name__


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("start", "call", "theirs", "ours"), SEEN, ids=[case[0] for case in SEEN])
def test_what_is_seen(start, call, theirs, ours):
    assert sum(cells[0].startswith(start) for _, cells in rows()) == 1
    assert seen(call, THEIRS) == theirs
    assert seen(call, OURS) == ours


# what the last column calls the same in both, or a way that needs no number of its own
AGREE = {
    "groups: one or two": lambda at: clustered(at, np.column_stack([g, g % 3])),
    "HAC kernels": lambda at: ols(at, cov_type="HAC", cov_kwds={"maxlags": 3}).bse,
    "cluster-jk": lambda at: clustered(at, g, "cluster-jk"),
    "cluster-jk, cluster-crv3": lambda at: clustered(at, g, "cluster-crv3"),
    "compare_lm_test, compare_lr": lambda at: ols(at).compare_lm_test(ols(at, X[:, :2]))[:2],
    "compare_lm_test, compare": lambda at: ols(at).compare_lr_test(ols(at, X[:, :2]), large_sample=True)[:2],
    "fit_regularized(refit=True)": lambda at: at.s.WLS(normal, X, w).fit_regularized(alpha=0.5, L1_wt=1.0, refit=True).params,
    "OLSInfluence": lambda at: ols(at).get_influence().resid_studentized_external,
    "get_distribution": lambda at: family(at, scale="X2").get_distribution().mean(),
    "cov_type=": lambda at: at.s.GLM(counts, X, at.s.families.Poisson(), var_weights=w).fit(
        cov_type="cluster", cov_kwds={"groups": g}).bse,
    "No profile-likelihood": lambda at: at.s.GLM(counts, X, at.s.families.Poisson()).fit().conf_int(),
    "MNLogit.fittedvalues": lambda at: at.s.MNLogit(category, X).fit(disp=0).fittedvalues,
    "dict of arrays": lambda at: at.f.ols("y ~ x", {"y": normal, "x": X[:, 1]}).fit().params,
    "fit_constrained": lambda at: at.s.GLM(positive, X, at.s.families.Gamma(at.s.families.links.Log())).fit_constrained("x1 = x2").bse,
    "predictions by the delta": lambda at: at.s.Poisson(counts, X).fit(disp=0).get_prediction(X, which="var").predicted,
    "a column of dates": lambda at: at.f.ols("yn ~ C(day)", DATES[:4]).fit().params,
    "unknown keywords": lambda at: ols(at).params,
    "`get_robustcov_results`": lambda at: np.asarray(at.s.OLS(normal, frame).fit().get_robustcov_results("HC1").bse),
    "MNLogit.summary2": lambda at: at.s.MNLogit(category, X).fit(disp=0).bse,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", AGREE)
def test_what_agrees(start):
    assert sum(cells[0].startswith(start) for _, cells in rows()) == 1 or start.startswith("compare_lm_test, compare")
    theirs, ours = (np.asarray(AGREE[start](at), float) for at in (THEIRS, OURS))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


# -- numbers of searches and series ------------------------------------------------------------------------------------------


@row("fit_regularized: coordinate descent to a change")
def test_conditions_of_a_minimum():
    def violation(s):
        params = np.asarray(s.OLS(normal, X).fit_regularized(alpha=0.3, L1_wt=1.0).params)
        return np.abs(X.T @ (normal - X @ params) / n - 0.3 * np.sign(params)).max()

    assert violation(sm) > 1e-11 > 1e-14 > violation(tm)
    return Difference(violation(sm), violation(tm))


@row("el_test, conf_int_el")
def test_empirical_likelihood_is_a_minimum():
    theirs, ours = (s.OLS(normal, X).fit().el_test([0.7], [1])[0] for s in (sm, tm))
    assert ours < theirs
    return Difference(theirs, ours)


@row("linear_reset, linear_rainbow, linear_harvey_collier, recursive")
def test_results_of_other_classes():
    res = tm.OLS(normal, X).fit()
    with pytest.raises(TypeError, match="linear regression"):
        linear_reset(res)
    way = linear_reset(sm.OLS(res.model.endog, res.model.exog).fit()).statistic
    return Difference(np.nan, tm.stats.linear_reset(res).statistic, judge=way)


@row("Tweedie density: the series")
def test_tweedie_series():
    p, phi, mu, y = map(mp.mpf, ("1.05", "0.0001", "1", "1"))
    rate, shape, size = mu ** (2 - p) / (phi * (2 - p)), (2 - p) / (p - 1), phi * (p - 1) * mu ** (p - 1)
    terms = (
        mp.exp(k * mp.log(rate) - rate - mp.loggamma(k + 1) + (k * shape - 1) * mp.log(y) - y / size
               - mp.loggamma(k * shape) - k * shape * mp.log(size)) for k in range(8000, 13000)
    )  # fmt: skip
    with mp.workdps(30):
        judge = float(mp.log(mp.fsum(terms)))
    one = np.array([1.0])
    theirs, ours = (
        float(np.squeeze(s.families.Tweedie(var_power=1.05, eql=False).loglike_obs(one, one, scale=1e-4)))
        for s in (sm, tm)
    )
    return Difference(theirs, ours, judge=judge, judge_rtol=1e-9)


@row("GeneralizedPoisson with a negative alpha")
def test_probabilities_of_underdispersed_counts():
    few = np.round(np.exp(1 + 0.3 * X[:, 1]))
    theirs, ours = (s.GeneralizedPoisson(few, X[:, :2]).fit(disp=0) for s in (sm, tm))
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-6)
    assert ours.probabilities == pytest.approx([0.335, 1.880], abs=1e-3)
    return Difference([1.0, 1.0], ours.probabilities)


@row("Poisson: Newton without a line search")
def test_a_poor_start():
    theirs, ours = (s.Poisson(counts, X).fit(start_params=-np.ones(3), disp=0) for s in (sm, tm))
    assert not theirs.mle_retvals["converged"] and ours.converged
    return Difference(theirs.params, ours.params, judge=sm.Poisson(counts, X).fit(disp=0, tol=1e-14).params)
