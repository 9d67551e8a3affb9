"""Design: the recipe that turns a frame into the rows of a model, and the rows it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..data import Data
from .coding import Coding, without_columns
from .factor import Factor
from .response import Response


@dataclass(frozen=True, eq=False)
class Rows:
    """What a design makes of a frame.

    Attributes
    ----------
    data : Data
        CPU float64 tensors.
    index : Index or None
        Labels of the kept rows; None for plain arrays, whose results come back as arrays.
    kept : ndarray of bool, or None
        Which of the rows given are kept; None for all.
    dropped : int
        Rows left out because a value is missing.
    design : Design
    """

    data: Data
    index: pd.Index | None
    kept: np.ndarray | None
    dropped: int
    design: Design

    def complete(self) -> Rows:
        """These rows without those in which anything is missing: x, response or an argument."""
        gone = _incomplete(self.data)
        count = int(gone.sum())
        if not count:
            return self
        mask = ~gone.numpy()
        kept = mask
        if self.kept is not None:
            kept = self.kept.copy()
            kept[self.kept] = mask
        index = None if self.index is None else self.index[mask]
        return Rows(self.data.take(~gone), index, kept, self.dropped + count, self.design)


@dataclass(frozen=True, eq=False)
class Design:
    """The recipe for rows: labels, level sets, contrasts, remembered transforms. It holds no data.

    Attributes
    ----------
    formulas : mapping of str to str
        Formula of each predictor, the first with the response; empty for matrices.
    response : tuple of str
        Names of the response's columns.
    response_label : str
        The response as a summary prints it.
    columns : mapping of str to tuple of str
        Column names of each predictor.
    terms : mapping of str to mapping of str to slice
        Columns of each term of each predictor; for matrices one term per column.
    row_names : mapping of str to str
        Column from which a row argument was taken, for those given by name.
    pandas : bool
        Whether results are labelled.
    response_levels : tuple or None
        Classes of a categorical response, in the order of their codes 0, 1, …
    codings : mapping of str to Coding
        Which products of factors make up each predictor's columns; empty for matrices.
    factors : mapping of str to Factor
        How to evaluate each factor of the right sides.
    outcome : Response or None
        How to evaluate the response; None for matrices.
    row_factors : mapping of str to Factor
        How to evaluate the row arguments that are expressions, such as the offset of ``offset(np.log(t))``.
    """

    formulas: Mapping[str, str]
    response: tuple[str, ...]
    response_label: str
    columns: Mapping[str, tuple[str, ...]]
    terms: Mapping[str, Mapping[str, slice]]
    row_names: Mapping[str, str]
    pandas: bool
    response_levels: tuple[Any, ...] | None = None
    codings: Mapping[str, Coding] = field(default_factory=dict, repr=False)
    factors: Mapping[str, Factor] = field(default_factory=dict, repr=False)
    outcome: Response | None = field(default=None, repr=False)
    row_factors: Mapping[str, Factor] = field(default_factory=dict, repr=False)

    @property
    def event_level(self) -> Any:
        """The level of a two-level response that counts as 1; None for a numeric one."""
        levels = self.response_levels
        return levels[1] if levels is not None and len(levels) == 2 else None

    def without(self, predictor: str, names: Sequence[str]) -> Design:
        """The design without some columns of a predictor."""
        kept = [name for name in self.columns[predictor] if name not in names]
        if predictor in self.codings:
            coding = without_columns(self.codings[predictor], names)
            terms = coding.terms
            codings = {**self.codings, predictor: coding}
        else:
            terms = {name: slice(at, at + 1) for at, name in enumerate(kept)}
            codings = dict(self.codings)
        columns = {**self.columns, predictor: tuple(kept)}
        return replace(self, columns=columns, terms={**self.terms, predictor: terms}, codings=codings)

    def rows(
        self,
        data: Any,
        *,
        response: bool = False,
        arguments: Mapping[str, Any] | None = None,
        unseen: str = "raise",
        transform: bool = True,
    ) -> Rows:
        """Rows of new data, coded as the training rows were.

        Parameters
        ----------
        data : object
            Frame with the formulas' variables; a matrix (or a dict of one per predictor) if the design has no formulas.
        response : bool
            Whether to make the response too.
        arguments : mapping of str to object, optional
            Row arguments, as when the design was made. Those made from a column are read from it again if they are not
            given here; the columns of an offset or exposure (with ``response``, of every argument) must be there.
        unseen : {"raise", "nan"}
            What to do with a level that was not in the training rows; "nan" makes the row's x NaN.
        transform : bool
            Whether the formulas are to be applied; False when ``data`` is the design matrix itself.

        Returns
        -------
        Rows
            All rows are kept; where a variable is missing, x is NaN. See `Rows.complete`.

        Raises
        ------
        FormulaError
            For a missing column or an unseen level, named.
        """
        if unseen not in ("raise", "nan"):
            raise ValueError(f"unseen={unseen!r} is not known; use 'raise' or 'nan'")
        # imported here because these modules make Rows
        if self.formulas and transform:
            from .frames import rows_of_frame

            return rows_of_frame(self, data, response, arguments, unseen)
        from .matrices import rows_of_matrices

        return rows_of_matrices(self, data, arguments)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description, from which a fresh process predicts: no rows of the data, no pickles.

        Functions in the formulas are written by their import path, the caller's constants by value.

        Raises
        ------
        FormulaError
            If a formula uses a function that cannot be imported (a lambda, or one defined in ``__main__``).
        """
        from .saving import design_to_dict  # builds Designs, so it needs this module

        return design_to_dict(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # compiled expressions and modules cannot be pickled; the description can
        return Design.from_dict, (self.to_dict(),)

    def __copy__(self) -> Design:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Design:
        return self  # immutable, so a copy would only cost time

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Design:
        """The design that `to_dict` described. Its formulas are code: load only what you trust."""
        from .saving import design_from_dict

        return design_from_dict(content)


def _incomplete(data: Data) -> torch.Tensor:
    gone = torch.zeros(data.n, dtype=torch.bool)
    tensors = [*data.x.values(), *data.columns.values(), *([] if data.response is None else [data.response])]
    for tensor in tensors:
        missing = tensor.isnan() if tensor.is_floating_point() else tensor < 0
        gone |= missing.reshape(data.n, -1).any(dim=1).cpu()
    return gone
