"""The variables of a model and how its designs move with them: those of its formulas, or columns of matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
import torch
from torch import Tensor

from ...data import Data
from ...data.tensors import share
from ...formula.variation import Range, Variation, raw_variables, variable_levels
from ..effects import Designs, Effect, contrast_effects, slope_effects

if TYPE_CHECKING:
    from ...regression import RegressionModel

PAIRS = ("reference", "sequential", "pairwise")


@dataclass(frozen=True)
class Slope:
    """Derivative in a variable."""

    variable: str
    label = "slope"

    def effects(self, setting: Setting, block: Data, moving: Moving) -> list[Effect]:
        """The effects at the rows of a block, one for each predicted column."""
        moves, values = moving.slopes(self.variable), moving.numbers(self.variable)
        return slope_effects(
            setting.model, setting.which, setting.z, block, moves, values, setting.method, setting.undetermined
        )


@dataclass(frozen=True)
class Contrast:
    """A variable at one value against another."""

    variable: str
    high: Any
    low: Any

    @property
    def label(self) -> str:
        return f"{self.high} - {self.low}"

    def effects(self, setting: Setting, block: Data, moving: Moving) -> list[Effect]:
        """The effects at the rows of a block, one for each predicted column."""
        high, low = (block.with_designs(moving.moved(self.variable, value)) for value in (self.high, self.low))
        return contrast_effects(setting.model, setting.which, setting.z, high, low, setting.method)


@dataclass(frozen=True)
class Setting:
    """What is predicted of which model at which parameters, and what an effect is.

    `undetermined` says which parameters have no finite estimate, (k,).
    """

    model: RegressionModel
    z: Tensor
    which: str
    method: str
    undetermined: Tensor


class Move(Protocol):
    """One way in which a variable moves."""

    @property
    def variable(self) -> str: ...

    @property
    def label(self) -> str: ...

    def effects(self, setting: Setting, block: Data, moving: Moving) -> list[Effect]: ...


class Moving(Protocol):
    """How the designs of a block of rows move with a variable."""

    def numbers(self, variable: str) -> Tensor:
        """Values of the variable, (n,)."""

    def slopes(self, variable: str) -> Designs:
        """Derivatives of the designs."""

    def moved(self, variable: str, value: Any) -> Mapping[str, Tensor]:
        """The designs, centred as in the fit, with the variable at a value in all rows."""


class Variables:
    """What can be moved in a model."""

    def __init__(self, model: RegressionModel):
        self.model = model

    @property
    def names(self) -> list[str]:
        raise NotImplementedError

    def levels(self, variable: str) -> Sequence[Any] | None:
        """Levels of a categorical variable, the base first; None for a numeric one."""
        return None

    def moving(self, data: Data, frame: pd.DataFrame | None) -> Moving:
        """How the designs of these rows move; `data` is a block, `frame` its rows of the frame."""
        raise NotImplementedError

    def moves(self, chosen: Sequence[str] | None, contrast: str | Mapping[str, Any], method: str) -> list[Move]:
        """Slopes of numeric variables, contrasts of the others.

        Raises
        ------
        ValueError
            An unknown variable or contrast, or an elasticity in a variable without numbers.
        """
        chosen = self.names if chosen is None else list(chosen)
        special = {} if isinstance(contrast, str) else dict(contrast)
        for name in [*chosen, *special]:
            if name not in self.names:
                raise ValueError(
                    f"there is no variable {name!r} in the model; its variables are {', '.join(self.names)}"
                )
        found: list[Move] = []
        for name in chosen:
            found += self._moves_of(name, special.get(name, contrast if isinstance(contrast, str) else "reference"))
        unfit = [move.variable for move in found if isinstance(move, Contrast)]
        if unfit and method in ("eyex", "dyex"):
            raise ValueError(
                f"method={method!r} needs a derivative; {unfit[0]!r} is compared at given values: use 'dydx'"
            )
        return found

    def _moves_of(self, name: str, contrast: Any) -> list[Move]:
        levels = self.levels(name)
        if isinstance(contrast, str) and contrast not in PAIRS:
            raise ValueError(f"contrast={contrast!r} is not known; choose from {', '.join(map(repr, PAIRS))}, or give the "
                             "two values to compare, {'name': (low, high)}")  # fmt: skip
        if not isinstance(contrast, str):
            low, high = contrast
            return [Contrast(name, high, low)]
        if levels is None:
            return [Slope(name)]
        return [Contrast(name, high, low) for high, low in _pairs(levels, contrast)]


def _pairs(levels: Sequence[Any], contrast: str) -> list[tuple[Any, Any]]:
    """Which levels are compared, (high, low)."""
    if contrast == "reference":
        return [(level, levels[0]) for level in levels[1:]]
    if contrast == "sequential":
        return list(zip(levels[1:], levels[:-1], strict=True))
    return [(high, low) for low, high in combinations(levels, 2)]


class FormulaVariables(Variables):
    """Variables of formulas: the formulas are evaluated again where one moves."""

    @property
    def names(self) -> list[str]:
        return raw_variables(self.model.design)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows of the fit."""
        return self.model.frame_rows()

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """Least and greatest value of each numeric variable in the rows of the fit."""
        numeric = [name for name in self.names if self.levels(name) is None]
        return {name: (float(self.frame[name].min()), float(self.frame[name].max())) for name in numeric}

    def levels(self, variable: str) -> Sequence[Any] | None:
        return variable_levels(self.model.design, self.frame[variable])

    def moving(self, data: Data, frame: pd.DataFrame | None) -> Moving:
        assert frame is not None
        return _FormulaMoving(self.model, Variation(self.model.design, frame, self.ranges), data.device)


@dataclass(frozen=True)
class _FormulaMoving:
    model: RegressionModel
    variation: Variation
    device: torch.device

    def numbers(self, variable: str) -> Tensor:
        return share(self.variation.numbers(variable)).to(self.device)

    def slopes(self, variable: str) -> Designs:
        return self.model.every_design(self._tensors(self.variation.slopes(variable)))

    def moved(self, variable: str, value: Any) -> Mapping[str, Tensor]:
        found, shift = self._tensors(self.variation.moved(variable, value)), self.model.shift
        return self.model.every_design(
            {name: x - shift[name].to(x) if name in shift else x for name, x in found.items()}
        )

    def _tensors(self, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
        return {name: share(x).to(self.device) for name, x in arrays.items()}


class MatrixVariables(Variables):
    """Columns of matrices: each moves alone. Those of the main design go by their names, others as ``sigma[x1]``."""

    @cached_property
    def places(self) -> dict[str, tuple[str, int]]:
        """Predictor and column of each variable; columns of ones are none."""
        found = {}
        for i, (predictor, labels) in enumerate(self.model.design.columns.items()):
            for at, label in enumerate(labels):
                if self.model.intercepts.get(predictor) != at:
                    found[label if i == 0 else f"{predictor}[{label}]"] = (predictor, at)
        return found

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def moving(self, data: Data, frame: pd.DataFrame | None) -> Moving:
        return _MatrixMoving(self.model, self.places, data)


@dataclass(frozen=True)
class _MatrixMoving:
    model: RegressionModel
    places: Mapping[str, tuple[str, int]]
    data: Data

    def _centre(self, predictor: str, at: int) -> float:
        shift = self.model.shift
        return float(shift[predictor][at]) if predictor in shift else 0.0

    def numbers(self, variable: str) -> Tensor:
        predictor, at = self.places[variable]
        return self.data.x[predictor][:, at] + self._centre(predictor, at)

    def slopes(self, variable: str) -> Designs:
        predictor, at = self.places[variable]
        x = self.data.x[predictor]
        unit = torch.zeros_like(x[:1]).index_fill(1, torch.tensor(at, device=x.device), 1.0).expand_as(x)
        return self._with(predictor, unit, {})

    def moved(self, variable: str, value: Any) -> Mapping[str, Tensor]:
        predictor, at = self.places[variable]
        x = self.data.x[predictor].clone()
        x[:, at] = value - self._centre(predictor, at)
        return self._with(predictor, x, self.data.x)

    def _with(self, predictor: str, x: Tensor, others: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Designs with one replaced, and with it those that share it."""
        main = next(iter(self.model.design.columns))
        replaced = self.model.every_design({predictor: x}) if predictor == main else {predictor: x}
        return {**others, **replaced}


def variables_of(model: RegressionModel) -> Variables:
    """The variables of a model's formulas, else the columns of its matrices."""
    return FormulaVariables(model) if model.design.formulas else MatrixVariables(model)
