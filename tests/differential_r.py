"""Random problems on which torchmle and R must agree: estimates, errors, profiles, tests, predictions, residuals.

    python tests/differential_r.py --examples 500 [--seed 0]

draws as many, asks R about all of them at once and prints how many had an answer in both; `test_differential_r.py` runs a
small part, and compares with the answers kept in `reference/differential.json`, which ``--keep`` writes.
"""

import argparse
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from asking_r import Answer, ask, rounded
from random_problems import Problem, draw

HERE = Path(__file__).parent
KEPT = HERE / "reference" / "differential.json"

# In standard errors for estimates and limits, relative otherwise.
ESTIMATE, ERROR, LIKELIHOOD, LIMIT = 1e-6, 2e-6, 1e-9, 1e-6
NUMERICAL = 1e-2  # pscl has the Hessian by differences of optim, which stops early
Q2 = 3.841458820694124  # of chi-squared with one degree of freedom, at 0.95
HIGHER = 1e-8  # by which a log-likelihood is higher than R's, so that R is not at the maximum
ROWS = 20  # of which R gives residuals


class Check(NamedTuple):
    """A quantity of both programs."""

    name: str
    ours: Any
    theirs: Any
    tolerance: float
    unit: Any = None  # in which differences count; the size of the number, or one, when left out

    @property
    def distance(self) -> float:
        ours, theirs = np.asarray(self.ours, float).ravel(), np.asarray(self.theirs, float).ravel()
        if ours.shape != theirs.shape:
            return np.inf
        unit = np.maximum(np.abs(theirs), 1e-3) if self.unit is None else np.asarray(self.unit, float)
        gap = np.abs(ours - theirs) / unit
        return float(
            np.where(np.isnan(ours) & np.isnan(theirs), 0.0, np.where(np.isnan(gap), np.inf, gap)).max(initial=0.0)
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.ours} and R's {self.theirs}, {self.distance:.2g} apart"


def r_name(problem: Problem, name: str) -> str:
    """A label of ours as R has it, the parts of interactions sorted."""
    parts = re.sub(r"\[(T\.)?(\w+)\]", r"\2", name).replace("Intercept", "(Intercept)")
    if problem.kind == "multinom":
        category, _, column = parts[1:].partition("_")
        return f"{category}:{plain(column)}"
    if problem.kind == "zeroinfl":
        return f"zero_{parts[8:]}" if parts.startswith("inflate_") else f"count_{plain(parts)}"
    return plain(parts.replace("/", "|"))


def plain(name: str) -> str:
    return ":".join(sorted(name.split(":")))


def by_name(problem: Problem, given: Any) -> Any:
    """R's named numbers under sorted names."""
    if problem.kind == "multinom":
        return {f"{name.partition(':')[0]}:{plain(name.partition(':')[2])}": value for name, value in given.items()}
    if problem.kind == "zeroinfl":
        return {f"{name.partition('_')[0]}_{plain(name.partition('_')[2])}": value for name, value in given.items()}
    return {plain(name): value for name, value in given.items()}


class Pair:
    """A fit of ours and R's answer, and what is compared of them."""

    def __init__(self, problem: Problem, answer: Answer):
        self.problem, self.answer, self.kind = problem, answer, problem.kind
        self.res = problem.fit()
        self.sign = -1.0 if problem.family == "exponential" else 1.0  # log hazards and log times
        known = by_name(problem, answer["coef"])
        labels = [(name, r_name(problem, name)) for name in self.res.names]
        self.names = [(ours, theirs) for ours, theirs in labels if theirs in known]
        self.at = [self.res.names.index(ours) for ours, _ in self.names]
        self.beside = [ours for ours, theirs in labels if theirs not in known]
        self.loose = NUMERICAL if self.kind == "zeroinfl" else 0.0
        self.flat = problem.link == "cauchit"  # has several maxima, and R stops further from them

    def theirs(self, named: Any) -> np.ndarray:
        known = by_name(self.problem, named)
        return np.array([known[name] for _, name in self.names], float)

    @property
    def se(self) -> np.ndarray:
        return np.asarray(self.res.bse).T.ravel()[self.at]

    @property
    def params(self) -> np.ndarray:
        return self.sign * self.res.params_array[self.at]

    @property
    def counted(self) -> bool:
        return "counts" in self.problem.rows

    def failures(self) -> list[Check]:
        """What differs."""
        return [check for check in self.checks() if not check.distance <= check.tolerance * (100 if self.flat else 1)]

    def checks(self) -> Iterator[Check]:
        """Everything, one after the other."""
        yield from self.estimates()
        parts = {"limits": self.limits, "tests": self.tests, "nested": self.nested, "robust": self.robust, "rows": self.rows,
                 "predictions": self.predictions}  # fmt: skip
        for name, part in parts.items():
            if self.answer.get(name):
                yield from part(self.answer[name])

    # -- the fit -----------------------------------------------------------------------------------------------

    def estimates(self) -> Iterator[Check]:
        res, answer = self.res, self.answer
        assert set(by_name(self.problem, answer["coef"])) == {theirs for _, theirs in self.names}
        yield Check("coefficients", self.params, self.theirs(answer["coef"]), max(ESTIMATE, self.loose), self.se)
        if self.kind != "zeroinfl":  # whose Hessian is made of optim's differences
            yield Check("se", self.se, self.theirs(self.coefficients(answer["se"])), ERROR)
        dispersed = self.kind == "glm" and res.model.family.estimates_scale
        if self.problem.family.startswith("quasi"):
            pass  # has no likelihood in R
        elif not dispersed:
            yield Check("llf", res.llf, answer["loglik"], max(LIKELIHOOD, self.loose**3))
            if "aic" in answer:
                yield Check(
                    "aic",
                    res.information_criteria(count_scale=True)["aic"],
                    answer["aic"],
                    max(LIKELIHOOD, self.loose**3),
                )
        elif "weights" not in self.problem.rows and not self.counted:
            level = res.deviance / len(self.problem.frame)  # where R takes the dispersion
            yield Check("llf", res.llf_scaled(level), answer["loglik"], LIKELIHOOD)
        pairs = {"deviance": "deviance", "null_deviance": "null_deviance", "pearson": "pearson_chi2", "scale": "scale",
                 "df_resid": "df_resid", "r2": "rsquared", "r2_adj": "rsquared_adj", "overall": "fvalue"}  # fmt: skip
        constant = {"null_deviance", "r2", "r2_adj", "overall"}  # what is compared with nothing, or with a constant
        offset = {"r2", "r2_adj", "overall"}  # R has the offset among what is explained
        for theirs, name in pairs.items():
            skipped = (theirs in constant and not self.problem.constant) or (
                theirs in offset and "off" in self.problem.rows
            )
            if (
                theirs in answer
                and not skipped
                and (self.kind == "lm" or theirs not in offset)
                and self.kind != "negbin"
            ):
                yield Check(
                    name, getattr(res, name), answer[theirs], 1e-6 if name in ("pearson_chi2", "scale") else LIKELIHOOD
                )
        if "confint" in answer:
            theirs = np.array([self.by_r(answer["confint"], name) for _, name in self.names])
            yield Check("confint", np.asarray(res.conf_int())[self.at], theirs, LIMIT, np.repeat(self.se, 2))
        if "bic" in answer:
            yield Check("bic", res.information_criteria(count_scale=True)["bic"], answer["bic"], LIKELIHOOD)
        yield from self.spread()

    def by_r(self, named: Any, name: str) -> Any:
        return by_name(self.problem, named)[name]

    def spread(self) -> Iterator[Check]:
        """Shape, scale and dispersion."""
        if "theta" in self.answer:
            alpha = float(self.res.params["alpha"])
            yield Check("theta", 1 / alpha, self.answer["theta"], max(1e-6, 10 * self.loose))
            if "theta_se" in self.answer:  # of theta, the coefficients held, by the observed information
                held = self.problem.model().fit(
                    disp=False, fix=dict(zip(self.res.names[:-1], self.res.params_array[:-1], strict=True))
                )
                yield Check("theta se", float(held.bse["alpha"]) / alpha**2, self.answer["theta_se"], ERROR)
        if "sigma" in self.answer:
            yield Check("sigma", self.res.params["sigma"], self.answer["sigma"], ERROR)
            yield Check("sigma se", self.res.bse["sigma"], self.answer["sigma_se"], ERROR)

    # -- inference ---------------------------------------------------------------------------------------------

    def limits(self, theirs: Any) -> Iterator[Check]:
        theirs = sorted(self.sign * limit for limit in theirs)
        name = self.problem.profile.replace("(Intercept)", "Intercept")
        ours = self.res.conf_int(method="profile").loc[name].to_numpy()
        for end, limit, other in zip(("lower", "upper"), ours, theirs, strict=True):
            found = Check(f"{end} limit of {name}", limit, other, LIMIT, float(self.res.bse[name]))
            if found.distance > LIMIT and self.fall(name, other) < Q2 - 1e-6:  # R's refit was not at its maximum
                fall = self.fall(name, limit)
                found = Check(f"fall at {found.name}", min(fall, Q2) if self.flat else fall, Q2, 1e-6)
            yield found

    def fall(self, name: str, value: float) -> float:
        """Twice the fall of the log-likelihood, over the dispersion, where a parameter has a value."""
        held = self.problem.fit(fix={name: value})
        if self.kind == "glm":
            return float((held.deviance - self.res.deviance) / self.res.scale)
        return float(2 * (self.res.llf - held.llf))

    def tests(self, theirs: Any) -> Iterator[Check]:
        q0, q1 = (self.sign * value for value in self.problem.rhs)
        found = self.res.wald_test(f"x - z = {q0}, z = {q1}")
        yield Check("wald", found.statistic, theirs["wald"], 1e-6)
        yield Check("wald p", found.pvalue, theirs["wald_p"], 1e-5)
        sign = self.sign
        ratio = self.res.delta(lambda p: sign * p.x / (1 + p.z**2))
        yield Check("delta", ratio.estimate, theirs["delta"], ESTIMATE, ratio.se)
        yield Check("delta se", ratio.se, theirs["delta_se"], 10 * ERROR)  # its gradient moves with the estimates

    def nested(self, theirs: Any) -> Iterator[Check]:
        small = self.problem.fit(self.problem.terms[:-1])
        if not small.converged:
            return
        if "anova" in theirs:
            found = self.res.compare_f_test(small)
            yield Check("anova", found.fvalue, theirs["anova"], 1e-7)
            yield Check("anova p", found.pvalue, theirs["anova_p"], 1e-6)
        if "lr" in theirs:
            found = self.res.lr_test(small, force=True)
            absolute = max(1e-8 * abs(self.res.llf), 1e-9, self.loose)
            yield Check("lr", found.statistic, theirs["lr"], 1e-6 + absolute / max(abs(theirs["lr"]), 1e-3))
            yield Check("lr p", found.pvalue, theirs["lr_p"], 1e-6 + 10 * absolute)
        if "rao" in theirs and self.problem.constant:
            found = self.res.score_test(small, observed=False, scale=self.res.scale)
            yield Check("rao", found.statistic, theirs["rao"], 1e-6)
            yield Check("rao p", found.pvalue, theirs["rao_p"], 1e-6)

    def robust(self, theirs: Any) -> Iterator[Check]:
        frame = self.problem.frame
        for kind, named in theirs.items():
            if kind == "hac" and self.counted:
                continue  # a row that counts several times has no time
            if self.kind in ("clm", "survreg") and "weights" in self.problem.rows:
                continue  # frequencies here, squared in R's meat
            if self.kind == "clm" and "off" in self.problem.rows:
                continue  # estfun.clm forgets the offset
            options = {"cluster": {"groups": frame["firm"]}, "hac": {"maxlags": 2}}.get(kind, {})
            if self.kind == "glm":
                options["convention"] = "R"
            if kind == "HC0" and self.kind in ("clm", "survreg"):
                options = {}
            if kind in ("HC2", "HC3") and max(self.res.get_hat_matrix_diag(observed=False) if self.kind == "glm" else
                                              self.res.get_influence().hat_matrix_diag) > 1 - 1e-9:  # fmt: skip
                continue  # refused where a row's leverage is 1, and not a number in R
            found = self.res.with_covariance({"cluster": "cluster", "hac": "HAC"}.get(kind, kind), options)
            yield Check(f"se {kind}", np.asarray(found.bse)[self.at], self.theirs(self.coefficients(named)), ERROR)

    def coefficients(self, named: Any) -> Any:
        return {name: value for name, value in named.items() if name in self.answer["coef"]}

    # -- rows --------------------------------------------------------------------------------------------------

    def rows(self, theirs: Any) -> Iterator[Check]:
        res = self.res
        if self.kind == "lm":
            seen = res.get_influence()
            ours = {"residual": res.resid, "hat": seen.hat_matrix_diag, "cooks": seen.cooks_distance[0],
                    "rstandard": seen.resid_studentized_internal, "rstudent": seen.resid_studentized_external,
                    "dffits": seen.dffits[0], "covratio": seen.cov_ratio}  # fmt: skip
        else:
            seen = res.get_influence(observed=False)
            ours = {"response": res.resid_response, "pearson": res.resid_pearson, "deviance": res.resid_deviance,
                    "working": res.resid_working, "hat": seen.hat_matrix_diag, "cooks": seen.cooks_distance[0],
                    "rpearson": seen.resid_studentized}  # fmt: skip
            if "trials" in self.problem.rows:  # of counts, not of shares
                ours["response"] = ours["response"] / self.problem.frame["trials"]
        usual = np.asarray(seen.hat_matrix_diag)[:ROWS] < 0.999  # others are divided by rounding errors
        for name, values in ours.items():
            values, other = np.asarray(values, float)[:ROWS][usual], np.asarray(theirs[name], float)[usual]
            yield Check(f"row's {name}", values, other, 1e-5, np.maximum(np.abs(other), np.abs(other).max() * 1e-2))

    def predictions(self, theirs: Any) -> Iterator[Check]:
        new = self.problem.signed(self.problem.new)
        if self.kind in ("glm", "negbin", "survreg"):
            if self.kind == "survreg" and "off" in self.problem.rows:
                return  # predict.survreg leaves a new offset out
            for which in ("linear", "mean") if self.kind != "survreg" else ("linear",):
                found = self.res.get_prediction(new, which=which)
                yield Check(f"predicted {which}", self.sign * found.predicted, theirs[which], ESTIMATE, found.se)
                yield Check(f"predicted {which} se", found.se, theirs[f"{which}_se"], ERROR)
        if self.kind == "lm":
            frame = self.res.get_prediction(new.assign(weights=1.0)).summary_frame()
            yield Check("predicted", frame["mean"], theirs["mean"], ESTIMATE, frame["mean_se"])
            yield Check("predicted se", frame["mean_se"], theirs["mean_se"], ERROR)
            yield Check("observed", frame[["obs_ci_lower", "obs_ci_upper"]], np.column_stack([theirs["low"], theirs["high"]]), ERROR,
                        np.repeat(frame["mean_se"], 2))  # fmt: skip
        if self.kind == "clm":
            found = self.res.get_prediction(new, which="prob")
            yield Check("probabilities", found.predicted, theirs["prob"], 1e-6)
            yield Check("probabilities se", found.se, theirs["prob_se"], 1e-5)
        if self.kind == "multinom":
            yield Check("probabilities", self.res.predict(new), theirs["prob"], 1e-6)
        if self.kind == "zeroinfl":
            yield Check("predicted mean", self.res.predict(new), theirs["mean"], self.loose)


def judge(problem: Problem, answer: Answer) -> tuple[str, list[Check]]:
    """What became of a problem, and the checks that failed."""
    if "failed" in answer:
        return "R has no answer", []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair = Pair(problem, answer)
        if not pair.res.converged:
            return f"not converged here: {pair.res.optim.status}", []
        if comparable_level(pair) > HIGHER * (1 + abs(pair.res.llf)):
            return "R is below the maximum", []
        return "compared", pair.failures()


def comparable_level(pair: Pair) -> float:
    """By how much a log-likelihood, or the half of a deviance over the dispersion, is better than R's."""
    if pair.kind == "glm":
        return (pair.answer["deviance"] - pair.res.deviance) / 2 / pair.res.scale
    return pair.res.llf - pair.answer["loglik"] if pair.kind != "lm" else 0.0


def compare(problems: list[Problem], answers: list[Answer]) -> tuple[Counter, list[str]]:
    """How many ended how, and what differs."""
    counts, wrong = Counter(), []
    for problem, answer in zip(problems, answers, strict=True):
        outcome, failed = judge(problem, answer)
        counts[outcome] += 1
        wrong += [f"{problem}: {check}" for check in failed]
    return counts, wrong


def drawn(examples: int, seed: int) -> list[Problem]:
    return [draw(seed * 100_000 + i) for i in range(examples)]


def run(examples: int, seed: int) -> tuple[Counter, list[str]]:
    """Draw problems, ask R about them and compare."""
    problems = drawn(examples, seed)
    return compare(problems, ask(problems)[0])


def keep(examples: int, seed: int) -> None:
    """Write R's answers to some problems, for where R is not."""
    problems = drawn(examples, seed)
    answers, versions = ask(problems)
    kept = {"versions": versions, "examples": examples, "seed": seed, "sum": total(problems), "answers": answers}
    KEPT.write_text(json.dumps(rounded(kept), separators=(",", ":")).replace("},{", "},\n{") + "\n")


def kept() -> tuple[Counter, list[str]]:
    """Compare with the answers that were kept."""
    said = json.loads(KEPT.read_text())
    problems = drawn(said["examples"], said["seed"])
    assert abs(total(problems) / said["sum"] - 1) < 1e-9, "numpy draws other numbers now: keep R's answers again"
    return compare(problems, said["answers"])


def total(problems: list[Problem]) -> float:
    """Sum of all the numbers that were drawn."""
    return float(sum(problem.frame.select_dtypes("number").to_numpy().sum() for problem in problems))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write R's answers to reference/differential.json")
    told = parser.parse_args()
    if told.keep:
        keep(told.examples, told.seed)
    else:
        counts, wrong = run(told.examples, told.seed)
        sys.stdout.write(
            "\n".join([*wrong, f"{told.examples} problems drawn: {dict(counts)}; {len(wrong)} differences", ""])
        )
