"""The fits by R in tests/reference; the peer is statsmodels' model of the same name, where it has one.

The truth is the exact maximum stored with a case (`mle_check`) where there is one, else R's own numbers.  Cases are fitted
by the code of the tests.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import statsmodels.api as sm
import test_counts_reference as counts
import test_reference_glm as glms
from patsy import dmatrix
from reference import corpus
from reference.digits import digits
from reference.fits import fitted
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.discrete.count_model import ZeroInflatedPoisson
from statsmodels.miscmodels.ordinal_model import OrderedModel

import torchmle as tm

from .score import Answer, Known, Row, compare

KNOWN = 15.0  # digits of an exact maximum, and of R's closed forms
ITERATED = 10.0  # of what R's iterations gave, where nothing exact stands beside it
LEAST_SQUARES = ("ols", "wls")
CLOSED = (*LEAST_SQUARES, "normal", "mvn")
GENERALISED = ("glm", "quasi", "logit", "probit", "poisson")
HAZARDS = ("exponential_ph", "survreg")
BLOG = {"OLS": "ols", "GLM": "glm", "ExponentialPH": "exponential_ph", "Normal": "normal", "MVN": "mvn"}
Peers = dict[str, Callable[[], Answer]]


def rows(names: list[str] | None = None) -> Iterator[Row]:
    for name in names or corpus.cases():
        found = row(name)
        if found is not None:
            yield found


def row(name: str) -> Row | None:
    """The row of a case; None for kinds that are no maximum-likelihood fits, or that have no maximum."""
    case = corpus.load(name)
    kind = BLOG.get(case["model"]["class"]) if case["kind"] == "blog" else case["kind"]
    parts = COMPARED.get(kind)
    if parts is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth, ours, peers = parts(case)
        return compare(name, truth, ours, peers, known(case, kind))


def known(case: dict[str, Any], kind: str) -> Known:
    """Digits to which the truth is known.

    R's iterations end at different distances from the maximum (glm: 9 to 15 digits), and standard errors by the expected
    information are only there from R: they are as good as the coefficients that R evaluated them at.
    """
    check = case.get("mle_check", {})
    if kind in CLOSED or "coef" not in check:
        return KNOWN if kind in CLOSED else ITERATED
    if kind in GENERALISED and kind != "poisson" and case["kind"] != "blog":
        return KNOWN, min(KNOWN, digits(case["expected"]["coef"], check["coef"])), KNOWN
    return KNOWN


def least_squares(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    found, expected = fitted(case["name"]), case["expected"]
    truth = Answer(expected["coef"], expected["se"], expected["loglik"])

    def peer(method: str) -> Answer:
        frame = corpus.frame(case["name"])
        weights = case["options"].get("weights")
        arguments = {"weights": frame[weights]} if weights else {}
        res = (sm.WLS if weights else sm.OLS).from_formula(case["formula"], frame, **arguments).fit(method=method)
        return Answer(res.params[found.names], res.bse[found.names], res.llf)

    peers = {"statsmodels": partial(peer, "pinv"), "statsmodels qr": partial(peer, "qr")}
    return truth, Answer(found.coefficients(), found.se, found.res.llf), peers if readable(case) else {}


def readable(case: dict[str, Any]) -> bool:
    """Whether patsy knows every function of the formula."""
    return "poly(" not in case["formula"]


def generalised(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    """GLMs; standard errors by the expected information, as in R, where the link is not canonical."""
    expected, name = case["expected"], case["name"]
    own = case["kind"] in ("blog", "poisson")
    found = fitted(name) if own else glms.fitted(name)
    check = case.get("mle_check", {})
    se = check["se_observed"] if own else expected["se"]
    truth = Answer(check.get("coef", expected["coef"]), se, expected.get("loglik"))
    weighted = "weights" in case["options"]
    llf = None
    if expected.get("loglik") is not None and not weighted:
        llf = found.res.llf if own else _r_loglike(found.res)
    truth = truth if llf is not None else Answer(truth.coef, truth.se)

    def peer() -> Answer:
        res = _statsmodels_glm(case)
        return Answer(res.params[found.names], res.bse[found.names], _r_loglike(res) if llf is not None else None)

    return truth, Answer(found.coefficients(), found.se, llf), {"statsmodels": peer} if readable(case) else {}


def _statsmodels_glm(case: dict[str, Any]) -> Any:
    frame, options, model = corpus.frame(case["name"]), case["options"], case["model"]
    response = case["formula"].partition("~")[0].strip()
    if response in frame and hasattr(
        frame[response], "cat"
    ):  # of which patsy makes two columns, the first being success
        frame = frame.assign(**{response: frame[response].cat.codes})
    names = {"quasi_binomial": "Binomial", "quasi_poisson": "Poisson", "negative_binomial": "NegativeBinomial",
             "inverse_gaussian": "InverseGaussian"}  # fmt: skip
    family = getattr(sm.families, names.get(model["family"], model["family"].title()))
    link = getattr(sm.families.links, type(glms.LINKS[model["link"]]()).__name__)
    extra = {"alpha": 1.0} if model["family"] == "negative_binomial" else {}
    extra |= {"var_power": model["var_power"]} if "var_power" in model else {}
    arguments = {"offset": frame[options["offset"]]} if "offset" in options else {}
    if "weights" in options:
        frequency = options["weights_kind"].startswith("frequency")
        arguments["freq_weights" if frequency else "var_weights"] = frame[options["weights"]]
    built = sm.GLM.from_formula(case["formula"], frame, family=family(link(), **extra), **arguments)
    return built.fit(tol=1e-14, maxiter=1000, scale="X2" if case["kind"] == "quasi" else None)


def _r_loglike(res: Any) -> float:
    """The log-likelihood by R's convention: the dispersion, where there is one, is deviance / n."""
    estimated = type(res.family).__name__ in ("Gaussian", "Gamma", "InverseGaussian", "Tweedie")
    if not estimated:
        return res.llf
    scale = res.deviance / res.nobs
    return res.llf_scaled(scale) if hasattr(res, "llf_scaled") else res.model.loglike(res.params, scale=scale)


def hazards(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    """Exponential survival; statsmodels' way is Poisson regression of the event with log time as offset."""
    found, check, expected = fitted(case["name"]), case.get("mle_check", {}), case["expected"]
    truth = Answer(check.get("coef", expected["coef"]), check.get("se_observed", expected["se"]))

    def peer() -> Answer:
        frame, response = corpus.frame(case["name"]).iloc[found.rows()], case["model"]["response"]
        formula = f"{response['event']} {case['formula']}"
        model = sm.GLM.from_formula(
            formula, frame, family=sm.families.Poisson(), offset=np.log(frame[response["time"]])
        )
        res = model.fit(tol=1e-14, maxiter=1000)
        return Answer(found.sign * res.params[found.names], res.bse[found.names])

    return truth, Answer(found.coefficients(), found.se), {"statsmodels": peer}


def normal(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    """Mean and standard deviation by maximum likelihood, which statsmodels has no model of."""
    found, expected = fitted(case["name"]), case["expected"]
    truth = Answer(expected["coef"], expected["se"], expected["loglik"])
    return truth, Answer(found.coefficients(), found.se, found.res.llf), {}


def several_normal(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    """Means and covariances by maximum likelihood, which statsmodels has no model of."""
    res, expected = fitted(case["name"]).res, case["expected"]
    q = len(expected["mean"])
    cells = np.tril_indices(q)
    below = {name: np.array(expected[name])[cells] for name in ("cov_ml", "cov_se")}
    truth = Answer([*expected["mean"], *below["cov_ml"]], [*expected["mean_se"], *below["cov_se"]], expected["loglik"])
    return truth, Answer([*np.asarray(res.params)[:q], *res.cov.to_numpy()[cells]], res.bse, res.llf), {}


def negative_binomial(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    """Coefficients and alpha."""
    name, check = case["name"], case["mle_check"]
    truth = Answer([*check["coef"][:-1], check["alpha"]], [*check["se_observed"][:-1], check["alpha_se_joint_observed"]],
                   check["loglik"])  # fmt: skip
    res = counts.joint(name)
    order = counts.with_alpha(res, name)

    def peer(method: str) -> Answer:
        frame, offset = corpus.frame(name), case["options"].get("offset")
        arguments = {"offset": frame[offset]} if offset else {}
        model = sm.NegativeBinomial.from_formula(case["formula"], frame, **arguments)
        theirs = model.fit(method=method, maxiter=5000, gtol=1e-12, disp=False)
        labels = [*case["expected"]["names_patsy"], "alpha"]
        return Answer(theirs.params[labels], theirs.bse[labels], theirs.llf)

    peers = {"statsmodels": partial(peer, "bfgs"), "statsmodels newton": partial(peer, "newton")}
    return truth, Answer(res.params_array[order], res._bse[order], res.llf), peers


def zero_inflated(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    frame, check, zero = corpus.frame(case["name"]), case["mle_check"], case["model"]["formula_zero"]
    labels = [text.replace("count: ", "").replace("zero: ", "inflate_") for text in case["expected"]["names_patsy"]]

    def answer(res: Any) -> Answer:
        return Answer(res.params[labels], res.bse[labels], res.llf)

    def peer() -> Answer:
        design = sm.add_constant(frame[["quality"]]).rename(columns={"const": "Intercept"})
        model = ZeroInflatedPoisson.from_formula(case["formula"], frame, exog_infl=design)
        return answer(model.fit(method="bfgs", maxiter=5000, gtol=1e-12, disp=False))

    ours = tm.ZeroInflatedPoisson.from_formula(case["formula"], frame, inflate=zero).fit(disp=False)
    return Answer(check["coef"], check["se_observed"], check["loglik"]), answer(ours), {"statsmodels": peer}


def multinomial(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    frame, check, labels = corpus.frame(case["name"]), case["mle_check"], case["expected"]["names_patsy"]
    weights = {"freq_weights": case["options"]["weights"]} if "weights" in case["options"] else {}

    def answer(res: Any) -> Answer:
        return Answer(res.params.loc[labels].to_numpy().T, res.bse.loc[labels].to_numpy().T, res.llf)

    def peer() -> Answer:
        response, _, right = case["formula"].partition("~")
        coded = frame.assign(code=frame[response.strip()].cat.codes)
        return answer(sm.MNLogit.from_formula(f"code ~ {right}", coded).fit(maxiter=1000, tol=1e-14, disp=False))

    ours = tm.MNLogit.from_formula(case["formula"], frame, **weights).fit(disp=False)
    truth = Answer(np.array(check["coef"]), np.array(check["se_observed"]), check["loglik"])
    return truth, answer(ours), {} if weights else {"statsmodels": peer}


def ordinal(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    """Slopes: the thresholds are parametrised differently."""
    frame, check = corpus.frame(case["name"]), case["mle_check"]
    frame = frame.assign(rating=frame["rating"].cat.as_ordered())
    labels = case["expected"]["names_patsy"][-2:]

    def answer(model: Any, **options: Any) -> Answer:
        res = model.from_formula(case["formula"], frame, distr=case["model"]["link"]).fit(disp=False, **options)
        return Answer(res.params[labels], res.bse[labels], res.llf)

    truth = Answer(check["coef"][-2:], check["se_observed"][-2:], check["loglik"])
    options = {"method": "bfgs", "maxiter": 5000, "gtol": 1e-12}
    return truth, answer(tm.OrderedModel), {"statsmodels": partial(answer, OrderedModel, **options)}


def conditional(case: dict[str, Any]) -> tuple[Answer, Answer, Peers]:
    frame, expected, group = corpus.frame(case["name"]), case["expected"], case["options"]["groups"]
    response, _, right = case["formula"].partition("~")
    labels = expected["names"]
    ours = tm.ConditionalLogit.from_formula(case["formula"], frame, groups=group).fit(disp=False)

    def peer() -> Answer:
        design = dmatrix(right, frame, return_type="dataframe")[labels]  # without a constant
        model = ConditionalLogit(frame[response.strip()], design, groups=frame[group])
        res = model.fit(method="bfgs", maxiter=5000, gtol=1e-12, disp=False)
        return Answer(res.params, res.bse, model.loglike(res.params))

    truth = Answer(expected["coef"], expected["se"], expected["loglik"])
    return truth, Answer(ours.params[labels], ours.bse[labels], ours.llf), {"statsmodels": peer}


COMPARED = {
    **dict.fromkeys(LEAST_SQUARES, least_squares), **dict.fromkeys(GENERALISED, generalised),
    **dict.fromkeys(HAZARDS, hazards), "negbin": negative_binomial, "zero_inflated": zero_inflated,
    "mnlogit": multinomial, "ordinal": ordinal, "clogit": conditional, "normal": normal,
    "mvn": several_normal,
}  # fmt: skip
