"""Arrays to tensors, without a copy wherever the memory can be shared."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def share(array: np.ndarray) -> Tensor:
    """Tensor over the memory of ``array``; a copy only if torch cannot address it (negative or odd strides).

    The package never writes into data, so read-only memory (pandas hands out such views under copy-on-write)
    is shared like any other.
    """
    array = np.asarray(array)
    if any(stride < 0 or stride % array.itemsize for stride in array.strides) or not array.dtype.isnative:
        array = np.array(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Writable(array)))


def as_double(value: object) -> Tensor:
    """Float64 tensor of numbers: shares float64 memory, converts anything else; tensors stay on their device."""
    if isinstance(value, Tensor):
        # Apple's GPUs have no float64; their tensors stay as they are.
        return value.detach() if value.device.type == "mps" else value.detach().to(torch.float64)
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise TypeError("complex numbers cannot be data; give their real and imaginary parts as columns")
    return share(np.asarray(array, dtype=np.float64))


class _Writable:
    """The same memory through the array interface, without the read-only flag torch.from_numpy warns about."""

    def __init__(self, array: np.ndarray):
        self.owner = array  # keeps the memory alive as long as any view of it
        pointer, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (pointer, False)}
