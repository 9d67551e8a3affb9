"""What every docstring example may use without saying so: `tm`, `torch`, `np`, `pd` and a frame `df`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import torchmle as tm

TESTS = Path(__file__).parent / "tests"


def pytest_ignore_collect(collection_path):
    """Look for examples in the package, not in what the tests import."""
    helper = collection_path.suffix == ".py" and not collection_path.name.startswith(("test_", "conftest"))
    return True if helper and TESTS in collection_path.parents else None


def example_frame():
    """120 simulated rows with a column for each name the examples use."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=120) for name in ("x", "w", "z", "a", "b", "c", "age", "income")}
    df = pd.DataFrame(columns).assign(trt=np.arange(120) % 2, firm=np.arange(120) // 6, years=rng.uniform(1, 3, 120))
    df["y"] = 1 + 2 * df["x"] + np.exp(0.3 * df["w"]) * rng.normal(size=120)
    df["visits"] = rng.poisson(df["years"] * np.exp(0.2 * df["age"]))
    times = rng.exponential(np.exp(0.5 * df["trt"]))
    df["visited"] = (rng.random(120) < 0.5).astype(int)
    df["vote"], df["rating"] = rng.choice(["green", "left", "right"], 120), rng.integers(1, 4, 120)
    return df.assign(time=np.minimum(times, 2), event=(times < 2).astype(int))


@pytest.fixture(autouse=True)
def names_of_examples(request, doctest_namespace):
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(tm=tm, torch=torch, np=np, pd=pd, df=example_frame())
