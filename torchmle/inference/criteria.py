"""Information criteria, under either convention for the dispersion."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..results import Results

PENALTIES: Mapping[str, Callable[[float, float], float]] = {
    "aic": lambda k, n: 2 * k,
    "bic": lambda k, n: k * math.log(n),
    "aicc": lambda k, n: 2 * k * n / (n - k - 1) if n - k - 1 > 0 else math.inf,
    "hqic": lambda k, n: 2 * k * math.log(math.log(n)) if n > 1 else math.nan,
}
MISSPECIFIED = ("tic", "gbic", "gbicp")


def criterion(results: Results, crit: str, dk_params: float = 0, scale: float | None = None) -> float:
    """One information criterion; smaller is better.

    ``-2 llf`` plus a penalty of k parameters and n observations:

    ============  ========================================================================================
    aic           2 k (Akaike 1973)
    bic           k log n (Schwarz 1978)
    aicc          2 k n / (n - k - 1) (Hurvich and Tsai 1989)
    hqic          2 k log log n (Hannan and Quinn 1979)
    qaic          2 k, and ``-2 llf / scale`` (Lebreton and others 1992)
    tic           2 tr(R), where R is the sandwich ratio ``(-H)^-1 sum s_i s_i'`` (Takeuchi 1976)
    gbic, gbicp   k log n - log det R, and the same plus tr(R) (Lv and Liu 2014, equations 20 and 23)
    ============  ========================================================================================

    Parameters
    ----------
    results : Results
    crit : str
    dk_params : float
        Added to k; 1 counts a dispersion that `aic` does not.
    scale : float, optional
        Dispersion of the largest model compared, for qaic.

    Raises
    ------
    ValueError
        An unknown criterion, or qaic without a scale.
    """
    name, k, n = crit.lower(), results.k_free + dk_params, results.fit.nobs
    if name in PENALTIES:
        return -2 * results.llf + PENALTIES[name](k, n)
    if name == "qaic":
        if scale is None:
            raise ValueError("qaic needs scale=, the dispersion estimated in the largest of the models compared")
        return -2 * results.llf / scale + 2 * k
    if name not in MISSPECIFIED:
        known = ", ".join([*PENALTIES, "qaic", *MISSPECIFIED])
        raise ValueError(f"information criterion {crit!r} is not known; crit must be one of {known}")
    ratio = sandwich_ratio(results)
    if name == "tic":
        return -2 * results.llf + 2 * float(np.trace(ratio))
    found = -2 * results.llf + k * math.log(n) - float(np.linalg.slogdet(ratio)[1])
    return found + float(np.trace(ratio)) if name == "gbicp" else found


def sandwich_ratio(results: Results) -> Any:
    """``(-H)^-1 sum s_i s_i'``, about the identity when the model is right (White 1982), (k, k)."""
    kept = np.isfinite(results.params_array) & ~results.fixed
    scores = results.score_obs()[:, kept]
    return np.linalg.solve(-results.hessian()[np.ix_(kept, kept)], scores.T @ scores)


def all_criteria(results: Results, count_scale: bool = False, scale: float | None = None) -> dict[str, float]:
    """AIC, BIC, AICc and HQIC under a stated convention for the dispersion.

    statsmodels takes the log-likelihood of a GLM at its Pearson estimate and does not count it; R takes it at
    ``deviance / n`` and counts it, as it counts the variance of a linear model.

    Parameters
    ----------
    results : Results
    count_scale : bool
        Whether an estimated dispersion counts as a parameter.
    scale : float, optional
        The dispersion at which the log-likelihood is taken; by default that of `llf`.

    Raises
    ------
    ValueError
        The model has no dispersion to choose; its log-likelihood is a quasi-likelihood.
    """
    if results.is_quasi:
        raise ValueError(
            "the log-likelihood is a quasi-likelihood, so there are no information criteria of it; "
            "info_criteria('qaic', scale=...) compares models at one dispersion"
        )
    extra, shift = int(count_scale and results.estimates_dispersion), 0.0
    if scale is not None:
        if not results.estimates_dispersion:
            raise ValueError(f"{type(results.model).__name__} estimates no dispersion, so none can be chosen")
        shift = 2 * (results.llf - results.model.loglike(results._with_zeros(), scale=scale))
    return {name: criterion(results, name, extra) + shift for name in PENALTIES}
