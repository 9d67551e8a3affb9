"""Random models and data that R and torchmle can both fit; `differential_r.py` compares the answers.

Everything a formula names is a column that both sides are given: polynomials and splines are made here, so that no two
bases are compared.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import patsy
import torch

import torchmle as tm
from torchmle import families

L = families.links
LINKS = {"identity": L.Identity, "log": L.Log, "sqrt": L.Sqrt, "inverse": L.InversePower, "1/mu^2": L.InverseSquared,
         "logit": L.Logit, "probit": L.Probit, "cloglog": L.CLogLog, "cauchit": L.Cauchy}  # fmt: skip
FAMILIES = {"gaussian": families.Gaussian, "binomial": families.Binomial, "quasibinomial": families.Binomial,
            "poisson": families.Poisson, "quasipoisson": families.Poisson, "Gamma": families.Gamma,
            "inverse.gaussian": families.InverseGaussian}  # fmt: skip
GLMS = [
    ("gaussian", "identity"), ("gaussian", "log"), ("binomial", "logit"), ("binomial", "probit"), ("binomial", "cloglog"),
    ("binomial", "cauchit"), ("poisson", "log"), ("poisson", "sqrt"), ("Gamma", "log"), ("Gamma", "inverse"),
    ("inverse.gaussian", "1/mu^2"), ("inverse.gaussian", "log"), ("quasipoisson", "log"), ("quasibinomial", "logit"),
]  # fmt: skip
KINDS = ["lm", "glm", "glm", "glm", "glm", "negbin", "clm", "multinom", "survreg", "clogit", "zeroinfl"]
ALLOWED = {  # row arguments: R's weights are variances' reciprocals, trials or frequencies
    "lm": ("off", "weights", "counts"), "glm": ("off", "weights", "counts"), "negbin": ("off", "counts"), "clm": ("off", "weights"),
    "multinom": ("weights",), "survreg": ("off", "weights"), "clogit": ("off",), "zeroinfl": ("off", "weights"),
}  # fmt: skip
TERMS = ("g", "h", "p2 + p3", "s1 + s2 + s3", "x:z", "x:g", "z:h", "g:h")
MARGINS = {"x:g": "g", "z:h": "h", "g:h": "g + h"}
NEW = 4


class Weibull(tm.RegressionModel):
    """Times in accelerated form, as survreg's default: log t = mu + sigma log(exponential)."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        z = (data.y.log() - p.mu) / p.sigma
        return data.event * (z - p.sigma.log() - data.y.log()) - z.exp()


class LogNormal(tm.RegressionModel):
    """Normal log times."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        z = (data.y.log() - p.mu) / p.sigma
        density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - p.sigma.log() - data.y.log()
        return torch.where(data.event > 0, density, torch.special.log_ndtr(-z))


class LogLogistic(tm.RegressionModel):
    """Logistic log times."""

    parameters = {"mu": tm.Identity(), "sigma": tm.Log()}

    def loglike_obs(self, p, data):
        z = (data.y.log() - p.mu) / p.sigma
        survival = torch.nn.functional.logsigmoid(-z)
        return survival + data.event * (torch.nn.functional.logsigmoid(z) - p.sigma.log() - data.y.log())


TIMES = {"exponential": tm.ExponentialSurvival, "weibull": Weibull, "lognormal": LogNormal, "loglogistic": LogLogistic}


@dataclass(frozen=True)
class Problem:
    """A question to both programs.

    Attributes
    ----------
    terms : tuple of str
        Of the right-hand side; the last is what the smaller model lacks.
    rows : tuple of str
        Row-shaped columns in use, of `off`, `weights`, `counts`, `trials`.
    """

    name: str
    kind: str
    family: str
    link: str
    variance: str
    terms: tuple[str, ...]
    constant: bool
    rows: tuple[str, ...]
    frame: pd.DataFrame = field(repr=False)
    new: pd.DataFrame = field(repr=False)
    profile: str
    rhs: tuple[float, float]

    # -- what R is asked ---------------------------------------------------------------------------------------

    def right(self, terms: tuple[str, ...]) -> str:
        return " + ".join(terms) + ("" if self.constant else " - 1")

    def r_formula(self, terms: tuple[str, ...]) -> str:
        left = {"survreg": "Surv(time, event)"}.get(self.kind, "y")
        right = self.right(terms) + (" + offset(off)" if "off" in self.rows else "")
        extra = {"clogit": " + strata(set)", "zeroinfl": " | w"}.get(self.kind, "")
        return f"{left} ~ {right}{extra}"

    def question(self) -> dict[str, Any]:
        return {
            "name": self.name, "kind": self.kind, "family": self.family, "link": self.link, "variance": self.variance,
            "formula": self.r_formula(self.terms), "smaller": self.r_formula(self.terms[:-1]), "rows": list(self.rows),
            "terms_only": f"~ {self.right(self.terms)}", "profile": self.profile, "rhs": list(self.rhs),
            "levels": {"g": sorted(set(self.frame["g"])), "h": sorted(set(self.frame["h"]))},
            "data": self.frame.to_dict("list"), "new": self.new.to_dict("list"),
        }  # fmt: skip

    def signed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame whose offset is one of log hazards where ours are."""
        return frame.assign(off=-frame["off"]) if self.family == "exponential" else frame

    # -- the same of torchmle ----------------------------------------------------------------------------------

    def model(self, terms: tuple[str, ...] | None = None) -> Any:
        frame, right = self.signed(self.frame), self.right(self.terms if terms is None else terms)
        told: dict[str, Any] = {"offset": "off"} if "off" in self.rows else {}
        told |= {"freq_weights": "counts"} if "counts" in self.rows else {}
        if self.kind == "lm":
            kind = tm.WLS if "weights" in self.rows else tm.OLS
            return kind.from_formula(
                f"y ~ {right}", frame, **told, **({"weights": "weights"} if kind is tm.WLS else {})
            )
        if self.kind == "glm":
            told |= {"var_weights": "weights"} if "weights" in self.rows else {}
            told |= {"n_trials": "trials"} if "trials" in self.rows else {}
            frame = frame.assign(y=frame["y"] / frame["trials"]) if "trials" in self.rows else frame
            family = {"mu^2": families.Gamma, "mu^3": families.InverseGaussian}.get(self.variance) or FAMILIES[
                self.family
            ]
            return tm.GLM.from_formula(f"y ~ {right}", frame, family=family(LINKS[self.link]()), **told)
        if "weights" in self.rows:
            told["freq_weights"] = "weights"
        kind = {"negbin": tm.NegativeBinomial, "clm": tm.OrderedModel, "multinom": tm.MNLogit, "clogit": tm.ConditionalLogit,
                "zeroinfl": tm.ZeroInflatedPoisson if self.family == "poisson" else tm.ZeroInflatedNegativeBinomialP,
                "survreg": TIMES.get(self.family)}[self.kind]  # fmt: skip
        told |= {"clm": {"distr": self.link}, "zeroinfl": {"inflate": "~ w", "inflation": self.link},
                 "clogit": {"groups": "set"}}.get(self.kind, {})  # fmt: skip
        left = "Surv(time, event)" if self.kind == "survreg" else "y"
        return kind.from_formula(f"{left} ~ {right}", frame, **told)

    def fit(self, terms: tuple[str, ...] | None = None, **options: Any) -> Any:
        """The fit, with standard errors of the information that R's have."""
        model = self.model(terms)
        expected = self.kind in ("glm", "negbin")
        told = {"scale": "X2"} if self.family.startswith("quasi") and self.variance == "" else {}
        plain = {} if self.kind in ("lm", "glm") else {"disp": False}
        return model.fit(cov_type="eim" if expected else "nonrobust", **told, **plain, **options)


def draw(seed: int) -> Problem:
    """One problem; the same for the same seed."""
    rng = np.random.default_rng([seed, 20])
    kind = KINDS[rng.integers(len(KINDS))]
    family, link, variance = chosen_family(rng, kind)
    n = int(rng.choice([30, 60, 120, 300])) * (2 if kind in ("negbin", "zeroinfl", "multinom") else 1)
    few = 1 if kind in ("multinom", "zeroinfl", "clogit") else 2
    extra = [TERMS[i] for i in rng.permutation(len(TERMS))[: rng.integers(0, few + 1)]]
    if "s1 + s2 + s3" in extra:  # which span the polynomials
        extra = [term for term in extra if term != "p2 + p3"]
    terms = list(
        dict.fromkeys(" + ".join(["x + z", *(MARGINS[term] for term in extra if term in MARGINS)]).split(" + "))
    )
    terms = tuple(term for term in terms if term not in extra) + tuple(sorted(extra, key=lambda term: ":" in term))
    constant = bool(kind in ("clm", "multinom", "survreg", "clogit", "zeroinfl", "negbin") or rng.random() < 0.85)
    allowed = ALLOWED[kind]
    rows = {name for name in allowed if rng.random() < 0.35}
    if kind == "survreg" and family != "exponential":
        rows -= {"off"}
    if {"weights", "counts"} <= rows:
        rows -= {rng.choice(["weights", "counts"])}
    if "binomial" in family:
        rows = rows - {"weights"} | ({"trials"} if rng.random() < 0.5 else set())
    whole = rng.uniform(0.5, 2, n) if kind in ("lm", "glm") else rng.integers(1, 4, n).astype(float)
    frame, eta = columns(rng, n)
    new, _ = columns(rng, NEW)
    frame["weights"] = whole
    if "trials" not in rows:
        frame["trials"] = 1
    frame = respond(rng, kind, family, link, variance, frame, eta)
    shift, scale = float(rng.choice([0.0, 0.0, 50.0])), float(rng.choice([1.0, 1.0, 1e-3, 1e4]))
    if (
        scale == 1e-3
    ):  # no more than 500 standard deviations from zero; coxph and survreg keep few digits of such columns
        shift *= 0.0 if kind in ("clogit", "survreg") else 0.01
    for table in (frame, new):
        table["x"] = shift + scale * table["x"]
    new = pd.concat([new, frame.head(0)]).reindex(columns=[c for c in frame if c not in ("y", "time", "event")])
    new[["weights", "counts", "trials", "set", "firm"]] = 1
    name = rng.choice(["x", "z", "(Intercept)"] if constant and kind not in ("clm", "clogit") else ["x", "z"])
    return Problem(f"{seed}", kind, family, link, variance, terms, constant, tuple(sorted(rows)), frame, new, str(name),
                   (0.0, round(float(rng.normal()), 2)))  # fmt: skip


def chosen_family(rng: np.random.Generator, kind: str) -> tuple[str, str, str]:
    """Family, link, and the variance of a quasi family."""
    if kind == "glm":
        if rng.random() < 0.08:
            return "quasi", "log", str(rng.choice(["mu^2", "mu^3"]))
        return (*GLMS[rng.integers(len(GLMS))], "")
    if kind == "clm":
        return "", str(rng.choice(["logit", "probit", "cloglog", "loglog", "cauchit"])), ""
    if kind == "survreg":
        return str(rng.choice(list(TIMES))), "", ""
    if kind == "zeroinfl":
        return str(rng.choice(["poisson", "negbin"])), str(rng.choice(["logit", "probit"])), ""
    return "", "", ""


def columns(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns, and a linear predictor in them with standard deviation about 0.5."""
    df = pd.DataFrame({"x": rng.normal(size=n), "z": rng.uniform(-1, 1, n), "w": rng.normal(size=n)})
    df["g"] = rng.choice(["a", "b", "c"], n) if n > NEW else ["a", "b", "c", "a"]
    df["h"] = rng.choice(["no", "yes"], n) if n > NEW else ["yes", "no", "yes", "no"]
    u = rng.uniform(0, 1, n)
    df["p2"], df["p3"] = u - 0.5, (u - 0.5) ** 2
    basis = np.asarray(patsy.bs(u, knots=[0.5], degree=2, lower_bound=0.0, upper_bound=1.0))
    df["s1"], df["s2"], df["s3"] = basis.T
    df["off"], df["weights"] = rng.normal(0, 0.2, n), 1.0
    df["counts"], df["trials"] = rng.integers(1, 4, n), rng.integers(1, 9, n)
    df["firm"], df["set"] = rng.integers(0, max(n // 8, 2), n), np.arange(n) // 6
    eta = (
        0.4 * df["x"]
        - 0.5 * df["z"]
        + 0.3 * (df["g"] == "b")
        + 0.3 * (df["h"] == "yes") * df["z"]
        + 0.4 * np.sin(5 * u)
    )
    return df, (eta + df["off"]).to_numpy()


def respond(
    rng: np.random.Generator, kind: str, family: str, link: str, variance: str, df: pd.DataFrame, eta: np.ndarray
) -> pd.DataFrame:
    """The columns of the response."""
    n = len(df)
    if kind == "lm":
        return df.assign(y=2 + eta + rng.normal(size=n) / np.sqrt(df["weights"]))
    if kind == "survreg":
        time, limit = np.exp(eta + 0.7 * np.log(rng.exponential(size=n))), rng.uniform(0.5, 8, n)
        return df.assign(time=np.minimum(time, limit), event=(time <= limit).astype(int))
    if kind == "clm":
        return df.assign(y=np.digitize(eta + rng.logistic(size=n), [-1.0, 0.3, 1.5][: rng.integers(2, 4)]))
    if kind == "multinom":
        value = np.column_stack([np.zeros(n), 0.3 + eta, -eta]) + rng.gumbel(size=(n, 3))
        return df.assign(y=np.array(["bus", "car", "walk"])[value.argmax(1)])
    if kind == "clogit":
        return df.assign(y=(eta + rng.normal(size=n // 6 + 1)[df["set"]] + rng.logistic(size=n) > 0).astype(int))
    if kind == "negbin" or kind == "zeroinfl":
        counts = rng.poisson(
            np.exp(0.8 + eta) * (rng.gamma(2, 0.5, n) if (kind, family) != ("zeroinfl", "poisson") else 1)
        )
        added = rng.random(n) < 1 / (1 + np.exp(0.5 - df["w"])) if kind == "zeroinfl" else np.zeros(n, bool)
        return df.assign(y=np.where(added, 0, counts))
    return df.assign(y=of_family(rng, family, link, variance, df, eta))


def of_family(
    rng: np.random.Generator, family: str, link: str, variance: str, df: pd.DataFrame, eta: np.ndarray
) -> np.ndarray:
    """A response whose mean the link makes of eta, moved to where it is allowed."""
    n, precise = len(df), df["weights"].to_numpy()
    if "binomial" in family:
        return rng.binomial(df["trials"], 1 / (1 + np.exp(-eta)))
    inside = {"sqrt": 2 + eta / 2, "inverse": 2 + eta / 3, "1/mu^2": 2 + eta / 3}.get(link, 0.7 + eta)
    mean = {"sqrt": inside**2, "inverse": 1 / np.abs(inside), "1/mu^2": np.abs(inside) ** -0.5, "identity": inside}.get(
        link, np.exp(inside)
    )
    if family == "gaussian":
        return mean + 0.5 * rng.normal(size=n) / np.sqrt(precise)
    if "poisson" in family:
        return rng.poisson(mean * (rng.gamma(3, 1 / 3, n) if family == "quasipoisson" else 1)).astype(float)
    if family == "inverse.gaussian" or variance == "mu^3":
        return rng.wald(mean, 4 * precise)
    return rng.gamma(3 * precise, mean / (3 * precise))
