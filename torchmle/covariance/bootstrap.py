"""Covariance of the estimates over resampled rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ..errors import ConvergenceWarning
from ..fitting.resampling import case_weights, cluster_weights, replicate
from .base import Covariance, Estimate
from .sandwich import cluster_codes

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Covariance):
    """Covariance of the estimates of samples drawn with replacement: of rows, or with `groups` of whole clusters.

    Attributes
    ----------
    reps : int
    seed : int or None
    groups : column name, array or Series, optional
    """

    options: ClassVar[tuple[str, ...]] = ("reps", "seed", "groups")
    reps: int = 999
    seed: Any = None
    groups: Any = None
    name: str = "bootstrap"

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if self.reps < 2:
            raise ValueError(f"reps must be 2 or more, not {self.reps}")
        if self.groups is None:
            return model, self
        return model, replace(self, groups=model.row_column(self.groups, "groups"))

    def estimate(self, fit: Fit) -> Estimate:
        model, counts = fit.model, tuple[int, ...]()
        if self.groups is None:
            draw = case_weights(model)
        else:
            codes, count = cluster_codes(self.groups, model.rows)
            draw, counts = cluster_weights(model, codes, count), (count,)
        found = replicate(fit, draw, self.reps, self.seed)
        if found.failures:
            warnings.warn(found.statement(), ConvergenceWarning, stacklevel=3)
        points = torch.stack([model._z(values) for values in found.values[~found.failed]])
        matrix = torch.atleast_2d(torch.cov(points.T))
        what = f"{counts[0]} clusters" if counts else "rows"
        note = f"Standard Errors by the bootstrap, {len(points)} samples of {what}"
        return Estimate(self.scaled(matrix), note, None, counts)
