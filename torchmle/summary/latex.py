r"""LaTeX that compiles: one ``tabular`` with its rules inside, every cell escaped.

No package is needed. Text outside Latin scripts needs a Unicode engine (xelatex, lualatex).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Document
    from .grid import Grid, Row

RULE = r"\hline"
BREAK = r" \\"
ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "_": r"\_",
        "%": r"\%",
        "&": r"\&",
        "#": r"\#",
        "$": r"\$",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # A line break would take a bracket that follows it for its own argument.
        "[": "{[}",
        "]": "{]}",
    }
)
MINUS = re.compile(r"(?<![\w.)])-(?=[\d.]|inf)")


def document_latex(document: Document) -> str:
    """Title and warnings above one ``tabular``, the closing lines below."""
    first, *_ = document.tables
    parts = [escape(warning) + BREAK for warning in document.warnings]
    body = center(first.title, [*parts, tabular(document.tables)])
    return body + ("\n" + _flushleft(document.closing) if document.closing else "")


def center(title: str, parts: Sequence[str]) -> str:
    """The parts in a ``center`` under their title."""
    head = [rf"\textbf{{{escape(title)}}}" + BREAK] if title else []
    return "\n".join([r"\begin{center}", *head, *parts, r"\end{center}"])


def tabular(grids: Sequence[Grid]) -> str:
    """Grids of any widths under each other in one ``tabular``, so that their edges meet; double rules above and below."""
    columns = max(len(grid.align) for grid in grids)
    lines = [rf"\begin{{tabular}}{{l{'r' * (columns - 1)}}}", RULE, RULE]
    for grid in grids:
        spans = _spans(len(grid.align), columns)
        lines += [line for row in grid.rows for line in _row(row, grid.align, spans)]
        lines.append(RULE)
    return "\n".join([*lines, RULE, r"\end{tabular}"])


def escape(string: str) -> str:
    """The string with every character that LaTeX gives a meaning made literal."""
    escaped = " ".join(string.split()).translate(ESCAPES)
    # A line break would take a star that follows it for its own.
    return "{*}" + escaped[1:] if escaped.startswith("*") else escaped


def _flushleft(lines: Sequence[str]) -> str:
    body = f"{BREAK}\n".join(escape(line) or r"\mbox{}" for line in lines)
    return f"\\begin{{flushleft}}\n{body}\n\\end{{flushleft}}"


def _row(row: Row, align: str, spans: Sequence[int]) -> list[str]:
    cells = zip(row.cells, align, spans, strict=True)
    line = " & ".join(_cell(cell, letter, span) for cell, letter, span in cells) + BREAK
    return [line, RULE] if row.rule else [line]


def _cell(cell: str, letter: str, span: int) -> str:
    content = escape(cell)
    if letter == "r":
        content = MINUS.sub("$-$", content)
    return content if span == 1 else rf"\multicolumn{{{span}}}{{{letter}}}{{{content}}}"


def _spans(cells: int, columns: int) -> list[int]:
    """Columns that each of the cells covers: the first one, the others equal shares."""
    share, rest = divmod(columns - 1, cells - 1)
    return [1] + [share + (j < rest) for j in range(cells - 1)]
