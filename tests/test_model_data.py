"""Models under the names statsmodels' users know: ``model.data``, evaluation at plain parameters, constants."""

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import torchmle as tm
from torchmle.errors import FormulaError, MissingDataError

N = 60


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(5)
    found = pd.DataFrame({"x": rng.normal(size=N), "w": rng.uniform(1, 3, N), "g": rng.choice(["a", "b", "c"], N)})
    found["y"] = 1 + found["x"] + rng.normal(size=N)
    found["c"] = rng.poisson(np.exp(0.3 + 0.4 * found["x"]))
    found.index = [f"r{i}" for i in range(N)]
    return found


def close(ours, theirs, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


PAIRS = {
    "formula": lambda d, ours: (tm.OLS if ours else sm.OLS).from_formula("y ~ x + C(g)", d),
    "no constant": lambda d, ours: (tm.OLS if ours else sm.OLS).from_formula("y ~ x + C(g) - 1", d),
    "transformed": lambda d, ours: (tm.OLS if ours else sm.OLS).from_formula("np.log(w) ~ x", d),
    "frames": lambda d, ours: (tm.OLS if ours else sm.OLS)(d["y"], sm.add_constant(d[["x", "w"]])),
    "arrays": lambda d, ours: (tm.OLS if ours else sm.OLS)(
        d["y"].to_numpy(), sm.add_constant(d[["x", "w"]], prepend=False).to_numpy()
    ),
    "bare arrays": lambda d, ours: (tm.OLS if ours else sm.OLS)(d["y"].to_numpy(), d[["x", "w"]].to_numpy()),
    "counts": lambda d, ours: (tm.Poisson if ours else sm.Poisson).from_formula("c ~ x", d),
    "a five": lambda d, ours: (tm.OLS if ours else sm.OLS)(d["y"], d[["x"]].assign(five=5.0)),
}
each_pair = pytest.mark.parametrize("name", PAIRS)


@each_pair
def test_names_and_counts(df, name):
    ours, theirs = (PAIRS[name](df, mine) for mine in (True, False))
    for attribute in ("endog_names", "exog_names", "df_model", "df_resid", "k_constant"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert ours.nobs == N
    for attribute in ("xnames", "ynames", "param_names", "cov_names", "k_constant", "const_idx"):
        assert getattr(ours.data, attribute) == getattr(theirs.data, attribute), attribute
    close(ours.endog, theirs.endog)
    close(ours.exog, theirs.exog)


@each_pair
def test_labelled_data(df, name):
    ours, theirs = (PAIRS[name](df, mine).data for mine in (True, False))
    assert type(ours.orig_endog) is type(theirs.orig_endog)
    assert type(ours.orig_exog) is type(theirs.orig_exog)
    close(ours.orig_endog, theirs.orig_endog)
    close(ours.orig_exog, theirs.orig_exog)
    if theirs.row_labels is None:
        assert ours.row_labels is None
    else:
        assert ours.row_labels.equals(theirs.row_labels) and ours.orig_exog.index.equals(theirs.row_labels)


def test_the_frame_and_its_description(df):
    model = tm.OLS.from_formula("y ~ x + C(g)", df)
    assert model.data.frame is df and model.formula == "y ~ x + C(g)"
    assert isinstance(model.data.model_spec, patsy.DesignInfo)
    assert model.data.design_info.column_names == model.exog_names
    assert tm.OLS(df["y"], df[["x"]]).data.model_spec is None


def test_rows_left_out_are_listed(df):
    holes = df.assign(x=df["x"].where(~df.index.isin(["r1", "r10"])))
    model = tm.WLS(holes["y"], holes[["x"]], weights=df["w"], missing="drop")
    theirs = sm.WLS(holes["y"], holes[["x"]], weights=df["w"], missing="drop")
    assert model.data.missing_row_idx == theirs.data.missing_row_idx == [1, 10]
    close(model.fit().params, theirs.fit().params)
    assert model.fit().resid.index.equals(theirs.fit().resid.index)
    assert tm.WLS.from_formula("y ~ x", holes, weights=df["w"]).data.missing_row_idx == [1, 10]
    assert tm.OLS(df["y"], df[["x"]]).data.missing_row_idx == []


@pytest.mark.parametrize("hasconst", [True, False])
def test_a_constant_can_be_declared(df, hasconst):
    for columns in (["x"], ["x", "one"]):
        x = df.assign(one=1.0)[columns]
        ours, theirs = (package.OLS(df["y"], x, hasconst=hasconst) for package in (tm, sm))
        assert (ours.k_constant, ours.df_model) == (theirs.k_constant, theirs.df_model)
        assert ours.data.const_idx == theirs.data.const_idx
        for name in ("rsquared", "rsquared_adj", "df_model", "df_resid", "aic", "bic"):
            close(getattr(ours.fit(), name), getattr(theirs.fit(), name))
    formula = smf.ols("y ~ x - 1", df, hasconst=hasconst).fit()
    close(tm.OLS.from_formula("y ~ x - 1", df, hasconst=hasconst).fit().rsquared, formula.rsquared)


def test_messages_about_data_that_do_not_fit(df):
    x = sm.add_constant(df[["x"]])
    with pytest.raises(ValueError, match="The indices for endog and exog are not aligned"):
        tm.OLS(df["y"], x.iloc[::-1])
    with pytest.raises(ValueError, match="endog and exog matrices are different sizes"):
        tm.OLS(df["y"].to_numpy(), x.to_numpy()[:5])
    with pytest.raises(ValueError, match="could not convert string to float"):
        tm.OLS(df["y"], df[["x", "g"]])
    holes = x.assign(x=df["x"].where(df.index != "r3"))
    with pytest.raises(MissingDataError, match="exog contains inf or nans"):
        tm.OLS(df["y"], holes)
    with pytest.raises(MissingDataError, match="NaNs were encountered in the data"):
        tm.OLS(df["y"], holes, missing="raise")
    with pytest.raises(ValueError, match="missing option bad not understood"):
        tm.OLS(df["y"], holes, missing="bad")
    with pytest.raises(patsy.PatsyError, match="missing values"):
        tm.OLS.from_formula("y ~ x", holes.assign(y=df["y"]), missing="raise")


def test_evaluation_at_plain_parameters(df):
    ours = tm.Poisson.from_formula("c ~ x", df, exposure=df["w"])
    theirs = smf.poisson("c ~ x", df, exposure=df["w"])
    point = np.array([0.2, 0.3])
    for name in ("loglike", "score", "hessian", "score_obs"):
        close(getattr(ours, name)(point), getattr(theirs, name)(point))
    close(ours.loglikeobs(point), theirs.loglikeobs(point))
    close(ours.information(point), -theirs.hessian(point))
    x = np.array([[1.0, 2.0], [1.0, -1.0]])
    close(ours.predict(point), theirs.predict(point))
    close(ours.predict(point, x, exposure=[2.0, 3.0]), theirs.predict(point, x, exposure=[2.0, 3.0]))
    close(ours.predict(point, x, which="linear", offset=1, exposure=1), x @ point + 1)
    close(tm.OLS.from_formula("y ~ x", df).predict(point, x), x @ point)


def test_a_model_can_be_made_again(df):
    model = tm.Poisson.from_formula("c ~ x", df, exposure=df["w"])
    keywords = model._get_init_kwds()
    close(keywords["exposure"], df["w"])
    close(tm.Poisson(model.endog, model.exog, **keywords).fit(disp=False).params, model.fit(disp=False).params)


def test_the_namespace_of_a_formula_can_be_given(df):
    z = np.arange(N, dtype=float)
    for env in ({"zz": z}, patsy.EvalEnvironment([{"zz": z}])):
        assert "zz" in tm.OLS.from_formula("y ~ x + zz", df, eval_env=env).exog_names
    with pytest.raises(TypeError, match="eval_env"):
        tm.OLS.from_formula("y ~ x", df, eval_env="env")
    with pytest.raises(FormulaError, match="zz"):
        tm.OLS.from_formula("y ~ zz", df, eval_env=-1)


@pytest.mark.parametrize("formula", ["y ~ x + offset(np.log(t))", "y ~ offset(t) + x", "y ~ x"])
def test_the_formula_is_what_was_written(formula, tmp_path):
    df = pd.DataFrame({"y": [1.0, 2, 4, 3, 5, 2], "x": [1.0, 2, 3, 5, 4, 0], "t": [1.0, 1, 2, 2, 3, 1]})
    res = tm.Poisson.from_formula(formula, df).fit(disp=False)
    assert res.model.formula == formula and formula in repr(res.model)
    res.save(tmp_path / "fit")
    assert tm.load(tmp_path / "fit").model.formula == formula
    res.remove_data()
    assert res.model.formula == formula
    assert tm.Poisson(df["y"], df[["x"]]).formula is None


@pytest.mark.parametrize("told", [{}, {"offset": np.arange(5.0)}, {"exposure": np.arange(1.0, 6.0)}], ids=str)
def test_offset_and_exposure_are_there_given_or_not_as_in_statsmodels(told):
    y, x = np.arange(5.0), np.ones((5, 1))
    ours = tm.GLM(y, x, family=tm.families.Poisson(), **told)
    theirs = sm.GLM(y, x, family=sm.families.Poisson(), **told)
    for name in ("offset", "exposure"):
        own, wanted = getattr(ours, name), getattr(theirs, name)
        assert (own is None) == (wanted is None)
        assert own is None or np.allclose(own, wanted)
