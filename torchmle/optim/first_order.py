"""Stochastic first-order methods from torch.optim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from .optimum import Status
from .scaled import Scaled
from .search import Point, Search

OPTIONS = {
    "sgd": ("lr", "batch_size", "epochs", "seed", "momentum"),
    "adam": ("lr", "batch_size", "epochs", "seed", "betas"),
}
LEARNING_RATE = {"sgd": 0.5, "adam": 0.1}
BATCH_ROWS = 1024


def run(search: Search, start: Point, name: str, tol: float, maxiter: int, options: Mapping[str, Any]) -> Status | None:
    """Minimise the mean negative log-likelihood by stochastic gradients.

    The coordinates are z with x = x0 + sqrt(n) S z, S the standard errors at the start, in which the mean negative
    log-likelihood has unit curvature along each axis: learning rates are those one would use on standardised data.

    * `lr` : learning rate (sgd 0.5, adam 0.1); it falls linearly to nothing over the epochs.
    * `batch_size` : rows per step, consecutive ones (1,024).  The batches are shuffled, the rows are not: sort the
      data randomly first if their order means something.
    * `epochs` : passes over the data, another name for maxiter (100).
    * `seed` : of the order of the batches (0); torch's global generator is not touched.
    * `momentum`, `betas` : as in torch.optim.

    Returns
    -------
    Status or None
        None always: such a method never arrives by itself, so Newton steps follow in any case.
    """
    epochs = options.get("epochs", maxiter)
    rows = search.objective.n
    size = max(1, min(options.get("batch_size") or BATCH_ROWS, rows))
    batches = [slice(first, min(first + size, rows)) for first in range(0, rows, size)]
    generator = torch.Generator().manual_seed(options.get("seed", 0))
    scaled = Scaled(search, start, math.sqrt(max(rows, 1)))
    z = torch.zeros_like(start.x).requires_grad_(True)
    stepper, rate = _stepper(name, z, options)
    for epoch in range(epochs):
        for place, index in enumerate(torch.randperm(len(batches), generator=generator).tolist()):
            batch = batches[index]
            gradient = search.batch_gradient(scaled.x(z.detach()), batch)
            slope = scaled.slope(gradient) / (batch.stop - batch.start)
            if not math.isfinite(slope.sum().item()):
                return None
            z.grad = slope
            stepper.param_groups[0]["lr"] = rate * (1 - (epoch + place / len(batches)) / epochs)
            stepper.step()
        x = scaled.x(z.detach())
        search.record(x, search.value(x), _squared_distance(z.grad, rows))
    return None


def _stepper(name: str, z: torch.Tensor, options: Mapping[str, Any]) -> tuple[torch.optim.Optimizer, float]:
    rate = float(options.get("lr", LEARNING_RATE[name]))
    if name == "sgd":
        return torch.optim.SGD([z], lr=rate, momentum=options.get("momentum", 0.0)), rate
    return torch.optim.Adam([z], lr=rate, betas=options.get("betas", (0.9, 0.999))), rate


def _squared_distance(slope: torch.Tensor | None, rows: int) -> float:
    """Squared gradient norm in standard errors, from the last batch."""
    return math.nan if slope is None else rows * slope.square().sum().item()
