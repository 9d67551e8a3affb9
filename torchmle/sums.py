"""The one loop over rows: whole, or in blocks shared out to threads, and added over processes.

Everything a fit needs from the data is a sum over rows: log-likelihood, score, Hessian, outer products, cluster
sums.  A model says what one block of rows gives; only this module knows how many blocks there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from .compute.threads import one_thread
from .data import Data

# Of the rows on a CPU. Smaller blocks would fit a cache better, but threads that run many short operations wait for the
# interpreter; past the most rows, vectors leave the cache too.
BLOCK_BYTES = 2**22
MANY_BYTES = 2**27  # of rows, from which blocks are twice as large: fewer operations, and still enough for every thread
BLOCK_ROWS = 1024, 2**16  # at least and at most
WORKER_BYTES = 2**22  # of rows for each thread; with fewer it takes longer to start than to compute
DEVICE_BLOCK_BYTES = 2**29  # on an accelerator: as much as keeps temporaries modest
LARGE_RESULT = 2**22  # numbers; above it few partial sums are kept at a time

BlockFunction = Callable[[Data], tuple[Tensor, ...]]


def row_bytes(data: Data) -> int:
    """What one row takes in double precision."""
    tensors = (data.response, *data.x.values(), *data.columns.values())
    return 8 * max(1, sum(math.prod(tensor.shape[1:]) for tensor in tensors if tensor is not None))


def block_rows(data: Data) -> int:
    """Rows per block: a power of two."""
    fewest, most = BLOCK_ROWS
    if data.device.type != "cpu":
        return max(fewest, power_of_two(DEVICE_BLOCK_BYTES // row_bytes(data)))
    each = row_bytes(data)
    return min(most, max(fewest, power_of_two((2 if data.n * each >= MANY_BYTES else 1) * BLOCK_BYTES // each)))


def power_of_two(number: int) -> int:
    """The largest that does not exceed the number."""
    return 1 << (number.bit_length() - 1) if number else 0


def block_slices(data: Data, rows: int | None = None) -> list[slice]:
    """The blocks of the data, in order; they depend on its size alone, never on the number of threads."""
    if rows is None and data.n <= BLOCK_ROWS[0]:
        return [slice(0, data.n)]
    size = rows or block_rows(data)
    return [slice(start, min(start + size, data.n)) for start in range(0, data.n, size)]


def row_sums(
    function: BlockFunction, data: Data, rows: int | None = None, numbers: int | None = None
) -> tuple[Tensor, ...]:
    """Add what a function gives for each block of rows.

    Parameters
    ----------
    function : callable
        From a block of the data to a tuple of tensors whose shapes do not depend on the block.
    data : Data
    rows : int, optional
        Rows per block; chosen by the size of a row when left out.
    numbers : int, optional
        How many numbers the function gives; the square of the number of columns when left out.

    Returns
    -------
    tuple of Tensor
        float64, on the CPU.  Each block is computed by one thread and blocks are added in order, so the number of
        threads changes no bit.
    """
    slices = block_slices(data, rows)
    if len(slices) == 1:
        with one_thread():
            totals = function(data.block(slices[0]))
    else:
        totals = _shared_out(function, data, slices, numbers)
    local = tuple(total.to("cpu", torch.float64) for total in totals)
    return all_reduce(local, data.group) if data.group is not None else local


def row_map(function: Callable[[Data], Tensor], data: Data, rows: int | None = None) -> Tensor:
    """What a function gives for each row, in row order, on the CPU."""
    slices = block_slices(data, rows)
    workers = _workers(data) if len(slices) > 1 else 1
    with one_thread():
        parts = list(_threaded(lambda rows: function(data.block(rows)).cpu(), slices, workers))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def weighted(values: Tensor, data: Data) -> Tensor:
    """Rows times their frequency weights."""
    weights = data.get("freq_weights")
    if weights is None:
        return values
    return values * (weights if values.ndim == 1 else weights[:, None])


def _shared_out(function: BlockFunction, data: Data, slices: list[slice], numbers: int | None) -> tuple[Tensor, ...]:
    """The sums over blocks, in runs of which each is computed by one thread."""
    numbers = sum(x.shape[1] for x in data.x.values()) ** 2 if numbers is None else numbers
    few = numbers > LARGE_RESULT or data.device.type != "cpu"
    count = min(len(slices), 2 if few else 16)
    runs = [slices[len(slices) * i // count : len(slices) * (i + 1) // count] for i in range(count)]
    workers = _workers(data)
    with one_thread():
        parts = _threaded(lambda run: _run_sums(function, data, run), runs, workers)
        totals = next(parts)
        for part in parts:
            _add(totals, part)
    return totals


def _run_sums(function: BlockFunction, data: Data, run: list[slice]) -> tuple[Tensor, ...]:
    """The sums over a run of consecutive blocks."""
    totals = tuple(value.clone() for value in function(data.block(run[0])))
    for rows in run[1:]:
        _add(totals, function(data.block(rows)))
    return totals


def _add(totals: tuple[Tensor, ...], part: tuple[Tensor, ...]) -> None:
    for total, value in zip(totals, part, strict=True):
        total.add_(value)


def _workers(data: Data) -> int:
    """How many threads share the rows."""
    return 1 if data.device.type != "cpu" else min(torch.get_num_threads(), data.n * row_bytes(data) // WORKER_BYTES)


def _threaded(function: Callable[[Any], Any], items: list[Any], workers: int) -> Iterator[Any]:
    """Map over worker threads, in order; each computes with one thread of its own.

    Small operations shared out inside torch wait for each other, the more so when another process is busy; whole
    blocks on single-threaded workers do not.
    """
    workers = min(workers, len(items))
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
