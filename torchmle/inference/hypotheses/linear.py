"""Linear hypotheses about the parameters of a fitted model, and the model fitted again under them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...fitting.constraints import LinearConstraints, NotLinear, in_theta
from ...fitting.coordinates import Coordinates
from ...fitting.equations import constraint
from ...fitting.maximum import null_directions
from ..profile_path import Levels

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]
OPENING, CLOSING = "([{", ")]}"


def is_hypothesis(results: Results, given: Any) -> bool:
    """Whether what is given are equations in the parameters rather than columns of data.

    Equations in words, a dict of weights, a matrix R or a pair (R, q).  Arrays that have the rows of the fit are columns.
    """
    if isinstance(given, Mapping):
        return not hasattr(given, "columns")
    words = [given] if isinstance(given, str) else given
    if isinstance(words, list | tuple) and words and all(isinstance(word, str) for word in words):
        return any(_is_equation(word) and word not in results.model.column_names for word in words)
    pair = isinstance(given, tuple) and len(given) == 2
    matrix, right = given if pair else (given, None)
    if hasattr(matrix, "to_frame") or hasattr(matrix, "columns") or isinstance(matrix, str) or matrix is None:
        return False
    shape, kept = np.shape(matrix), results.model.kept
    rows = (results.model.rows.n, -1 if kept is None else len(kept))
    equations = shape[0] if len(shape) == 2 else 1
    fits = len(shape) in (1, 2) and shape[-1] == len(results.names) and shape[0] not in rows
    return fits and np.size(0 if right is None else right) in (1, equations)


def _is_equation(words: str) -> bool:
    """Whether a text has an equals sign outside of brackets that is not one of a comparison."""
    depth, previous = 0, ""
    for this, following in zip(words, f"{words[1:]} ", strict=True):
        depth += (this in OPENING) - (this in CLOSING)
        if this == "=" and depth == 0 and previous not in set("=<>!") and following != "=":
            return True
        previous = this
    return False


def equations(results: Results, hypothesis: Any) -> tuple[Tensor, int]:
    """Directions in z that a hypothesis forbids, (p, k), and in how many of them the fit is free to move.

    Raises
    ------
    ValueError
        In none: the hypothesis says nothing, or speaks of what is held or was left out.
    """
    layout = results.model.layout
    r, q = constraint(list(layout.names), hypothesis)
    rows = in_z(results.fit.coordinates, in_theta(layout, LinearConstraints(r, q[:, None], layout.names))[0])
    return rows, independent(results, rows, hypothesis)


def independent(results: Results, rows: Tensor, hypothesis: Any) -> int:
    """In how many of some directions in z, (p, k), a fit is free to move; an error where it is in none."""
    layout, coordinates = results.model.layout, results.fit.coordinates
    free = rows if coordinates.basis is None else rows @ torch.cat([coordinates.basis, _boundary(coordinates)], 1)
    length = rows.norm(dim=1, keepdim=True)
    count = int(torch.linalg.matrix_rank(free / torch.where(length > 0, length, 1.0), atol=1e-10))
    if count == 0:
        r = constraint(list(layout.names), hypothesis)[0]
        gone = [name for name in _left_out(results) if r[:, layout.names.index(name)].any()]
        raise ValueError(
            f"the hypothesis {hypothesis!r} leaves free what the fit leaves free: there is nothing to test"
            + (f"; left out, as linear combinations of other columns: {', '.join(gone)}" if gone else "")
        )
    return count


def _boundary(coordinates: Coordinates) -> Tensor:
    """Directions in z, as columns, of what came out at the boundary of its range and is free for all that."""
    return torch.eye(len(coordinates.origin), dtype=torch.float64)[:, list(coordinates.boundary)]


def beyond_theta(results: Results, hypothesis: Any) -> tuple[float, Tensor, Tensor] | None:
    """The maximum under equations in reported values that are none in theta; None for others.

    They are those among entries of a covariance matrix, whose other entries move with them, and between parameters of
    different scales.

    Returns
    -------
    loglike : float
    z : Tensor (k,)
    rows : Tensor (p, k)
        Directions in z that they forbid there.
    """
    layout = results.model.layout
    r, q = constraint(list(layout.names), hypothesis)
    try:
        in_theta(layout, LinearConstraints(r, q[:, None], layout.names))
    except NotLinear:
        weights = torch.from_numpy(np.asarray(r, dtype=float))
        levels = Levels(results, lambda theta: weights @ layout.natural(theta))
        point = levels.at(torch.from_numpy(np.asarray(q, dtype=float)), results.fit.z)
        if not point.finite:
            raise ValueError(f"no maximum was found under the hypothesis {hypothesis!r}") from None
        return point.loglike, point.z, levels.directions(point.z)
    return None


def in_z(coordinates: Coordinates, rows: Tensor) -> Tensor:
    """Rows that act on theta as rows that act on z."""
    return rows if coordinates.uncentre is None else rows @ coordinates.uncentre


def fitted_under(results: Results, hypothesis: Any) -> Results:
    """The model of a result fitted again under linear equations in its parameters, beside those it obeys already.

    Parameters
    ----------
    results : Results
    hypothesis : str, list of str, dict, matrix or pair (R, q)

    Raises
    ------
    ValueError
        The result is penalised or at bounds, so that the likelihoods have no chi-squared ratio; or the equations are not
        linear on the real line of a transformed parameter.
    """
    model: Any = results.model
    if hasattr(results, "trimmed"):
        raise ValueError(
            "a penalised fit is no maximum of the likelihood; test hypotheses about the fit without a penalty"
        )
    if results.at_bounds:
        raise ValueError(
            f"{', '.join(results.at_bounds)} at a bound, where tests of the likelihood have no chi-squared distribution"
        )
    r, q = constraint(list(model.layout.names), hypothesis)
    said = results.fit.settings.get("constraints")
    if said is not None:
        r, q = np.vstack([said.coefs, r]), np.concatenate([said.constants[:, 0], q])
    told = {name: value for name, value in results.fit.settings.items() if name == "scale"}
    if results.fit.coordinates.spanned:
        shortest = _of_the_shortest(results)
        r, q = np.vstack([r, shortest]), np.concatenate([q, np.zeros(len(shortest))])
    if not hasattr(model, "eta_derivatives"):  # starts of free-standing parameters know little of any equation
        told |= {"start_params": results._finite_params}
    if model.likelihood_of_params:  # by differences, perhaps
        told |= {"method": results.optim.method}
    return model.fit(constraints=(r, q), fix=_held(results), cov_type=None, disp=False, **told)


def _of_the_shortest(results: Results) -> Array:
    """Equations ``R params = 0`` that of all parameters with the same linear predictors the shortest obey (rank="pinv")."""
    told = null_directions(results.model, results.fit.z, results.fit.coordinates.spanned).numpy()
    found = np.zeros((len(told), len(results.names)))
    for block in results.model.layout.blocks:
        if block.is_identity:  # coefficients, which alone have columns
            found[:, block.reported] = told[:, block.reals]
    return found


def _left_out(results: Results) -> list[str]:
    """Coefficients of columns that collinearity took out."""
    return [name for name, dropped in zip(results.names, results._dropped, strict=True) if dropped]


def _held(results: Results) -> dict[str, Any]:
    """What the fit was told to hold, and columns it left out, by name; a parameter of several values as a whole."""
    model, held = results.model, dict.fromkeys(_left_out(results), 0.0)
    entries = [index for index in results.fit.coordinates.fixed if index not in results.fit.coordinates.infinite]
    values = model.layout.values(results.fit.theta)
    for block in model.layout.blocks:
        inside = [index - block.reals.start for index in entries if block.reals.start <= index < block.reals.stop]
        if block.is_identity or len(block.labels) == 1:
            natural = results.params_array[block.reported.start : block.reported.stop]
            held.update({block.labels[at]: float(natural[at]) for at in inside})
        elif inside:
            held[block.name] = getattr(values, block.name)
    return {name: value for name, value in held.items() if name not in model.fixed_values}
