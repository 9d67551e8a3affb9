"""Computing on a device: every operation of a pass over the rows stays on it; real CUDA runs where there is one."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from problems import PROBLEMS
from torch.utils._python_dispatch import TorchDispatchMode

import torchmle as tm
from torchmle.covariance.leverage import adjusted_scores
from torchmle.data import Data

rng = np.random.default_rng(11)
N = 60
FRAME = pd.DataFrame(
    {
        "x": rng.normal(size=N) + 1e6,
        "w": rng.normal(size=N),
        "y": rng.poisson(2.0, N).astype(float),
        "v": rng.normal(size=N),
        "weight": rng.uniform(0.5, 2, N),
        "time": rng.exponential(size=N) + 0.5,
        "event": rng.integers(0, 2, N),
        "entry": rng.uniform(0, 0.3, N),
        "count": rng.integers(1, 3, N),
        "g": rng.choice(list("abcdefgh"), N),
    }
)
Laplace = tm.distribution_model(torch.distributions.Laplace)
MODELS = {
    "ols": lambda **k: tm.OLS.from_formula("v ~ x + w", FRAME, freq_weights="count", **k),
    "wls": lambda **k: tm.WLS.from_formula("v ~ x", FRAME, weights="weight", **k),
    "poisson": lambda **k: tm.Poisson.from_formula("y ~ x", FRAME, offset="w", exposure="weight", **k),
    "survival": lambda **k: tm.ExponentialSurvival.from_formula("Surv(entry, time, event) ~ x", FRAME, **k),
    "interval": lambda **k: tm.ExponentialSurvival.from_formula(
        "Surv(time, time + 1, type='interval2') ~ w", FRAME, **k
    ),
    "normal": lambda **k: tm.Normal.from_formula("v ~ x", FRAME, sigma="~ w", **k),
    "mvn": lambda **k: tm.MVNormal.from_formula("v + w ~ g", FRAME, **k),
    "laplace": lambda **k: Laplace.from_formula("v ~ w", FRAME, **k),
}


def on_meta(data: Data) -> Data:
    shift = {name: centre.to("meta") for name, centre in data.shift.items()}
    return data.to("meta").with_shift(shift)


ASKING = (
    "negbin",
    "geometric",
    "zero-negbin",
    "mnlogit",
    "ordered-",
    "student",
)  # whose passes ask what the values are
PASSES = {**MODELS, **{p.name: lambda p=p: p.build(p.frame(0, N)) for p in PROBLEMS if not p.name.startswith(ASKING)}}


@pytest.mark.parametrize("name", PASSES)
def test_passes_stay_on_the_device(name):
    """Meta tensors have a shape and a device, no values; they refuse the company of CPU tensors and questions about values."""
    model = PASSES[name]()
    size = model.layout.size
    n = model.rows.n
    z, block = torch.empty(size, dtype=torch.float64, device="meta"), on_meta(model.rows).block(slice(0, n))
    for order in range(3):
        sums = model.block_sums(z, block, order)
        assert [tuple(value.shape) for value in sums] == [(), (size,), (size, size)][: order + 1]
        assert all(value.device.type == "meta" for value in sums)
    assert model.block_scores(z, block).device.type == "meta"
    assert model.row_loglike(z, block).device.type == "meta"
    bread = torch.empty(size, size, dtype=torch.float64, device="meta")
    scores, free = adjusted_scores(model, z, block, bread, 0.5, False)
    assert (scores.shape, free.shape, scores.device.type, free.device.type) == ((n, size), (n,), "meta", "meta")


class Atomic(TorchDispatchMode):
    """Keeps the operations of which CUDA has no deterministic form; torch.use_deterministic_algorithms says which."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        adds_up = name == "cumsum" and args[0].is_floating_point()
        counts = name == "bincount" and len(args) > 1 and args[1] is not None
        if adds_up or counts or name in ("histc", "put_", "kthvalue") or function is torch.ops.aten.median.dim:
            self.seen.add(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_b11_every_operation_of_a_clustered_fit_has_a_deterministic_form(problem):
    """So that torch.use_deterministic_algorithms(True) makes two CUDA fits the same bit by bit, and does not refuse them."""
    frame = problem.frame(0, 120)
    with Atomic() as atomic:
        torch.bincount(torch.tensor([0, 1]), torch.ones(2))
        assert atomic.seen == {"bincount"}
        atomic.seen.clear()
        res = problem.fit(frame, freq_weights="counts")
        clustered = res.with_covariance("cluster", {"groups": "firm"})
        assert np.isfinite(np.asarray(clustered.bse)).all()
    assert not atomic.seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", MODELS)
def test_cuda_equals_the_cpu(name):
    cpu, gpu = MODELS[name](device="cpu").fit(), MODELS[name](device="cuda").fit()
    assert gpu.device.type == "cuda"
    np.testing.assert_allclose(gpu.params, cpu.params, rtol=1e-8)
    for kind, options in (("nonrobust", {}), ("HC1", {}), ("HC3", {}), ("cluster", {"groups": "g"})):
        mine, other = gpu.with_covariance(kind, options), cpu.with_covariance(kind, options)
        np.testing.assert_allclose(mine.bse, other.bse, rtol=1e-8)
    assert abs(gpu.llf - cpu.llf) < 1e-8 * abs(cpu.llf)
    np.testing.assert_allclose(gpu.predict(FRAME), cpu.predict(FRAME), rtol=1e-8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_tensors_are_taken_as_they_are():
    x = torch.randn(500, 3, dtype=torch.float64, device="cuda")
    y = x @ torch.ones(3, dtype=torch.float64, device="cuda")
    model = tm.OLS(y, x)
    assert model.rows.X.data_ptr() == x.data_ptr()
    assert model.placement.device.type == "cuda"


def test_auto_stays_on_the_cpu_for_small_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MODELS["ols"](device="auto").placement.device.type == "cpu"
        assert MODELS["ols"]().fit().device.type == "cpu"


def test_numpy_arrays_are_not_copied():
    x, y = np.ones((100, 2)), np.arange(100.0)
    x[:, 1] = y
    model = tm.OLS(y, x)
    assert model.rows.X.numpy().ctypes.data == x.ctypes.data
    assert model.rows.y.numpy().ctypes.data == y.ctypes.data
