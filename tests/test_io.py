"""Saved results: small, free of training rows and of code, and the same when read again."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

import torchmle as tm
from torchmle.errors import ModelError


class Gumbel(tm.RegressionModel):
    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        z = (data.y - p.mu) / p.sigma
        return -z - torch.exp(-z) - torch.log(p.sigma)


def frame(n=400):
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.choice(list("abc"), n), "off": rng.normal(size=n)})
    data["y"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"])).astype(float)
    data["firm"] = rng.integers(0, 40, n).astype(str)
    data["w"] = rng.uniform(0.5, 2, n)
    data["time"], data["event"] = rng.exponential(size=n) + 0.01, rng.integers(0, 2, n)
    return data


FITS = {
    "poisson": lambda d: tm.Poisson.from_formula("y ~ center(x) + C(g)", d, offset="off").fit(
        disp=False, cov_type="HC1"
    ),
    "ols": lambda d: tm.OLS.from_formula("y ~ x * g", d).fit(cov_type="cluster", cov_kwds={"groups": "firm"}),
    "far": lambda d: tm.OLS.from_formula("y ~ I(x + 1e6)", d).fit(),
    "wls": lambda d: tm.WLS.from_formula("y ~ bs(x, df=4)", d, weights="w").fit(),
    "survival": lambda d: tm.ExponentialSurvival.from_formula("Surv(time, event) ~ x", d).fit(),
    "normal": lambda d: tm.Normal.from_formula("y ~ x", d, sigma="~ x").fit(),
    "mvn": lambda d: tm.MVNormal.from_formula("y + w ~ x", d).fit(),
    "student": lambda d: (
        tm.distribution_model(torch.distributions.StudentT).from_formula("y ~ x", d).fit(fix={"df": 5})
    ),
    "own": lambda d: Gumbel.from_formula("y ~ x", d).fit(),
}


@pytest.fixture(params=FITS)
def pair(request, tmp_path):
    result = FITS[request.param](frame())
    result.save(tmp_path / "fit.tm")
    return result, tm.load(tmp_path / "fit.tm"), tmp_path / "fit.tm"


def test_estimates_come_back(pair):
    result, loaded, _ = pair
    pd.testing.assert_series_equal(loaded.params, result.params, rtol=0, atol=0)
    pd.testing.assert_frame_equal(loaded.cov_params(), result.cov_params(), rtol=1e-15)
    pd.testing.assert_frame_equal(loaded.conf_int(0.1), result.conf_int(0.1), rtol=1e-15)
    for name in ("llf", "aic", "bic", "nobs", "df_resid", "df_model", "scale", "converged", "cov_type", "use_t"):
        assert getattr(loaded, name) == getattr(result, name), name


def test_predictions_come_back(pair):
    result, loaded, _ = pair
    new = frame(20)
    np.testing.assert_array_equal(np.asarray(loaded.predict(new)), np.asarray(result.predict(new)))


def test_summary_comes_back(pair):
    result, loaded, _ = pair

    def lines(summary):
        return [line for line in str(summary).splitlines() if "Time:" not in line or "risk" in line]

    assert lines(loaded.summary()) == lines(result.summary())


def test_file_is_small_and_holds_no_rows(pair):
    result, _, path = pair
    assert os.path.getsize(path) < 100_000
    with zipfile.ZipFile(path) as file:
        scalars = json.loads(file.read("result.json"))
        arrays = np.load(file.open("arrays.npz"), allow_pickle=False)
        longest = max((max(arrays[name].shape, default=0) for name in arrays.files), default=0)
    assert longest < 100 < result.nobs
    assert "0.30" not in json.dumps(scalars["design"].get("data", ""))


def test_size_does_not_grow_with_the_rows(tmp_path):
    sizes = []
    for n in (200, 20_000):
        result = tm.OLS.from_formula("y ~ x + C(g)", frame(n)).fit()
        result.save(tmp_path / f"{n}")
        sizes.append(os.path.getsize(tmp_path / f"{n}"))
    assert abs(sizes[1] - sizes[0]) < 300


def test_what_needs_rows_says_so(pair):
    _, loaded, _ = pair
    with pytest.raises(ModelError, match="rows of the fit"):
        loaded.score_obs()


def test_fresh_process_predicts(tmp_path):
    result = FITS["poisson"](frame())
    result.save(tmp_path / "fit.tm")
    frame(5).to_csv(tmp_path / "new.csv", index=False)
    script = (
        "import sys, pandas, torchmle; new = pandas.read_csv(sys.argv[2]);"
        "print(torchmle.load(sys.argv[1]).predict(new).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "fit.tm", tmp_path / "new.csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    np.testing.assert_allclose(json.loads(run.stdout), result.predict(frame(5)), rtol=1e-14)


def test_own_class_of_an_unknown_module_is_asked_for(tmp_path, monkeypatch):
    result = FITS["own"](frame())
    result.save(tmp_path / "fit.tm")
    monkeypatch.delitem(sys.modules, Gumbel.__module__)
    with pytest.raises(ModelError, match="model="):
        tm.load(tmp_path / "fit.tm")
    assert tm.load(tmp_path / "fit.tm", model=Gumbel).params.equals(result.params)


@pytest.mark.parametrize(
    ("family", "scale"),
    [(tm.families.Gaussian(), 2.0), (tm.families.Gaussian(), None), (tm.families.Gamma(tm.families.links.Log()), None)],
)
def test_ratios_of_loaded_results(family, scale, tmp_path):
    df = frame().assign(y=lambda d: d["y"] + 1.0)
    fits = [tm.GLM.from_formula(formula, df, family=family).fit(scale=scale) for formula in ("y ~ x + g", "y ~ g")]
    for i, fit in enumerate(fits):
        fit.save(tmp_path / str(i))
    full, small = (tm.load(tmp_path / str(i)) for i in range(2))
    assert full.lr_test(small) == fits[0].lr_test(fits[1])
