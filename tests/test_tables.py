"""Fits side by side: every model enters, what one lacks is blank, and no number reads as zero that is none."""

import csv
import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from torchmle.tables import table


class Weibull:
    endog_names = "np.log(w)"


class Counts:
    endog_names = "n"
    exog_names = ("const", "x_1")


@pytest.fixture
def survival():
    names = ["Intercept", "C(g)[T.b]", "x_1"]
    return SimpleNamespace(
        params=pd.Series([1.0, -0.25, 1e-6], names),
        bse=pd.Series([0.5, np.nan, 1e-7], names),
        tvalues=pd.Series([2.0, np.nan, 10.0], names),
        pvalues=pd.Series([0.0455, np.nan, 0.0001], names),
        conf_int=lambda: pd.DataFrame([[0.02, 1.98], [np.nan, np.nan], [8e-7, 1.2e-6]], names),
        model=Weibull(),
        cov_type="HC1",
        nobs=120.5,
        llf=-163.8721,
        aic=335.7,
    )


@pytest.fixture
def counts():
    """Arrays instead of Series, and few statistics."""
    return SimpleNamespace(
        params=np.array([2.0, 0.5]),
        bse=np.array([1.1, 0.2]),
        pvalues=np.array([0.07, 0.0125]),
        model=Counts(),
        nobs=80,
        prsquared=0.286,
    )


def rows_of(result):
    return [row for grid in result.tables for row in grid.data]


def test_rows_are_the_union_in_order_of_first_appearance(survival, counts):
    assert rows_of(table([survival, counts])) == [
        ["", "(1)", "(2)"],
        ["Dep. variable", "np.log(w)", "n"],
        ["Model", "Weibull", "Counts"],
        ["Intercept", "1.000**", ""],
        ["", "(0.500)", ""],
        ["C(g)[T.b]", "-0.250", ""],
        ["", "(nan)", ""],
        ["x_1", "1e-06***", "0.500**"],
        ["", "(1e-07)", "(0.200)"],
        ["const", "", "2.000*"],
        ["", "", "(1.100)"],
        ["Std. errors", "HC1", ""],
        ["N", "120.50", "80"],
        ["Log-likelihood", "-163.872", ""],
        ["AIC", "335.700", ""],
        ["Pseudo R-squared", "", "0.286"],
    ]


def test_text_aligns_the_digits(survival, counts):
    result = table([survival, counts], names=["log", "level"], stats=["nobs", "cov_type"], title="Two models")
    assert result.as_text().splitlines() == [
        "              Two models             ",
        "=====================================",
        "                    log      level   ",
        "Dep. variable np.log(w)          n   ",
        "Model           Weibull     Counts   ",
        "-------------------------------------",
        "Intercept         1.000**            ",
        "                 (0.500)             ",
        "C(g)[T.b]        -0.250              ",
        "                   (nan)             ",
        "x_1               1e-06***   0.500** ",
        "                 (1e-07)    (0.200)  ",
        "const                        2.000*  ",
        "                            (1.100)  ",
        "-------------------------------------",
        "N                120.50         80   ",
        "Std. errors         HC1              ",
        "=====================================",
        "",
        "Standard errors in parentheses.",
        "* p < 0.1, ** p < 0.05, *** p < 0.01.",
    ]
    assert str(result) == result.as_text()


def test_stars_follow_the_p_values_before_rounding():
    pvalues = np.array([0.0999, 0.1, 0.0499, 0.05, 0.00999, 0.01, np.nan])
    ones = np.ones(len(pvalues))
    fit = SimpleNamespace(params=ones, bse=ones, pvalues=pvalues)
    estimates = [row[1] for row in rows_of(table(fit, se=None, fmt="%.1f"))[1:]]
    assert estimates == ["1.0*", "1.0", "1.0**", "1.0*", "1.0***", "1.0**", "1.0"]
    assert "*" not in table(fit, stars=False).as_text()
    assert table(fit, stars=False, se=None).notes == ()


@pytest.mark.parametrize(
    ("se", "cells", "note"),
    [
        ("parentheses", ["(0.500)", "(nan)", "(1e-07)"], "Standard errors in parentheses."),
        ("brackets", ["[0.500]", "[nan]", "[1e-07]"], "Standard errors in brackets."),
        ("t", ["(2.000)", "(nan)", "(10.000)"], "t or z statistics in parentheses."),
        ("p", ["(0.045)", "(nan)", "(0.0001)"], "p-values in parentheses."),
        ("conf_int", ["[0.020, 1.980]", "[nan, nan]", "[8e-07, 1.2e-06]"], "95% confidence intervals in brackets."),
    ],
)
def test_what_stands_below_an_estimate(survival, se, cells, note):
    result = table(survival, se=se, stats=())
    assert [row[1] for row in rows_of(result)[4::2]] == cells
    assert result.notes[0] == note


def test_what_a_fit_lacks_is_blank(counts):
    del counts.bse, counts.pvalues, counts.model
    assert rows_of(table(counts, stats=["rsquared", "nobs"])) == [
        ["", "(1)"],
        ["x1", "2.000"],
        ["", ""],
        ["x2", "0.500"],
        ["", ""],
        ["R-squared", ""],
        ["N", "80"],
    ]


def test_undefined_statistics_are_blank(counts):
    class Quasi(SimpleNamespace):
        @property
        def llf(self):
            raise NotImplementedError

    assert rows_of(table(Quasi(**vars(counts)), stats=["llf"]))[-1] == ["Log-likelihood", ""]


def test_own_statistics_and_formats(survival):
    survival.concordance, survival.device = 0.71234, "cuda:0"
    rows = rows_of(table(survival, fmt=lambda x: f"{x:.1e}", stats=["concordance", "device"]))
    assert rows[3] == ["Intercept", "1.0e+00**"]
    assert rows[-2:] == [["concordance", "7.1e-01"], ["device", "cuda:0"]]


def test_headers(survival, counts):
    assert table({"Base": survival, "Full": counts}).columns == ("Base", "Full")
    assert table((survival, counts), names=["same", "same"]).to_frame().shape[1] == 2
    with pytest.raises(ValueError, match="one entry per model: got 1 for 2"):
        table([survival, counts], names=["one"])
    with pytest.raises(ValueError, match=r"'parentheses', 'brackets'.*got 'stars'"):
        table(survival, se="stars")
    with pytest.raises(ValueError, match="at least one"):
        table([])
    with pytest.raises(TypeError, match=r"results with params.*got str"):
        table([survival, "Poisson"])


def test_duplicate_parameter_names_keep_their_rows(survival):
    survival.params.index = ["x", "x", "z"]
    rows = rows_of(table([survival, survival], se=None, stats=()))[3:]
    assert rows == [["x", "1.000**", "1.000**"], ["x", "-0.250", "-0.250"], ["z", "1e-06***", "1e-06***"]]


def test_several_responses_and_equations():
    params = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["Intercept", "x"], columns=["b", "c"])
    fit = SimpleNamespace(params=params, bse=params / 10, pvalues=params * 0 + 0.5, model=Weibull())
    fit.model.endog_names = ["b", "c"]
    rows = rows_of(table(fit))
    assert rows[1] == ["Dep. variable", "b, c"]
    assert rows[3::2] == [
        ["b: Intercept", "1.000"],
        ["b: x", "3.000"],
        ["c: Intercept", "2.000"],
        ["c: x", "4.000"],
    ]
    assert rows[4::2] == [["", "(0.100)"], ["", "(0.300)"], ["", "(0.200)"], ["", "(0.400)"]]


def test_frame(survival, counts):
    frame = table({"a": survival, "b": counts}).to_frame()
    assert list(frame.columns) == ["a", "b"]
    assert frame.xs("estimate", level="statistic").loc["x_1"].tolist() == ["1e-06***", "0.500**"]
    assert frame.xs("std err", level="statistic").loc["const", "b"] == "(1.100)"
    assert frame.xs("N")["a"].tolist() == ["120.50"]


def test_other_formats_hold_every_cell(survival, counts):
    result = table([survival, counts], title="A & B")
    rows = rows_of(result)
    assert list(csv.reader(io.StringIO(result.as_csv()))) == [["A & B"], *rows, *([note] for note in result.notes)]
    latex = result.as_latex()
    body = latex.partition(r"\begin{tabular}{lrr}")[2].partition(r"\end{tabular}")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert [line.count(" & ") for line in lines] == [2] * len(rows)
    assert latex.count(r"\hline") == body.count(r"\hline") == 6
    assert r"C(g){[}T.b{]} & $-$0.250 &" in body
    assert r"x\_1 & 1e-06*** & 0.500** \\" in body
    assert r"A \& B" in latex
    html = result._repr_html_()
    assert html.count("<tr>") == len(rows)
    assert ">C(g)[T.b]</th>" in html
    assert "p &lt; 0.1" in html


# statsmodels' results


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    x = rng.normal(size=150)
    y = x + rng.normal(size=150)
    return pd.DataFrame(
        {"x": x, "y": y, "n": rng.poisson(np.exp(0.3 * x)), "b": (y > 0).astype(int), "c": rng.choice([0, 1, 2], 150)}
    )


def test_statsmodels_results_enter(frame):
    ols = smf.ols("y ~ x", frame).fit(cov_type="HC3")
    glm = smf.glm("n ~ x", frame, family=sm.families.Poisson()).fit()
    logit = smf.logit("b ~ x", frame).fit(disp=0)
    arrays = sm.OLS(frame["y"].to_numpy(), sm.add_constant(frame["x"].to_numpy())).fit()
    robust = smf.rlm("y ~ x", frame).fit()
    fits = [ols, glm, logit, arrays, robust]
    rows = {row[0]: row[1:] for row in rows_of(table(fits, stats=("cov_type", "nobs", "llf", "rsquared", "prsquared")))}
    assert rows["Dep. variable"] == ["y", "n", "b", "y", "y"]
    assert rows["Model"] == ["OLS", "GLM", "Logit", "OLS", "RLM"]
    assert [cell.rstrip("*") for cell in rows["x"]] == [
        f"{value:.3f}" if value is not None else ""
        for value in (ols.params["x"], glm.params["x"], logit.params["x"], None, robust.params["x"])
    ]
    assert rows["x1"][3].rstrip("*") == f"{arrays.params[1]:.3f}"
    assert rows["Std. errors"][:4] == ["HC3", "nonrobust", "nonrobust", "nonrobust"]
    assert rows["N"] == ["150"] * 5
    assert rows["Log-likelihood"] == [f"{fit.llf:.3f}" for fit in fits[:4]] + [""]
    assert [bool(cell) for cell in rows["R-squared"]] == [True, False, False, True, False]
    assert [bool(cell) for cell in rows["Pseudo R-squared"]] == [False, False, True, False, False]


def test_multinomial_fits_are_flattened(frame):
    named = smf.mnlogit("c ~ x", frame).fit(disp=0)
    arrays = sm.MNLogit(frame["c"].to_numpy(), sm.add_constant(frame[["x"]].to_numpy())).fit(disp=0)
    rows = {row[0]: row[1:] for row in rows_of(table([named, arrays], stars=False, se=None))}
    assert rows["1: x"] == [f"{named.params.loc['x', 0]:.3f}", ""]
    assert rows["2: Intercept"] == [f"{named.params.loc['Intercept', 1]:.3f}", ""]
    assert rows["0: const"] == ["", f"{arrays.params[0, 0]:.3f}"]
    assert rows["1: x1"] == ["", f"{arrays.params[1, 1]:.3f}"]
    limits = [row[1] for row in rows_of(table(named, se="conf_int", stats=()))[4::2]]
    assert limits == [f"[{low:.3f}, {high:.3f}]" for low, high in named.conf_int().to_numpy()]


def test_marginal_effects_enter(frame):
    logit = smf.logit("b ~ x", frame).fit(disp=0)
    effects = logit.get_margeff()
    rows = rows_of(table([logit, effects], names=["logit", "dy/dx"], stats=["nobs"]))
    assert rows[5][2].rstrip("*") == f"{effects.margeff[0]:.3f}"
    assert rows[6][2] == f"({effects.margeff_se[0]:.3f})"
    assert rows[-1] == ["N", "150", "150"]
    assert rows_of(table(effects, se="conf_int", stats=()))[-1][1].startswith("[")
