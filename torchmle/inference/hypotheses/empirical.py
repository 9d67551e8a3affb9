"""Empirical likelihood of linear regressions: tests and intervals without a distribution of the errors.

Rows get probabilities w_i that make the normal equations ``sum w_i x_i (y_i - x_i'b) = 0`` hold at given coefficients and are
otherwise as even as they can be; ``-2 sum log(n w_i)``, at its smallest over the other coefficients, is chi-squared in the limit
(Owen 1991, "Empirical likelihood for linear models", Annals of Statistics 19).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...fitting.least_squares import row_weights
from ..distributions import chi2_tail, quantile

if TYPE_CHECKING:
    from ...models.linear.results import LinearResults

Array = NDArray[np.float64]
STEPS = 100  # Newton steps of the inner problem, which takes five to ten
DECREMENT = 1e-14  # of its log-likelihood, to stop at
METHODS = (
    "nm",
    "powell",
)  # statsmodels' searches; the one here is Newton's method in the probabilities, BFGS around it


class ELTestResult(NamedTuple):
    """A test by empirical likelihood; the probabilities of the rows and all coefficients where they were asked for."""

    statistic: float
    pvalue: float
    weights: Array | None = None
    nuisance_params: Array | None = None


def el_test(
    results: LinearResults,
    b0_vals: ArrayLike,
    param_nums: Sequence[int],
    return_weights: bool = False,
    ret_params: bool = False,
    method: str = "nm",
    stochastic_exog: bool = True,
    *,
    result_object: bool | None = None,
) -> tuple[Any, ...]:
    """Test values of some coefficients by empirical likelihood.

    Parameters
    ----------
    results : LinearResults
    b0_vals : array_like
        The values.
    param_nums : sequence of int
        Positions of their coefficients.
    return_weights, ret_params : bool
        Return the probabilities of the rows, (n,); the coefficients too, the others at their best, (k,).
    method : {"nm", "powell"}
        Has no bearing here.
    stochastic_exog : bool
        The columns are random.  If not, the probabilities also keep the mean and mean square of each.
    result_object : bool, optional
        Return an `ELTestResult` whatever was asked for; otherwise statistic and p-value, and what was asked for besides.

    Raises
    ------
    ValueError
        Another `method`, no such coefficients, frequency weights or collinear columns.
    """
    _refuse(results, method)
    numbers, values = np.atleast_1d(param_nums).astype(int), np.atleast_1d(np.asarray(b0_vals, dtype=float))
    k = results.model.exog.shape[1]
    if len(numbers) != len(values) or not set(numbers.tolist()) <= set(range(k)):
        raise ValueError(f"param_nums must be {len(values)} of the positions 0 to {k - 1}; they are {numbers.tolist()}")
    statistic, weights, params = _profile(results, numbers, values, stochastic_exog)
    nuisance = ret_params and len(numbers) < k
    found = ELTestResult(
        statistic,
        float(chi2_tail(statistic, len(numbers))),
        weights if return_weights or nuisance else None,
        params if nuisance else None,
    )
    return found if result_object or nuisance else tuple(each for each in found if each is not None)


def conf_int_el(
    results: LinearResults,
    param_num: int,
    sig: float = 0.05,
    upper_bound: float | None = None,
    lower_bound: float | None = None,
    method: str = "nm",
    stochastic_exog: bool = True,
) -> tuple[float, float]:
    """Interval of a coefficient by empirical likelihood: the values that `el_test` does not refuse at level `sig`.

    Raises
    ------
    ValueError
        A limit lies beyond the bound given for it.
    """
    from scipy.optimize import brentq

    _refuse(results, method)
    estimate, step = float(results.params_array[param_num]), float(np.sqrt(results.cov_HC0[param_num, param_num]))
    critical = quantile(1 - sig / 2) ** 2

    def excess(value: float) -> float:
        return _profile(results, np.array([param_num]), np.array([value]), stochastic_exog)[0] - critical

    def limit(sign: int, bound: float | None) -> float:
        outer = _outside(excess, estimate, sign * step, bound)
        return float(brentq(excess, estimate, outer, xtol=1e-9 * step))

    return limit(-1, lower_bound), limit(1, upper_bound)


def _outside(excess: Callable[[float], float], estimate: float, step: float, bound: float | None) -> float:
    """A value beyond the limit that lies in the direction of `step`."""
    if bound is not None:
        if excess(bound) < 0:
            raise ValueError(f"the interval goes on beyond the bound {bound:g}")
        return bound
    for reach in 2 * 1.3 ** np.arange(40):
        if excess(estimate + reach * step) > 0:
            return float(estimate + reach * step)
    raise ValueError("the empirical likelihood does not fall to the critical value")


def _refuse(results: LinearResults, method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; it is {method!r}")
    if results.dropped_columns:
        raise ValueError(f"the design is rank deficient: leave out {', '.join(results.dropped_columns)}")
    if "freq_weights" in results.model.rows.columns:
        raise ValueError("empirical likelihood gives each row a probability: repeat the rows that count several times")


def _profile(
    results: LinearResults, numbers: NDArray[np.int_], values: Array, stochastic: bool
) -> tuple[float, Array, Array]:
    """The statistic at its smallest over the other coefficients; the probabilities and coefficients there."""
    from scipy.optimize import minimize

    x, weights = results.model.exog, row_weights(results.model.rows).cpu().numpy()
    y = np.asarray(results.resid) + x @ results.params_array  # less an offset
    weighted, moments = x * weights[:, None], np.zeros((len(x), 0)) if stochastic else _moments(x)
    others = np.setdiff1d(np.arange(x.shape[1]), numbers)
    params = np.zeros(x.shape[1])
    params[numbers] = values
    left, triangle = np.linalg.qr(np.sqrt(weights)[:, None] * x[:, others])
    start = np.linalg.solve(triangle, left.T @ (np.sqrt(weights) * (y - x @ params)))
    unit = np.linalg.inv(triangle) * np.sqrt(results.scale)  # standard errors: coordinates in which the search is round

    def at(u: Array) -> tuple[float, Array, Array]:
        params[others] = start + unit @ u
        return _statistic(weighted * (y - x @ params)[:, None], moments)

    def objective(u: Array) -> tuple[float, Array]:
        value, shares, multipliers = at(u)
        return value, unit.T @ (-2 * len(x) * (shares * (weighted @ multipliers)) @ x[:, others])

    best = np.zeros(len(others))
    if len(others):
        best = minimize(objective, best, jac=True, method="BFGS", options={"gtol": 1e-7}).x
    value, shares, _ = at(best)
    return value, shares, params


def _moments(x: Array) -> Array:
    """Deviations of the columns, and of their squares, from their means, (n, up to 2k)."""
    both = np.hstack([x, x**2])
    centred = both - both.mean(0)
    return centred[:, np.ptp(both, axis=0) > 0]


def _statistic(scores: Array, moments: Array) -> tuple[float, Array, Array]:
    """``2 max sum log(1 + g't)`` over the multipliers t, the probabilities ``1 / (n (1 + g't))``, and t of the scores.

    Below 1/n the logarithm goes on as its parabola (Owen 1990), so that there is a maximum, if a huge one, also where no
    probabilities satisfy the equations.
    """
    g = np.hstack([scores, moments])
    size = np.sqrt((g**2).mean(0))
    g = g / np.where(size > 0, size, 1.0)
    t = np.zeros(g.shape[1])
    value, slope, bend = _logarithm(1 + g @ t)
    for _ in range(STEPS):
        root = np.sqrt(bend)
        step = np.linalg.lstsq(g * root[:, None], slope / root, rcond=None)[0]
        gain = float(slope @ g @ step)
        if gain <= DECREMENT * (1 + abs(value)):
            break
        length, trial = 1.0, _logarithm(1 + g @ (t + step))
        while trial[0] < value + 1e-4 * length * gain and length > 1e-10:
            length /= 2
            trial = _logarithm(1 + g @ (t + length * step))
        t, (value, slope, bend) = t + length * step, trial
    return 2 * value, slope / len(g), (t / np.where(size > 0, size, 1.0))[: scores.shape[1]]


def _logarithm(z: Array) -> tuple[float, Array, Array]:
    """Sum of logarithms, their first derivatives, and the second ones without their sign."""
    n = len(z)
    inside = z >= 1 / n
    safe = np.where(inside, z, 1.0)
    value = np.where(inside, np.log(safe), -np.log(n) - 1.5 + 2 * n * z - 0.5 * (n * z) ** 2)
    slope = np.where(inside, 1 / safe, n * (2 - n * z))
    return float(value.sum()), slope, np.where(inside, 1 / safe**2, float(n) ** 2)
