"""What a fit certifies: derivatives at the optimum against the model's own, conditions by numpy, a verdict in words."""

import warnings

import numpy as np
import pandas as pd
import pytest
from problems import BY_NAME, PROBLEMS, fitted

import torchmle as tm


def quiet(model, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(disp=False, **options)


@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_every_fit_is_certified(problem):
    res = fitted(problem)
    found = res.certificate
    assert found.converged and found.gradient_norm < 1e-5 and found.decrement < 1e-10
    assert found.verdict.startswith("A maximum, within")
    assert found.parameters == len(res.names) and found.rank == res.fit.coordinates.size
    assert not found.dropped and not found.separated
    assert found.fixed == (("sigma",) if problem.name == "normal-fixed" else ())


def test_numbers_are_those_of_the_hessian():
    res = fitted(BY_NAME["exponential"])
    information = -res.hessian()
    scale = 1 / np.sqrt(np.diag(information))
    values = np.linalg.eigvalsh(information * np.outer(scale, scale))
    found = res.certificate
    assert found.smallest_eigenvalue == pytest.approx(values[0], rel=1e-9)
    assert found.condition == pytest.approx(values[-1] / values[0], rel=1e-9)


def test_a_point_short_of_the_maximum():
    problem = BY_NAME["poisson"]
    res, df = fitted(problem), problem.frame()
    start = np.add(res.params, [0.0, 0.3, 0.0])
    short = quiet(problem.build(df), start_params=start, maxiter=0)
    score, information = short.model.score(start), -short.model.hessian(start)
    found = short.certificate
    assert not found.converged and found.verdict.startswith("Not a maximum. Not converged: the iteration limit")
    assert found.gradient_norm == pytest.approx(np.linalg.norm(score / np.sqrt(np.diag(information))), rel=1e-9)
    assert found.decrement == pytest.approx(score @ np.linalg.solve(information, score), rel=1e-9)


def test_what_was_left_out_is_named():
    df = BY_NAME["poisson"].frame().assign(copy=lambda d: 2 * d["x"], y=lambda d: d["y"].where(d["g"] != "b", 0))
    res = quiet(tm.Poisson.from_formula("y ~ x + copy + C(g) + w", df), fix={"w": -0.3})
    found = res.certificate
    assert (found.dropped, found.separated, found.fixed) == (("copy",), ("C(g)[T.b]",), ("w",))
    assert found.verdict == "No maximum at finite values: perfect prediction, along C(g)[T.b]."
    assert found.rank == 3
    assert "dropped: copy; separated: C(g)[T.b]; fixed: w" in str(found)


def test_a_nearly_flat_direction_is_named():
    df = BY_NAME["ols"].frame()
    df["near"] = df["x"] + 1e-5 * df["w"]
    for model in (tm.OLS, tm.Normal):
        found = quiet(model.from_formula("y ~ x + near + g", df)).certificate
        assert found.condition > 1e9
        assert "nearly flat along" in found.verdict and "near" in found.verdict and "g[T.b]" not in found.verdict


def test_no_definite_information():
    y = np.full(20, 3.0)
    found = quiet(tm.Normal(y, np.ones((20, 1)))).certificate
    assert not found.converged and found.verdict.startswith("Not a maximum.")


@pytest.mark.parametrize("name", ["ols", "poisson", "normal"])
def test_a_summary_prints_it_on_request(name):
    res = fitted(BY_NAME[name])
    assert "Certificate" not in str(res.summary())
    text = " ".join(str(res.summary(diagnostics=True)).split())
    assert "Certificate: gradient" in text and "A maximum, within" in text


def test_a_loaded_fit_has_the_same(tmp_path):
    res = fitted(BY_NAME["poisson"])
    res.save(tmp_path / "fit")
    assert tm.load(tmp_path / "fit").certificate == res.certificate
    assert pd.Series(vars(res.certificate)).notna().all()
    with pytest.raises(AttributeError):
        res.certificate.rank = 1


@pytest.mark.parametrize("trim_mode", ["auto", "off"])
def test_a_penalty_has_a_maximum_of_its_own(trim_mode, tmp_path):
    """The score is the penalty's slope where a coefficient is not zero, and no steeper where it is."""
    df = BY_NAME["logit"].frame()
    model = tm.Logit.from_formula("y ~ x + w", df)
    res = model.fit_regularized(alpha=[0.0, 3.0, 30.0], disp=False, trim_mode=trim_mode)
    found, score = res.certificate, np.asarray(model.score(np.asarray(res.params)))
    assert (
        res.params["w"] == 0
        and score[1] == pytest.approx(3.0 * np.sign(res.params["x"]), rel=1e-8)
        and abs(score[2]) < 30
    )
    assert found.gradient_norm < 1e-8 and found.decrement < 1e-16 and not found.fixed
    assert found.trimmed == (("w",) if trim_mode == "auto" else ())
    assert found.verdict.startswith("A maximum of the penalised log-likelihood, within")
    res.save(tmp_path / "fit")
    tm.load(tmp_path / "fit").save(tmp_path / "again")
    loaded = tm.load(tmp_path / "again")
    assert loaded.certificate == found and (loaded.trimmed == res.trimmed).all() and loaded.bse.equals(res.bse)


def test_a_bound_is_a_boundary():
    res = quiet(tm.Logit.from_formula("y ~ x + w", BY_NAME["logit"].frame()), bounds={"x": (None, 0.2)})
    assert (res.certificate.boundary, res.certificate.fixed) == (("x",), ())
