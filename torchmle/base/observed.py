"""The response of a regression model, row by row: its distribution, and slopes of means and scores."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor

from ..data import Data
from ..inference.gradients import gradients_of_rows, mean_gradients, response_gradients
from ..inference.predictions.by_numbers import Seen, seen
from ..inference.predictions.predictive import Predictive
from ..inference.predictions.rows import new_rows
from ..parameters import Values


class Observed:
    """What a model says of the responses it has seen, and of new ones."""

    @cached_property
    def seen(self: Any) -> Seen | None:
        """What a file keeps of the responses; None where a row has several numbers."""
        return seen(self.rows.y) if self.rows.y.ndim == 1 else None

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        """The distribution of each row's response as scipy freezes it; None for models that do not say theirs.

        It needs ``ppf`` and ``cdf``, and ``pmf`` if and only if it is discrete.  Where it is None, the distribution is
        looked for by numbers, from `loglike_obs` (see `torchmle.inference.predictions.by_numbers`); a likelihood that is not the
        density of one response, such as one with censoring, needs it said.

        Parameters
        ----------
        p : Values
            Natural values of the rows, on the CPU.
        data : Data
            Their other columns.
        scale : float
            The dispersion, for models that have one beside their parameters.

        Examples
        --------
        >>> class Tobit(tm.RegressionModel):
        ...     parameters = {"mu": tm.Identity(), "sigma": tm.Log()}
        ...     def frozen(self, p, data, scale):
        ...         return scipy.stats.norm(p.mu.numpy(), p.sigma.numpy())  # of the latent response
        """
        return None

    def response_values(self, limits: Any) -> Any:
        """Quantiles of the distribution that `frozen` gives as values of the response: as they are."""
        return limits

    def get_distribution(self: Any, params: Any, exog: Any = None, *, scale: float = 1.0, **arguments: Any) -> Any:
        """The distribution of each row at reported parameter values, as scipy freezes it.

        Parameters
        ----------
        params : array_like
        exog : array_like, optional
            Rows of the main design; by default those of the fit.
        **arguments
            Offset or exposure of the rows.
        """
        data, _ = new_rows(self, exog, False, arguments)
        return Predictive(self, self._z(params), None, data, scale).frozen()

    def _scale_at(self, z: Tensor, scale: float | None) -> float:
        """The dispersion that derivatives of the log-likelihood are divided by."""
        return 1.0 if scale is None else scale

    def _deriv_mean_dparams(self: Any, params: Any) -> Any:
        """Derivative of each row's mean in the reported parameters, (n, k), for statsmodels' influence measures."""
        return gradients_of_rows(self, self._z(params), mean_gradients)

    def _deriv_score_obs_dendog(self: Any, params: Any, scale: float | None = None) -> Any:
        """Derivative of each row's score in its response, (n, k), for statsmodels' influence measures."""
        z = self._z(params)
        return gradients_of_rows(self, z, response_gradients) / self._scale_at(z, scale)

    def smooth_response(self, y: Tensor) -> Tensor | None:
        """Responses at which scores can be differentiated in them: as they are; None where scores jump.

        Models whose scores are linear in the response may give others, where its ends are cases of their own.
        """
        return y
