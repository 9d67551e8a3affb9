"""How a workload is to be run, and what peers need in common."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from harness.timing import Answer


@dataclass(frozen=True)
class Setting:
    """Where to compute, and whether sizes are tiny (for the tests)."""

    device: str = "cpu"
    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def tensor(self, values: Any) -> torch.Tensor:
        """A float64 tensor on the device; on a CPU it shares the memory."""
        return torch.as_tensor(values, dtype=torch.float64, device=self.device)

    @property
    def ours(self) -> dict[str, str]:
        """Our models' keyword."""
        return {"device": self.device}


def optional(module: str) -> Any:
    """A module, or None when its package is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def needs(module: Any, run: Callable[[], Answer]) -> Callable[[], Answer] | None:
    """The program, if the package it needs is there."""
    return None if module is None else run


def answer(result: Any) -> Answer:
    """Estimates and standard errors of a result of ours or of statsmodels."""
    return Answer(np.asarray(result.params), np.asarray(result.bse))


def autograd_errors(negative_loglike: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> np.ndarray:
    """Standard errors as the texts compute them: the inverse of `torch.autograd.functional.hessian`."""
    hessian = torch.autograd.functional.hessian(negative_loglike, at)
    return torch.linalg.inv(hessian).diagonal().sqrt().cpu().numpy()
