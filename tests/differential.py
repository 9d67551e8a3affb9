"""Random problems on which torchmle and statsmodels must agree: designs, families, links, weights and models.

    python tests/differential.py --examples 2000 [--seed 0]

draws as many and prints how many had an answer in both; `test_differential.py` runs a small part in CI.
"""

import argparse
import sys
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import torchmle.api as tsm
import torchmle.formula.api as tmf

# In standard errors for coefficients, relative otherwise. statsmodels stops when the deviance changes by less than 1e-14,
# which leaves it 1e-7 standard errors away; near-collinear designs (condition 1e6 after scaling) lose six of sixteen digits.
COEFFICIENTS, ERRORS, LIKELIHOOD = 1e-6, 1e-6, 1e-9
SEVERAL_MAXIMA = {("Gaussian", "Log"), ("Binomial", "Cauchy")}
FIRST_ORDER = 1e-6  # of what is not level at the estimates
CONDITION = 1e6

FAMILIES = {
    "Gaussian": ("Identity", "Log"),
    "Poisson": ("Log", "Sqrt"),
    "Binomial": ("Logit", "Probit", "CLogLog", "LogLog", "Cauchy"),
    "Gamma": ("Log",),
    "InverseGaussian": ("Log",),
    "NegativeBinomial": ("Log",),
    "Tweedie": ("Log",),
}
MODELS = ("ols", "wls", "logit", "probit", "poisson", "glm", "glm", "glm", "glm")
TERMS = ("x", "z", "C(g)", "x:z", "x:C(g)", "I(x ** 2)", "twin")


@dataclass(frozen=True)
class Problem:
    """A model with its data; `rows` are its row-shaped arguments."""

    model: str
    family: str
    link: str
    formula: str
    frame: pd.DataFrame = field(repr=False)
    rows: tuple[str, ...]
    cov_type: str

    def fit(self, package: Any, formulas: Any) -> Any:
        """The fit by one of the packages."""
        told: dict[str, Any] = {name: self.frame[name] for name in self.rows}
        if self.model == "glm":
            link = getattr(package.families.links, self.link)()
            special = {"NegativeBinomial": {"alpha": 0.7}, "Tweedie": {"var_power": 1.5}}.get(self.family, {})
            told["family"] = getattr(package.families, self.family)(link, **special)
        model = getattr(formulas, self.model)(self.formula, self.frame, **told)
        searching = {"ols": {}, "wls": {}, "glm": {}}.get(self.model, {"disp": 0})
        if package is sm and self.model == "glm":
            searching = {"tol": 1e-14, "maxiter": 200}
        if package is sm and self.model in ("logit", "probit", "poisson"):
            searching = {"disp": 0, "tol": 1e-12, "maxiter": 200}
        return model.fit(cov_type=self.cov_type, **searching)


@st.composite
def problems(draw) -> Problem:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([25, 40, 80, 200]))
    model = draw(st.sampled_from(MODELS))
    family = draw(st.sampled_from(sorted(FAMILIES)))
    link = draw(st.sampled_from(FAMILIES[family]))
    terms = draw(st.lists(st.sampled_from(TERMS), min_size=1, max_size=3, unique=True))
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.uniform(-1, 1, n)})
    frame["g"] = rng.choice(list("abc")[: draw(st.integers(2, 3))], n)
    eta = 0.2 + 0.4 * frame["x"] - 0.5 * frame["z"] + 0.3 * (frame["g"] == "b")
    frame["twin"] = frame["x"] + draw(st.sampled_from([1.0, 1e-2, 1e-4])) * rng.normal(size=n)
    frame["exposure"], frame["offset"] = rng.uniform(0.5, 2, n), rng.normal(0, 0.2, n)
    frame["freq_weights"], frame["var_weights"] = rng.integers(1, 4, n), rng.uniform(0.5, 2, n)
    frame["weights"] = frame["var_weights"]
    kind = {"ols": "Gaussian", "wls": "Gaussian", "logit": "Binomial", "probit": "Binomial", "poisson": "Poisson"}
    frame["y"] = response(rng, kind.get(model, family), eta)
    frame["x"] = draw(st.sampled_from([0.0, 0.0, 50.0])) + draw(st.sampled_from([1.0, 1e-3, 1e4])) * frame["x"]
    rows = draw(st.sets(st.sampled_from(["offset", "exposure", "freq_weights", "var_weights"]), max_size=2))
    allowed = {"glm": {"offset", "freq_weights", "var_weights"}, "poisson": {"offset", "exposure"}, "logit": {"offset"},
               "probit": {"offset"}}.get(model, set())  # fmt: skip
    if link == "Log":
        allowed = allowed | ({"exposure"} if model == "glm" else set())
    chosen = ("weights",) if model == "wls" else tuple(sorted(rows & allowed))
    cov_type = draw(st.sampled_from(["nonrobust", "nonrobust", "HC0"]))
    if cov_type == "HC0" and {"freq_weights", "var_weights"} & set(chosen):
        cov_type = "nonrobust"  # statsmodels squares frequencies in the meat
    formula = "y ~ " + " + ".join(terms) + ("" if link == "Sqrt" else draw(st.sampled_from(["", "", " - 1"])))
    return Problem(model, family, link, formula, frame, chosen, cov_type)


def response(rng: np.random.Generator, family: str, eta: pd.Series) -> np.ndarray:
    """A response whose mean rises with eta."""
    mean = np.exp(eta.to_numpy())
    if family == "Gaussian":
        return 3 + eta.to_numpy() + 0.5 * rng.normal(size=len(mean))
    if family == "Binomial":
        return (rng.random(len(mean)) < 1 / (1 + 1 / mean)).astype(float)
    if family in ("Poisson", "NegativeBinomial"):
        return rng.poisson(mean * rng.gamma(2, 0.5, len(mean))).astype(float)
    positive = rng.gamma(3, mean / 3)
    return np.where(rng.random(len(mean)) < 0.2, 0.0, positive) if family == "Tweedie" else positive + 1e-3


def comparable(problem: Problem, theirs: Any) -> bool:
    """Whether statsmodels has an answer that deserves the name: converged, finite, of full rank, nothing separated."""
    x = theirs.model.exog
    if len(x) <= x.shape[1] + 2 or not condition(theirs) < CONDITION:
        return False
    numbers = np.concatenate([np.asarray(theirs.params), np.asarray(theirs.bse), [theirs.llf]])
    if problem.model == "glm" and problem.link == "Sqrt" and (theirs.predict(which="linear") < 0).any():
        return False  # the square of what is no square root
    sound = np.isfinite(numbers).all() and (np.asarray(theirs.bse) > 0).all()
    return bool(getattr(theirs, "converged", True)) and bool(sound)


def condition(results: Any) -> float:
    """Condition number of the design with columns of length 1."""
    x = results.model.exog
    return float(np.linalg.cond(x / np.linalg.norm(x, axis=0)))


def compare(problem: Problem) -> bool:
    """Assert that both packages agree; False where statsmodels has no answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = problem.fit(sm, smf)
        except (ValueError, np.linalg.LinAlgError, FloatingPointError):
            return False
        if not comparable(problem, theirs):
            return False
        ours = problem.fit(tsm, tmf)
        if not ours.converged:  # a claim that must be true: the likelihood has no maximum, or statsmodels is not at it
            gain = np.abs(np.asarray(theirs.bse)).max() / np.abs(np.asarray(theirs.params)).max()
            assert gain > 1e2 or np.linalg.norm(theirs.model.score(np.asarray(theirs.params))) > 1e-6, (
                ours.optim.message
            )
            return False
    assert list(ours.params.index) == list(theirs.params.index)
    errors = np.asarray(theirs.bse)
    if ours.llf > theirs.llf + 1e-6:  # statsmodels is not at the maximum
        return False
    if ours.llf < theirs.llf - 1e-6 and (problem.family, problem.link) in SEVERAL_MAXIMA:
        slopes = theirs.model.score(np.asarray(ours.params)) * errors
        assert np.abs(slopes).max() < 1e-3  # ours is one of them
        return False
    lost = np.linalg.cond(theirs.model.exog) ** 2 * np.finfo(float).eps  # of the digits, in X'X as statsmodels has it
    np.testing.assert_array_less(np.abs(ours.params - theirs.params) / errors, COEFFICIENTS + lost)
    np.testing.assert_allclose(ours.bse, errors, rtol=max(ERRORS, lost))
    level = dict.fromkeys(
        ("llf", "aic", "bic", "deviance", "null_deviance", "rsquared", "fvalue", "prsquared"), LIKELIHOOD
    )
    if problem.family in (
        "Gamma",
        "InverseGaussian",
        "Tweedie",
        "Gaussian",
    ):  # taken at a dispersion that moves with mu
        level.update(llf=FIRST_ORDER, aic=FIRST_ORDER, bic=FIRST_ORDER)
    for name, tolerance in {**level, "pearson_chi2": FIRST_ORDER, "scale": FIRST_ORDER}.items():
        if hasattr(theirs, name) and np.isfinite(getattr(theirs, name)):
            expected = getattr(theirs, name)
            robust = (
                name == "fvalue" and problem.cov_type != "nonrobust"
            )  # statsmodels cuts a covariance's singular values
            if not robust:
                np.testing.assert_allclose(getattr(ours, name), expected, rtol=tolerance, atol=1e-9, err_msg=name)
    assert (ours.df_resid, ours.df_model) == (theirs.df_resid, theirs.df_model)
    limits = np.abs(ours.conf_int() - theirs.conf_int()).to_numpy() / errors[:, None]
    assert limits.max() < COEFFICIENTS + 2 * max(ERRORS, lost)
    return True


def run(examples: int, start: int) -> tuple[int, int]:
    """Draw problems and compare; how many were drawn, and how many had an answer in both."""
    counts = [0, 0]

    @seed(start)
    @settings(max_examples=examples, deadline=None, database=None, phases=(Phase.generate,), derandomize=False,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(problems())
    def agree(problem: Problem) -> None:
        counts[0] += 1
        counts[1] += compare(problem)

    agree()
    return counts[0], counts[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    drawn, compared = run(told.examples, told.seed)
    sys.stdout.write(f"{drawn} problems drawn, {compared} compared, all agree\n")
