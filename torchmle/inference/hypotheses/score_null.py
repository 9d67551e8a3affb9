"""Under which hypothesis a score is taken: the estimate under it, seen from the wider model that it restricts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.tensors import as_double
from ...fitting.columns import far_centres
from ...fitting.constraints import LinearConstraints, in_theta
from ...fitting.coordinates import Coordinates, fixed_entries, hold
from ...fitting.equations import constraint
from .linear import beyond_theta, equations, fitted_under, in_z, independent
from .null import widened

if TYPE_CHECKING:
    from ...likelihood import LikelihoodModel
    from ...regression import RegressionModel
    from ...results import Results

Array = NDArray[np.float64]
SAME_LIKELIHOOD = 1e-9  # relative difference of two sums of the same numbers


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


def null_of(results: Results, exog_extra: Any, params: Any, count: int | None, r_matrix: Any) -> Null:
    """The estimate under the hypothesis that the arguments describe."""
    constrained = results.fit.coordinates.size < _wide(results).size
    if exog_extra is not None:
        if constrained:
            raise ValueError("exog_extra tests columns left out of a fit without constraints; this fit has some")
        return _left_out(results, exog_extra, params)
    if params is not None:
        return _given(results, params, count, r_matrix)
    if r_matrix is not None:
        beyond = beyond_theta(results, r_matrix)
        if beyond is not None:
            _, z, rows = beyond
            return Null(results.model, z, results.fit.coordinates, rows, independent(results, rows, r_matrix))
        inside = constrained or bool(results.fit.coordinates.dropped)
        return _within(results, r_matrix) if inside else _of_constraints(fitted_under(results, r_matrix))
    if constrained:
        return _of_constraints(results)
    raise ValueError("score_test needs a hypothesis: r_matrix, exog_extra, params_constrained, or a constrained fit")


def _wide(results: Results) -> Coordinates:
    """Coordinates of a result's model without what the fit was told of the parameters."""
    model, coordinates = results.model, results.fit.coordinates
    boundary = {index: float(results.fit.theta[index]) for index in coordinates.boundary}
    return hold(model.coordinates, fixed_entries(model.layout, model.fixed_values), coordinates.dropped, boundary)


def _within(results: Results, r_matrix: Any) -> Null:
    """The estimate under linear equations, seen from what a fit leaves free that is constrained or lacks columns."""
    rows, count = equations(results, r_matrix)
    narrow, wide = fitted_under(results, r_matrix).fit, results.fit.coordinates
    return Null(narrow.model, narrow.z, wide, rows, count)


def nested(results: Results, other: Results) -> tuple[Results, Any, Any]:
    """The wider of two nested fits, the narrower one's estimates in its parameters, and the equations these obey."""
    full, narrow = (results, other) if results.k_free >= other.k_free else (other, results)
    if full.nobs != narrow.nobs:
        raise ValueError(f"the models have {full.nobs:g} and {narrow.nobs:g} observations; they must share the rows")
    values = dict(zip(narrow.names, narrow._finite_params, strict=True))
    left_out = [name for name in full.names if name not in values]
    strangers = [name for name in narrow.names if name not in full.names]
    params = np.array([values.get(name, 0.0) for name in full.names])
    ends = [name for name in left_out if not all(b.is_identity for b in full.model.layout.blocks if name in b.labels)]
    if ends:
        raise ValueError(f"zero is at the end of the range of {', '.join(ends)}, where a score has no chi-squared test")
    if strangers or not left_out or not _same_likelihood(full, params, narrow):
        raise ValueError(
            f"{type(narrow.model).__name__} is not {type(full.model).__name__} with some parameters zero, by their names "
            f"({', '.join(strangers or left_out) or 'all are the same'}); say the hypothesis about the wider fit in words, "
            'such as "x = 0"'
        )
    return full, params, np.eye(len(params))[[full.names.index(name) for name in left_out]]


def _same_likelihood(full: Results, params: Array, narrow: Results) -> bool:
    """Whether the wider model's parameters give the narrower one's log-likelihood."""
    z = full.model._z(params)
    if not bool(torch.isfinite(z).all()):
        return False
    one, other = float(full.model.sums(z, 0)[0]), float(narrow.model.sums(narrow.fit.z, 0)[0])
    return abs(one - other) <= SAME_LIKELIHOOD * (1 + abs(other))


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
    return Null(model, results.fit.z, wide, in_z(coordinates, rows), count)


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
    return Null(model, model._z(params), wide, None if rows is None else in_z(wide, rows), count)


def _left_out(results: Results, exog_extra: Any, params: Any) -> Null:
    """The model with more columns, whose coefficients are zero."""
    model = results.model
    if not hasattr(model, "eta_derivatives"):
        raise ValueError(f"{type(model).__name__} has no designs to which exog_extra could be added; use r_matrix")
    pieces = exog_extra if isinstance(exog_extra, tuple) else (exog_extra,)
    names = model.predictors()[: len(pieces)]
    extra = {name: _columns(model, piece) for name, piece in zip(names, pieces, strict=True) if piece is not None}
    wider = widened(model, {name: _near_zero(results, name, columns) for name, columns in extra.items()})
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


def _near_zero(results: Results, name: str, columns: Tensor) -> Tensor:
    """Columns for a design, those far from zero less their centres where a free constant takes these up."""
    model = results.model
    constant = model.intercepts.get(name, None if name in model.rows.x else 0)
    if constant is None:
        return columns
    at = model.layout.block(name).reals.start + constant
    if not results.fit.coordinates.free_among(slice(at, at + 1)):
        return columns
    centres = far_centres(columns, model.rows.group)
    return columns if centres is None else columns - centres


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
