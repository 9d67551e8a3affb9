"""Predictive distributions: where a new observation will fall, given that the parameters are estimated.

The distribution of a new response at row i is the model's, averaged over the uncertainty of the row's linear predictors:

    ``F_i(y) = E[F(y; eta)]``,   eta ~ Normal(estimate, X_i V X_i')

by Gauss-Hermite quadrature, and its quantiles are the limits.  For a normal response of known variance that is exactly
the textbook interval with variance ``sigma^2 + se^2``; for others it is what that interval stands for, and it stays in the
support.  More than three linear predictors are averaged over by the spherical rule of degree three, the 2 m points
``+- sqrt(m)`` along the axes (Arasaratnam and Haykin 2009).  A dispersion estimated beside the likelihood (of a Gamma
GLM, say) is taken as known.  Limits of counts are counts, so that their coverage is at least the nominal one, up to the
error of the normal approximation.

Models say the distribution of their response by ``frozen(self, p, data, scale)``.  For those that do not, such as a
user's own, `by_numbers` finds it from the log-likelihood where that is the density of one response, and refuses it otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data import Data
from ...sums import row_map
from .by_numbers import distribution_of

if TYPE_CHECKING:
    from ...regression import RegressionModel

Array = NDArray[np.float64]
NODES = {1: 7, 2: 5, 3: 3}  # of each linear predictor
HALVINGS = 45
ROWS = 256  # whose distributions are found by numbers, or in tables, at once


class Quantiles:
    """What is known of new observations by the quantiles of their distribution."""

    def quantile(self, probability: float) -> Any:
        """The quantile in each row, (n,) or (n, c)."""
        raise NotImplementedError

    def interval(self, alpha: float = 0.05) -> Any:
        """Limits that hold a new observation with probability 1 - alpha, in the response's own values: (n, 2).

        Of a response of c parts, such as the indicators of categories, (n c, 2), row by row.
        """
        return np.column_stack([self.quantile(probability).ravel() for probability in (alpha / 2, 1 - alpha / 2)])


@dataclass(frozen=True, eq=False)
class Indicators(Quantiles):
    """New responses of 0 and 1, averaged over the normal error of their log odds.

    Attributes
    ----------
    linear, linear_se : ndarray (n,)
    """

    linear: Array
    linear_se: Array

    def quantile(self, probability: float) -> Array:
        from scipy import special, stats  # loaded late: they are slow to import

        nodes = [(float(node[0]), weight) for node, weight in quadrature(1)]
        parts = [
            (stats.bernoulli(special.expit(self.linear + node * self.linear_se)), weight) for node, weight in nodes
        ]
        return mixture_quantile(parts, probability)


@dataclass(frozen=True, eq=False)
class Predictive(Quantiles):
    """The distribution of new observations of some rows.

    Attributes
    ----------
    model : RegressionModel
    z : Tensor (k,)
        The estimate.
    covariance : Tensor (k, k) or None
        Its covariance; None takes the parameters as known.
    data : Data
    scale : float
        The dispersion, for models that have one beside their parameters.
    """

    model: RegressionModel
    z: Tensor
    covariance: Tensor | None
    data: Data
    scale: float

    @cached_property
    def _rows(self) -> Data:
        return self.data.to("cpu")

    @cached_property
    def _eta(self) -> Tensor:
        """Linear predictors, (m, n)."""
        z = self.z.to(self.data.device)
        return row_map(lambda block: torch.stack(self.model.eta(z, block), 1), self.data).T

    @cached_property
    def _root(self) -> Tensor:
        """Square roots of the covariance matrices of the linear predictors, (n, m, m)."""
        assert self.covariance is not None
        blocks, v = self.model.layout.blocks, self.covariance.to(self.data.device)

        def rows(block: Data) -> Tensor:
            one = torch.ones(block.n, 1, dtype=v.dtype, device=v.device)
            xs = [(part.reals, block.x.get(part.name, one)) for part in blocks]
            return torch.stack([((x @ v[a, b]) * y).sum(1) for a, x in xs for b, y in xs], 1)

        found = row_map(rows, self.data).reshape(-1, len(blocks), len(blocks))
        values, vectors = torch.linalg.eigh(found.nan_to_num(0.0))
        return vectors * values.clamp_min(0).sqrt()[:, None, :]

    def frozen(self, shift: Tensor | None = None) -> Any:
        """scipy's distribution at the estimate, or `shift` (m,) standard deviations from it.

        Raises
        ------
        ValueError
            The model does not say its distribution.
        """
        eta = self._eta if shift is None else self._eta + (self._root @ shift).T
        found = self.model.frozen(self.model.values(tuple(eta)), self._rows, self.scale)
        return distribution_of(self.model, eta, self._rows) if found is None else found

    def quantile(self, probability: float) -> Any:
        """The predictive distribution's quantile in each row, (n,) or (n, c)."""
        rows = self._known if len(self._known) else torch.arange(self.data.n)
        found = np.concatenate([part._mixed(probability) for part in self._pieces(rows)])
        whole = np.full((self.data.n, *found.shape[1:]), np.nan)
        if len(self._known):
            whole[rows.numpy()] = found
        return self.model.response_values(whole)

    @cached_property
    def _known(self) -> Tensor:
        """Positions of the rows in which nothing is missing, on the CPU."""
        return torch.nonzero(~self._eta.isnan().any(0).cpu())[:, 0]

    def _pieces(self, rows: Tensor) -> list[Predictive]:
        """These rows; in blocks where distributions are found by numbers, which take room."""
        size = len(rows) if len(rows) <= ROWS or self._closed() else ROWS
        if len(rows) == size == self.data.n:
            return [self]
        return [replace(self, data=self.data.take(part)) for part in rows.split(max(size, 1))]

    def _closed(self) -> bool:
        """Whether the model says its distribution, and scipy has it."""
        row = self._rows.take(torch.tensor([0]))
        return hasattr(self.model.frozen(self.model.values(tuple(self._eta[:, :1])), row, self.scale), "dist")

    @cached_property
    def _parts(self) -> list[tuple[Any, float]]:
        """The distributions that are averaged, with their weights."""
        if self.covariance is None:
            return [(self.frozen(), 1.0)]
        return [(self.frozen(node), weight) for node, weight in quadrature(len(self._eta))]

    def _mixed(self, probability: float) -> Array:
        return mixture_quantile(self._parts, probability)


def quadrature(m: int) -> list[tuple[Tensor, float]]:
    """Points and weights of the standard normal distribution in m dimensions."""
    if m not in NODES:
        axes = np.sqrt(m) * torch.eye(m, dtype=torch.float64)
        return [(sign * axis, 1 / (2 * m)) for axis in axes for sign in (-1.0, 1.0)]
    points, weights = np.polynomial.hermite_e.hermegauss(NODES[m])
    weights = weights / weights.sum()
    return [(torch.tensor([points[i] for i in chosen], dtype=torch.float64), float(np.prod(weights[list(chosen)])))
            for chosen in product(range(NODES[m]), repeat=m)]  # fmt: skip


def mixture_quantile(parts: list[tuple[Any, float]], probability: float) -> Array:
    """Quantiles (n,) of mixtures of distributions: between those of their parts, by bisection."""
    ends = np.stack([np.asarray(part.ppf(probability), float) for part, _ in parts])
    low, high = ends.min(0), ends.max(0)
    if len(parts) == 1:
        return low
    discrete = hasattr(parts[0][0], "pmf")
    low = low - 1 if discrete else low
    for _ in range(HALVINGS):
        middle = np.floor((low + high) / 2) if discrete else (low + high) / 2
        if not (high - low > (1 if discrete else 1e-12 * np.abs(high))).any():
            break
        below = sum(weight * np.asarray(part.cdf(middle), float) for part, weight in parts) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high
