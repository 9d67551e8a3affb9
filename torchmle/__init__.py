"""torchmle: maximum-likelihood models on PyTorch with the comfort of statsmodels."""

from . import datasets, errors
from .likelihood import LikelihoodModel
from .models.counts import Poisson
from .models.distributions import distribution_model
from .models.linear import OLS, WLS
from .models.normal import MVNormal, Normal
from .models.survival import ExponentialSurvival
from .regression import RegressionModel
from .transforms import (
    CholeskyCovariance,
    CLogLog,
    Coefficients,
    Correlation,
    Identity,
    Interval,
    Inverse,
    InverseSquared,
    Log,
    Logit,
    Ordered,
    Power,
    Probit,
    Simplex,
    Softplus,
    Sqrt,
)
