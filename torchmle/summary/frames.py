"""A summary whose tables are DataFrames: numbers to compute with, drawn in every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .document import Document
from .grid import CELL_WIDTH, LABEL_WIDTH, LIMIT_WIDTH, PAIR_WIDTH, RIGHT_LABEL_WIDTH, Grid, Row, clean
from .shown import Shown

PAIR_WIDTHS = (PAIR_WIDTH + 1, PAIR_WIDTH - 1, RIGHT_LABEL_WIDTH, PAIR_WIDTH)


@dataclass(frozen=True)
class _Drawing(Document):
    """Grids under a title."""

    grids: Sequence[Grid]
    closing_lines: Sequence[str]
    warnings: Sequence[str] = ()

    @property
    def tables(self) -> list[Grid]:
        return list(self.grids)

    @property
    def closing(self) -> list[str]:
        return list(self.closing_lines)


@dataclass(frozen=True, repr=False)
class FrameSummary(Shown):
    """What is printed about a fit, as frames.

    Parameters
    ----------
    title : str
    tables : list of DataFrame
        The header (labels and texts in four columns, numbered), one frame of coefficients for each block, diagnostics.
        Numbered columns and rows are not drawn; the name of an index heads its labels.
    notes : sequence of str
        Numbered under "Notes:".
    warnings : sequence of str
        Printed right under the title.
    float_format : str
        Of the numbers, such as ``"%.4f"``.
    """

    title: str
    tables: list[pd.DataFrame]
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    float_format: str = "%.4f"

    @property
    def extra_txt(self) -> list[str]:
        """The lines below the tables."""
        lines = ["Notes:", *(f"[{i}] {note}" for i, note in enumerate(self.notes, start=1))]
        return ["\n".join(lines)] if self.notes else []

    @property
    def _drawing(self) -> _Drawing:
        first, *others = [_grid(frame, self.float_format) for frame in self.tables]
        titled = Grid(first.rows, first.align, first.widths, self.title)
        lines = [line for text in self.extra_txt for line in text.split("\n")]
        return _Drawing([titled, *others], lines, self.warnings)

    def as_text(self) -> str:
        """Plain text."""
        return self._drawing.as_text()

    def as_html(self) -> str:
        """HTML, one ``table`` element per table."""
        return self._drawing.as_html()

    def as_latex(self, label: str = "") -> str:
        """LaTeX; with a `label`, to be referred to by it."""
        drawn = self._drawing.as_latex()
        return f"{drawn}\n\\label{{{label}}}" if label else drawn

    def as_csv(self) -> str:
        """Comma-separated values, one table under the other."""
        return self._drawing.as_csv()


def _grid(frame: pd.DataFrame, float_format: str) -> Grid:
    """A frame as strings; numbered rows and columns have no labels."""
    cells = [[_text(value, float_format) for value in row] for row in frame.itertuples(index=False, name=None)]
    if all(isinstance(name, int) for name in frame.columns):
        align = "lr" * (frame.shape[1] // 2)
        return Grid(tuple(Row(clean(row)) for row in cells), align, PAIR_WIDTHS[: len(align)])
    labels = [str(label) for label in frame.index]
    head = Row(clean([str(frame.index.name or ""), *map(str, frame.columns)]), heading=True, rule=True)
    rows = [Row(clean([label, *row])) for label, row in zip(labels, cells, strict=True)]
    widths = tuple(LIMIT_WIDTH if j in (4, 5) else CELL_WIDTH for j in range(frame.shape[1]))
    return Grid((head, *rows), "l" + "r" * frame.shape[1], (LABEL_WIDTH, *widths))


def _text(value: Any, float_format: str) -> str:
    return float_format % value if isinstance(value, float) else str(value)
