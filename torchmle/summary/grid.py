"""A table of strings: what every output format draws.

Nothing here knows what the strings mean. A left-aligned column holds labels, a
right-aligned one values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from . import html, latex, text

Pair = tuple[str, str]

LABEL_WIDTH = 10
CELL_WIDTH = 10
LIMIT_WIDTH = 11
PAIR_WIDTH = 18
RIGHT_LABEL_WIDTH = 19
"""Least column widths in characters, such that the usual summary is 78 wide."""


@dataclass(frozen=True)
class Row:
    """One row of a `Grid`.

    Parameters
    ----------
    cells : tuple of str
    heading : bool
        The cells are column headings.
    rule : bool
        A rule is drawn below.
    """

    cells: tuple[str, ...]
    heading: bool = False
    rule: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of strings that draws itself as text, HTML, LaTeX and CSV.

    Parameters
    ----------
    rows : tuple of Row
        All with as many cells as `align` has letters.
    align : str
        One letter per column: ``l`` for labels, ``r`` for values.
    widths : tuple of int
        Least width of each column in the text form, in characters.
    title : str
    hanging : bool
        In the text form, let stars and closing brackets hang out to the right of the numbers, so
        that the digits of a column stay aligned.
    """

    rows: tuple[Row, ...]
    align: str
    widths: tuple[int, ...]
    title: str = ""
    hanging: bool = False

    @property
    def data(self) -> list[list[str]]:
        """The cells, row by row, headings included."""
        return [list(row.cells) for row in self.rows]

    def as_text(self) -> str:
        """The table as lines of equal width."""
        return "\n".join(text.grid_lines(self))

    def as_html(self) -> str:
        """The table as an HTML ``table`` element, which `pandas.read_html` reads."""
        return html.grid_html(self)

    def as_latex(self) -> str:
        """The table as one LaTeX ``tabular`` in a ``center``; needs no package."""
        return latex.center(self.title, [latex.tabular([self])])

    def as_latex_tabular(self, center: bool = True) -> str:
        """`as_latex` under statsmodels' name; without `center` the bare ``tabular``."""
        return self.as_latex() if center else latex.tabular([self])

    def as_csv(self) -> str:
        """The table as comma-separated values, quoted where a cell holds a comma."""
        return text.grid_csv(self)

    def __str__(self) -> str:
        return self.as_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.as_html()

    def _repr_latex_(self) -> str:
        return self.as_latex()


def pairs_grid(left: Sequence[Pair], right: Sequence[Pair] = ()) -> Grid:
    """Labels and values in two columns, or in one when `right` is empty."""
    if not right:
        rows = [Row(clean(pair)) for pair in left]
        return Grid(tuple(rows), "lr", (PAIR_WIDTH, PAIR_WIDTH))
    pairs = zip_longest(left, right, fillvalue=("", ""))
    rows = [Row(clean((*one, *other))) for one, other in pairs]
    return Grid(tuple(rows), "lrlr", (PAIR_WIDTH, PAIR_WIDTH, RIGHT_LABEL_WIDTH, PAIR_WIDTH))


def blocks_grid(blocks: Sequence[Sequence[Row]]) -> Grid:
    """Blocks of rows with common columns, a rule between them."""
    rows: list[Row] = []
    for block in blocks:
        if rows:
            rows[-1] = replace(rows[-1], rule=True)
        rows += [replace(row, cells=clean(row.cells)) for row in block]
    values = len(rows[0].cells) - 1
    # The limits of an interval are the fifth and sixth column of a coefficient table.
    widths = tuple(LIMIT_WIDTH if j % 6 in (4, 5) else CELL_WIDTH for j in range(values))
    return Grid(tuple(rows), "l" + "r" * values, (LABEL_WIDTH, *widths))


def clean(cells: Iterable[str]) -> tuple[str, ...]:
    """Cells without padding or line breaks, which would tear a row apart."""
    return tuple(" ".join(str(cell).splitlines()).strip() for cell in cells)
