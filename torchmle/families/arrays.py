"""Functions of tensors that take and give arrays too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor


def of_arrays(method: Callable[..., Tensor]) -> Callable[..., Any]:
    """Let a method of tensors take numbers, arrays and Series; it gives an ndarray unless an argument is a tensor."""

    @wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
            return method(self, *args, **kwargs)
        tensors = [_tensor(value) for value in args]
        named = {name: _tensor(value) for name, value in kwargs.items()}
        return method(self, *tensors, **named).numpy()[()]

    return wrapper


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(np.array(value, dtype=np.float64))
