"""``standardize`` for formulas: patsy's transform with its row loop replaced by array sums."""

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
