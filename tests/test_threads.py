"""Threads: sums do not depend on them, and none of the caller's settings change."""

import threading

import numpy as np
import pytest
import torch

import torchmle as tm
from torchmle.compute.threads import one_thread, small_on_one_thread
from torchmle.sums import block_rows, row_map


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def large_model():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(200_000), rng.normal(size=(200_000, 4))])
    return tm.Poisson(rng.poisson(1.0, len(x)), x)


def test_number_of_threads_changes_no_bit(large_model, two_threads):
    z = torch.full((5,), 0.1, dtype=torch.float64)
    shared = large_model.sums(z, 2)
    torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(shared, large_model.sums(z, 2), strict=True))


def test_each_block_is_computed_by_one_thread(large_model, two_threads):
    seen = row_map(lambda block: torch.full((block.n,), torch.get_num_threads()), large_model.rows)
    assert bool((seen == 1).all())


def test_settings_of_the_caller_and_of_new_threads_are_left_alone(large_model, two_threads):
    large_model.fit(disp=0)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), *seen) == (2, 2)


def test_threads_come_back_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


def test_large_matrices_keep_all_threads(two_threads):
    threads = small_on_one_thread(lambda matrix: torch.get_num_threads())
    assert (threads(torch.eye(3)), threads(torch.eye(500))) == (1, 2)


@pytest.mark.parametrize(("k", "rows"), [(1, 2**16), (10, 2**15), (50, 2**13), (500, 2**10), (5000, 2**10)])
def test_rows_of_a_block(k, rows):
    model = tm.OLS(np.arange(50.0), np.zeros((50, k)))
    assert block_rows(model.rows) == rows
