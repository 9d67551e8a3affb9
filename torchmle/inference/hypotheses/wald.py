"""Wald tests of linear hypotheses ``R params = q``, given as matrices or in words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import ValueWarning
from ...fitting.equations import constraint
from ...summary import Summary, coefficient_table
from ...transforms import Identity, Transform
from ..distributions import chi2_tail, critical_value, f_tail, two_sided
from ..intervals import wald_intervals

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TTest:
    """One test per row of R.

    Attributes
    ----------
    effect, sd, statistic, pvalue : ndarray
        (p,), or () for a single hypothesis.
    null_value : ndarray
        q.
    df_denom : float or None
        Degrees of freedom of Student's t; None for the normal distribution.
    scales : tuple of Transform
        For a row that is one parameter as it stands, the transform on whose real line its interval is made.
    """

    effect: Array
    sd: Array
    null_value: Array
    df_denom: float | None
    scales: tuple[Transform, ...] = field(default=(), kw_only=True)

    @property
    def statistic(self) -> Array:
        difference = np.asarray(self.effect - self.null_value, dtype=float)
        return np.divide(difference, self.sd, out=np.full_like(difference, np.nan), where=self.sd > 0)

    @property
    def tvalue(self) -> Array:
        """The same as `statistic`."""
        return self.statistic

    @property
    def pvalue(self) -> Array:
        p = two_sided(self.statistic, self.df_denom)
        return p[0] if p.size == 1 else p

    @property
    def distribution(self) -> str:
        return "norm" if self.df_denom is None else "t"

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Intervals (p, 2) of the effects; of a single parameter, the one that the result's table has."""
        return wald_intervals(self.effect, self.sd, self.scales, critical_value(alpha, self.df_denom))

    def summary(self, xname: list[str] | None = None, alpha: float = 0.05, title: str | None = None) -> Summary:
        """A table with one row per hypothesis."""
        block = coefficient_table(
            self._names(xname), self.effect, self.sd, self.statistic, np.atleast_1d(self.pvalue), self.conf_int(alpha),
            alpha=alpha, use_t=self.df_denom is not None,
        )  # fmt: skip
        return Summary(title or "Test for Constraints", (), (), [block])

    def summary_frame(self, xname: list[str] | None = None, alpha: float = 0.05) -> pd.DataFrame:
        """The table as a DataFrame."""
        letter = "t" if self.df_denom is not None else "z"
        columns = ["coef", "std err", letter, f"P>|{letter}|", "Conf. Int. Low", "Conf. Int. Upp."]
        values = np.column_stack(
            [self.effect, self.sd, self.statistic, np.atleast_1d(self.pvalue), self.conf_int(alpha)]
        )
        return pd.DataFrame(values, index=self._names(xname), columns=columns)

    def _names(self, xname: list[str] | None) -> list[str]:
        return xname or [f"c{i}" for i in range(len(self.effect))]

    def __str__(self) -> str:
        return str(self.summary())


@dataclass(frozen=True, repr=False)
class JointTest:
    """A joint test of the rows of R: chi-squared, or F when ``df_residual`` is given.

    Attributes
    ----------
    statistic, pvalue : float
        (1, 1) arrays when that was asked for (``scalar=False``).
    df_constraint : int
        Rank of R's covariance.
    df_residual : float or None
        Degrees of freedom of the denominator of an F test.
    """

    statistic: Any
    df_constraint: int
    df_residual: float | None

    @property
    def pvalue(self) -> Any:
        if self.df_residual is None:
            p = chi2_tail(self.statistic, self.df_constraint)
        else:
            p = f_tail(self.statistic, self.df_constraint, self.df_residual)
        return p if np.ndim(self.statistic) else np.float64(p)

    @property
    def fvalue(self) -> Any:
        """The statistic of an F test."""
        if self.df_residual is None:
            raise AttributeError("a chi-squared test has no fvalue; see statistic")
        return self.statistic

    @property
    def df_num(self) -> int:
        """Number of independent constraints."""
        return self.df_constraint

    @property
    def df_denom(self) -> float:
        """Residual degrees of freedom of an F test; of a chi-squared test its degrees of freedom, as in statsmodels."""
        return self.df_constraint if self.df_residual is None else self.df_residual

    @property
    def distribution(self) -> str:
        return "chi2" if self.df_residual is None else "F"

    def __str__(self) -> str:
        if self.df_residual is None:
            return f"<Wald test (chi2): statistic={self.statistic}, p-value={self.pvalue}, df_denom={self.df_denom}>"
        return f"<F test: F={self.statistic}, p={self.pvalue}, df_denom={self.df_denom:.3g}, df_num={self.df_num}>"

    def summary(self) -> str:
        """The line that is printed."""
        return str(self)

    def __repr__(self) -> str:
        return f"{type(self)!r}\n{self}"


def t_test(results: Results, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None) -> TTest:
    """Test each row of a hypothesis on its own; `cov_p` and `use_t` replace the result's own."""
    matrix, values = constraint(results.names, r_matrix)
    covariance = results.covariance_array if cov_p is None else np.asarray(cov_p, float)
    unknown = np.isnan(np.diag(covariance))
    sd = np.sqrt(np.einsum("ij,jk,ik->i", matrix, np.where(np.isnan(covariance), 0.0, covariance), matrix))
    sd[(matrix[:, unknown] != 0).any(1)] = np.nan  # a row that speaks of it, not the others
    effect = _products(matrix, results.params_array)
    df = results.df_inference if (results.use_t if use_t is None else use_t) else None
    return TTest(effect, sd, values, df, scales=_row_scales(matrix, results.model.layout.scales()))


def _products(matrix: Array, params: Array) -> Array:
    """``R params``, in which an infinite estimate, or none, has a part in the rows that speak of it alone."""
    gone = ~np.isfinite(params)
    found = matrix @ np.where(gone, 0.0, params)
    for row in (matrix[:, gone] != 0).any(1).nonzero()[0]:
        found[row] = sum(float(matrix[row, at]) * float(params[at]) for at in matrix[row].nonzero()[0])
    return np.asarray(found)


def _row_scales(matrix: Array, scales: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transform of each row that is a single parameter; the identity for combinations."""
    single = ((matrix == 1).sum(1) == 1) & ((matrix != 0).sum(1) == 1)
    return tuple(scales[int(row.argmax())] if one else Identity() for row, one in zip(matrix, single, strict=True))


def wald_test(
    results: Results,
    r_matrix: Any,
    cov_p: Any = None,
    invcov: Any = None,
    use_f: bool | None = None,
    df_constraints: int | None = None,
    scalar: bool | None = None,
) -> JointTest:
    """Test all rows of a hypothesis together.

    Parameters
    ----------
    results : Results
    r_matrix : str, list, dict, array_like or tuple
        As for `constraint`.
    cov_p : array_like, optional
        (k, k), a covariance of the parameters other than the results' own.
    invcov : array_like, optional
        (p, p), the inverse of the covariance of ``R params``, when it is known.
    use_f : bool, optional
        F rather than chi-squared; by default as `use_t`.
    df_constraints : int, optional
        Degrees of freedom of the hypothesis; by default the rank of its covariance.
    scalar : bool, optional
        False: the statistic and p-value as (1, 1) arrays.
    """
    matrix, values = constraint(results.names, r_matrix)
    covariance = results.covariance_array if cov_p is None else np.asarray(cov_p, float)
    involved = _involved(matrix)
    if hasattr(results, "trimmed") and results.trimmed[involved].any():
        names = ", ".join(np.asarray(results.names)[involved][results.trimmed[involved]])
        raise ValueError(f"a penalty has set {names} to zero, and there is no covariance of that with which to test it")
    matrix, covariance = matrix[:, involved], covariance[np.ix_(involved, involved)]
    difference = _products(matrix, results.params_array[involved]) - values
    if invcov is not None:
        statistic, rank = float(difference @ np.asarray(invcov, float) @ difference), len(matrix)
    else:
        statistic, rank = quadratic_form(difference, matrix @ covariance @ matrix.T)
    if rank < len(matrix):
        warnings.warn(
            f"covariance of constraints does not have full rank: {len(matrix)} constraints, of which {rank} "
            "are independent and tested",
            ValueWarning,
            stacklevel=3,
        )
    rank = rank if df_constraints is None else df_constraints
    use_f = results.use_t if use_f is None else use_f
    statistic = statistic / rank if use_f and rank else statistic
    shaped = np.full((1, 1), statistic) if scalar is False else statistic
    return JointTest(shaped, rank, results.df_inference if use_f else None)


def _involved(matrix: Array) -> NDArray[np.intp]:
    """Parameters a hypothesis speaks of; one that was dropped, and so has no variance, makes the answer NaN."""
    return np.flatnonzero((matrix != 0).any(0))


def quadratic_form(difference: Array, covariance: Array) -> tuple[float, int]:
    """``d' C^+ d`` and the rank of C, whatever the units of d; NaN where either is not known."""
    if not np.isfinite(covariance).all() or not np.isfinite(difference).all():
        return float("nan"), len(difference)
    scale = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), 1.0))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = values > values.max(initial=0.0) * len(values) * 1e-13
    projected = vectors[:, kept].T @ (difference / scale)
    return float((projected**2 / values[kept]).sum()), int(kept.sum())
