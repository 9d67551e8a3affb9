"""Generalised linear models, Logit and Probit beyond the laws of every model: arguments, scales, surface, files."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from reference import corpus
from scipy import stats

import torchmle as tm
from torchmle import families as F
from torchmle.errors import DomainWarning, PerfectSeparationWarning, SpecificationWarning
from torchmle.families import links as L
from torchmle.tools import sm_exceptions

GAMMA = F.Gamma(L.Log())


@pytest.fixture(scope="module")
def df():
    frame = pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})
    rng = np.random.default_rng(5)
    n = rng.integers(2, 9, len(frame))
    return frame.assign(n=n, wins=rng.binomial(n, 0.4), t=rng.uniform(0.5, 2, len(frame)))


def glm(formula, data, family=None, fitting=None, **arguments):
    return tm.GLM.from_formula(formula, data, family=family, **arguments).fit(**(fitting or {}))


def close(ours, theirs, rtol=1e-9):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol)


CASES = [
    ("yp", F.Poisson(), sm.families.Poisson()),
    ("yp", F.NegativeBinomial(alpha=0.4), sm.families.NegativeBinomial(alpha=0.4)),
    ("yg", GAMMA, sm.families.Gamma(sm.families.links.Log())),
    ("yg", F.InverseGaussian(L.Log()), sm.families.InverseGaussian(sm.families.links.Log())),
    ("yb", F.Binomial(L.CLogLog()), sm.families.Binomial(sm.families.links.CLogLog())),
    ("yp", F.Tweedie(var_power=1.6), sm.families.Tweedie(var_power=1.6)),
    ("yn", F.Gaussian(), sm.families.Gaussian()),
]


@pytest.mark.parametrize(("response", "ours", "theirs"), CASES, ids=lambda value: repr(value)[:25])
def test_agrees_with_statsmodels(df, response, ours, theirs):
    x = sm.add_constant(df[["x", "z"]])
    weights = {"freq_weights": df["w"], "var_weights": df["t"], "offset": 0.1 * df["off"]}
    res = tm.GLM(df[response], x, family=ours, **weights).fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sm.GLM(df[response], x, family=theirs, **weights).fit(tol=1e-13)
    for name in (
        "params",
        "bse",
        "tvalues",
        "pvalues",
        "mu",
        "resid_response",
        "resid_pearson",
        "resid_deviance",
        "resid_working",
    ):
        close(getattr(res, name), getattr(other, name), 1e-6)
    for name in ("resid_anscombe", "resid_anscombe_unscaled"):
        close(getattr(res, name), getattr(other, name), 1e-6)
    for name in (
        "deviance",
        "null_deviance",
        "pearson_chi2",
        "llf",
        "aic",
        "bic",
        "bic_deviance",
        "df_resid",
        "df_model",
        "scale",
    ):
        close(getattr(res, name), getattr(other, name), 1e-7)
    at = res.params * 0.9
    for name in ("loglike", "score", "score_obs", "hessian", "score_factor", "hessian_factor", "information"):
        close(getattr(res.model, name)(at, scale=0.8), getattr(other.model, name)(at, scale=0.8), 1e-6)
    close(res.model.hessian(at, observed=False), other.model.hessian(at, observed=False), 1e-6)
    close(res.model.estimate_scale(res.mu), other.model.estimate_scale(other.mu), 1e-7)
    close(res.model.loglike_mu(res.mu, 0.7), other.model.loglike_mu(other.mu, 0.7), 1e-6)


# -- choices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "expected"), [("X2", "pearson_chi2"), ("dev", "deviance")])
def test_the_dispersion_may_be_chosen(df, told, expected):
    res, plain = glm("yp ~ x", df, F.Poisson(), {"scale": told}), glm("yp ~ x", df, F.Poisson())
    assert res.scale == pytest.approx(getattr(res, expected) / res.df_resid) and plain.scale == 1
    close(res.bse, plain.bse * np.sqrt(res.scale))
    close(glm("yp ~ x", df, F.Poisson(), {"scale": 3}).bse, plain.bse * np.sqrt(3))
    with pytest.raises(ValueError, match="scale must be one of: 'x2', 'dev'"):
        glm("yp ~ x", df, F.Poisson(), {"scale": "pearson"})


def test_information_is_a_choice_that_no_optimiser_makes(df):
    irls, newton = glm("yg ~ x", df, GAMMA), glm("yg ~ x", df, GAMMA, {"method": "newton"})
    expected = np.linalg.inv(-irls.model.hessian(irls.params, scale=irls.scale, observed=False))
    observed = np.linalg.inv(-irls.model.hessian(irls.params, scale=irls.scale))
    close(irls.cov_params(), expected)
    close(newton.cov_params(), observed)
    close(irls.with_covariance("nonrobust").cov_params(), expected)
    close(newton.with_covariance("eim").cov_params(), expected)
    close(irls.with_covariance("oim").cov_params(), observed)
    close(glm("yg ~ x", df, GAMMA, {"method": "bfgs", "cov_type": "eim"}).cov_params(), expected, 1e-7)
    assert glm("yg ~ x", df, GAMMA, {"method": "irls"}).method == "IRLS" == irls.method


def test_statsmodels_controls_are_accepted_and_kept(df):
    told = {
        "atol": 1e-8,
        "rtol": 0,
        "tol_criterion": "params",
        "max_start_irls": 3,
        "wls_method": "qr",
        "optim_hessian": "eim",
    }
    res = glm("yp ~ x", df, F.Poisson(), told)
    assert {"optimizer": "IRLS", **told}.items() <= res.mle_settings.items()
    assert res.mle_retvals["converged"] is True and res.mle_retvals["iterations"] == res.optim.iterations
    assert res.mle_retvals["fopt"] == pytest.approx(-res.llf / 60)
    by_scipys_name = tm.Logit.from_formula("yb ~ x", df).fit(
        disp=False, method="minimize", min_method="Nelder-Mead", xatol=1e-4
    )
    assert by_scipys_name.optim.method == "nm"
    with pytest.raises(TypeError, match="no option 'tolerance'"):
        glm("yp ~ x", df, F.Poisson(), {"tolerance": 1})
    with pytest.warns(FutureWarning, match="full_output=False is deprecated"):
        glm("yp ~ x", df, F.Poisson(), {"full_output": False})


def test_a_failure_may_be_quiet(df):
    far = {"maxiter": 1, "method": "newton", "start_params": [4.0, 3.0]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not glm("yp ~ x", df, F.Poisson(), {**far, "warn_convergence": False}).converged


def test_deviance_of_each_step(df):
    res = glm("yg ~ x + z", df, F.Gamma(L.Log()))
    steps = res.fit_history["deviance"]
    assert np.isinf(steps[0]) and len(steps) == res.fit_history["iteration"] + 2
    assert steps[-1] == pytest.approx(res.deviance, rel=1e-12) and (np.diff(steps[1:]) <= 1e-12).all()
    start = res.model.layout.natural(res.model.coordinates.theta(res.model.start())).numpy()
    assert steps[1] == pytest.approx(res.model.discrepancies_at(res.model.predict(start))[1], rel=1e-9)


# -- the surface -----------------------------------------------------------------------------------------------


def test_rows_as_arrays(df):
    named = {
        "freq_weights": df["w"].rename("times"),
        "var_weights": df["t"].to_numpy(),
        "exposure": df["t"].rename("years"),
    }
    model = tm.GLM(df["yp"], df[["x"]], family=F.Poisson(), **named)
    close(model.freq_weights, df["w"])
    close(model.iweights, df["w"] * df["t"])
    close(model.exposure, np.log(df["t"]))
    assert model.offset is None
    assert (model.freq_weights_name, model.var_weights_name, model.exposure_name, model.offset_name) == (
        "times", "var_weights", "years", None,
    )  # fmt: skip
    assert model.wnobs == df["w"].sum() and model.df_resid == df["w"].sum() - 1
    again = tm.GLM(model.endog, model.exog, **model._get_init_kwds())
    close(again.fit().params, model.fit().params)


def test_counts_can_be_made_again_from_their_keywords(df):
    res = tm.GLM(np.column_stack([df["wins"], df["n"] - df["wins"]]), df[["x"]], family=F.Binomial()).fit()
    close(res.model.n_trials, df["n"])
    again = tm.GLM(res.model.endog, res.model.exog, **res.model._get_init_kwds()).fit()
    close([again.llf, *again.params], [res.llf, *res.params])


def test_tweedies_power_is_the_root_of_pearsons_equation():
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(2000), rng.normal(size=2000)])
    y = rng.gamma(2.0, np.exp(x @ [0.5, 0.8]) / 2)
    model = tm.GLM(y, x, family=F.Tweedie(var_power=1.5))
    mu = model.fit().mu
    power = model.estimate_tweedie_power(mu)
    pearson = (y - mu) ** 2 / mu**power
    assert abs(((pearson / (pearson.sum() / 1998) - 1) * np.log(mu)).sum()) < 1e-8
    assert abs(power - 2) < 0.2  # a gamma's
    with pytest.raises(NotImplementedError, match="brentq"):
        model.estimate_tweedie_power(mu, method="newton")


def test_a_score_test_is_raos(df):
    """Against the regression of the scores: the statistic of a column left out of a Poisson model."""
    res = glm("yp ~ x", df, F.Poisson())
    statistic, pvalue, count = res.model.score_test(res.params, exog_extra=df["z"])
    x = np.column_stack([res.model.exog, df["z"]])
    score = x.T @ (df["yp"] - res.mu)
    expected = score @ np.linalg.inv(x.T * res.mu @ x) @ score
    assert (statistic, count) == (pytest.approx(expected), 1)
    assert pvalue == pytest.approx(stats.chi2.sf(expected, 1))


def test_criteria_by_name(df):
    res = glm("yp ~ x", df, F.Poisson())
    assert res.info_criteria("aic") == pytest.approx(res.aic)
    assert res.info_criteria("BIC", dk_params=1) == pytest.approx(res.bic + np.log(60))
    assert res.info_criteria("qaic", scale=2.0) == pytest.approx(-res.llf + 4)
    with pytest.raises(ValueError, match="qaic"):
        glm("yg ~ x", df, GAMMA).info_criteria("qaic", scale=2.0)


def test_saved_results_know_family_and_link(df, tmp_path):
    res = glm("yg ~ x", df, GAMMA, {"scale": "dev"}, freq_weights="w")
    res.save(tmp_path / "fit.tm")
    loaded = tm.load(tmp_path / "fit.tm")
    assert (loaded.family.link, type(loaded.family)) == (L.Log(), F.Gamma)
    for name in (
        "llf",
        "deviance",
        "null_deviance",
        "llnull",
        "scale",
        "df_resid",
        "aic",
        "bic",
        "nobs",
        "pearson_chi2",
    ):
        close(getattr(loaded, name), getattr(res, name))
    close(loaded.predict(df), res.predict(df))
    assert "Gamma" in str(loaded.summary())


# -- errors and warnings ---------------------------------------------------------------------------------------


def test_responses_outside_the_family_are_refused(df):
    for family, y, words in (
        (F.Poisson(), -df["yp"], "must be 0 or more"), (F.Binomial(), df["yp"], "must be between 0 and 1"),
        (GAMMA, df["yp"], "must be positive"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            tm.GLM(y, df[["x"]], family=family)
    with pytest.raises(ValueError, match="endog has more than 2 columns"):
        tm.GLM(np.ones((60, 3)), df[["x"]], family=F.Binomial())
    with pytest.raises(ValueError, match="Poisson takes a response of one column"):
        tm.GLM(np.ones((60, 2)), df[["x"]], family=F.Poisson())
    with pytest.raises(ValueError, match="n_trials must not be negative"):
        tm.GLM(df["yb"], df[["x"]], family=F.Binomial(), n_trials=df["x"])
    with pytest.raises(TypeError, match="family must be an instance"):
        tm.GLM(df["yb"], df[["x"]], family=F.Binomial)
    with pytest.raises(ValueError, match="exposure can only be used with the log link"):
        tm.GLM(df["yb"], df[["x"]], family=F.Binomial(), exposure=df["t"])
    with pytest.raises(ValueError, match="var_weights must not be negative"):
        tm.GLM(df["yn"], df[["x"]], var_weights=-df["t"])


def test_warnings_have_statsmodels_names_and_paths(df):
    with pytest.warns(sm_exceptions.DomainWarning, match="InversePower"):
        tm.GLM(df["yg"], df[["x"]], family=F.Gamma())
    with pytest.warns(sm_exceptions.SpecificationWarning, match="freq_weights: each row stands for"):
        glm("yp ~ x", df, F.Poisson(), {"cov_type": "cluster", "cov_kwds": {"groups": "g"}}, freq_weights="w")
    with pytest.warns(SpecificationWarning, match="using scale=1"):
        glm("yp ~ x", df, F.Poisson(), {"scale": "x2"}).get_distribution()
    with pytest.warns(PerfectSeparationWarning):
        tm.GLM(df["x"] > 0, df[["x"]], family=F.Binomial()).fit()
    assert sm_exceptions.SingularMatrixWarning is tm.errors.RankWarning
    assert DomainWarning is sm_exceptions.DomainWarning


def test_the_event_is_named(df):
    res = glm("won ~ x", df.assign(won=np.where(df["yb"] == 1, "yes", "no")), F.Binomial())
    close(res.params, glm("yb ~ x", df, F.Binomial()).params)
    assert "Event: won = yes" in str(res.summary())


# -- Logit and Probit ------------------------------------------------------------------------------------------


def test_binary_models_agree_with_glm(df):
    for model, link in ((tm.Logit, L.Logit()), (tm.Probit, L.Probit())):
        res = model.from_formula("yb ~ x + z", df, offset="off").fit(disp=False)
        other = glm("yb ~ x + z", df, F.Binomial(link), offset="off")
        close([res.llf, res.llnull, *res.params], [other.llf, other.llnull, *other.params])
        close(res.cov_params(), other.with_covariance("oim").cov_params())
        close(res.with_covariance("eim").cov_params(), other.cov_params())
        close(res.resid_dev, other.resid_deviance)
        close(res.resid_pearson, other.resid_pearson)
        close(res.model.score_factor(res.params), other.model.score_factor(other.params), 1e-7)
        eta = np.linspace(-3, 3, 7)
        close(res.model.pdf(eta), link.inverse_deriv(eta))
        close(res.model.cdf(eta), link.inverse(eta))


def test_the_table_of_predictions(df):
    res = tm.Logit.from_formula("yb ~ x", df).fit(disp=False)
    table = res.pred_table(0.4)
    predicted = res.predict() > 0.4
    assert table[1, 1] == ((df["yb"] == 1) & predicted).sum() and table.sum() == 60
    assert table[0].sum() == (df["yb"] == 0).sum()


def test_outcomes_are_checked(df):
    with pytest.raises(ValueError, match="endog must be in the unit interval"):
        tm.Logit(df["yp"], df[["x"]])
    with pytest.raises(ValueError, match="endog must be binary"):
        tm.Probit(df["yb"] * 0.5, df[["x"]])
    shares = tm.Logit(df["yb"] * 0.5 + 0.2, df[["x"]]).fit(disp=False)
    assert shares.converged


def test_no_step_is_taken_where_rounding_is_all_that_is_left():
    """Twenty-one correlated columns: the decrement falls from 1e-18 to 1e-24 or so, and a further step brings nothing."""
    data = sm.datasets.star98.load()
    res = tm.GLM(data.endog, sm.add_constant(data.exog, prepend=False), family=F.Binomial()).fit()
    assert res.fit_history["iteration"] == 4
    assert res.optim.decrement < 2e-23


def test_rows_without_trials_leave_a_binomial_fit():
    """As in R, where glm(cbind(0, 0) ~ ...) gives them the weight 0."""
    rows = pd.DataFrame({"x": np.arange(8.0), "yes": [0, 1, 0, 3, 2, 0, 5, 6], "no": [4, 3, 0, 2, 3, 0, 1, 1]})
    rows["n"] = rows["yes"] + rows["no"]
    rows["share"] = (rows["yes"] / rows["n"]).fillna(0.5)

    def fit(data, formula="yes + no ~ x", **options):
        return tm.GLM.from_formula(formula, data, family=F.Binomial(), **options).fit()

    kept, found = fit(rows[rows["n"] > 0]), (fit(rows), fit(rows, "share ~ x", n_trials="n"))
    for res in found:
        for name in (
            "params",
            "bse",
            "llf",
            "nobs",
            "df_resid",
            "deviance",
            "null_deviance",
            "pearson_chi2",
            "aic",
            "bic",
        ):
            np.testing.assert_allclose(getattr(res, name), getattr(kept, name), rtol=1e-10)
        for kind in ("HC0", "HC3"):
            np.testing.assert_allclose(res.with_covariance(kind).bse, kept.with_covariance(kind).bse, rtol=1e-9)
        left = (rows["n"] == 0).to_numpy()
        assert (
            not res.resid_pearson[left].any()
            and not res.resid_deviance[left].any()
            and not res.resid_response[left].any()
        )
        np.testing.assert_allclose(res.get_hat_matrix_diag()[~left], kept.get_hat_matrix_diag(), rtol=1e-9)
