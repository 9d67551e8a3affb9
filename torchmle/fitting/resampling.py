"""Estimates of a model with the rows weighted again and again: what the bootstrap and the jackknife are made of."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..optim.search import progress_bar
from .batched import batch_size, can_be_batched, newton
from .objective import Objective
from .sampling import fresh_copy

if TYPE_CHECKING:
    from ..data import Data
    from ..likelihood import LikelihoodModel
    from .fit import Fit

Array = NDArray[np.float64]
Seeds = Sequence[np.random.SeedSequence]
Draw = Callable[[Seeds, slice], Array]  # weights (b, n) of some of the replicates, by their seeds
Sampler = Callable[[np.random.Generator], Array]  # responses of the rows

KINDS = ("case", "cluster", "parametric")
ILL_CONDITIONED = 1e10  # information from which least squares are not left to normal equations


@dataclass(frozen=True, eq=False)
class Replicates:
    """Estimates of weighted samples.

    Attributes
    ----------
    values : ndarray (b, k)
        On the reported scale; NaN for the replicates that have none.
    failures : mapping of str to int
        How many replicates have no maximum, by reason.
    """

    values: Array
    failures: dict[str, int]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which replicates have no estimate, (b,)."""
        return np.asarray(np.isnan(self.values).all(1))

    def statement(self) -> str:
        """How many were left out, and why."""
        reasons = "; ".join(f"{count} {reason}" for reason, count in sorted(self.failures.items()))
        return f"{int(self.failed.sum())} of {len(self.values)} replicates are left out: {reasons}"


def replicate(fit: Fit, draw: Draw, reps: int, seed: Any = None, progress: bool = False) -> Replicates:
    """Estimates of `reps` weighted samples, each from the estimate of the whole.

    Parameters
    ----------
    fit : Fit
    draw : callable
        From the seeds and the numbers of some replicates to their rows of weights, (b, n), in place of frequency weights.
    reps : int
    seed : int, optional
        Of `numpy.random.SeedSequence`, which has a child for each replicate: how many go together, and on how many threads,
        changes nothing.
    progress : bool
        Show a progress bar.
    """
    model = fit.model
    if model.rows.group is not None:
        raise ValueError("replicates need all rows in one process")
    size = batch_size(model.rows.n)
    parts = [slice(first, min(first + size, reps)) for first in range(0, reps, size)]
    seeds = np.random.SeedSequence(seed).spawn(reps)
    bar = progress_bar(reps) if progress else None
    batched = (fit.inverse.condition < ILL_CONDITIONED or not model.linear) and can_be_batched(model, fit.z)  # type: ignore[arg-type]
    values, failures = [], Counter[str]()
    for weights, found in _batches(fit, draw, [(seeds[part], part) for part in parts], batched):
        for row, weight in zip(found, weights, strict=True):
            if np.isnan(row).all():
                row[:], reason = refit(fit, weight)
                failures.update([reason] if reason else [])
        values.append(found)
        if bar is not None:
            bar.update(len(found))
    if bar is not None:
        bar.close()
    return Replicates(np.concatenate(values), dict(failures))


def _batches(fit: Fit, draw: Draw, tasks: list[tuple[Seeds, slice]], batched: bool) -> Iterator[tuple[Array, Array]]:
    """Weights and estimates of each batch, in order; NaN where Newton's method has not arrived."""
    k = len(fit.model.layout.names)

    def run(task: tuple[Seeds, slice]) -> tuple[Array, Array]:
        weights = draw(*task)
        if not batched:
            return weights, np.full((len(weights), k), np.nan)
        scale = fit.scale if fit.scale > 0 else 1.0
        found = newton(fit.model, fit.coordinates, fit.optimum.x, torch.from_numpy(weights), scale)  # type: ignore[arg-type]
        return weights, reported(fit, found.phi, found.converged)

    workers = min(torch.get_num_threads(), len(tasks))
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for first in range(0, len(tasks), 2 * workers):  # few at a time: their weights are large
            yield from pool.map(run, tasks[first : first + 2 * workers])


def reported(fit: Fit, phi: Tensor, converged: Tensor) -> Array:
    """Estimates on the reported scale, (b, k)."""
    layout = fit.model.layout
    out = np.full((len(phi), len(layout.names)), np.nan)
    if layout.is_identity and fit.coordinates.basis is None and fit.coordinates.uncentre is None:
        return np.where(converged.numpy()[:, None], phi.numpy(), out)
    for i in converged.nonzero()[:, 0].tolist():
        out[i] = layout.natural(fit.coordinates.theta(fit.coordinates.z(phi[i]))).detach().numpy()
    return out


# -- one at a time ---------------------------------------------------------------------------------------------


def simulated(fit: Fit, sampler: Sampler, reps: int, seed: Any = None, progress: bool = False) -> Replicates:
    """Estimates of responses drawn from the fitted model.

    Parameters
    ----------
    fit : Fit
    sampler : callable
        From a random generator to a response of each row.
    reps, seed, progress
        As for `replicate`.

    Raises
    ------
    ValueError
        Censored times, whose censoring is no part of the model; sampling weights; frequencies that are not whole numbers.
    """
    model, times = fit.model, _times(fit.model)
    rows, runs = _repeated(model, times), range(int(times.max()))
    values, failures = np.empty((reps, len(model.layout.names))), Counter[str]()
    bar = progress_bar(reps) if progress else None
    for i, sequence in enumerate(np.random.SeedSequence(seed).spawn(reps)):
        generator = np.random.default_rng(sequence)
        drawn = np.concatenate([sampler(generator)[times > run] for run in runs])
        other = fresh_copy(model)
        other._rows = other.prepare(rows.with_response(torch.from_numpy(drawn).to(rows.y)))
        values[i], reason = estimate(fit, other)
        failures.update([reason] if reason else [])
        if bar is not None:
            bar.update(1)
    if bar is not None:
        bar.close()
    return Replicates(values, dict(failures))


def _repeated(model: LikelihoodModel, times: Array) -> Data:
    """Each row as often as it counts: those of the first response drawn, of the second, ..."""
    if (times == 1).all():
        return model.rows
    places = np.concatenate([np.flatnonzero(times > run) for run in range(int(times.max()))])
    rows = model.rows.take(places)
    return rows.with_columns(freq_weights=torch.ones_like(rows.freq_weights))


def _times(model: LikelihoodModel) -> Array:
    """How many responses of each row are drawn, (n,)."""
    event, weights = model.rows.get("event"), model.rows.get("freq_weights")
    if event is not None and not bool((event == 1).all()):
        raise ValueError("kind='parametric' would need a model of the censoring; use kind='case'")
    if "sampling_weights" in model.rows.columns:
        raise ValueError(
            "kind='parametric' draws responses from the model, which under sampling weights is that of the population, not of "
            "the sample; use kind='case' or 'cluster'"
        )
    times = np.ones(model.rows.n) if weights is None else weights.double().cpu().numpy()
    if not (times == np.floor(times)).all():
        raise ValueError(
            "kind='parametric' draws a row as often as it counts, which must be a whole number; use kind='case'"
        )
    return times


def refit(fit: Fit, weights: Array) -> tuple[Array, str]:
    """The estimate of a weighted sample on the reported scale, or NaN and why there is none."""
    return estimate(fit, fit.model.reweighted(weights))


def estimate(fit: Fit, model: Any) -> tuple[Array, str]:
    """The estimate of a model of other rows from that of the fit, or NaN and why there is none.

    First from where the fit ended, then afresh, with all that `fit` does about boundaries.
    """
    model.secondary = True
    method = "newton" if fit.optimum.method not in ("irls", "qr", "pinv") else fit.optimum.method
    optimum = model.maximize(Objective(model, fit.coordinates), fit.optimum.x, method, names=())
    if optimum.converged:
        return reported(fit, optimum.x[None], torch.tensor([True]))[0], ""
    nothing = np.full(len(model.layout.names), np.nan)
    if fit.settings.get("constraints") is not None:
        return nothing, optimum.status.name.lower().replace("_", " ")
    held = {model.layout.real_names[i]: float(fit.theta[i]) for i in fit.coordinates.fixed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = model.fit(cov_type=None, disp=False, fix=held or None)
    if again.fit.separation is not None:
        return nothing, "perfect prediction"
    if not again.converged:
        return nothing, again.optim.status.name.lower().replace("_", " ")
    if len(again.dropped_columns) > len(fit.coordinates.dropped):
        return nothing, "collinear columns"
    return again._finite_params.copy(), ""


def check_kind(kind: str, groups: Any) -> None:
    """Refuse a kind of bootstrap that does not exist, or groups that have no use."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, not {kind!r}")
    if (groups is not None) != (kind == "cluster"):
        raise ValueError("groups= are for kind='cluster', and that needs them")


# -- weights ---------------------------------------------------------------------------------------------------


def case_weights(model: LikelihoodModel) -> Draw:
    """Observations drawn with replacement; rows that count several times are several observations."""
    n, own, times = model.rows.n, own_weights(model), observations(model)
    if (times == 1).all():
        return (
            (lambda seeds, part: _drawn(seeds, n)) if (own == 1).all() else lambda seeds, part: own * _drawn(seeds, n)
        )
    total = times.sum()
    drawn, each = max(1, round(total)), np.divide(own, times, out=np.zeros(n), where=times > 0)
    shares, unit = times / total, each * (total / drawn)
    return lambda seeds, part: (
        unit * np.stack([np.random.default_rng(seed).multinomial(drawn, shares) for seed in seeds])
    )


def cluster_weights(model: LikelihoodModel, codes: NDArray[np.intp], count: int) -> Draw:
    """Clusters drawn with replacement, whole."""
    own = own_weights(model)
    return lambda seeds, part: own * _drawn(seeds, count)[:, codes]


def _drawn(seeds: Seeds, n: int) -> Array:
    """How often each of n is drawn in n draws, one row for each replicate."""
    counts = np.empty((len(seeds), n))
    for row, seed in zip(counts, seeds, strict=True):
        row[:] = np.bincount(np.random.default_rng(seed).integers(0, n, n), minlength=n)
    return counts


def without_one(model: LikelihoodModel, left: NDArray[np.intp]) -> Draw:
    """All rows but one observation of these, each in turn."""
    own, times = own_weights(model), observations(model)
    one = own[left] / np.maximum(times[left], 1.0)

    def draw(seeds: Seeds, part: slice) -> Array:
        weights = np.tile(own, (part.stop - part.start, 1))
        weights[np.arange(len(weights)), left[part]] -= one[part]
        return weights

    return draw


def without_cluster(model: LikelihoodModel, codes: NDArray[np.intp]) -> Draw:
    """All clusters but one, each in turn."""
    own = own_weights(model)
    return lambda seeds, part: own * (codes != np.arange(part.start, part.stop)[:, None])


def own_weights(model: LikelihoodModel) -> Array:
    """What each row counts in the sums over rows, (n,): its frequency, or its sampling weight."""
    frequency = model.rows.get("freq_weights")
    return np.ones(model.rows.n) if frequency is None else frequency.cpu().to(torch.float64).numpy()


def observations(model: LikelihoodModel) -> Array:
    """How many observations each row stands for, (n,); one, whatever its sampling weight, if that is not 0."""
    own = own_weights(model)
    return np.where(own > 0, 1.0, 0.0) if "sampling_weights" in model.given_arguments else own
