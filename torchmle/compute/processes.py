"""What processes must agree on when each holds some of the rows; with one process, its own answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def gather(value: Any, group: Any) -> list[Any]:
    """The value of each process, in the same order in all of them; a list of one when there is no group."""
    if group is None:
        return [value]
    group = None if group is True else group
    found: list[Any] = [None] * torch.distributed.get_world_size(group)
    torch.distributed.all_gather_object(found, value, group=group)
    return found


def total(number: int, group: Any) -> int:
    """The sum over processes."""
    return sum(gather(number, group))


def everywhere(condition: Tensor, group: Any) -> Tensor:
    """Where a condition holds in all processes, on the CPU."""
    return condition.cpu() if group is None else torch.stack(gather(condition.cpu(), group)).all(0)


def mean_and_deviation(values: Tensor, group: Any) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the rows, column by column, over all processes."""
    count, total = zip(*gather((len(values), values.sum(0).cpu()), group), strict=True)
    mean = torch.stack(total).sum(0) / sum(count)
    squares = gather((values - mean.to(values.device)).square().sum(0).cpu(), group)
    return mean, (torch.stack(squares).sum(0) / sum(count)).sqrt()


def same_everywhere(parts: Mapping[str, Any], group: Any) -> None:
    """Check that all processes have the same.

    Raises
    ------
    ValueError
        They differ: a factor whose levels are not all present in the rows of each process, a mean taken of each.
    """
    for other in gather(dict(parts), group):
        for name in parts:
            if other[name] != parts[name]:
                raise ValueError(
                    f"the rows of one process give the {name} {parts[name]}, those of another {other[name]}; name the "
                    "levels of factors, as in C(g, levels=['a', 'b']), and centre columns before the rows are dealt out"
                )
