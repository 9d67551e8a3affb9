"""The maximum of a model's log-likelihood under what is said of its parameters: where to start, what to leave out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import FitInterrupted, RankError, SpecificationWarning
from ..linalg import invert_information
from ..optim import Optimum, Status
from ..optim.verdict import well_conditioned
from .bounded import within_bounds
from .constraints import Restrictions
from .coordinates import Coordinates, fixed_entries, hold, restrict
from .objective import Objective
from .sampling import start_from_sample

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel

NOTHING: Mapping[int, float] = MappingProxyType({})
LOST = (
    Status.DIVERGING,
    Status.EDGE,
    Status.LINE_SEARCH_FAILED,
    Status.SINGULAR,
    Status.NOT_DEFINITE,
    Status.PRECISION,
)
SAME = 1e-9  # of the log-likelihood, within which two values are the same
SUSPICIOUS = 1e10  # condition of the scaled information at the start above which the columns' rank is looked at


def maximum(
    model: LikelihoodModel,
    restrictions: Restrictions,
    start_params: Any,
    method: str,
    boundary: Mapping[int, float] = NOTHING,
    **options: Any,
) -> tuple[Objective, Optimum]:
    """The objective and its maximum.

    Parameters
    ----------
    model : LikelihoodModel
    restrictions : Restrictions
    start_params : array_like or None
        Reported values to start from.
    method : str
    boundary : mapping of int to float
        Entries of theta held at the boundary of their range.
    **options
        Of the method.

    Raises
    ------
    FitInterrupted
        With what was reached, by name.
    """

    def solve(asked: Restrictions, z: Tensor | None) -> tuple[Objective, Optimum]:
        objective, start = beginning(model, asked, z, boundary)
        names = objective.coordinates.free_names(model.layout)
        try:
            return objective, model.maximize(objective, start, method, names=names, **options)
        except FitInterrupted as stop:
            raise FitInterrupted(str(stop), stop.optimum, _reached(model, objective, stop.optimum)) from None

    try:
        z = None if start_params is None else _start_of(model, start_params)
        objective, optimum = solve(restrictions, z)
    except FitInterrupted:
        raise
    except KeyboardInterrupt:
        raise FitInterrupted("fit interrupted before its first iteration") from None
    if z is not None and optimum.status in LOST:
        objective, optimum = _from_the_data(model, (objective, optimum), lambda: solve(restrictions, None))
    elif optimum.status in LOST and (len(restrictions.held) > len(model.fixed_values) or len(restrictions.matrix)):
        objective, optimum = _from_the_free_maximum(model, (objective, optimum), restrictions, solve)
    if not restrictions.bounds:
        return objective, optimum
    return within_bounds(restrictions, objective, optimum, solve)


def _start_of(model: LikelihoodModel, start_params: Any) -> Tensor:
    z = model._z(start_params)
    for entry, value in model.at_boundary(z).items():  # reported as infinite, perhaps
        z[entry] = value
    if bool(z.isinf().any()) or np.isnan(np.asarray(start_params, dtype=float)).any():
        raise ValueError(f"start_params must be finite, not {list(start_params)}")
    return z


def _from_the_data(
    model: LikelihoodModel, lost: tuple[Objective, Optimum], again: Callable[[], tuple[Objective, Optimum]]
) -> tuple[Objective, Optimum]:
    """What a search that lost its way from the user's start finds from the model's own, where that is a maximum as high.

    So far out likelihoods are flat or overflow, and a search there tells of the start, not of the data.
    """
    found, rounding = again(), SAME * max(1.0, abs(lost[1].value))
    if not found[1].converged or found[1].value < lost[1].value - rounding:
        return lost
    higher = found[1].value > lost[1].value + rounding  # else the search was on its way to a boundary, and nearly there
    if higher and not model.secondary:
        warnings.warn(
            f"the search from start_params ended without a maximum (log-likelihood {lost[1].value:.6g}, "
            f"{lost[1].status.name}); the estimates are those found from the model's own start",
            SpecificationWarning,
            stacklevel=5,
        )
    return found


def _from_the_free_maximum(
    model: LikelihoodModel,
    lost: tuple[Objective, Optimum],
    restrictions: Restrictions,
    solve: Callable[[Restrictions, Tensor | None], tuple[Objective, Optimum]],
) -> tuple[Objective, Optimum]:
    """What a restricted search that lost its way finds from the maximum without the restrictions, where that is higher.

    The model's own start knows nothing of what is held, and may be far out under it, where a likelihood that is not concave
    (inverse Gaussian, log link) is flat.
    """
    held = fixed_entries(model.layout, model.fixed_values)
    objective, free = solve(
        replace(restrictions, held=held, matrix=restrictions.matrix[:0], values=restrictions.values[:0]), None
    )
    if not free.converged:
        return lost
    near = nearest(lost[0], objective.coordinates.z(free.x))
    found = solve(restrictions, lost[0].coordinates.z(near))
    return found if found[1].converged and found[1].value >= lost[1].value else lost


def _reached(model: LikelihoodModel, objective: Objective, optimum: Optimum | None) -> dict[str, float] | None:
    """Reported values by name at the point where a search was interrupted."""
    if optimum is None:
        return None
    theta = objective.coordinates.theta(objective.coordinates.z(optimum.x))
    return dict(zip(model.layout.names, model.layout.natural(theta).tolist(), strict=True))


def beginning(
    model: LikelihoodModel, restrictions: Restrictions, z: Tensor | None, boundary: Mapping[int, float] = NOTHING
) -> tuple[Objective, Tensor]:
    """The function to maximise and where to start: collinear columns and what is held are taken out."""

    def coordinates(dropped: tuple[int, ...] = ()) -> Coordinates:
        held = hold(model.coordinates, restrictions.all_held, dropped, boundary)
        return restrict(held, restrictions.matrix, restrictions.values)

    chosen = coordinates()
    given = z is not None
    if z is None:
        z = start_from_sample(model, chosen)
    if z is None:
        z = model.start()
    reached = {entry: value for entry, value in model.at_boundary(z).items() if entry not in restrictions.all_held}
    if reached:
        boundary = {**boundary, **reached}
        chosen = coordinates()
    objective = Objective(model, chosen)
    start = chosen.phi(z) if given or not chosen.tied else nearest(objective, z)
    if _singular(objective, start):
        aliased = [index for index in model.aliased() if index not in restrictions.all_held]
        told = restrictions.matrix[:, aliased].any(0) if restrictions.rank != "pinv" else torch.zeros(len(aliased))
        spoken_of = [index for index, equation in zip(aliased, told, strict=True) if bool(equation)]
        dropped = tuple(index for index in aliased if index not in spoken_of)
        if dropped:
            objective = Objective(model, _without(model, restrictions, z, dropped, coordinates))
            start = objective.coordinates.phi(z)
        if spoken_of and _singular(objective, start):
            names = ", ".join(model.layout.real_names[index] for index in spoken_of)
            raise ValueError(
                f"the constraints leave {names} undetermined, linear combinations of other columns; leave them out of the "
                "model and of the constraints"
            )
    return objective, start if given else model.start_within(objective, start)


def _without(
    model: LikelihoodModel,
    restrictions: Restrictions,
    z: Tensor,
    dropped: tuple[int, ...],
    coordinates: Callable[[tuple[int, ...]], Coordinates],
) -> Coordinates:
    """Coordinates of a design some columns of which are combinations of others, by the way that was asked for."""
    if restrictions.rank == "raise":
        names = ", ".join(model.layout.real_names[index] for index in dropped)
        raise RankError(
            f"the design matrix is rank-deficient: {names} are linear combinations of other columns; leave them out, or fit "
            "with rank='drop' or rank='pinv'"
        )
    if restrictions.rank == "drop":
        return coordinates(dropped)
    matrix = torch.cat([restrictions.matrix, null_directions(model, z, dropped)])
    values = torch.cat([restrictions.values, torch.zeros(len(dropped), dtype=torch.float64)])
    return replace(restrict(coordinates(()), matrix, values), spanned=dropped)


def null_directions(model: LikelihoodModel, z: Tensor, dropped: tuple[int, ...]) -> Tensor:
    """Directions in theta, (d, k), along which the log-likelihood does not change: one for each dependent column.

    A point orthogonal to all of them is the shortest of those with its linear predictors, as a pseudo-inverse gives.
    """
    information = -model.sums(z, 2)[2]
    k, size = len(information), information.diagonal().abs()
    scale = torch.where(size > 0, size, torch.ones_like(size)).rsqrt()
    scaled = information * scale[:, None] * scale
    kept = [j for j in range(k) if j not in dropped]
    weights = torch.linalg.lstsq(scaled[kept][:, kept], scaled[kept][:, list(dropped)], driver="gelsd").solution
    directions = torch.zeros(len(dropped), k, dtype=torch.float64)
    directions[range(len(dropped)), list(dropped)] = scale[list(dropped)]
    directions[:, kept] = -(weights * scale[kept][:, None]).T
    uncentre = model.coordinates.uncentre
    directions = directions if uncentre is None else directions @ uncentre.T
    return directions / directions.norm(dim=1, keepdim=True)


def _singular(objective: Objective, start: Tensor) -> bool:
    """Whether the information at a point is as good as singular."""
    return objective.size > 0 and not well_conditioned(-objective.hessian(start)[2], SUSPICIOUS)


def nearest(objective: Objective, z: Tensor) -> Tensor:
    """The free coordinates with the highest log-likelihood among some near a point that the constraints exclude.

    Nearest by the metric of the information at the point, or by that of the coordinates themselves.
    """
    coordinates, model = objective.coordinates, objective.model
    plain = coordinates.phi(z)
    if coordinates.basis is None or coordinates.size == 0:
        return plain
    information = -model.sums(z, 2)[2]
    inverse = invert_information(coordinates.free_hessian(information)).matrix
    close = inverse @ (coordinates.basis.T @ (information @ (z - coordinates.origin)))
    values = [float(objective.value(point)) if bool(torch.isfinite(point).all()) else -torch.inf
              for point in (close, plain)]  # fmt: skip
    return close if values[0] >= values[1] else plain
