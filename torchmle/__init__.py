"""torchmle: maximum-likelihood models on PyTorch with the comfort of statsmodels."""

from . import datasets, errors, formula
from .io import load
from .likelihood import LikelihoodModel
from .models.counts import Poisson
from .models.distributions import distribution_model
from .models.kaplan_meier import KaplanMeier
from .models.linear import OLS, WLS
from .models.normal import MVNormal, Normal
from .models.survival import ExponentialSurvival
from .regression import RegressionModel
from .structured import CholeskyCovariance, Coefficients, Correlation, Ordered, Simplex
from .tables import table
from .transforms import CLogLog, Identity, Interval, Inverse, InverseSquared, Log, Logit, Power, Probit, Softplus, Sqrt

__version__ = "0.1.0"

__all__ = [
    "OLS",
    "WLS",
    "CLogLog",
    "CholeskyCovariance",
    "Coefficients",
    "Correlation",
    "ExponentialSurvival",
    "Identity",
    "Interval",
    "Inverse",
    "InverseSquared",
    "KaplanMeier",
    "LikelihoodModel",
    "Log",
    "Logit",
    "MVNormal",
    "Normal",
    "Ordered",
    "Poisson",
    "Power",
    "Probit",
    "RegressionModel",
    "Simplex",
    "Softplus",
    "Sqrt",
    "datasets",
    "distribution_model",
    "errors",
    "formula",
    "load",
    "table",
]
