"""The summary document: its layout is statsmodels', its other formats are safe to paste."""

import csv
import io
import re
import shutil
import subprocess
import time
from dataclasses import FrozenInstanceError
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from torchmle.summary import Block, Summary, coefficient_table, header_pairs, header_value
from torchmle.summary.numbers import coefficient, count, probability, statistic

LONG = "a_variable_with_quite_a_long_name"
NASTY = ["C(g)[T.b]", "[z]*", "*starred", "50%_&_more", "a#b$c", "{x}~y^2", "back\\slash", "<b>|x|</b>", "two\nlines"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 120
    x1, x2 = rng.normal(size=n), rng.uniform(size=n)
    wide = {f"v{j}": rng.normal(size=n) for j in range(59)}
    return pd.DataFrame(
        {
            "x1": x1,
            "x2": x2,
            "g": rng.choice(list("abc"), n),
            LONG: rng.normal(size=n),
            "tiny": 1e9 * rng.normal(size=n),
            "huge": 1e-7 * rng.normal(size=n),
            "y": x1 - x2 + rng.normal(size=n),
            "count": rng.poisson(np.exp(0.3 * x1)),
            "binary": (x1 + rng.logistic(size=n) > 0).astype(int),
            "choice": rng.choice([0, 1, 2], n),
            "a_response_with_quite_a_long_name": x2 + rng.normal(size=n),
            **wide,
        }
    )


def block_of(results, alpha=0.05):
    return coefficient_table(
        list(results.params.index),
        results.params,
        results.bse,
        results.tvalues,
        results.pvalues,
        results.conf_int(alpha),
        alpha=alpha,
        use_t=results.use_t,
    )


def rebuilt(reference, blocks):
    """Our document with the header, diagnostics and closing lines of statsmodels' summary."""

    def pairs(table):
        return [row[:2] for row in table.data], [row[2:] for row in table.data if len(row) > 2]

    head, _, *diagnostics = reference.tables
    left, right = pairs(head)
    below = pairs(diagnostics[0]) if diagnostics else ((), ())
    extra = reference.extra_txt.split("\n") if reference.extra_txt else []
    return Summary(head.title, left, right, blocks, bottom_left=below[0], bottom_right=below[1], extra=extra)


FORMULAS = {
    "plain": "x1 + x2 + C(g)",
    "long names": f"x1 + {LONG} + C(g):x2",
    "tiny and huge numbers": "tiny + huge",
    "one coefficient": "x1 - 1",
    "60 coefficients": " + ".join(f"v{j}" for j in range(59)),
}
MODELS = {
    "OLS": lambda right, df: smf.ols("y ~ " + right, df).fit(),
    "OLS of a long name": lambda right, df: smf.ols("a_response_with_quite_a_long_name ~ " + right, df).fit(),
    "GLM": lambda right, df: smf.glm("count ~ " + right, df, family=sm.families.Poisson()).fit(),
    "Poisson": lambda right, df: smf.poisson("count ~ " + right, df).fit(disp=0),
    "Logit": lambda right, df: smf.logit("binary ~ " + right, df).fit(disp=0),
}


@pytest.mark.filterwarnings("ignore")  # statsmodels' own, about badly scaled columns and separation
@pytest.mark.parametrize("right", FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)
def test_text_is_statsmodels_text(frame, fit, right):
    results = fit(right, frame)
    for alpha in (0.05, 0.1):
        reference = results.summary(alpha=alpha)
        ours = rebuilt(reference, [block_of(results, alpha)])
        assert ours.as_text() == reference.as_text()
        assert [str(table) for table in ours.tables] == [str(table) for table in reference.tables]


def test_several_equations_are_blocks_of_one_table(frame):
    results = smf.mnlogit("choice ~ x1 + C(g)", frame).fit(disp=0)
    reference = results.summary()
    limits = results.conf_int().to_numpy().reshape(2, -1, 2)
    columns = [part.to_numpy().T for part in (results.params, results.bse, results.tvalues, results.pvalues)]
    blocks = [
        coefficient_table(
            list(results.params.index), *(part[j] for part in columns), limits[j], heading=f"choice={j + 1}"
        )
        for j in range(2)
    ]
    assert rebuilt(reference, blocks).as_text() == reference.as_text()


def test_slim_header_has_no_diagnostics(frame):
    results = smf.ols("y ~ x1", frame).fit()
    reference = results.summary(slim=True)
    assert rebuilt(reference, [block_of(results)]).as_text() == reference.as_text()


def test_header_of_one_column(frame):
    effects = smf.logit("binary ~ x1 + x2", frame).fit(disp=0).get_margeff()
    reference = effects.summary()
    block = coefficient_table(
        ["x1", "x2"],
        effects.margeff,
        effects.margeff_se,
        effects.tvalues,
        effects.pvalues,
        effects.conf_int(),
        estimate="dy/dx",
    )
    assert rebuilt(reference, [block]).as_text() == reference.as_text()


PRINTED = f"""\
{"Poisson Regression Results":^78}
==============================================================================
Dep. Variable:                    cnt   No. Observations:                  120
Model:                        Poisson   Df Residuals:                      115
Method:                           MLE   Df Model:                            4
Date:                Sat, 21 Nov 2026   Pseudo R-squ.:                  0.1136
Time:                        03:02:11   Log-Likelihood:                -195.17
converged:                       True   LL-Null:                       -220.17
Covariance Type:            nonrobust   LLR p-value:                 3.601e-10
==============================================================================
                 coef    std err          z      P>|z|      [0.025      0.975]
------------------------------------------------------------------------------
Intercept     -1.1777      0.180     -6.537      0.000      -1.531      -0.825
C(g)[T.b]      0.0960      0.184      0.521      0.602      -0.265       0.457
==============================================================================

Notes:
[1] Standard errors assume the model.
[2] A note
over two lines."""


@pytest.fixture
def printed():
    left = [
        ("Dep. Variable:", "cnt"),
        ("Model:", "Poisson"),
        ("Method:", "MLE"),
        ("Date:", "Sat, 21 Nov 2026"),
        ("Time:", "03:02:11"),
        ("converged:", True),
        ("Covariance Type:", "nonrobust"),
    ]
    right = [
        ("No. Observations:", 120.0),
        ("Df Residuals:", 115),
        ("Df Model:", 4),
        ("Pseudo R-squ.:", 0.113552),
        ("Log-Likelihood:", -195.16981),
        ("LL-Null:", -220.17201),
        ("LLR p-value:", 3.6011e-10),
    ]
    block = coefficient_table(
        ["Intercept", "C(g)[T.b]"],
        [-1.17772, 0.09601],
        [0.18012, 0.1841],
        [-6.5371, 0.5211],
        [6e-11, 0.6021],
        [[-1.5308, -0.8249], [-0.2648, 0.4569]],
    )
    notes = ["Standard errors assume the model.", "A note\nover two lines."]
    title = "Poisson Regression Results"
    return Summary(title, header_pairs(left), header_pairs(right), [block], notes=notes)


def test_printed_example(printed):
    assert str(printed) == repr(printed) == printed.as_text() == PRINTED


def test_header_values_have_statsmodels_digits(frame):
    """Raw numbers give the strings that statsmodels prints, for every labelled value."""
    ols = smf.ols("y ~ x1 + x2", frame).fit()
    glm = smf.glm("count ~ x1", frame, family=sm.families.Poisson()).fit()
    poisson = smf.poisson("count ~ x1", frame).fit(disp=0)
    raw = {
        ols: {
            "R-squared:": ols.rsquared,
            "Adj. R-squared:": ols.rsquared_adj,
            "F-statistic:": ols.fvalue,
            "Prob (F-statistic):": ols.f_pvalue,
            "Log-Likelihood:": ols.llf,
            "AIC:": ols.aic,
            "BIC:": ols.bic,
            "No. Observations:": ols.nobs,
            "Df Residuals:": ols.df_resid,
            "Cond. No.": ols.condition_number,
        },
        glm: {
            "Scale:": glm.scale,
            "Deviance:": glm.deviance,
            "Pearson chi2:": glm.pearson_chi2,
            "Pseudo R-squ. (CS):": glm.pseudo_rsquared(),
        },
        poisson: {
            "Pseudo R-squ.:": poisson.prsquared,
            "LL-Null:": poisson.llnull,
            "LLR p-value:": poisson.llr_pvalue,
            "converged:": poisson.mle_retvals["converged"],
        },
    }
    for results, values in raw.items():
        summary = results.summary()
        cells = [str(cell).strip() for table in summary.tables for row in table.data for cell in row]
        shown = dict(pairwise(cells))
        assert {label: header_value(label, value) for label, value in values.items()} == {
            label: shown[label] for label in values
        }


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (coefficient, 7.872e-07, "7.872e-07"),
        (coefficient, -0.00012345, "-0.0001"),
        (coefficient, 12345.6, "1.235e+04"),
        (coefficient, 0.0, "0"),
        (coefficient, np.nan, "nan"),
        (coefficient, -np.inf, "-inf"),
        (statistic, 9999.9, "9999.900"),
        (statistic, 10000.0, "1e+04"),
        (statistic, np.nan, "nan"),
        (probability, 0.00049, "0.000"),
        (probability, np.nan, "nan"),
        (count, 120.0, "120"),
        (count, 120.5, "120.50"),
        (count, np.nan, "NaN"),
        (count, np.inf, "inf"),
    ],
)
def test_numbers(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize(
    ("label", "value", "text"),
    [
        ("Method:", "MLE", "MLE"),
        ("Device:", None, ""),
        ("converged:", np.False_, "False"),
        ("Clusters:", 12, "12"),
        ("Something:", 0.123456, "0.12346"),
        ("Df Model:", np.float64(3), "3"),
        ("Log-Likelihood:", np.nan, "nan"),
        ("Transform:", ("a", 1), "('a', 1)"),
    ],
)
def test_header_values(label, value, text):
    assert header_value(label, value) == text


def test_warnings_come_first_and_fit_the_width():
    warning = "Not converged: the log-likelihood was still rising after 50 steps; raise maxiter or rescale income."
    summary = Summary("Results", [("Model:", "Logit")], [("AIC:", "1")], warnings=[warning, "Second."])
    title, *lines = summary.as_text().splitlines()
    assert title.strip() == "Results"
    assert " ".join(lines[:2]) == warning
    assert lines[2] == "Second."
    assert lines[3] == "=" * 78
    assert max(map(len, lines)) == 78
    assert warning in summary.as_html().partition("</caption>")[0]
    assert warning in summary.as_latex().partition(r"\begin{tabular}")[0]
    assert summary.as_csv().splitlines()[1] == warning


def test_summary_is_frozen_but_for_extra_lines(printed):
    with pytest.raises(FrozenInstanceError):
        printed.title = "Other"
    assert printed.extra_txt.startswith("Notes:\n[1] Standard")
    printed.add_extra_txt(["One.", "Two."])
    assert printed.as_text() == PRINTED + "\n\nOne.\nTwo."
    assert Summary("A", [("a", "b")]).extra_txt is None


def test_without_header_the_title_is_on_the_coefficients():
    block = coefficient_table(["x"], [1.0], [1.0], [1.0], [0.3], [[-1, 3]])
    lines = Summary("Only coefficients", [], [], [block]).as_text().splitlines()
    assert lines[0] == "Only coefficients".center(78)
    assert lines[1] == "=" * 78


def test_without_parameters():
    block = coefficient_table([], [], [], [], [], np.empty((0, 2)))
    assert "No Model Parameters" in Summary("Empty", [("Model:", "OLS")], [], [block]).as_text()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="xnames and params do not have the same length"):
        coefficient_table(["x"], [1, 2], [1, 2], [1, 2], [1, 2], [[0, 1], [0, 1]])
    with pytest.raises(ValueError, match="one label per row"):
        Block(("coef",), ("a", "b"), (("1",),))
    with pytest.raises(ValueError, match="row 'a' has 2 cells under 1 headers"):
        Block(("coef",), ("a",), (("1", "2"),))
    with pytest.raises(ValueError, match="equally many columns"):
        Summary("A", [], [], [Block(("a",), (), ()), Block(("a", "b"), (), ())])
    with pytest.raises(ValueError, match="neither"):
        Summary("A", [])


def test_a_thousand_rows_take_less_than_a_second():
    k = 1000
    numbers = np.random.default_rng(0).normal(size=(4, k))
    start = time.perf_counter()
    block = coefficient_table([f"C(firm)[T.{j}]" for j in range(k)], *numbers, numbers[:2].T)
    summary = Summary("Results", [("Model:", "Logit")], [("AIC:", "1")], [block])
    for document in (summary.as_text(), summary.as_html(), summary.as_latex(), summary.as_csv()):
        assert "C(firm)" in document
    assert time.perf_counter() - start < 1


# Formats other than text: every cell is there, and no name breaks the markup.


@pytest.fixture(scope="module")
def nasty():
    k = len(NASTY)
    numbers = np.linspace(-2, 2, 4 * k).reshape(4, k)
    one = coefficient_table(NASTY, *numbers, numbers[:2].T)
    two = coefficient_table(["Intercept"], [1.0], [0.5], [2.0], [0.045], [[-0.1, 2.1]], heading="log_sigma")
    left = [("Dep. Variable:", "np.log(y_1) & co"), ("Model:", "Weibull_AFT")]
    right = [("AIC:", "-12.0"), ("BIC:", "13.0"), ("Note {x}:", "100%")]
    return Summary(
        "Results of A & B_1",
        left,
        right,
        [one, two],
        warnings=["x_1 & x_2 are collinear"],
        bottom_left=[("Skew:", "-0.5")],
        bottom_right=[("Cond. No.", "4.8")],
        notes=["Clustered by firm_id", "R² is 5% higher"],
        extra=["[see] the manual"],
    )


def cells_of(summary):
    return [cell for table in summary.tables for row in table.data for cell in row if cell]


class Cells(HTMLParser):
    """The texts of an HTML table's cells, by row; complains about tags left open."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag == "br" or self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_html_is_escaped_and_complete(nasty):
    assert [cell for row in Cells(nasty.as_html()).rows for cell in row if cell] == cells_of(nasty)
    assert "Results of A &amp; B_1" in nasty.as_html()
    assert "<b>" not in nasty.as_html()
    assert nasty._repr_html_() == nasty.as_html()


def test_pandas_reads_the_html(printed):
    pytest.importorskip("lxml")
    coefficients = pd.read_html(io.StringIO(printed.tables[1].as_html()), header=0, index_col=0)[0]
    assert list(coefficients.columns) == ["coef", "std err", "z", "P>|z|", "[0.025", "0.975]"]
    assert coefficients.loc["C(g)[T.b]", "coef"] == 0.096
    assert coefficients.loc["Intercept", "[0.025"] == -1.531
    assert pd.read_html(io.StringIO(printed.as_html()))[0].iloc[3, 3] == 0.1136


def test_data_makes_a_frame(printed):
    head, *rows = printed.tables[1].data
    assert pd.DataFrame(rows, columns=head).set_index("").loc["Intercept"].astype(float)["coef"] == -1.1777


def test_csv_is_complete(nasty):
    rows = list(csv.reader(io.StringIO(nasty.as_csv())))
    tables = [table.data for table in nasty.tables]
    assert rows[:2] == [["Results of A & B_1"], ["x_1 & x_2 are collinear"]]
    assert rows[2:-4] == [row for table in tables for row in table]
    assert rows[-4:] == [["Notes:"], ["[1] Clustered by firm_id"], ["[2] R² is 5% higher"], ["[see] the manual"]]
    assert next(csv.reader(io.StringIO(nasty.tables[1].as_csv()))) == tables[1][0]


UNESCAPED = re.compile(r"(?<!\\)[_%&#$]|\^|~")
NAMED = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<"}
NAMED |= {"textgreater": ">", "textbar": "|"}


def plain(latex):
    """What a LaTeX cell prints."""
    latex = latex.replace("$-$", "-")
    assert not UNESCAPED.search(latex), latex
    latex = re.sub(r"\\(text\w+)\{\}", lambda match: "\0" + match[1] + "\0", latex)
    latex = re.sub(r"(?<!\\)[{}]", "", latex)
    latex = re.sub(r"\\([_%&#${}])", r"\1", latex)
    return re.sub("\0(\\w+)\0", lambda match: NAMED[match[1]], latex).strip()


def tabular_rows(latex):
    """The cells of the one tabular, spanned ones as (columns, content); rules checked."""
    head, body, tail = re.fullmatch(r"(.*)\\begin\{tabular\}(.*)\\end\{tabular\}(.*)", latex, re.S).groups()
    assert "hline" not in head + tail
    assert "tabular" not in body
    columns, body = re.fullmatch(r"\{([lcr]+)\}\n(.*)\n", body, re.S).groups()
    rows = []
    for line in body.splitlines():
        if line == r"\hline":
            continue
        assert line.endswith(r" \\")
        assert not line.startswith(("[", "*"))
        cells = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
        spans = [re.fullmatch(r"\s*\\multicolumn\{(\d)\}\{[lr]\}\{(.*)\}\s*", cell) for cell in cells]
        row = [(int(s[1]), plain(s[2])) if s else (1, plain(c)) for s, c in zip(spans, cells, strict=True)]
        assert sum(span for span, _ in row) == len(columns)
        rows.append([text for _, text in row])
    return rows


def test_latex_is_one_complete_tabular(nasty):
    rows = tabular_rows(nasty.as_latex())
    assert [cell for row in rows for cell in row if cell] == cells_of(nasty)
    assert rows == [row for table in nasty.tables for row in table.data]
    head, *_, tail = re.split(r"\\(?:begin|end)\{tabular\}", nasty.as_latex())
    assert r"Results of A \& B\_1" in head
    assert r"x\_1 \& x\_2 are collinear" in head
    assert r"{[}1{]} Clustered by firm\_id" in tail
    assert r"{[}see{]} the manual" in tail


def test_latex_of_one_table(nasty):
    for table in nasty.tables:
        assert tabular_rows(table.as_latex()) == table.data
        assert table._repr_latex_() == table.as_latex()
        assert table.as_latex_tabular() == table.as_latex()
        assert table.as_latex_tabular(center=False).startswith(r"\begin{tabular}")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_compiles(nasty, tmp_path):
    body = "\n\n".join([nasty.as_latex(), *(table.as_latex() for table in nasty.tables)])
    source = f"\\documentclass{{article}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (tmp_path / "summary.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "summary.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
