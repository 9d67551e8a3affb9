"""A small frame with labelled rows, and short ways to make a design of it."""

import numpy as np
import pandas as pd

from torchmle.formula import caller_environment, design_from_formula


def build(formula, data, **options):
    return design_from_formula({"mu": formula}, data, env=caller_environment(1), **options)


def x_of(rows, name="mu"):
    return rows.data.x[name].numpy()


def frame():
    rng = np.random.default_rng(1)
    n = 30
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n) + 5,
            "g": rng.choice(list("abc"), n),
            "o": rng.normal(size=n),
            "f": rng.integers(1, 5, n),
            "firm": rng.choice(["north", "south", "west"], n),
        },
        index=[f"r{i}" for i in range(n)],
    )
