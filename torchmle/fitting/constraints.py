"""What a fit is told of its parameters besides the data: values to hold, linear constraints, bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..parameters import Block, Parameters
from ..structured import VectorTransform
from .coordinates import eliminate, fixed_entries
from .equations import constraint

Array = NDArray[np.float64]
Bounds = Mapping[int, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class LinearConstraints:
    """Linear equality constraints ``R params = q`` on reported parameters.

    Attributes
    ----------
    coefs : ndarray (p, k)
        R.
    constants : ndarray (p, 1)
        q.
    variable_names : tuple of str
    """

    coefs: Array
    constants: Array
    variable_names: tuple[str, ...]

    @property
    def constraint_matrix(self) -> Array:
        """The same as `coefs`."""
        return self.coefs

    @property
    def constraint_values(self) -> Array:
        """The same as `constants`."""
        return self.constants

    def __iter__(self) -> Iterator[Array]:
        return iter((self.coefs, self.constants))

    def __getitem__(self, index: int) -> Array:
        return (self.coefs, self.constants)[index]

    def __str__(self) -> str:
        rows = zip(self.coefs, self.constants[:, 0], strict=True)
        return "\n".join(f"{_sum(row, self.variable_names)} = {value:g}" for row, value in rows)


def _sum(weights: Array, names: Sequence[str]) -> str:
    """A weighted sum in words."""
    text = ""
    for weight, name in zip(weights, names, strict=True):
        if weight:
            sign = (" - " if weight < 0 else " + ") if text else ("-" if weight < 0 else "")
            text += sign + (name if abs(weight) == 1 else f"{abs(weight):g} * {name}")
    return text or "0"


@dataclass(frozen=True, eq=False)
class Restrictions:
    """What holds for theta: some entries have values, ``matrix @ theta = values``, others lie within bounds.

    Attributes
    ----------
    held : mapping of int to float
        Entries with a value.
    matrix, values : Tensor (p, k), (p,)
        Equations that involve more than one entry each.
    bounds : mapping of int to (float, float)
        Lowest and highest value of an entry; infinite where there is none.
    active : mapping of int to float
        Entries held at one of their bounds.
    constraints : LinearConstraints or None
        The equations as the user gave them.
    rank : {"drop", "pinv", "raise"}
        What becomes of columns that are linear combinations of others.
    """

    held: Mapping[int, float]
    matrix: Tensor
    values: Tensor
    bounds: Bounds = field(default_factory=dict)
    active: Mapping[int, float] = field(default_factory=dict)
    constraints: LinearConstraints | None = None
    rank: str = "drop"

    @property
    def all_held(self) -> dict[int, float]:
        """Entries with a value, by the user or at a bound."""
        return {**self.held, **self.active}


def read_restrictions(
    layout: Parameters, fix: Mapping[str, Any], constraints: Any, bounds: Any, rank: str = "drop"
) -> Restrictions:
    """Restrictions of theta, from what a user says of reported parameters.

    Parameters
    ----------
    layout : Parameters
    fix : mapping of str to value
    constraints : str, list of str, dict, matrix or pair (R, q), or None
    bounds : mapping of str to (low, high), or a sequence of such pairs, one for each parameter, or None
        None for no limit.
    rank : {"drop", "pinv", "raise"}
        Also "error", for "raise".

    Raises
    ------
    ValueError
        Equations that contradict each other or that are not linear in theta; bounds that leave nothing.
    """
    rank = "raise" if rank == "error" else rank
    if rank not in ("drop", "pinv", "raise"):
        raise ValueError(f"rank must be 'drop', 'pinv' or 'raise', not {rank!r}")
    if not fix and constraints is None and bounds is None:
        return Restrictions(
            {}, torch.zeros(0, layout.size, dtype=torch.float64), torch.zeros(0, dtype=torch.float64), rank=rank
        )
    held, said = fixed_entries(layout, fix), None
    matrix, values = torch.eye(layout.size, dtype=torch.float64)[list(held)], list(held.values())
    if constraints is not None:
        r, q = constraint(list(layout.names), constraints)
        said = LinearConstraints(r, q[:, None], layout.names)
        equations, reals = in_theta(layout, said)
        matrix, values = torch.cat([equations, matrix]), [*reals, *values]
    solved = _solved(matrix, torch.tensor(values, dtype=torch.float64), said)
    alone = (solved[0] != 0).sum(1) == 1
    pinned = {
        int(row.nonzero()[0]): float(value) for row, value in zip(solved[0][alone], solved[1][alone], strict=True)
    }
    limits = _read_bounds(layout, bounds, {**pinned, **held}) if bounds is not None else {}
    return Restrictions({**pinned, **held}, solved[0][~alone], solved[1][~alone], limits, {}, said, rank)


class NotLinear(ValueError):
    """Equations in reported values that are none in theta: among entries of a covariance matrix, say, or ``alpha = 2 sigma``."""


def in_theta(layout: Parameters, constraints: LinearConstraints) -> tuple[Tensor, list[float]]:
    """The equations in theta: matrix (p, k) and values."""
    pairs = [_in_theta(layout, row, float(value)) for row, (value,) in zip(*constraints, strict=True)]
    return torch.stack([row for row, _ in pairs]), [value for _, value in pairs]


def _solved(matrix: Tensor, values: Tensor, said: LinearConstraints | None) -> tuple[Tensor, Tensor]:
    """The equations solved for one entry each, redundant ones left out."""
    reduced, right, _, rest = eliminate(matrix, values)
    if bool((rest.abs() > 1e-9 * (1 + values.abs().max())).any() if len(rest) else False):
        raise ValueError(f"the constraints contradict each other: {str(said).replace(chr(10), ', ')}")
    return reduced, right


def _in_theta(layout: Parameters, weights: Array, value: float) -> tuple[Tensor, float]:
    """One equation in theta: weights (k,) and value."""
    row = torch.zeros(layout.size, dtype=torch.float64)
    involved = np.flatnonzero(weights)
    entries = [_entry(layout, int(j)) for j in involved]
    if all(block.is_identity for block, _ in entries):
        for j, (_, index) in zip(involved, entries, strict=True):
            row[index] = weights[j]
        return row, value
    names = [layout.names[j] for j in involved]
    if any(isinstance(block.transform, VectorTransform) and not block.is_identity for block, _ in entries):
        raise NotLinear(f"constraints: entries of {names} depend on each other; only fix= can hold such a parameter")
    if len(involved) == 1:  # a value of a transformed parameter
        block, index = entries[0]
        row[index] = 1.0
        return row, _real(block, value / weights[involved[0]], names[0])
    same = len({repr(block.transform) for block, _ in entries}) == 1
    if len(involved) == 2 and value == 0 and weights[involved].sum() == 0 and same:
        row[entries[0][1]], row[entries[1][1]] = 1.0, -1.0
        return row, 0.0
    raise NotLinear(
        f"constraints: {_sum(weights, layout.names)} = {value:g} is not linear on the real line of {', '.join(names)}; "
        "a parameter with a transform can be set to a value or equal to another with the same transform"
    )


def _entry(layout: Parameters, reported: int) -> tuple[Block, int]:
    """The block of a reported entry and its place in theta (where entries correspond)."""
    block = next(block for block in layout.blocks if block.reported.start <= reported < block.reported.stop)
    return block, block.reals.start + reported - block.reported.start


def _real(block: Block, value: float, name: str) -> float:
    real = float(block.real(torch.tensor([value], dtype=torch.float64))[0])
    if not math.isfinite(real):
        raise ValueError(
            f"constraints: {name!r} cannot be {value!r}; it must lie inside the domain of {block.transform}"
        )
    return real


# -- bounds ----------------------------------------------------------------------------------------------------


def _read_bounds(layout: Parameters, bounds: Any, held: Mapping[int, float]) -> Bounds:
    """Bounds of entries of theta, from those of reported parameters by name or in order."""
    names = list(layout.names)
    if not isinstance(bounds, Mapping):
        if len(bounds) != len(names):
            raise ValueError(f"bounds has {len(bounds)} pairs; there are {len(names)} parameters: {', '.join(names)}")
        bounds = dict(zip(names, bounds, strict=True))
    found = {}
    for name, (low, high) in bounds.items():
        if name not in names:
            raise ValueError(f"bounds: there is no parameter {name!r}; the parameters are {', '.join(names)}")
        block, index = _entry(layout, names.index(name))
        if isinstance(block.transform, VectorTransform) and not block.is_identity:
            raise ValueError(
                f"bounds: {name!r} is an entry of {block.name!r}, whose entries cannot be bounded one by one"
            )
        low, high = -math.inf if low is None else float(low), math.inf if high is None else float(high)
        if not low < high:
            raise ValueError(f"bounds: {name!r} has no room between {low:g} and {high:g}; fix= holds it at a value")
        if index not in held:
            found[index] = _real_bounds(block, low, high)
    return found


def _real_bounds(block: Block, low: float, high: float) -> tuple[float, float]:
    """Bounds on the real line of a parameter's transform; infinite where they are outside of its domain."""
    if block.is_identity:
        return low, high
    limits = torch.tensor([low, high], dtype=torch.float64)
    domain = block.transform.domain  # type: ignore[union-attr]  # a VectorTransform was refused before
    lowest, highest = (float(value) for value in domain)
    real = block.real(limits.clamp(lowest, highest)).tolist()
    real = [value if math.isfinite(value) else None for value in real]
    probe = block.entries(torch.tensor([0.0, 1.0], dtype=torch.float64))
    first, last = real if float(probe[1]) > float(probe[0]) else real[::-1]
    return -math.inf if first is None else first, math.inf if last is None else last
