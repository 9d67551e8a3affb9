"""The responses that each row could have had, with their probabilities, so that anything can be averaged over them.

They are found from the log-likelihood alone: values between the least and the largest seen; counts without an upper end;
densities on the unit interval, the half-line and the line.  `by_numbers` has the scales, on which every tail falls at least
exponentially.

Counts are taken one by one while they are few.  Where a row's reach far, most of them go in panels no longer than an eighth of
their distance from zero and 1/128 of the row's range, each with the weights at ten of its counts that add up polynomials
over all of it.  Densities are integrated by Gauss and Legendre's rule on panels on both sides of the mode, which
may be a kink, out to where they end or no longer matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from numpy.polynomial import legendre
from numpy.typing import NDArray
from torch import Tensor

from ..data import Data
from .predictions.by_numbers import NEAR, NEGLIGIBLE, REACH, LogDensity, Seen, Support, drawn_together, supports

Array = NDArray[np.float64]

NODES = 10  # of a panel of counts
PANELS = 128, 8  # of a row's range of counts, and of the distance from zero: no panel is longer
LONG = 2**12  # panel whose sums are not taken one by one
STEP = 1.5  # in the root of a count, by which ranges are looked for: three standard deviations of a Poisson count
RATIO = 1.25  # of counts, beyond four times the largest seen
LARGEST = 2.0**26  # count seen; larger ones are taken for numbers on a continuous scale
FARTHEST = 2.0**40  # count up to which ranges are looked for
BEYOND = 1e-14  # probability of larger ones
SHORT = 1024  # values that are tried as all there are
ROUNDED = 1e-12  # by which their probabilities may miss one
SIDE = 14  # panels of a density on each side of its mode
POINTS = 12  # of each of them
SEARCHES = 48  # by which a mode or an end is narrowed down
DEPTH = 600.0  # of log y, as far down as a response near zero is told from zero


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of n rows, g of each.

    Attributes
    ----------
    y : Tensor (n, g)
    chance : Tensor (n, g)
        Their probabilities, or densities times the weights of a quadrature.
    rest : Tensor (n, 2)
        Probability below the first and above the last, which they leave out.
    length : Tensor (n, 2)
        How far it reaches on average, in distances between the end and the point `POINTS` places inside, when what is averaged
        goes on in a straight line.
    """

    y: Tensor
    chance: Tensor
    rest: Tensor
    length: Tensor


Rule = Callable[[LogDensity, Data], Responses]
Panels = Callable[[int, int], tuple[Tensor, Tensor]]


def rules(seen: Seen) -> Iterator[Rule]:
    """Ways to find the responses that agree with those seen, the narrowest first."""
    low, high, scales = seen.low, seen.high, supports(seen)
    whole = low >= 0 and high < LARGEST and seen.whole
    starts = dict.fromkeys((0, int(low))) if whole else {}
    yield from (partial(_values, low=least, high=int(high)) for least in starts if high - least < SHORT)
    panels = cache(partial(_panels, weights_of=cache(_weights)))  # of the same few lengths, again and again
    yield from (partial(_counts, low=least, high=int(high), panels=panels) for least in starts)
    yield from (partial(density, scale=scale, bounded=scale is not scales[-1]) for scale in scales)


def _values(log_density: LogDensity, rows: Data, low: int, high: int) -> Responses:
    """Whole numbers between two."""
    y = torch.arange(low, high + 1, dtype=torch.float64).expand(rows.n, -1)
    chance, nothing = log_density(y).exp(), torch.zeros(rows.n, 2, dtype=torch.float64)
    missing = (chance.sum(1, keepdim=True) - 1).abs() > ROUNDED
    return Responses(y, chance, torch.where(missing, torch.inf, nothing), nothing)


# -- counts ----------------------------------------------------------------------------------------------------


def _counts(log_density: LogDensity, rows: Data, low: int, high: int, panels: Panels) -> Responses:
    """Whole numbers without an upper end, in each row as far as they have any probability."""
    first, last = _range(log_density, rows.n, low, high)
    pairs, which = torch.stack([first, last], 1).unique(dim=0, return_inverse=True)
    found = [panels(*pair) for pair in pairs.long().tolist()]
    width = max(len(y) for y, _ in found)
    y = torch.stack([torch.nn.functional.pad(y, (0, width - len(y)), value=float(y[-1])) for y, _ in found])[which]
    weight = torch.stack([torch.nn.functional.pad(each, (0, width - len(each))) for _, each in found])[which]
    end = log_density(torch.stack([last - 1, last], 1))
    fall = (end[:, 0] - end[:, 1]).nan_to_num(torch.inf)
    above = torch.where(end[:, 1] > -torch.inf, end[:, 1].exp() / torch.expm1(fall), 0.0)  # of a geometric tail
    above = torch.where((fall > 0) & (above < BEYOND), 0.0, torch.inf)
    rest = torch.stack([torch.zeros_like(above), above], 1)
    return Responses(y, log_density(y).exp() * weight, rest, torch.zeros_like(rest))


def _range(log_density: LogDensity, n: int, low: int, high: int) -> tuple[Tensor, Tensor]:
    """First and last count (n,) that matter in each row, rounded outwards to few values."""
    grid = _ladder(low, high)
    logs = log_density(grid.expand(n, -1))
    counted = logs >= logs.max(1, keepdim=True).values - NEGLIGIBLE
    first = counted.double().argmax(1)
    last = len(grid) - counted.flip(1).double().argmax(1)
    near = int((grid <= _middle(high)).sum())
    few = max(1, near // 32)  # so that rows share their panels
    last = torch.where(last < near, (last + few - 1) // few * few, last)
    return grid[(first - 1).clamp_min(0) // few * few], grid[last.clamp_max(len(grid) - 1)]


def _middle(high: int) -> float:
    """A count up to which rows may centre."""
    return (2 * high**0.5 + 8) ** 2


def _ladder(low: int, high: int) -> Tensor:
    """Counts from the least on: in equal steps of their roots as far as rows may centre, then in equal ratios."""
    near = torch.arange(low**0.5, _middle(high) ** 0.5 + STEP, STEP, dtype=torch.float64).square()
    far = near[-1] * RATIO ** torch.arange(1.0, np.log(FARTHEST / float(near[-1])) / np.log(RATIO), dtype=torch.float64)
    return torch.cat([near, far]).ceil().clamp_min(low).unique()


def _panels(first: int, last: int, weights_of: Callable[[int], tuple[Array, Array]]) -> tuple[Tensor, Tensor]:
    """Counts from the first to the last with the weights at which they add up what varies slowly."""
    y, weight, at = [], [], first
    longest = (last - first) // PANELS[0]
    while at <= last:
        length = min(max(at // PANELS[1], 1), max(longest, 1), last - at + 1)
        places, weights = weights_of(length)
        y.append(at + places)
        weight.append(weights)
        at += length
    return torch.from_numpy(np.concatenate(y)), torch.from_numpy(np.concatenate(weight))


def _weights(length: int) -> tuple[Array, Array]:
    """Some of the places 0 ... length-1 and weights that add up polynomials over all of them."""
    if length <= NODES + 1:
        return np.arange(length, dtype=float), np.ones(length)
    places = np.round((length - 1) * (1 - np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)) / 2)
    some = legendre.legvander(2 * places / (length - 1) - 1, NODES - 1)
    return places, np.asarray(np.linalg.solve(some.T, _sums(length)), float)


def _sums(length: int) -> Array:
    """Sums of Legendre's polynomials over 0 ... length-1 stretched to -1 ... 1."""
    if length <= LONG:
        return legendre.legvander(2 * np.arange(length) / (length - 1) - 1, NODES - 1).sum(0)
    end = length / (length - 1)  # half a count outside: Euler and Maclaurin's formula
    points, weights = legendre.leggauss(NODES)
    slopes = legendre.legval(np.array([-end, end]), legendre.legder(np.eye(NODES)))
    integrals = weights @ legendre.legvander(points * end, NODES - 1) * length / 2
    return integrals - (slopes[:, 1] - slopes[:, 0]) / (12 * (length - 1))


# -- densities -------------------------------------------------------------------------------------------------


def density(log_density: LogDensity, rows: Data, scale: Support, bounded: bool) -> Responses:
    """The nodes of a quadrature in ``v``, ``t = mode + width sinh v``, in each row out to where its density ends."""

    def logs(t: Tensor) -> Tensor:
        return log_density(scale.to(t)) + scale.log_slope(t)

    low, high = torch.tensor([[-DEPTH if bounded else -REACH]]).double(), torch.tensor([[scale.reach]]).double()
    start, end = drawn_together(logs, low.expand(rows.n, 1), high.expand(rows.n, 1), NEGLIGIBLE)
    left, right = drawn_together(logs, start, end, NEAR)
    mode, width = _mode(logs, left, right), ((right - left) / 2).clamp_min(1e-12)
    floor = logs(mode) - NEGLIGIBLE
    start, end = (_end(logs, mode, outside, floor) for outside in (start, end))
    cut = torch.cat([start <= low, end >= high], 1)
    inside, weights = (torch.from_numpy(values) for values in _sides())
    reach = torch.where(inside < 0, ((start - mode) / width).asinh().abs(), ((end - mode) / width).asinh())
    v = inside * reach
    t = mode + width * v.sinh()
    density = (logs(t) + (width * v.cosh()).log()).exp()
    return Responses(scale.to(t), density * weights * reach, *_tails(logs, t, cut))


def _sides() -> tuple[Array, Array]:
    """Nodes between -1 and 1, and their weights: panels on both sides of zero, and the ends themselves."""
    points, weights = legendre.leggauss(POINTS)
    half = np.append((np.arange(SIDE)[:, None] + (1 + points) / 2) / SIDE, 1.0)
    each = np.append(np.tile(weights / 2 / SIDE, SIDE), 0.0)
    return np.concatenate([-half[::-1], half]), np.concatenate([each[::-1], each])


def _mode(logs: Callable[[Tensor], Tensor], left: Tensor, right: Tensor) -> Tensor:
    """Where (n, 1) a log density is greatest between two points."""
    for _ in range(SEARCHES):
        third = (right - left) / 3
        both = logs(torch.cat([left + third, right - third], 1))
        rises = (both[:, 1] > both[:, 0])[:, None]
        left, right = torch.where(rises, left + third, left), torch.where(rises, right, right - third)
    return (left + right) / 2


def _end(logs: Callable[[Tensor], Tensor], inside: Tensor, outside: Tensor, floor: Tensor) -> Tensor:
    """Where (n, 1) a log density falls below a floor on the way out; the point outside where it does not."""
    far = logs(outside) >= floor
    near, away = inside, outside
    for _ in range(SEARCHES):
        middle = (near + away) / 2
        counts = logs(middle) >= floor
        near, away = torch.where(counts, middle, near), torch.where(counts, away, middle)
    return torch.where(far, outside, near)


def _tails(logs: Callable[[Tensor], Tensor], t: Tensor, cut: Tensor) -> tuple[Tensor, Tensor]:
    """Integrals (n, 2) of exponential tails beyond the ends of rows that the scale cuts off there, and their lengths.

    Lengths are one over the rate, in distances between the last point and that of another panel.
    """
    points = t[:, [0, POINTS, -1, -1 - POINTS]].unflatten(1, (2, 2))
    both = logs(points.flatten(1)).unflatten(1, (2, 2))
    fall = both[:, :, 1] - both[:, :, 0]
    distance = (points[:, :, 1] - points[:, :, 0]).abs()
    rest = torch.where(fall > 0, both[:, :, 0].exp() * distance / fall, torch.inf)
    return torch.where(cut, rest, 0.0), torch.where(cut & (fall > 0), 1 / fall, 0.0)
