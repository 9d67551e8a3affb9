"""One pass over the rows: log-likelihood, score and Hessian of a Poisson regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting


def cases(setting: Setting) -> Iterator[Case]:
    yield one_pass(setting, setting.size(1_000_000, 500), 50)
    yield one_pass(setting, setting.size(1_000_000, 500), 2)


def one_pass(setting: Setting, n: int, k: int) -> Case:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((n, k)) * 0.1
    y = rng.poisson(1.0, n).astype(float)
    b = np.full(k, 0.05)
    model = tm.Poisson(setting.tensor(y), setting.tensor(x), **setting.ours)
    design, counts, point = setting.tensor(x), setting.tensor(y), torch.as_tensor(b)
    constant = model.rows.log_factorial.sum()

    def ours() -> Answer:
        return Answer(np.concatenate([part.numpy().reshape(-1) for part in model.sums(point, 2)]))

    def plain_torch() -> Answer:
        eta = design @ point.to(design.device)
        mu = eta.exp()
        value = counts @ eta - mu.sum() - constant
        score = design.T @ (counts - mu)
        hessian = -(design.T @ (design * mu[:, None]))
        return Answer(torch.cat([value.reshape(1), score, hessian.reshape(-1)]).cpu().numpy())

    def plain_numpy() -> Answer:
        eta = x @ b
        mu = np.exp(eta)
        value = y @ eta - mu.sum() - constant.item()
        return Answer(np.concatenate([[value], x.T @ (y - mu), -(x.T @ (x * mu[:, None])).reshape(-1)]))

    return Case(
        f"Poisson pass: value, score, Hessian, {n:,} x {k}",
        ours,
        (Peer("plain torch, whole arrays", plain_torch, 1e-9), Peer("plain numpy, whole arrays", plain_numpy, 1e-9)),
    )
