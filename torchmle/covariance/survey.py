"""Covariances of a sampling design: strata, primary sampling units, finite populations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .base import Covariance, Estimate, refuse_unknown
from .cluster import complete_columns
from .sandwich import bread, cluster_codes, cluster_totals, sandwich

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel

LONELY = ("raise", "certainty", "adjust")


@dataclass(frozen=True, kw_only=True)
class Survey(Covariance):
    """Linearisation for stratified samples of primary sampling units (Binder 1983).

    With t_hj the sum of the weighted scores of unit j in stratum h, f_h the sampled share of the units:
    ``A [sum_h (1 - f_h) n_h / (n_h - 1) sum_j (t_hj - mean_h) (t_hj - mean_h)'] A``.  Sampling weights belong to the model
    (``sampling_weights=``), for the estimates depend on them too.

    Attributes
    ----------
    strata, psu : column name or array, optional
        Without strata there is one; without units each row is its own.  Units are numbered within strata.
    fpc : column name or array, optional
        Units in the population of the row's stratum, or the share of them that was sampled.
    lonely_psu : {"raise", "certainty", "adjust"}
        A stratum with one unit is refused, adds nothing, or varies about the mean of all units.
    convention : {"statsmodels", "R", "stata", "none"}
        "R" takes the bread of the expected information.
    """

    options: ClassVar[tuple[str, ...]] = ("strata", "psu", "fpc", "lonely_psu", "convention")
    name: str = "survey"
    strata: Any = None
    psu: Any = None
    fpc: Any = None
    lonely_psu: str = "raise"
    convention: str = "statsmodels"

    def __post_init__(self) -> None:
        refuse_unknown(self.convention)
        if self.lonely_psu not in LONELY:
            raise ValueError(f"lonely_psu must be one of {', '.join(LONELY)}, not {self.lonely_psu!r}")

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if model.rows.group is not None:
            raise ValueError("cov_type='survey' needs all rows in one process; use cluster")
        given = [name for name in ("strata", "psu", "fpc") if getattr(self, name) is not None]
        model, columns = complete_columns(model, [getattr(self, name) for name in given], " or ".join(given))
        found: dict[str, Any] = dict(zip(given, columns, strict=True))
        return model, replace(self, **found)

    def estimate(self, fit: Fit) -> Estimate:
        rows = fit.model.rows
        one = np.zeros(rows.n, dtype=np.int64)
        strata, n_strata = (one, 1) if self.strata is None else cluster_codes(self.strata, rows)
        psu = np.arange(rows.n) if self.psu is None else cluster_codes(self.psu, rows)[0]
        units, n_units = cluster_codes(strata * (int(psu.max()) + 1) + psu, rows)
        totals = cluster_totals(fit, units, n_units)
        first = np.full(n_units, -1)
        counted = counted_rows(rows.get("freq_weights"), rows.n)
        first[units[counted]] = counted
        fractions = np.zeros(n_units) if self.fpc is None else np.asarray(self.fpc, dtype=float)[first]
        filling = self._filling(totals, torch.as_tensor(strata[first]), n_strata, torch.as_tensor(fractions))
        matrix = sandwich(bread(fit, self.convention == "R"), filling)
        note = f"Standard Errors by linearisation for a survey of {n_units} sampling units in {n_strata} strata"
        return Estimate(self.scaled(matrix), note, float(n_units - n_strata), (n_units,))

    def _filling(self, totals: Tensor, strata: Tensor, count: int, given: Tensor) -> Tensor:
        sizes = torch.bincount(strata, minlength=count).double()
        means = totals.new_zeros(count, totals.shape[1]).index_add_(0, strata, totals) / sizes[:, None]
        factors = sizes / (sizes - 1)
        lonely = sizes == 1
        if bool(lonely.any()):
            factors, means = self._alone(lonely, factors, means, totals)
        free = 1 - torch.where(given > 1, sizes[strata] / given, given)
        if bool((free < 0).any()):
            raise ValueError("fpc must be a share between 0 and 1 or no less than the sampled units of the stratum")
        centred = totals - means[strata]
        return centred.T @ (centred * (factors[strata] * free)[:, None])

    def _alone(self, lonely: Tensor, factors: Tensor, means: Tensor, totals: Tensor) -> tuple[Tensor, Tensor]:
        """Factors and centres where strata have a single unit."""
        if self.lonely_psu == "raise":
            raise ValueError(
                f"{int(lonely.sum())} strata have a single sampling unit, which says nothing of the variation within them; "
                "merge strata, or say lonely_psu='certainty' or 'adjust'"
            )
        if self.lonely_psu == "certainty":
            return torch.where(lonely, 0.0, factors), means
        return torch.where(lonely, 1.0, factors), torch.where(lonely[:, None], totals.mean(0), means)


def counted_rows(weights: Tensor | None, n: int) -> np.ndarray:
    """Positions of the rows that count."""
    return np.arange(n) if weights is None else np.flatnonzero(weights.cpu().numpy() > 0)
