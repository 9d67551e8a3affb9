"""The digits table: the sets it stands on are NIST's, and we have the digits it says."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp
from reference import nist_nonlinear
from reference.digits import digits
from reference.nist_nonlinear.exact import Arithmetic, exact

import torchmle as tm

ROOT = Path(__file__).parents[1]
SMALL = ["misra1a", "misra1b", "misra1c", "misra1d", "danwood", "lanczos1", "lanczos2", "rat42", "mgh09", "mgh10", "boxbod",
         "eckerle4"]  # fmt: skip
NEARLY_EXACT = (
    "lanczos1",
    "lanczos2",
)  # generated without noise: the eleventh digit of the parameters is part of the rss
NAMES = [name if name in SMALL else pytest.param(name, marks=pytest.mark.slow) for name in nist_nonlinear.names()]


@pytest.fixture
def accuracy(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # which the script extends
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import accuracy

    return accuracy


@pytest.mark.parametrize("name", [name for name in nist_nonlinear.names() if name not in NEARLY_EXACT])
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
    printed = exact(name, printed=True) if name in NEARLY_EXACT else again
    for key in ("coef", "sd", "rss", "sigma"):
        text = [[f"{value:.10E}" for value in np.atleast_1d(values[key])] for values in (printed, found.certified)]
        assert text[0] == text[1]
    for key, values in found.exact.items():
        assert digits(again[key], values) > 15


LONG = [("mgh09", 0), ("lanczos1", 0), ("lanczos1", 1), ("bennett5", 0), ("bennett5", 1)]  # 400 to 2,900 steps
STARTS = [(name, which) for name in nist_nonlinear.names() for which in (0, 1) if (name, which) not in LONG]


@pytest.mark.parametrize(
    ("name", "which"), [*STARTS, *(pytest.param(*start, marks=pytest.mark.slow) for start in LONG)]
)
def test_newton_finds_the_certified_values_or_says_that_it_did_not(accuracy, name, which):
    from digits import nonlinear

    found = nist_nonlinear.load(name)
    res = nonlinear.fit(found, which, maxiter=nonlinear.PATIENCE)
    if (name, which) == ("eckerle4", 0):
        assert not res.converged
    elif (name, which) == ("thurber", 0):  # a maximum, but a lower one
        assert res.converged and res.llf < found.exact["loglik"] - 10
        assert (np.linalg.eigvalsh(res.model.hessian(res.params)) < 0).all()
    elif name == "lanczos1":  # residuals of 1e-13: rounding errors move the likelihood by more than the tolerance
        assert res.optim.status is tm.optim.Status.PRECISION
        ours = nonlinear.answer(found, res)
        assert digits(ours.coef, found.exact["coef"]) > 12
        assert digits(ours.se, found.exact["sd"]) > nonlinear.known(found)[1]
    elif name == "bennett5":  # of whose information 9 digits are lost
        assert res.converged
        ours = nonlinear.answer(found, res)
        assert digits(ours.coef, found.exact["coef"]) > 12
        assert digits(ours.se, found.exact["sd"]) > 6
        assert digits(res.llf, found.exact["loglik"]) > 12
    else:
        assert res.converged
        ours = nonlinear.answer(found, res)
        assert digits(ours.coef, found.exact["coef"]) > 9  # 1e-10 standard errors, which Nelson's b2 is one of
        assert digits(ours.se, found.exact["sd"]) > 8
        se = nonlinear.canonical(found, *np.asarray([res.params, res.bse])[:, : found.p])[1]
        assert digits(se, found.exact["se_observed"]) > 8
        assert digits(res.llf, found.exact["loglik"]) > 11.5


def test_the_page_says_what_the_default_call_does(accuracy):
    from digits import nonlinear

    def note(name, which):
        return nonlinear.attempts(nist_nonlinear.load(name), which)[1]

    assert note("misra1a", 0) == ""
    assert nonlinear.fit(nist_nonlinear.load("misra1a"), 0).converged
    assert note("nelson", 0).startswith("maxiter=3000: ")
    assert not nonlinear.fit(nist_nonlinear.load("nelson"), 0).converged
    assert note("eckerle4", 0) == "trust-ncg; newton said: not definite"
    assert note("thurber", 0) == "trust-ncg; newton ends at a lower maximum"


# -- standard errors of generalised linear models in 50-digit arithmetic ------------------------------------------------


MEANS = {  # mean and its slope in the linear predictor
    "log": lambda eta: (mp.exp(eta), mp.exp(eta)),
    "logit": lambda eta: (1 / (1 + mp.exp(-eta)), 1 / (2 + mp.exp(eta) + mp.exp(-eta))),
    "cloglog": lambda eta: (-mp.expm1(-mp.exp(eta)), mp.exp(eta - mp.exp(eta))),
    "cauchit": lambda eta: (mp.mpf(1) / 2 + mp.atan(eta) / mp.pi, 1 / (mp.pi * (1 + eta**2))),
}


def scored(model, link, variance, b):
    """Score, expected information and Pearson's chi-squared of the rows in doubles."""
    trials = model.rows.get("trials")
    n = np.ones(model.rows.n) if trials is None else trials.numpy()
    score, information, pearson = mp.zeros(len(b), 1), mp.zeros(len(b)), mp.mpf(0)
    for row, y, weight in zip(np.asarray(model.exog).tolist(), model.rows.y.tolist(), n.tolist(), strict=True):
        x = mp.matrix(row)
        mean, slope = MEANS[link]((x.T * b)[0])
        score += x * (weight * slope * (y - mean) / variance(mean))
        information += x * x.T * (weight * slope**2 / variance(mean))
        pearson += weight * (y - mean) ** 2 / variance(mean)
    return score, information, pearson


@pytest.mark.parametrize(
    "name",
    [
        "glm_binomial_cloglog_flourbeetle",
        "glm_binomial_proportion_weights_menarche",
        "glm_invgauss_log_trees",
        "glm_binomial_cloglog_menarche",
        "glm_binomial_cauchit_menarche",
    ],
)
def test_standard_errors_have_the_digits_of_the_rows(name):
    """Inverting X'WX as it is summed would leave 12 digits of the first three."""
    import test_reference_glm as glms

    mp.dps = 50
    found = glms.fitted(name)
    res, model = found.res, found.case["model"]
    gaussian_inverse = model["family"] == "inverse_gaussian"
    variance = (lambda mean: mean**3) if gaussian_inverse else (lambda mean: mean * (1 - mean))
    b = mp.matrix(np.asarray(res.params).tolist())
    for _ in range(60):
        score, information, pearson = scored(res.model, model["link"], variance, b)
        step = mp.lu_solve(information, score)
        b += step
        if mp.norm(step) < mp.mpf("1e-30"):
            break
    dispersion = pearson / (res.nobs - len(b)) if gaussian_inverse else 1
    inverse = mp.inverse(information)
    assert digits(res.params, [float(value) for value in b]) > 13
    assert digits(res.bse, [float(mp.sqrt(dispersion * inverse[i, i])) for i in range(len(b))]) > 13.5


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
