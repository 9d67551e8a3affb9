"""Tests of whether a linear regression is linear: Ramsey's RESET, Utts's rainbow, Harvey and Collier's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...fitting.columns import linear_offset
from ..distributions import f_tail, two_sided
from ..refits import refitted
from .wald import JointTest, wald_test

if TYPE_CHECKING:
    from ...models.linear.results import LinearResults

Array = NDArray[np.float64]
KINDS = ("fitted", "exog", "princomp")


class RainbowTest(NamedTuple):
    """Utts's F statistic and its p-value."""

    fvalue: float
    pvalue: float


class HarveyCollierTest(NamedTuple):
    """Student's t of the mean of the recursive residuals, and its p-value."""

    statistic: float
    pvalue: float


def linear_reset(
    res: LinearResults,
    power: int | Sequence[int] = 3,
    test_type: str = "fitted",
    use_f: bool = False,
    cov_type: str = "nonrobust",
    cov_kwds: Mapping[str, Any] | None = None,
) -> JointTest:
    """Ramsey's RESET: the joint Wald test of powers added to a linear regression.

    Parameters
    ----------
    res : LinearResults
        Of `OLS` or `WLS`, whose weights are kept.
    power : int or list of int
        The highest power, from 2 on, or the powers.
    test_type : {"fitted", "exog", "princomp"}
        What is raised to them: the fitted values, every column of more than two values, or the first principal component of
        the columns (standardised, and without the constant, where there is one).
    use_f : bool
        F in place of chi-squared.
    cov_type, cov_kwds
        Covariance of the wider regression, as for `fit`.

    Returns
    -------
    JointTest

    Raises
    ------
    ValueError
        Powers below 2 or twice the same, nothing that could be raised to them, or rows in several processes.

    References
    ----------
    Ramsey (1969), "Tests for specification errors in classical linear least-squares regression analysis", JRSS B 31.
    """
    _refuse_others(res)
    powers = range(2, power + 1) if isinstance(power, int) else list(power)
    if len(powers) == 0 or min(powers) < 2 or len(set(powers)) < len(powers):
        raise ValueError(f"power must be at least 2, or different powers of 2 and more; it is {power!r}")
    exog = res.model.exog
    base = _raised(res, test_type)
    base = base / np.abs(base).max(0)  # the test does not depend on units, its digits do
    wider = refitted(
        res, np.hstack([exog, *(base**p for p in powers)]), cov_type=cov_type, cov_kwds=dict(cov_kwds or {})
    )
    k = len(wider.names)
    return wald_test(wider, np.eye(k)[exog.shape[1] :], use_f=use_f)


def _raised(res: LinearResults, kind: str) -> Array:
    """Columns whose powers are added, (n, p)."""
    exog, counts = np.asarray(res.model.exog, dtype=float), res.model.row_counts
    if kind not in KINDS:
        raise ValueError(f"test_type must be one of {', '.join(KINDS)}; it is {kind!r}")
    seen = exog[counts > 0]
    varies = np.ptp(seen, axis=0) > 0
    if not varies.any():
        raise ValueError("the design holds nothing but a constant, which has no powers")
    if kind == "fitted":
        return np.asarray(res.fittedvalues)[:, None]
    if kind == "exog":
        inside = (seen != seen.max(0)) & (seen != seen.min(0))
        if not inside.any():
            raise ValueError("every column has two values at most, and their powers are those columns")
        return exog[:, inside.any(0)]
    if not res.k_constant:
        return _component(exog, counts)
    centred = exog[:, varies] - np.average(exog[:, varies], axis=0, weights=counts)
    return _component(centred / np.sqrt(np.average(centred**2, axis=0, weights=counts)), counts)


def _component(columns: Array, counts: Array) -> Array:
    """The first principal component, (n, 1), of rows that count so many times."""
    directions = np.linalg.svd(columns * np.sqrt(counts)[:, None], full_matrices=False)[2]
    return columns @ directions[:1].T


def linear_rainbow(
    res: LinearResults, frac: float = 0.5, order_by: Any = None, use_distance: bool = False
) -> RainbowTest:
    """Utts's rainbow test: whether the middle part of the rows is fitted better by itself than with the rest.

    ``F = (ssr - ssr_m) / (n - n_m) / (ssr_m / df_m)``, m for the rows in the middle.

    Parameters
    ----------
    res : LinearResults
    frac : float
        Share of the rows in the middle.
    order_by : str, list of str, or ndarray of int, optional
        Columns of the design to sort the rows by, or the order itself as positions.  As they stand by default.
    use_distance : bool
        Order the rows by their Mahalanobis distance from the mean of the columns.

    Returns
    -------
    RainbowTest
        Unpacks as statistic and p-value.

    Raises
    ------
    ValueError
        Both orders are asked for, a column is not there, the middle has fewer rows than there are columns, rows count
        several times or lie in several processes.

    References
    ----------
    Utts (1982), "The rainbow test for lack of fit in regression", Communications in Statistics A 11.
    """
    _refuse_others(res)
    if order_by is not None and use_distance:
        raise ValueError("the rows are ordered by order_by or by use_distance, not by both")
    exog = res.model.exog
    order = _order(res, order_by, use_distance)
    n, k = len(order), exog.shape[1]
    low = int(np.ceil(0.5 * (1 - frac) * n))
    middle = order[low : int(np.floor(low + frac * n))]
    if len(middle) <= k:
        raise ValueError(f"frac={frac} of {n} rows leaves {len(middle)} in the middle, not enough for {k} columns")
    inner = refitted(res, exog, np.sort(middle))
    fvalue = (res.ssr - inner.ssr) / (res.nobs - inner.nobs) / (inner.ssr / inner.df_resid)
    return RainbowTest(fvalue, float(f_tail(fvalue, res.nobs - inner.nobs, inner.df_resid)))


def linear_harvey_collier(res: LinearResults, order_by: Any = None, skip: int | None = None) -> HarveyCollierTest:
    """Harvey and Collier's test: whether the recursive residuals of a linear regression have a mean of zero.

    The recursive residual of a row is the error of its prediction from the rows before it, in units of its standard error;
    n - k of them are independent with the variance of an error.  Where the regression bends they are of one sign.

    Parameters
    ----------
    res : LinearResults
        Of `OLS`, or of `WLS` on its weighted rows.
    order_by : str, list of str, or ndarray of int, optional
        Columns of the design to sort the rows by, or the order itself as positions.  As they stand by default.
    skip : int, optional
        Residuals of as many rows at the start are left out; by default of those from which the first coefficients come.

    Returns
    -------
    HarveyCollierTest
        Unpacks as statistic and p-value; the numbers of R's lmtest::harvtest.

    Raises
    ------
    ValueError
        Fewer than two residuals are left, rows count several times or lie in several processes.

    References
    ----------
    Harvey and Collier (1977), "Testing for functional misspecification in regression analysis", Journal of Econometrics 6.
    Brown, Durbin and Evans (1975), "Techniques for testing the constancy of regression relationships over time", JRSS B 37.
    """
    _refuse_others(res)
    order, rows = _order(res, order_by), res.model.rows
    offset = torch.as_tensor(linear_offset(rows)).cpu().numpy()
    response = res.model.whiten(res.model.endog - offset)
    kept = recursive_residuals(res.model.wexog[order], response[order])[skip or 0 :]
    kept = kept[~np.isnan(kept)]
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} recursive residuals are left of {len(order)} rows; the test takes two or more")
    statistic = np.sqrt(len(kept)) * kept.mean() / kept.std(ddof=1)
    return HarveyCollierTest(float(statistic), float(two_sided(statistic, len(kept) - 1)))


def recursive_residuals(exog: Array, endog: Array) -> Array:
    """Standardised errors of predicting each row from those before it, (n,); NaN where these cannot tell.

    Each row is rotated into the triangular factor of the rows before it; what is left of its response is its residual.
    """
    k = exog.shape[1]
    factor, small = np.zeros((k, k + 1)), 1e-10 * np.linalg.norm(exog, axis=0)
    found = np.full(len(exog), np.nan)
    for at, row in enumerate(np.column_stack([exog, endog])):
        for j in range(k):
            if abs(row[j]) <= small[j] and factor[j, j] == 0:
                continue
            if factor[j, j] == 0:  # the row adds a direction of its own
                factor[j] = row * np.sign(row[j])
                break
            length = np.hypot(factor[j, j], row[j])
            cos, sin = factor[j, j] / length, row[j] / length
            factor[j], row = cos * factor[j] + sin * row, cos * row - sin * factor[j]
            row[j] = 0.0
        else:
            found[at] = row[k]
    return found


def _order(res: LinearResults, order_by: Any, by_distance: bool = False) -> NDArray[np.int_]:
    """Positions of the rows that count: as they stand, as they are given, sorted by columns or by their distance.

    Raises
    ------
    ValueError
        A column is not there, or rows count several times, which have no place of their own.
    """
    counts, exog = res.model.row_counts, np.asarray(res.model.exog, dtype=float)
    if not np.isin(counts, (0.0, 1.0)).all():
        raise ValueError(
            f"the test takes rows one after the other, each once; they count from {counts.min():g} to {counts.max():g} "
            "times: repeat the rows instead of freq_weights, or use linear_reset"
        )
    if by_distance:
        return np.flatnonzero(counts)[_by_distance(exog[counts > 0])]
    order = np.arange(len(exog)) if order_by is None else _ordered_by(res, order_by, exog)
    return order[counts[order] > 0]


def _ordered_by(res: LinearResults, order_by: Any, exog: Array) -> NDArray[np.int_]:
    """Positions of the rows, sorted by columns or as they are given."""
    names = [order_by] if isinstance(order_by, str) else list(order_by)
    if not isinstance(names[0], str):
        return np.asarray(order_by, dtype=int)
    known = list(res.model.exog_names)
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"order_by: no column {missing[0]!r} in the design; its columns are {', '.join(known)}")
    return np.lexsort([exog[:, known.index(name)] for name in reversed(names)])


def _by_distance(exog: Array) -> NDArray[np.int_]:
    """Positions by Mahalanobis distance from the mean; ties by the columns, so that the order of the rows has no say."""
    centred = exog - exog.mean(0)
    distance = np.einsum("ij,jk,ik->i", centred, np.linalg.pinv(centred.T @ centred / len(exog)), centred)
    return np.lexsort((*exog.T[::-1], distance))


def _refuse_others(res: Any) -> None:
    if not hasattr(res, "ssr"):
        raise TypeError(f"these tests are of linear models, OLS and WLS; the result is of {type(res.model).__name__}")
    if res.model.rows.group is not None:
        raise ValueError("tests of specification need all rows in one process")
