"""Models a user writes: what they get, and what they are told when something is wrong."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import torch
from problems import Gumbel, Mixture, OrderedLogit, gumbel_data
from scipy import stats
from statsmodels.genmod import families
from statsmodels.miscmodels.ordinal_model import OrderedModel

import torchmle as tm

SAME = 1e-7  # relative: two programs' maxima


@pytest.fixture(scope="module")
def df():
    frame = gumbel_data(np.random.default_rng(0), 200)
    return frame.assign(n=np.random.default_rng(1).integers(1, 9, 200), counts=frame["counts"] + 1)


# -- LikelihoodModel -------------------------------------------------------------------------------------------


class Share(tm.LikelihoodModel):
    """Shares of categories 0 ... 2."""

    parameters = {"p": tm.Simplex(3)}

    def loglike_obs(self, p, data):
        return torch.log(p.p)[data.y.long()]


class Correlated(tm.LikelihoodModel):
    """Three standard normal variables and their correlations."""

    parameters = {"rho": tm.Correlation(["a", "b", "c"])}

    def loglike_obs(self, p, data):
        factor = torch.linalg.cholesky(p.rho)
        z = torch.linalg.solve_triangular(factor, data.y.T, upper=False)
        return -0.5 * (z**2).sum(0) - factor.diagonal().log().sum() - 1.5 * np.log(2 * np.pi)


class Binomial(tm.RegressionModel):
    """Successes out of a known number of trials."""

    parameters = {"p": tm.Logit()}
    row_arguments = ("trials",)

    def loglike_obs(self, p, data):
        log_choose = torch.lgamma(data.trials + 1) - torch.lgamma(data.y + 1) - torch.lgamma(data.trials - data.y + 1)
        return log_choose + data.y * p.real.p - data.trials * torch.nn.functional.softplus(p.real.p)


def test_shares_have_their_closed_form():
    y = np.random.default_rng(0).choice(3, 300, p=[0.2, 0.3, 0.5])
    res = Share(y).fit()
    p = np.bincount(y) / 300
    assert res.names == ["p[0]", "p[1]", "p[2]"]
    np.testing.assert_allclose(res.params, p, rtol=SAME)
    np.testing.assert_allclose(res.bse, np.sqrt(p * (1 - p) / 300), rtol=SAME)
    np.testing.assert_allclose(res.cov_params(), (np.diag(p) - np.outer(p, p)) / 300, rtol=1e-6)
    assert res.llf == pytest.approx((np.bincount(y) * np.log(p)).sum())
    assert (res.df_resid, res.aic) == (298, pytest.approx(-2 * res.llf + 4))
    limits = np.asarray(res.conf_int(1e-9))
    assert ((limits > 0) & (limits < 1)).all()
    with pytest.raises(ValueError, match="3 reported parameters.*2 free"):
        res.score()


def test_correlations_have_their_standard_errors():
    truth = [[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]]
    y = np.random.default_rng(0).normal(size=(400, 3)) @ np.linalg.cholesky(truth).T
    res = Correlated(y).fit()
    assert res.names == ["rho[b, a]", "rho[c, a]", "rho[c, b]"]
    assert res.converged
    limits = np.asarray(res.conf_int(1e-12))
    assert ((limits > -1) & (limits < 1)).all()
    matrix = tm.Correlation(3).unflatten(torch.tensor(res.params))
    assert res.llf == pytest.approx(stats.multivariate_normal.logpdf(y, cov=matrix).sum())
    held = Correlated(y).fit(fix={"rho": np.eye(3)})
    assert held.llf == pytest.approx(stats.norm.logpdf(y).sum())
    assert res.lr_test(held).df_diff == 3


def test_ordered_logit_is_statsmodels(df):
    y = np.digitize(df["x"] + np.random.default_rng(3).logistic(size=200), [-1.0, 0.0, 1.5]).astype(float)
    data = df.assign(y=y)
    res = OrderedLogit.from_formula("y ~ x + w - 1", data).fit(start_params=[0, 0, -1, 0, 1])
    theirs = OrderedModel(y, data[["x", "w"]], distr="logit").fit(method="newton", disp=0, tol=1e-12)
    assert res.llf == pytest.approx(theirs.llf, rel=1e-10)
    np.testing.assert_allclose(res.params.iloc[:2], theirs.params.iloc[:2], rtol=1e-6)
    np.testing.assert_allclose(res.bse.iloc[:2], theirs.bse.iloc[:2], rtol=1e-5)
    thresholds = theirs.model.transform_threshold_params(theirs.params.to_numpy())[1:-1]
    np.testing.assert_allclose(res.params.iloc[2:], thresholds, rtol=1e-6)


def test_row_arguments_of_ones_own(df):
    rng = np.random.default_rng(4)
    df = df.assign(y=rng.binomial(df["n"], 1 / (1 + np.exp(-df["x"]))))
    res = Binomial.from_formula("y ~ x", df, trials="n").fit(cov_type="HC0")
    outcomes = df.assign(k=df["y"], m=df["n"] - df["y"])
    theirs = smf.glm("k + m ~ x", outcomes, family=families.Binomial()).fit(tol=1e-14)
    np.testing.assert_allclose(res.params, theirs.params, rtol=SAME)
    np.testing.assert_allclose(res.with_covariance("nonrobust").bse, theirs.bse, rtol=SAME)
    assert res.llf == pytest.approx(theirs.llf, rel=1e-10)
    array = Binomial(df["y"].to_numpy(), np.column_stack([np.ones(200), df["x"]]), trials=df["n"].to_numpy()).fit()
    np.testing.assert_allclose(array.params, res.params, rtol=SAME)
    assert isinstance(array.params, np.ndarray)
    with pytest.raises(TypeError, match=r"'trails'.*trials"):
        Binomial.from_formula("y ~ x", df, trails="n")
    with pytest.raises(AttributeError, match="trials"):
        Binomial.from_formula("y ~ x", df).fit()


def test_weights_belong_to_the_base_class(df):
    with pytest.raises(TypeError, match="freq_weights"):
        Gumbel.from_formula("y ~ x", df, weights="counts")
    for bad in (-1.0, np.nan):
        with pytest.raises((ValueError, tm.errors.MissingDataError)):
            Gumbel.from_formula(
                "y ~ x", df.assign(k=np.where(df.index == 3, bad, 1.0)), freq_weights="k", missing="raise"
            )


def test_formulas_matrices_and_constants_are_the_same_model(df):
    formula = Gumbel.from_formula("y ~ x", df, sigma="~ w").fit()
    x, w = (pd.DataFrame({"Intercept": 1.0, name: df[name]}) for name in ("x", "w"))
    matrix = Gumbel(df["y"], x, sigma=w).fit()
    pd.testing.assert_series_equal(formula.params, matrix.params, rtol=SAME)
    pd.testing.assert_series_equal(formula.bse, matrix.bse, rtol=SAME)
    for one in ("~ 1", "1", "~1"):
        constant = Gumbel.from_formula("y ~ x", df, sigma=one).fit()
        assert constant.names == ["Intercept", "x", "sigma"]
    assert constant.params["sigma"] > 0
    fixed = Gumbel.from_formula("y ~ x", df, sigma=2.0).fit()
    later = Gumbel.from_formula("y ~ x", df).fit(fix={"sigma": 2.0})
    pd.testing.assert_series_equal(fixed.params, later.params)
    assert fixed.params["sigma"] == pytest.approx(2.0, rel=1e-14)
    assert fixed.bse["sigma"] == 0
    assert "Held fixed: sigma" in fixed.summary().as_text()


def test_predictions_of_every_parameter(df):
    res = Gumbel.from_formula("y ~ x", df, sigma="~ w").fit()
    new = df.head(5)
    np.testing.assert_allclose(res.predict(new), res.params["Intercept"] + res.params["x"] * new["x"])
    sigma = np.exp(res.params["sigma[Intercept]"] + res.params["sigma[w]"] * new["w"])
    np.testing.assert_allclose(res.predict(new, which="sigma"), sigma)
    frame = res.get_prediction(new, which="sigma").summary_frame()
    gradient = sigma.to_numpy()[:, None] * np.column_stack([np.zeros((5, 2)), np.ones(5), new["w"]])
    np.testing.assert_allclose(
        frame["se"], np.sqrt(((gradient @ res.cov_params().to_numpy()) * gradient).sum(1)), rtol=1e-8
    )
    with pytest.raises(ValueError, match=r"'scale'.*'mean', 'linear', 'mu', 'sigma'"):
        res.predict(which="scale")


def test_models_without_predictors_do_not_predict(df):
    res = Mixture.from_formula("y ~ 1", df).fit(start_params=[0.5, -1, 1, 1])
    with pytest.raises(ValueError, match="Mixture does not say what it predicts"):
        res.predict()
    assert "share" in str(res.summary())


def test_a_far_column_after_which_the_constant_comes(df):
    """The constant need not be the first column for the centres to be mapped back exactly."""
    x = pd.DataFrame({"x": 1e9 + df["x"], "w": -1e7 + df["w"], "const": 1.0})
    near = pd.DataFrame({"x": x["x"] - 1e9, "w": x["w"] + 1e7, "const": 1.0})
    far, base = Gumbel(df["y"], x).fit(), Gumbel(df["y"], near).fit()
    for name in ("x", "w", "sigma"):
        assert far.params[name] == pytest.approx(base.params[name], rel=1e-6)
        assert far.bse[name] == pytest.approx(base.bse[name], rel=1e-6)
    change = np.array(
        [[1, 0, 0, 0], [0, 1, 0, 0], [-1e9, 1e7, 1, 0], [0, 0, 0, 1]]
    )  # theta of far columns from near ones
    unit = base.bse.to_numpy()
    for name in ("score", "score_obs"):
        found = getattr(far.model, name)(change @ (base.params + unit))
        expected = getattr(base.model, name)(base.params + unit) @ np.linalg.inv(change)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


# -- what goes wrong -------------------------------------------------------------------------------------------


def model_of(loglike, parameters=None, base=tm.LikelihoodModel):
    body = {"parameters": parameters or {"m": tm.Identity()}, "loglike_obs": lambda self, p, data: loglike(p, data)}
    return type("Mine", (base,), body)


Y = np.random.default_rng(5).normal(size=60)
WRONG = {
    "a sum": (lambda p, data: -((data.y - p.m) ** 2).sum(), ValueError, r"Mine.*shape \(\).*60 rows.*not their sum"),
    "a column": (lambda p, data: -((data.y - p.m) ** 2)[:, None], ValueError, r"shape \(60, 1\)"),
    "a typo": (lambda p, data: -((data.y - p.mu) ** 2), AttributeError, r"no parameter 'mu'; the parameters are m"),
    "a missing column": (lambda p, data: -((data.z - p.m) ** 2), AttributeError, r"no column 'z'"),
}


@pytest.mark.parametrize("base", [tm.LikelihoodModel, tm.RegressionModel], ids=lambda base: base.__name__)
@pytest.mark.parametrize("kind", WRONG)
def test_mistakes_in_a_likelihood_are_named(kind, base):
    loglike, error, words = WRONG[kind]
    with pytest.raises(error, match=words):
        model_of(loglike, base=base)(Y).fit()


def test_a_likelihood_must_be_written():
    with pytest.raises(NotImplementedError, match="Empty must define loglike_obs"):
        type("Empty", (tm.RegressionModel,), {"parameters": {"m": tm.Identity()}})(Y).fit()


FLAT = {
    "unused": (lambda p, data: -((data.y - p.m) ** 2), {"m": tm.Identity(), "q": tm.Log()}, "q"),
    "constant": (lambda p, data: -(data.y**2), {"m": tm.Identity()}, "m"),
    "only a sum": (lambda p, data: -((data.y - p.m - p.q) ** 2), {"m": tm.Identity(), "q": tm.Identity()}, "m"),
}


@pytest.mark.parametrize("kind", FLAT)
def test_parameters_the_data_say_nothing_about_are_named(kind):
    loglike, parameters, name = FLAT[kind]
    with pytest.warns(tm.errors.ConvergenceWarning, match=f"flat.*{name}"):
        res = model_of(loglike, parameters)(Y).fit()
    assert not res.converged
    with pytest.warns(tm.errors.HessianInversionWarning, match=name):
        assert np.isnan(res.bse).all()


def test_a_likelihood_that_is_not_finite_does_not_converge():
    with pytest.warns(tm.errors.ConvergenceWarning, match="not finite at the start"):
        res = model_of(lambda p, data: torch.log(p.m - 1e6 - data.y**2))(Y).fit()
    assert not res.converged


def test_parameters_hidden_from_autograd_do_not_pass_for_estimates():
    with pytest.warns(tm.errors.ConvergenceWarning):
        res = model_of(lambda p, data: -((data.y - p.m.detach()) ** 2))(Y).fit()
    assert not res.converged


def test_unknown_arguments_are_refused(df):
    with pytest.raises(TypeError, match=r"'offsets'.*freq_weights.*offset.*mu.*sigma"):
        Gumbel.from_formula("y ~ x", df, offsets="w")
    with pytest.raises(TypeError, match="covtype"):
        Gumbel.from_formula("y ~ x", df).fit(covtype="HC1")
    with pytest.raises(ValueError, match=r"'tau'.*Intercept, x, sigma"):
        Gumbel.from_formula("y ~ x", df).fit(fix={"tau": 1.0})
    with pytest.raises(ValueError, match=r"'sigma'.*-1.*Log"):
        Gumbel.from_formula("y ~ x", df).fit(fix={"sigma": -1.0})
    with pytest.raises(ValueError, match="2 values.*3 parameters"):
        Gumbel.from_formula("y ~ x", df).fit(start_params=[1.0, 2.0])


def test_an_offset_in_the_formula_of_a_models_own(df):
    """A coefficient of one, in estimates and in predictions of new rows."""
    offset = Gumbel.from_formula("y ~ x + offset(w)", df).fit()
    held = Gumbel.from_formula("y ~ x + w", df).fit(fix={"w": 1.0})
    np.testing.assert_allclose(offset.params, held.params.drop("w"), rtol=SAME)
    new = df.iloc[:4].assign(w=5.0)
    np.testing.assert_allclose(offset.predict(new, which="mu"), held.predict(new, which="mu"), rtol=SAME)


def test_a_start_outside_the_domain_is_refused(df):
    with pytest.warns(tm.errors.ConvergenceWarning, match="start"):
        res = Gumbel.from_formula("y ~ x", df).fit(start_params=[1.0, 2.0, -1.0])
    assert not res.converged


TIMES = np.array([1.0, 2.0, 3.0, 4.0])
ONES = np.ones((4, 1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"event": [1.0, 0.0, 5.0, 1.0]}, "event must be 1.*; 5 was given"),
        ({"event": [1.0, 0.0, 3.0, 1.0]}, "; 3 was given"),
        ({"entry": [0.0, 2.0, 1.0, 1.0]}, "row 1 enters at 2 and leaves at 2"),
        ({"event": np.zeros(4)}, "no events"),
    ],
)
def test_survival_times_are_checked(arguments, words):
    with pytest.raises(ValueError, match=words):
        tm.ExponentialSurvival(TIMES, ONES, **arguments)


def test_left_censoring_after_a_late_entry():
    """Given survival until s, failure before t has probability 1 - exp(-rate (t - s))."""
    entry, event = np.array([0.5, 1.5, 0.0, 1.0]), np.array([2.0, 1.0, 2.0, 0.0])
    model = tm.ExponentialSurvival(TIMES, ONES, event=event, entry=entry)
    rate, lived = np.exp(0.3), TIMES - entry
    rows = np.where(event == 2, np.log(-np.expm1(-rate * lived)), (event == 1) * 0.3 - rate * lived)
    assert model.loglike([0.3]) == pytest.approx(rows.sum(), rel=1e-13)


def test_parameters_may_be_fixed_all(df):
    res = Gumbel.from_formula("y ~ 1", df).fit(fix={"Intercept": 1.0, "sigma": 1.5})
    assert res.llf == pytest.approx(stats.gumbel_r.logpdf(df["y"], 1.0, 1.5).sum())
    assert res.aic == pytest.approx(-2 * res.llf)
    assert (res.bse == 0).all()


# -- models derived from others ----------------------------------------------------------------------------------


class Shrunken(tm.Poisson):
    """A penalty where statsmodels' users put it."""

    def loglike(self, params):
        return super().loglike(params) - 5 * float((params**2).sum())


class Squares(tm.Poisson):
    """Another criterion, with the closed forms of Poisson below it."""

    def loglike_obs(self, p, data):
        return -((data.y - p.mu) ** 2)


class DerivedSquares(Squares):
    """The same with derivatives that are its own."""

    eta_derivatives = tm.RegressionModel.eta_derivatives


def test_a_likelihood_that_fit_would_not_look_at_is_refused(df):
    with pytest.raises(TypeError, match=r"Shrunken.loglike\(params\) would have no part in the fit of a Shrunken"):
        Shrunken.from_formula("counts ~ x", df)
    with pytest.raises(
        TypeError, match=r"goes by the closed forms of \w+.eta_derivatives: derive from RegressionModel"
    ):
        Squares.from_formula("counts ~ x", df)


def test_a_derived_model_with_derivatives_of_its_own_is_fitted(df):
    results = DerivedSquares.from_formula("counts ~ x", df).fit(disp=False)
    mu = np.asarray(results.predict())
    columns = np.column_stack([np.ones(200), df["x"]])
    np.testing.assert_allclose(
        columns.T @ ((df["counts"] - mu) * mu), 0, atol=1e-5 * mu.sum()
    )  # nonlinear least squares
    assert results.llf == pytest.approx(-((df["counts"] - mu) ** 2).sum(), rel=1e-10)


def test_what_else_a_derived_model_may_say(df):
    class Named(tm.Poisson):
        def predict(self, params, *arguments, **options):
            return 2 * super().predict(params, *arguments, **options)

    plain, named = (kind.from_formula("counts ~ x", df).fit(disp=False) for kind in (tm.Poisson, Named))
    np.testing.assert_array_equal(named.params, plain.params)
    np.testing.assert_array_equal(named.model.predict(named.params), 2 * plain.model.predict(plain.params))


def wrong_model(**attributes):
    """A regression model with something wrong about it."""
    parameters = attributes.pop("parameters", {"mu": tm.Identity()})
    return type("Wrong", (tm.RegressionModel,), {**({"parameters": parameters} if parameters else {}), **attributes})


@pytest.mark.parametrize(
    ("attributes", "error", "words"),
    [
        (
            {"parameters": {"mu": tm.Identity}},
            TypeError,
            r"Wrong.parameters\['mu'\] must be a transform .*not the class Identity",
        ),
        ({"parameters": {"mu": "log"}}, TypeError, r"Wrong.parameters\['mu'\] must be a transform .*not 'log'"),
        ({"parameters": None}, TypeError, "Wrong must say its parameters"),
        ({}, NotImplementedError, "Wrong must define loglike_obs"),
        (
            {"loglike_obs": lambda self, p, data: data.y.numpy()},
            TypeError,
            "returned ndarray; it must compute with torch",
        ),
        (
            {"loglike_obs": lambda self, p, data: p.mu - data.entry},
            AttributeError,
            "no column 'entry'; known columns: y",
        ),
        ({"loglike_obs": lambda self, p, data: p.nu}, AttributeError, "no parameter 'nu'; the parameters are mu"),
    ],
)
def test_words_about_wrong_models(df, attributes, error, words):
    with pytest.raises(error, match=words):
        wrong_model(**attributes).from_formula("y ~ x", df).fit()
