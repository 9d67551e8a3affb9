"""Binary regression: Logit and Probit."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ... import families, transforms
from ...compute.autodiff import Curvature, Eta
from ...data import Data
from ...families import Family, bernoulli
from ...fitting import starts
from ...fitting.columns import linear_offset
from ...parameters import Values
from ...regression import RegressionModel
from ...results.estimates import Array
from ..discrete_results import DiscreteResults
from ..exposure import LinearArguments
from ..penalised import Lasso


class BinaryResults(DiscreteResults):
    """A binary model: residuals, the table of predictions."""

    def pred_table(self, threshold: float = 0.5) -> Array:
        """Counts (2, 2) of actual by predicted outcomes."""
        actual, predicted = self.model.endog, np.asarray(self.predict()) > threshold
        return np.histogram2d(actual, predicted.astype(float), bins=np.array([0.0, 0.5, 1.0]))[0]

    @cached_property
    def _mu(self) -> Array:
        return np.asarray(self.predict())

    @property
    def resid_response(self) -> Any:
        """Response less predicted probability."""
        return self._series_of_rows(self.model.endog - self._mu)

    @property
    def resid_pearson(self) -> Any:
        """Response residuals divided by the standard deviation of the outcome."""
        return self._series_of_rows((self.model.endog - self._mu) / np.sqrt(self._mu * (1 - self._mu)))

    @property
    def resid_dev(self) -> Any:
        """Signed roots of the rows' deviances."""
        unit = np.sqrt(np.maximum(-2 * self.llf_obs, 0.0))
        return self._series_of_rows(np.where(self.model.endog > self._mu, unit, -unit))

    @property
    def resid_generalized(self) -> Any:
        """Derivative of each row's log-likelihood in its linear predictor (Gourieroux and others 1987)."""
        return self._series_of_rows(self.model.score_factor(self._with_zeros()))


class BinaryModel(LinearArguments, Lasso, RegressionModel):
    """An outcome of 0 or 1 (or a share) with probability ``m(X b + offset)``."""

    results_class = BinaryResults
    habits: ClassVar[tuple[str, ...]] = ("check_rank",)
    default_disp = True

    def prepare(self, data: Data) -> Data:
        low, high = float(data.y.min()), float(data.y.max())
        if low < 0 or high > 1:
            raise ValueError(f"endog must be in the unit interval. {self.endog_names} runs from {low:g} to {high:g}")
        return super().prepare(data)

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return bernoulli.bernoulli(self.parameters["mu"], data.y, p.real.mu).value

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        value, first, second = bernoulli.bernoulli(self.parameters["mu"], data.y, eta[0])
        return value, (first,), ((second,),)

    def start(self) -> Tensor:
        """A scoring step from probabilities between a half and the response, or zero."""
        start = torch.zeros(self.layout.size, dtype=torch.float64)
        if "mu" not in self.rows.x:
            return super().start()
        transform = self.parameters["mu"]

        def working(block: Data) -> tuple[Tensor, Tensor]:
            eta = transform.inverse((block.y + 0.5) / 2)
            weight = bernoulli.information(transform, eta)
            score = bernoulli.bernoulli(transform, block.y, eta).first
            return weight, eta + score / weight - linear_offset(block)

        stepped = start.clone()
        stepped[self.layout.block("mu").reals] = starts.weighted_least_squares(self, working)
        return starts.best(self, [stepped, start])

    def expected_curvature(self, eta: Eta, data: Data) -> Tensor:
        """Expected second derivative of each row in the linear predictor, (n,)."""
        return -bernoulli.information(self.parameters["mu"], eta[0])

    def expected_information(self, z: Tensor) -> Tensor:
        return -self.expected_hessian(z, lambda eta: ((-bernoulli.information(self.parameters["mu"], eta[0]),),))

    def smooth_response(self, y: Tensor) -> Tensor:
        return y.clamp(0.25, 0.75)  # scores are linear in it

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.bernoulli(p.mu.numpy())

    def predictable(self) -> tuple[str, ...]:
        return ("mean", "linear", "mu", "var")

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        return p.mu * (1 - p.mu) if which == "var" else super().predict_rows(which, p, data)

    def cdf(self, x: Any) -> Any:
        """Probability of a linear predictor."""
        return self.parameters["mu"](torch.as_tensor(np.asarray(x, dtype=float))).numpy()[()]


class NamedAsTransform(type):
    """Classes whose name also stands for a transform: called with nothing, they give that.

    ``Logit(endog, exog)`` is a model and ``parameters = {"share": Logit()}`` a transform; both names are the field's.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs:
            return getattr(transforms, cls.__name__)()
        return super().__call__(*args, **kwargs)


class Logit(BinaryModel, metaclass=NamedAsTransform):
    """Logistic regression: ``P[y = 1] = 1 / (1 + exp(-X b))``.

    Parameters
    ----------
    endog, exog : array_like
        Outcomes of 0 and 1, or shares, (n,), and design (n, k); no constant is added.
    offset : array_like, optional
        Added to the linear predictor.

    Examples
    --------
    >>> Logit.from_formula("visited ~ age + income", df).fit(disp=False).converged
    True
    """

    parameters = {"mu": transforms.Logit()}
    family: ClassVar[Family] = families.Binomial()

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        p = torch.sigmoid(eta[0])
        value = torch.nn.functional.logsigmoid(-eta[0]).add_(data.y * eta[0])
        return value, (data.y - p,), ((-p * torch.sigmoid(-eta[0]),),) if order > 1 else ()

    def pdf(self, x: Any) -> Array:
        """Slope of the probability in the linear predictor."""
        p = self.cdf(x)
        return p * (1 - p)


class Probit(BinaryModel, metaclass=NamedAsTransform):
    """Probit regression: ``P[y = 1] = Phi(X b)``.

    Parameters
    ----------
    endog, exog : array_like
        Outcomes of 0 and 1 (n,) and design (n, k); no constant is added.
    offset : array_like, optional
        Added to the linear predictor.

    Examples
    --------
    >>> Probit.from_formula("visited ~ age + income", df).fit(disp=False).converged
    True
    """

    parameters = {"mu": transforms.Probit()}

    def prepare(self, data: Data) -> Data:
        data = super().prepare(data)
        if data.get("offset") is None and not bool(((data.y == 0) | (data.y == 1)).all()):
            raise ValueError(f"endog must be binary, either 0 or 1; {self.endog_names} has other values")
        return data

    def pdf(self, x: Any) -> Array:
        """Slope of the probability in the linear predictor."""
        return np.exp(-0.5 * np.asarray(x, dtype=float) ** 2) / math.sqrt(2 * math.pi)
