"""One thread for small operations, where sharing them out costs more than it saves.

The libraries under torch share out even the Cholesky factor of three rows, and the threads wait for each other at the
end: microseconds on a quiet machine, milliseconds where another process is busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")

SMALL_MATRIX = 256  # rows; factorising that many takes one thread about a millisecond


@contextmanager
def one_thread(small: bool = True) -> Iterator[None]:
    """Compute with one thread inside, and with as many as before afterwards; nothing changes unless `small`.

    `torch.set_num_threads` speaks for the thread that calls it and for threads that are started later.
    """
    before = torch.get_num_threads()
    if before == 1 or not small:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def small_on_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function of a matrix (or vector), its first argument, to use one thread when that is small."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with one_thread(len(args[0]) <= SMALL_MATRIX):  # type: ignore[arg-type]
            return function(*args, **kwargs)

    return wrapper
