"""What statsmodels' own example scripts do, with two imports swapped: each step that once differed."""

import importlib

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.outliers_influence import variance_inflation_factor as vif

import torchmle.api as tsm
import torchmle.formula.api as tsmf
from torchmle.inference.hypotheses.specification import recursive_residuals
from torchmle.stats import linear_harvey_collier
from torchmle.stats.outliers_influence import variance_inflation_factor
from torchmle.summary import header_value

N = 300


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(3)
    found = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "g": rng.choice(["a", "b", "c"], N)})
    found["y"] = 1 + found["x"] - 0.5 * found["z"] + (found["g"] == "b") + rng.normal(size=N)
    found["b"] = (found["x"] + rng.logistic(size=N) > 0).astype(int)
    found["won"] = rng.binomial(9, stats.logistic.cdf(0.3 * found["x"]))
    found["lost"] = 9 - found["won"]
    found["share"] = stats.logistic.cdf(found["x"] + rng.normal(size=N))
    found["u"], found["v"] = rng.uniform(size=(2, N))
    waited = 0.4 * found["u"] + rng.exponential(size=N)  # above the edge of 0 wherever a threshold is
    found["grade"] = pd.cut(waited, [-np.inf, 0.8, 1.2, 1.9, np.inf], labels=list("abcd"))
    return found


def close(ours, theirs, rtol=1e-8, atol=1e-12):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    "path",
    [
        "miscmodels.ordinal_model.OrderedModel",
        "discrete.conditional_models.ConditionalLogit",
        "discrete.discrete_model.BinaryResultsWrapper",
        "discrete.discrete_model.MultinomialResults",
        "regression.linear_model.RegressionResultsWrapper",
        "genmod.generalized_linear_model.GLMResultsWrapper",
        "genmod.families.links.Log",
        "genmod.families.family.Binomial",
        "genmod.families.Gamma",
        "stats.diagnostic.linear_harvey_collier",
        "stats.outliers_influence.variance_inflation_factor",
        "stats.outliers_influence.OLSInfluence",
        "api.formula",
    ],
)
def test_names_that_scripts_import(path):
    module, name = path.rsplit(".", 1)
    for package in ("statsmodels", "torchmle"):
        assert hasattr(importlib.import_module(f"{package}.{module}"), name)


# -- what models hold --------------------------------------------------------------------------------------------


def test_matrices_of_patsy_keep_their_names(df):
    y, x = patsy.dmatrices("b ~ x + C(g)", df)  # design matrices, not frames
    ours, theirs = (package.Logit(y, x).fit(disp=0) for package in (tsm, sm))
    assert ours.model.exog_names == theirs.model.exog_names == ["Intercept", "C(g)[T.b]", "C(g)[T.c]", "x"]
    assert ours.model.endog_names == theirs.model.endog_names == "b"
    assert type(ours.params) is type(theirs.params) is np.ndarray
    close(ours.params, theirs.params)
    close(ours.predict(x[:5]), theirs.predict(x[:5]))


def test_both_columns_of_a_binomial_response(df):
    ours, theirs = (p.glm("won + lost ~ x", df, family=sm_.families.Binomial()).fit() for p, sm_ in PACKAGES)
    pd.testing.assert_frame_equal(ours.model.data.orig_endog, theirs.model.data.orig_endog)
    pd.testing.assert_series_equal(
        ours.fittedvalues * ours.model.data.orig_endog.sum(axis=1),
        theirs.fittedvalues * theirs.model.data.orig_endog.sum(axis=1),
    )
    arrays = tsm.GLM(df[["won", "lost"]].to_numpy(), df[["x"]].to_numpy(), family=tsm.families.Binomial())
    np.testing.assert_array_equal(arrays.data.orig_endog, df[["won", "lost"]])


PACKAGES = ((tsmf, tsm), (smf, sm))


def test_what_a_glm_was_not_given_is_none(df):
    for formula, package in PACKAGES:
        model = formula.glm("y ~ x", df, family=package.families.Gaussian())
        assert model.offset is None and model.exposure is None


def test_probabilities_of_single_numbers(df):
    ours, theirs = (formula.logit("b ~ x", df).fit(disp=0) for formula, _ in PACKAGES)
    assert type(ours.model.cdf(0.3)) is type(theirs.model.cdf(0.3)) is np.float64
    close(ours.model.cdf(ours.fittedvalues[5]), theirs.model.cdf(theirs.fittedvalues[5]))


def test_covariances_of_margins(df):
    ours, theirs = (formula.logit("b ~ x + z", df).fit(disp=0).get_margeff() for formula, _ in PACKAGES)
    close(ours.margeff_cov, theirs.margeff_cov)


def test_notes_of_a_large_condition_number(df):
    told = [
        next(line for line in str(formula.ols("y ~ x", df.assign(x=5000 + df["x"])).fit().summary()).splitlines()
             if "condition number is large" in line)
        for formula, _ in PACKAGES
    ]  # fmt: skip
    assert told[0] == told[1]


# -- ordered models ----------------------------------------------------------------------------------------------


def test_a_latent_variable_with_an_edge(df):
    """Exponential: no density below 0, where the thresholds of the smallest category once were looked up."""
    ours = tsm.OrderedModel(df["grade"], df[["u", "v"]], distr=stats.expon).fit(disp=0)
    theirs = OrderedModel(df["grade"], df[["u", "v"]], distr=stats.expon).fit(method="bfgs", disp=0, gtol=1e-8)
    assert ours.converged and np.abs(ours.model.score(ours.params)).max() < 1e-6
    close(ours.llf, theirs.llf, 1e-9)
    close(
        ours.model.transform_threshold_params(ours.params), theirs.model.transform_threshold_params(theirs.params), 1e-4
    )
    close(ours.params[:2], theirs.params[:2], 1e-3, 1e-5)
    close(ours.bse[:3], theirs.bse[:3], 1e-3)
    mirrored = tsm.OrderedModel(
        df["grade"].cat.reorder_categories(df["grade"].cat.categories[::-1]), -df[["u", "v"]], distr=Mirrored()
    ).fit(disp=0)
    close(mirrored.llf, ours.llf, 1e-9)
    close(mirrored.params[:2], ours.params[:2], 1e-5)
    close(mirrored.bse[:2], ours.bse[:2], 1e-5)


class Mirrored(stats.rv_continuous):
    """Minus an exponential variable: its support ends at 0."""

    def __init__(self):
        super().__init__(b=0.0)

    def _cdf(self, x):
        return np.exp(x)

    def _pdf(self, x):
        return np.exp(x)

    def _sf(self, x):
        return -np.expm1(x)

    def _ppf(self, q):
        return np.log(q)


def test_thresholds_of_a_part_of_the_parameters(df):
    res = tsm.OrderedModel(df["grade"], df[["u", "v"]], distr="probit").fit(disp=0)
    whole = res.model.transform_threshold_params(res.params)
    np.testing.assert_array_equal(res.model.transform_threshold_params(res.params[-3:]), whole)
    assert len(whole) == 5


# -- families ----------------------------------------------------------------------------------------------------


def test_variance_functions(df):
    for package in (tsm, sm):
        family = package.families.NegativeBinomial(alpha=0.5)
        close(family.variance(np.array([1.0, 2.0])), [1.5, 4.0])
        close(family.variance.deriv(np.array([1.0, 2.0])), [2.0, 3.0])
    with pytest.raises(AttributeError, match="variance of Binomial belongs to its likelihood"):
        tsm.families.Binomial().variance = lambda mu: mu**2 * (1 - mu) ** 2


def test_shares_without_trials_have_no_likelihood(df):
    ours, theirs = (f.glm("share ~ x", df, family=p.families.Binomial()).fit() for f, p in PACKAGES)
    close(ours.params, theirs.params)
    close(ours.llf, (df["share"] * np.log(ours.mu) + (1 - df["share"]) * np.log1p(-ours.mu)).sum())
    close(ours.llf - ours.llnull, theirs.llf - theirs.llnull)
    close(ours.family.loglike(ours.model.endog, ours.mu), theirs.llf)
    assert ours.is_quasi and "quasi-likelihood, with no AIC" in str(ours.summary())
    counted = df.assign(part=df["won"] / 9, n=9.0)
    for given in ({"var_weights": counted["n"]}, {"n_trials": "n"}):
        assert not tsmf.glm("part ~ x", counted, family=tsm.families.Binomial(), **given).fit().is_quasi


# -- diagnostics -------------------------------------------------------------------------------------------------


def test_tables_of_influence(df):
    pytest.importorskip("matplotlib").use("agg")
    ours, theirs = (formula.ols("y ~ x", df).fit().get_influence() for formula, _ in PACKAGES)
    assert str(ours.summary_table()).split() == str(theirs.summary_table()).split()
    ours.plot_influence().tight_layout(pad=1.0)  # without a warning


def test_inflation_of_variances(df):
    x = np.column_stack([np.ones(N), df["x"], df["x"] + 0.1 * df["z"], df["u"]])
    for design in (x, x[:, 1:], pd.DataFrame(x)):
        for j in range(design.shape[1]):
            for standardize in (True, False):
                expected = vif(np.asarray(design), j, standardize=standardize)
                close(variance_inflation_factor(design, j, standardize=standardize), expected)
    res = tsm.OLS(df["y"], x).fit()
    inflated = res.bse.iloc[3] ** 2 / (res.scale / ((df["u"] - df["u"].mean()) ** 2).sum())
    close(variance_inflation_factor(x, 3), inflated)
    assert variance_inflation_factor(np.column_stack([x, x[:, 1] - x[:, 3]]), 4) == np.inf


# fmt: off
CARS = pd.DataFrame({
    "speed": [4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 16, 16, 17, 17, 17,
              18, 18, 18, 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24, 24, 24, 25],
    "dist": [2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80, 20, 26, 54, 32, 40, 32, 40,
             50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85],
})
# fmt: on


def test_recursive_residuals_as_in_r():
    """R 4.2.2, lmtest::harvtest(dist ~ speed, order.by = ~ dist, data = cars)."""
    res = tsmf.ols("dist ~ speed", CARS).fit()
    order = np.argsort(CARS["dist"].to_numpy(), kind="stable")
    close(linear_harvey_collier(res, order_by=order), [6.93475318269186e00, 1.02655113846788e-08])
    again = tsmf.ols("dist ~ speed", CARS.iloc[order]).fit()
    close(linear_harvey_collier(again), linear_harvey_collier(res, order_by=order))
    x, y = res.model.exog, res.model.endog  # whose first two rows have the same speed
    rest = recursive_residuals(x, y)
    close(np.nansum(rest**2), res.ssr)
    assert np.flatnonzero(np.isnan(rest)).tolist() == [0, 2]
    b, *_ = np.linalg.lstsq(x[:20], y[:20], rcond=None)
    close(rest[20], (y[20] - x[20] @ b) / np.sqrt(1 + x[20] @ np.linalg.inv(x[:20].T @ x[:20]) @ x[20]))
    with pytest.raises(ValueError, match="1 recursive residuals are left"):
        linear_harvey_collier(tsmf.ols("dist ~ speed", CARS.iloc[[0, 4, 9]]).fit())


def test_a_singular_covariance_of_a_hypothesis_in_other_units():
    """Fewer clusters than slopes: of the 12 of Grunfeld's regression with firms' effects, 2 combinations have a variance."""
    data = sm.datasets.grunfeld.load_pandas().data
    data["code"] = pd.Categorical(data["firm"]).codes
    tests, theirs = [], []
    for unit in (1.0, 1000.0):
        scaled = data.assign(value=data["value"] / unit)
        fit = {"cov_type": "cluster", "cov_kwds": {"groups": data["code"]}}
        res = tsmf.ols("invest ~ value + capital + C(firm)", scaled).fit(**fit)
        slopes = np.eye(13)[1:]
        for found, other in ((tests, res), (theirs, smf.ols("invest ~ value + capital + C(firm)", scaled).fit(**fit))):
            with pytest.warns(UserWarning, match="does not have full rank"):
                found.append(float(np.squeeze(other.f_test(slopes).fvalue)))
        b, v = slopes @ res.params.to_numpy(), slopes @ res.cov_params().to_numpy() @ slopes.T
        close(b @ np.linalg.pinv(v, rcond=1e-10) @ b / 2, theirs[-1], 1e-6)
    close(tests, 8.084206209, 1e-8)
    close(theirs, [31.704, 16.364], 1e-4)


def test_the_share_explained_by_a_constant_has_no_sign(df):
    shown = str(tsmf.ols("y ~ 1", df).fit().summary())
    assert "-0.000" not in shown.partition("coef")[0] and header_value("R-squared:", -2.2e-16) == "0.000"
    assert header_value("R-squared:", -0.2) == "-0.200"
