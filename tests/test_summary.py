"""The summary document: its layout is statsmodels', its other formats are safe to paste."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from torchmle.summary import Summary, coefficient_table

LONG = "a_variable_with_quite_a_long_name"


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 120
    x1, x2 = rng.normal(size=n), rng.uniform(size=n)
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
        rows = table.data
        return [row[:2] for row in rows], [row[2:] for row in rows]

    left, right = pairs(reference.tables[0])
    bottom = pairs(reference.tables[2]) if len(reference.tables) > 2 else ((), ())
    extra = reference.extra_txt.split("\n") if reference.extra_txt else []
    title = reference.tables[0].title
    return Summary(title, left, right, blocks, bottom_left=bottom[0], bottom_right=bottom[1], extra=extra)


FORMULAS = {
    "plain": "x1 + x2 + C(g)",
    "long names": f"x1 + {LONG} + C(g):x2",
    "tiny and huge numbers": "tiny + huge",
    "one coefficient": "x1 - 1",
}
MODELS = {
    "OLS": lambda right, df: smf.ols("y ~ " + right, df).fit(),
    "GLM": lambda right, df: smf.glm("count ~ " + right, df, family=sm.families.Poisson()).fit(),
    "Poisson": lambda right, df: smf.poisson("count ~ " + right, df).fit(disp=0),
    "Logit": lambda right, df: smf.logit("binary ~ " + right, df).fit(disp=0),
}


@pytest.mark.filterwarnings("ignore")  # statsmodels' own, about the badly scaled columns
@pytest.mark.parametrize("alpha", [0.05, 0.1])
@pytest.mark.parametrize("right", FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)
def test_text_is_statsmodels_text(frame, fit, right, alpha):
    results = fit(right, frame)
    reference = results.summary(alpha=alpha)
    ours = rebuilt(reference, [block_of(results, alpha)])
    assert ours.as_text() == reference.as_text()
    assert [str(table) for table in ours.tables] == [str(table) for table in reference.tables]
