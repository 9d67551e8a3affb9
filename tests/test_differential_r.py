"""Random comparisons with R: answers that were kept, and where R is, a small part asked afresh."""

import shutil
import subprocess

import pytest

pytest.importorskip("patsy")

from differential_r import kept, run

PACKAGES = ("jsonlite", "MASS", "nnet", "survival", "pscl", "ordinal", "sandwich", "car")


def has_r() -> bool:
    """Whether R and the packages the script needs are installed."""
    if shutil.which("Rscript") is None:
        return False
    needed = "; ".join(f"stopifnot(requireNamespace('{name}', quietly = TRUE))" for name in PACKAGES)
    return subprocess.run(["Rscript", "-e", needed], capture_output=True, check=False).returncode == 0


def test_kept_answers():
    counts, wrong = kept()
    assert wrong == [] and counts["compared"] >= 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_problems_agree_with_r(seed):
    if not has_r():
        pytest.skip("needs R with " + ", ".join(PACKAGES))
    counts, wrong = run(40, seed)
    assert wrong == [] and counts["compared"] >= 30
