"""Poisson regression of 1,000 rows ("Example of torch for classical stats")."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy.optimize
import torch
import torchmin
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, answer, autograd_errors, needs, optional

sm, smf = optional("statsmodels.api"), optional("statsmodels.formula.api")
FORMULA = "y ~ x1 + x2"


def cases(setting: Setting) -> Iterator[Case]:
    rng = np.random.default_rng(44)
    x = rng.uniform(size=(setting.size(1000, 100), 2))
    y = rng.poisson(np.exp(x @ [1, 1.8])).astype(float)
    df = pd.DataFrame({"y": y, "x1": x[:, 0], "x2": x[:, 1]})
    design = np.column_stack([np.ones(len(y)), x])

    def summarized(model) -> Answer:
        result = model.fit(disp=0)
        str(result.summary())
        return answer(result)

    def likelihood():
        columns, counts = setting.tensor(design), setting.tensor(y)

        def negative_loglike(beta: torch.Tensor) -> torch.Tensor:
            eta = columns @ beta
            return -torch.sum(counts * eta - torch.exp(eta))

        return negative_loglike

    def text() -> Answer:
        negative_loglike = likelihood()

        def with_gradient(beta: np.ndarray) -> tuple[float, np.ndarray]:
            leaf = setting.tensor(beta).requires_grad_()
            value = negative_loglike(leaf)
            value.backward()
            return value.item(), leaf.grad.cpu().numpy()

        found = scipy.optimize.minimize(with_gradient, np.zeros(3), jac=True, method="BFGS")
        return Answer(found.x, autograd_errors(negative_loglike, setting.tensor(found.x)))

    def minimized() -> Answer:
        negative_loglike = likelihood()
        found = torchmin.minimize(negative_loglike, setting.tensor(np.zeros(3)), method="bfgs")
        return Answer(found.x.cpu().numpy(), autograd_errors(negative_loglike, found.x))

    def glm() -> Answer:
        result = smf.glm(FORMULA, df, family=sm.families.Poisson()).fit()
        str(result.summary())
        return answer(result)

    yield Case(
        f"Poisson, formula, fit and summary, {len(y):,} rows",
        lambda: summarized(tm.Poisson.from_formula(FORMULA, df, **setting.ours)),
        (
            Peer("statsmodels glm", needs(smf, glm), 1e-6, asked=1),
            Peer("statsmodels poisson", needs(smf, lambda: summarized(smf.poisson(FORMULA, df))), 1e-6),
        ),
    )
    yield Case(
        f"Poisson, arrays, fit and standard errors, {len(y):,} rows",
        lambda: answer(tm.Poisson(y, design, **setting.ours).fit(disp=0)),
        (
            Peer("statsmodels Poisson", needs(sm, lambda: answer(sm.Poisson(y, design).fit(disp=0))), 1e-6),
            Peer("the text: scipy BFGS with torch gradients + autograd hessian", text, 1e-2),
            Peer("pytorch-minimize bfgs + autograd hessian", minimized, 1e-2),
        ),
    )
    wide = np.column_stack([np.ones(len(y)), rng.standard_normal((len(y), setting.size(49, 4)))])
    counts = rng.poisson(np.exp(wide @ rng.normal(0, 0.2, wide.shape[1]))).astype(float)
    yield Case(
        f"Poisson, arrays, fit and standard errors, {len(y):,} x {wide.shape[1]}",
        lambda: answer(tm.Poisson(counts, wide, **setting.ours).fit(disp=0)),
        (Peer("statsmodels Poisson", needs(sm, lambda: answer(sm.Poisson(counts, wide).fit(disp=0))), 1e-6, asked=1),),
    )
