"""A Poisson regression of 200,000 rows: time, and memory above the design."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torchmin
from harness.timing import Answer, Case, Peer

import torchmle as tm

from .setting import Setting, answer, autograd_errors, needs, optional

sm = optional("statsmodels.api")

MEMORY = """
import re, sys
import numpy as np
def kilobytes(what):  # ru_maxrss would count the process that started this one
    return float(re.search(what + r":\\s*(\\d+)", open("/proc/self/status").read()).group(1))
n, k = {n}, {k}
rng = np.random.default_rng(6)
x = rng.standard_normal((n, k))
x *= 0.1  # in place, so that the peak is not that of making the data
y = rng.poisson(1.0, n).astype(float)
sys.path.insert(0, {root!r})
{imports}
{small}
before = kilobytes("VmRSS")
{fit}
print((kilobytes("VmHWM") - before) / 1024)
"""
OURS = "import torchmle as tm", "tm.Poisson({y}, {x}, device={device!r}).fit(disp=0).bse"
PEERS = "import statsmodels.api as sm", "sm.GLM({y}, {x}, family=sm.families.Poisson()).fit().bse"


def cases(setting: Setting) -> Iterator[Case]:
    yield fit(setting, setting.size(200_000, 500), 20)
    if sys.platform.startswith("linux"):  # where a process can read its peak of memory
        yield memory(setting, setting.size(500_000, 2000), 20)


def fit(setting: Setting, n: int, k: int) -> Case:
    rng = np.random.default_rng(6)
    x = np.column_stack([np.ones(n), rng.standard_normal((n, k - 1)) * 0.1])
    y = rng.poisson(np.exp(0.5 + x[:, 1])).astype(float)

    def glm() -> Answer:
        return answer(sm.GLM(y, x, family=sm.families.Poisson()).fit())

    def minimized() -> Answer:
        design, counts = setting.tensor(x), setting.tensor(y)

        def negative_loglike(beta: torch.Tensor) -> torch.Tensor:
            eta = design @ beta
            return (torch.exp(eta) - counts * eta).sum()

        found = torchmin.minimize(negative_loglike, setting.tensor(np.zeros(k)), method="l-bfgs")
        return Answer(found.x.cpu().numpy(), autograd_errors(negative_loglike, found.x))

    return Case(
        f"Poisson, arrays, fit and standard errors, {n:,} x {k}",
        lambda: answer(tm.Poisson(y, x, **setting.ours).fit(disp=0)),
        (
            Peer("statsmodels GLM", needs(sm, glm), 1e-6),
            Peer("pytorch-minimize l-bfgs + autograd hessian", minimized, 0.1),
        ),
    )


def memory(setting: Setting, n: int, k: int) -> Case:
    def peak(program: tuple[str, str]) -> Answer:
        imports, call = program
        small = call.format(y="y[:100]", x="x[:100, :2]", device=setting.device)  # what is loaded late is not counted
        code = MEMORY.format(
            n=n, k=k, root=str(Path(tm.__file__).parents[1]), imports=imports, small=small,
            fit=call.format(y="y", x="x", device=setting.device),
        )  # fmt: skip
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
        return Answer(np.zeros(1), np.ones(1), amount=max(0.1, float(done.stdout)))

    megabytes = 8 * n * k / 2**20
    return Case(
        f"Poisson, peak memory above a design of {megabytes:.0f} MB",
        lambda: peak(OURS),
        (Peer("statsmodels GLM", needs(sm, lambda: peak(PEERS)), 0.0),),
        unit="MB",
    )
