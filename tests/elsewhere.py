"""A device that is not there: its tensors hold their numbers on the CPU and keep an accelerator's rules.

The rules are those that code written on a CPU breaks: operands lie on one device (single CPU numbers may join in), numpy sees
nothing that is not on the CPU, what is made for the device is made on it.  With them everything that runs on CUDA can be run, and
its numbers compared, where there is no CUDA.  Not shown by it: CUDA's own kernels, and its rounding.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

NAME = "elsewhere"
DEVICE = f"{NAME}:0"
AVAILABLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")  # torch 2.10 and later
if AVAILABLE:  # at once: torch counts the devices when it takes its first derivative
    backend_registration._setup_privateuseone_for_python_backend(NAME)
aten = torch.ops.aten
MAY_MEET = {
    aten.copy_.default,
    aten._to_copy.default,
    aten.index.Tensor,
    aten.index_put_.default,
    aten.index_put.default,
}


class Elsewhere(torch.Tensor):
    """A face on the device, and behind it the numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        shape, layout = held.size(), {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(cls, shape, **layout, dtype=held.dtype, device=DEVICE)

    def __init__(self, held):
        self.held = held

    def __repr__(self):
        return f"Elsewhere({self.held})"

    def tolist(self):
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return carried_out(operation, args, kwargs or {})


class Made(TorchDispatchMode):
    """What is made for the device: no tensor among the arguments says so."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return carried_out(operation, args, kwargs or {})


def carried_out(operation, args, kwargs):
    """The operation on the numbers, after a look at where its operands are."""
    tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
    here = [value for value in tensors if isinstance(value, Elsewhere)]
    if here and operation not in MAY_MEET and any(value.ndim for value in tensors if not isinstance(value, Elsewhere)):
        raise RuntimeError(f"{operation}: expected all tensors to be on the same device, found {NAME} and cpu")
    if operation is aten._efficientzerotensor.default:  # a zero without storage, which no kernel below autograd reads
        operation = aten.zeros.default
    asked = kwargs.get("device")
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    behind, options = tree_map_only(Elsewhere, lambda value: value.held, (args, kwargs))
    found = operation(*behind, **options)
    written = written_to(operation, args, kwargs)
    if written:
        return written[0] if len(written) == 1 else tuple(written)
    lands = bool(here) if asked is None else torch.device(asked).type == NAME
    return tree_map_only(torch.Tensor, Elsewhere, found) if lands else found


def written_to(operation, args, kwargs):
    """The arguments that the operation writes to, which are what it returns."""
    writes = [spec.alias_info is not None and spec.alias_info.is_write for spec in operation._schema.arguments]
    by_place = [value for value, write in zip(args, writes, strict=False) if write]
    named = {spec.name for spec, write in zip(operation._schema.arguments, writes, strict=True) if write}
    return by_place + [value for name, value in kwargs.items() if name in named]


@contextmanager
def elsewhere():
    """The device exists, in this thread: work shared out to others is done here."""
    lifted = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        with mock.patch.object(ThreadPoolExecutor, "map", lambda pool, work, *tasks: map(work, *tasks)), Made():
            yield DEVICE
    finally:
        torch._C._set_only_lift_cpu_tensors(lifted)
