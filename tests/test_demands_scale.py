"""What users of other packages asked for at a million rows: memory above the design, and single precision."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

import torchmle as tm
from torchmle.errors import PrecisionWarning

CLEAR = Path("/proc/self/clear_refs")  # writing 5 there starts the count of the greatest resident memory anew
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CLEAR.exists(), reason="needs Linux's account of memory")]

BEFORE = """
import numpy as np, pandas as pd, torch, torchmle as tm
from torchmle import families as F

def resident(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what)) * 1024

def peak(function):
    open("/proc/self/clear_refs", "w").write("5")
    before = resident("VmRSS")
    found = function()
    return found, (resident("VmHWM") - before) / X.nbytes

rng = np.random.default_rng(0)
n, k = {n}, {k}
X = rng.normal(size=(n, k))
X[:, 0] = 1
y = (rng.random(n) < 1 / (1 + np.exp(-X[:, :5] @ [0.1, 0.2, -0.2, 0.1, 0.3]))).astype(float)
g = rng.integers(0, n // 50, n)
names = [f"v{{j}}" for j in range(1, k)]
tm.Logit(y[:1000], X[:1000, :3]).fit(disp=False).get_margeff().margeff_se  # what is loaded on first use
"""


def peaks(code, n, k):
    """Greatest memory above what there was before each call, in designs, by name; a process of its own."""
    script = BEFORE.format(n=n, k=k) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}


def test_a1_a_million_rows():
    """The fit and its standard errors take at most one and a half designs, and are those of Newton's method in NumPy."""
    found = peaks(
        """
        res, most = peak(lambda: tm.GLM(y, X, family=F.Binomial()).fit())
        bse, later = peak(lambda: res.bse)
        print("glm", most + later)
        print("logit", peak(lambda: tm.Logit(y, X).fit(disp=False).bse)[1])
        print("robust", peak(lambda: res.with_covariance("HC1").bse)[1])
        print("cluster", peak(lambda: res.with_covariance("cluster", {"groups": g}).bse)[1])
        beta = np.zeros(k)
        for _ in range(8):
            score, information = np.zeros(k), np.zeros((k, k))
            for start in range(0, n, 10_000):
                x = X[start : start + 10_000]
                p = 1 / (1 + np.exp(-x @ beta))
                score += x.T @ (y[start : start + 10_000] - p)
                information += x.T @ (x * (p * (1 - p))[:, None])
            beta += np.linalg.solve(information, score)
        se = np.sqrt(np.diag(np.linalg.inv(information)))
        print("params", np.abs(res.params / beta - 1).max())
        print("bse", np.abs(bse / se - 1).max())
        """,
        1_000_000,
        40,
    )
    assert max(found.pop("params"), found.pop("bse")) < 1e-8
    assert max(found.values()) <= 1.5, found


def test_a9_what_follows_a_fit():
    """Margins, influence, clusters and errors of predictions take at most three designs."""
    found = peaks(
        """
        fits = {
            "glm": lambda: tm.GLM(y, X, family=F.Binomial()).fit(),
            "logit": lambda: tm.Logit(y, X).fit(disp=False),
            "ols": lambda: tm.OLS(y, X).fit(),
        }
        for name, fit in fits.items():
            res = fit()
            print(name + "-margins", peak(lambda: res.get_margeff().margeff_se)[1])
            print(name + "-cluster", peak(lambda: res.with_covariance("cluster", {"groups": g}).bse)[1])
            print(name + "-hc3", peak(lambda: res.with_covariance("HC3").bse)[1])
            print(name + "-predict", peak(lambda: res.get_prediction(X).se)[1])
            print(name + "-cooks", peak(lambda: res.get_influence().cooks_distance)[1])
            print(name + "-leverages", peak(lambda: res.get_influence().hat_matrix_diag)[1])
            print(name + "-dfbetas", peak(lambda: res.get_influence().dfbetas)[1])
        """,
        300_000,
        30,
    )
    assert len(found) == 21
    assert max(found.values()) <= 3.0, found


def test_a9_margins_of_a_formula():
    found = peaks(
        """
        frame = pd.DataFrame(X[:, 1:], columns=names).assign(y=y, g=g)
        res = tm.Logit.from_formula("y ~ " + " + ".join(names) + " + v1:v2", frame).fit(disp=False)
        print("margins", peak(lambda: res.margins(["v1", "v2"]).summary_frame())[1])
        print("predict", peak(lambda: res.get_prediction(frame).se)[1])
        print("cluster", peak(lambda: res.with_covariance("cluster", {"groups": "g"}).bse)[1])
        """,
        300_000,
        30,
    )
    assert max(found.values()) <= 3.0, found


@pytest.mark.parametrize("model", [tm.Logit, tm.Poisson, tm.OLS])
def test_b7_single_precision_of_a_million_rows(model):
    """A warning, and estimates within a hundredth of a standard error; whole and single numbers are otherwise promoted."""
    rng = np.random.default_rng(3)
    n = 1_000_000
    x = np.column_stack([np.ones(n), rng.normal(50, 10, n), rng.normal(size=(n, 3))]).astype(np.float32)
    eta = x @ np.array([-1.0, 0.02, 0.2, -0.1, 0.0])
    y = {tm.Logit: rng.random(n) < 1 / (1 + np.exp(-eta)), tm.Poisson: rng.poisson(np.exp(eta)),
         tm.OLS: eta + rng.normal(size=n)}[model].astype(np.float32)  # fmt: skip
    double = model(y, x).fit(disp=False)
    assert double.model.rows.X.dtype == torch.float64
    with pytest.warns(PrecisionWarning):
        single = model(y, x, dtype=torch.float32).fit(disp=False)
    assert single.converged
    assert np.abs((single.params - double.params) / double.bse).max() < 0.01
    np.testing.assert_allclose(single.bse, double.bse, rtol=1e-4)
    assert single.llf == pytest.approx(double.llf, rel=1e-6)
