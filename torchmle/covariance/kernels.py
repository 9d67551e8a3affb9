"""Weights of lags, and how many lags to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Kernel = Callable[[float, int], Array]


def bartlett(maxlags: float, n: int) -> Array:
    """``1 - l / (L + 1)`` for lags 0 to L (Newey and West 1987)."""
    return 1 - np.arange(int(maxlags) + 1) / (maxlags + 1)


def uniform(maxlags: float, n: int) -> Array:
    """1 for lags 0 to L."""
    return np.ones(int(maxlags) + 1)


def parzen(maxlags: float, n: int) -> Array:
    """With ``x = l / (L + 1)``: ``1 - 6 x^2 + 6 x^3`` up to 1/2, ``2 (1 - x)^3`` from there to 1 (Gallant 1987)."""
    x = np.arange(math.ceil(maxlags) + 1) / (maxlags + 1)
    return np.where(x <= 0.5, 1 - 6 * x**2 + 6 * x**3, 2 * np.maximum(1 - x, 0) ** 3)


def quadratic_spectral(maxlags: float, n: int) -> Array:
    """With ``x = l / (L + 1)`` and ``a = 6 pi x / 5``: ``3 (sin(a) / a - cos(a)) / a^2``, for all lags (Andrews 1991)."""
    a = 6 * np.pi / 5 * np.arange(1, n) / (maxlags + 1)
    return np.concatenate([[1.0], 3 * (np.sin(a) / a - np.cos(a)) / a**2])


KERNELS: Mapping[str, Kernel] = {
    "bartlett": bartlett,
    "uniform": uniform,
    "parzen": parzen,
    "qs": quadratic_spectral,
    "quadratic spectral": quadratic_spectral,
}
FRACTIONAL = ("parzen", "qs", "quadratic spectral")  # kernels whose bandwidth need not be a whole number
RULES = ("newey-west", "rule")


def check_kernel(kernel: Any) -> None:
    """Refuse what is neither the name of a kernel nor a function of the number of lags."""
    if not callable(kernel) and str(kernel).lower() not in KERNELS:
        raise ValueError(
            f"kernel must be one of {', '.join(map(repr, KERNELS))}, or a function of maxlags, not {kernel!r}"
        )


def check_lags(maxlags: Any, kernel: Any) -> None:
    """Refuse a number of lags that is none."""
    if maxlags in RULES if isinstance(maxlags, str) else False:
        return
    whole = not isinstance(kernel, str) or kernel.lower() not in FRACTIONAL
    number = isinstance(maxlags, (int, np.integer)) or (isinstance(maxlags, (float, np.floating)) and not whole)
    if isinstance(maxlags, bool) or not number or not 0 <= maxlags < math.inf:
        raise ValueError(
            f"maxlags must be a whole number of rows, 0 or more, or one of {', '.join(map(repr, RULES))}, not {maxlags!r}"
        )


def lag_weights(kernel: Any, maxlags: float, n: int) -> Array:
    """Weights of lags 0, 1, ... for a series of n."""
    if callable(kernel):
        return np.asarray([1.0] if maxlags == 0 else kernel(maxlags), dtype=float)
    return KERNELS[kernel.lower()](maxlags, n)[:n]


def chosen_lags(maxlags: Any, kernel: Any, scores: Tensor, intercept: int | None) -> float:
    """The number of lags, by a rule when one was named.

    ``"rule"`` is ``floor(4 (n / 100) ** (2 / 9))``; ``"newey-west"`` the automatic choice of Newey and West (1994)
    without prewhitening, as sandwich::bwNeweyWest in R: with h the sum of a row's scores but for the intercept's.

    Parameters
    ----------
    maxlags : number or str
    kernel : str or callable
    scores : Tensor
        (n, k), in the user's coordinates.
    intercept : int or None
        Its column.
    """
    n = len(scores)
    if maxlags == "rule":
        return math.floor(4 * (n / 100) ** (2 / 9))
    if maxlags != "newey-west":
        return maxlags
    name = kernel.lower() if isinstance(kernel, str) else "a function"
    if name not in PLUG_IN:
        raise ValueError(f"maxlags='newey-west' is defined for the kernels bartlett, parzen and qs, not {name!r}")
    rate, constant, q = PLUG_IN[name]
    keep = [j for j in range(scores.shape[1]) if j != intercept] or [0]
    h = scores[:, keep].sum(1).numpy()
    m = min(math.floor(4 * (n / 100) ** rate), n - 1)
    sigma = np.array([h[: n - j] @ h[j:] for j in range(m + 1)]) / n
    moment = 2 * (np.arange(1, m + 1) ** q * sigma[1:]).sum() / (sigma[0] + 2 * sigma[1:].sum())
    bandwidth = constant * (moment**2) ** (1 / (2 * q + 1)) * n ** (1 / (2 * q + 1))
    return math.floor(bandwidth) if name == "bartlett" else max(bandwidth - 1, 0.0)


# exponent of n for the lags of the pilot, constant and order q of the optimal bandwidth (Newey and West 1994, table I)
PLUG_IN = {
    "bartlett": (2 / 9, 1.1447, 1),
    "parzen": (4 / 25, 2.6614, 2),
    "qs": (2 / 25, 1.3221, 2),
    "quadratic spectral": (2 / 25, 1.3221, 2),
}
MANY_LAGS = 200  # beyond which a Fourier transform is quicker than a product for each lag
MOST_GAPS = 50  # places for each row, up to which that is so where places have no row


def autocovariances(series: Tensor, weights: Array, places: Tensor | None = None) -> Tensor:
    """``sum_l w_l (Gamma_l + Gamma_l')`` with ``Gamma_l = sum_t s_t s_{t-l}'``, lag 0 once, (k, k).

    Parameters
    ----------
    series : Tensor
        (n, k) in time order.
    weights : ndarray
        Of lags 0, 1, ...
    places : Tensor, optional
        (n,) increasing whole numbers whose differences are lags; without them rows are one apart.
    """
    if places is not None:
        return _of_places(series, weights, places)
    if len(weights) > MANY_LAGS:
        return _by_transform(series, weights)
    total = weights[0] * (series.T @ series)
    for lag, weight in enumerate(weights[1 : len(series)], start=1):
        cross = series[lag:].T @ series[:-lag]
        total = total + weight * (cross + cross.T)
    return total


def _of_places(series: Tensor, weights: Array, places: Tensor) -> Tensor:
    """As many products as rows lie within the longest lag, or a Fourier transform where zeros fill few gaps."""
    length = int(places[-1] - places[0]) + 1
    if len(weights) > MANY_LAGS and length <= MOST_GAPS * len(series):
        filled = series.new_zeros(length, series.shape[1]).index_copy(0, places - places[0], series)
        return _by_transform(filled, weights)
    total, known = weights[0] * (series.T @ series), torch.as_tensor(weights, dtype=series.dtype)
    for step in range(1, len(series)):
        lags = places[step:] - places[:-step]
        near = lags < len(known)
        if not bool(near.any()):
            break
        cross = (series[step:][near] * known[lags[near]][:, None]).T @ series[:-step][near]
        total = total + cross + cross.T
    return total


def _by_transform(series: Tensor, weights: Array) -> Tensor:
    n = len(series)
    circular = torch.zeros(2 * n, 1, dtype=series.dtype)
    known = torch.as_tensor(weights[:n], dtype=series.dtype)
    circular[: len(known), 0] = known
    circular[2 * n - len(known) + 1 :, 0] = known[1:].flip(0)
    filtered = torch.fft.irfft(torch.fft.rfft(circular, dim=0) * torch.fft.rfft(series, 2 * n, dim=0), 2 * n, dim=0)[:n]
    product = series.T @ filtered
    return (product + product.T) / 2
