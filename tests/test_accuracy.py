"""The digits table: the sets it stands on are NIST's, and we have the digits it says."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp
from reference import nist_nonlinear
from reference.digits import digits
from reference.nist_nonlinear.exact import Arithmetic, exact

ROOT = Path(__file__).parents[1]
SMALL = ["misra1a", "misra1b", "misra1c", "misra1d", "danwood", "rat42", "mgh09", "mgh10", "boxbod", "eckerle4"]
NAMES = [name if name in SMALL else pytest.param(name, marks=pytest.mark.slow) for name in nist_nonlinear.names()]


@pytest.fixture
def accuracy(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # which the script extends
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import accuracy

    return accuracy


@pytest.mark.parametrize("name", nist_nonlinear.names())
def test_certified_values_are_a_minimum_of_the_data(name):
    """A wrong figure in the data, the model or the certificate would show in the eleventh digit of one of these."""
    found = nist_nonlinear.load(name)
    arithmetic, certified = Arithmetic(found), found.certified
    b = [mp.mpf(value) for value in certified["coef"]]
    rss = arithmetic.rss(b)
    assert f"{float(rss):.10E}" == f"{certified['rss']:.10E}"
    assert digits(np.sqrt(certified["rss"] / (found.n - found.p)), certified["sigma"]) > 10
    jacobian, residuals = arithmetic.jacobian(b), mp.matrix(arithmetic.residuals(b))
    for j in range(found.p):  # the cosine between residuals and each column, which is 0 at the minimum
        column = jacobian[:, j]
        assert abs((column.T * residuals)[0]) < 1e-5 * mp.norm(column) * mp.norm(residuals)


@pytest.mark.parametrize("name", NAMES)
def test_certified_digits_follow_from_the_data(name):
    found, again = nist_nonlinear.load(name), exact(name)
    for key in ("coef", "sd", "rss", "sigma"):
        text = [[f"{value:.10E}" for value in np.atleast_1d(values[key])] for values in (again, found.certified)]
        assert text[0] == text[1]
    for key, values in found.exact.items():
        assert digits(again[key], values) > 15


STARTS = [(name, which) for name in nist_nonlinear.names() for which in (0, 1) if (name, which) != ("mgh09", 0)]


@pytest.mark.parametrize(("name", "which"), [*STARTS, pytest.param("mgh09", 0, marks=pytest.mark.slow)])  # 2,900 steps
def test_newton_finds_the_certified_values_or_says_that_it_did_not(accuracy, name, which):
    from digits import nonlinear

    found = nist_nonlinear.load(name)
    res = nonlinear.fit(found, which)
    if (name, which) == ("eckerle4", 0):
        assert not res.converged
    elif (name, which) == ("thurber", 0):  # a maximum, but a lower one
        assert res.converged and res.llf < found.exact["loglik"] - 10
        assert (np.linalg.eigvalsh(res.model.hessian(res.params)) < 0).all()
    else:
        assert res.converged
        ours = nonlinear.answer(found, res)
        assert digits(ours.coef, found.exact["coef"]) > 9  # 1e-10 standard errors, which Nelson's b2 is one of
        assert digits(ours.se, found.exact["sd"]) > 8
        se = nonlinear.canonical(found, *np.asarray([res.params, res.bse])[:, : found.p])[1]
        assert digits(se, found.exact["se_observed"]) > 8
        assert digits(res.llf, found.exact["loglik"]) > 12


@pytest.mark.parametrize("section", ["linear", "nonlinear", "corpus"])
def test_no_peer_is_ahead(accuracy, section):
    rows = accuracy.measure(section, quick=True)
    assert len(rows) >= 4
    assert accuracy.complaints(section, rows) == []


def test_a_peer_ahead_and_a_bad_filip_are_complained_of(accuracy):
    from digits.score import Row

    ahead = Row("x", 15.0, (9.0, 12.0, None), {"peer": (9.6, 12.4, None)})
    assert ahead.behind == ["coefficients"]
    assert accuracy.complaints("linear", [ahead]) == ["x: a peer is ahead in coefficients"]
    assert accuracy.complaints("linear", [Row("filip", 15.0, (7.7, 7.4, 9.0))]) == ["filip: fewer than 7.5 digits"]
    assert "BEHIND" in accuracy.page({"linear": [ahead]})
    assert Row("y", 15.0, (None, None, 14.2), {"peer": (None, None, 15.0)}).behind == []  # rounding


def test_the_page_is_written(accuracy, tmp_path, capsys):
    assert accuracy.main(["--quick", "--only", "linear", "--out", str(tmp_path / "page.md")]) == 0
    assert "| filip |" in (tmp_path / "page.md").read_text()
    assert "# Accuracy" in capsys.readouterr().out
