"""NIST's nonlinear sets as normal maximum likelihood, from both of NIST's starts.

Ours is a `LikelihoodModel` as a user writes it.  statsmodels has no nonlinear least squares: the peers are its
GenericLikelihoodModel and scipy's curve_fit.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from reference import nist_nonlinear
from reference.nist_nonlinear import Set
from scipy.optimize import curve_fit
from statsmodels.base.model import GenericLikelihoodModel

import torchmle as tm
from torchmle.optim import Status

from .score import Answer, Row, compare

CERTIFIED = 11.0  # digits
PATIENCE = 3000  # Newton steps: MGH09's far start takes 2,900
OTHER = "trust-ncg"
HIGHER = 1e-6  # log-likelihood by which another maximum is a higher one
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def model_of(found: Set) -> tm.LikelihoodModel:
    """y = f(x, b) + sigma * noise."""
    columns = [f"x{i + 1}" for i in range(len(found.x))]

    class NonlinearNormal(tm.LikelihoodModel):
        parameters = {**dict.fromkeys(found.names, tm.Identity()), "sigma": tm.Log()}
        row_arguments = tuple(columns)

        def mean(self, b: Any, data: Any) -> Any:
            return found.mean(torch, [getattr(data, column) for column in columns], b)

        def loglike_obs(self, p: Any, data: Any) -> Any:
            z = (data.y - self.mean([getattr(p, name) for name in found.names], data)) / p.sigma
            return -0.5 * z * z - torch.log(p.sigma) - HALF_LOG_TAU

        def expected_information(self, z: Any) -> Any:
            """J'J / sigma² for b and 2 n for log sigma."""
            jacobian = torch.autograd.functional.jacobian(lambda b: self.mean(b.unbind(), self.rows), z[: found.p])
            information = torch.zeros(len(z), len(z), dtype=z.dtype)
            information[: found.p, : found.p] = jacobian.T @ jacobian / torch.exp(2 * z[-1])
            information[-1, -1] = 2 * found.n
            return information

    return NonlinearNormal(found.y, **dict(zip(columns, found.x, strict=True)))


def start_of(found: Set, which: int) -> list[float]:
    """NIST's start with the root mean square of the residuals there as sigma."""
    b = found.starts[which]
    return [*b, float(np.sqrt(np.mean((found.y - found.mean(np, found.x, b)) ** 2)))]


def fit(found: Set, which: int, **options: Any) -> Any:
    """What a user gets: no option is set but those given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `converged` says it
        return model_of(found).fit(start_params=start_of(found, which), **options)


def attempts(found: Set, which: int) -> tuple[Any, str]:
    """The fit that is shown, and what a user must say to get it.

    The default call; with more steps where it reached no verdict; by another method where that finds what Newton's
    does not.
    """
    newton, note = fit(found, which), ""
    if newton.optim.status is Status.ITERATION_LIMIT:
        newton = fit(found, which, maxiter=PATIENCE)
        note = f"maxiter={PATIENCE}: {newton.optim.iterations} steps"
    other, said = fit(found, which, method=OTHER, maxiter=PATIENCE), newton.optim.status.name.lower().replace("_", " ")
    if other.converged and not newton.converged:
        return other, f"{OTHER}; newton said: {said}"
    if other.converged and newton.llf < other.llf - HIGHER:
        return other, f"{OTHER}; newton ends at a lower maximum"
    if newton.converged:
        return newton, note
    return newton, "; ".join(filter(None, (note, f"it says: {said}")))


def truth_of(found: Set) -> Answer:
    return Answer(found.exact["coef"], found.exact["sd"], found.exact["loglik"])


def answer(found: Set, res: Any) -> Answer:
    """Parameters in NIST's order, standard deviations as NIST's: by the expected information, for n - p."""
    b = np.asarray(res.params)[: found.p]
    if not (res.converged or res.optim.status is Status.PRECISION):
        return Answer(canonical(found, b)[0], np.full(found.p, np.nan), res.llf)
    sd = np.asarray(res.with_covariance("eim").bse)[: found.p] * np.sqrt(found.n / (found.n - found.p))
    return Answer(*canonical(found, b, sd), res.llf)


def canonical(found: Set, b: np.ndarray, se: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Of the parameters that give the same means, those that NIST lists, and their standard errors.

    Exponentials may change places, and b1 and b2 of Eckerle4 their signs.
    """
    order, sign = np.arange(found.p), np.ones(found.p)
    if found.name.startswith("lanczos"):
        order = np.array([[2 * i, 2 * i + 1] for i in np.argsort(b[1::2])]).ravel()
    elif found.name == "mgh17" and b[3] > b[4]:
        order = np.array([0, 2, 1, 4, 3])
    elif found.name == "eckerle4" and b[1] < 0:
        sign[:2] = -1.0
    return (sign * b)[order], None if se is None else se[order]


def peers(found: Set, which: int) -> dict[str, Callable[[], Answer]]:
    x, b = np.array(found.x), found.starts[which]

    def scipys() -> Answer:
        estimate, covariance = curve_fit(lambda x, *b: found.mean(np, list(x), b), x, found.y, p0=b, maxfev=100_000)
        return Answer(*canonical(found, estimate, np.sqrt(np.diag(covariance))))

    def generic(method: str) -> Callable[[], Answer]:
        return lambda: _generic(found, which, method)

    return {
        "curve_fit": scipys,
        "GenericLikelihoodModel nm": generic("nm"),
        "GenericLikelihoodModel bfgs": generic("bfgs"),
    }


def _generic(found: Set, which: int, method: str) -> Answer:
    class Normal(GenericLikelihoodModel):
        def loglikeobs(self, params: Any) -> Any:
            z = (self.endog - found.mean(np, list(self.exog.T), params[:-1])) / np.exp(params[-1])
            return -0.5 * z * z - params[-1] - HALF_LOG_TAU

    model = Normal(found.y, np.array(found.x).T, extra_params_names=[])
    start = np.array(start_of(found, which))
    start[-1] = np.log(start[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        res = model.fit(start_params=start, method=method, maxiter=20_000, maxfun=20_000, disp=False)
    return Answer(*canonical(found, np.asarray(res.params)[: found.p]), res.llf)


def rows(names: list[str] | None = None) -> Iterator[Row]:
    for name in names or nist_nonlinear.names():
        found = nist_nonlinear.load(name)
        for which in (0, 1):
            yield row(found, which)


def row(found: Set, which: int) -> Row:
    res, note = attempts(found, which)
    label = f"{found.name} ({found.difficulty}), start {which + 1}"
    return compare(label, truth_of(found), answer(found, res), peers(found, which), known(found), note)


def known(found: Set) -> tuple[float, float, float]:
    """Digits that are certified, and of standard errors those that doubles have.

    They are proportional to the residuals, which are differences of numbers rounded to 53 bits.
    """
    rounding = 2.0**-53 * float(np.linalg.norm(found.y)) / math.sqrt(found.exact["rss"])
    return CERTIFIED, min(CERTIFIED, -math.log10(rounding)), CERTIFIED
