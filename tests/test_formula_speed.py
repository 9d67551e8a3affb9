"""A million rows: at least eight times faster than patsy, and little memory beyond the design itself."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import patsy
import pytest

from torchmle.formula import caller_environment, design_from_formula

FORMULA = "y ~ " + " + ".join(f"x{i}" for i in range(10)) + " + g"
MEMORY = """
import resource
from tests.test_formula_speed import frame, ours
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
ours(frame(1000))
df = frame(1_000_000)
if HOLES:
    df.loc[::1000, "x3"] = float("nan")
before = peak()
rows = ours(df)
x = rows.data.x["mu"]
print((peak() - before) / (x.numel() * 8))
"""


def frame(n):
    rng = np.random.default_rng(0)
    df = pd.DataFrame({f"x{i}": rng.standard_normal(n) for i in range(10)})
    df["g"] = np.array([f"L{i:03d}" for i in range(50)], dtype=object)[rng.integers(0, 50, n)]
    return df.assign(y=rng.standard_normal(n))


def timed(function):
    # processor time: both sides run on one core, and other processes should not decide the race
    start = time.process_time()
    value = function()
    return value, time.process_time() - start


def ours(df):
    return design_from_formula({"mu": FORMULA}, df, env=caller_environment())


@pytest.mark.benchmark
def test_a_million_rows_eight_times_faster_than_patsy():
    df = frame(1_000_000)
    ours(df.head(100))  # imports and first calls
    rows, seconds = timed(lambda: ours(df))
    for _ in range(2):
        seconds = min(seconds, timed(lambda: ours(df))[1])
    (_, x), theirs = timed(lambda: patsy.dmatrices(FORMULA, df))
    assert list(rows.design.columns["mu"]) == x.design_info.column_names
    np.testing.assert_array_equal(rows.data.x["mu"].numpy(), np.asarray(x))
    assert theirs > 8 * seconds, f"patsy {theirs:.2f} s, ours {seconds:.2f} s"


@pytest.mark.slow
@pytest.mark.parametrize("holes", [False, True])
def test_memory_is_the_design_and_little_more(holes):
    # with missing values the kept rows of the raw columns are copied, a sixth of this design
    code = MEMORY.replace("HOLES", str(holes))
    here = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=here)
    assert float(done.stdout) < 1.5


def test_patsy_never_sees_the_rows(monkeypatch):
    # the cheap guard that runs always: were patsy given the rows, it would loop over the strings of g
    def refuse(*args):
        raise AssertionError("patsy looked at the data")

    monkeypatch.setattr("patsy.build.build_design_matrices", refuse)
    monkeypatch.setattr("patsy.categorical.categorical_to_int", refuse)
    monkeypatch.setattr("patsy.build.categorical_to_int", refuse)
    df = frame(50_000)
    assert ours(df).data.n == 50_000


def test_two_thousand_terms():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 2000)), columns=[f"v{i}" for i in range(2000)])
    formula = "v0 ~ 0 + " + " + ".join(wide.columns)
    rows = design_from_formula({"mu": formula}, wide, env=caller_environment())
    assert list(rows.design.columns["mu"]) == list(wide.columns)
    np.testing.assert_array_equal(rows.data.x["mu"].numpy(), wide.to_numpy())
