"""OrderedModel: thresholds, latent distributions far out in their tails, and what an order is."""

import math

import mpmath
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from statsmodels.miscmodels import ordinal_model

import torchmle as tm
from torchmle.errors import MissingDataError, ModelError, RankWarning, SpecificationWarning, ValueWarning
from torchmle.models.choices.latent import LATENTS, interval_terms, latent, log_probability
from torchmle.regression import RegressionModel
from torchmle.sums import row_sums

SCIPY = {
    "probit": stats.norm,
    "logit": stats.logistic,
    "cloglog": stats.gumbel_l,
    "loglog": stats.gumbel_r,
    "cauchit": stats.cauchy,
}
NAMES = ["bad", "fair", "good", "best"]
each_latent = pytest.mark.parametrize("kind", LATENTS)


def ratings(n=300, seed=0):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "w": rng.uniform(-1, 1, n), "off": rng.normal(0, 0.4, n)})
    code = np.digitize(0.7 * df["x"] - 0.4 * df["w"] + rng.logistic(size=n), [-1.0, 0.2, 1.5])
    y = pd.Categorical(np.array(NAMES)[code], categories=NAMES, ordered=True)
    return df.assign(code=code, y=y, weight=rng.integers(0, 4, n))


@pytest.fixture(scope="module")
def df():
    return ratings()


@pytest.fixture(scope="module")
def res(df):
    return tm.OrderedModel.from_formula("y ~ x + w", df, distr="logit").fit(disp=False)


# -- against statsmodels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["probit", "logit"])
def test_increments_are_statsmodels_parameters(df, kind):
    theirs = ordinal_model.OrderedModel(df["y"], df[["x", "w"]], distr=kind).fit(method="newton", disp=False)
    res = tm.OrderedModel(df["y"], df[["x", "w"]], distr=kind).fit(disp=False)
    steps = res.increments()
    assert res.names == list(theirs.params.index) == res.model.exog_names
    assert steps.names == tuple(res.model.threshold_names)
    np.testing.assert_allclose(res.params.iloc[:2], theirs.params.iloc[:2], rtol=1e-6)
    np.testing.assert_allclose(steps.estimate, theirs.params.iloc[2:], rtol=1e-6)
    np.testing.assert_allclose(steps.se, theirs.bse.iloc[2:], rtol=1e-5)  # their Hessian is numerical
    np.testing.assert_allclose(
        res.model.transform_threshold_params(res.params),
        theirs.model.transform_threshold_params(theirs.params),
        rtol=1e-6,
    )
    for name in ("llf", "llnull", "llr", "llr_pvalue", "prsquared", "aic", "bic", "df_model", "df_resid"):
        np.testing.assert_allclose(getattr(res, name), getattr(theirs, name), rtol=1e-7)
    np.testing.assert_allclose(res.resid_prob, theirs.resid_prob, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(res.pred_table(), theirs.pred_table())


@each_latent
def test_predictions_are_those_of_the_distribution(df, kind):
    res = tm.OrderedModel.from_formula("y ~ x + w", df, distr=kind).fit(disp=False)
    assert res.converged
    new = ratings(20, seed=2)
    linear = (new[["x", "w"]] @ res.params[["x", "w"]]).to_numpy()
    cumulative = SCIPY[kind].cdf(np.append(res.thresholds, np.inf) - linear[:, None])
    np.testing.assert_allclose(res.predict(new, which="linpred"), linear, rtol=1e-12)
    np.testing.assert_allclose(res.predict(new, which="cumprob"), cumulative, rtol=1e-12)
    np.testing.assert_allclose(res.predict(new, which="cum"), cumulative, rtol=1e-12)
    np.testing.assert_allclose(res.predict(new), np.diff(cumulative, prepend=0.0), rtol=1e-11)
    np.testing.assert_allclose(res.predict(new, which="prob[good]"), res.predict(new)[2], rtol=1e-14)
    np.testing.assert_allclose(res.predict().sum(axis=1), 1, rtol=1e-13)
    with pytest.raises(ValueError, match=r"which='odds'.*'prob', 'cumprob', 'linpred', 'prob\[bad\]'"):
        res.predict(which="odds")


@each_latent
def test_scipys_distributions_are_known(df, kind):
    given, named = (tm.OrderedModel(df["y"], df[["x", "w"]], distr=d).fit(disp=False) for d in (SCIPY[kind], kind))
    np.testing.assert_array_equal(given.params, named.params)


def test_any_distribution_with_scipys_methods(df):
    class Minimal(stats.rv_continuous):
        def _ppf(self, q):
            return np.log(-np.log1p(-q))

        def _cdf(self, x):
            return -np.expm1(-np.exp(x))

    ours = tm.OrderedModel(df["y"], df[["x", "w"]], distr=Minimal()).fit(disp=False)
    named = tm.OrderedModel(df["y"], df[["x", "w"]], distr="cloglog").fit(disp=False)
    assert ours.converged
    np.testing.assert_allclose(ours.params, named.params, rtol=1e-7)
    np.testing.assert_allclose(ours.bse, named.bse, rtol=1e-5)
    student = tm.OrderedModel(df["y"], df[["x", "w"]], distr=stats.t(6)).fit(disp=False)
    linear = student.predict(which="linpred")
    limits = np.array([-np.inf, *student.thresholds, np.inf])
    rows = stats.t(6).cdf(limits[df["code"] + 1] - linear) - stats.t(6).cdf(limits[df["code"]] - linear)
    np.testing.assert_allclose(student.llf, np.log(rows).sum(), rtol=1e-10)
    np.testing.assert_allclose(student.get_prediction(which="prob[bad]").predicted, student.predict()[:, 0], rtol=1e-12)
    with pytest.raises(ModelError, match="cannot be saved"):
        student.save("nowhere")
    with pytest.raises(ValueError, match="distr='tobit' is not known; choose from 'probit', 'logit'"):
        tm.OrderedModel(df["y"], df[["x", "w"]], distr="tobit")


@pytest.mark.parametrize("kind", ["logit", "probit"])
def test_two_categories_are_a_binary_model(df, kind):
    some = df.assign(high=(df["code"] > 1).astype(int))
    ordered = tm.OrderedModel.from_formula("high ~ x + w", some, distr=kind).fit(disp=False)
    binary = {"logit": tm.Logit, "probit": tm.Probit}[kind].from_formula("high ~ x + w", some).fit(disp=False)
    np.testing.assert_allclose(ordered.params, [*binary.params[["x", "w"]], -binary.params["Intercept"]], rtol=1e-8)
    np.testing.assert_allclose(ordered.bse, binary.bse[["x", "w", "Intercept"]], rtol=1e-8)
    for name in ("llf", "llnull", "aic", "bic", "df_model", "df_resid", "llr_pvalue"):
        np.testing.assert_allclose(getattr(ordered, name), getattr(binary, name), rtol=1e-9)


# -- the order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["logit", "probit", "cauchit"])
def test_the_reverse_order_changes_signs(df, kind):
    one = tm.OrderedModel.from_formula("code ~ x + w", df, distr=kind).fit(disp=False)
    other = tm.OrderedModel.from_formula("code ~ x + w", df.assign(code=-df["code"]), distr=kind).fit(disp=False)
    np.testing.assert_allclose(other.params.iloc[:2], -one.params.iloc[:2], rtol=1e-8)
    np.testing.assert_allclose(other.thresholds, -one.thresholds[::-1], rtol=1e-8)
    assert list(other.thresholds.index) == ["-3/-2", "-2/-1", "-1/0"]


def test_the_reverse_order_exchanges_the_extreme_value_distributions(df):
    one = tm.OrderedModel.from_formula("code ~ x + w", df, distr="cloglog").fit(disp=False)
    other = tm.OrderedModel.from_formula("code ~ x + w", df.assign(code=-df["code"]), distr="loglog").fit(disp=False)
    np.testing.assert_allclose(other.params.iloc[:2], -one.params.iloc[:2], rtol=1e-8)
    np.testing.assert_allclose(other.llf, one.llf, rtol=1e-13)


def test_strings_have_no_order(df):
    strings = df["y"].astype(str)
    for build in (
        lambda: tm.OrderedModel(strings, df[["x"]]),
        lambda: tm.OrderedModel(strings.to_numpy(), df[["x"]].to_numpy()),
        lambda: tm.OrderedModel.from_formula("y ~ x", df.assign(y=strings)),
    ):
        with pytest.raises(ValueError, match=r"Only ordered pandas Categorical or numbers.*ordered=True"):
            build()
    for build in (
        lambda: tm.OrderedModel(df["y"].cat.as_unordered(), df[["x"]]),
        lambda: tm.OrderedModel.from_formula("y ~ x", df.assign(y=df["y"].cat.as_unordered())),
    ):
        with pytest.warns(SpecificationWarning, match="taken in the order bad, fair, good, best"):
            model = build()
        assert model.labels == NAMES


def test_missing_and_empty_categories(df, res):
    holes = df.assign(y=df["y"].where(df.index % 10 != 0), code=df["code"].where(df.index % 10 != 0))
    with pytest.raises(MissingDataError, match="missing values in categorical endog"):
        tm.OrderedModel(holes["y"], df[["x", "w"]])
    with pytest.raises(MissingDataError, match="NaN in dependent variable"):
        tm.OrderedModel(holes["code"], df[["x", "w"]])
    dropped = tm.OrderedModel(holes["y"], df[["x", "w"]], missing="drop", distr="logit").fit(disp=False)
    by_formula = tm.OrderedModel.from_formula("y ~ x + w", holes, distr="logit").fit(disp=False)
    np.testing.assert_allclose(dropped.params, by_formula.params, rtol=1e-10)
    assert dropped.nobs == 270
    wider = df.assign(y=df["y"].cat.add_categories("perfect"))
    with pytest.warns(ValueWarning, match="no row is in 'perfect'"):
        ours = tm.OrderedModel.from_formula("y ~ x + w", wider, distr="logit").fit(disp=False)
    np.testing.assert_allclose(ours.params, res.params, rtol=1e-12)


# -- constants and columns ---------------------------------------------------------------------------------------


def test_a_constant_is_refused_and_that_of_a_formula_left_out(df, res):
    for columns in (
        df[["x"]].assign(const=1.0),
        pd.get_dummies(df["x"] > 0).astype(float),
        df[["x"]].assign(three=3.0),
    ):
        with pytest.raises(ValueError, match="should not be a constant"):
            tm.OrderedModel(df["y"], columns)
    for formula in ("y ~ 1 + x + w", "y ~ x + w - 1"):
        other = tm.OrderedModel.from_formula(formula, df, distr="logit").fit(disp=False)
        assert other.names == res.names == ["x", "w", "bad/fair", "fair/good", "good/best"]
        np.testing.assert_allclose(other.params, res.params, rtol=1e-12)
    coded = tm.OrderedModel.from_formula("y ~ C(x > 0) + w", df)
    assert coded.exog_names[:2] == ["C(x > 0)[T.True]", "w"]
    with pytest.raises(ValueError, match=r"sum to one \(C\(x > 0\)\[False\], C\(x > 0\)\[True\], w\)"):
        tm.OrderedModel.from_formula("y ~ 0 + C(x > 0) + w", df)
    with pytest.warns(RankWarning, match=r"C\(x > 0\)\[True\]"):
        ignored = tm.OrderedModel.from_formula("y ~ 0 + C(x > 0) + w", df, hasconst=False).fit(disp=False)
    np.testing.assert_allclose(ignored.predict(df[:9]), coded.fit(disp=False).predict(df[:9]), rtol=1e-9)


def test_thresholds_alone(df):
    res = tm.OrderedModel(df["code"].to_numpy(), None, distr="logit").fit(disp=False)
    shares = np.cumsum(np.bincount(df["code"]))[:-1] / len(df)
    np.testing.assert_allclose(res.params, np.log(shares / (1 - shares)), rtol=1e-12)
    assert res.llf == pytest.approx(res.llnull, rel=1e-13)
    by_formula = tm.OrderedModel.from_formula("y ~ 1", df, distr="logit").fit(disp=False)
    np.testing.assert_allclose(by_formula.params, res.params, rtol=1e-12)
    np.testing.assert_allclose(res.model.start_params, res.params, rtol=1e-12)


def test_thresholds_take_up_an_offset(df, res):
    moved = tm.OrderedModel.from_formula("y ~ x + w", df, offset=np.full(len(df), 2.5), distr="logit").fit(disp=False)
    np.testing.assert_allclose(moved.thresholds, res.thresholds + 2.5, rtol=1e-9)
    np.testing.assert_allclose(moved.predict(), res.predict(), rtol=1e-9)
    np.testing.assert_allclose(moved.llnull, res.llnull, rtol=1e-12)
    varying = tm.OrderedModel.from_formula("y ~ x", df, offset="off").fit(disp=False)
    null = ordinal_model.OrderedModel(df["code"], None, offset=df["off"].to_numpy()).fit(
        method="bfgs", disp=False, gtol=1e-9
    )
    np.testing.assert_allclose(varying.llnull, null.llf, rtol=1e-9)
    new = ratings(7, seed=4)
    np.testing.assert_allclose(
        varying.predict(new, which="linpred"), new["x"] * varying.params["x"] + new["off"], rtol=1e-12
    )


def test_parameter_vectors_of_thresholds(res):
    model = res.model
    limits = model.transform_threshold_params(res.params)
    assert limits[0] == -np.inf and limits[-1] == np.inf and (np.diff(limits) > 0).all()
    np.testing.assert_array_equal(limits[1:-1], res.thresholds)
    np.testing.assert_array_equal(model.transform_reverse_threshold_params(limits), res.params.iloc[2:])
    again = model.fit(start_params=np.r_[0.0, 0.0, model.transform_reverse_threshold_params(limits)], disp=False)
    np.testing.assert_allclose(again.params, res.params, rtol=1e-9)
    assert model.loglike([0.1, 0.1, 1.0, 0.5, 2.0]) == -np.inf  # not in order


@pytest.mark.parametrize("method", ["bfgs", "l-bfgs", "newton-cg", "nm"])
def test_every_method_finds_the_maximum(res, method):
    other = res.model.fit(method=method, disp=False)
    assert other.converged
    np.testing.assert_allclose(other.params / res.bse, res.params / res.bse, atol=1e-5)


def test_sums_by_thresholds_are_those_of_the_engine(df):
    model = tm.OrderedModel.from_formula("y ~ x + w", df.assign(x=1e7 + df["x"]), offset="off", freq_weights="weight")
    z = torch.tensor([0.4, -0.3, -1.0, 0.1, 1.2], dtype=torch.float64)
    for order in (0, 1, 2):
        plain = row_sums(lambda block: RegressionModel.block_sums(model, z, block, order), model.rows)  # noqa: B023
        for ours, theirs in zip(model.sums(z, order), plain, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-10)


def test_intervals_of_a_probability(df, res):
    new = ratings(5, seed=4)
    found = res.get_prediction(new, which="prob[fair]").summary_frame()
    h, params = 1e-5, res.params_array
    moved = [
        [res.model.predict(params + s * h * e, new[["x", "w"]].to_numpy(), which="prob[fair]") for s in (1, -1)]
        for e in np.eye(5)
    ]
    gradient = np.stack([(up - down) / (2 * h) for up, down in moved], 1)
    np.testing.assert_allclose(found["se"], np.sqrt(((gradient @ res.covariance_array) * gradient).sum(1)), rtol=1e-7)
    assert ((found["ci_lower"] > 0) & (found["ci_upper"] < 1) & (found["ci_lower"] < found["predicted"])).all()
    every = res.get_prediction(new, which="prob").summary_frame()
    np.testing.assert_allclose(every.xs("fair", level="value"), found, rtol=1e-12)
    np.testing.assert_allclose(every["predicted"].unstack()[NAMES], res.predict(new), rtol=1e-13)


def test_margins_add_up_to_nothing(df, res):
    effects = res.margins("x").frame()
    assert len(effects) == 4 and abs(effects["estimate"].sum()) < 1e-14
    step = 1e-5
    high, low = (res.predict(df.assign(x=df["x"] + s * step)).mean() for s in (1, -1))
    np.testing.assert_allclose(effects["estimate"], (high - low) / (2 * step), rtol=1e-7)


def test_summary_says_the_order(res):
    text = str(res.summary())
    assert "OrderedModel Results" in text and "bad < fair < good < best" in text and "fair/good" in text


# -- the latent distributions ------------------------------------------------------------------------------------

PLACES = [(-1.0, 0.5), (0.0, 1e-6), (3.0, 8.0), (-8.0, -3.0), (20.0, 20.5), (-20.5, -20.0), (-30.0, 30.0), (5.0, 5.001)]
EXACT = {
    "probit": lambda x: mpmath.ncdf(x),
    "logit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "cloglog": lambda x: -mpmath.expm1(-mpmath.exp(x)),
    "loglog": lambda x: mpmath.exp(-mpmath.exp(-x)),
    "cauchit": lambda x: mpmath.mpf("0.5") + mpmath.atan(x) / mpmath.pi,
}


@each_latent
@pytest.mark.parametrize(("low", "high"), PLACES)
def test_log_probabilities_are_exact_in_the_tails(kind, low, high):
    with mpmath.workdps(900):  # 1 - exp(-exp(20)) needs them
        exact = mpmath.log(EXACT[kind](mpmath.mpf(high)) - EXACT[kind](mpmath.mpf(low)))
        exact = float(exact) if mpmath.isfinite(exact) else -np.inf
    if exact < -1e8:
        pytest.skip("beyond the range of the exponential of an exponential")
    no = torch.tensor([False])
    ends = torch.tensor([[low], [high]], dtype=torch.float64)
    ours = float(log_probability(latent(kind), *ends, no, no))
    assert ours == pytest.approx(exact, rel=1e-11, abs=1e-10 if high - low < 0.01 else 1e-13)


@each_latent
def test_derivatives_of_intervals_are_autograds(kind):
    low = torch.tensor([0.0, -2.0, 4.0, -7.0, 1.0, 2.0], dtype=torch.float64)
    high = torch.tensor([0.7, 3.0, 5.0, -6.0, 9.0, 2.5], dtype=torch.float64)
    first, last = torch.arange(6) == 4, torch.arange(6) == 5
    terms = interval_terms(latent(kind), low, high, first, last)

    def value(upper, lower):
        return log_probability(latent(kind), lower, upper, first, last).sum()

    point = (high, low)
    gradient = torch.autograd.functional.jacobian(value, point)
    hessian = torch.autograd.functional.hessian(value, point)
    pairs = [(terms.upper, gradient[0]), (terms.lower, gradient[1]), (terms.upper_upper, hessian[0][0].diagonal()),
             (terms.lower_lower, hessian[1][1].diagonal()), (terms.upper_lower, hessian[0][1].diagonal())]  # fmt: skip
    for ours, plain in pairs:
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-11)


def test_far_rows_do_not_overflow():
    rng = np.random.default_rng(1)
    x = np.r_[rng.normal(size=200), 400.0, -400.0]
    y = np.digitize(x + rng.logistic(size=202), [-1, 1])
    y[-2:] = [0, 2]  # as unlikely as can be
    model = tm.OrderedModel(y, x[:, None], distr="probit")
    value, score, hessian = model.sums(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64), 2)
    assert all(bool(torch.isfinite(part).all()) for part in (value, score, hessian))
    assert float(value) == pytest.approx(2 * stats.norm.logcdf(-401.0), rel=0.01)
    assert math.isfinite(model.fit(disp=False).llf)


@pytest.mark.parametrize("distr", ["logit", "probit", "cloglog"])
def test_far_offsets_move_the_thresholds_alone(distr):
    rng = np.random.default_rng(8)
    x = rng.normal(size=(200, 1))
    y = np.digitize(x[:, 0] + rng.logistic(size=200), [-1.0, 0.5])
    near = tm.OrderedModel(y, x, distr=distr).fit(disp=False)
    for far in (-60.0, 60.0, 500.0):
        res = tm.OrderedModel(y, x, offset=np.full(200, far), distr=distr).fit(disp=False)
        assert res.converged and res.llf == pytest.approx(near.llf, rel=1e-10)
        np.testing.assert_allclose(res.params, near.params + np.array([0, far, far]), rtol=1e-7)
