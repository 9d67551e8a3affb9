"""Fit a case with torchmle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

import torchmle as tm

from . import corpus


@dataclass(frozen=True)
class Fitted:
    """A case, its fit, and which parameter of ours is which of theirs.

    Attributes
    ----------
    names : theirs in their order, in our words
    sign : -1 where their coefficients are minus ours (log time against log hazard)
    """

    case: dict[str, Any]
    frame: pd.DataFrame
    res: Any
    names: list[str]
    sign: float = 1.0

    @property
    def expected(self) -> dict[str, Any]:
        return self.case["expected"]

    @property
    def kind(self) -> str:
        return self.case["model"]["class"]

    @cached_property
    def positions(self) -> list[int]:
        """Where each of their parameters stands among ours."""
        return [self.res.names.index(name) for name in self.names]

    @cached_property
    def se(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance()))

    def coefficients(self) -> np.ndarray:
        return self.sign * np.asarray(self.res.params)[self.positions]

    def covariance(self, cov_type: str | None = None, **options: Any) -> np.ndarray:
        """The covariance of a kind, in their order."""
        res = self.res if cov_type is None else self.res.with_covariance(cov_type, options)
        return np.asarray(res.cov_params())[np.ix_(self.positions, self.positions)]

    def rows(self) -> np.ndarray:
        """The rows used, as positions in the frame."""
        kept = self.res.model.kept
        return np.arange(len(self.frame)) if kept is None else np.flatnonzero(kept)


def model_of(name: str) -> type:
    """The model class of a case."""
    case = corpus.load(name)
    bernoulli = tm.distribution_model(torch.distributions.Bernoulli)
    model = case["model"]
    return {
        "OLS": tm.OLS, "WLS": tm.WLS, "ExponentialPH": tm.ExponentialSurvival, "AFT": tm.ExponentialSurvival, "MVN": tm.MVNormal,
        "Normal": tm.Normal, "GLM": {"poisson": tm.Poisson, "binomial": bernoulli}.get(model.get("family")),
    }[model["class"]]  # fmt: skip


def formula_of(name: str) -> str:
    case = corpus.load(name)
    response = case["model"].get("response")
    return f"Surv({response['time']}, {response['event']}) {case['formula']}" if response else case["formula"]


def fit(name: str, formula: str | None = None, cov_type: str = "nonrobust", **options: Any) -> Any:
    """Results of a case's model, or of another formula for the same rows."""
    case, model = corpus.load(name), model_of(name)
    arguments = {key: case["options"][key] for key in ("weights", "offset") if key in case["options"]}
    options.setdefault("disp", False)
    return model.from_formula(formula or formula_of(name), corpus.frame(name), **arguments).fit(
        cov_type=cov_type, **options
    )


@cache
def fitted(name: str) -> Fitted:
    case, res = corpus.load(name), fit(name)
    names = case["expected"].get("names_patsy")
    if names is None and case["model"]["class"] == "Normal":
        names = ["Intercept", "sigma"]
    elif names is None:
        names = [{"(Intercept)": "Intercept"}.get(their, their) for their in case["expected"]["names"]]
    return Fitted(case, corpus.frame(name), res, names, -1.0 if case["model"]["class"] == "AFT" else 1.0)
