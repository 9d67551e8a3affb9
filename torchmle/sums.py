"""The one loop over rows: whole, or in blocks shared out to threads, and added over processes.

Everything a fit needs from the data is a sum over rows: log-likelihood, score, Hessian, outer products, cluster
sums.  A model says what one block of rows gives; only this module knows how many blocks there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .data import Data

BLOCK_BYTES = 2**21  # of the design matrices on a CPU: about the size of a second-level cache
DEVICE_BLOCK_BYTES = 2**29  # on an accelerator: as much as keeps temporaries modest
LARGE_RESULT = 2**22  # numbers; above it few partial sums are kept at a time

BlockFunction = Callable[[Data], tuple[Tensor, ...]]


def block_rows(data: Data) -> int:
    """Rows per block: a power of two whose design rows fill a cache, at least 1,024."""
    width = 8 * max(1, sum(x.shape[1] for x in data.x.values()))
    budget = BLOCK_BYTES if data.device.type == "cpu" else DEVICE_BLOCK_BYTES
    return int(max(1024, 2 ** ((budget // width).bit_length() - 1)))


def block_slices(data: Data, rows: int | None = None) -> list[slice]:
    """The blocks of the data, in order; they depend on its size alone, never on the number of threads."""
    size = rows or block_rows(data)
    if rows is None and data.n <= 2 * size:
        return [slice(0, data.n)]
    return [slice(start, min(start + size, data.n)) for start in range(0, data.n, size)]


def row_sums(function: BlockFunction, data: Data, rows: int | None = None) -> tuple[Tensor, ...]:
    """Add what a function gives for each block of rows.

    Parameters
    ----------
    function : callable
        From a block of the data to a tuple of tensors whose shapes do not depend on the block.
    data : Data
    rows : int, optional
        Rows per block; chosen by the size of a row when left out.

    Returns
    -------
    tuple of Tensor
        float64, on the CPU.  Blocks are added in order, so the number of threads changes no bit.
    """
    slices = block_slices(data, rows)
    if len(slices) == 1:
        totals = function(data.block(slices[0]))
    else:
        parts = _runs(slices, function, data)
        totals = next(parts)
        for part in parts:
            totals = tuple(total.add_(value) for total, value in zip(totals, part, strict=True))
    local = tuple(total.to("cpu", torch.float64) for total in totals)
    return all_reduce(local, data.group) if data.group is not None else local


def row_map(function: Callable[[Data], Tensor], data: Data, rows: int | None = None) -> Tensor:
    """What a function gives for each row, in row order, on the CPU."""
    slices = block_slices(data, rows)
    if len(slices) == 1:
        return function(data.block(slices[0])).cpu()
    return torch.cat([part.cpu() for part in _threaded(lambda rows: function(data.block(rows)), slices, data)])


def _runs(slices: list[slice], function: BlockFunction, data: Data) -> Iterator[tuple[Tensor, ...]]:
    """Partial sums of a few runs of consecutive blocks, in order."""
    first = function(data.block(slices[0]))
    few = sum(value.numel() for value in first) > LARGE_RESULT or data.device.type != "cpu"
    count = min(len(slices) - 1, 2 if few else 16)
    bounds = [1 + (len(slices) - 1) * i // count for i in range(count + 1)]

    def run(bound: tuple[int, int]) -> tuple[Tensor, ...]:
        totals = tuple(value.clone() for value in function(data.block(slices[bound[0]])))
        for rows in slices[bound[0] + 1 : bound[1]]:
            for total, value in zip(totals, function(data.block(rows)), strict=True):
                total.add_(value)
        return totals

    yield tuple(value.clone() for value in first)
    yield from _threaded(run, list(pairwise(bounds)), data)


def _threaded(function: Callable[[Any], Any], items: list[Any], data: Data) -> Iterator[Any]:
    """Map over worker threads on a CPU, in order; each worker computes with one thread of its own.

    Small operations shared out inside torch wait for each other, the more so when another process is busy;
    whole blocks on single-threaded workers do not.  `torch.set_num_threads` speaks for the thread that calls it.
    """
    workers = min(torch.get_num_threads(), len(items))
    if data.device.type != "cpu" or workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(function, items)


def all_reduce(values: tuple[Tensor, ...], group: object) -> tuple[Tensor, ...]:
    """Add tensors over the processes of a group, in one message."""
    packed = torch.cat([value.reshape(-1) for value in values])
    torch.distributed.all_reduce(packed, group=None if group is True else group)
    out, at = [], 0
    for value in values:
        out.append(packed[at : at + value.numel()].reshape(value.shape))
        at += value.numel()
    return tuple(out)
