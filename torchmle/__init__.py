"""torchmle: maximum-likelihood models on PyTorch with the comfort of statsmodels."""

from . import datasets, errors, families, formula
from .io import load
from .likelihood import LikelihoodModel
from .models.choices.binary import Logit, Probit
from .models.choices.conditional import ConditionalLogit
from .models.choices.multinomial import MNLogit
from .models.choices.ordinal import OrderedModel
from .models.counts.counts import Poisson
from .models.counts.generalized_poisson import GeneralizedPoisson
from .models.counts.negative_binomial import NegativeBinomial, NegativeBinomialP
from .models.counts.zero_inflated import (
    ZeroInflatedGeneralizedPoisson,
    ZeroInflatedNegativeBinomialP,
    ZeroInflatedPoisson,
)
from .models.distributions import distribution_model
from .models.generic.generic import GenericLikelihoodModel
from .models.glm.glm import GLM
from .models.kaplan_meier import KaplanMeier
from .models.linear.least_squares import OLS, WLS
from .models.multivariate_normal import MVNormal
from .models.normal import Normal
from .models.survival import ExponentialSurvival
from .regression import RegressionModel
from .structured import CholeskyCovariance, Coefficients, Correlation, Ordered, Simplex
from .tables import table
from .transforms import CLogLog, Identity, Interval, Inverse, InverseSquared, Log, Power, Softplus, Sqrt

__version__ = "0.1.0"

__all__ = [
    "GLM",
    "OLS",
    "WLS",
    "CLogLog",
    "CholeskyCovariance",
    "Coefficients",
    "ConditionalLogit",
    "Correlation",
    "ExponentialSurvival",
    "GeneralizedPoisson",
    "GenericLikelihoodModel",
    "Identity",
    "Interval",
    "Inverse",
    "InverseSquared",
    "KaplanMeier",
    "LikelihoodModel",
    "Log",
    "Logit",
    "MNLogit",
    "MVNormal",
    "NegativeBinomial",
    "NegativeBinomialP",
    "Normal",
    "Ordered",
    "OrderedModel",
    "Poisson",
    "Power",
    "Probit",
    "RegressionModel",
    "Simplex",
    "Softplus",
    "Sqrt",
    "ZeroInflatedGeneralizedPoisson",
    "ZeroInflatedNegativeBinomialP",
    "ZeroInflatedPoisson",
    "datasets",
    "distribution_model",
    "errors",
    "families",
    "formula",
    "load",
    "table",
]
