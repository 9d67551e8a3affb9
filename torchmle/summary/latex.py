r"""LaTeX that compiles: one ``tabular`` with its rules inside, every cell escaped.

No package is needed. Text outside Latin scripts needs a Unicode engine (xelatex, lualatex).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Summary
    from .grid import Grid, Row

# A row that starts with [ would be read as an argument of the \\ before it, hence the braces.
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
        "[": "{[}",
        "]": "{]}",
    }
)
MINUS = re.compile(r"(?<![\w.)])-(?=[\d.]|inf)")


def summary_latex(summary: Summary) -> str:
    """Title and warnings above one ``tabular``, the notes below."""
    head = [f"{escape(warning)} \\\\" for warning in summary.warnings]
    body = center(summary.title, [*head, tabular(summary.tables)])
    return body + ("\n" + _notes(summary.closing) if summary.closing else "")


def center(title: str, parts: Sequence[str]) -> str:
    """The parts in a ``center`` under their title."""
    head = [rf"\textbf{{{escape(title)}}} \\"] if title else []
    return "\n".join([r"\begin{center}", *head, *parts, r"\end{center}"])


def tabular(grids: Sequence[Grid]) -> str:
    """Grids of any widths under each other in one ``tabular``, so that their edges meet."""
    columns = max(len(grid.align) for grid in grids)
    lines = [rf"\begin{{tabular}}{{l{'r' * (columns - 1)}}}", r"\hline"]
    for grid in grids:
        lines += [line for row in grid.rows for line in _row(row, grid.align, columns)]
        lines.append(r"\hline")
    return "\n".join([*lines, r"\end{tabular}"])


def escape(string: str) -> str:
    """The string with every character that LaTeX gives a meaning made literal."""
    escaped = " ".join(string.split()).translate(ESCAPES)
    # The \\ before a row that starts with a star would swallow it.
    return "{*}" + escaped[1:] if escaped.startswith("*") else escaped


def _notes(lines: Sequence[str]) -> str:
    body = " \\\\\n".join(escape(line) or r"\mbox{}" for line in lines)
    return f"\\begin{{flushleft}}\n{body}\n\\end{{flushleft}}"


def _row(row: Row, align: str, columns: int) -> list[str]:
    cells = [
        _cell(cell, letter, span)
        for cell, letter, span in zip(row.cells, align, _spans(len(align), columns))
    ]
    line = " & ".join(cells) + r" \\"
    return [line, r"\hline"] if row.rule else [line]


def _cell(cell: str, letter: str, span: int) -> str:
    content = escape(cell)
    if letter == "r":
        content = MINUS.sub("$-$", content)
    if span == 1 and letter == "r":
        return content
    return content if span == 1 else rf"\multicolumn{{{span}}}{{{letter}}}{{{content}}}"


def _spans(cells: int, columns: int) -> list[int]:
    """Columns that each of the cells covers: the first one, the others equal shares."""
    share, rest = divmod(columns - 1, cells - 1)
    return [1] + [share + (j < rest) for j in range(cells - 1)]
