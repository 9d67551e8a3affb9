"""Count regression."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .. import starts
from ..autodiff import Curvature, Eta
from ..data import Data
from ..estimates import Array
from ..parameters import Values
from ..regression import RegressionModel, linear_offset
from ..sums import row_sums
from ..transforms import Log
from .discrete_results import DiscreteResults
from .exposure import with_log_exposure


class CountResults(DiscreteResults):
    """A count model: residuals, pseudo R-squared and the likelihood-ratio test against a constant."""

    @cached_property
    def resid(self) -> Any:
        """Response less predicted mean."""
        return self._series_of_rows(self.model.endog - np.asarray(self.predict()))

    @property
    def resid_response(self) -> Any:
        """The same as `resid`."""
        return self.resid

    @property
    def resid_pearson(self) -> Array:
        """Residuals divided by the standard deviation of the count, (n,) ndarray."""
        return np.asarray(self.resid) / np.sqrt(np.asarray(self.predict()))


class Poisson(RegressionModel):
    """Poisson regression: ``E[y] = exp(X b + offset) * exposure``.

    ``l_i = y_i eta_i - exp(eta_i) - log y_i!``.  The response need not be an integer (the quasi-likelihood of
    Gourieroux, Monfort and Trognon 1984); it must not be negative.

    Parameters
    ----------
    endog, exog : array_like
        Counts (n,) and design (n, k); no constant is added.
    offset : array_like, optional
        Added to the linear predictor.
    exposure : array_like, optional
        Multiplies the mean; positive.

    Examples
    --------
    >>> model = Poisson.from_formula("visits ~ age + income", df, exposure="years")
    >>> model.fit(cov_type="HC1", disp=False).converged
    True
    """

    parameters = {"mu": Log()}
    row_arguments: ClassVar[tuple[str, ...]] = ("offset", "exposure")
    results_class = CountResults
    default_disp = True

    def prepare(self, data: Data) -> Data:
        y = data.y
        if bool((y < 0).any()):
            raise ValueError(f"{self.endog_names}: counts must not be negative; the smallest is {float(y.min()):g}")
        data = self.prepare_prediction(data)
        return super().prepare(data.with_columns(log_factorial=torch.lgamma(y.to(torch.float64) + 1)))

    def prepare_prediction(self, data: Data) -> Data:
        return with_log_exposure(data)

    def start(self) -> Tensor:
        """A weighted regression of ``log m`` on X with weights m, ``m = (y + mean) / 2``: one scoring step."""
        if "mu" not in self.rows.x:
            return super().start()
        mean = self._mean_response()

        def working(block: Data) -> tuple[Tensor, Tensor]:
            middle = (block.y + mean) / 2
            return middle, middle.log() - linear_offset(block)

        start = torch.zeros(self.layout.size, dtype=torch.float64)
        if mean > 0:
            start[self.layout.block("mu").reals] = starts.weighted_least_squares(self, working)
        return start

    def _mean_response(self) -> float:
        def total(block: Data) -> tuple[Tensor]:
            weights = block.get("freq_weights")
            return (block.y.sum() if weights is None else block.y @ weights,)

        return float(row_sums(total, self.rows)[0]) / self.nobs

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return data.y * p.real.mu - p.mu - data.log_factorial

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        mu = eta[0].exp()
        return data.y * eta[0] - mu - data.log_factorial, (data.y - mu,), ((-mu,),)

    def expected_information(self, z: Tensor) -> Tensor:
        return -self.sums(z, 2)[2]

    def null_loglike(self) -> float:
        """Maximum of the log-likelihood over a constant mean (times exposure)."""

        def columns(block: Data) -> tuple[Tensor, Tensor]:
            weights, offset = block.get("freq_weights"), torch.zeros_like(block.y) + linear_offset(block)
            return torch.ones_like(block.y) if weights is None else weights, offset

        def offsets(block: Data) -> tuple[Tensor]:
            weights, offset = columns(block)
            return (offset @ weights,)

        centre = float(row_sums(offsets, self.rows)[0]) / self.nobs  # exp() of the offset itself may overflow

        def parts(block: Data) -> tuple[Tensor, Tensor, Tensor]:
            weights, offset = columns(block)
            known = block.y * (offset - centre) - block.log_factorial
            return block.y @ weights, (offset - centre).exp() @ weights, known @ weights

        count, exposure, known = (float(value) for value in row_sums(parts, self.rows))
        return (count * math.log(count / exposure) if count > 0 else 0.0) - count + known
