"""Does a count model say how often each count occurs? Tests and plots of predicted probabilities, dispersion and zeros."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...inference.distributions import chi2_tail, two_sided
from ...plots.drawing import BLUE, GREY, VERMILION, clean, label_axes, new_axes

if TYPE_CHECKING:
    from .results import CountResults

Array = NDArray[np.float64]


class ProbabilityTest(NamedTuple):
    """A chi-squared test of predicted probabilities; `diff1` are the indicators of the bins less their probabilities."""

    statistic: float
    pvalue: float
    df: float
    diff1: Array


class ZeroTest(NamedTuple):
    """A score test of added zeros: normal; positive where there are more zeros than Poisson has."""

    statistic: float
    pvalue: float


@dataclass(frozen=True)
class DispersionTests:
    """Tests of a Poisson variance against several alternatives; unpacks as statistic, pvalue.

    Attributes
    ----------
    statistic, pvalue : ndarray
        Normal; positive where the counts vary more than Poisson's.
    method, alternative : list of str
    """

    statistic: Array
    pvalue: Array
    method: list[str]
    alternative: list[str]

    def __iter__(self) -> Any:
        return iter((self.statistic, self.pvalue))

    def summary_frame(self) -> pd.DataFrame:
        """One row for each test."""
        columns = ("statistic", "pvalue", "method", "alternative")
        return pd.DataFrame({name: getattr(self, name) for name in columns})


@dataclass(frozen=True)
class CountDiagnostic:
    """Observed against predicted frequencies of a fitted count model.

    Attributes
    ----------
    results : CountResults
    y_max : int, optional
        Largest count to look at; by default the largest seen.
    """

    results: CountResults
    y_max: int | None = None

    @cached_property
    def probs_predicted(self) -> Array:
        """Probability of each count from 0 in each row, (n, y_max + 1)."""
        return self._probabilities(self.y_max)

    def _probabilities(self, largest: int | None) -> Array:
        return self.results.predict_prob(None if largest is None else np.arange(largest + 1))

    @cached_property
    def _weights(self) -> Array:
        weights = self.results.model.rows.get("freq_weights")
        return np.ones(len(self.results.model.endog)) if weights is None else weights.cpu().numpy()

    def test_chisquare_prob(self, bin_edges: Any = None) -> ProbabilityTest:
        """Conditional moment test (Andrews 1988; as an outer-product regression Cameron and Trivedi 2013, section 5.3).

        The last bin is left out, since indicators of all add up to one.

        Parameters
        ----------
        bin_edges : array_like of int, optional
            Bin j holds the counts ``bin_edges[j] ... bin_edges[j + 1] - 1``; by default each count is a bin.
        """
        edges = None if bin_edges is None else np.asarray(bin_edges, dtype=int)
        probabilities = self._probabilities(self.y_max if edges is None else int(edges[-1]) - 1)
        seen = self.results.model.endog[:, None] == np.arange(probabilities.shape[1])
        difference = seen - probabilities
        if edges is not None:
            pairs = pairwise(edges)
            difference = np.column_stack([difference[:, low:high].sum(1) for low, high in pairs])
        scores, weights = self._scores(), self._weights
        moments = np.column_stack([scores, difference[:, :-1]])
        statistic, rank = _outer_product(moments, weights)
        df = float(rank - _outer_product(scores, weights)[1])
        return ProbabilityTest(statistic, float(chi2_tail(statistic, df)), df, difference)

    def _scores(self) -> Array:
        """Unweighted scores of the free parameters."""
        known = self.results._bse > 0  # not what is held, left out or at a boundary
        scores = self.results.score_obs()[:, known]
        return scores / np.where(self._weights > 0, self._weights, 1.0)[:, None]

    def plot_probs(self, label: str = "predicted", upp_xlim: float | None = None, ax: Any = None) -> Any:
        """Observed and predicted frequencies of each count, and the one over the other; returns the Figure."""
        expected = self._weights @ self.probs_predicted
        at = np.arange(len(expected))
        seen = np.array([self._weights[self.results.model.endog == y].sum() for y in at])
        axes = new_axes(ax, figsize=(9.0, 4.0), columns=2, layout="tight")
        axes[0].vlines(at, 0, seen, color=BLUE, linewidth=3, label="observed")
        axes[0].plot(at, expected, "o", color=VERMILION, markersize=5, label=label)
        axes[0].legend(frameon=False)
        label_axes(clean(axes[0]), "count", "rows")
        ends = [0, max(seen.max(), expected.max())]
        axes[1].plot(ends, ends, color=GREY, linestyle="--", linewidth=1)
        axes[1].plot(expected, seen, "o", color=BLUE, markersize=5)
        label_axes(clean(axes[1]), f"rows {label}", "rows observed")
        if upp_xlim is not None:
            axes[0].set_xlim(-0.5, upp_xlim)
        return axes[0].figure


@dataclass(frozen=True)
class PoissonDiagnostic(CountDiagnostic):
    """Tests of the Poisson variance and of its zeros."""

    def test_dispersion(self) -> DispersionTests:
        """Score tests of Dean (1992) and regressions of Cameron and Trivedi (1990), these also with HC3."""
        y, mu, w = self.results.model.endog, np.asarray(self.results.predict()), self._weights
        square = (y - mu) ** 2
        excess, n = (square - y) / mu, w.sum()
        spread = np.sqrt(2 * w @ mu**2)
        tests = [
            ("Dean A", "mu (1 + a mu)", w @ (square - mu) / spread),
            ("Dean B", "mu (1 + a mu)", w @ (square - y) / spread),
            ("Dean C", "mu (1 + a)", w @ excess / np.sqrt(2 * n)),
            ("CT nb2", "mu (1 + a mu)", _slope_test(excess, mu, w, robust=False)),
            ("CT nb1", "mu (1 + a)", _slope_test(excess, np.ones_like(mu), w, robust=False)),
            ("CT nb2 HC3", "mu (1 + a mu)", _slope_test(excess, mu, w, robust=True)),
            ("CT nb1 HC3", "mu (1 + a)", _slope_test(excess, np.ones_like(mu), w, robust=True)),
        ]
        statistic = np.array([float(value) for _, _, value in tests])
        names, alternatives = [name for name, _, _ in tests], [alternative for _, alternative, _ in tests]
        return DispersionTests(statistic, two_sided(statistic), names, alternatives)

    def test_poisson_zeroinflation(self) -> ZeroTest:
        """Score test of a constant share of added zeros (van den Broek 1995), its variance by projection on the scores."""
        y, mu, w = self.results.model.endog, np.asarray(self.results.predict()), self._weights
        odds = np.expm1(mu)  # (1 - p0) / p0
        score = w @ np.where(y == 0, odds, -1.0)
        x = self.results.model.exog
        cross = x.T @ (w * mu)
        variance = w @ odds - cross @ np.linalg.lstsq((x.T * (w * mu)) @ x, cross, rcond=None)[0]
        statistic = float(score / np.sqrt(variance))
        return ZeroTest(statistic, float(two_sided(np.array(statistic))))


def _outer_product(moments: Array, weights: Array) -> tuple[float, int]:
    """``1'M (M'M)^-1 M'1``, n R-squared of ones on moments, and the rank of M."""
    root = np.sqrt(weights)
    scaled = moments * root[:, None]
    scaled = scaled / np.maximum(np.linalg.norm(scaled, axis=0), np.finfo(float).tiny)
    fitted, _, rank, _ = np.linalg.lstsq(scaled, root, rcond=1e-12)
    return float(root @ (scaled @ fitted)), int(rank)


def _slope_test(y: Array, x: Array, w: Array, robust: bool) -> float:
    """t value of a regression through the origin, rows weighted by how often they count."""
    square = w @ x**2
    slope = w @ (x * y) / square
    residual = y - slope * x
    if robust:
        variance = w @ (x * residual / (1 - x**2 / square)) ** 2 / square**2
    else:
        variance = w @ residual**2 / (w.sum() - 1) / square
    return float(slope / np.sqrt(variance))
