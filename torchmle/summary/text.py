"""Plain text: aligned columns in statsmodels' layout, and comma-separated values."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Summary
    from .grid import Grid, Row

LABEL_GAP = "   "
CELL_GAP = " "


def summary_text(summary: Summary) -> str:
    """Title, warnings, tables with shared rules, notes."""
    lines = _titled(grid_lines(summary.tables[0]), summary)
    for grid in summary.tables[1:]:
        # The rule under one table is the rule above the next.
        lines = lines[:-1] + grid_lines(grid)
    return "\n".join(lines + _closing(summary))


def grid_lines(grid: Grid) -> list[str]:
    """The title if there is one, then the rows between two rules."""
    widths = column_widths(grid)
    body = [line for row in grid.rows for line in _row_lines(row, grid.align, widths)]
    width = max((len(line) for line in body), default=0)
    title = [grid.title.center(width)] if grid.title else []
    return [*title, "=" * width, *body, "=" * width]


def column_widths(grid: Grid) -> list[int]:
    """Each column as wide as its widest cell, and at least as wide as the grid asks."""
    columns = zip(*(row.cells for row in grid.rows))
    return [
        max(least, max(map(len, cells))) for least, cells in zip(grid.widths, columns, strict=True)
    ]


def summary_csv(summary: Summary) -> str:
    """The tables one after the other, notes as rows of one cell."""
    tables = [grid_csv(grid) for grid in summary.tables]
    lines = [*summary.warnings, *_closing(summary)]
    return "\n".join([*tables, *([""] if lines else []), _csv([[line] for line in lines if line])])


def grid_csv(grid: Grid) -> str:
    """One line per row, the title first."""
    title = [[grid.title]] if grid.title else []
    return _csv([*title, *grid.data])


def _titled(lines: list[str], summary: Summary) -> list[str]:
    """The warnings go under the title, where no reader can miss them."""
    width = len(lines[-1])
    warnings = [
        part
        for warning in summary.warnings
        for part in textwrap.wrap(warning, width, break_long_words=False, break_on_hyphens=False)
    ]
    at = 1 if summary.title else 0
    return [*lines[:at], *warnings, *lines[at:]]


def _closing(summary: Summary) -> list[str]:
    return ["", *summary.closing] if summary.closing else []


def _row_lines(row: Row, align: str, widths: Sequence[int]) -> list[str]:
    line = ""
    for j, (cell, letter, width) in enumerate(zip(row.cells, align, widths, strict=True)):
        gap = "" if j == 0 else LABEL_GAP if letter == "l" else CELL_GAP
        # A block's heading stands in the label column, but belongs to the headers beside it.
        left = letter == "l" and not row.heading
        line += gap + (cell.ljust(width) if left else cell.rjust(width))
    return [line, "-" * len(line)] if row.rule else [line]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().removesuffix("\n")
