"""Univariate and bivariate normal samples ("Maximum Likelihood Estimation for parameters of ... normal distribution")."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting

ADAM = {"lr": 0.01}
STEPS = {1: 5100, 2: 8100}  # the texts', by dimension
FARAWAY = [-10.0, 5.0]


def cases(setting: Setting) -> Iterator[Case]:
    yield univariate(setting)
    yield bivariate(setting)


def univariate(setting: Setting) -> Case:
    sample = np.random.default_rng(3).standard_normal(setting.size(10_000, 500))
    ones = np.ones((len(sample), 1))

    def adam() -> Answer:
        data = setting.tensor(sample)
        loc, scale = setting.tensor(-10.0).requires_grad_(), setting.tensor(2.0).requires_grad_()
        optimizer = torch.optim.Adam([loc, scale], **ADAM)
        for _ in range(setting.size(STEPS[1], 5)):
            distribution = torch.distributions.Normal(loc, torch.nn.functional.softplus(scale))
            (-torch.sum(distribution.log_prob(data))).backward()
            optimizer.step()
            optimizer.zero_grad()
        return Answer(np.array([loc.item(), torch.nn.functional.softplus(scale).item()]))

    def closed_form() -> Answer:
        sd = sample.std()
        return Answer(np.array([sample.mean(), sd]), sd / np.sqrt([len(sample), 2 * len(sample)]))

    def ours() -> Answer:
        result = tm.Normal(sample, ones, **setting.ours).fit()
        return Answer(np.asarray(result.params), np.asarray(result.bse))

    return Case(
        f"Normal mean and sd with standard errors, {len(sample):,} draws",
        ours,
        (
            Peer("the text: Adam, 5,100 steps (no standard errors)", adam, math.inf if setting.quick else 1e-2),
            Peer("numpy, closed form", closed_form, 1e-8),
        ),
    )


def bivariate(setting: Setting) -> Case:
    rng = np.random.default_rng(4)
    sample = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]], setting.size(1000, 500))
    lower = np.tril_indices(2)

    def adam() -> Answer:
        data = setting.tensor(sample)
        loc, tril = (
            setting.tensor(FARAWAY).requires_grad_(),
            torch.tril(setting.tensor(np.ones((2, 2)))).requires_grad_(),
        )
        optimizer = torch.optim.Adam([loc, tril], **ADAM)
        for _ in range(setting.size(STEPS[2], 5)):
            distribution = torch.distributions.MultivariateNormal(loc, tril @ tril.T)
            (-torch.sum(distribution.log_prob(data))).backward()
            optimizer.step()
            optimizer.zero_grad()
        covariance = (tril @ tril.T).detach().cpu().numpy()
        return Answer(np.append(loc.detach().cpu().numpy(), covariance[lower]))

    def closed_form() -> Answer:
        return Answer(np.append(sample.mean(0), np.cov(sample.T, bias=True)[lower]))

    def ours() -> Answer:
        result = tm.MVNormal(sample, **setting.ours).fit()
        covariance = np.asarray(result.cov)[lower]
        # the table lists the entries of the covariance matrix in an order of its own
        order = [int(np.argmin(np.abs(np.asarray(result.params)[2:] - value))) for value in covariance]
        errors = np.asarray(result.bse)
        return Answer(np.append(np.asarray(result.params)[:2], covariance), np.append(errors[:2], errors[2:][order]))

    return Case(
        f"Bivariate normal with standard errors, {len(sample):,} draws",
        ours,
        (
            Peer(
                "the text: Adam, 8,100 steps (no standard errors)", adam, math.inf if setting.quick else 1e-2, once=True
            ),
            Peer("numpy, closed form (no standard errors)", closed_form, 1e-8),
        ),
    )
