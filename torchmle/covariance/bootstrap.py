"""Covariance of the estimates over resampled rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ..errors import ConvergenceWarning
from ..fitting.resampling import case_weights, check_kind, cluster_weights, replicate, simulated
from .base import Covariance, Estimate
from .sandwich import cluster_codes

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Covariance):
    """Covariance of the estimates of samples: of rows or whole clusters drawn with replacement, or of simulated responses.

    Attributes
    ----------
    reps : int
    seed : int or None
    groups : column name, array or Series, optional
        Clusters.
    kind : {"case", "cluster", "parametric"}, optional
        "cluster" where there are groups, "case" otherwise; "parametric" draws responses from the fitted model.
    """

    options: ClassVar[tuple[str, ...]] = ("reps", "seed", "groups", "kind")
    reps: int = 999
    seed: Any = None
    groups: Any = None
    kind: str | None = None
    name: str = "bootstrap"

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if self.reps < 2:
            raise ValueError(f"reps must be 2 or more, not {self.reps}")
        check_kind(self.kind or ("case" if self.groups is None else "cluster"), self.groups)
        if self.groups is None:
            return model, self
        return model, replace(self, groups=model.row_column(self.groups, "groups"))

    def estimate(self, fit: Fit) -> Estimate:
        model, counts = fit.model, tuple[int, ...]()
        if self.kind == "parametric":
            found = simulated(fit, model.results_class(fit, None, None).sampler(), self.reps, self.seed)
        elif self.groups is None:
            found = replicate(fit, case_weights(model), self.reps, self.seed)
        else:
            codes, count = cluster_codes(self.groups, model.rows)
            draw, counts = cluster_weights(model, codes, count), (count,)
            found = replicate(fit, draw, self.reps, self.seed)
        if found.failures:
            warnings.warn(found.statement(), ConvergenceWarning, stacklevel=3)
        points = torch.stack([model._z(values) for values in found.values[~found.failed]])
        matrix = torch.atleast_2d(torch.cov(points.T))
        what = "simulated responses" if self.kind == "parametric" else f"{counts[0]} clusters" if counts else "rows"
        note = f"Standard Errors by the bootstrap, {len(points)} samples of {what}"
        return Estimate(self.scaled(matrix), note, None, counts)
