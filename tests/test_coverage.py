"""The simulation study of intervals runs, a small part of it, and says when something misses; docs/coverage.md is all of it."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import PROBLEMS

import torchmle as tm

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def study():
    """The script under a name that is not that of the package that measures the coverage of tests."""
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("coverage_study", ROOT / "benchmarks" / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


@pytest.fixture(scope="module")
def robust(study):
    case = study.CASES["ols, heteroscedastic"]
    return {outcome.kind: outcome for outcome in study.simulate(case, 100, 3, progress=False)}


def test_robust_intervals_cover_where_classical_ones_do_not(robust):
    assert 0.68 < robust["classical"].coverage < 0.80
    for kind in ("HC0", "HC1", "HC3"):
        assert 0.90 < robust[kind].coverage < 0.99
        assert not robust[kind].missed
    assert robust["classical"].ratio == pytest.approx(1 / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("name", ["poisson", "logit", "exponential"])
def test_models_cover(study, name):
    (outcome,) = study.simulate(study.CASES[name], 100, 3, progress=False)
    assert not outcome.missed and not outcome.warned
    assert 0.91 < outcome.coverage < 0.98
    np.testing.assert_allclose(outcome.ratio, 1, atol=0.25)
    assert outcome.ratio.mean() == pytest.approx(1, abs=0.1)  # standard errors a fifth too large are seen


def test_a_replication_depends_on_the_seed_and_its_number_alone(study):
    case = study.CASES["poisson"]
    few, more = (study.simulate(case, count, 3, progress=False)[0] for count in (3, 5))
    np.testing.assert_array_equal(few.errors, more.errors[:3])
    assert (study.simulate(case, 3, 4, progress=False)[0].errors != few.errors).all()


def test_what_misses_the_band_is_said_and_ends_in_status_1(study, robust, tmp_path, monkeypatch):
    case = replace(study.CASES["ols, heteroscedastic"], expected={}, share=1.0)
    assert "coverage" in replace(robust["classical"], case=case).missed
    shifted = replace(robust["HC1"], errors=robust["HC1"].errors + 1)
    assert shifted.missed == ["bias"]
    monkeypatch.setattr(study, "CASES", {case.name: case})
    monkeypatch.setattr(study.torch, "set_num_threads", lambda count: None)
    assert study.main(["--replications", "60", "--out", str(tmp_path / "table.md")]) == 1
    assert "MISSED: coverage" in (tmp_path / "table.md").read_text()


def test_an_unknown_case_is_refused(study):
    with pytest.raises(SystemExit, match="no case holds any of"):
        study.main(["--only", "nothing"])


def test_every_model_is_in_the_study(study):
    simulated = {p.model for p in PROBLEMS if p.name in study.CASES}
    assert {p.model for p in PROBLEMS} == simulated  # other designs of a model are left out, models are not
    models = [getattr(tm, name) for name in tm.__all__]
    bases = (tm.LikelihoodModel, tm.RegressionModel, tm.GenericLikelihoodModel)
    shipped = {m for m in models if isinstance(m, type) and issubclass(m, tm.LikelihoodModel) and m not in bases}
    assert shipped - {tm.ConditionalLogit} <= simulated
    assert {"conditional-logit", "kaplan-meier"} <= set(study.CASES)


def test_the_committed_table_has_every_model_and_misses_nothing(study):
    text = (ROOT / "docs" / "coverage.md").read_text()
    assert "MISSED" not in text
    assert {p.model for p in PROBLEMS} == {p.model for p in PROBLEMS if f"| {p.name} |" in text}
    for name in set(study.CASES) - {p.name for p in PROBLEMS}:
        assert f"| {name} |" in text
