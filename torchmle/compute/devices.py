"""Where a model computes and how it holds its data.

The rule of ``device="auto"`` (and None): data that are already on a device stay there; otherwise a CUDA device is
used when there is one and the design has at least `AUTO_CELLS` numbers.  At that size a Poisson fit with standard
errors (n = 100,000, k = 50) takes two cores of a server CPU a few tenths of a second, about what waking a CUDA
device costs; on fewer numbers the CPU is done first.  Apple's MPS is never chosen, for it has no double precision.

Sums over groups add up in whatever order CUDA takes them, so that two fits agree to about 1e-15, not to the last bit;
where torch has been told to use deterministic algorithms, they are the same.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch

from ..data import Data
from ..errors import PrecisionWarning

AUTO_CELLS = 5_000_000


@dataclass(frozen=True)
class Placement:
    """The device and the type the data are held in. Arithmetic is float64 whatever the type."""

    device: torch.device
    dtype: torch.dtype


def place(data: Data, device: Any = None, dtype: torch.dtype | None = None) -> Placement:
    """Choose where to hold the data.

    Parameters
    ----------
    data : Data
    device : str, torch.device or None
        "auto" or None follow the rule above.
    dtype : torch.dtype, optional
        float64 unless `torch.float32` is asked for, which halves the memory of the design; blocks of rows are
        still computed and summed in float64, so only the rounding of the data remains.
    """
    return Placement(_device(data, device), _dtype(dtype))


def _device(data: Data, device: Any) -> torch.device:
    if device is None or device == "auto":
        if data.device.type != "cpu":
            return data.device
        cells = data.n * sum(x.shape[1] for x in data.x.values())
        return torch.device("cuda" if cells >= AUTO_CELLS and torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "mps":
        warnings.warn(
            "MPS has no double precision, which maximum likelihood needs; computing on the CPU instead",
            PrecisionWarning,
            stacklevel=4,
        )
        return torch.device("cpu")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={str(device)!r}: torch sees no CUDA device here; use device='cpu' or leave it out")
    return chosen


def _dtype(dtype: torch.dtype | None) -> torch.dtype:
    if dtype is None or dtype == torch.float64:
        return torch.float64
    if dtype != torch.float32:
        raise ValueError(f"dtype must be torch.float64 or torch.float32, not {dtype}")
    warnings.warn(
        "the data are held in float32 and carry about 7 digits; use float64 unless memory is short",
        PrecisionWarning,
        stacklevel=4,
    )
    return torch.float32
