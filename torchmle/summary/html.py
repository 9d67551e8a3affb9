"""HTML tables, escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Document
    from .grid import Grid, Row


def document_html(document: Document) -> str:
    """Warnings in the caption of the first table, the closing lines under the last."""
    first, *others = document.tables
    parts = [grid_html(first, document.warnings), *map(grid_html, others)]
    closing = "<br/>\n".join(map(escape, document.closing))
    return "\n".join(parts) + (f"<br/><br/>{closing}" if closing else "")


def grid_html(grid: Grid, warnings: Sequence[str] = ()) -> str:
    """A ``table`` of the class that statsmodels gives its own."""
    caption = "<br/>".join(escape(line) for line in (grid.title, *warnings) if line)
    parts = [f"<caption>{caption}</caption>"] if caption else []
    parts += [_row(row, grid.align) for row in grid.rows]
    return "\n".join(['<table class="simpletable">', *parts, "</table>"])


def _row(row: Row, align: str) -> str:
    cells = zip(row.cells, align, strict=True)
    return f"<tr>{''.join(_cell(cell, letter, row.heading) for cell, letter in cells)}</tr>"


def _cell(cell: str, letter: str, heading: bool) -> str:
    # An empty corner is no heading: pandas.read_html then keeps the headings as the first row,
    # which is what header=0 asks for and what statsmodels' tables do.
    tag = "th" if cell and (heading or letter == "l") else "td"
    side = "left" if letter == "l" else "right"
    return f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
