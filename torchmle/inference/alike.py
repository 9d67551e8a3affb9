"""What rows have alike, so that averages over their responses need not be found row by row.

Rows with the same columns are one row of their joint weight.  Where rows differ in their linear predictors alone, the
information of a row is a smooth function of these: often of one of them, since the others are constants, or shift a density,
which changes nothing.  It is then found at a few points and read from polynomials through them (Chebyshev's points; of the
logarithms of the diagonal, for scales straight lines, and of the correlations), if rows spread over all of them agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from ..data import Data

WEIGHTS = "freq_weights", "sampling_weights"
FEW = 128  # rows that are taken one by one
SMALLEST = 1e-300  # range
DEGREES = 16, 32, 64  # of the polynomials
CHECKED = 24  # rows by each predictor on which the polynomials are checked
AGREE = 2e-8  # of an entry of the information, in the units of its diagonal; a density with a kink has so few digits
PLACES = 0.0, 0.19, 0.5, 0.77, 1.0  # of a predictor's range, where it is seen whether it matters

Information = Callable[[Tensor], tuple[Tensor, bool]]  # of predictors (m, g), (g, m, m), and whether all of it is right


def merged(rows: Data, given: Sequence[str]) -> Data:
    """Rows that differ in neither the designs nor the given columns taken once, with the sum of their weights; those of none not.

    Parameters
    ----------
    rows : Data
    given : sequence of str
        The columns that do not depend on the response.
    """
    weights = rows.get("freq_weights")
    if weights is not None and not bool((weights > 0).all()):
        rows, weights = rows.take(weights > 0), weights[weights > 0]
    if not rows.n:
        return rows
    held = [*rows.x.values(), *(rows.columns[name] for name in given)]
    features = torch.cat([value.reshape(rows.n, -1).double() for value in held] or [torch.zeros(rows.n, 1)], 1)
    which = torch.unique(features, dim=0, return_inverse=True)[1]
    count = int(which.max()) + 1
    if count == rows.n:
        return rows
    first = torch.full((count,), rows.n).scatter_reduce(0, which, torch.arange(rows.n), "amin")
    ones = torch.ones(rows.n, dtype=torch.float64) if weights is None else weights
    total = torch.zeros(count, dtype=torch.float64).index_add(0, which, ones)
    return rows.take(first).with_columns(freq_weights=total)


def by_predictors(eta: Tensor, information: Information) -> Tensor | None:
    """The information (n, m, m) of rows of linear predictors (m, n); None where few points of one of these do not give it."""
    if eta.shape[1] <= FEW or not bool(torch.isfinite(eta).all()):
        return None
    low, high, middle = eta.amin(1), eta.amax(1), eta.median(1, keepdim=True).values
    varying = [j for j in range(len(eta)) if high[j] > low[j]]
    matter = [j for j in varying if not _same(information, middle, j, low[j], high[j])]
    if len(matter) > 1:
        return None
    j = (matter or [0])[0]
    for degree in DEGREES if matter else (0,):
        points, nodes = middle.repeat(1, degree + 1), torch.from_numpy(chebyshev.chebpts1(degree + 1))
        points[j] = torch.lerp(low[j], high[j], (nodes + 1) / 2) if matter else middle[j]
        known, right = information(points)
        if not right or not bool((known.diagonal(dim1=1, dim2=2) > 0).all()):
            return None
        at = 2 * (eta[j] - low[j]) / (high[j] - low[j]).clamp_min(SMALLEST) - 1
        bases = (torch.from_numpy(chebyshev.chebvander(x.numpy(), degree)) for x in (nodes, at))
        found = _read(known, *bases)
        if _agrees(eta, varying, found, information):
            return found
    return None


def _same(information: Information, middle: Tensor, j: int, low: Tensor, high: Tensor) -> bool:
    """Whether the information is the same wherever in its range a predictor is, the others in the middle."""
    points = middle.repeat(1, len(PLACES))
    points[j] = torch.lerp(low, high, torch.tensor(PLACES, dtype=middle.dtype))
    found, right = information(points)
    return right and bool(_near(found[1:], found[:1]).all())


def _read(known: Tensor, there: Tensor, here: Tensor) -> Tensor:
    """The information (n, m, m) of all rows from that at some points (g, m, m), by bases (g, g) and (n, g)."""
    unit = known.diagonal(dim1=1, dim2=2).sqrt()
    correlations = known / unit[:, :, None] / unit[:, None, :]
    values = here @ torch.linalg.solve(there, torch.cat([unit.log(), correlations.flatten(1)], 1))
    unit, correlations = values[:, : unit.shape[1]].exp(), values[:, unit.shape[1] :]
    return correlations.reshape(-1, *known.shape[1:]) * unit[:, :, None] * unit[:, None, :]


def _agrees(eta: Tensor, varying: Sequence[int], found: Tensor, information: Information) -> bool:
    """Whether rows spread over all predictors have the information that was found for them."""
    places = torch.linspace(0, eta.shape[1] - 1, CHECKED).round().long()
    some = torch.cat([eta[j].argsort()[places] for j in varying or [0]])
    exact, right = information(eta[:, some])
    return right and bool(_near(found[some], exact).all())


def _near(found: Tensor, exact: Tensor) -> Tensor:
    """Whether matrices (g, m, m) are those of others in the units of their diagonals."""
    unit = exact.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
    return ((found - exact).abs() <= AGREE * unit[:, :, None] * unit[:, None, :]).flatten(1).all(1)
