"""NIST's linear regressions, analyses of variance and univariate samples; the peer is statsmodels' OLS by both methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import statsmodels.formula.api as smf
from reference import corpus
from reference.fits import fit, fitted

from .score import Answer, Row, compare


def rows(names: list[str] | None = None) -> Iterator[Row]:
    for name in names or [*corpus.cases("nist_linear", "nist_anova"), *corpus.cases("nist_univariate")]:
        yield univariate(name) if corpus.load(name)["kind"] == "nist_univariate" else regression(name)


def regression(name: str) -> Row:
    expected, found = corpus.load(name)["expected"], fitted(name)
    exact = expected.get("exact_for_double_data", {})
    with_errors = expected["sigma"] > 0
    truth = Answer(
        expected["coef"], expected["se"] if with_errors else None, exact.get("loglik") if with_errors else None
    )
    ours = Answer(found.coefficients(), found.se, found.res.llf)
    peers = {f"statsmodels {method}": _peer(name, method, found.names) for method in ("pinv", "qr")}
    return compare(_short(name), truth, ours, peers, note="" if found.res.converged else "not converged")


def _peer(name: str, method: str, order: list[str]) -> Callable[[], Answer]:
    def run() -> Answer:
        res = smf.ols(corpus.load(name)["formula"], corpus.frame(name)).fit(method=method)
        return Answer(res.params[order], res.bse[order], res.llf)

    return run


def univariate(name: str) -> Row:
    """Mean and standard deviation (n - 1) in the places of coefficients and standard errors."""
    expected, res = corpus.load(name)["expected"], fit(name)
    mean = float(expected["certified_text"]["mean"])
    truth = Answer(mean, expected["sd_unbiased"], expected["exact_for_double_data"]["loglik"])
    n, (centre, sigma) = res.nobs, np.asarray(res.params)
    ours = Answer(centre, sigma * np.sqrt(n / (n - 1)), res.llf)

    def peer(method: str) -> Callable[[], Answer]:
        return lambda: _moments(smf.ols("y ~ 1", corpus.frame(name)).fit(method=method))

    return compare(_short(name), truth, ours, {f"statsmodels {method}": peer(method) for method in ("pinv", "qr")})


def _moments(res: Any) -> Answer:
    return Answer(res.params.iloc[0], np.sqrt(res.scale), res.llf)


def _short(name: str) -> str:
    return name.split("_", 2)[2]
