"""Where a fit starts: a few cheap guesses from the data, of which the most likely is taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compute.threads import small_on_one_thread
from ..data import Data
from ..optim.verdict import beyond
from ..sums import row_sums
from ..transforms import Identity, Transform

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel
    from ..regression import RegressionModel

SAMPLE_ROWS = 20_000
COLLINEAR = 1e10  # condition number of normal equations above which the shortest solution is taken


def best(model: LikelihoodModel, points: list[Tensor]) -> Tensor:
    """The point with the highest log-likelihood on a sample of the rows; the last when none is finite."""
    data = model.rows
    if data.n > SAMPLE_ROWS:
        data = data.take(torch.arange(0, data.n, data.n // SAMPLE_ROWS))
    values = torch.stack([model.sums(point, 0, data)[0] for point in points])
    values = torch.where(torch.isfinite(values), values, torch.full_like(values, -torch.inf))
    return points[int(values.argmax())] if bool((values > -torch.inf).any()) else points[-1]


def free_standing(model: LikelihoodModel) -> list[Tensor]:
    """Guesses for parameters that stand alone: the centre and the spread of the response, or zero."""
    zero = torch.zeros(model.layout.size, dtype=torch.float64)
    y = model.rows.response
    if y is None or y.ndim != 1:
        return [zero]
    centre, spread = moments(model.rows)
    guess = zero.clone()
    for block in model.layout.blocks:
        if isinstance(block.transform, Identity):
            guess[block.reals] = centre
        elif isinstance(block.transform, Transform) and spread > 0:
            guess[block.reals] = _middle(block.transform, spread)
    return [guess, zero]


def candidates(model: RegressionModel) -> list[Tensor]:
    """Guesses for any regression model: location from the response, scales of one or of its spread, then zero."""
    zero = torch.zeros(model.layout.size, dtype=torch.float64)
    y = model.rows.response
    if y is None or y.ndim != 1 or not y.is_floating_point():
        return [zero]
    points = []
    for location, spread in _locations(model):
        for scale in {1.0, spread}:
            points.append(with_scale(model, location.clone(), scale))
    return [*points, zero]


def _locations(model: RegressionModel) -> list[tuple[Tensor, float]]:
    """First predictors that fit the response roughly, with the spread they leave."""
    name, transform = next(iter(model.parameters.items()))
    block = model.layout.block(name)
    zero = torch.zeros(model.layout.size, dtype=torch.float64)
    mean, spread = moments(model.rows)
    found = [(zero, spread)]
    position = constant_position(model, name)
    if position is not None:
        natural = transform.inverse(torch.tensor(mean, dtype=torch.float64))
        if bool(torch.isfinite(natural)):
            flat = zero.clone()
            flat[position] = natural
            found.insert(0, (flat, found[0][1]))
    if isinstance(transform, Identity) and name in model.rows.x:
        regression = least_squares(model)
        fitted = zero.clone()
        fitted[block.reals] = regression.coefficients
        found.insert(0, (fitted, regression.spread))
    return [(point, spread) for point, spread in found if bool(torch.isfinite(point).all())]


def with_scale(model: RegressionModel, point: Tensor, scale: float) -> Tensor:
    """Constant terms of the other predictors: the scale where they are positive, the middle elsewhere."""
    for name, transform in list(model.parameters.items())[1:]:
        position = constant_position(model, name)
        if position is not None and scale > 0:
            point[position] = _middle(transform, scale)
    return point


def _middle(transform: Transform, scale: float) -> float:
    low, high = transform.domain
    if low == 0 and high == torch.inf:
        return float(transform.inverse(torch.tensor(scale, dtype=torch.float64)))
    return 0.0


def constant_position(model: RegressionModel, name: str) -> int | None:
    """Where the constant term of a predictor stands in z."""
    start = model.layout.block(name).reals.start
    if name not in model.rows.x:
        return start
    return start + model.intercepts[name] if name in model.intercepts else None


@dataclass(frozen=True)
class Regression:
    """Least squares of the response on the first design, and the sums that determine it.

    Attributes
    ----------
    anchor : Tensor
        (k,) coefficients near the solution, at which the residuals r are taken.
    gram, moment, square : Tensor
        ``X'WX`` (k, k), ``X'Wr`` (k,) and ``r'Wr`` ().
    weight : float
        Number of observations.
    """

    anchor: Tensor
    gram: Tensor
    moment: Tensor
    square: Tensor
    weight: float

    @cached_property
    def coefficients(self) -> Tensor:
        """The solution: regressing the residuals restores the digits that cancelled in the anchor."""
        return self.anchor + solve(self.gram, self.moment)

    @property
    def spread(self) -> float:
        """Root mean square of the residuals; regressing them changes it too little to show."""
        return float((self.square / self.weight).sqrt())

    @property
    def perfect(self) -> bool:
        """Whether what is left of the response is rounding error, ten digits below what was fitted."""
        fitted = self.anchor @ self.gram @ self.anchor
        return bool(self.square <= 1e-20 * fitted)


def least_squares(model: RegressionModel) -> Regression:
    """Least squares of the response on the first design, in two passes."""

    def response(data: Data) -> tuple[None, Tensor]:
        offset = data.get("offset")
        return None, data.y if offset is None else data.y - offset

    gram, moment = normal_equations(model, response)
    anchor = solve(gram, moment)
    name = next(iter(model.parameters))

    def left(block: Data) -> tuple[Tensor, Tensor]:
        frequency = block.get("freq_weights")
        residual = response(block)[1] - block.x[name] @ anchor.to(block.device)
        counted = residual if frequency is None else residual * frequency
        return residual @ counted, block.x[name].T @ counted

    square, moment = row_sums(left, model.rows)
    return Regression(anchor, gram, moment, square, total_weight(model.rows))


def weighted_least_squares(model: RegressionModel, working: object) -> Tensor:
    """Coefficients (k,) of a weighted regression on the first design, in one pass.

    Parameters
    ----------
    working : callable
        From a block to its weights (n,), None for ones, and its working response (n,).
    """
    return solve(*normal_equations(model, working))


def normal_equations(model: RegressionModel, working: object) -> tuple[Tensor, ...]:
    """``X'WX`` (k, k) and ``X'Wy`` (k,) of the first design; arguments as for `weighted_least_squares`."""
    name = next(iter(model.parameters))

    def moments(block: Data) -> tuple[Tensor, Tensor]:
        weight, response = working(block)  # type: ignore[operator]
        frequency, x = block.get("freq_weights"), block.x[name]
        if frequency is not None:
            weight = frequency if weight is None else weight * frequency
        wx = x if weight is None else x * weight[:, None]
        return x.T @ wx, wx.T @ response

    return row_sums(moments, model.rows)


@small_on_one_thread
def solve(gram: Tensor, moment: Tensor) -> Tensor:
    """Solution of normal equations on scaled columns, the shortest when they are collinear; NaN where they are not finite."""
    if not bool(torch.isfinite(gram).all() & torch.isfinite(moment).all()):
        return torch.full_like(moment, torch.nan)
    scale = gram.diagonal().clamp_min(torch.finfo(torch.float64).tiny).rsqrt()
    scaled, right = gram * scale[:, None] * scale, (scale * moment)[:, None]
    factor, failed = torch.linalg.cholesky_ex(scaled)
    if failed.item() or beyond(COLLINEAR, scaled, factor):
        return scale * torch.linalg.lstsq(scaled, right, driver="gelsd").solution[:, 0]
    return scale * torch.cholesky_solve(right, factor)[:, 0]


def moments(data: Data) -> tuple[float, float]:
    """Mean and standard deviation of the response, weighted, over all processes."""

    def sums(centre: float) -> tuple[Tensor, ...]:
        def block_sums(block: Data) -> tuple[Tensor, ...]:
            y, weights = block.y - centre, block.get("freq_weights")
            weights = torch.ones_like(y) if weights is None else weights
            return weights.sum(), weights @ y, weights @ y.square()

        return row_sums(block_sums, data)

    weight, first, _ = sums(0.0)
    mean = float(first / weight)
    weight, _, second = sums(mean)
    return mean, float((second / weight).sqrt())


def mean_offset(data: Data) -> float:
    """Mean of the offset, weighted; 0 where there is none."""
    if "offset" not in data.columns:
        return 0.0

    def sums(block: Data) -> tuple[Tensor]:
        weights, offset = block.get("freq_weights"), block.columns["offset"].to(torch.float64)
        return (offset.sum() if weights is None else offset @ weights,)

    return float(row_sums(sums, data)[0]) / total_weight(data)


def total_weight(data: Data) -> float:
    """Number of observations: rows, or the sum of their frequency weights, over all processes."""
    if "freq_weights" not in data.columns and data.group is None:
        return float(data.n)

    def count(block: Data) -> tuple[Tensor]:
        weights = block.get("freq_weights")
        return (torch.tensor(float(block.n), dtype=torch.float64) if weights is None else weights.sum(),)

    found = float(row_sums(count, data)[0])
    return float(round(found)) if "sampling_weights" in data.columns else found  # whose mean is 1 but for rounding
