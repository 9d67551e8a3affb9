"""A million rows through a formula: ten numbers and a factor of fifty levels, kept as strings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import patsy
from harness.timing import Answer, Case, Peer

from torchmle.formula import caller_environment, design_from_formula

from .setting import Setting

FORMULA = "y ~ " + " + ".join(f"x{i}" for i in range(10)) + " + g"


def simulated(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    df = pd.DataFrame({name: rng.standard_normal(n) for name in ("y", *(f"x{i}" for i in range(10)))})
    return df.assign(g=np.array([f"level {i:02d}" for i in range(50)], dtype=object)[rng.integers(0, 50, n)])


def fingerprint(y: np.ndarray, x: np.ndarray, names: list[str]) -> np.ndarray:
    """A few numbers that differ when a value, its place or a name differs."""
    weights = np.cos(np.arange(len(x), dtype=float))
    letters = float(sum((i + 1) * ord(c) for i, c in enumerate("|".join(names))))
    return np.concatenate([[y @ weights, letters], weights @ x])


def cases(setting: Setting) -> Iterator[Case]:
    df = simulated(setting.size(1_000_000, 5000))
    answers: dict[str, np.ndarray] = {}

    def ours() -> Answer:
        rows = design_from_formula({"mu": FORMULA}, df, env=caller_environment())
        return remember("ours", rows.data.y.numpy(), rows.data.x["mu"].numpy(), list(rows.design.columns["mu"]))

    def theirs() -> Answer:
        y, x = patsy.dmatrices(FORMULA, df)
        return remember("patsy", np.asarray(y)[:, 0], np.asarray(x), x.design_info.column_names)

    def remember(who: str, y: np.ndarray, x: np.ndarray, names: list[str]) -> Answer:
        if who not in answers:  # once, in the run that warms up
            answers[who] = fingerprint(y, x, names)
        return Answer(answers[who])

    yield Case(
        f"Design of {len(df):,} rows, 10 numbers and a factor of 50 levels",
        ours,
        (Peer("patsy.dmatrices", theirs, 0.0, asked=8),),
    )
