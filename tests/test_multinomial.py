"""MNLogit: labels, shapes, categories, and what its engine shares between predictors."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch

import torchmle as tm
from torchmle.errors import PerfectSeparationWarning, RankWarning, SpecificationWarning, ValueWarning
from torchmle.regression import RegressionModel
from torchmle.sums import row_sums


def choices(n=400, seed=0):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"x": rng.normal(size=n), "w": rng.uniform(-1, 1, n), "firm": rng.integers(0, 40, n)})
    value = np.column_stack([np.zeros(n), 0.3 + 0.8 * df["x"] - 0.5 * df["w"], -0.2 - 0.4 * df["x"] + df["w"]])
    code = (value + rng.gumbel(size=value.shape)).argmax(1)
    return df.assign(code=code, y=np.array(["bus", "car", "walk"])[code], weight=rng.integers(0, 4, n))


@pytest.fixture(scope="module")
def df():
    return choices()


@pytest.fixture(scope="module")
def res(df):
    return tm.MNLogit.from_formula("y ~ x + w", df).fit(disp=False)


@pytest.fixture(scope="module")
def theirs(df):
    return sm.MNLogit(df["y"], sm.add_constant(df[["x", "w"]])).fit(disp=False)


# -- against statsmodels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["params", "bse", "tvalues", "pvalues"])
def test_tables_are_statsmodels(res, theirs, name):
    ours = getattr(res, name)
    assert list(ours.columns) == [0, 1] and list(ours.index) == ["Intercept", "x", "w"]
    np.testing.assert_allclose(ours.to_numpy(), getattr(theirs, name).to_numpy(), rtol=1e-8, atol=1e-12)


def test_numbers_of_the_fit_are_statsmodels(res, theirs):
    for name in (
        "llf",
        "llnull",
        "llr",
        "llr_pvalue",
        "prsquared",
        "aic",
        "bic",
        "df_model",
        "df_resid",
        "nobs",
        "J",
        "K",
    ):
        np.testing.assert_allclose(getattr(res, name), getattr(theirs, name), rtol=1e-7)
    assert (res.model.df_model, res.model.df_resid) == (4.0, 394.0)
    assert res.k_free == 6


@pytest.mark.parametrize("cov_type", ["HC0", "cluster", "HAC"])
def test_robust_covariances_are_statsmodels(df, cov_type):
    kwds = {"cluster": {"groups": df["firm"]}, "HAC": {"maxlags": 2}}.get(cov_type, {})
    ours = tm.MNLogit.from_formula("y ~ x + w", df).fit(disp=False, cov_type=cov_type, cov_kwds=kwds)
    theirs = sm.MNLogit(df["y"], sm.add_constant(df[["x", "w"]])).fit(
        disp=False, cov_type=cov_type, **({"cov_kwds": kwds} if kwds else {})
    )
    np.testing.assert_allclose(ours.cov_params().to_numpy(), theirs.cov_params().to_numpy(), rtol=1e-7, atol=1e-12)


def test_intervals_and_covariances_have_two_labels(res, theirs):
    labels = [("car", "Intercept"), ("car", "x"), ("car", "w"), ("walk", "Intercept"), ("walk", "x"), ("walk", "w")]
    limits, covariance = res.conf_int(), res.cov_params()
    assert list(limits.index) == labels == list(covariance.index) == list(covariance.columns)
    assert list(limits.columns) == list(theirs.conf_int().columns)
    np.testing.assert_allclose(limits.to_numpy(), theirs.conf_int().to_numpy(), rtol=1e-8)
    np.testing.assert_allclose(covariance.to_numpy(), theirs.cov_params().to_numpy(), rtol=1e-8)


def test_hypotheses_name_category_and_column(res, theirs):
    ours, test = res.t_test("ycar_x = 0.5, ywalk_w = ycar_w"), theirs.t_test("ycar_x = 0.5, ywalk_w = ycar_w")
    np.testing.assert_allclose([ours.effect, ours.sd, ours.pvalue], [test.effect, test.sd, test.pvalue], rtol=1e-7)
    table = res.wald_test_terms()
    table = getattr(table, "table", table)
    picked = res.cov_params().loc[[("car", "x"), ("walk", "x")], [("car", "x"), ("walk", "x")]].to_numpy()
    slope = res.params.loc["x"].to_numpy()
    np.testing.assert_allclose(table.loc["x", "statistic"], slope @ np.linalg.solve(picked, slope), rtol=1e-10)
    assert table.loc["x", "df_constraint"] == 2


def test_predictions_and_residuals_are_statsmodels(df, res, theirs):
    new = choices(30, seed=3)
    design = sm.add_constant(new[["x", "w"]])
    frame = res.predict(new)
    assert list(frame.columns) == [0, 1, 2] and frame.index.equals(new.index)
    np.testing.assert_allclose(frame, theirs.predict(design), rtol=1e-9)
    np.testing.assert_allclose(
        res.predict(new, which="linear"), theirs.predict(design, which="linear"), rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(res.model.predict(res.params, design.to_numpy()), frame, rtol=1e-12)
    np.testing.assert_array_equal(res.pred_table(), theirs.pred_table())
    np.testing.assert_array_equal(res.resid_misclassified, theirs.resid_misclassified)
    indicators = (df["y"].to_numpy()[:, None] == np.array(["bus", "car", "walk"])).astype(float)
    np.testing.assert_allclose(res.resid_response, indicators - theirs.predict(), atol=1e-9)
    np.testing.assert_allclose(
        res.fittedvalues, sm.add_constant(df[["x", "w"]]) @ theirs.params.to_numpy(), rtol=1e-7, atol=1e-9
    )


def test_marginal_effects_are_statsmodels(res, theirs):
    np.testing.assert_allclose(res.get_margeff().margeff, theirs.get_margeff().margeff, rtol=1e-8)
    np.testing.assert_allclose(res.get_margeff().margeff_se, theirs.get_margeff().margeff_se, rtol=1e-8)


# -- shapes and labels -------------------------------------------------------------------------------------------


def test_arrays_come_back_as_arrays(df, res):
    ours = tm.MNLogit(df["code"].to_numpy(), sm.add_constant(df[["x", "w"]].to_numpy())).fit(disp=False)
    assert ours.params.shape == (3, 2) and ours.conf_int().shape == (2, 3, 2) and ours.cov_params().shape == (6, 6)
    np.testing.assert_allclose(ours.params, res.params, rtol=1e-9)
    np.testing.assert_allclose(ours.conf_int().reshape(-1, 2), res.conf_int(), rtol=1e-9)
    assert ours.names == ["y1_const", "y1_x1", "y1_x2", "y2_const", "y2_x1", "y2_x2"]
    assert ours.predict().shape == (len(df), 3)


CODED = {
    "strings": lambda df: df["y"],
    "categorical": lambda df: df["y"].astype("category"),
    "integers": lambda df: df["code"],
    "floats": lambda df: df["code"].astype(float),
    "other numbers": lambda df: df["code"] * 3 - 4,
    "indicators": lambda df: pd.get_dummies(df["y"]).astype(float),
}


@pytest.mark.parametrize("kind", CODED)
def test_any_labels_will_do(df, res, kind):
    ours = tm.MNLogit(CODED[kind](df), sm.add_constant(df[["x", "w"]])).fit(disp=False)
    np.testing.assert_allclose(ours.params.to_numpy(), res.params.to_numpy(), rtol=1e-9)
    names = {"other numbers": [-4, -1, 2], "indicators": [0, 1, 2]}.get(
        kind, [0, 1, 2] if kind in ("integers", "floats") else ["bus", "car", "walk"]
    )
    assert ours.model._ynames_map == dict(enumerate(map(str, names)))


def test_the_base_is_the_first_of_a_categoricals_order(df, res):
    y = pd.Categorical(df["y"], categories=["walk", "bus", "car"])
    ours = tm.MNLogit.from_formula("y ~ x + w", df.assign(y=y)).fit(disp=False)
    np.testing.assert_allclose(ours.params[0], -res.params[1], rtol=1e-8)
    np.testing.assert_allclose(ours.params[1], res.params[0] - res.params[1], rtol=1e-8)
    np.testing.assert_allclose([ours.llf, ours.llnull], [res.llf, res.llnull], rtol=1e-12)


def test_numbers_that_are_not_whole_are_told(df):
    with pytest.warns(SpecificationWarning, match=r"y has 3 values that are not all whole numbers \(0, 1.5, 3\)"):
        model = tm.MNLogit.from_formula("y ~ x", df.assign(y=df["code"] * 1.5))
    assert "y=1.5" in str(model.fit(disp=False).summary())


def test_two_categories_are_a_logit(df):
    some = df[df["y"] != "walk"].assign(car=lambda df: (df["y"] == "car").astype(float))
    one, other = (
        tm.MNLogit.from_formula("y ~ x + w", some).fit(disp=False),
        tm.Logit.from_formula("car ~ x + w", some).fit(disp=False),
    )
    for cov_type in ("nonrobust", "HC0", "HC1", "HC2", "HC3"):
        a, b = one.with_covariance(cov_type), other.with_covariance(cov_type)
        np.testing.assert_allclose(a.bse[0], b.bse, rtol=1e-9)
    np.testing.assert_allclose(one.params[0], other.params, rtol=1e-9)
    np.testing.assert_allclose(
        [one.llf, one.llnull, one.df_model], [other.llf, other.llnull, other.df_model], rtol=1e-12
    )


def test_summary_has_a_block_for_each_category(df, res):
    text = str(res.summary(xname=["one", "two", "three"]))
    assert "y=car       coef" in text and "y=walk       coef" in text and "y=bus       coef" not in text
    assert text.count("three") == 2 and "Base category: y=bus" in text
    with pytest.raises(ValueError, match="xnames and params do not have the same length"):
        res.summary(xname=["one"] * 6)
    tidy = res.tidy()
    assert list(tidy["term"]) == res.names
    np.testing.assert_allclose(tidy["p_value"], res.pvalues.to_numpy().ravel("F"))


def test_derivatives_take_the_matrix_of_results(df, res):
    flat = res.params.to_numpy().ravel("F") + 0.1
    model, matrix = res.model, res.params + 0.1
    assert model.loglike(matrix) == model.loglike(flat) == model.loglike_and_score(matrix)[0]
    np.testing.assert_array_equal(model.score(matrix), model.score(flat))
    np.testing.assert_allclose(model.loglike_and_score(flat)[1], model.score(flat), rtol=1e-12)
    x = model.exog
    g, h = model.score_factor(flat), model.hessian_factor(flat)
    np.testing.assert_allclose(
        (g[:, :, None] * x[:, None, :]).reshape(len(df), -1), model.score_obs(flat), rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(np.einsum("ijl,ia,ib->jalb", h, x, x).reshape(6, 6), model.hessian(flat), rtol=1e-11)
    np.testing.assert_allclose(model.hessian(flat), -model.expected_information(model._z(flat)).numpy(), rtol=1e-12)


# -- one category's probability ----------------------------------------------------------------------------------


def test_intervals_of_a_probability(res):
    new = choices(5, seed=4)
    found = res.get_prediction(new, which="prob[walk]").summary_frame()
    np.testing.assert_allclose(found["predicted"], res.predict(new)[2], rtol=1e-12)
    params, covariance = res.params_array, res.covariance_array
    exog = sm.add_constant(new[["x", "w"]]).to_numpy()

    def probability(at):
        return res.model.predict(at, exog)[:, 2]

    h = 1e-5
    gradient = np.stack([(probability(params + h * e) - probability(params - h * e)) / (2 * h) for e in np.eye(6)], 1)
    np.testing.assert_allclose(found["se"], np.sqrt(((gradient @ covariance) * gradient).sum(1)), rtol=1e-7)
    assert ((found["ci_lower"] > 0) & (found["ci_upper"] < 1)).all()
    every = res.get_prediction(new).summary_frame()
    np.testing.assert_allclose(every.xs("walk", level="value"), found, rtol=1e-12)
    np.testing.assert_allclose(every["predicted"].unstack(), res.predict(new), rtol=1e-13)
    with pytest.raises(ValueError, match=r"which='probability'.*choose from .*'prob\[walk\]'"):
        res.predict(which="probability")


# -- categories and columns that go wrong ------------------------------------------------------------------------


def test_categories_without_rows_are_left_out(df, res):
    y = pd.Categorical(df["y"], categories=["bus", "plane", "car", "walk"])
    with pytest.warns(ValueWarning, match="y: no row is in 'plane'; left out of the categories"):
        ours = tm.MNLogit.from_formula("y ~ x + w", df.assign(y=y)).fit(disp=False)
    assert ours.model.levels == ("bus", "car", "walk")
    np.testing.assert_allclose(ours.params, res.params, rtol=1e-10)


def test_one_category_is_no_choice(df):
    with pytest.raises(ValueError, match="y is the same in all rows: there is nothing to choose between"):
        tm.MNLogit.from_formula("y ~ x", df[df["y"] == "car"])
    with pytest.raises(ValueError, match="2 columns; they must be indicators"):
        tm.MNLogit(df[["x", "w"]], df[["x"]])


def test_a_dependent_column_is_named_once(df, res):
    with pytest.warns(RankWarning, match="linear combinations of others: twice$"):
        ours = tm.MNLogit.from_formula("y ~ x + w + twice", df.assign(twice=2 * df["x"] - 1)).fit(disp=False)
    assert ours.dropped_columns == ["twice"]
    assert ours.params.loc["twice"].isna().all() and ours.bse.loc["twice"].isna().all()
    np.testing.assert_allclose(ours.bse.drop("twice"), res.bse, rtol=1e-8)
    assert (ours.df_model, ours.df_resid, ours.k_free) == (res.df_model, res.df_resid, res.k_free)
    np.testing.assert_allclose(ours.predict(), res.predict(), rtol=1e-9)


def test_separated_categories_are_no_estimates(df):
    with pytest.warns(PerfectSeparationWarning):
        ours = tm.MNLogit.from_formula("y ~ x + only", df.assign(only=(df["y"] == "walk") * (df["x"] > 0))).fit(
            disp=False
        )
    assert not ours.converged


def test_rows_of_weight_zero_make_no_category(df):
    weighted = df.assign(weight=np.where(df["y"] == "walk", 0, df["weight"]))
    ours = tm.MNLogit.from_formula("code ~ x", weighted, freq_weights="weight").fit(disp=False)
    other = tm.MNLogit.from_formula("code ~ x", df[df["y"] != "walk"], freq_weights="weight").fit(disp=False)
    np.testing.assert_allclose(ours.params, other.params, rtol=1e-9)
    assert ours.nobs == other.nobs


# -- one design for all predictors -------------------------------------------------------------------------------


def test_predictors_share_one_matrix(df):
    model = tm.MNLogit.from_formula("y ~ x + w", df.assign(x=1e6 + df["x"]))
    block = model.rows.take(torch.arange(100)).block(slice(0, 50))
    for data in (model.rows, block, model.predict_data(df, True, {})[0]):
        one, other = data.x.values()
        assert one is other
    assert set(model.shift) == {"eta1", "eta2"}


def test_sums_over_shared_columns_are_those_of_separate_ones(df):
    model = tm.MNLogit.from_formula("y ~ x + w", df, freq_weights="weight")
    z = torch.linspace(-1, 1, 6, dtype=torch.float64)
    for order in (0, 1, 2):
        plain = row_sums(lambda block: RegressionModel.block_sums(model, z, block, order), model.rows)  # noqa: B023
        for ours, theirs in zip(model.sums(z, order), plain, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-10)


def test_a_saved_choice_predicts(res, tmp_path):
    res.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit")
    new = choices(8, seed=6)
    pd.testing.assert_frame_equal(loaded.predict(new), res.predict(new))
    assert str(loaded.summary()).splitlines()[7:] == str(res.summary()).splitlines()[7:]
    assert loaded.names == res.names and loaded.J == 3


def test_fitted_values_beside_the_rows(df, res):
    augmented = res.augment()
    added = [".fitted_bus", ".fitted_car", ".fitted_walk"]
    assert list(augmented.columns) == [*df.columns, *added]
    np.testing.assert_array_equal(augmented[added], res.predict())
