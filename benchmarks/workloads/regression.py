"""A regression of 100 rows ("PyTorch: Compute Hessian matrix of the model")."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, answer, needs, optional

smf = optional("statsmodels.formula.api")


def cases(setting: Setting) -> Iterator[Case]:
    rng = np.random.default_rng(42)
    x = rng.standard_normal(100)
    df = pd.DataFrame({"x": x, "y": 2 * x + 3 + rng.standard_normal(100)})

    def summarized(model) -> Answer:
        result = model.fit()
        str(result.summary())
        return answer(result)

    def text() -> Answer:
        column, response = setting.tensor(df[["x"]].to_numpy()), setting.tensor(df[["y"]].to_numpy())
        slope, intercept = setting.tensor([[1.0]]).requires_grad_(), setting.tensor([1.0]).requires_grad_()
        squared = torch.nn.MSELoss()

        def loss(beta: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
            return squared(column @ beta + constant, response)

        optimizer = torch.optim.Adam([slope, intercept], lr=0.01)
        for _ in range(setting.size(1000, 5)):
            optimizer.zero_grad()
            loss(slope, intercept).backward()
            optimizer.step()
        with torch.no_grad():
            residual = column @ slope + intercept - response
            variance = (residual**2).sum() / (len(df) - 2)
        rows = torch.autograd.functional.hessian(loss, (intercept, slope))
        hessian = torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])
        errors = (variance * torch.linalg.inv(len(df) * hessian / 2)).diagonal().sqrt()
        return Answer(np.array([intercept.item(), slope.item()]), errors.detach().cpu().numpy())

    yield Case(
        "OLS, formula, fit and summary, 100 rows",
        lambda: summarized(tm.OLS.from_formula("y ~ x", df, **setting.ours)),
        (
            Peer("statsmodels ols", needs(smf, lambda: summarized(smf.ols("y ~ x", df))), 1e-8),
            # a thousand steps leave the text's intercept a fraction of its standard error short
            Peer(
                "the text: Adam, 1,000 steps + autograd hessian (no summary)", text, math.inf if setting.quick else 1.0
            ),
        ),
    )
