"""Bootstrap of Poisson regression: 1,000 samples of 10,000 rows and ten columns, the same samples for every peer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from harness.timing import Answer, Case, Peer

import torchmle as tm
from torchmle.fitting.resampling import case_weights

from .setting import Setting, needs, optional

sm = optional("statsmodels.api")
SEED = 7


def cases(setting: Setting) -> Iterator[Case]:
    rng = np.random.default_rng(45)
    n, k, reps = setting.size(10_000, 200), setting.size(10, 3), setting.size(1000, 20)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, k - 1))])
    y = rng.poisson(np.exp(x @ np.r_[0.5, np.full(k - 1, 0.1)])).astype(float)
    model = tm.Poisson(y, x, **setting.ours)
    result = model.fit(disp=0)

    def ours() -> Answer:
        found = result.bootstrap(reps, seed=SEED)
        return Answer(found.values.mean(0), np.asarray(found.se))

    def samples() -> Iterator[np.ndarray]:
        """Rows of each sample, as `replicate` draws them."""
        draw = case_weights(model)
        for sequence in np.random.SeedSequence(SEED).spawn(reps):
            (counts,) = draw([sequence], slice(0, 1))
            yield np.repeat(np.arange(n), counts.astype(int))

    def loop() -> Answer:
        values = np.array([sm.Poisson(y[rows], x[rows]).fit(disp=0).params for rows in samples()])
        return Answer(values.mean(0), values.std(0, ddof=1))

    yield Case(
        f"Bootstrap of Poisson, {reps:,} samples of {n:,} rows, {k} columns",
        ours,
        (Peer("loop of statsmodels Poisson", needs(sm, loop), 1e-5, asked=10, once=True),),
    )
