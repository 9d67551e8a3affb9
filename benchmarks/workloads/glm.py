"""Generalised linear models of 1,000,000 rows and 50 columns, as dense arrays: against glum, statsmodels, and a busy machine."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, answer, needs, optional

sm, glum = optional("statsmodels.api"), optional("glum")
GRADIENT = 1e-8  # glum's tolerance on the mean score


def cases(setting: Setting) -> Iterator[Case]:
    n, k = setting.size(1_000_000, 2000), setting.size(50, 5)
    rng = np.random.default_rng(7)
    x = rng.standard_normal((n, k))
    x[:, 0] = 1
    eta = x @ (rng.standard_normal(k) * 0.1)
    counts = rng.poisson(np.exp(eta)).astype(float)
    outcomes = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    family = tm.families.Poisson()
    poisson = answered(lambda: tm.GLM(counts, x, family=family, **setting.ours).fit())
    logit = answered(lambda: tm.Logit(outcomes, x, **setting.ours).fit(disp=False))
    yield Case(
        f"GLM(Poisson), arrays, fit and standard errors, {n:,} x {k}",
        poisson,
        (
            Peer("glum, coefficients alone", needs(glum, lambda: glum_fit("poisson", counts, x)), 1e-3, asked=1 / 0.3),
            Peer(
                "statsmodels GLM", needs(sm, lambda: statsmodels_glm("Poisson", counts, x)), 1e-6, asked=50, once=True
            ),
        ),
    )
    yield Case(
        f"Logit, arrays, fit and standard errors, {n:,} x {k}",
        logit,
        (
            Peer(
                "glum, coefficients alone", needs(glum, lambda: glum_fit("binomial", outcomes, x)), 1e-3, asked=1 / 0.3
            ),
            Peer(
                "statsmodels Logit", needs(sm, lambda: answer(sm.Logit(outcomes, x).fit(disp=0))), 1e-6, 50, once=True
            ),
            Peer(
                "statsmodels GLM(Binomial)",
                needs(sm, lambda: statsmodels_glm("Binomial", outcomes, x)),
                1e-6,
                once=True,
            ),
        ),
    )
    yield Case(
        f"GLM(Poisson), {n:,} x {k}: one other process busy, against none",
        poisson,
        (Peer("the same beside a busy process", lambda: beside_a_busy_process(poisson), 1e-6, asked=None),),
    )


def answered(fit: Callable[[], Any]) -> Callable[[], Answer]:
    return lambda: answer(fit())


def statsmodels_glm(family: str, y: np.ndarray, x: np.ndarray) -> Answer:
    return answer(sm.GLM(y, x, family=getattr(sm.families, family)()).fit())


def glum_fit(family: str, y: np.ndarray, x: np.ndarray) -> Answer:
    found = glum.GeneralizedLinearRegressor(
        family=family, alpha=0, fit_intercept=False, gradient_tol=GRADIENT, solver="irls-ls"
    ).fit(x, y)
    return Answer(found.coef_)


def busy() -> None:
    """Keep one core at work."""
    while True:
        sum(range(10_000))


def beside_a_busy_process(run: Callable[[], Answer]) -> Answer:
    other = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
    other.start()
    time.sleep(0.5)  # until it has started
    started = time.perf_counter()
    found = run()
    elapsed = 1e3 * (time.perf_counter() - started)
    other.terminate()
    return Answer(found.values, found.errors, amount=elapsed)
