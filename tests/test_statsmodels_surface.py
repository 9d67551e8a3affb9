"""What results have in common with statsmodels': covariances, criteria, files, pickles, results without rows."""

import copy
import importlib
import io
import pickle
import pickletools

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import torch
from problems import NAMES, PROBLEMS, fitted
from statsmodels.iolib.summary2 import summary_col

import torchmle as tm
import torchmle.api as tsm
from torchmle.errors import ConvergenceWarning, ModelError

N = 200
FORMULA = " ~ x * C(g) + np.log(w)"


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(12)
    found = pd.DataFrame({"x": rng.normal(size=N), "w": rng.uniform(1, 3, N), "g": rng.choice(["a", "b", "c"], N)})
    found["y"] = 1 + found["x"] - 0.4 * (found["g"] == "b") + rng.normal(size=N)
    found["c"] = rng.poisson(np.exp(0.3 + 0.4 * found["x"]))
    found["v"] = rng.uniform(0.5, 2, N)
    found.index = [f"r{i}" for i in range(N)]
    return found


def close(ours, theirs, rtol=1e-8, atol=1e-12):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


def pair(name, df, **fit):
    """The same fit by both packages."""
    if name == "arrays":
        y, x = df["y"].to_numpy(), sm.add_constant(df[["x", "w"]].to_numpy())
        return tm.OLS(y, x).fit(**fit), sm.OLS(y, x).fit(**fit)
    ours, theirs, told = {
        "ols": (tm.OLS, smf.ols, {}),
        "wls": (tm.WLS, smf.wls, {"weights": df["v"]}),
        "poisson": (tm.Poisson, smf.poisson, {"exposure": df["v"]}),
    }[name]
    response = "c" if name == "poisson" else "y"
    disp = {"disp": False} if name == "poisson" else {}
    return (
        ours.from_formula(response + FORMULA, df, **told).fit(**disp, **fit),
        theirs(response + FORMULA, df, **told).fit(**disp, **fit),
    )


CASES = ["ols", "wls", "poisson", "arrays"]
each_model = pytest.mark.parametrize("name", CASES)


# -- covariances -------------------------------------------------------------------------------------------------


@each_model
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_covariances_of_parameters_and_functions(df, name, cov_type):
    ours, theirs = pair(name, df, cov_type=cov_type)
    close(ours.cov_params(), theirs.cov_params())
    close(ours.normalized_cov_params, theirs.normalized_cov_params)
    assert type(ours.cov_params()) is type(theirs.cov_params())
    raw = theirs._results
    k = len(ours.names)
    r, other = np.arange(2.0 * k).reshape(2, k), np.eye(k)[:1]
    close(ours.cov_params(r), raw.cov_params(r_matrix=r))
    close(ours.cov_params(r_matrix=r, other=other), raw.cov_params(r_matrix=r, other=other))
    close(ours.cov_params(column=1), raw.cov_params(column=1))
    close(ours.cov_params(column=[0, 2]), raw.cov_params(column=[0, 2]))
    close(ours.cov_params(cov_p=2 * np.eye(k)), 2 * np.eye(k))
    close(ours.cov_params(scale=2.0), 2 * np.asarray(theirs.normalized_cov_params))
    assert hasattr(ours, "cov_params_default") == (cov_type == "HC0")
    assert (ours.cov_type, ours.use_t) == (theirs.cov_type, theirs.use_t)
    with pytest.raises(ValueError, match="without other arguments"):
        ours.cov_params(column=0, r_matrix=r)
    with pytest.raises(ValueError, match="only be specified with r_matrix"):
        ours.cov_params(other=other)


def test_covariances_by_name(df):
    ours, _ = pair("ols", df)
    close(ours.cov_params("x"), [[ours.bse["x"] ** 2]])


# -- criteria ----------------------------------------------------------------------------------------------------


@each_model
def test_information_criteria(df, name):
    ours, theirs = pair(name, df)
    for crit in ("aic", "bic") + (() if name == "poisson" else ("aicc", "hqic")):
        for extra in (0, 1):
            close(ours.info_criteria(crit, dk_params=extra), theirs.info_criteria(crit, dk_params=extra))
    if name == "poisson":
        close(ours.info_criteria("tic"), theirs.info_criteria("tic"))
        close([ours.info_criteria("gbic"), ours.info_criteria("gbicp")], theirs.info_criteria("gbic"))
    close(ours.info_criteria("qaic", scale=2.0), -ours.llf + 2 * len(ours.names))
    with pytest.raises(ValueError, match="crit must be one of aic, bic"):
        ours.info_criteria("best")
    with pytest.raises(ValueError, match="qaic needs scale="):
        ours.info_criteria("qaic")


def test_criteria_under_both_conventions(df):
    ours, theirs = pair("ols", df)
    close(ours.information_criteria()["aic"], theirs.aic)
    close(ours.information_criteria(count_scale=True)["aic"], theirs.aic + 2)  # R: the variance is a parameter
    close(ours.information_criteria(count_scale=True)["bic"], theirs.bic + np.log(N))
    at = -0.5 * (N * np.log(2 * np.pi * theirs.scale) + theirs.ssr / theirs.scale)
    close(ours.information_criteria(scale=ours.scale)["aic"], -2 * at + 2 * len(ours.names))
    with pytest.raises(ValueError, match="estimates no dispersion"):
        pair("poisson", df)[0].information_criteria(scale=2.0)


# -- how it was found --------------------------------------------------------------------------------------------


def test_what_the_search_returned(df):
    ours, theirs = pair("poisson", df)
    found, expected = ours.mle_retvals, theirs.mle_retvals
    assert {"fopt", "iterations", "score", "Hessian", "warnflag", "converged"} <= set(found)
    close(found["fopt"], expected["fopt"])
    assert (found["converged"], found["warnflag"]) == (True, 0)
    close(found["Hessian"], -theirs.model.hessian(theirs.params) / N, 1e-6)
    assert ours.mle_settings["optimizer"] == "newton" and len(ours.mle_settings["start_params"]) == len(ours.names)
    told = tm.Poisson.from_formula("c ~ x", df).fit(start_params=[0.1, 0.2], maxiter=50, disp=False)
    close(told.mle_settings["start_params"], [0.1, 0.2])
    assert told.mle_settings["maxiter"] == 50
    with pytest.warns(ConvergenceWarning):
        short = tm.Poisson.from_formula("c ~ x", df).fit(start_params=[3.0, -3.0], maxiter=1, disp=False)
    assert short.mle_retvals["converged"] is False and short.mle_retvals["warnflag"] == 1


def test_keywords_of_habit(df):
    model = tm.Poisson(df["c"], sm.add_constant(df[["x"]]), check_rank=False)
    res = model.fit(full_output=1, retall=True, disp=0)
    close(res.params, sm.Poisson(df["c"], sm.add_constant(df[["x"]])).fit(disp=0).params)
    with pytest.raises(TypeError, match="'maxitr'"):
        model.fit(maxitr=3)


@pytest.mark.parametrize("kind", ["Logit", "Probit", "MNLogit", "Poisson"])
def test_check_rank_is_taken(df, kind):
    y = (df["c"] > 0).astype(int)
    plain = getattr(tm, kind)(y, sm.add_constant(df[["x"]])).fit(disp=False)
    told = getattr(tm, kind)(y, sm.add_constant(df[["x"]]), check_rank=False).fit(disp=False)
    formula = getattr(tm, kind).from_formula("y ~ x", df.assign(y=y), check_rank=False).fit(disp=False)
    close(told.params, plain.params, 0)
    close(formula.params, plain.params, 1e-9)
    with pytest.raises(TypeError, match="check_rank"):
        tm.OLS(df["c"], df[["x"]], check_rank=False)


# -- predictions of the rows of the fit --------------------------------------------------------------------------


@each_model
def test_types_of_predictions(df, name):
    ours, theirs = pair(name, df)
    assert type(ours.predict()) is np.ndarray
    close(ours.predict(), theirs.predict())
    assert type(ours._results.params) is np.ndarray


# -- pickles, copies, files --------------------------------------------------------------------------------------


def pickled(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301


def alike(one, other, df, name):
    close(one.params, other.params, 0)
    close(one.bse, other.bse, 0)
    close(one.llf, other.llf, 0)
    if name == "arrays":
        new, keywords = np.array([[1.0, 0.2, 1.5], [1.0, -1.0, 2.0]]), {}
    else:
        new, keywords = df.head(7), {"exposure": df["v"].head(7)} if name == "poisson" else {}
    close(one.predict(new, **keywords), other.predict(new, **keywords), 0)
    assert without_time(one.summary()) == without_time(other.summary())


def without_time(summary):
    return [line for line in str(summary).splitlines() if "Time:" not in line and "Date:" not in line]


@each_model
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_pickles_and_copies(df, name, cov_type):
    ours, _ = pair(name, df, cov_type=cov_type)
    for other in (pickled(ours), copy.deepcopy(ours), copy.copy(ours)):
        alike(other, ours, df, name)
        close(other.resid, ours.resid, 0)
        assert other.model.nobs == N
    again = pickled(ours.model).fit(cov_type=cov_type, **({"disp": 0} if name == "poisson" else {}))
    close(again.params, ours.params, 1e-10)


def test_pickles_without_rows_name_one_function_of_ours(df):
    """So that the files of the package may move, and pickles still load."""
    res = tm.OLS.from_formula("y ~ x", df).fit()
    res.remove_data()
    named = {arg for _, arg, _ in pickletools.genops(pickle.dumps(res, protocol=2)) if "torchmle" in str(arg)[:20]}
    assert named == {"torchmle.io from_bytes"}


def test_pickles_of_classes_made_at_run_time(df):
    res = tm.distribution_model(torch.distributions.StudentT).from_formula("y ~ x", df).fit(fix={"df": 5.0})
    close(pickled(res).params, res.params, 0)
    res.remove_data()
    close(pickled(res).predict(df), res.predict(df), 0)


@each_model
def test_files(df, name, tmp_path):
    ours, _ = pair(name, df)
    ours.save(tmp_path / "a.tm")
    for other in (tsm.load(tmp_path / "a.tm"), type(ours).load(tmp_path / "a.tm")):
        alike(other, ours, df, name)
        assert type(other) is type(ours)
    stream = io.BytesIO()
    ours.save(stream)
    stream.seek(0)
    alike(tm.load(stream), ours, df, name)
    ours.save(tmp_path / "b.tm", remove_data=True)
    alike(tm.load(tmp_path / "b.tm"), ours, df, name)
    with pytest.raises(ModelError, match="needs the rows"):
        _ = ours.resid


def test_files_of_others_are_not_opened(tmp_path):
    (tmp_path / "c.pickle").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelError, match="if you trust it, use pickle.load"):
        tm.load(tmp_path / "c.pickle")
    with pytest.raises(FileNotFoundError):
        tm.load(tmp_path / "nothing")


@each_model
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "cluster"])
def test_results_without_rows(df, name, cov_type):
    kwds = {"cov_kwds": {"groups": np.arange(N) % 20}} if cov_type == "cluster" else {}
    ours, _ = pair(name, df, cov_type=cov_type, **kwds)
    whole, _ = pair(name, df, cov_type=cov_type, **kwds)
    _ = ours.resid, ours.fittedvalues
    size = len(pickle.dumps(ours))
    ours.remove_data()
    alike(ours, whole, df, name)
    close(ours.normalized_cov_params, whole.normalized_cov_params, 0)
    for attribute in ("aic", "bic", "df_model", "df_resid", "nobs", "scale", "df_inference", "k_constant"):
        assert getattr(ours, attribute) == getattr(whole, attribute)
    for attribute in ("resid", "fittedvalues"):
        with pytest.raises(ModelError, match="needs the rows"):
            getattr(ours, attribute)
    assert len(pickle.dumps(ours)) < size
    alike(pickled(ours), whole, df, name)
    ours.remove_data()  # nothing is left to take


def test_size_of_a_pickle_without_rows(df):
    many = pd.concat([df] * 20, ignore_index=True)
    res = tm.OLS.from_formula("y ~ x + w", many).fit()
    size = len(pickle.dumps(res))
    res.remove_data()
    assert len(pickle.dumps(res)) < 0.1 * size


# -- add_constant ------------------------------------------------------------------------------------------------

DESIGNS = {
    "frame": lambda d: d[["x", "w"]],
    "series": lambda d: d["x"],
    "array": lambda d: d[["x", "w"]].to_numpy(),
    "vector": lambda d: d["x"].to_numpy(),
    "integers": lambda d: np.arange(6).reshape(3, 2),
    "list": lambda d: [[1.0, 2.0], [3.0, 4.0]],
    "constant": lambda d: np.ones((3, 1)),
    "constant frame": lambda d: d[["x"]].assign(one=2.0),
    "zeros": lambda d: np.zeros((3, 1)),
}


@pytest.mark.parametrize("prepend", [True, False])
@pytest.mark.parametrize("has_constant", ["skip", "add"])
@pytest.mark.parametrize("design", DESIGNS)
def test_add_constant(df, design, has_constant, prepend):
    x = DESIGNS[design](df)
    ours, theirs = (package.add_constant(x, prepend=prepend, has_constant=has_constant) for package in (tsm, sm))
    assert type(ours) is type(theirs)
    if isinstance(theirs, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs)
    else:
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_constants_that_are_there(df):
    with pytest.raises(ValueError, match=r"Column\(s\) 0 are constant"):
        tsm.add_constant(np.ones((3, 1)), has_constant="raise")
    with pytest.raises(ValueError, match=r"Column\(s\) one are constant"):
        tsm.add_constant(df[["x"]].assign(one=2.0), has_constant="raise")
    with pytest.raises(ValueError, match="has_constant must be one of"):
        tsm.add_constant(df[["x"]], has_constant="no")
    with pytest.raises(ValueError, match="2-dimensional"):
        tsm.add_constant(np.ones((2, 2, 2)))


def test_add_constant_to_polars(df):
    polars = pytest.importorskip("polars")
    x = polars.from_pandas(df[["x", "w"]])
    assert tsm.add_constant(x).columns == ["const", "x", "w"]
    assert tsm.add_constant(x, prepend=False).columns == ["x", "w", "const"]
    assert x.columns == ["x", "w"]


# -- summary2 ----------------------------------------------------------------------------------------------------


@each_model
def test_summaries_as_frames(df, name):
    ours, theirs = pair(name, df)
    one, other = ours.summary2(), theirs.summary2()
    assert one.title == other.title
    assert [table.shape[1] for table in one.tables] == [table.shape[1] for table in other.tables]
    coefficients = one.tables[1]
    assert list(coefficients.columns) == list(other.tables[1].columns)
    assert list(coefficients.index) == list(other.tables[1].index)
    close(coefficients, other.tables[1], 1e-7)
    told = {**dict(one.tables[0][[0, 1]].to_numpy()), **dict(one.tables[0][[2, 3]].to_numpy())}
    expected = {**dict(other.tables[0][[0, 1]].to_numpy()), **dict(other.tables[0][[2, 3]].to_numpy())}
    for label in set(expected) - {"Date:", "No. Iterations:", "Converged:", ""}:
        assert told[label].strip() == expected[label].strip(), label
    if len(other.tables) > 2:
        ours_below, theirs_below = (
            {**dict(t[[0, 1]].to_numpy()), **dict(t[[2, 3]].to_numpy())} for t in (one.tables[2], other.tables[2])
        )
        assert ours_below.keys() == theirs_below.keys()
        for label in ("Omnibus:", "Skew:", "Kurtosis:", "Durbin-Watson:", "Jarque-Bera (JB):"):
            assert ours_below[label] == theirs_below[label]


def test_summaries_as_frames_are_drawn(df):
    ours, _ = pair("ols", df)
    shown = ours.summary2(alpha=0.1, yname="Y", xname=list("abcdefg"), title="TT", float_format="%.2f")
    text = str(shown)
    assert "TT" in text.splitlines()[0] and "Dependent Variable:" in text and " Y " in text
    assert "[0.05" in text and f"{ours.params['x']:.2f}" in text and "[1] Standard Errors assume" in text
    assert list(shown.tables[1].index) == list("abcdefg")
    for drawn in (shown.as_html(), shown.as_latex(), shown.as_csv(), shown._repr_html_(), shown._repr_latex_()):
        assert "Dependent Variable:" in drawn and "TT" in drawn
    assert shown.as_latex(label="tab:x").endswith("\\label{tab:x}")
    with pytest.raises(ValueError, match="do not have the same length"):
        ours.summary2(xname=["a"])


def test_columns_of_several_results(df):
    pairs = [pair(name, df) for name in ("ols", "poisson")]
    ours, theirs = (str(summary_col([p[i] for p in pairs], stars=True, model_names=["a", "b"])) for i in (0, 1))
    assert ours == theirs


# -- predictions of new rows -------------------------------------------------------------------------------------


def test_rows_in_every_form(df):
    ours, theirs = pair("ols", df)
    new = df[["x", "w", "g"]].head(4)
    close(ours.predict(new), theirs.predict(new))
    row = new.iloc[2]  # of several types, over which statsmodels stumbles
    pd.testing.assert_series_equal(ours.predict(row), ours.predict(new.iloc[[2]]))
    close(ours.predict(dict(row)), ours.predict(row))
    design = ours.model.exog[:3]
    close(ours.predict(design, transform=False), theirs.predict(design, transform=False))
    close(ours.predict(design[0], transform=False), theirs.predict(design[0], transform=False))
    holes = new.assign(x=new["x"].where(new.index != "r1"))
    assert ours.predict(holes).isna().tolist() == theirs.predict(holes).isna().tolist() == [False, True, False, False]
    alone = pd.DataFrame({"y": [1.0, 2.0, 4.0], "x": [1.0, 2.0, 3.0]}, index=[5, 3, 1])
    ours, theirs = tm.OLS.from_formula("y ~ x", alone).fit(), smf.ols("y ~ x", alone).fit()
    pd.testing.assert_series_equal(ours.predict(alone["x"]), theirs.predict(alone["x"]))


def test_rows_of_matrices_in_every_form(df):
    x = sm.add_constant(df[["x", "w"]])
    ours, theirs = (package.OLS(df["y"], x).fit() for package in (tm, sm))
    for new in (x.head(3), x.head(3).to_numpy(), x.iloc[1].to_numpy(), x.head(3).to_numpy().tolist()):
        close(ours.predict(new), theirs.predict(new))
        assert type(ours.predict(new)) is type(theirs.predict(new))
    shuffled = x.head(3).set_axis(["a", "b", "c"], axis=1)  # columns go by position
    close(ours.predict(shuffled), theirs.predict(shuffled))
    close(ours.predict(x.iloc[1]), theirs.predict(x.iloc[1]))
    one = tm.OLS(df["y"], df["x"]).fit()
    close(one.predict([1.0, 2.0]), one.params.iloc[0] * np.array([1.0, 2.0]))
    for wrong in (x.head(3)[["x", "w"]], x.head(3).to_numpy()[:, :2], [1.0, 2.0]):
        with pytest.raises(ValueError, match=r"shapes \(.*2\) and \(3,\) not aligned"):
            ours.predict(wrong)


def test_what_is_wrong_with_new_rows(df):
    ours, _ = pair("ols", df)
    words = (
        "predict requires that you use a DataFrame when predicting from a model\nthat was created using the formula api"
    )
    for wrong, more in (
        (df[["x", "w"]].head(2), "no column 'g'"),
        (df.head(2).assign(g="z"), "does not match any of the expected levels"),
        ([0.25], "data is a list"),
    ):
        with pytest.raises(patsy.PatsyError, match=words) as caught:
            ours.predict(wrong)
        assert more in str(caught.value)
    with pytest.raises(ValueError, match="exposure is not the same length as endog"):
        tm.Poisson(df["c"], df[["x"]], exposure=df["v"].to_numpy()[:4])


# -- every model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS, ids=NAMES)
def test_every_model_can_be_copied_pickled_and_stripped_of_rows(problem):
    whole, ours, new = fitted(problem), problem.fit(problem.frame()), problem.frame(seed=5, n=20)
    predicts = hasattr(problem.model, "predict_rows")
    copies = [copy.deepcopy(ours), pickled(ours)]
    ours.remove_data()
    assert not ours.model.has_rows
    with pytest.raises(ModelError, match="needs the rows"):
        _ = ours.llf_obs
    for one in (*copies, ours, pickled(ours), copy.deepcopy(ours)):
        assert type(one) is type(whole) and one.names == whole.names
        for attribute in ("params_array", "covariance_array", "_bse", "_tvalues", "_normalized"):
            np.testing.assert_array_equal(getattr(one, attribute), getattr(whole, attribute))
        for attribute in ("llf", "aic", "bic", "nobs", "df_model", "df_resid", "scale", "k_constant", "method"):
            assert getattr(one, attribute) == getattr(whole, attribute), attribute
        assert without_time(one.summary()) == without_time(whole.summary())
        assert without_time(one.summary2()) == without_time(whole.summary2())
        assert one.mle_retvals.keys() == whole.mle_retvals.keys()
        if predicts:
            np.testing.assert_array_equal(one.predict(new), whole.predict(new))


@pytest.mark.parametrize("problem", PROBLEMS, ids=NAMES)
def test_every_model_has_the_common_surface(problem):
    res = fitted(problem)
    model, at = res.model, np.where(np.isfinite(res.params_array), res.params_array, 0.0)
    assert model.data.frame is not None and model.data.param_names == res.names == model.data.cov_names
    assert len(model.data.row_labels) == len(problem.frame())
    assert np.asarray(model.data.endog).shape[0] == model.data.orig_endog.shape[0]
    close(model.loglikeobs(at).sum(), model.loglike(at), 1e-9)
    if problem.model is not tm.GLM:  # whose information is the expected Hessian, as in statsmodels
        close(model.information(at), -model.hessian(at), 0)
    if hasattr(model, "predict_rows"):
        close(model.predict(at), res.predict(), 1e-12)
    k = len(res.names)
    close(res.normalized_cov_params * res.scale, res.cov_params(), 1e-12)
    close(res.cov_params(r_matrix=np.eye(k)[:1]), np.asarray(res.cov_params())[:1, :1], 1e-12)
    table = np.vstack([frame.to_numpy() for frame in res.summary2().tables[1:] if frame.shape[1] == 6])
    close(table[:, 0], res.params_array, 0)
    for crit in ("aic", "bic", "aicc", "hqic"):
        assert np.isfinite(res.info_criteria(crit))
    close([res.info_criteria("aic"), res.info_criteria("bic")], [res.aic, res.bic])
    close(res.information_criteria()["bic"], res.bic)
    close(res.wald_test_terms().pvalues.size, len(res.term_positions()))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("regression.linear_model", "OLS WLS OLSResults"),
        ("genmod.generalized_linear_model", "GLM GLMResults"),
        ("genmod.families", "Poisson Tweedie links"),
        ("discrete.discrete_model", "Logit Poisson MNLogit"),
        ("base.model", "GenericLikelihoodModel"),
        ("tools", "add_constant"),
        ("tools.sm_exceptions", "ConvergenceWarning MissingDataError SingularMatrixWarning"),
    ],
)
def test_deep_paths_of_statsmodels(path, names):
    module, peer = importlib.import_module(f"torchmle.{path}"), importlib.import_module(f"statsmodels.{path}")
    assert all(hasattr(module, name) and hasattr(peer, name) for name in names.split())


SINGLE = {
    "OLS": lambda s, x, y: s.OLS(1.0 * y, x).fit(),
    "GLM": lambda s, x, y: s.GLM(y, x, s.families.Poisson()).fit(),
    "Logit": lambda s, x, y: s.Logit(1.0 * (y > 0), x).fit(disp=0),
    "Poisson": lambda s, x, y: s.Poisson(y, x).fit(disp=0),
    "NegativeBinomial": lambda s, x, y: s.NegativeBinomial(y, x).fit(disp=0),
    "MNLogit": lambda s, x, y: s.MNLogit(np.minimum(y, 2), x).fit(disp=0),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of statsmodels, about its bic
@pytest.mark.parametrize("name", SINGLE)
def test_single_numbers_are_numpys(name, df):
    """What is np.float64 in statsmodels has its methods here, what is an integer counts, in files too."""
    x, y = sm.add_constant(df["x"].to_numpy()), df["c"].to_numpy()
    peer, ours = SINGLE[name](sm, x, y), SINGLE[name](tsm, x, y)
    file = io.BytesIO()
    ours.save(file)
    for res in (ours, tm.load(file)):
        for attribute in (a for a in dir(peer) if not a.startswith("_")):
            theirs = getattr(peer, attribute, None)
            if isinstance(theirs, np.floating):
                assert isinstance(getattr(res, attribute), np.floating), attribute
            elif isinstance(theirs, (int, np.integer)) and attribute != "df_model":
                assert isinstance(getattr(res, attribute), int), attribute
    assert ours.aic.round(2) == peer.aic.round(2) and ours.llf.item() == float(ours.llf)
