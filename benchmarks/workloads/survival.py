"""Exponential survival times of 100,000 people ("Maximum likelihood estimation with {torch}")."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
import torchmin
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, answer, autograd_errors, needs, optional

sm, smf = optional("statsmodels.api"), optional("statsmodels.formula.api")


def simulated(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    trt = rng.binomial(1, 0.5, n)
    time = -np.log(rng.uniform(size=n)) / (0.2 * np.exp(-0.5 * trt))
    return pd.DataFrame({"trt": trt, "time": np.minimum(time, 5), "event": (time <= 5).astype(float)})


def cases(setting: Setting) -> Iterator[Case]:
    df = simulated(setting.size(100_000, 500))

    def likelihood():
        x = setting.tensor(np.column_stack([np.ones(len(df)), df.trt]))
        time, event = setting.tensor(df.time.to_numpy()), setting.tensor(df.event.to_numpy())
        return lambda beta: -torch.sum(event * (x @ beta) - torch.exp(x @ beta) * time + event * torch.log(time))

    def text() -> Answer:
        negative_loglike = likelihood()
        beta = setting.tensor([1.0, 1.0]).requires_grad_()
        optimizer = torch.optim.LBFGS([beta], line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            value = negative_loglike(beta)
            value.backward()
            return value

        last, value = np.inf, 0.0
        while abs(value - last) > 1e-6:
            last, value = value, float(optimizer.step(closure))
        return Answer(beta.detach().cpu().numpy(), autograd_errors(negative_loglike, beta.detach()))

    def minimized() -> Answer:
        negative_loglike = likelihood()
        found = torchmin.minimize(negative_loglike, setting.tensor([1.0, 1.0]), method="l-bfgs")
        return Answer(found.x.cpu().numpy(), autograd_errors(negative_loglike, found.x))

    def closed_form() -> Answer:
        treated = df.trt.to_numpy() == 1
        events = np.array([df.event[~treated].sum(), df.event[treated].sum()])
        logs = np.log(events / [df.time[~treated].sum(), df.time[treated].sum()])
        return Answer(np.array([logs[0], logs[1] - logs[0]]), np.sqrt([1 / events[0], (1 / events).sum()]))

    def poisson_trick() -> Answer:
        model = smf.glm("event ~ trt", df, family=sm.families.Poisson(), offset=np.log(df.time))
        return answer(model.fit())

    yield Case(
        f"Exponential survival, formula, fit, standard errors, {len(df):,} rows",
        lambda: answer(tm.ExponentialSurvival.from_formula("Surv(time, event) ~ trt", df, **setting.ours).fit()),
        (
            Peer("the text: torch.optim.LBFGS + autograd hessian, no formula", text, 1e-2),
            Peer("pytorch-minimize l-bfgs + autograd hessian, no formula", minimized, 1e-2),
            Peer("statsmodels glm, Poisson with log-time offset", needs(smf, poisson_trick), 1e-6),
            Peer("pandas, events over time at risk", closed_form, 1e-8),
        ),
    )
