"""Parametric survival regression."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..compute.autodiff import Curvature, Eta
from ..compute.processes import total
from ..data import Data
from ..families.bernoulli import Terms, success, times
from ..parameters import Values
from ..regression import RegressionModel
from ..results import Results, report
from ..sums import row_sums
from ..transforms import CLogLog, Log, Transform

EXACT, LEFT, INTERVAL = 1.0, 2.0, 3.0  # codes of data.event; 0 is right-censored


class LogMinusLog(Transform):
    """log(-log(natural)) = real: probabilities of survival."""

    domain = (0.0, 1.0)

    def __call__(self, real: Tensor) -> Tensor:
        return torch.exp(-real.exp())

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.log(-natural.log())


class SurvivalResults(Results):
    """A survival model: failures, time at risk, and both conventions of the log-likelihood."""

    saved = (*Results.saved, "failures", "time_at_risk", "_log_times")

    @cached_property
    def failures(self) -> float:
        """Number of observed events."""
        return self.model.event_sums()[0]

    @cached_property
    def time_at_risk(self) -> float:
        """Total time under observation."""
        return self.model.event_sums()[1]

    @cached_property
    def _log_times(self) -> float:
        return self.model.event_sums()[2]

    @property
    def llf_log_time(self) -> float:
        """Log-likelihood of log time, ``llf + sum d_i log t_i``: Stata's streg. ``llf`` is the density of t, as in R."""
        return self.llf + self._log_times

    def header(self) -> tuple[report.Pairs, report.Pairs]:
        left, right = super().header()
        left += [("No. Failures:", self.failures), ("Time at risk:", f"{self.time_at_risk:.6g}")]
        right.insert(1, ("Log-Lik. (log time):", self.llf_log_time))
        return left, right

    def notes(self) -> list[str]:
        return [*super().notes(), self.model.form]


class ExponentialSurvival(RegressionModel):
    """Exponential survival times with hazard ``rate_i = exp(X_i b + offset)``.

    Coefficients are log hazard ratios (proportional hazards form); those of log time (accelerated failure time)
    are their negatives.  A row observed from ``entry`` to t contributes ``d log(rate) - rate (t - entry)``; one
    known to have failed before t, ``log(1 - exp(-rate (t - entry)))``; between t and u,
    ``-rate t + log(1 - exp(-rate (u - t)))``.

    Parameters
    ----------
    endog : array_like
        Times (n,), positive.
    exog : array_like
        Design (n, k); no constant is added.
    event : array_like, optional
        1 for an event, 0 for right censoring; all events when left out.
    entry : array_like, optional
        Time from which a row was at risk (delayed entry).

    Examples
    --------
    >>> res = ExponentialSurvival.from_formula("Surv(time, event) ~ trt", df).fit()
    """

    parameters = {"rate": Log()}
    row_arguments: ClassVar[tuple[str, ...]] = ("event", "entry", "offset")
    prediction_arguments = ("times",)
    results_class = SurvivalResults
    exact_or_right: bool  # no left- or interval-censored rows
    exact: bool  # no censored rows
    form = "Coefficients are log hazard ratios: hazard = exp(linear predictor)"

    def prepare(self, data: Data) -> Data:
        if "event" not in data.columns:
            data = data.with_columns(event=torch.ones_like(data.y))
        known = [0.0, EXACT, LEFT] + [INTERVAL] * ("upper" in data.columns)
        strange = data.event[~torch.isin(data.event, torch.tensor(known, dtype=data.event.dtype, device=data.device))]
        if len(strange):
            raise ValueError(f"event must be 1 for an event and 0 for right censoring; {float(strange[0]):g} was given")
        entry = data.get("entry")
        if entry is not None and bool((entry >= data.y).any()):
            row = int((entry >= data.y).nonzero()[0])
            raise ValueError(
                f"entry must come before {self.endog_names}: row {row} enters at {float(entry[row]):g} and leaves at "
                f"{float(data.y[row]):g}"
            )
        if not total(int((data.event > 0).sum()), data.group):
            raise ValueError(f"{self.endog_names}: no events, so every rate estimate is zero; nothing can be fitted")
        if bool((data.y < 0).any()):
            raise ValueError(f"{self.endog_names}: times must not be negative; the smallest is {float(data.y.min()):g}")
        if bool(((data.y <= 0) & (data.event == EXACT)).any()):
            raise ValueError(
                f"{self.endog_names}: an event at time zero has no density; times of events must be positive"
            )
        self.exact_or_right = not bool((data.event > EXACT).any())
        self.exact = not total(int((data.event != EXACT).sum()), data.group)
        return super().prepare(data)

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        return self._terms(p.real.rate, data).value

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        value, first, second = self._terms(eta[0], data)
        return value, (first,), ((second,),)

    def _terms(self, eta: Tensor, data: Data) -> Terms:
        """``d eta - exp(eta) t`` and, of failures known to an interval of width w, ``log(1 - exp(-exp(eta + log w)))``."""
        entry = data.get("entry")
        lived = data.y if entry is None else data.y - entry
        expected = times(lived, eta.exp())
        if self.exact_or_right:
            return Terms(data.event * eta - expected, data.event - expected, -expected)
        left, interval = data.event == LEFT, data.event == INTERVAL
        width = torch.where(interval, data.columns.get("upper", data.y) - data.y, lived)
        width = torch.where(left | interval, width, 1.0)  # of other rows it is not used
        failed = success(CLogLog(), eta + width.log())
        exact = data.event == EXACT
        known = Terms(torch.where(exact, eta, 0.0), exact.to(eta.dtype), torch.zeros_like(eta))
        parts = (torch.where(left | interval, one, other) for one, other in zip(failed, known, strict=True))
        expected = torch.where(left, 0.0, expected)
        return Terms(*(part - expected for part in parts))

    def expected_information(self, z: Tensor) -> Tensor:
        """A row's is 1 where every time is exact, whenever it entered; times of censoring that might have been are not known."""
        if not self.exact:
            return super().expected_information(z)
        return -self.expected_hessian(z, lambda eta: ((-torch.ones_like(eta[0]),),))

    @property
    def knows_expected_information(self) -> bool:
        """Not for sandwiches: those of R's survreg are made of the observed one, too."""
        return False

    def start(self) -> Tensor:
        """The rate of the sample, failures / time at risk, in the constant."""
        start = torch.zeros(self.layout.size, dtype=torch.float64)
        at = self.intercepts.get("rate", 0 if "rate" not in self.rows.x else None)
        if at is not None:
            failures, time, _ = self.event_sums()
            start[at] = math.log(max(failures, 0.5) / time) if time > 0 else 0.0  # all from time zero to some other
        return start

    def event_sums(self) -> tuple[float, float, float]:
        """Failures, time at risk and the sum of log times of events, weighted."""

        def parts(block: Data) -> tuple[Tensor, Tensor, Tensor]:
            weights, entry = block.get("freq_weights"), block.get("entry")
            weights = torch.ones_like(block.y) if weights is None else weights
            exact = block.event == EXACT
            lived = block.y if entry is None else block.y - entry
            logs = torch.where(exact, block.y, torch.ones_like(block.y)).log()
            return (block.event > 0).to(weights.dtype) @ weights, lived @ weights, logs @ weights

        failures, time, logs = (float(value) for value in row_sums(parts, self.rows))
        return failures, time, logs

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        from scipy import stats  # loaded late: it is slow to import

        return stats.expon(scale=1 / p.rate.numpy())

    def predictable(self) -> tuple[str, ...]:
        return ("mean", "linear", "rate", "hazard", "median", "survival")

    def predicted_scale(self, which: str) -> Transform | None:
        if which == "survival":
            return LogMinusLog()
        return Log() if which in ("mean", "median", "hazard") else super().predicted_scale(which)

    def mean(self, p: Values, data: Data) -> Tensor:
        """Expected time, 1 / rate."""
        return torch.exp(-p.real.rate)

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        if which == "hazard":
            return p.rate
        if which == "median":
            return math.log(2) * torch.exp(-p.real.rate)
        if which == "survival":
            if "times" not in data.columns:
                raise ValueError(
                    "which='survival' needs the times to predict for: pass times=, a number or one for each row"
                )
            return torch.exp(-p.rate * data.times)
        return super().predict_rows(which, p, data)
