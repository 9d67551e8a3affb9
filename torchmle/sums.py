"""The one loop over rows: whole, or in blocks shared out to threads, and added over processes.

Everything a fit needs from the data is a sum over rows: log-likelihood, score, Hessian, outer products, cluster
sums.  A model says what one block of rows gives; only this module knows how many blocks there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .data import Data
from .threads import one_thread

BLOCK_BYTES = 2**20  # of the rows on a CPU: half of a second-level cache, since weighted copies are made of them
BLOCK_ROWS = 1024, 2**14  # at least, for the sake of matrix products; at most, since vectors fill the cache too
DEVICE_BLOCK_BYTES = 2**29  # on an accelerator: as much as keeps temporaries modest
LARGE_RESULT = 2**22  # numbers; above it few partial sums are kept at a time
BLOCKS_PER_WORKER = 4  # at least; for fewer a thread takes longer to start than to compute

BlockFunction = Callable[[Data], tuple[Tensor, ...]]


def block_rows(data: Data) -> int:
    """Rows per block: a power of two, as many as fill half a cache."""
    tensors = (data.response, *data.x.values(), *data.columns.values())
    width = 8 * sum(math.prod(tensor.shape[1:]) for tensor in tensors if tensor is not None)
    fewest, most = BLOCK_ROWS
    if data.device.type != "cpu":
        return int(max(fewest, _power_of_two(DEVICE_BLOCK_BYTES // max(1, width))))
    return int(min(most, max(fewest, _power_of_two(BLOCK_BYTES // max(1, width)))))


def _power_of_two(number: int) -> int:
    """The largest that does not exceed the number."""
    return 2 ** (number.bit_length() - 1) if number else 0


def block_slices(data: Data, rows: int | None = None) -> list[slice]:
    """The blocks of the data, in order; they depend on its size alone, never on the number of threads."""
    if rows is None and (data.n <= 2 * BLOCK_ROWS[0] or data.n <= 2 * block_rows(data)):
        return [slice(0, data.n)]
    size = rows or block_rows(data)
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
        float64, on the CPU.  Each block is computed by one thread and blocks are added in order, so the number of
        threads changes no bit.
    """
    slices = block_slices(data, rows)
    workers = _workers(data, len(slices))
    with one_thread():
        parts = _partial_sums(function, data, slices, workers)
        totals = next(parts)
        for part in parts:
            for total, value in zip(totals, part, strict=True):
                total.add_(value)
    local = tuple(total.to("cpu", torch.float64) for total in totals)
    return all_reduce(local, data.group) if data.group is not None else local


def row_map(function: Callable[[Data], Tensor], data: Data, rows: int | None = None) -> Tensor:
    """What a function gives for each row, in row order, on the CPU."""
    slices = block_slices(data, rows)
    workers = _workers(data, len(slices))
    with one_thread():
        parts = list(_threaded(lambda rows: function(data.block(rows)).cpu(), slices, workers))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _partial_sums(
    function: BlockFunction, data: Data, slices: list[slice], workers: int
) -> Iterator[tuple[Tensor, ...]]:
    """The sums over the first block, then over a few runs of consecutive blocks, in order."""
    first = function(data.block(slices[0]))
    if len(slices) == 1:
        yield first
        return
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
    yield from _threaded(run, list(pairwise(bounds)), workers)


def _workers(data: Data, blocks: int) -> int:
    """How many threads share the blocks."""
    return 1 if data.device.type != "cpu" else min(torch.get_num_threads(), blocks // BLOCKS_PER_WORKER)


def _threaded(function: Callable[[Any], Any], items: list[Any], workers: int) -> Iterator[Any]:
    """Map over worker threads, in order; each computes with one thread of its own.

    Small operations shared out inside torch wait for each other, the more so when another process is busy; whole
    blocks on single-threaded workers do not.
    """
    if workers <= 1:
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
