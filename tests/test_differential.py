"""A small part of the random comparison with statsmodels, at a fixed seed."""

import pytest

pytest.importorskip("statsmodels")
pytest.importorskip("hypothesis")

from differential import run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_problems_agree_with_statsmodels(seed):
    drawn, compared = run(20, seed)
    assert drawn >= 20 and compared >= 10
