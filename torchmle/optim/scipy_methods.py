"""Methods without derivatives, and one that leaves a local maximum for a better one, from scipy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .optimum import Status
from .scaled import Scaled
from .search import Point, Search

OPTIONS = ("xtol", "ftol")
NAMES = {"nm": "Nelder-Mead", "powell": "Powell"}
HOPPING = ("niter", "niter_success", "T", "stepsize", "interval", "minimizer", "seed")
HOPS = 20


def run(search: Search, start: Point, name: str, tol: float, maxiter: int, options: Mapping[str, Any]) -> Status | None:
    """Minimise the scaled negative log-likelihood by values alone.

    `xtol`, in standard errors, and `ftol`, absolute for Nelder-Mead and relative for Powell, say when the method stops
    (1e-4 and 1e-8); the Newton steps after it do the rest, so that tighter ones bring nothing.

    Returns
    -------
    Status or None
        ITERATION_LIMIT if a limit stopped the method, None if it stopped by itself.
    """
    from scipy.optimize import minimize

    scaled = Scaled(search, start)
    xtol, ftol = options.get("xtol", 1e-4), options.get("ftol", 1e-8)
    settings: dict[str, Any] = {"maxiter": maxiter}
    if name == "nm":
        settings |= {"xatol": xtol, "fatol": ftol, "maxfev": np.inf, "adaptive": True}
        settings["initial_simplex"] = _simplex(scaled.slope(start.gradient).numpy())
    else:
        settings |= {"xtol": xtol, "ftol": ftol, "maxfev": np.inf}

    def loss(z: np.ndarray) -> float:
        return scaled.loss(torch.from_numpy(z.copy()))

    def iterated(z: np.ndarray) -> None:
        assert search.best is not None
        search.record(scaled.x(torch.from_numpy(z.copy())), search.best[1], float("nan"))

    with np.errstate(all="ignore"):  # differences of infinite values
        result = minimize(loss, np.zeros(len(start.x)), method=NAMES[name], callback=iterated, options=settings)
    return Status.ITERATION_LIMIT if result.nit >= maxiter else None


def hop(search: Search, start: Point, name: str, tol: float, maxiter: int, options: Mapping[str, Any]) -> Status | None:
    """Search from random displacements, for likelihoods with several maxima (Wales and Doye 1997).

    `niter` hops (20, and never more than `maxiter`), each at most `stepsize` standard errors long (0.5 as in scipy) and
    accepted at the temperature `T` (1), with a local search by `minimizer`, keywords of scipy.optimize.minimize
    ("L-BFGS-B").  `seed` (0) makes it repeatable.
    """
    from scipy.optimize import basinhopping

    scaled = Scaled(search, start)
    local = {"method": "L-BFGS-B", **options.get("minimizer", {}), "jac": True}

    def loss(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = search.gradient(scaled.x(torch.from_numpy(z.copy())))
        if not np.isfinite(value):
            return np.inf, np.zeros_like(z)
        return -value, scaled.slope(gradient).numpy()

    def iterated(z: np.ndarray, value: float, accepted: bool) -> None:
        assert search.best is not None
        search.record(*search.best, float("nan"))

    kept = {key: options[key] for key in ("niter_success", "T", "stepsize", "interval") if key in options}
    with np.errstate(all="ignore"):
        basinhopping(
            loss, np.zeros(len(start.x)), niter=min(options.get("niter", HOPS), maxiter), callback=iterated,
            seed=options.get("seed", 0), minimizer_kwargs=local, **kept,
        )  # fmt: skip
    return None


def _simplex(slope: np.ndarray) -> np.ndarray:
    """Downhill along each coordinate, by as many standard errors as the slope promises."""
    steps = np.where(slope > 0, -1.0, 1.0) * np.clip(np.abs(slope), 1.0, 1e3)
    return np.vstack([np.zeros(len(slope)), np.diag(steps)])
