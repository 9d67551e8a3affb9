"""Plain text: aligned columns in statsmodels' layout, and comma-separated values."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Document
    from .grid import Grid, Row

LABEL_GAP = "   "
CELL_GAP = " "
NUMBER = re.compile(r"[(\[]?-?(?:\d|nan|inf)")


def document_text(document: Document) -> str:
    """Title, warnings, tables with shared rules, closing lines."""
    first, *others = document.tables
    lines = _warned(grid_lines(first), document.warnings, at=1 if first.title else 0)
    for grid in others:
        # The rule under one table is the rule above the next.
        lines = lines[:-1] + grid_lines(grid)
    closing = document.closing
    return "\n".join([*lines, "", *closing] if closing else lines)


def grid_lines(grid: Grid) -> list[str]:
    """The title if there is one, then the rows between two rules."""
    rows = _hung(grid.rows, grid.align) if grid.hanging else grid.rows
    widths = _widths(rows, grid.widths)
    body = [line for row in rows for line in _row_lines(row, grid.align, widths)]
    width = len(body[-1]) if body else 0
    title = [grid.title.center(width)] if grid.title else []
    return [*title, "=" * width, *body, "=" * width]


def document_csv(document: Document) -> str:
    """The tables one under the other, warnings and closing lines as rows of one cell."""
    first, *others = document.tables
    head = [line for line in (first.title, *document.warnings) if line]
    rows = [*([line] for line in head), *first.data]
    rows += [cells for grid in others for cells in _titled(grid)]
    return _csv([*rows, *([line] for line in document.closing if line)])


def grid_csv(grid: Grid) -> str:
    """One line per row, the title first."""
    return _csv(_titled(grid))


def _warned(lines: list[str], warnings: Sequence[str], at: int) -> list[str]:
    """The warnings go under the title, where no reader can miss them."""
    width = len(lines[-1])
    wrapped = [
        part
        for warning in warnings
        for part in textwrap.wrap(warning, width, break_long_words=False, break_on_hyphens=False)
    ]
    return [*lines[:at], *wrapped, *lines[at:]]


def _hung(rows: Sequence[Row], align: str) -> list[Row]:
    """The rows with their values shifted so that all numbers end in the same place."""
    longest = max(_tail(cell) for row in rows for cell in row.cells)

    def shifted(cell: str, letter: str) -> str:
        return cell if letter == "l" else cell + " " * (longest - _tail(cell))

    return [replace(row, cells=tuple(shifted(*pair) for pair in zip(row.cells, align, strict=True))) for row in rows]


def _tail(cell: str) -> int:
    """How many stars and brackets close a number."""
    return len(cell) - len(cell.rstrip("*)]")) if NUMBER.match(cell) else 0


def _widths(rows: Sequence[Row], least: Sequence[int]) -> list[int]:
    """Each column as wide as its widest cell, and at least as wide as asked."""
    columns = zip(*(row.cells for row in rows), strict=True)
    return [max(low, *map(len, cells)) for low, cells in zip(least, columns, strict=True)]


def _row_lines(row: Row, align: str, widths: Sequence[int]) -> list[str]:
    line = ""
    for j, (cell, letter, width) in enumerate(zip(row.cells, align, widths, strict=True)):
        gap = "" if j == 0 else LABEL_GAP if letter == "l" else CELL_GAP
        # A block's heading stands in the label column, but belongs to the headers beside it.
        left = letter == "l" and not row.heading
        line += gap + (cell.ljust(width) if left else cell.rjust(width))
    return [line, "-" * len(line)] if row.rule else [line]


def _titled(grid: Grid) -> list[list[str]]:
    return [[grid.title], *grid.data] if grid.title else grid.data


def _csv(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().removesuffix("\n")
