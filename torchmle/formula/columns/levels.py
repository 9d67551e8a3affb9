"""Categorical values: integer codes into a tuple of levels."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...errors import FormulaError

MISSING, UNSEEN = -1, -2


@dataclass(frozen=True)
class Coded:
    """A categorical: ``levels[codes[i]]`` is row i's level, -1 stands for a missing value.

    ``fixed`` levels were given by the user in ``C(g, levels=...)`` and stay even when no row has them.
    """

    codes: np.ndarray
    levels: tuple[Hashable, ...]
    contrast: Any = None
    fixed: bool = False

    def missing(self) -> np.ndarray | None:
        """Mask of missing values, or None when there are none."""
        missing = self.codes < 0
        return missing if missing.any() else None

    def used(self) -> Coded:
        """Without the levels that no row has; both levels of a boolean stay, as in patsy."""
        if self.fixed or is_boolean(self.levels):
            return self
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))
        if counts.all():
            return self
        position = np.where(counts > 0, np.cumsum(counts > 0) - 1, MISSING)
        levels = tuple(self.levels[at] for at in np.flatnonzero(counts))
        return replace(self, codes=np.append(position, MISSING)[self.codes], levels=levels)

    def recode(self, levels: tuple[Hashable, ...]) -> np.ndarray:
        """Codes with respect to other ``levels``; -2 in the rows whose level is not among them."""
        if self.levels == levels:
            return self.codes
        position = {level: at for at, level in enumerate(levels)}
        lookup = [*(position.get(level, UNSEEN) for level in self.levels), MISSING]
        return np.array(lookup, dtype=np.intp)[self.codes]


def factorize(values: Any) -> Coded:
    """Codes and levels of an array or Series; pandas categoricals keep their order, all else is sorted as by patsy."""
    categorical = getattr(values, "array", values)
    if isinstance(categorical, pd.Categorical):
        return Coded(np.asarray(categorical.codes), tuple(categorical.categories.tolist()))
    if values.ndim != 1:
        raise FormulaError("a categorical variable must have one dimension")
    try:
        codes, uniques = pd.factorize(values)
    except TypeError as error:
        raise FormulaError(f"the levels of a categorical variable must be hashable ({error})") from error
    found = uniques.tolist()
    levels = [False, True] if is_boolean(found) else sort_levels(found)
    position = {level: at for at, level in enumerate(levels)}
    lookup = np.array([*(position[level] for level in found), MISSING], dtype=np.intp)
    return Coded(lookup[codes], tuple(levels))


def is_boolean(levels: Any) -> bool:
    """Whether there are levels and all are True or False (0 and 1 are equal to them, but are not)."""
    return len(levels) > 0 and all(isinstance(level, bool) for level in levels)


def sort_levels(levels: list[Any]) -> list[Any]:
    """Ascending; where levels cannot be compared, numbers come first and the rest by type and text."""
    try:
        return sorted(levels)
    except TypeError:
        numbers = sorted(level for level in levels if isinstance(level, (int, float)))
        others = [level for level in levels if not isinstance(level, (int, float))]
        return numbers + sorted(others, key=lambda level: (type(level).__name__, str(level)))
