"""Covariances robust to correlation within clusters, of one grouping or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from ..compute.processes import everywhere
from ..formula.columns.missing import missing_rows
from .base import Covariance, Estimate, per_degree, refuse_unknown
from .sandwich import bread, cluster_codes, cluster_meat, nonnegative, sandwich, subsets

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel


@dataclass(frozen=True, kw_only=True)
class Cluster(Covariance):
    """Robust to correlation within groups, of one grouping or several (Cameron, Gelbach and Miller 2011).

    Attributes
    ----------
    groups : column name, array, Series, or a list of them
    convention : {"statsmodels", "R", "stata", "none"}
        Whose small-sample factor; "R" also takes the bread of the expected information, as sandwich::vcovCL.
    use_correction, df_correction : bool
        statsmodels' switches: a small-sample factor at all; G - 1 degrees of freedom.
    """

    options: ClassVar[tuple[str, ...]] = ("groups", "convention", "use_correction", "df_correction")
    name: str = "cluster"
    groups: Any = None
    convention: str = "statsmodels"
    use_correction: bool = True
    df_correction: bool | None = True

    def __post_init__(self) -> None:
        refuse_unknown(self.convention)

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if self.groups is None:
            raise KeyError(
                f"cov_type={self.name!r} needs cov_kwds={{'groups': ...}}: a column name, an array or a list of them"
            )
        model, columns = complete_columns(model, groupings(self.groups, model.column_names), "groups")
        refuse_single(min(cluster_codes(column, model.rows)[1] for column in columns), self.name)
        return model, replace(self, groups=columns)

    def estimate(self, fit: Fit) -> Estimate:
        pieces = subsets(self.groups, fit.model.rows)
        counts = [size for _, size, _ in pieces[: len(self.groups)]]
        total, factors = torch.zeros(len(fit.z), len(fit.z), dtype=torch.float64), []
        for codes, size, sign in pieces:
            factors.append(self._factor(fit, min(counts) if self.convention == "stata" else size))
            total += sign * factors[-1] * cluster_meat(fit, codes, size)
        matrix, repaired = sandwich(bread(fit, self.convention == "R"), total), False
        if len(counts) > 1:
            matrix, repaired = nonnegative(matrix)
        df = float(min(counts) - 1) if self.df_correction is not False else None
        return Estimate(self.scaled(matrix), self._note(counts, factors, repaired), df, tuple(counts))

    def _factor(self, fit: Fit, groups: int) -> float:
        if not self.use_correction or self.convention == "none":
            return 1.0
        factor = groups / (groups - 1) if groups > 1 else float("nan")
        if self.convention == "statsmodels" or fit.model.linear:
            factor *= per_degree(fit.nobs, fit.rank) * (fit.nobs - 1) / fit.nobs
        return factor

    def _note(self, counts: list[int], factors: list[float], repaired: bool) -> str:
        factor = "no small-sample factor"
        if self.use_correction and self.convention != "none":
            each = ", ".join(f"{factor:.6g}" for factor in factors)  # groupings, then their intersections
            factor = f"small-sample factor{'s' * (len(factors) > 1)} of {self.convention}, {each}"
        groups = " x ".join(str(count) for count in counts)
        note = f"Standard Errors are robust to cluster correlation (CRV1); {groups} clusters, {factor}"
        return note + ("; negative eigenvalues of the multi-way matrix set to zero" if repaired else "")


def complete_columns(
    model: LikelihoodModel, given: Sequence[Any], name: str
) -> tuple[LikelihoodModel, tuple[np.ndarray, ...]]:
    """Row-shaped options as arrays of labels; rows that lack one leave the model."""
    columns = [model.row_column(values, name) for values in given]
    missing = [rows for column in columns if (rows := missing_rows(column)) is not None]
    present = ~np.any(missing, axis=0) if missing else np.ones(model.rows.n, dtype=bool)
    if not bool(everywhere(torch.tensor(bool(present.all())), model.rows.group)):
        model, columns = model.keep_rows(present), [column[present] for column in columns]
    return model, tuple(columns)


def refuse_single(count: int, name: str) -> None:
    """Refuse a single cluster."""
    if count < 2:
        raise ValueError(
            f"cov_type={name!r} needs at least 2 clusters: the groups are a single cluster, and one says nothing of the "
            "variation between them"
        )


def groupings(groups: Any, columns: tuple[str, ...]) -> list[Any]:
    """The groupings in what a user gives: one of them, a list of them, or the columns of a matrix or frame.

    A list of strings is a list of column names when every one is a column, else one grouping's labels.
    """
    if isinstance(groups, (list, tuple)):
        scalars = all(np.isscalar(group) or group is None for group in groups)
        named = all(isinstance(group, str) and group in columns for group in groups)
        return list(groups) if named or not scalars else [np.asarray(groups, dtype=object)]
    if getattr(groups, "ndim", 1) == 2:
        take = groups.iloc if hasattr(groups, "iloc") else np.asarray(groups)  # columns of a frame keep their index
        return [take[:, j] for j in range(groups.shape[1])]
    return [groups]
