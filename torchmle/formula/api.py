"""Models by formula, with the names of statsmodels.formula.api: ``smf.ols("y ~ x", df).fit()``."""

from ..models.choices.binary import Logit, Probit
from ..models.choices.conditional import ConditionalLogit
from ..models.choices.multinomial import MNLogit
from ..models.choices.ordinal import OrderedModel
from ..models.counts.counts import Poisson
from ..models.counts.negative_binomial import NegativeBinomial
from ..models.glm.glm import GLM
from ..models.linear.least_squares import OLS, WLS
from ..models.multivariate_normal import MVNormal
from ..models.normal import Normal
from ..models.survival import ExponentialSurvival

ols = OLS.from_formula
wls = WLS.from_formula
glm = GLM.from_formula
logit = Logit.from_formula
probit = Probit.from_formula
poisson = Poisson.from_formula
negativebinomial = NegativeBinomial.from_formula
mnlogit = MNLogit.from_formula
ordered = OrderedModel.from_formula
conditional_logit = ConditionalLogit.from_formula
normal = Normal.from_formula
mvnormal = MVNormal.from_formula
exponential_survival = ExponentialSurvival.from_formula

__all__ = [
    "conditional_logit",
    "exponential_survival",
    "glm",
    "logit",
    "mnlogit",
    "mvnormal",
    "negativebinomial",
    "normal",
    "ols",
    "ordered",
    "poisson",
    "probit",
    "wls",
]
