"""Expected information against R's VGAM, which makes its covariances of it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import torchmle as tm

FOLDER = Path(__file__).parent / "reference"
VGAM = json.loads((FOLDER / "expected.json").read_text())
CLOSE = 2e-7  # how far from the maximum its iterations stop


def frame():
    """As expected.R makes it."""
    df = pd.concat([pd.read_csv(FOLDER / "data" / "simulated.csv")] * 3, ignore_index=True)
    df["y"] = 2 * df["yp"]
    df.loc[1::3, "y"] = np.tile([0, 4, 1, 0, 2, 1, 3, 0, 1, 7], 6)
    return df.assign(grade=np.digitize(df["yn"], [0, 1], right=True))


# from VGAM's last parameter t to alpha, with its derivative
LAST = {
    "negbin": lambda t: (np.exp(-t), np.exp(-t)),  # log size
    "genpoisson1": lambda t: (np.exp(np.exp(t) / 2) - 1, np.exp(np.exp(t) / 2) * np.exp(t) / 2),  # log log of V / mu
    "genpoisson2": lambda t: (np.exp(t), np.exp(t)),
}
COUNTS = {
    "negbin": lambda df: tm.NegativeBinomial.from_formula("y ~ x + z", df),
    "genpoisson1": lambda df: tm.GeneralizedPoisson.from_formula("y ~ x + z", df, p=1),
    "genpoisson2": lambda df: tm.GeneralizedPoisson.from_formula("y ~ x + z", df, p=2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_dispersed_counts(name):
    res = COUNTS[name](frame()).fit(cov_type="eim", disp=False)
    params, se = np.array(VGAM[f"{name} params"]), np.array(VGAM[f"{name} se"])
    params[-1], slope = LAST[name](params[-1])
    se[-1] *= slope
    assert res.llf == pytest.approx(VGAM[f"{name} loglike"][0], rel=1e-10)
    np.testing.assert_allclose(res.params, params, rtol=CLOSE)
    np.testing.assert_allclose(res.bse, se, rtol=CLOSE)


def test_added_zeros():
    res = tm.ZeroInflatedPoisson.from_formula("y ~ x + z", frame(), inflate="~ x + z").fit(cov_type="eim", disp=False)
    assert res.llf == pytest.approx(VGAM["zip loglike"][0], rel=1e-10)
    np.testing.assert_allclose(res.params, VGAM["zip params"], rtol=CLOSE)
    np.testing.assert_allclose(res.bse, VGAM["zip se"], rtol=CLOSE)


@pytest.mark.parametrize("distr", ["logit", "probit", "cloglog"])
def test_ordered_categories(distr):
    """VGAM's P(y <= j) is a function of ``threshold_j + x b``, of which the slopes have the other sign."""
    res = tm.OrderedModel.from_formula("grade ~ x + z", frame(), distr=distr).fit(cov_type="eim", disp=False)
    params, se = np.array(VGAM[f"cumulative {distr} params"]), VGAM[f"cumulative {distr} se"]
    assert res.llf == pytest.approx(VGAM[f"cumulative {distr} loglike"][0], rel=1e-10)
    slopes = [0, 1]
    np.testing.assert_allclose(res.params.iloc[slopes], -params[2:], rtol=CLOSE)
    np.testing.assert_allclose(res.bse.iloc[slopes], se[2:], rtol=CLOSE)
