"""Models by formula, with the names of statsmodels.formula.api: ``smf.ols("y ~ x", df).fit()``."""

from ..models.counts import Poisson
from ..models.linear import OLS, WLS
from ..models.normal import MVNormal, Normal
from ..models.survival import ExponentialSurvival

ols = OLS.from_formula
wls = WLS.from_formula
poisson = Poisson.from_formula
normal = Normal.from_formula
mvnormal = MVNormal.from_formula
exponential_survival = ExponentialSurvival.from_formula

__all__ = ["exponential_survival", "mvnormal", "normal", "ols", "poisson", "wls"]
