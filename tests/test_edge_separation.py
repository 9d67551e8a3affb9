"""Cells that a link puts at a finite edge of the domain: separation, with the other estimates those of the other rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import torchmle as tm
from torchmle.errors import ConvergenceWarning, PerfectSeparationError, PerfectSeparationWarning
from torchmle.families import Binomial, Gamma, NegativeBinomial, Poisson, Tweedie, links
from torchmle.optim import Status

pytestmark = pytest.mark.filterwarnings("ignore::torchmle.errors.DomainWarning")
MEANS = {"a": 2.0, "b": 3.0, "c": 4.0, "d": 1.0}
SHARES = {"a": 0.3, "b": 0.5, "c": 0.4, "d": 0.6}


@pytest.fixture(scope="module")
def df():
    rng = np.random.default_rng(0)
    g = np.repeat(list("abcd"), 30)
    found = pd.DataFrame({"g": g, "x": rng.uniform(size=120), "y": rng.poisson(pd.Series(g).map(MEANS))})
    found["b"], found["trials"] = rng.binomial(1, pd.Series(g).map(SHARES)), rng.integers(1, 6, 120)
    found["share"] = rng.binomial(found["trials"], pd.Series(g).map(SHARES)) / found["trials"]
    found["w"] = rng.integers(1, 4, 120)
    return found


CASES = {  # family, response, its value in the cell
    "poisson-identity": (lambda: Poisson(links.Identity()), "y", 0),
    "poisson-sqrt": (lambda: Poisson(links.Sqrt()), "y", 0),
    "negative-binomial-identity": (lambda: NegativeBinomial(links.Identity(), alpha=0.5), "y", 0),
    "binomial-log": (lambda: Binomial(links.Log()), "b", 1),
    "binomial-logc": (lambda: Binomial(links.LogC()), "b", 0),
    "binomial-identity-ones": (lambda: Binomial(links.Identity()), "b", 1),
    "binomial-identity-zeros": (lambda: Binomial(links.Identity()), "b", 0),
    "shares-log": (lambda: Binomial(links.Log()), "share", 1),
    "shares-identity": (lambda: Binomial(links.Identity()), "share", 1),
}
each_case = pytest.mark.parametrize("case", CASES)


def fit(case, data, formula="C(g)", **told):
    family, response, _ = CASES[case]
    arguments = {"n_trials": "trials"} if response == "share" else {}
    arguments |= {"freq_weights": told.pop("freq_weights")} if "freq_weights" in told else {}
    return tm.GLM.from_formula(f"{response} ~ {formula}", data, family=family(), **arguments).fit(**told)


def the_only_text(warned):
    own = [warning for warning in warned if not issubclass(warning.category, tm.errors.DomainWarning)]
    assert len(own) == 1 and issubclass(own[0].category, PerfectSeparationWarning)
    return str(own[0].message)


def with_cell(case, data, levels="c"):
    _, response, value = CASES[case]
    return data.assign(**{response: data[response].where(~data["g"].isin(list(levels)), value)})


@each_case
@pytest.mark.parametrize("told", [{}, {"method": "newton"}, {"cov_type": "HC0"}, {"freq_weights": "w"}], ids=str)
def test_one_cell_at_the_edge(df, case, told):
    data = with_cell(case, df)
    with pytest.warns(PerfectSeparationWarning) as warned:
        res = fit(case, data, **told)
    text = the_only_text(warned)
    assert text.startswith(
        "Quasi-complete separation: 30 of 120 rows are predicted perfectly at the edge of the model's domain"
    )
    assert "Estimates at the edge: C(g)[T.c]. The other estimates" in text
    assert not res.converged and res.optim.status is Status.EDGE
    assert res.certificate.separated == ("C(g)[T.c]",) and res.certificate.rank == 3
    assert text in " ".join(str(res.summary()).split())
    rest = fit(case, data[data["g"] != "c"], **told)  # the fit without the rows
    kept = ["Intercept", "C(g)[T.b]", "C(g)[T.d]"]
    assert rest.converged
    np.testing.assert_allclose(res.params[kept], rest.params[kept], rtol=1e-8)
    np.testing.assert_allclose(res.bse[kept], rest.bse[kept], rtol=1e-8)
    np.testing.assert_allclose(res.llf, rest.llf, atol=1e-5)
    assert np.isnan(res.bse["C(g)[T.c]"]) and np.isnan(res.conf_int().loc["C(g)[T.c]"]).all()
    np.testing.assert_allclose(res.fittedvalues[data["g"] == "c"], CASES[case][2], atol=1e-6)
    assert not res.fixed.any() and not res.dropped_columns


@each_case
def test_a_cell_without_a_constant_two_cells_and_the_reference(df, case):
    with pytest.warns(PerfectSeparationWarning, match=r"Estimates at the edge: C\(g\)\[c\]\."):
        res = fit(case, with_cell(case, df), "0 + C(g)")
    rest = fit(case, df, "0 + C(g)")
    other = [name for name in res.params.index if name != "C(g)[c]"]
    np.testing.assert_allclose(res.params[other], rest.params[other], rtol=1e-8)
    np.testing.assert_allclose(res.bse[other], rest.bse[other], rtol=1e-8)
    with pytest.warns(PerfectSeparationWarning, match=r"60 of 120 .* edge: C\(g\)\[T\.b\], C\(g\)\[T\.c\]\."):
        res = fit(case, with_cell(case, df, "bc"))
    rest = fit(case, df)
    for name in ("Intercept", "C(g)[T.d]"):
        np.testing.assert_allclose([res.params[name], res.bse[name]], [rest.params[name], rest.bse[name]], rtol=1e-8)
    with pytest.warns(
        PerfectSeparationWarning, match=r"edge: Intercept, C\(g\)\[T\.b\], C\(g\)\[T\.c\], C\(g\)\[T\.d\]\."
    ):
        res = fit(case, with_cell(case, df, "a"))
    assert np.isnan(res.bse).all()
    np.testing.assert_allclose(res.fittedvalues[df["g"] != "a"], rest.fittedvalues[df["g"] != "a"], rtol=1e-6)


@each_case
@pytest.mark.filterwarnings("ignore::torchmle.errors.HessianInversionWarning")
def test_all_cells_at_the_edge(df, case):
    with pytest.warns(
        PerfectSeparationWarning, match="Perfect separation: 120 of 120 rows are predicted perfectly at the edge"
    ):
        res = fit(case, with_cell(case, df, "abcd"))
    assert not res.converged and np.isnan(res.bse).all()
    np.testing.assert_allclose(res.fittedvalues, CASES[case][2], atol=1e-4)


@each_case
def test_models_with_a_mean_for_each_cell_are_left_in_peace(df, case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tm.errors.DomainWarning)
        res = fit(case, df)
    assert res.converged and res.fit.separation is None


def test_a_cell_with_a_slope_has_no_standard_errors_but_a_name(df):
    """The slope of x keeps means of the cell from their end, so that its rows speak of the slope."""
    data = df.assign(y=np.where(df["g"] == "c", 0, np.random.default_rng(1).poisson(1 + 8 * df["x"]))).drop(
        range(65, 90)
    )
    with pytest.warns(
        PerfectSeparationWarning, match=r"1 of 95 .* edge: C\(g\)\[T\.c\]\. The estimates are the best found"
    ):
        res = tm.GLM.from_formula("y ~ C(g) + x", data, family=Poisson(links.Identity())).fit()
    assert not res.converged and np.isnan(res.bse).all()
    x, y = res.model.exog, data["y"].to_numpy()

    def minus(beta):
        mean = np.maximum(x @ beta, 1e-12)
        return float((mean - y * np.log(mean)).sum())

    inside = {"type": "ineq", "fun": lambda beta: x @ beta - 1e-10}
    start = np.array([2.0, 0.0, 0.0, 0.0, 1.0])
    best = minimize(minus, start, constraints=inside, method="SLSQP", options={"ftol": 1e-13, "maxiter": 500})
    np.testing.assert_allclose(res.params, best.x, atol=2e-4)
    assert minus(res.params) <= best.fun + 1e-6


def test_an_edge_that_is_no_separation(df):
    data = df.assign(y=np.where(df["x"] < 0.3, 0, np.random.default_rng(1).poisson(10 * df["x"])))
    with pytest.warns(ConvergenceWarning, match="at the edge of the model's domain") as warned:
        res = tm.GLM.from_formula("y ~ x", data, family=Poisson(links.Identity())).fit()
    assert not any(issubclass(warning.category, PerfectSeparationWarning) for warning in warned)
    assert res.fit.separation is None and np.isnan(res.bse).all()


def test_one_cell_at_an_edge_and_one_at_infinity(df):
    data = df.assign(b=df["b"].where(~df["g"].isin(["b", "c"]), df["g"] == "c").astype(int))
    with pytest.warns(PerfectSeparationWarning) as warned:
        res = tm.GLM.from_formula("b ~ C(g)", data, family=Binomial(links.Log())).fit()
    text = the_only_text(warned)
    assert "60 of 120" in text and "Infinite estimates: C(g)[T.b] (-inf). Estimates at the edge: C(g)[T.c]." in text
    rest = fit("binomial-log", df)
    for name in ("Intercept", "C(g)[T.d]"):
        np.testing.assert_allclose([res.params[name], res.bse[name]], [rest.params[name], rest.bse[name]], rtol=1e-8)
    assert res.params["C(g)[T.b]"] == -np.inf and np.isnan(res.bse[["C(g)[T.b]", "C(g)[T.c]"]]).all()


def test_a_cell_where_densities_have_no_slope(df):
    """The slope of a Tweedie log-density in the mean is infinite at zero."""
    family = Tweedie(links.Identity(), var_power=1.5)
    data = df.assign(y=np.where(df["g"] == "c", 0, df["y"]))
    with pytest.warns(PerfectSeparationWarning, match=r"30 of 120 .* edge: C\(g\)\[T\.c\]"):
        res = tm.GLM.from_formula("y ~ C(g)", data, family=family).fit(scale=1.0)
    rest = tm.GLM.from_formula("y ~ C(g)", df, family=family).fit(scale=1.0)
    for name in ("Intercept", "C(g)[T.b]", "C(g)[T.d]"):
        np.testing.assert_allclose([res.params[name], res.bse[name]], [rest.params[name], rest.bse[name]], rtol=1e-8)


def test_it_is_raised_where_that_was_asked_for_and_travels_with_a_file(df, tmp_path):
    data = with_cell("poisson-identity", df)
    with pytest.warns(PerfectSeparationWarning):
        res = fit("poisson-identity", data)
    res.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit")
    assert loaded.fit.separation.sentence(tuple(res.names)) == res.fit.separation.sentence(tuple(res.names))
    pd.testing.assert_series_equal(loaded.params, res.params)
    pd.testing.assert_series_equal(loaded.bse, res.bse)
    new = data.groupby("g").head(1)
    pd.testing.assert_frame_equal(loaded.get_prediction(new).summary_frame(), res.get_prediction(new).summary_frame())
    res.remove_data()
    pd.testing.assert_series_equal(loaded.bse, res.bse)
    model = tm.GLM.from_formula("y ~ C(g)", data, family=Poisson(links.Identity()))
    model.raise_on_perfect_prediction = True
    with pytest.raises(PerfectSeparationError, match="edge"):
        model.fit()


def test_a_search_that_loses_its_way_at_the_edge_goes_on_to_the_best_point(df):
    """A start beside the edge, from where Newton's steps lead nowhere."""
    data = df.assign(y=np.where(df["g"] == "c", 0, df["y"]))
    with pytest.warns(PerfectSeparationWarning, match=r"edge: C\(g\)\[T\.c\]"):
        res = tm.GLM.from_formula("y ~ C(g) + x", data, family=Poisson(links.Identity())).fit()
    cells = data[data["g"] != "c"].groupby("g")["y"].mean()
    assert np.isnan(res.bse).all() and res.optim.status is Status.EDGE
    np.testing.assert_allclose(res.params["C(g)[T.b]"], cells["b"] - cells["a"], atol=0.2)
    gamma = tm.GLM.from_formula("I(y + 1) ~ C(g) + x", df, family=Gamma(links.Identity())).fit()
    assert gamma.converged
