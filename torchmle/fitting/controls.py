"""Controls of a fit that scripts written for statsmodels pass, and what becomes of them here.

Newton's method with a line search, and a verdict on convergence that does not depend on the method, leave nothing to
steer: stopping rules, choices of linear algebra and of what to keep are accepted, kept for `mle_settings`, and change
nothing.  An option of the method in use is the method's; a name that neither knows is refused by the method.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..optim import Status, options_of

if TYPE_CHECKING:
    from ..results import Results

STOPPING_RULES = ("atol", "rtol", "tol_criterion", "gtol", "ftol", "xtol", "avextol", "pgtol", "factr", "norm", "niter")
OF_ALGORITHMS = ("max_start_irls", "optim_hessian", "wls_method", "ridge_factor", "epsilon", "m", "optim_kwds_prelim",
                 "loglike_and_score")  # fmt: skip
OF_OUTPUT = ("full_output", "attach_wls", "retall", "skip_hessian", "scaletype", "cov_params_func")
HARMLESS = (*STOPPING_RULES, *OF_ALGORITHMS, *OF_OUTPUT)
HEEDED = ("warn_convergence", "on_separation")
LIMITS = (Status.ITERATION_LIMIT, Status.EVALUATION_BUDGET)
SPELLINGS = {"xatol": "xtol", "fatol": "ftol"}  # scipy's names of options of ours
MINIMISERS = {"nelder-mead": "nm", "l-bfgs-b": "l-bfgs"}  # scipy's names of ours


class Told(NamedTuple):
    """What a fit was told.

    Attributes
    ----------
    method : str
        scipy's minimiser where the method was "minimize".
    options : dict
        Options left for the method.
    settings : dict
        Controls without a counterpart here, and those that are heeded: `warn_convergence`, `on_separation`.
    """

    method: str
    options: dict[str, Any]
    settings: dict[str, Any]


def told(method: str, options: Mapping[str, Any]) -> Told:
    """The options of a fit sorted into those of its method and those that need no counterpart.

    Parameters
    ----------
    method : str
        Also "minimize", with scipy's name of a method as ``options["min_method"]``.
    options : mapping
        Keywords of `fit` that it does not name itself.
    """
    rest = {SPELLINGS.get(key, key): value for key, value in options.items()}
    name = method.lower() if isinstance(method, str) else method
    if name == "minimize":
        minimiser = str(rest.pop("min_method", "bfgs")).lower()
        name = MINIMISERS.get(minimiser, minimiser)
    if not rest.get("full_output", True):
        warnings.warn(
            "full_output=False is deprecated: what a search found out is always kept", FutureWarning, stacklevel=4
        )
    own = options_of(name)
    settings = {key: rest.pop(key) for key in (*HARMLESS, *HEEDED) if key in rest and key not in own}
    if settings.get("on_separation", "warn") not in ("warn", "raise"):
        raise ValueError(f"on_separation must be 'warn' or 'raise', not {settings['on_separation']!r}")
    return Told(name, rest, settings)


def retvals(results: Results) -> dict[str, Any]:
    """How a search ended, under the keys of statsmodels' optimisers.

    fopt, gopt (or score) and Hessian are those of minus the log-likelihood per row, in the free parameters; warnflag is 0
    after convergence, 1 at a limit on iterations or evaluations, 2 otherwise.
    """
    optimum, n = results.optim, results.nobs
    slope, limited = -optimum.gradient.numpy() / n, optimum.status in LIMITS
    return {
        "fopt": -results.llf / n,
        "gopt": slope,
        "score": slope,
        "Hessian": -optimum.hessian.numpy() / n,
        "iterations": optimum.iterations,
        "fcalls": optimum.evaluations,
        "gcalls": optimum.evaluations,
        "hcalls": optimum.hessian_evaluations,
        "warnflag": 0 if results.converged else 1 if limited else 2,
        "converged": results.converged,
    }


def settings(results: Results) -> dict[str, Any]:
    """What a fit was told; ``start_params`` are the model's own where none were given, for as long as it has its rows."""
    found = {"optimizer": results.optim.method, **results.fit.settings.get("controls", {})}
    model = results.model
    if found.get("start_params") is None and model.has_rows:
        found["start_params"] = model.layout.natural(model.coordinates.theta(model.start())).detach().numpy()
    return found
