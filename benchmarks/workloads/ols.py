"""Least squares by maximum likelihood, 50,000 rows and 100 columns ("Using PyTorch for Maximum Likelihood Estimation")."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import scipy.optimize
import torch
import torchmin
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, answer, autograd_errors, needs, optional

sm = optional("statsmodels.api")


def cases(setting: Setting) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    n, k = setting.size(50_000, 500), setting.size(100, 4)
    b = rng.standard_normal(k)
    b[0] += 3
    x = np.column_stack([np.ones(n), rng.standard_normal((n, k - 1))])
    y = x @ b + rng.standard_normal(n)
    start = np.append(rng.standard_normal(k), 1.0)

    def closed_form() -> Answer:
        gram = np.linalg.inv(x.T @ x)
        beta = gram @ (x.T @ y)
        residual = y - x @ beta
        return Answer(beta, np.sqrt(residual @ residual / (n - k) * gram.diagonal()))

    def text() -> Answer:
        design, response = setting.tensor(x), setting.tensor(y)

        def negative_loglike(omega: torch.Tensor) -> torch.Tensor:
            beta, sigma = omega[:-1], omega[-1]
            residual = response - torch.mv(design, beta)
            return n / 2 * torch.log(2 * torch.pi * sigma**2) + 1 / (2 * sigma**2) * torch.sum(residual**2)

        found = torchmin.minimize(negative_loglike, setting.tensor(start), method="l-bfgs", tol=1e-5)
        return Answer(positive_sigma(found.x.cpu().numpy()), autograd_errors(negative_loglike, found.x))

    def by_scipy() -> Answer:
        def negative_loglike(omega: np.ndarray) -> float:
            residual = y - x @ omega[:-1]
            return n / 2 * math.log(2 * math.pi * omega[-1] ** 2) + residual @ residual / (2 * omega[-1] ** 2)

        return Answer(positive_sigma(scipy.optimize.minimize(negative_loglike, start, method="L-BFGS-B").x))

    size = f"{n:,} x {k}"
    yield Case(
        f"Normal (beta, sigma) with standard errors, {size}",
        lambda: answer(tm.Normal(y, x, **setting.ours).fit()),
        (
            Peer("the text: pytorch-minimize l-bfgs + autograd hessian", text, 1e-3, asked=30),
            Peer("scipy L-BFGS-B, no gradient (no standard errors)", by_scipy, 1.0, once=True),
        ),
    )
    yield Case(
        f"OLS with standard errors, {size}",
        lambda: answer(tm.OLS(y, x, **setting.ours).fit()),
        (
            Peer("numpy, normal equations as in the text", closed_form, 1e-8),
            Peer("statsmodels OLS", needs(sm, lambda: answer(sm.OLS(y, x).fit())), 1e-8),
        ),
    )


def positive_sigma(omega: np.ndarray) -> np.ndarray:
    """The texts' likelihood knows sigma up to its sign alone, and searches end at either."""
    return np.append(omega[:-1], abs(omega[-1]))
