"""Score (Rao) tests: of constraints under which a model was fitted, of any linear hypothesis, of columns left out.

With the score s and the information I of the wider model at the narrower one's estimate, R the directions in which the
hypothesis holds the wider model still, ``u = R I^-1 s`` and ``V`` the covariance of the wider estimates,

    LM = u' (R V R')^-1 u,

which for the model's own ``V = I^-1`` is ``s' I^-1 s`` (Rao 1948), and for a robust one the generalised score test
(Boos 1992); with cov_type="HC0" and a canonical link it is Wooldridge's (1991) n - SSR of an auxiliary regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..covariance import OPG, Expected, choose
from ..covariance.sandwich import meat
from ..data.tensors import as_double
from ..fitting.constraints import LinearConstraints, in_theta
from ..fitting.coordinates import Coordinates, fixed_entries, hold
from ..fitting.equations import constraint
from ..fitting.fit import Fit
from ..optim import Optimum
from .distributions import chi2_tail, two_sided
from .null import widened

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel
    from ..regression import RegressionModel
    from ..results import Results

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


@dataclass(frozen=True)
class Null:
    """The estimate under a hypothesis, seen from the wider model.

    Attributes
    ----------
    model : LikelihoodModel
        The wider model.
    z : Tensor (k,)
        The estimate in its coordinates.
    wide : Coordinates
        What it leaves free.
    rows : Tensor (p, k) or None
        Directions in z that the hypothesis forbids, one for each constraint; None when they are not known.
    count : int
        Number of independent constraints.
    """

    model: LikelihoodModel
    z: Tensor
    wide: Coordinates
    rows: Tensor | None
    count: int


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

    Which hypothesis depends on what is given.  `exog_extra`: that columns left out have no effect.  Otherwise, for a fit
    under constraints: that they hold.  Otherwise, `r_matrix`: that these linear equations hold; the model is fitted under
    them.  Or `params_constrained`: estimates under constraints of which there are `k_constraints`.

    Parameters
    ----------
    results : Results
    exog_extra : array_like (n,) or (n, p), optional
        Columns to add to the main design; in a pair, the second are added to that of the second parameter.
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
    null = _null(results, exog_extra, params_constrained, k_constraints, r_matrix)
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
        return _joint(
            float(left @ torch.linalg.lstsq(middle, left[:, None], driver="gelsd").solution[:, 0]), null.count
        )
    partial = torch.linalg.inv(null.rows @ inverse @ null.rows.T)
    statistic = (partial @ left / (partial @ middle @ partial).diagonal().sqrt()).numpy()
    return ScoreTestResult(statistic, two_sided(statistic, None), "norm")


def _joint(statistic: float, count: int) -> ScoreTestResult:
    return ScoreTestResult(np.float64(statistic), np.float64(chi2_tail(statistic, count)), "chi2", count)


# -- which hypothesis ------------------------------------------------------------------------------------------


def _null(results: Results, exog_extra: Any, params: Any, count: int | None, r_matrix: Any) -> Null:
    """The estimate under the hypothesis that the arguments describe."""
    constrained = results.fit.coordinates.size < _wide(results).size
    if exog_extra is not None:
        if constrained:
            raise ValueError("exog_extra tests columns left out of a fit without constraints; this fit has some")
        return _left_out(results, exog_extra, params)
    if params is not None:
        return _given(results, params, count, r_matrix)
    if constrained and r_matrix is not None:
        raise ValueError(
            "this fit obeys constraints, which are what its score test tests; r_matrix is for a fit without"
        )
    if constrained:
        return _of_constraints(results)
    if r_matrix is None:
        raise ValueError(
            "score_test needs a hypothesis: r_matrix, exog_extra, params_constrained, or a constrained fit"
        )
    told = {name: value for name, value in results.fit.settings.items() if name == "scale"}
    return _of_constraints(results.model.fit(constraints=r_matrix, cov_type=None, disp=False, **told))


def _wide(results: Results) -> Coordinates:
    """Coordinates of a result's model without what the fit was told of the parameters."""
    model, coordinates = results.model, results.fit.coordinates
    boundary = {index: float(results.fit.theta[index]) for index in coordinates.boundary}
    return hold(model.coordinates, fixed_entries(model.layout, model.fixed_values), coordinates.dropped, boundary)


def _of_constraints(results: Results) -> Null:
    """A fit under constraints: the rows are its equations, then what else was held."""
    model, coordinates, wide = results.model, results.fit.coordinates, _wide(results)
    count = wide.size - coordinates.size
    said = results.fit.settings.get("constraints")
    rows = in_theta(model.layout, said)[0] if said is not None else torch.zeros(0, model.layout.size).double()
    held = [index for index in coordinates.fixed if index not in wide.fixed]
    for row in torch.eye(model.layout.size, dtype=torch.float64)[held]:
        more = torch.cat([rows, row[None]])
        rows = more if int(torch.linalg.matrix_rank(more)) == len(more) else rows
    return Null(model, results.fit.z, wide, _in_z(coordinates, rows), count)


def _in_z(coordinates: Coordinates, rows: Tensor) -> Tensor:
    return rows if coordinates.uncentre is None else rows @ coordinates.uncentre


def _given(results: Results, params: Any, count: int | None, r_matrix: Any) -> Null:
    """Parameters under a hypothesis about this model."""
    model, rows = results.model, None
    if r_matrix is not None:
        r, q = constraint(list(model.layout.names), r_matrix)
        rows = in_theta(model.layout, LinearConstraints(r, q[:, None], model.layout.names))[0]
        count = int(torch.linalg.matrix_rank(rows))
    if count is None:
        raise ValueError("with params_constrained, k_constraints must say how many constraints they obey")
    wide = _wide(results)
    return Null(model, model._z(params), wide, None if rows is None else _in_z(wide, rows), count)


def _left_out(results: Results, exog_extra: Any, params: Any) -> Null:
    """The model with more columns, whose coefficients are zero."""
    model = results.model
    if not hasattr(model, "eta_derivatives"):
        raise ValueError(f"{type(model).__name__} has no designs to which exog_extra could be added; use r_matrix")
    pieces = exog_extra if isinstance(exog_extra, tuple) else (exog_extra,)
    names = model.predictors()[: len(pieces)]
    extra = {name: _columns(model, piece) for name, piece in zip(names, pieces, strict=True) if piece is not None}
    wider = widened(model, extra)
    place: dict[int, int] = {}  # of an entry of theta in the wider model's
    for old, at in zip(model.layout.blocks, wider.layout.blocks, strict=True):
        place.update({old.reals.start + i: at.reals.start + i for i in range(old.reals.stop - old.reals.start)})
    narrow = results.fit.z if params is None else model._z(params)
    z = torch.zeros(wider.layout.size, dtype=torch.float64)
    z[list(place.values())] = narrow[list(place)]
    coordinates, theta = results.fit.coordinates, results.fit.theta
    fixed = {place[index]: float(theta[index]) for index in coordinates.fixed}
    boundary = {place[index]: float(theta[index]) for index in coordinates.boundary}
    wide = hold(wider.coordinates, fixed, tuple(place[index] for index in coordinates.dropped), boundary)
    new = [index for index in range(wider.layout.size) if index not in place.values()]
    return Null(wider, z, wide, torch.eye(wider.layout.size, dtype=torch.float64)[new], len(new))


def _columns(model: RegressionModel, values: Any) -> Tensor:
    """Columns for the rows of the fit, (n, p)."""
    if getattr(values, "ndim", 1) == 1 and not _names(values):
        values = np.asarray(values)[:, None] if not hasattr(values, "to_frame") else values.to_frame()
    if _names(values):
        parts = [values] if isinstance(values, str) else list(values)
    else:
        take = values.iloc if hasattr(values, "iloc") else np.asarray(values)
        parts = [take[:, j] for j in range(values.shape[1])]
    columns = [as_double(model.row_column(part, "exog_extra")) for part in parts]
    return torch.stack(columns, 1).to(model.rows.device)


def _names(values: Any) -> bool:
    return isinstance(values, str) or (isinstance(values, list) and all(isinstance(name, str) for name in values))


# -- the moments of the score ----------------------------------------------------------------------------------


def _moments(
    null: Null, results: Results, cov_type: str | None, cov_kwds: Any, scale: float | None, observed: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Score in z, inverse information, and covariance of the wider estimates (at the dispersion, if not robust)."""
    _, score, hessian = null.model.sums(null.z, 2)
    kind = results.covariance if cov_type is None else choose(cov_type, cov_kwds).bind(null.model)[1]  # type: ignore[union-attr]
    if isinstance(kind, OPG):
        information = meat(_fit(null, null.wide, results, score, hessian))
    elif observed and not (isinstance(kind, Expected) and cov_type is not None):
        information = -hessian
    else:
        information = null.model.expected_information(null.z)
    fit = _fit(null, null.wide, results, score, -information)
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
