"""Where fits of count models start: a Poisson fit for the mean, and guesses for what Poisson does not have."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...data import Data
from ...fitting import starts
from ...fitting.objective import Objective
from ...optim import maximize
from ...sums import row_sums
from ...transforms import Log
from .distributions import NOWHERE, CountDistribution, PoissonCounts
from .zero_inflation import ZeroInflatedCounts

if TYPE_CHECKING:
    from .counts import CountModel, Poisson

BARELY_DISPERSED, BARELY_INFLATED = 0.02, 0.05
SHRUNK = (1.0, 0.5, 0.1, 0.0)  # of a negative dispersion, until every row is possible


def mean_response(model: CountModel) -> float:
    """Mean of the response, weighted."""

    def total(block: Data) -> tuple[Tensor]:
        weights = block.get("freq_weights")
        return (block.y.sum() if weights is None else block.y @ weights,)

    return float(row_sums(total, model.rows)[0]) / model.nobs


def poisson_of(model: CountModel) -> Poisson:
    """The Poisson model of the same rows and the same main design."""
    from .counts import Poisson  # it is made of this file

    return _of_the_same_rows(model, Poisson, None)


def _of_the_same_rows(model: CountModel, kind: type, distribution: CountDistribution | None) -> Any:
    """A model of another distribution, by default its class's own, of the same rows and the designs of its parameters."""
    other: Any = object.__new__(kind)
    own = {
        name: value
        for name, value in vars(model).items()
        if not isinstance(getattr(type(model), name, None), cached_property)
    }
    vars(other).update({name: value for name, value in own.items() if name not in ("distribution", "parameters")})
    if distribution is not None:
        other.use(distribution)
    designs = {name: x for name, x in model.rows.x.items() if name in other.parameters}
    other.shift = {name: shift for name, shift in model.shift.items() if name in other.parameters}
    other._rows = model.rows.with_designs(designs).with_shift(other.shift)
    other.layout = other.make_layout()
    return other


def explanations(model: CountModel) -> list[Tensor]:
    """Two accounts of the zeros of counts that vary more than Poisson's, in z: added zeros alone, the dispersion alone.

    Each is the maximum of a model that has but the one.  A likelihood with both may have a maximum near either.
    """
    from .counts import CountModel  # it is made of this file

    base, inflation = model.distribution.base, model.distribution.inflation  # type: ignore[attr-defined]
    accounts = (
        (type(model), ZeroInflatedCounts(PoissonCounts(), inflation), ("alpha", BARELY_DISPERSED)),
        (CountModel, base, ("inflate", BARELY_INFLATED)),
    )
    found = []
    for kind, distribution, (missing, value) in accounts:
        simpler = _of_the_same_rows(model, kind, distribution)
        best = maximize(Objective(simpler, simpler.coordinates), simpler.start(), "newton", maxiter=50)
        point = torch.zeros(model.layout.size, dtype=torch.float64)
        for block in simpler.layout.blocks:
            point[model.layout.block(block.name).reals] = best.x[block.reals]
        if best.converged:
            real = float(model.parameters[missing].inverse(torch.tensor(value, dtype=torch.float64)))
            found.append(_with(model, point, missing, real))
    return found


def poisson_fit(model: CountModel) -> Tensor:
    """Coefficients of the Poisson fit in z, (k,)."""
    poisson = poisson_of(model)
    objective = Objective(poisson, poisson.coordinates)
    return maximize(objective, poisson.start(), "newton", maxiter=50).x


def start(model: CountModel) -> Tensor:
    """The likeliest of some points that share the mean of a Poisson fit, in z."""
    mean, layout = poisson_fit(model), model.layout
    point = torch.zeros(layout.size, dtype=torch.float64)
    point[layout.block("mu").reals] = mean
    points = [point]
    if "alpha" in model.parameters:
        points = [_with(model, point, "alpha", value) for value in _dispersions(model, point)]
    if "inflate" in model.parameters:
        points = [made for each in points for made in _with_inflation(model, each)]
    return starts.best(model, points)


def _dispersions(model: CountModel, point: Tensor) -> list[float]:
    """Real values of alpha to try: a scoring step from none at all, and rougher ones."""
    z = point.to(model.rows.device)

    def sums(block: Data) -> tuple[Tensor, ...]:
        weights, mu = block.get("freq_weights"), model.eta(z, block)[0].exp()
        weights = torch.ones_like(mu) if weights is None else weights
        score, information = model.distribution.first_dispersion(mu, block.y)
        return weights @ score, weights @ information

    score, information = (float(value) for value in row_sums(sums, model.rows))
    step = score / information if information > 0 else 0.0
    if isinstance(model.parameters["alpha"], Log):
        likely = [math.log(step), math.log(0.1 * step)] if step > 0 else []
        if step <= 0 and "inflate" not in model.parameters:  # added zeros hide what the counts are like without them
            likely = [NOWHERE]
        return [*likely, math.log(0.5), math.log(0.02)]
    return [share * step for share in SHRUNK]


def _with(model: CountModel, point: Tensor, name: str, value: float) -> Tensor:
    """The point with another constant in a predictor; as it is when that has none."""
    made = point.clone()
    position = starts.constant_position(model, name)
    if position is not None:
        made[position] = value
    return made


def _with_inflation(model: CountModel, point: Tensor) -> list[Tensor]:
    """Shares of added zeros that would explain the zeros seen, with and without the mean of the counts raised to match."""
    z = point.to(model.rows.device)

    def sums(block: Data) -> tuple[Tensor, ...]:
        weights, zero = block.get("freq_weights"), (block.y == 0).to(torch.float64)
        weights = torch.ones_like(zero) if weights is None else weights
        nothing = torch.zeros_like(zero)
        base = model.distribution.base.loglike(model.eta(z, block)[:-1], nothing, nothing).exp()  # type: ignore[attr-defined]
        return weights @ zero, weights @ base, weights.sum()

    zeros, expected, total = (float(value) for value in row_sums(sums, model.rows))
    excess = (zeros - expected) / max(total - expected, 1e-9 * total)
    made = []
    for share in {min(max(value, 0.02), 0.9) for value in (excess, 1.5 * excess, 0.3)}:
        real = float(model.parameters["inflate"].inverse(torch.tensor(share, dtype=torch.float64)))
        inflated = _with(model, point, "inflate", real)
        position = starts.constant_position(model, "mu")
        raised = (
            _with(model, inflated, "mu", float(inflated[position]) - math.log1p(-share))
            if position is not None
            else inflated
        )
        made += [inflated, raised]
    return made
