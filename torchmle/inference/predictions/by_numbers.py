"""Distributions of responses by numbers alone, for models that say a log-likelihood and no more.

``exp(l_i(y))`` is a density, or a probability, of y only where it sums to one.  So the sum is taken, over the supports that
agree with the responses seen, and what does not come to one is refused: a censored response, a quasi-likelihood, a
point mass on a continuous scale.  So is a density that jumps inside its support, which no grid integrates.

Continuous responses are integrated in t with ``y = c + s sinh t`` on the line, ``y = s e^t`` on the half-line,
``y = 1 / (1 + e^-t)`` on the unit interval, where every tail falls at least exponentially.  Each row has a grid of its
own, drawn together to where its density lies and dense about its mode: equal steps in v with ``t = m + w sinh v``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...compute.processes import gather
from ...data import Data
from .tabulated import Array, EachRow, Tabulated

if TYPE_CHECKING:
    from ...likelihood import LikelihoodModel
    from ...regression import RegressionModel

LogDensity = Callable[[Tensor], Tensor]  # of responses (n, g) in each of n rows, (n, g)

SUM_TOLERANCE = 1e-4  # of the sum of all probabilities about one; a kink costs a grid up to half of it
TAIL = 1e-10  # a probability of a count from which larger ones do not matter
JUMP = 4e-4  # of the distribution function, from every second point of a grid; half a step of a jump is more
POINTS = 513  # of the grid on which a density is integrated
COARSE = 65  # of those by which it is found
NEGLIGIBLE = 45.0  # a log density so far below its greatest does not count
REACH = 40.0  # of t, as far as y has digits
NEAR = 2.0  # one so far below it is still near the mode
ROUNDS = 16  # in which a grid is drawn together
HALVINGS = 60
MOST_COUNTS = 2**15


@dataclass(frozen=True, eq=False)
class Support:
    """A continuous scale as the image of the line.

    Attributes
    ----------
    to, back : callable
        y of t, and t of y.
    log_slope : callable
        Logarithm of dy/dt as a function of t.
    reach : float
        Greatest t at which y can be told from its end.
    """

    to: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    log_slope: Callable[[Tensor], Tensor]
    reach: float = REACH


@dataclass(frozen=True, eq=False)
class Integrated(EachRow):
    """A continuous distribution for each row, on a grid of equal steps in v, ``t = mode + width sinh v``.

    Attributes
    ----------
    support : Support
    mode, width : Tensor (n, 1)
        Of each row's density in t.
    start, step : Tensor (n, 1)
        Of each row's grid.
    density : Tensor (n, g)
        In v.
    below : Tensor (n, g)
        Distribution function at the points of the grid.
    """

    support: Support
    mode: Tensor
    width: Tensor
    start: Tensor
    step: Tensor
    density: Tensor
    below: Tensor

    def __len__(self) -> int:
        return len(self.step)

    def pdf(self, y: Any) -> Array:
        """Density of a response in each row."""
        v = self._points(y)
        cell, share = self._cells(v)
        left, right = (self.density.gather(1, cell + i).clamp_min(1e-300).log() for i in (0, 1))
        found = (left + (right - left) * share - log_slope(self.support, self.mode, self.width, v)).exp()
        return self._as_given(torch.where((share >= 0) & (share <= 1), found, 0.0), y)

    def cdf(self, y: Any) -> Array:
        """Probability of at most y in each row."""
        cell, share = self._cells(self._points(y))
        return self._as_given(self._within(cell, share.clamp(0, 1)), y)

    def ppf(self, q: Any) -> Array:
        """Quantiles of each row."""
        wanted = self._beside(q)
        cell = (torch.searchsorted(self.below, wanted) - 1).clamp(0, self.below.shape[1] - 2)
        low, high = torch.zeros_like(wanted), torch.ones_like(wanted)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            short = self._within(cell, middle) < wanted
            low, high = torch.where(short, middle, low), torch.where(short, high, middle)
        return self._as_given(self._responses(self.start + (cell + high) * self.step), q)

    def mean(self) -> Array:
        """Mean of each row; infinite or meaningless where the distribution has none."""
        y = self._responses(self.start + torch.arange(self.density.shape[1]) * self.step)
        return torch.where(self.density > 0, y * self.density, 0.0).sum(1).mul(self.step[:, 0]).numpy()

    def _points(self, y: Any) -> Tensor:
        return ((self.support.back(self._beside(y)) - self.mode) / self.width).asinh()

    def _responses(self, v: Tensor) -> Tensor:
        return self.support.to(self.mode + self.width * v.sinh())

    def _cells(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Cell of the grid that holds v, and how far into it v lies; the ends of the grid for what lies outside."""
        at = (v - self.start) / self.step
        cell = at.nan_to_num(0.0).clamp(0, self.below.shape[1] - 2).floor().long()
        return cell, at - cell

    def _within(self, cell: Tensor, share: Tensor) -> Tensor:
        """The distribution function inside a cell: the cubic with its values and slopes at both ends (Hermite)."""
        f0, f1 = (self.below.gather(1, cell + i) for i in (0, 1))
        d0, d1 = (self.density.gather(1, cell + i) * self.step for i in (0, 1))
        rest = 1 - share
        return (
            (f0 * (1 + 2 * share) + d0 * share) * rest * rest + (f1 * (1 + 2 * rest) - d1 * rest) * share * share
        )  # fmt: skip


def distribution_of(model: RegressionModel, eta: Tensor, rows: Data) -> Tabulated | Integrated:
    """The distribution of each row's response, from the log-likelihood at linear predictors (m, n).

    Raises
    ------
    ValueError
        The likelihood does not sum to one over a support that agrees with the responses seen.
    """
    seen, n = model.seen, rows.n
    known = ~eta.isnan().any(0)

    def loglike(many: Data, each: Tensor) -> Tensor:
        return model.loglike_obs(model.values(tuple(eta[:, each])), many)

    if seen is not None:
        for attempt in attempts(seen):
            found = attempt(log_density_of(model, rows, seen, loglike), n)
            if bool(((found.mass - 1).abs() < SUM_TOLERANCE)[known].all()):
                return found.distribution
    raise ValueError(
        f"{type(model).__name__} does not say its distribution, and exp(loglike_obs) does not sum to one over the "
        "responses; define frozen(self, p, data, scale), which returns each row's distribution as scipy freezes it"
    )


@dataclass(frozen=True, eq=False)
class _Found:
    distribution: Any
    mass: Tensor


class Seen(NamedTuple):
    """What is to be known of the responses of a fit, and goes into its file.

    Attributes
    ----------
    low, high, middle, spread : float
        Least, largest and median; median distance from that, or another measure where most are equal.
    whole : bool
        Whether all are whole numbers.
    dtype : str
    """

    low: float
    high: float
    middle: float
    spread: float
    whole: bool
    dtype: str


def seen(y: Tensor, group: Any = None) -> Seen:
    """What is to be known of responses (n,), those of all processes of a group."""
    values = y.double().cpu()
    middle = float(values.median())
    spread = float((values - middle).abs().median()) or float(values.std(correction=0)) or 1.0
    whole = bool((values == values.round()).all())
    own = Seen(float(values.min()), float(values.max()), middle, spread, whole, str(y.dtype).removeprefix("torch."))
    low, high, middles, spreads, wholes, _ = zip(*gather(own, group), strict=True)
    return Seen(min(low), max(high), median(middles), median(spreads), all(wholes), own.dtype)


def attempts(seen: Seen) -> list[Callable[[LogDensity, int], _Found]]:
    """Supports that agree with the responses seen, the narrowest first."""
    out: list[Callable[[LogDensity, int], _Found]] = []
    if seen.low >= 0 and seen.high < MOST_COUNTS and seen.whole:
        from_ = dict.fromkeys((0, int(seen.low)))
        out += [partial(kind, low=at, high=int(seen.high)) for kind in (_finite, _counts) for at in from_]
    return [*out, *(partial(continuous, support=support) for support in supports(seen))]


def supports(seen: Seen) -> list[Support]:
    """Continuous scales on which the responses lie."""
    low, high, middle, spread = seen[:4]
    line = Support(
        lambda t: middle + spread * t.sinh(),
        lambda y: ((y - middle) / spread).asinh(),
        lambda t: torch.logaddexp(t, -t) + np.log(spread / 2),
    )
    unit = middle if middle > 0 else 1.0
    half = Support(lambda t: unit * t.exp(), lambda y: (y / unit).clamp_min(0).log(), lambda t: t + np.log(unit))
    share = Support(
        torch.sigmoid,
        lambda y: y.clamp(0, 1).logit(),
        lambda t: torch.nn.functional.logsigmoid(t) + torch.nn.functional.logsigmoid(-t),
        reach=25.0,
    )
    return [*([share] if low >= 0 and high <= 1 else []), *([half] if low >= 0 else []), line]


def log_density_of(
    model: LikelihoodModel, rows: Data, seen: Seen, loglike: Callable[[Data, Tensor], Tensor]
) -> LogDensity:
    """Log-likelihood of responses (n, g), minus infinity where the model has none or refuses them.

    Parameters
    ----------
    model : LikelihoodModel
    rows : Data
    seen : Seen
    loglike : callable
        Of repeated rows with responses, and the place of each among the rows.
    """

    def log_density(y: Tensor) -> Tensor:
        many, each = repeated(model, rows, seen, y)
        with torch.no_grad():
            try:
                found = loglike(many, each)
            except (
                AttributeError,
                IndexError,
                RuntimeError,
                ValueError,
            ):  # outside the support, or a column is missing
                return torch.full_like(y, -torch.inf)
        return found.double().reshape(y.shape).nan_to_num(-torch.inf, posinf=torch.inf, neginf=-torch.inf)

    return log_density


def repeated(model: LikelihoodModel, rows: Data, seen: Seen, y: Tensor) -> tuple[Data, Tensor]:
    """Each row once for each of its responses (n, g), with these; and the place of each among the rows."""
    each = torch.arange(rows.n).repeat_interleave(y.shape[1])
    dtype = getattr(torch, seen.dtype)
    values = y.reshape(-1).to(torch.float64 if dtype.is_floating_point else dtype)
    return model.with_responses(rows.take(each), values), each


def _finite(log_density: LogDensity, n: int, low: int, high: int) -> _Found:
    """Whole numbers between the least and the largest seen."""
    values = torch.arange(low, high + 1, dtype=torch.float64)
    table = log_density(values.expand(n, -1)).exp()
    return _Found(Tabulated(values.numpy(), table.numpy()), table.sum(1))


def _counts(log_density: LogDensity, n: int, low: int, high: int) -> _Found:
    """Whole numbers without an upper end, as far as they have any probability."""
    tables, start, width = [], low, max(64, 2 * (high - low))
    while start < MOST_COUNTS:
        values = torch.arange(start, start + width, dtype=torch.float64)
        tables.append(log_density(values.expand(n, -1)).exp())
        start, width = start + width, 2 * width
        if float(tables[-1][:, -1].nan_to_num().max()) < TAIL:
            break
    table = torch.cat(tables, 1)
    return _Found(Tabulated(np.arange(low, low + table.shape[1], dtype=float), table.numpy()), table.sum(1))


def continuous(log_density: LogDensity, n: int, support: Support) -> _Found:
    """Grids drawn together to where the rows' densities lie, and integrals over them."""

    def logs(t: Tensor) -> Tensor:
        return log_density(support.to(t)) + support.log_slope(t)

    start, end = (torch.full((n, 1), at, dtype=torch.float64) for at in (-REACH, support.reach))
    start, end = drawn_together(logs, start, end, NEGLIGIBLE)
    left, right = drawn_together(logs, start, end, NEAR)
    mode, width = (left + right) / 2, ((right - left) / 2).clamp_min(1e-12)
    first, last = (((at - mode) / width).asinh() for at in (start, end))
    step = (last - first) / (POINTS - 1)
    v = first + torch.arange(POINTS) * step
    t = mode + width * v.sinh()
    in_t = logs(t)
    density = (in_t + (width * v.cosh()).log()).exp()
    lower, upper = beyond(in_t[:, :2], t[:, :2]), beyond(in_t[:, [-1, -2]], t[:, [-1, -2]])
    below = lower + running_integral(density, step)
    mass = torch.where(jumps(density, step, below - lower), torch.nan, below[:, -1:] + upper)
    return _Found(Integrated(support, mode, width, first, step, density, below), mass[:, 0])


def jumps(density: Tensor, step: Tensor, integral: Tensor) -> Tensor:
    """Where (n, 1) a density jumps: integrals over half of the points then differ by half a step of the jump."""
    return (running_integral(density[:, ::2], 2 * step) - integral[:, ::2]).abs().amax(1, keepdim=True) > JUMP


def drawn_together(logs: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, depth: float) -> tuple[Tensor, Tensor]:
    """The part (n, 1), (n, 1) of each row's range in which a log density is within `depth` of its greatest."""
    for _ in range(ROUNDS):
        step = (end - start) / (COARSE - 1)
        found = logs(start + torch.arange(COARSE) * step)
        counted = found >= found.max(1, keepdim=True).values - depth
        first = counted.double().argmax(1, keepdim=True)
        last = COARSE - 1 - counted.flip(1).double().argmax(1, keepdim=True)
        left, right = start + (first - 1).clamp_min(0) * step, start + (last + 1).clamp_max(COARSE - 1) * step
        settled = bool((right - left > 0.8 * (end - start)).all())
        start, end = left, right
        if settled:
            break
    return start, end


def beyond(logs: Tensor, t: Tensor) -> Tensor:
    """The integral (n, 1) of a tail that falls exponentially in t, from its first two points, the outermost first."""
    rate = (logs[:, 1] - logs[:, 0]) / (t[:, 1] - t[:, 0]).abs()
    return torch.where(rate > 0, logs[:, 0].exp() / rate, 0.0)[:, None]


def log_slope(support: Support, mode: Tensor, width: Tensor, v: Tensor) -> Tensor:
    """Logarithm of dy/dv."""
    return support.log_slope(mode + width * v.sinh()) + (width * v.cosh()).log()


def running_integral(density: Tensor, step: Tensor) -> Tensor:
    """Integrals (n, g) from the first point to each, by the cubic through the four points around each cell."""
    ends = [3 * (f[0] - f[1]) + f[2] for f in (density.T[:3], density.T[[-1, -2, -3]])]  # a parabola on
    padded = torch.cat([ends[0][:, None], density, ends[1][:, None]], 1)
    cells = (13 * (padded[:, 1:-2] + padded[:, 2:-1]) - padded[:, :-3] - padded[:, 3:]) * step / 24
    return torch.nn.functional.pad(cells.cumsum(1), (1, 0))
