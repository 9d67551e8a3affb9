"""A table of fits as a document: it knows its cells, not where they came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import pandas as pd

from ..summary import Document, Grid
from ..summary.grid import CELL_WIDTH, LABEL_WIDTH, Row, clean

ESTIMATE = "estimate"
"""Names, in a `Line`, the estimate of its term."""


class Line(NamedTuple):
    """A row of a `Table`: what it is about, which number of it, one cell per model."""

    term: str
    statistic: str
    cells: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Table(Document):
    """Fits side by side; made by `table`.

    Prints as text and renders as HTML in a notebook; `as_text`, `as_html`, `as_latex`, `as_csv`
    and `to_frame` give it in other forms.

    Parameters
    ----------
    columns : tuple of str
        Column headers, one per model.
    head : tuple of Line
        What the models are.
    sections : tuple of tuple of Line
        Estimates and statistics, a rule above each.
    title : str
    notes : tuple of str
        Lines below the table.
    """

    columns: tuple[str, ...]
    head: tuple[Line, ...]
    sections: tuple[tuple[Line, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> list[Grid]:
        """The one table."""
        rows = [Row(clean(("", *self.columns)), heading=True), *map(_row, self.head)]
        for lines in self.sections:
            rows[-1] = replace(rows[-1], rule=True)
            rows += map(_row, lines)
        widths = (LABEL_WIDTH, *[CELL_WIDTH] * len(self.columns))
        align = "l" + "r" * len(self.columns)
        return [Grid(tuple(rows), align, widths, self.title, hanging=True)]

    @property
    def closing(self) -> list[str]:
        """The notes."""
        return list(self.notes)

    def to_frame(self) -> pd.DataFrame:
        """The cells as strings, one column per model, rows by term and statistic.

        ``frame.xs("estimate", level="statistic")`` are the estimates, ``frame.loc["N"]`` the
        numbers of observations.
        """
        lines = [*self.head, *chain.from_iterable(self.sections)]
        keys = [(line.term, line.statistic) for line in lines]
        index = pd.MultiIndex.from_tuples(keys, names=["term", "statistic"])
        return pd.DataFrame([line.cells for line in lines], index=index, columns=list(self.columns))


def _row(line: Line) -> Row:
    """The line under its term; what stands below an estimate needs no label of its own."""
    label = line.term if line.statistic in ("", ESTIMATE) else ""
    return Row(clean((label, *line.cells)))
