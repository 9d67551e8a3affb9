"""HTML tables, escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Summary
    from .grid import Grid, Row


def summary_html(summary: Summary) -> str:
    """Warnings in the caption of the first table, the notes under the last."""
    first, *others = summary.tables
    parts = [grid_html(first, summary.warnings), *map(grid_html, others)]
    closing = "<br/>\n".join(map(escape, summary.closing))
    return "\n".join(parts) + (f"<br/><br/>{closing}" if closing else "")


def grid_html(grid: Grid, warnings: tuple[str, ...] = ()) -> str:
    """A ``table`` of the class that statsmodels gives its own."""
    caption = "<br/>".join(map(escape, filter(None, (grid.title, *warnings))))
    parts = [f"<caption>{caption}</caption>"] if caption else []
    parts += [_row(row, grid.align) for row in grid.rows]
    return "\n".join(['<table class="simpletable">', *parts, "</table>"])


def _row(row: Row, align: str) -> str:
    cells = "".join(
        _cell(cell, heading=bool(cell) and (row.heading or letter == "l"), right=letter == "r")
        for cell, letter in zip(row.cells, align)
    )
    return f"<tr>{cells}</tr>"


def _cell(cell: str, heading: bool, right: bool) -> str:
    tag = "th" if heading else "td"
    style = ' style="text-align: right"' if right else ' style="text-align: left"'
    return f"<{tag}{style}>{escape(cell)}</{tag}>"
