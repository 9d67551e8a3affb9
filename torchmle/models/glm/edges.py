"""The best point of a model whose log-likelihood rises towards the edge of its link's domain, by a barrier.

Means have a range, and a link that does not stretch it over the whole line leaves linear predictors one: probabilities
below one under a log link, positive counts under the identity.  The maximum of
``l + t sum_i log(distance of row i to the edges)`` lies inside for every t > 0, and goes to the maximum within the closed
domain as t falls (Fiacco and McCormick 1968); at t the log-likelihood lacks at most t for each row and edge.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ...data import Data
from ...families import Binomial, Family
from ...fitting.columns import columns_times
from ...fitting.edge_separation import End
from ...fitting.objective import Objective
from ...fitting.separable import columns_of
from ...optim import Optimum, Status, maximize
from ...optim.recession import interior
from ...regression import RegressionModel
from ...sums import row_map, row_sums

HEIGHTS = tuple(10.0**-power for power in range(10))
STEPS = 50  # at each height
FAR_OUT = 500.0  # linear predictor of a mean that is zero, or one, at infinity
NEAR = 1e-4  # of a linear predictor to an end; a barrier leaves less
BACK = (0.0, 0.5, 0.9, 0.99)  # of the way from a point inside to the edge


def edges(family: Family) -> tuple[float, float]:
    """Lowest and highest linear predictor that a family's means leave to its link; infinite where there is no end."""
    low, high = (0.0, 1.0) if isinstance(family, Binomial) else (family.lowest_mean, math.inf)
    transform = family.link.transform
    if math.isnan(float(transform(torch.tensor(-1.0, dtype=torch.float64)))):  # a root, which means alone do not bound
        low = max(low, transform.domain[0])
    ends = transform.inverse(torch.tensor([low, high], dtype=torch.float64))
    found = sorted(math.copysign(math.inf, end) if math.isnan(end) else end for end in ends.tolist())
    whole = math.isnan(float(ends[0])) or found[0] == found[1]  # the two halves of 1 / mu are no interval
    return (-math.inf, math.inf) if whole else (found[0], found[1])


def ends(family: Family) -> list[End]:
    """The ends of a family's range of means, each with its linear predictor."""
    predictors = torch.tensor(edges(family), dtype=torch.float64)
    means = family.link.transform(predictors).tolist()
    return [End(*values) for values in zip(predictors.tolist(), means, (-1.0, 1.0), strict=True)]


class Fenced:
    """A log-likelihood with a barrier in front of the edges, to be maximised.

    Parameters
    ----------
    objective : Objective
    low, high : float
        The edges.
    height : float
        What multiplies the barrier.
    """

    def __init__(self, objective: Objective, low: float, high: float, height: float):
        self.objective, self.low, self.high, self.height = objective, low, high, height
        self.size, self.n = objective.size, objective.n

    def value(self, x: Tensor) -> Tensor:
        return self.objective.value(x) + self.height * self._barrier(x)[0]

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, score = self.objective.gradient(x)
        fence, slope, _ = self._barrier(x)
        return value + self.height * fence, score + self.height * slope

    def hessian(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, score, hessian = self.objective.hessian(x)
        fence, slope, bend = self._barrier(x)
        return value + self.height * fence, score + self.height * slope, hessian + self.height * bend

    def batch_gradient(self, x: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("a barrier is climbed by Newton's method alone")

    def _barrier(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sum of the logarithms of the distances, with derivatives in free coordinates."""
        model, coordinates = self.objective.model, self.objective.coordinates
        assert isinstance(model, RegressionModel)
        z = coordinates.z(x).to(model.rows.device)
        name = next(iter(model.parameters))

        def sums(block: Data) -> tuple[Tensor, ...]:
            eta, counts = model.eta(z, block)[0], block.get("freq_weights")
            total, first, second = torch.zeros_like(eta), torch.zeros_like(eta), torch.zeros_like(eta)
            for end, side in ((self.low, 1.0), (self.high, -1.0)):
                if math.isfinite(end):
                    distance = side * (eta - end)
                    total, first, second = total + distance.log(), first + side / distance, second - distance**-2
            present = torch.ones_like(eta) if counts is None else counts
            here = torch.where(present > 0, total, 0.0)
            return (
                (present * here).sum(),
                columns_times(block.x.get(name), present * first),
                model.assemble(((second,),), block),
            )

        value, slope, bend = row_sums(sums, model.rows)
        return value.cpu(), coordinates.free_gradient(slope.cpu()), coordinates.free_hessian(bend.cpu())


def _fence(end: End) -> float:
    """The predictor at an end; a far one where that is infinite and its mean is not, so that no search goes on for ever."""
    far = math.isinf(end.predictor) and math.isfinite(end.mean)
    return end.sign * FAR_OUT if far else end.predictor


def best_within(objective: Objective, start: Tensor, found: Optimum, family: Family) -> Optimum:
    """What a search that met an edge found, moved to the best point of the domain."""
    low, high = edges(family)
    if math.isinf(low) and math.isinf(high):
        return found
    low, high = (_fence(end) for end in ends(family))
    x, iterations, evaluations = start, found.iterations, found.evaluations
    for height in HEIGHTS:
        fenced = Fenced(objective, low, high, height)
        if not math.isfinite(fenced.value(x).item()):
            return found
        step = maximize(fenced, x, "newton", maxiter=STEPS, tol=min(1e-6, height))
        x, iterations, evaluations = step.x, iterations + step.iterations, evaluations + step.evaluations
    value, gradient, hessian = objective.hessian(x)
    if not value.item() > found.value:
        return found
    return replace(
        found, x=x, value=value.item(), gradient=gradient, hessian=hessian, status=Status.EDGE,
        iterations=iterations, evaluations=evaluations,
    )  # fmt: skip


def recovered(objective: Objective, lost: Optimum, family: Family) -> Optimum:
    """What becomes of a search that lost its way inside the domain: the best point at an edge, or a maximum within."""
    best = best_within(objective, lost.x, lost, family)
    if best is lost or _at_an_end(objective, best.x, family):
        return best
    inside = maximize(objective, best.x, "newton", maxiter=STEPS, names=lost.names)
    return replace(inside, method=lost.method) if inside.converged else lost


def _at_an_end(objective: Objective, x: Tensor, family: Family) -> bool:
    """Whether a row's linear predictor is at a finite end of its range."""
    matrix, level = _predictors(objective)
    eta = matrix @ x + level
    return any(float((eta - end).abs().min()) < NEAR for end in edges(family) if math.isfinite(end))


def start_within(objective: Objective, start: Tensor, family: Family) -> Tensor | None:
    """A start at which every row's linear predictor is within the edges, found by a linear programme.

    Of some points on the way from one inside to the start given, as far as that stays inside, the one with the highest
    log-likelihood.

    Returns
    -------
    Tensor or None
        (f,); None where no parameters keep all rows inside.
    """
    low, high = edges(family)
    if math.isinf(low) and math.isinf(high):
        return start
    matrix, level = _predictors(objective)
    sides = [(side, side * end) for side, end in ((1.0, low), (-1.0, high)) if math.isfinite(end)]
    rows = torch.cat([side * matrix for side, _ in sides])
    limits = torch.cat([side * level - end for side, end in sides])
    inside = interior(rows, limits)
    if inside is None:
        return None
    way = start - inside if bool(torch.isfinite(start).all()) else torch.zeros_like(inside)
    before, change = rows @ inside + limits, rows @ way
    reach = min(1.0, float(torch.where(change < 0, -before / change, torch.inf).min()))
    points = [inside + share * reach * way for share in BACK]
    values = [objective.value(point).nan_to_num(-torch.inf, -torch.inf, -torch.inf) for point in points]
    return points[int(torch.stack(values).argmax())]


def _predictors(objective: Objective) -> tuple[Tensor, Tensor]:
    """First linear predictors as ``matrix @ phi + level``, (n, f) and (n,), on the CPU."""
    model, coordinates = objective.model, objective.coordinates
    assert isinstance(model, RegressionModel)
    name, origin = next(iter(model.parameters)), coordinates.z(torch.zeros(coordinates.size, dtype=torch.float64))
    basis = torch.eye(len(origin), dtype=torch.float64) if coordinates.basis is None else coordinates.basis
    z = origin.to(model.rows.device)
    level = row_map(lambda block: model.eta(z, block)[0].to(torch.float64), model.rows)
    one = torch.ones(model.rows.n, 1, dtype=torch.float64)
    x = columns_of(model.rows, name) if name in model.rows.x else one
    return x @ basis, level
