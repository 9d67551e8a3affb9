"""The benchmarks run: tiny sizes, one round. How fast they are is for `make bench` on a quiet machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import harness.table
    import harness.timing

    return harness


@pytest.fixture
def case(harness):
    answer = harness.timing.Answer(np.array([1.0, 2.0]), np.array([0.5, 0.5]))
    near = harness.timing.Answer(np.array([1.0, 2.01]), np.array([0.5, 0.5]))
    peers = (
        harness.timing.Peer("near", lambda: near, 0.1, asked=1e9),
        harness.timing.Peer("strict", lambda: near, 1e-3),
        harness.timing.Peer("absent", None, 0.0),
    )
    return harness.timing.Case("case", lambda: answer, peers)


def run(*arguments):
    command = [sys.executable, "-W", "ignore", str(FOLDER / "run.py"), "--quick", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_benchmarks_run_and_agree(tmp_path):
    done = run("--only", "ols", "poisson", "regression", "kernels", "design", "--out", str(tmp_path / "table.md"))
    assert done.returncode == 0, done.stdout + done.stderr
    written = (tmp_path / "table.md").read_text()
    assert "torch threads" in written
    assert "patsy.dmatrices" in written
    assert "WRONG" not in written


@pytest.mark.slow
def test_every_benchmark_runs():
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_answer_is_marked_and_an_absent_peer_left_blank(harness, case):
    near, strict, absent = harness.timing.compare(case, "cpu", quick=True)
    assert (near.agrees, strict.agrees, absent.agrees) == (True, False, True)
    assert "WRONG" in harness.table.cells(strict)[6]
    assert harness.table.cells(absent)[1] == "absent (not installed)"
    assert harness.table.cells(absent)[3:7] == ("", "", "", "")


def test_what_was_asked_is_judged_by_full_runs_alone(harness, case):
    assert harness.timing.compare(case, "cpu", quick=True)[0].verdict == ""
    assert harness.timing.compare(case, "cpu")[0].verdict == "NO (>= 1e+09x)"


def test_differences_are_in_standard_errors(harness):
    answer = harness.timing.Answer
    errors = np.array([0.1, 10.0])
    assert harness.timing.difference(
        answer(np.array([1.0, 1.0]), errors), answer(np.array([1.1, 1.0]))
    ) == pytest.approx(1)
    exact = answer(np.array([1.0, 4.0]))
    assert harness.timing.difference(answer(np.array([1.0, 5.0])), exact) == pytest.approx(0.25)
