"""Ours and a peer in turns, in one process, and whether they found the same."""

from __future__ import annotations

import gc
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

ROUNDS = 15  # at most
FEWEST = 3
PAUSE = 0.3  # seconds before each run: threads of OpenMP spin for 0.2 s after their work, on the other program's time
SECONDS = 20.0  # for the rounds of one comparison, unless the fewest take longer


@dataclass(frozen=True)
class Answer:
    """What a program found.

    Attributes
    ----------
    values : ndarray
        Estimates, or whatever both programs must agree on.
    errors : ndarray, optional
        Their standard errors; differences are expressed in them and they are compared, too.
    amount : float, optional
        What the program measured itself (seconds of an import, megabytes), in place of the time it took.
    """

    values: np.ndarray
    errors: np.ndarray | None = None
    amount: float | None = None


@dataclass(frozen=True)
class Peer:
    """Another way to the same answer.

    Attributes
    ----------
    name : str
    run : callable or None
        None when its package is not installed.
    tolerance : float
        Largest difference from ours, in standard errors (relative where there are none).
    asked : float, optional
        How many times faster than this one we are asked to be.
    once : bool
        So slow that one round must do.
    """

    name: str
    run: Callable[[], Answer] | None
    tolerance: float
    asked: float | None = None
    once: bool = False


@dataclass(frozen=True)
class Case:
    """One workload: our way and those of others.

    Attributes
    ----------
    unit : str
        Of the amounts compared.
    limit : float, optional
        The most that ours may take, in the unit.
    """

    name: str
    ours: Callable[[], Answer]
    peers: tuple[Peer, ...] = ()
    unit: str = "ms"
    limit: float | None = None


@dataclass
class Readings:
    """Wall and processor time, or the amount measured, of each run; `pause` seconds before it."""

    pause: float
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take(self, run: Callable[[], Answer], device: str) -> Answer:
        """Run once and note how long it took."""
        gc.collect()
        time.sleep(self.pause)
        wall, cpu = time.perf_counter(), time.process_time()
        answer = run()
        wait(device)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        self.wall.append(1e3 * wall if answer.amount is None else answer.amount)
        self.cpu.append(1e3 * cpu if answer.amount is None else answer.amount)
        return answer


@dataclass(frozen=True)
class Outcome:
    """A row of the table. Times are medians in milliseconds (or the case's unit)."""

    case: Case
    peer: Peer | None
    ours: float
    theirs: float | None = None
    ratios: tuple[float, float, float] | None = None  # quartiles over the rounds
    cpu_ratio: float | None = None
    difference: float | None = None
    judged: bool = True  # tiny sizes say nothing about what was asked

    @property
    def agrees(self) -> bool:
        return self.difference is None or self.peer is None or self.difference <= self.peer.tolerance

    @property
    def verdict(self) -> str:
        """What was asked and whether it is met."""
        if not self.judged:
            return ""
        if self.peer is not None and self.peer.asked is not None and self.ratios is not None:
            return f"{'yes' if self.ratios[1] >= self.peer.asked else 'NO'} (>= {self.peer.asked:g}x)"
        if self.peer is None and self.case.limit is not None:
            return f"{'yes' if self.ours <= self.case.limit else 'NO'} (<= {self.case.limit:g} {self.case.unit})"
        return ""


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def difference(ours: Answer, theirs: Answer) -> float:
    """Largest difference, in standard errors where there are any, else relative to the largest value."""
    scale = theirs.errors if theirs.errors is not None else ours.errors
    scale = np.abs(theirs.values).max() if scale is None else scale
    apart = float(np.max(np.abs(ours.values - theirs.values) / scale))
    if ours.errors is not None and theirs.errors is not None:
        apart = max(apart, float(np.max(np.abs(ours.errors / theirs.errors - 1))))
    return apart


def compare(case: Case, device: str, quick: bool = False) -> list[Outcome]:
    """Time a case against each of its peers in turns: ours, theirs, ours, theirs, ..."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = [_against(case, peer, device, quick) for peer in case.peers]
        if case.limit is not None or not case.peers:
            readings = Readings(0.0 if quick else PAUSE)
            for _ in range(1 if quick else 7):
                readings.take(case.ours, device)
            outcomes.append(Outcome(case, None, statistics.median(readings.wall), judged=not quick))
    return outcomes


def _against(case: Case, peer: Peer, device: str, quick: bool) -> Outcome:
    ours, theirs = (Readings(0.0 if quick else PAUSE) for _ in range(2))
    found = case.ours()  # the first run warms up
    if peer.run is None:
        ours.take(case.ours, device)
        return Outcome(case, peer, ours.wall[0])
    other = None if peer.once else peer.run()
    rounds = 1 if quick or peer.once else ROUNDS
    started = time.perf_counter()
    for i in range(rounds):
        ours.take(case.ours, device)
        answer = theirs.take(peer.run, device)
        other = other or answer
        if i + 1 >= FEWEST and time.perf_counter() - started > SECONDS:
            break
    ratios = [b / a for a, b in zip(ours.wall, theirs.wall, strict=True)]
    low, high = np.quantile(ratios, [0.25, 0.75])
    wall, cpu = (statistics.median(theirs.wall), statistics.median(theirs.cpu))
    middle = wall / statistics.median(ours.wall)
    apart = difference(found, other) if other is not None else None
    return Outcome(
        case, peer, statistics.median(ours.wall), wall, (float(low), middle, float(high)),
        cpu / statistics.median(ours.cpu) if cpu and all(ours.cpu) else None, apart, not quick,
    )  # fmt: skip
