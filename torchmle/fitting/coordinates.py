"""Three sets of coordinates for one parameter vector, and the exact maps between them.

theta
    the user's: coefficients of the columns as given, other parameters on the real line.
z
    the data's: the same, for columns that were centred so that products with them lose no digits.
phi
    the optimiser's: what is left of z when some values are held fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from ..parameters import Parameters

NOTHING_LEFT = 1e-12  # entry of an equation, relative to its largest, that is rounding error


@dataclass(frozen=True)
class Coordinates:
    """``theta = uncentre @ z`` and ``z = origin + basis @ phi``.

    Attributes
    ----------
    uncentre : Tensor
        (k, k); None means the identity.
    origin : Tensor
        (k,)
    basis : Tensor or None
        (k, f); None means that every coordinate is free.
    fixed, dropped, boundary : tuple of int
        Entries of theta that the user fixed, that collinearity took out (their value is 0), and that are held where the
        log-likelihood is highest, at the boundary of their range.
    tied : tuple of int
        Entries of theta that follow from free ones by linear equations.
    spanned : tuple of int
        Entries of theta whose columns are combinations of others, and that share their effect by least norm.
    infinite : tuple of int
        Entries of theta held far out, because perfect prediction leaves them without a finite estimate.
    """

    uncentre: Tensor | None
    origin: Tensor
    basis: Tensor | None = None
    fixed: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    boundary: tuple[int, ...] = ()
    tied: tuple[int, ...] = ()
    spanned: tuple[int, ...] = ()
    infinite: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Number of free coordinates."""
        return len(self.origin) if self.basis is None else self.basis.shape[1]

    @property
    def free_entries(self) -> list[int]:
        """The entry of theta that each free coordinate stands for."""
        held = {*self.fixed, *self.dropped, *self.boundary, *self.tied, *self.infinite}
        return [i for i in range(len(self.origin)) if i not in held]

    def free_names(self, parameters: Parameters) -> tuple[str, ...]:
        """A name for each free coordinate."""
        return tuple(parameters.real_names[i] for i in self.free_entries)

    def z(self, phi: Tensor) -> Tensor:
        """The data's coordinates of the optimiser's."""
        return phi if self.basis is None else self.origin + self.basis @ phi

    def phi(self, z: Tensor) -> Tensor:
        """The optimiser's coordinates of the data's; what is held keeps its value."""
        if self.basis is None:
            return z
        if self.tied:  # columns that are not orthonormal
            return torch.linalg.lstsq(self.basis, (z - self.origin)[:, None]).solution[:, 0]
        return self.basis.T @ (z - self.origin)

    def theta(self, z: Tensor) -> Tensor:
        """The user's coordinates of the data's."""
        if self.uncentre is None:
            return z
        theta = self.uncentre @ z
        # a fixed value to the last digit, also that of a constant which takes up the centres of columns
        theta[list(self.fixed)] = (self.uncentre @ self.origin)[list(self.fixed)]
        return theta

    def centred(self, theta: Tensor) -> Tensor:
        """The data's coordinates of the user's."""
        return theta if self.uncentre is None else self.centre @ theta

    @property
    def centre(self) -> Tensor:
        """The inverse of `uncentre`, exactly: I + N with N N = 0, since only constants take up centres."""
        assert self.uncentre is not None
        return 2 * torch.eye(len(self.uncentre), dtype=torch.float64) - self.uncentre

    def free_among(self, entries: slice) -> int:
        """In how many dimensions these entries of theta can move."""
        held = {*self.fixed, *self.dropped, *self.boundary}
        free = [i for i in range(entries.start, entries.stop) if i not in held]
        if not self.tied or not free:
            return len(free)
        return int(torch.linalg.matrix_rank(self.jacobian[free]))

    @property
    def jacobian(self) -> Tensor:
        """Derivatives of theta in phi, (k, size)."""
        whole = torch.eye(len(self.origin), dtype=torch.float64) if self.uncentre is None else self.uncentre
        return whole if self.basis is None else whole @ self.basis

    def free_gradient(self, gradient: Tensor) -> Tensor:
        """Derivatives in phi of derivatives in z."""
        return gradient if self.basis is None else self.basis.T @ gradient

    def free_hessian(self, hessian: Tensor) -> Tensor:
        """Second derivatives in phi of second derivatives in z."""
        return hessian if self.basis is None else self.basis.T @ hessian @ self.basis

    def spread(self, covariance: Tensor) -> Tensor:
        """Covariance of z, from that of phi: zero for what is held."""
        return covariance if self.basis is None else self.basis @ covariance @ self.basis.T


def hold(
    coordinates: Coordinates,
    values: Mapping[int, float],
    dropped: tuple[int, ...] = (),
    boundary: Mapping[int, float] = MappingProxyType({}),
) -> Coordinates:
    """Coordinates in which some entries of theta keep a value, and dropped ones are zero.

    Parameters
    ----------
    coordinates : Coordinates
        Without restrictions.
    values : mapping of int to float
        Index in theta to value.
    dropped : tuple of int
    boundary : mapping of int to float
        Entries that are at the boundary of their range, and the real value that stands for it.
    """
    held = {**boundary, **values, **dict.fromkeys(dropped, 0.0)}
    if not held:
        return coordinates
    k = len(coordinates.origin)
    identity = torch.eye(k, dtype=torch.float64)
    rows = (identity if coordinates.uncentre is None else coordinates.uncentre)[list(held)]
    target = torch.tensor(list(held.values()), dtype=torch.float64)
    if bool((rows == identity[list(held)]).all()):
        origin = torch.zeros(k, dtype=torch.float64).index_put((torch.tensor(list(held)),), target)
        basis = identity[:, [i for i in range(k) if i not in held]]
    else:  # an intercept that absorbs the centring is held: a plane that no axis is normal to
        origin = torch.linalg.lstsq(rows, target, driver="gelsd").solution
        basis = torch.linalg.svd(rows, full_matrices=True).Vh[len(held) :].T
    return Coordinates(coordinates.uncentre, origin, basis, tuple(values), dropped, tuple(boundary))


def held_at(coordinates: Coordinates, boundary: Mapping[int, float]) -> Coordinates:
    """Coordinates in which also some free entries, which are coordinates themselves, are at the boundary of their range."""
    basis = torch.eye(len(coordinates.origin), dtype=torch.float64) if coordinates.basis is None else coordinates.basis
    entries = list(boundary)
    origin = coordinates.origin.clone()
    origin[entries] = torch.tensor(list(boundary.values()), dtype=torch.float64)
    kept = (basis[entries] == 0).all(0)
    return replace(coordinates, origin=origin, basis=basis[:, kept], boundary=(*coordinates.boundary, *entries))


def restrict(coordinates: Coordinates, matrix: Tensor, values: Tensor) -> Coordinates:
    """Coordinates in which also ``matrix @ theta = values``.

    Each equation is solved for one free coordinate, which is then an affine function of the others.

    Parameters
    ----------
    coordinates : Coordinates
        With what is held alone, if anything is.
    matrix, values : Tensor (p, k), (p,)

    Raises
    ------
    ValueError
        The equations contradict what is held.
    """
    if len(matrix) == 0:
        return coordinates
    k = len(coordinates.origin)
    basis = torch.eye(k, dtype=torch.float64) if coordinates.basis is None else coordinates.basis
    in_z = matrix if coordinates.uncentre is None else matrix @ coordinates.uncentre
    reduced, right, pivots, rest = eliminate(in_z @ basis, values - in_z @ coordinates.origin)
    if len(rest) and float(rest.abs().max()) > 1e-9 * float(1 + values.abs().max()):
        raise ValueError(
            "the constraints leave no parameter values together with what is held or left out as collinear"
        )
    free = [j for j in range(basis.shape[1]) if j not in pivots]
    origin, inner = torch.zeros(basis.shape[1], dtype=torch.float64), torch.zeros(basis.shape[1], len(free)).double()
    origin[pivots], inner[pivots] = right, -reduced[:, free]
    inner[free] = torch.eye(len(free), dtype=torch.float64)
    held = {*coordinates.fixed, *coordinates.dropped, *coordinates.boundary}
    entries = [i for i in range(k) if i not in held]
    return replace(
        coordinates,
        origin=coordinates.origin + basis @ origin,
        basis=basis @ inner,
        tied=tuple(sorted(entries[j] for j in pivots)),
    )


def eliminate(matrix: Tensor, values: Tensor) -> tuple[Tensor, Tensor, list[int], Tensor]:
    """Solve linear equations for one unknown each, by Gauss and Jordan with the largest entries as pivots.

    Returns
    -------
    reduced : Tensor (r, k)
        Independent equations; each has a 1 where the others have 0.
    right : Tensor (r,)
    pivots : list of int
        Where the ones are.
    rest : Tensor
        Right sides of equations whose left side is 0: they hold if it is 0 too.
    """
    if matrix.numel() == 0:  # no equations, or nothing left to solve them for
        return matrix[:0], values[:0], [], values
    size = matrix.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    left, right = matrix / size, values / size[:, 0]
    rows, pivots = list(range(len(left))), []
    order: list[int] = []
    while rows:
        remaining = left[rows].abs()
        best = float(remaining.max()) if remaining.numel() else 0.0
        if best < NOTHING_LEFT:
            break
        # of equally large entries the last: that of a slope rather than of the constant
        at = int((remaining >= (1 - 1e-9) * best).flatten().nonzero()[-1])
        row, column = rows[at // left.shape[1]], at % left.shape[1]
        right[row], left[row] = right[row] / left[row, column], left[row] / left[row, column]
        others = [i for i in range(len(left)) if i != row]
        right[others] -= left[others, column] * right[row]
        left[others] -= left[others, column][:, None] * left[row]
        rows.remove(row)
        order.append(row)
        pivots.append(column)
    left = torch.where(left.abs() < NOTHING_LEFT, torch.zeros_like(left), left)
    return left[order], right[order], pivots, right[rows]


def fixed_entries(parameters: Parameters, fix: Mapping[str, object]) -> dict[int, float]:
    """Entries of theta and their values, from what the user fixed by name on the natural scale.

    A name is a label of the table (``"x1"``, ``"sigma"``) or a whole parameter (``"cov"``, with a matrix).
    """
    held: dict[int, float] = {}
    for name, value in fix.items():
        held.update(_fixed_entry(parameters, name, value))
    return held


def _fixed_entry(parameters: Parameters, name: str, value: object) -> dict[int, float]:
    number = torch.as_tensor(value, dtype=torch.float64)
    for block in parameters.blocks:
        if name == block.name and (number.ndim > 0 or block.reals.stop - block.reals.start == 1):
            transform = block.transform
            real = transform.inverse(number)
            indices = range(block.reals.start, block.reals.stop)
        elif name in block.labels and (block.is_identity or len(block.labels) == 1):
            real = block.real(number.reshape(1))
            start = block.reals.start + block.labels.index(name)
            indices = range(start, start + 1)
        else:
            continue
        real = real.reshape(-1)
        if len(real) != len(indices) or not bool(torch.isfinite(real).all()):
            raise ValueError(f"fix: {name!r} cannot be {value!r}; it must lie inside the domain of {block.transform}")
        return dict(zip(indices, real.tolist(), strict=True))
    owner = next((block.name for block in parameters.blocks if name in block.labels), None)
    if owner is not None:
        raise ValueError(
            f"fix: {name!r} is an entry of {owner!r}, which can only be fixed as a whole: fix={{{owner!r}: ...}}"
        )
    raise ValueError(f"fix: there is no parameter {name!r}; the parameters are {', '.join(parameters.names)}")
