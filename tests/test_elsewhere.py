"""Every model on a device that is not there (`elsewhere.py`): the answers are the CPU's."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from elsewhere import AVAILABLE, NAME, elsewhere
from problems import BY_NAME, NAMES, PROBLEMS

import torchmle as tm

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this torch takes no device written in Python")


def second(res):
    """The hypothesis that the second parameter is zero."""
    return np.eye(len(res.names))[1:2]


def covariance(kind, **options):
    return lambda res, df: (
        res.with_covariance(kind, {**options, **({"groups": df["firm"]} if kind == "cluster" else {})}).bse
    )


QUESTIONS = {
    "estimates": lambda res, df: res.params,
    "errors": lambda res, df: res.bse,
    **{kind: covariance(kind) for kind in ("opg", "eim", "HC1", "HC3", "cluster")},
    "HAC": covariance("HAC", maxlags=2),
    "predictions": lambda res, df: res.get_prediction(df.iloc[:7]).summary_frame().select_dtypes("number"),
    "observations": lambda res, df: res.get_prediction(df.iloc[:5]).conf_int(obs=True),
    "margins": lambda res, df: res.margins().summary_frame().select_dtypes("number"),
    "likelihood ratio": lambda res, df: res.lr_test(second(res)).pvalue,
    "score test": lambda res, df: res.score_test(second(res)).pvalue,
    "bootstrap": lambda res, df: res.bootstrap(2, seed=1).values,
    "influence": lambda res, df: res.get_influence().cooks_distance[0],
    "gradient": lambda res, df: [res.certificate.rank, res.certificate.condition],
}


# The device that is not there takes long for each operation; the rest is asked in the slow tests.
FEW = ("estimates", "errors", "opg", "HC3", "cluster", "predictions", "margins")


def answer(question, res, df):
    """What a result says, or why it says nothing."""
    try:
        return np.asarray(QUESTIONS[question](res, df), dtype=float)
    except (ValueError, NotImplementedError) as refusal:
        return str(refusal)


def same(found, expected):
    if isinstance(expected, str):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)  # two searches, as in test_contract


def compare(problem, questions):
    df = problem.frame(seed=3, n=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = problem.fit(df, device="cpu")
        with elsewhere() as device:
            res = problem.fit(df, device=device)
            assert res.device.type == NAME and expected.device.type == "cpu"
            for question in questions:
                same(answer(question, res, df), answer(question, expected, df))
            assert str(res.summary(diagnostics=True)).count("\n") == str(expected.summary(diagnostics=True)).count("\n")


@pytest.mark.parametrize("problem", PROBLEMS, ids=NAMES)
def test_answers_are_those_of_the_cpu(problem):
    compare(problem, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS, ids=NAMES)
def test_every_answer_is_that_of_the_cpu(problem):
    compare(problem, QUESTIONS)


@pytest.mark.parametrize(
    "method", ["newton", "bfgs", "l-bfgs", "cg", "newton-cg", "trust-ncg", "trust-exact", "nm", "powell"]
)
def test_methods(method):
    problem = BY_NAME["logit"]
    df, options = problem.frame(n=80), {"method": method, "maxiter": 3000}
    with warnings.catch_warnings(), elsewhere() as device:
        warnings.simplefilter("ignore")
        same(problem.fit(df, fitting=options, device=device).params, problem.fit(df, fitting=options).params)


ASKED = {
    "profile": lambda problem, df, **where: problem.fit(df, **where).conf_int(method="profile"),
    "held": lambda problem, df, **where: problem.fit(df, fitting={"fix": {"x": 0.3}}, **where).bse,
    "bounded": lambda problem, df, **where: problem.fit(df, fitting={"bounds": {"x": (None, 0.1)}}, **where).params,
    "constrained": lambda problem, df, **where: problem.fit(df, fitting={"constraints": "x + w = 0"}, **where).bse,
    "collinear": lambda problem, df, **where: problem.fit(df, "y ~ x + w + I(x + w)", **where).bse,
    "pseudoinverse": lambda problem, df, **where: problem.fit(df, "y ~ x + I(2 * x)", {"rank": "pinv"}, **where).params,
    "separated": lambda problem, df, **where: problem.fit(df.assign(y=(df["x"] > 0) * 1.0), **where).params,
    "penalised": lambda problem, df, **where: problem.build(df, **where).fit_regularized(alpha=1.0).params,
    "survey": lambda problem, df, **where: (
        problem.fit(df, fitting={"cov_type": "survey", "cov_kwds": {"strata": df["g"], "psu": df["firm"]}}, **where).bse
    ),
    "float32": lambda problem, df, **where: problem.fit(df, dtype=torch.float32, **where).bse,
    "large": lambda problem, df, **where: problem.fit(pd.concat([df] * 2000), **where).bse,
}


@pytest.mark.parametrize("case", ASKED)
def test_what_else_fits_do(case):
    problem = BY_NAME["logit"]
    df = problem.frame(n=80)
    with warnings.catch_warnings(), elsewhere() as device:
        warnings.simplefilter("ignore")
        same(ASKED[case](problem, df, device=device), ASKED[case](problem, df))


def test_tensors_that_are_there_stay_there():
    with elsewhere() as device:
        x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(device)
        model = tm.OLS(x @ torch.ones(2, dtype=torch.float64, device=device), x)
        assert model.placement.device.type == NAME
        same(model.fit().params, [1, 1])


def test_the_rules_are_kept():
    with elsewhere() as device:
        here, there = torch.ones(3, device=device), torch.ones(3)
        with pytest.raises(RuntimeError, match="same device"):
            here + there
        with pytest.raises((RuntimeError, TypeError), match="numpy"):
            here.numpy()
        assert (here + torch.tensor(1.0)).cpu().tolist() == [2, 2, 2]
        assert torch.zeros(2, device=device).device == here.new_zeros(2).device == here[:2].device
