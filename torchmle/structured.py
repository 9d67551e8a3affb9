"""Transforms of vectors and matrices: thresholds, probabilities, covariance and correlation matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .compute.threads import small_on_one_thread
from .transforms import Identity, Interval, Log, Logit, Transform

cholesky = small_on_one_thread(torch.linalg.cholesky)


class VectorTransform:
    """A map from a vector of reals to a structured natural value: a vector or a matrix.

    Attributes
    ----------
    size : int
        Number of reals.
    """

    size: int

    def __call__(self, real: Tensor) -> Tensor:
        raise NotImplementedError

    def inverse(self, natural: Tensor) -> Tensor:
        """The vector of reals of a natural value."""
        raise NotImplementedError

    def flatten(self, natural: Tensor) -> Tensor:
        """The distinct entries a table shows, as a vector."""
        return natural

    def unflatten(self, entries: Tensor) -> Tensor:
        """The natural value whose distinct entries these are."""
        return entries

    def labels(self, name: str) -> tuple[str, ...]:
        """A label for each distinct entry."""
        raise NotImplementedError

    def scales(self) -> tuple[Transform, ...]:
        """For each distinct entry, the scalar map on whose real side its interval is made."""
        raise NotImplementedError


class Coefficients(VectorTransform):
    """Regression coefficients: the reals themselves, one per label.

    Parameters
    ----------
    names : sequence of str, optional
        Left out in a model's `parameters`, it means the columns of the main design.
    """

    def __init__(self, names: Sequence[str] | None = None):
        self.names = None if names is None else tuple(names)

    @property
    def size(self) -> int:  # type: ignore[override]
        return len(self.names or ())

    def __call__(self, real: Tensor) -> Tensor:
        return real

    def inverse(self, natural: Tensor) -> Tensor:
        return natural

    def labels(self, name: str) -> tuple[str, ...]:
        return self.names or ()

    def scales(self) -> tuple[Transform, ...]:
        return (Identity(),) * self.size


def is_of_columns(transform: object) -> bool:
    """Whether a model's parameter is said to be one coefficient per column of the main design."""
    return isinstance(transform, Coefficients) and transform.names is None


def partial_sums(values: Tensor) -> Tensor:
    """Sums of the first, the first two, ... of a few values: cumsum, of which CUDA has no deterministic form."""
    return values.expand(len(values), -1).tril().sum(1)


class Ordered(VectorTransform):
    """Increasing thresholds: the first is free, the steps are exponentials.

    Parameters
    ----------
    size : int
        Number of thresholds.
    """

    def __init__(self, size: int):
        self.size = size

    def __call__(self, real: Tensor) -> Tensor:
        return torch.cat([real[:1], real[:1] + partial_sums(real[1:].exp())])

    def inverse(self, natural: Tensor) -> Tensor:
        return torch.cat([natural[:1], natural.diff().log()])

    def labels(self, name: str) -> tuple[str, ...]:
        return tuple(f"{name}[{i}]" for i in range(self.size))

    def scales(self) -> tuple[Transform, ...]:
        return (Identity(),) * self.size


class Simplex(VectorTransform):
    """Probabilities that sum to one: softmax with the first category as the base.

    Parameters
    ----------
    categories : int
        Number of probabilities, one more than the reals.
    """

    def __init__(self, categories: int):
        self.categories, self.size = categories, categories - 1

    def __call__(self, real: Tensor) -> Tensor:
        return torch.softmax(torch.cat([real.new_zeros(1), real]), 0)

    def inverse(self, natural: Tensor) -> Tensor:
        return natural[1:].log() - natural[0].log()

    def labels(self, name: str) -> tuple[str, ...]:
        return tuple(f"{name}[{i}]" for i in range(self.categories))

    def scales(self) -> tuple[Transform, ...]:
        return (Logit(),) * self.categories


class _SymmetricMatrix(VectorTransform):
    """A symmetric matrix with named rows, shown as (part of) its lower triangle."""

    diagonal = 0

    def __init__(self, names: int | Sequence[str]):
        self.names = tuple(str(i) for i in range(names)) if isinstance(names, int) else tuple(names)

    @property
    def dimension(self) -> int:
        return len(self.names)

    @property
    def size(self) -> int:  # type: ignore[override]
        return len(self._lower()[0])

    def _lower(self) -> Tensor:
        return torch.tril_indices(self.dimension, self.dimension, self.diagonal)

    def flatten(self, natural: Tensor) -> Tensor:
        row, column = self._lower().to(natural.device)
        return natural[row, column]

    def unflatten(self, entries: Tensor) -> Tensor:
        row, column = self._lower().to(entries.device)
        matrix = torch.eye(self.dimension, dtype=entries.dtype, device=entries.device)
        return matrix.index_put((row, column), entries).index_put((column, row), entries)

    def labels(self, name: str) -> tuple[str, ...]:
        return tuple(f"{name}[{self.names[i]}, {self.names[j]}]" for i, j in self._lower().T.tolist())


class CholeskyCovariance(_SymmetricMatrix):
    """A covariance matrix, by its Cholesky factor with a logarithmic diagonal.

    Parameters
    ----------
    names : int or sequence of str
        The dimension, or one name per variable.
    """

    def factor(self, real: Tensor) -> Tensor:
        """The lower Cholesky factor, of shape (dimension, dimension)."""
        row, column = self._lower().to(real.device)
        entries = torch.where(row == column, real.exp(), real)
        return real.new_zeros(self.dimension, self.dimension).index_put((row, column), entries)

    def __call__(self, real: Tensor) -> Tensor:
        factor = self.factor(real)
        return factor @ factor.T

    def inverse(self, natural: Tensor) -> Tensor:
        return self.reals(cholesky(natural))

    def reals(self, factor: Tensor) -> Tensor:
        """The vector of reals of a lower Cholesky factor."""
        row, column = self._lower().to(factor.device)
        entries = factor[row, column]
        return torch.where(row == column, entries.log(), entries)

    def scales(self) -> tuple[Transform, ...]:
        return tuple(Log() if i == j else Identity() for i, j in self._lower().T.tolist())


class Correlation(_SymmetricMatrix):
    """A correlation matrix, by canonical partial correlations (Lewandowski, Kurowicka and Joe 2009, eq. 1).

    Parameters
    ----------
    names : int or sequence of str
        The dimension, or one name per variable. For two variables it is Fisher's z.
    """

    diagonal = -1

    def factor(self, real: Tensor) -> Tensor:
        """The lower Cholesky factor, with rows of unit length."""
        partial = torch.tanh(real)
        rows, at = [], 0
        for i in range(self.dimension):
            left, row = real.new_ones(()), []
            for j in range(i):
                row.append(partial[at + j] * left.sqrt())
                left = left * (1 - partial[at + j] ** 2)
            at += i
            row.append(left.sqrt())
            rows.append(torch.cat([torch.stack(row), real.new_zeros(self.dimension - i - 1)]))
        return torch.stack(rows)

    def __call__(self, real: Tensor) -> Tensor:
        factor = self.factor(real)
        return factor @ factor.T

    def inverse(self, natural: Tensor) -> Tensor:
        factor = cholesky(natural)
        left = 1 - torch.cumsum(factor**2, 1) + factor**2  # what columns before j left of the row's unit length
        partial = factor / left.clamp_min(torch.finfo(factor.dtype).tiny).sqrt()
        return torch.atanh(self.flatten(partial))

    def scales(self) -> tuple[Transform, ...]:
        return (Interval(-1, 1),) * self.size
