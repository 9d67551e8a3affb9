"""Cluster covariances by leaving out one cluster at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..fitting.objective import Objective
from ..fitting.resampling import own_weights
from ..linalg import invert_information
from .base import Covariance, Estimate
from .cluster import Cluster
from .sandwich import cluster_codes

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel

DETERMINED = 1e12  # condition of the scaled information without a cluster beyond which something is not identified


@dataclass(frozen=True, kw_only=True)
class Jackknife(Cluster):
    """``sum over clusters of d_g d_g'``, d_g the change in the estimate when cluster g is left out.

    About the estimate ("cluster-crv3": CV3 of MacKinnon, Nielsen and Webb 2023), or about the mean of the estimates
    without a cluster ("cluster-jk").  Exact for least squares; other models are fitted again, G times.  Changes are taken where
    parameters are free, such as log alpha; the delta method carries them to the reported scale, as under every kind.

    Attributes
    ----------
    use_correction : bool
        Multiply by (G - 1) / G.
    """

    options: ClassVar[tuple[str, ...]] = ("groups", "use_correction", "df_correction")
    name: str = "cluster-jk"

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        model, bound = super().bind(model)
        assert isinstance(bound, Jackknife)
        if len(bound.groups) > 1:
            raise NotImplementedError(f"cov_type={self.name!r} takes one grouping; use 'cluster' for several")
        if model.rows.group is not None:
            raise ValueError(f"cov_type={self.name!r} needs all rows in one process; use cluster")
        return model, bound

    def estimate(self, fit: Fit) -> Estimate:
        codes, count = cluster_codes(self.groups[0], fit.model.rows)
        points = torch.stack([self._without(fit, codes, group) for group in range(count)])
        centre = fit.optimum.x if self.name == "cluster-crv3" else points.mean(0)
        changes = points - centre
        factor = (count - 1) / count if self.use_correction else 1.0
        matrix = fit.coordinates.spread(changes.T @ changes) * factor
        kind = "(CRV3)" if self.name == "cluster-crv3" else "by the jackknife"
        used = f"small-sample factor {factor:.6g}" if self.use_correction else "no small-sample factor"
        note = f"Standard Errors are robust to cluster correlation {kind}; {count} clusters, {used}"
        df = None if self.df_correction is False else float(count - 1)
        return Estimate(self.scaled(matrix), note, df, (count,))

    def _without(self, fit: Fit, codes: np.ndarray, group: int) -> Tensor:
        """Free coordinates of the estimate without a cluster."""
        model, x = fit.model, fit.optimum.x
        inside = codes == group
        _, score, hessian = model.sums(fit.z, 2, model.rows.take(np.flatnonzero(inside)))
        coordinates = fit.coordinates
        rest = invert_information(-fit.optimum.hessian + coordinates.free_hessian(hessian))
        if not rest.condition < DETERMINED:
            label = str(self.groups[0][inside][0])
            raise ValueError(
                f"without the rows of cluster {label!r} the design is rank-deficient, as with a dummy for that cluster, so "
                f"cov_type={self.name!r} is not defined; use 'cluster'"
            )
        if model.linear:
            return x - rest.matrix @ coordinates.free_gradient(score)
        reduced = model.reweighted(np.where(inside, 0.0, own_weights(model)))
        optimum = reduced.maximize(
            Objective(reduced, coordinates), x, "newton", names=coordinates.free_names(model.layout)
        )
        if not optimum.converged:
            label = str(self.groups[0][inside][0])
            raise ValueError(f"without the rows of cluster {label!r}: {optimum.message}")
        return optimum.x
