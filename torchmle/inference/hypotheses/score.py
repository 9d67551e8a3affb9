"""Score (Rao) tests: of constraints under which a model was fitted, of any linear hypothesis, of columns left out.

With the score s and the information I of the wider model at the narrower one's estimate, R the directions in which the
hypothesis holds the wider model still, ``u = R I^-1 s`` and ``V`` the covariance of the wider estimates,

    LM = u' (R V R')^-1 u,

which for the model's own ``V = I^-1`` is ``s' I^-1 s`` (Rao 1948), and for a robust one the generalised score test
(Boos 1992); with cov_type="HC0" and a canonical link it is Wooldridge's (1991) n - SSR of an auxiliary regression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...covariance import OPG, Expected, choose
from ...covariance.sandwich import meat
from ...fitting.coordinates import Coordinates
from ...fitting.fit import Fit
from ...linalg import Inverse, invert_information
from ...optim import Optimum
from ..distributions import chi2_tail, two_sided
from .linear import is_hypothesis
from .score_null import Null, nested, null_of
from .wald import quadratic_form

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreTestResult:
    """A score test; it unpacks as statistic and p-value.

    Attributes
    ----------
    statistic, pvalue : float, or ndarray (p,) when each constraint is tested on its own
    distribution : {"chi2", "norm"}
    k_constraint : int or None
        Degrees of freedom of chi-squared.
    """

    statistic: Any
    pvalue: Any
    distribution: str
    k_constraint: int | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.statistic, self.pvalue))

    def __getitem__(self, position: int) -> Any:
        return (self.statistic, self.pvalue)[position]


def score_test(
    results: Results,
    exog_extra: Any = None,
    params_constrained: Any = None,
    hypothesis: str = "joint",
    cov_type: str | None = None,
    cov_kwds: Mapping[str, Any] | None = None,
    k_constraints: int | None = None,
    r_matrix: Any = None,
    scale: float | None = None,
    observed: bool = True,
) -> ScoreTestResult:
    """Score test of a hypothesis, from estimates under it.

    Which hypothesis depends on what is given.  `exog_extra`: that columns left out have no effect; or in its place a
    hypothesis like `r_matrix`, or the fit of a nested model.  `r_matrix`: that these linear equations hold, beside those the
    fit obeys already; the model is fitted under them.  `params_constrained`: estimates under constraints of which there
    are `k_constraints`.  Nothing, for a fit under constraints: that they hold.

    Parameters
    ----------
    results : Results
    exog_extra : array_like (n,) or (n, p), hypothesis or Results, optional
        Columns to add to the main design; in a pair, the second are added to that of the second parameter.  Or equations,
        such as ``"x1 = x2, x3 = 0.5"``; or the fit of the same kind of model, to the same rows, with parameters of the
        same names but for some that are zero.
    params_constrained : array_like, optional
        Reported parameters under the hypothesis.
    hypothesis : {"joint", "separate"}
        One test, or for each constraint a z-test of that one alone, the other parameters estimated under all.
    cov_type, cov_kwds : optional
        Kind of covariance of the score, as for `fit`; by default that of the results.
    k_constraints : int, optional
        Number of constraints that `params_constrained` obey.
    r_matrix : str, list of str, matrix or pair (R, q), optional
        A linear hypothesis.
    scale : float, optional
        Dispersion; by default that estimated under the hypothesis.
    observed : bool
        Observed instead of expected information.

    Returns
    -------
    ScoreTestResult
    """
    if hypothesis not in ("joint", "separate"):
        raise ValueError(f"hypothesis must be 'joint' or 'separate', not {hypothesis!r}")
    if hasattr(exog_extra, "k_free"):
        results, params_constrained, r_matrix = nested(results, exog_extra)
        exog_extra = None
    elif r_matrix is None and exog_extra is not None and is_hypothesis(results, exog_extra):
        exog_extra, r_matrix = None, exog_extra
    null = null_of(results, exog_extra, params_constrained, k_constraints, r_matrix)
    score, inverse, covariance = _moments(null, results, cov_type, cov_kwds, scale, observed)
    step = inverse @ score
    if null.rows is None:
        if hypothesis == "separate" or covariance is None:
            raise ValueError("this test needs r_matrix as well: the equations that params_constrained obey")
        along = float(score @ covariance @ score)  # of the model's own covariance, a multiple of the inverse
        return _joint(float(score @ step) ** 2 / along if along else 0.0, null.count)
    assert covariance is not None
    left = null.rows @ step
    middle = null.rows @ covariance @ null.rows.T
    if hypothesis == "joint":
        return _joint(quadratic_form(left.numpy(), middle.numpy())[0], null.count)
    alone = torch.linalg.inv(null.rows @ inverse @ null.rows.T)
    statistic = (alone @ left / (alone @ middle @ alone).diagonal().sqrt()).numpy()
    return ScoreTestResult(statistic, two_sided(statistic, None), "norm")


def _joint(statistic: float, count: int) -> ScoreTestResult:
    return ScoreTestResult(np.float64(statistic), np.float64(chi2_tail(statistic, count)), "chi2", count)


# -- the moments of the score ----------------------------------------------------------------------------------


def _moments(
    null: Null, results: Results, cov_type: str | None, cov_kwds: Any, scale: float | None, observed: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Score in z, inverse information, and covariance of the wider estimates (at the dispersion, if not robust)."""
    _, score, hessian = null.model.sums(null.z, 2)
    kind = results.covariance
    if cov_type is not None or kind is None:
        kind = choose(cov_type or "nonrobust", cov_kwds).bind(null.model)[1]  # type: ignore[union-attr]
    fit = _fit(null, null.wide, results, score, hessian)
    if isinstance(kind, OPG):
        fit = _inverted(fit, meat(fit), invert_information)
    elif not observed or (isinstance(kind, Expected) and cov_type is not None):
        invert = partial(null.model.invert_information, coordinates=null.wide, z=null.z, expected=True)
        fit = _inverted(fit, null.model.expected_information(null.z), invert)
    if not fit.inverse.definite:
        weights = fit.inverse.direction.abs()
        names = [
            name for name, weight in zip(null.wide.free_names(null.model.layout), weights, strict=True) if weight > 0.3
        ]
        raise ValueError(
            f"the information at the estimate under the hypothesis is not positive definite, in the direction of "
            f"{', '.join(names) or 'all parameters'}: columns may be linear combinations of others, or the estimate far from "
            "the maximum, where observed=False or cov_type='opg' can be used"
        )
    if kind is not None and kind.robust:
        return score, fit.bread, None if null.rows is None else kind.estimate(fit).matrix
    if scale is None:
        count = null.wide.size - null.count
        here = replace(null.wide, origin=null.z, basis=null.z.new_zeros(len(null.z), count), tied=())
        scale = 1.0 if isinstance(kind, OPG) else null.model.dispersion(_fit(null, here, results, score, hessian))
    return score, fit.bread, fit.bread * scale


def _inverted(fit: Fit, information: Tensor, invert: Callable[[Tensor], Inverse]) -> Fit:
    """The fit with another information, inverted as that one asks: the rows know the observed one better than its sum."""
    free = fit.coordinates.free_hessian(information)
    return replace(fit, optimum=replace(fit.optimum, hessian=-free), inverted=invert(free))


def _fit(null: Null, coordinates: Coordinates, results: Results, score: Tensor, hessian: Tensor) -> Fit:
    """The wider model at the estimate under the hypothesis, as if it had been fitted there."""
    told = {field.name: getattr(results.optim, field.name) for field in fields(Optimum)}
    there = {
        "x": coordinates.phi(null.z) if coordinates.basis is None or coordinates.basis.any() else
        null.z.new_zeros(coordinates.size),
        "gradient": coordinates.free_gradient(score), "hessian": coordinates.free_hessian(hessian), "direction": None,
    }  # fmt: skip
    settings = {name: value for name, value in results.fit.settings.items() if name != "constraints"}
    return Fit(null.model, coordinates, Optimum(**{**told, **there}), 0.0, settings)
