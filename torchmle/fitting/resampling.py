"""Estimates of a model with the rows weighted again and again: what the bootstrap and the jackknife are made of."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
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
    from ..likelihood import LikelihoodModel
    from .fit import Fit

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, slice], Array]  # weights (b, n) of some of the replicates

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
        From a random generator and the numbers of some replicates to their rows of weights, (b, n), in place of frequency
        weights.
    reps : int
    seed : int, optional
        Of `numpy.random.SeedSequence`; the number of threads changes nothing.
    progress : bool
        Show a progress bar.
    """
    model = fit.model
    if model.rows.group is not None:
        raise ValueError("replicates need all rows in one process")
    size = batch_size(model.rows.n)
    parts = [slice(first, min(first + size, reps)) for first in range(0, reps, size)]
    seeds = np.random.SeedSequence(seed).spawn(len(parts))
    bar = progress_bar(reps) if progress else None
    batched = (fit.inverse.condition < ILL_CONDITIONED or not model.linear) and can_be_batched(model, fit.z)  # type: ignore[arg-type]
    values, failures = [], Counter[str]()
    for weights, found in _batches(fit, draw, list(zip(seeds, parts, strict=True)), batched):
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


def _batches(
    fit: Fit, draw: Draw, tasks: list[tuple[np.random.SeedSequence, slice]], batched: bool
) -> Iterator[tuple[Array, Array]]:
    """Weights and estimates of each batch, in order; NaN where Newton's method has not arrived."""
    k = len(fit.model.layout.names)

    def run(task: tuple[np.random.SeedSequence, slice]) -> tuple[Array, Array]:
        weights = draw(np.random.default_rng(task[0]), task[1])
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


def reweighted(model: LikelihoodModel, weights: Array) -> Any:
    """The model with other frequency weights; rows without weight leave."""
    kept = weights > 0
    other = model.keep_rows(kept)
    column = torch.from_numpy(weights[kept]).to(model.rows.device)
    other._rows = other.rows.with_columns(freq_weights=column)
    return other


def simulated(fit: Fit, distribution: Any, reps: int, seed: Any = None) -> Replicates:
    """Estimates of responses drawn from the fitted model.

    Parameters
    ----------
    fit : Fit
    distribution : frozen scipy distribution
        Of each row's response at the estimate.
    reps, seed
        As for `replicate`.

    Raises
    ------
    ValueError
        Censored times, whose censoring is no part of the model; sampling weights; frequencies that are not whole numbers.
    """
    model = fit.model
    times = _times(model)
    each = np.concatenate([np.flatnonzero(times > drawn) for drawn in range(int(times.max()))])
    rows = model.rows if len(each) == model.rows.n else model.rows.take(each)
    rows = (
        rows.with_columns(freq_weights=torch.ones_like(rows.freq_weights)) if "freq_weights" in rows.columns else rows
    )
    values, failures = np.empty((reps, len(model.layout.names))), Counter[str]()
    for i, sequence in enumerate(np.random.SeedSequence(seed).spawn(reps)):
        random = np.random.default_rng(sequence)
        drawn = [distribution.rvs(size=model.rows.n, random_state=random) for _ in range(int(times.max()))]
        y = np.concatenate([np.asarray(row, float)[times > at] for at, row in enumerate(drawn)])
        other = fresh_copy(model)
        other._rows = other.prepare(rows.with_response(torch.from_numpy(y).to(rows.y)))
        values[i], reason = estimate(fit, other)
        failures.update([reason] if reason else [])
    return Replicates(values, dict(failures))


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
    return estimate(fit, reweighted(fit.model, weights))


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
    n, frequency = model.rows.n, model.rows.get("freq_weights")
    if frequency is None:
        return lambda generator, part: _drawn(generator, part, n)
    counts = own_weights(model)
    total = counts.sum()
    drawn = max(1, round(total))
    return lambda generator, part: (
        generator.multinomial(drawn, counts / total, part.stop - part.start) * (total / drawn)
    )


def cluster_weights(model: LikelihoodModel, codes: NDArray[np.intp], count: int) -> Draw:
    """Clusters drawn with replacement, whole."""
    own = own_weights(model)
    return lambda generator, part: own * _drawn(generator, part, count)[:, codes]


def _drawn(generator: np.random.Generator, part: slice, n: int) -> Array:
    """How often each of n is drawn in n draws, one row for each replicate."""
    counts = np.empty((part.stop - part.start, n))
    for row in counts:
        row[:] = np.bincount(generator.integers(0, n, n), minlength=n)
    return counts


def without_one(model: LikelihoodModel, left: NDArray[np.intp]) -> Draw:
    """All rows but one observation of these, each in turn."""
    own = own_weights(model)

    def draw(generator: np.random.Generator, part: slice) -> Array:
        weights = np.tile(own, (part.stop - part.start, 1))
        weights[np.arange(len(weights)), left[part]] -= np.minimum(1.0, own[left[part]])
        return weights

    return draw


def without_cluster(model: LikelihoodModel, codes: NDArray[np.intp]) -> Draw:
    """All clusters but one, each in turn."""
    own = own_weights(model)
    return lambda generator, part: own * (codes != np.arange(part.start, part.stop)[:, None])


def own_weights(model: LikelihoodModel) -> Array:
    """Frequency weights of the rows, (n,)."""
    frequency = model.rows.get("freq_weights")
    return np.ones(model.rows.n) if frequency is None else frequency.cpu().to(torch.float64).numpy()
