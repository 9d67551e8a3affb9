"""Designs with columns that are linear combinations of others: left out, shared by least norm, or refused."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

import torchmle as tm
from torchmle.errors import ConvergenceWarning, RankError, RankWarning

N = 120
MODELS = {
    "ols": (tm.OLS, "y", {}),
    "wls": (tm.WLS, "y", {"weights": "weight"}),
    "normal": (tm.Normal, "y", {}),
    "poisson": (tm.Poisson, "count", {}),
    "logit": (tm.Logit, "event", {}),
    "glm": (tm.GLM, "positive", {"family": tm.families.Gamma(tm.families.links.Log())}),
    "negbin": (tm.NegativeBinomial, "count", {}),
    "mnlogit": (tm.MNLogit, "class_", {}),
}
EVERY = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.normal(size=N), "w": rng.normal(3, 2, size=N), "weight": rng.uniform(0.5, 2, N)})
    eta = 0.5 + 0.4 * frame["x"] - 0.1 * frame["w"]
    return frame.assign(
        y=eta + rng.normal(size=N),
        count=rng.negative_binomial(2, 2 / (2 + np.exp(eta))),
        event=(rng.uniform(size=N) < 1 / (1 + np.exp(-eta))).astype(float),
        positive=rng.gamma(2, np.exp(eta) / 2),
        class_=rng.integers(0, 3, N),
        double=2 * frame["x"],
        both=frame["x"] + 3 * frame["w"] + 1,
    )


def fitted(df, name, formula, **options):
    model, response, arguments = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankWarning)
        return model.from_formula(f"{response} ~ {formula}", df, **arguments).fit(disp=False, **options)


@EVERY
def test_every_way_has_the_fitted_values_of_the_reduced_model(df, name):
    reduced = fitted(df, name, "x + w")
    for rank in ("drop", "pinv"):
        res = fitted(df, name, "x + double + w + both", rank=rank)
        assert res.converged
        np.testing.assert_allclose(np.asarray(res.predict()), np.asarray(reduced.predict()), rtol=1e-6)
        assert res.llf == pytest.approx(reduced.llf, rel=1e-9)
        assert (res.df_resid, res.df_model, res.k_free) == (reduced.df_resid, reduced.df_model, reduced.k_free)
        assert res.aic == pytest.approx(reduced.aic, rel=1e-9)


@EVERY
def test_left_out_columns_are_rows_of_nan(df, name):
    res = fitted(df, name, "x + double + w + both")
    lost = [label for label in res.names if "double" in label or "both" in label]
    assert [label for label in lost if label.split("_")[-1] not in res.dropped_columns] == []
    params = pd.Series(res.params_array, res.names)
    assert params[lost].isna().all() and params.drop(lost).notna().all()
    reduced = fitted(df, name, "x + w")
    kept = [res.names.index(label) for label in res.names if label not in lost]
    np.testing.assert_allclose(res._bse[kept], reduced._bse, rtol=1e-5)


@EVERY
def test_refusal_names_the_columns(df, name):
    with pytest.raises(RankError, match="double.*both.*linear combinations"):
        fitted(df, name, "x + double + w + both", rank="raise")
    assert fitted(df, name, "x + w", rank="raise").converged


@EVERY
def test_shared_effects_are_the_shortest(df, name):
    """The estimate is orthogonal to what does not change the linear predictor."""
    res = fitted(df, name, "x + double + w + both", rank="pinv")
    design = res.model.exog
    null = np.linalg.svd(design)[2][3:]
    k = design.shape[1]
    for start in range(0, len(res.params_array) - k + 1, k):
        block = slice(start, start + k)
        np.testing.assert_allclose(null @ res.params_array[block], 0, atol=1e-8)
        np.testing.assert_allclose(null @ res.covariance_array[block, block], 0, atol=1e-8)
    assert np.isfinite(res.params_array).all() and (res._bse > 0).all()


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "HC3"])
@pytest.mark.parametrize("weighted", [False, True])
def test_least_norm_as_in_statsmodels(df, weighted, cov_type):
    x = sm.add_constant(df[["x", "double", "w", "both"]])
    ours, theirs = (tm.WLS, sm.WLS) if weighted else (tm.OLS, sm.OLS)
    more = {"weights": df["weight"]} if weighted else {}
    with pytest.warns(RankWarning, match="rank-deficient.*double, both"):
        res = ours(df["y"], x, **more).fit(rank="pinv", cov_type=cov_type)
    with pytest.warns(SingularMatrixWarning):
        other = theirs(df["y"], x, **more).fit(cov_type=cov_type)
    for name in ("params", "bse", "scale", "df_model", "df_resid", "rsquared", "llf", "fittedvalues"):
        np.testing.assert_allclose(getattr(res, name), getattr(other, name), rtol=1e-8, err_msg=name)


def test_least_norm_of_a_glm_as_in_statsmodels(df):
    x = sm.add_constant(df[["x", "double", "w", "both"]])
    with pytest.warns(RankWarning):
        res = tm.GLM(df["count"], x, family=tm.families.Poisson()).fit(rank="pinv")
    with pytest.warns(SingularMatrixWarning):
        other = sm.GLM(df["count"], x, family=sm.families.Poisson()).fit(tol=1e-14)
    for name in ("params", "bse", "df_model", "df_resid", "deviance", "fittedvalues"):
        np.testing.assert_allclose(getattr(res, name), getattr(other, name), rtol=1e-6, err_msg=name)


def test_columns_far_from_zero(df):
    """Years, and years since 2000."""
    year = 2000.0 + np.arange(N) % 17
    x = np.column_stack([np.ones(N), year, year - 2000, df["x"]])
    with pytest.warns(RankWarning):
        res = tm.OLS(df["y"].to_numpy(), x).fit(rank="pinv")
    np.testing.assert_allclose(res.params, np.linalg.pinv(x) @ df["y"], rtol=1e-6)
    with pytest.warns(RankWarning, match="x2"):
        dropped = tm.OLS(df["y"].to_numpy(), x).fit()
    np.testing.assert_allclose(res.fittedvalues, dropped.fittedvalues, rtol=1e-9)


def test_summary_says_so(df):
    assert "Rank deficient" in fitted(df, "ols", "x + double", rank="pinv").summary().as_text()


def test_other_ways_are_refused(df):
    with pytest.raises(ValueError, match="'drop', 'pinv' or 'raise'"):
        fitted(df, "ols", "x + double", rank="minimum")


def test_with_constraints(df):
    res = fitted(df, "ols", "x + double + w", rank="pinv", constraints="w = 1")
    moved = fitted(df.assign(y=df["y"] - df["w"]), "ols", "x + double", rank="pinv")
    np.testing.assert_allclose(res.params[["Intercept", "x", "double"]], moved.params, rtol=1e-8)
    np.testing.assert_allclose(res.bse[["Intercept", "x", "double"]], moved.bse, rtol=1e-8)


class UsersNormal(tm.LikelihoodModel):
    parameters = {"beta": tm.Coefficients(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        return torch.distributions.Normal(data.X @ p.beta, p.sigma).log_prob(data.y)


class GenericNormal(tm.GenericLikelihoodModel):
    def __init__(self, endog, exog, **options):
        super().__init__(endog, exog, extra_params_names=["sigma"], **options)

    def loglikeobs(self, params):
        mean = torch.as_tensor(self.exog) @ params[:-1]
        return torch.distributions.Normal(mean, params[-1]).log_prob(torch.as_tensor(self.endog))

    def predict(self, params, exog=None):
        return np.asarray(self.exog if exog is None else exog) @ params[:-1]


@pytest.mark.parametrize("users", [UsersNormal, GenericNormal])
def test_a_users_own_likelihood(df, users):
    """Coefficients of the columns are taken for what they are wherever the likelihood does not tell them apart."""
    start = {"start_params": np.r_[np.zeros(5), 1.0]} if users is GenericNormal else {}
    with pytest.warns(RankWarning, match="double, both"):
        res = users.from_formula("y ~ x + double + w + both", df).fit(disp=False, **start)
    reduced = tm.Normal.from_formula("y ~ x + w", df).fit()
    kept = [res.names.index(name) for name in reduced.names]
    assert res.converged and res.certificate.dropped == ("double", "both") and np.isnan(res.params_array).sum() == 2
    np.testing.assert_allclose(res.params_array[kept], reduced.params, rtol=1e-7)
    np.testing.assert_allclose(res._bse[kept], reduced.bse, rtol=1e-6)
    if users is GenericNormal:
        prediction = res.get_prediction()
        np.testing.assert_allclose(res.predict(), reduced.predict(), rtol=1e-7)
        np.testing.assert_allclose(prediction.se, reduced.get_prediction().se, rtol=1e-5)
    with pytest.raises(RankError, match="double, both"):
        users.from_formula("y ~ x + double + w + both", df).fit(disp=False, rank="raise", **start)


def test_columns_are_named_before_anything_else_is_said(df):
    with pytest.warns() as caught:
        tm.Poisson.from_formula("count ~ x + double + w", df).fit(maxiter=1)
    assert [warning.category for warning in caught] == [RankWarning, ConvergenceWarning]


def named(res, column):
    """The label of a column's coefficient, of the last category where there are several."""
    return [label for label in res.names if label == column or label.endswith(f"_{column}")][-1]


@EVERY
def test_hypotheses_about_shared_effects_are_those_of_the_reduced_model(df, name):
    """``x + 2 double`` is the coefficient of x without its double: the data determine it, and each alone by least norm."""
    shared, reduced = fitted(df, name, "x + double + w", rank="pinv"), fitted(df, name, "x + w")
    x, double, w = (named(shared, column) for column in ("x", "double", "w"))
    for test in ("lr_test", "score_test", "wald_test"):
        one, other = getattr(shared, test), getattr(reduced, test)
        assert one(f"{x} + 2*{double} = 0.3").statistic == pytest.approx(other(f"{x} = 0.3").statistic, rel=1e-6)
        assert one(f"{w} = 0.1, {x} + 2*{double} = 0").statistic == pytest.approx(
            other(f"{w} = 0.1, {x} = 0").statistic, rel=1e-6
        )
    ours, theirs = (np.asarray(res.conf_int(method="profile")) for res in (shared, reduced))
    at, there = ours[shared.names.index(w)], theirs[reduced.names.index(w)]
    np.testing.assert_allclose(at, there, rtol=1e-8)
    whole = 5 * ours[shared.names.index(x)]  # the shortest vector has a fifth of it in x and two in its double
    np.testing.assert_allclose(whole, theirs[reduced.names.index(x)], rtol=1e-7)


@EVERY
def test_hypotheses_beside_a_column_left_out_leave_it_out(df, name):
    """Under ``x = 0.3`` its double is no combination of the others any more, but the model has no place for it."""
    res, reduced = fitted(df, name, "x + double + w"), fitted(df, name, "x + w")
    hypothesis, about_double = f"{named(reduced, 'x')} = 0.3", f"{named(res, 'double')} = 0"
    for test in ("lr_test", "score_test", "wald_test"):
        found, expected = getattr(res, test)(hypothesis), getattr(reduced, test)(hypothesis)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-6)
        assert found.pvalue == pytest.approx(expected.pvalue, rel=1e-5)
    for test in (res.lr_test, res.score_test):
        with pytest.raises(ValueError, match="nothing to test; left out, as linear combinations.*double"):
            test(about_double)
    with pytest.raises(ValueError, match="double' has no profile"):
        res.profile_likelihood(named(res, "double"))


def test_constraints_about_shared_effects(df):
    res = fitted(df, "poisson", "x + double + w", rank="pinv", constraints="x + 2*double = 0.3")
    held = fitted(df, "poisson", "x + w", fix={"x": 0.3})
    assert res.llf == pytest.approx(held.llf, rel=1e-12)
    np.testing.assert_allclose(res.params, [*held.params[["Intercept"]], 0.06, 0.12, held.params["w"]], rtol=1e-7)
    np.testing.assert_allclose(res.bse, [held.bse["Intercept"], 0, 0, held.bse["w"]], rtol=1e-7, atol=1e-12)
    assert res.df_resid == held.df_resid
