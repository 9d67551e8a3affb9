"""``standardize`` and ``poly`` for formulas: patsy's transform with its row loop replaced by array sums, and R's."""

from __future__ import annotations

import numpy as np
import patsy
from numpy.typing import ArrayLike


class Standardize(patsy.standardize.__patsy_stateful_transform__):
    """(x - mean) / sd with the training rows' mean and standard deviation; arguments as in `patsy.standardize`."""

    def memorize_chunk(self, x: ArrayLike, center: bool = True, rescale: bool = True, ddof: int = 0) -> None:
        values = np.asarray(x, dtype=np.float64)
        values = values.reshape(len(values), -1)
        self.current_n = len(values)
        self.current_mean = values.mean(axis=0)
        self.current_M2 = np.square(values - self.current_mean).sum(axis=0)


standardize = patsy.stateful_transform(Standardize)


class OrthogonalPolynomials:
    """Polynomials of degree 1 to `degree`, orthonormal over the training rows and to a constant, as R's ``poly``.

    ``p_j = (x - a_j) p_{j-1} - b_j p_{j-2}`` with the training rows' a and b (Kennedy and Gentle 1980, 8.2), divided
    by its norm over these rows.
    """

    def __init__(self) -> None:
        self.chunks: list[np.ndarray] = []
        self.centres, self.squares = np.zeros(0), np.zeros(0)

    def memorize_chunk(self, x: ArrayLike, degree: int = 1) -> None:
        self.chunks.append(np.asarray(x, dtype=np.float64).ravel())
        self.degree = int(degree)

    def memorize_finish(self) -> None:
        x = np.concatenate(self.chunks)
        self.chunks = []
        points = len(np.unique(x))
        if not 1 <= self.degree < points:
            raise ValueError(
                f"poly: the degree must be at least 1 and below the {points} different values of x, not {self.degree}"
            )
        self.centres, self.squares = np.zeros(self.degree), np.zeros(self.degree + 1)
        columns = [np.ones_like(x)]
        for j in range(self.degree + 1):
            self.squares[j] = columns[-1] @ columns[-1]
            if j < self.degree:
                self.centres[j] = x @ columns[-1] ** 2 / self.squares[j]
                columns.append(self._next(x, columns))

    def _next(self, x: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
        j = len(columns)
        grown = (x - self.centres[j - 1]) * columns[-1]
        return grown if j == 1 else grown - self.squares[j - 1] / self.squares[j - 2] * columns[-2]

    def transform(self, x: ArrayLike, degree: int = 1) -> np.ndarray:
        values = np.asarray(x, dtype=np.float64).ravel()
        columns = [np.ones_like(values)]
        for _ in range(self.degree):
            columns.append(self._next(values, columns))
        return np.column_stack(columns[1:]) / np.sqrt(self.squares[1:])


poly = patsy.stateful_transform(OrthogonalPolynomials)
