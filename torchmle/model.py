"""Model: what is fitted to which rows. Construction, and rows for predictions; no likelihood yet."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from .base.arguments import EVERY_MODEL, Arguments, sort_arguments
from .base.door import (
    learned,
    refuse_extremes,
    refuse_idle_events,
    refuse_idle_likelihood,
    refuse_what_are_no_transforms,
    with_sampling_weights,
)
from .compute.devices import Placement, place
from .compute.processes import same_everywhere
from .data import Data
from .data.tensors import as_double
from .errors import FormulaError, ModelError
from .formula import (
    Design,
    Rows,
    caller_environment,
    design_from_arrays,
    design_from_formula,
    late_column,
    without_offset,
)
from .parameters import Parameters
from .structured import VectorTransform
from .transforms import Transform

NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


class Model:
    """The data of a model and the layout of its parameters.

    Parameters are documented in `LikelihoodModel`.
    """

    parameters: ClassVar[Mapping[str, Transform | VectorTransform]] = NO_PARAMETERS
    row_arguments: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[tuple[str, ...]] = ()
    habits: ClassVar[tuple[str, ...]] = ()  # keywords of statsmodels' that steer nothing here
    classes: ClassVar[bool] = False  # whether the response may be categories; they become codes 0, 1, ...
    prediction_arguments: ClassVar[tuple[str, ...]] = ()
    written: str | None = None  # the main formula with its offset
    remembered: ClassVar[tuple[str, ...]] = ("nobs", "k_constant")  # of the rows, once they are forgotten
    likelihood_of_params: ClassVar[bool] = False  # whether a subclass says its likelihood by loglike(params)

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        *,
        missing: str = "none",
        hasconst: bool | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
        process_group: Any = None,
        **arguments: Any,
    ):
        if not self.likelihood_of_params:
            refuse_idle_likelihood(type(self))
        self.hasconst = hasconst
        self.configure(**{name: arguments.pop(name) for name in self.settings if name in arguments})
        given = type(self)._sorted(arguments)
        if isinstance(endog, Rows):
            rows, self.frame = endog, exog
        else:
            designs = {name: x for name, x in {self.predictors()[0]: exog, **given.designs}.items() if x is not None}
            told: dict[str, Any] = {"arguments": given.rows, "missing": missing, "classes": self.classes}
            rows, self.frame = design_from_arrays(endog, designs, **told), None
        self.fixed_values = given.fixed
        self.given_arguments = tuple(name for name in (*EVERY_MODEL, *self.row_arguments) if name in rows.data.columns)
        self.design = rows.design
        self.index, self.kept, self.dropped_rows = rows.index, rows.kept, rows.dropped
        self.placement: Placement = place(rows.data, device, dtype)
        self._rows: Data | None = self._ready(rows.data, process_group)
        self.shift = self._rows.shift
        self.layout = self.make_layout()

    def configure(self, **settings: Any) -> None:
        """Keep what the model was told besides its data, the keywords in `settings`; there are none here."""

    def _ready(self, data: Data, process_group: Any) -> Data:
        """The data as the likelihood will see them: in their place, checked, with derived columns."""
        if data.n == 0:
            raise ValueError(f"no rows are left to fit ({self.dropped_rows} had missing values)")
        counts = data.get("freq_weights")
        if counts is not None and not bool((torch.isfinite(counts) & (counts >= 0)).all() & (counts > 0).any()):
            raise ValueError(
                f"freq_weights say how many times each row counts: they must not be negative, infinite or all zero; "
                f"they run from {float(counts.min()):g} to {float(counts.max()):g}"
            )
        same_everywhere(learned(self.design), process_group)
        refuse_extremes(data, self.design)
        refuse_idle_events(type(self), self.row_arguments, data)
        data = with_sampling_weights(data, process_group)
        return self.prepare(data.to(self.placement.device, self.placement.dtype).with_group(process_group))

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        missing: str = "drop",
        hasconst: bool | None = None,
        eval_env: Any = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        process_group: Any = None,
        **arguments: Any,
    ) -> Any:
        """A model of a formula and a frame.

        Parameters
        ----------
        formula : str
            ``"y ~ x + C(g)"``, in patsy's language.
        data : DataFrame, or anything with named columns
            pandas, polars, pyarrow.Table or a dict of arrays.
        subset : array_like, optional
            Boolean mask or index labels of the rows to use.
        drop_cols : list of str, optional
            Columns of the design to leave out.
        missing : {"drop", "raise", "none"}
            Incomplete rows are dropped on the raw variables of all formulas and row arguments together.
        hasconst : bool, optional
            Whether the design has a constant; by default that is found out.
        eval_env : int, dict or patsy.EvalEnvironment
            Where to look up names that are not columns: so many frames above the caller, or these values.
        **arguments
            Row arguments as column names, arrays or Series; ``sigma="~ w"`` for a parameter's own formula,
            ``sigma=2.0`` to fix it.

        Raises
        ------
        FormulaError
            A name that is neither a column nor a variable, a response of the wrong shape.
        """
        written, (formula, offset) = formula, without_offset(formula)
        if offset is not None:
            if arguments.get("offset") is not None:
                raise FormulaError(f"an offset is given twice: offset={arguments['offset']!r} and offset({offset})")
            arguments["offset"] = offset
        settings = {name: arguments.pop(name) for name in cls.settings if name in arguments}
        given = cls._sorted(arguments)
        rows = design_from_formula(
            {cls.predictors()[0]: formula, **given.formulas},
            data,
            arguments=given.rows,
            env=caller_environment(eval_env),
            missing=missing,
            subset=subset,
            drop_cols=drop_cols,
            classes=cls.classes,
        )
        placed = {"device": device, "dtype": dtype, "process_group": process_group}
        model = cls(rows, data, hasconst=hasconst, **placed, **settings, **given.fixed)
        model.written = written
        return model

    @classmethod
    def _sorted(cls, arguments: Mapping[str, Any]) -> Arguments:
        refuse_what_are_no_transforms(cls.__name__, cls.parameters)
        arguments = {name: value for name, value in arguments.items() if name not in cls.habits}
        parameters, designs = tuple(cls.parameters), cls.predictors()[1:]
        return sort_arguments(cls.__name__, arguments, cls.row_arguments, parameters, designs, cls.settings)

    @property
    def rows(self) -> Data:
        """The rows of the fit.

        Raises
        ------
        ModelError
            The rows are gone: the result was loaded from a file, which holds none, or they were removed.
        """
        if self._rows is None:
            raise ModelError(
                "this needs the rows of the fit, and a result that was saved, or whose data were removed, has none"
            )
        return self._rows

    @property
    def has_rows(self) -> bool:
        """Whether the rows of the fit are there."""
        return self._rows is not None

    @property
    def observed_rows(self) -> Data:
        """The rows in the order of `index`: those of the likelihood, or the members of its groups of them."""
        return self.rows

    def forget_rows(self) -> None:
        """Drop the rows, the frame and what was derived from them; names, counts and coordinates stay."""
        kept = {name: getattr(self, name) for name in self.remembered}
        for name in [name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property)]:
            del vars(self)[name]
        vars(self).update(kept, _rows=None, frame=None, index=None, kept=None)

    @classmethod
    def predictors(cls) -> tuple[str, ...]:
        """Names of the designs; the first takes the main formula."""
        return ("X",)

    def prepare(self, data: Data) -> Data:
        """Check the data once, at the door, and add the columns the likelihood needs."""
        return data

    def make_layout(self) -> Parameters:
        """Order, labels and transforms of the parameters."""
        raise NotImplementedError

    # -- without rows --------------------------------------------------------------------------------------------

    @classmethod
    def origin(cls) -> dict[str, str]:
        """How another process finds this class: by the name users call it, which outlives the file it stands in."""
        package = __name__.partition(".")[0]
        public = getattr(sys.modules[package], cls.__name__, None) is cls
        return {"class": f"{package if public else cls.__module__}:{cls.__qualname__}"}

    @classmethod
    def from_origin(cls, origin: Mapping[str, str]) -> type[Model]:
        """The class that `origin` describes, found by way of this one."""
        return cls

    def state(self) -> dict[str, Any]:
        """What predictions and tables need of a model besides its design."""
        told = {"dropped_rows": self.dropped_rows, "given_arguments": list(self.given_arguments)}
        return {**told, "written": self.written}

    @classmethod
    def without_rows(cls, design: Design, shift: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> Any:
        """A model that predicts and prints, but has no rows."""
        model = cls.__new__(cls)
        told = {name: state[name] for name in cls.settings if name in state}
        if told:
            model.configure(**told)
        vars(model).update(
            design=design, frame=None, index=None, kept=None, fixed_values={}, hasconst=None, _rows=None, shift=dict(shift),
            placement=Placement(torch.device("cpu"), torch.float64), **state,
        )  # fmt: skip
        model.layout = model.make_layout()
        return model

    # -- rows --------------------------------------------------------------------------------------------------

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns of the frame; none for arrays."""
        return () if self.frame is None else tuple(map(str, getattr(self.frame, "column_names", list(self.frame))))

    def row_column(self, value: Any, name: str) -> np.ndarray:
        """A row-shaped argument given after construction, for the kept rows: a column name, Series or array."""
        values = late_column(value, self.frame, self.kept, self.index, name)
        if len(values) != self.rows.n:
            raise ValueError(f"{name} has {len(values)} values; the model has {self.rows.n} rows")
        return values

    def frame_rows(self) -> pd.DataFrame:
        """The rows of the fit as a frame: the user's, or the columns of the designs."""
        if self.frame is None:
            columns = {
                name: x[:, j]
                for key, names in self.design.columns.items()
                for j, (name, x) in enumerate(zip(names, [self.rows.x[key].cpu().numpy()] * len(names), strict=True))
            }
            return pd.DataFrame(columns, index=self.index)  # fmt: skip
        frame = self.frame.to_pandas() if hasattr(self.frame, "to_pandas") else pd.DataFrame(self.frame)
        return frame if self.kept is None else frame[self.kept]

    def keep_rows(self, mask: np.ndarray) -> Any:
        """The same model of fewer rows."""
        other = copy.copy(self)
        for name in [name for name in vars(other) if isinstance(getattr(type(other), name, None), cached_property)]:
            del vars(other)[name]
        other._rows = self.rows.take(torch.from_numpy(mask))
        other.index = None if self.index is None else self.index[mask]
        kept = np.ones(len(mask), dtype=bool) if self.kept is None else self.kept.copy()
        kept[np.flatnonzero(kept)[~mask]] = False
        other.kept = kept
        other.dropped_rows = self.dropped_rows + int((~mask).sum())
        return other

    def linear_arguments(self) -> tuple[str, ...]:
        """Row arguments that predictions depend on."""
        return tuple(name for name in ("offset", "exposure") if name in self.row_arguments)

    def training_rows(self, arguments: Mapping[str, Any]) -> Data:
        """The rows of the fit, with some row arguments replaced: by a number, a column's name, a Series or an array."""
        rows = self.observed_rows
        if not arguments:
            return rows
        replaced = {name: as_double(self._late(value, name)).to(rows.device) for name, value in arguments.items()}
        return self.prepare_prediction(rows.with_columns(**replaced))

    def _late(self, value: Any, name: str) -> np.ndarray:
        if np.ndim(value) == 0 and not isinstance(value, str):
            return np.full(self.observed_rows.n, value, dtype=float)
        return late_column(value, self.frame, self.kept, self.index, name)

    def predict_data(
        self, exog: Any, transform: bool, arguments: Mapping[str, Any], unseen: str = "raise"
    ) -> tuple[Data, pd.Index | None]:
        """New rows through the design, in the coordinates of the fit; `unseen` levels raise, or make the row "nan"."""
        if transform or not self.design.formulas:
            rows = self.design.rows(exog, arguments=arguments, unseen=unseen)
        else:
            main, *others = self.design.formulas
            if others:
                raise ValueError(f"with transform=False exog is the matrix of {main}; {others[0]} needs a frame too")
            rows = self.design.rows(exog, arguments=arguments, transform=False)
        data = rows.data.to(self.placement.device)
        return self.prepare_prediction(data.with_shift(self.shift)), rows.index

    def outcomes(self, which: str) -> Sequence[Any] | None:
        """What the values of a predicted quantity are of, where a row has several: the categories of a response."""
        return None

    def prepare_prediction(self, data: Data) -> Data:
        """Add the columns that predictions need; there may be no response."""
        return data
