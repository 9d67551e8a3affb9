"""What the tests of docs/differences.md share: the rows of the page, and a test made of a computation of both numbers."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from reference import corpus

PAGE = Path(__file__).parents[1] / "docs" / "differences.md"

df = pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})  # the 60 rows of the page's figures
n = len(df)
X = sm.add_constant(df[["x", "z"]].to_numpy())
frame = pd.DataFrame(X, columns=["const", "x", "z"])
w, g = df["w"].to_numpy(), df["g"].to_numpy()
normal, counts, positive, events = (df[name].to_numpy().astype(float) for name in ("yn", "yp", "yg", "yb"))
repeat = np.repeat(np.arange(n), w.astype(int))
draw = np.random.default_rng(4)
trials = draw.integers(1, 9, n)
successes = draw.binomial(trials, 0.4)
two_columns = np.column_stack([successes, trials - successes])
exposure = np.random.default_rng(2).uniform(0.5, 2, n)
mixed = np.random.default_rng(8)
zeros = np.where(mixed.random(n) < 0.3, 0, mixed.poisson(np.exp(0.9 + 0.3 * X[:, 1])))  # counts with added zeros
even = np.random.default_rng(0).binomial(4, 0.5, n)  # counts that vary less than Poisson's
category = np.random.default_rng(1).integers(0, 3, n)


def rows() -> list[tuple[str, list[str]]]:
    """Section and cells of every row of the page."""
    found, section = [], ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| ") and not line.startswith("| statsmodels |"):
            found.append((section, [cell.strip() for cell in line.strip().strip("|").split(" | ")]))
    return found


@dataclass
class Difference:
    """Two numbers that differ, the way from ours to statsmodels', and who is right."""

    theirs: Any
    ours: Any
    way: Any = None
    judge: Any = None
    rtol: float = 1e-8  # of the way; larger where statsmodels' own search ends earlier
    judge_rtol: float = 1e-7  # larger where the judge is less exact


def row(start: str) -> Callable[[Callable[[], Difference]], Callable[[], None]]:
    """Make a test of a function that computes what the row beginning with `start` says."""

    def make(compute: Callable[[], Difference]) -> Callable[[], None]:
        @pytest.mark.filterwarnings("ignore")
        @functools.wraps(compute)
        def test() -> None:
            assert sum(cells[0].startswith(start) for _, cells in rows()) == 1
            found = compute()
            ours, theirs = np.asarray(found.ours, float), np.asarray(found.theirs, float)
            assert ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-9, atol=0)
            if found.way is not None:
                np.testing.assert_allclose(np.asarray(found.way, float), theirs, rtol=found.rtol, atol=1e-12)
            if found.judge is not None:
                np.testing.assert_allclose(ours, np.asarray(found.judge, float), rtol=found.judge_rtol, atol=1e-9)

        return test

    return make
