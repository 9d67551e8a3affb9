"""Named tensors of n rows: the only form in which a model sees data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Data:
    """Named tensors that share their first dimension, the n rows.

    Immutable: every method returns a new object, and tensors are shared wherever no value changes.

    Parameters
    ----------
    y : Tensor, shape (n,) or (n, q), or None
        Response or responses; None for rows to predict.
    x : mapping of str to Tensor, shapes (n, k_j)
        Design matrix of each predictor, in the order of the predictors.
    columns : mapping of str to Tensor, shapes (n, ...), optional
        Every other row vector: ``event``, ``entry``, ``offset``, ``freq_weights`` …; also readable as attributes.
    shift : mapping of str to Tensor, shapes (k_j,), optional
        Centres that `block` subtracts from the columns of ``x``; a predictor that is absent is not centred.

    group : process group, True or None, optional
        Processes over which sums over rows are added, each holding its own rows; True is the default group.

    Raises
    ------
    ValueError
        If the tensors do not have the same number of rows.
    """

    __slots__ = ("columns", "group", "n", "response", "shift", "x")

    response: Tensor | None
    x: Mapping[str, Tensor]
    columns: Mapping[str, Tensor]
    shift: Mapping[str, Tensor]
    group: Any
    n: int

    def __init__(
        self,
        y: Tensor | None,
        x: Mapping[str, Tensor],
        columns: Mapping[str, Tensor] | None = None,
        shift: Mapping[str, Tensor] | None = None,
        group: Any = None,
    ):
        put = super().__setattr__  # this class's own __setattr__ refuses
        put("response", y)
        put("x", dict(x))
        put("columns", dict(columns or {}))
        put("shift", dict(shift or {}))
        put("group", group)
        put("n", _common_length(y, self.x, self.columns))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Data is immutable; use with_columns({name}=...) to get a copy with another column")

    def __getattr__(self, name: str) -> Tensor:
        # Only reached when no slot of that name is filled. Slots and dunders are looked up by copy and pickle on an
        # object that is still empty, so they must fail here without touching self.columns.
        if name in Data.__slots__ or name.startswith("__"):
            raise AttributeError(name)
        if name == "y":  # the property found no response
            raise AttributeError("these rows have no response: they are rows to predict")
        columns = self.columns
        if name in columns:
            return columns[name]
        raise AttributeError(f"the data have no column {name!r}; known columns: {', '.join(('y', *columns))}")

    def __reduce__(self):
        return Data, (self.response, self.x, self.columns, self.shift)  # a process group belongs to its process

    def __repr__(self) -> str:
        x = ", ".join(f"{name}: {tuple(value.shape)}" for name, value in self.x.items())
        return f"Data(n={self.n}, x={{{x}}}, columns=[{', '.join(self.columns)}])"

    def get(self, name: str, default: Tensor | None = None) -> Tensor | None:
        """Column ``name``, or ``default`` when there is none."""
        return self.columns.get(name, default)

    def with_columns(self, **tensors: Tensor) -> Data:
        """Copy with these columns added or replaced."""
        return Data(self.response, self.x, {**self.columns, **tensors}, self.shift, self.group)

    def with_designs(self, x: Mapping[str, Tensor]) -> Data:
        """Copy with these design matrices."""
        return Data(self.response, x, self.columns, self.shift, self.group)

    def with_response(self, y: Tensor) -> Data:
        """Copy with this response."""
        return Data(y, self.x, self.columns, self.shift, self.group)

    def with_shift(self, shift: Mapping[str, Tensor]) -> Data:
        """Copy whose blocks are centred by these values."""
        return Data(self.response, self.x, self.columns, shift, self.group)

    def with_group(self, group: Any) -> Data:
        """Copy whose sums are added over a process group."""
        return Data(self.response, self.x, self.columns, self.shift, group)

    @property
    def y(self) -> Tensor:
        """The response, (n,) or (n, q)."""
        if self.response is None:
            raise AttributeError("y")
        return self.response

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        held = (self.response, *self.x.values(), *self.columns.values())
        return next((tensor.device for tensor in held if tensor is not None), torch.device("cpu"))

    @property
    def X(self) -> Tensor:
        """The main design."""
        return next(iter(self.x.values()))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Data:
        """Copy on ``device``, floating tensors in ``dtype``; integer and boolean tensors keep their type."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        return self._map(move, move)

    def block(self, rows: slice) -> Data:
        """These rows with floating values in float64 and ``x`` centred by ``shift``.

        Views of this object's tensors wherever neither the type nor the values change.
        """

        if not self.shift and self.group is None and rows.start == 0 and rows.stop >= self.n and self._is_double():
            return self

        def double(tensor: Tensor) -> Tensor:
            part = tensor[rows]
            return part.double() if part.is_floating_point() else part

        return Data(
            None if self.response is None else double(self.response),
            _once(self.x, lambda name, value: _centred(double(value), self.shift.get(name))),
            {name: double(value) for name, value in self.columns.items()},
        )

    def _is_double(self) -> bool:
        """Are all floating values in float64?"""
        held = (self.response, *self.x.values(), *self.columns.values())
        return all(tensor is None or tensor.dtype == torch.float64 or not tensor.is_floating_point() for tensor in held)

    def take(self, index: Tensor | np.ndarray) -> Data:
        """Rows chosen by integer positions or by a boolean mask of n values."""
        where = torch.as_tensor(index)
        positions = where.nonzero()[:, 0] if where.dtype == torch.bool else where

        def pick(tensor: Tensor) -> Tensor:
            return tensor.index_select(0, positions.to(tensor.device))

        return self._map(pick, lambda centre: centre)

    def _map(self, rows: Callable[[Tensor], Tensor], centres: Callable[[Tensor], Tensor]) -> Data:
        return Data(
            None if self.response is None else rows(self.response),
            _once(self.x, lambda _, value: rows(value)),
            {name: rows(value) for name, value in self.columns.items()},
            {name: centres(value) for name, value in self.shift.items()},
            self.group,
        )


def _once(x: Mapping[str, Tensor], function: Callable[[str, Tensor], Tensor]) -> dict[str, Tensor]:
    """What a function makes of each matrix; of one that several predictors share, one result that they share."""
    made: dict[int, Tensor] = {}
    found = {}
    for name, value in x.items():
        if id(value) not in made:
            made[id(value)] = function(name, value)
        found[name] = made[id(value)]
    return found


def _centred(x: Tensor, shift: Tensor | None) -> Tensor:
    return x if shift is None else x - shift.to(x.dtype)


def _common_length(y: Tensor | None, x: Mapping[str, Tensor], columns: Mapping[str, Tensor]) -> int:
    n = None
    for name, value in (("y", y), *x.items(), *columns.items()):
        if value is None:
            continue
        if n is None:
            first, n = name, value.shape[0]
        elif value.shape[0] != n:
            raise ValueError(f"{name!r} has {value.shape[0]} rows, but {first!r} has {n}")
    return 0 if n is None else n
