"""The summary of a fit as a document: strings in, text, HTML, LaTeX and CSV out.

It knows no model. Whoever describes a fit chooses the strings (`torchmle.summary.numbers`
formats them) and hands them over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from . import html, latex, text
from .grid import Grid, Pair, Row, blocks_grid, pairs_grid
from .numbers import coefficient, interval_headers, probability, statistic
from .shown import Shown

NO_PARAMETERS = "No Model Parameters"


class Document(Shown, ABC):
    """Tables under a title, with warnings and closing lines: drawn in every format."""

    warnings: Sequence[str] = ()

    @property
    @abstractmethod
    def tables(self) -> list[Grid]:
        """The tables, the title on the first; each has ``as_text``, ``as_html`` …"""

    @property
    @abstractmethod
    def closing(self) -> list[str]:
        """The lines below the tables."""

    def as_text(self) -> str:
        """Plain text in statsmodels' layout: 78 characters wide, or more for long names."""
        return text.document_text(self)

    def as_html(self) -> str:
        """HTML, one ``table`` element per table."""
        return html.document_html(self)

    def as_latex(self) -> str:
        """LaTeX, all tables in one ``tabular``; needs no package."""
        return latex.document_latex(self)

    def as_csv(self) -> str:
        """Comma-separated values, one table under the other."""
        return text.document_csv(self)


@dataclass(frozen=True)
class Block:
    """Rows of a coefficient table that share a heading.

    Parameters
    ----------
    headers : tuple of str
        Column headers, c of them.
    labels : tuple of str
        Row labels, k of them.
    cells : tuple of tuple of str
        k rows of c cells.
    heading : str
        What the rows describe, such as ``'sigma'`` or ``'mn=1'``; empty for a lone block.

    Raises
    ------
    ValueError
        If the numbers of labels, headers and cells do not fit together.
    """

    headers: tuple[str, ...]
    labels: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    heading: str = ""

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.cells):
            raise ValueError(
                f"a block needs one label per row: got {len(self.labels)} labels and {len(self.cells)} rows of cells"
            )
        for label, row in zip(self.labels, self.cells, strict=True):
            if len(row) != len(self.headers):
                raise ValueError(f"row {label!r} has {len(row)} cells under {len(self.headers)} headers")

    def rows(self) -> list[Row]:
        """The header row and one row per label."""
        labelled = zip(self.labels, self.cells, strict=True)
        rows = [Row((label, *cells)) for label, cells in labelled]
        if not rows:
            rows = [Row((NO_PARAMETERS, *[""] * len(self.headers)))]
        return [Row((self.heading, *self.headers), heading=True, rule=True), *rows]


@dataclass(frozen=True, repr=False)
class Summary(Document):
    """What is printed about a fit.

    Parameters
    ----------
    title : str
    left, right : sequence of (str, str)
        Labels and values of the header's two columns; `right` may be empty.
    blocks : sequence of Block
        Coefficient tables with the same number of columns; may be empty.
    warnings : sequence of str
        Printed right under the title, wrapped to the width of the header.
    bottom_left, bottom_right : sequence of (str, str)
        Diagnostics under the coefficients; may be empty.
    notes : sequence of str
        Numbered under "Notes:".
    extra : sequence of str
        Lines after the notes.

    Examples
    --------
    >>> block = coefficient_table(["x"], [1.5], [0.5], [3.0], [0.0027], [[0.52, 2.48]])
    >>> summary = Summary("Results", [("Model:", "Logit")], [("AIC:", "12.0")], [block])
    >>> print(summary.tables[1])
    ==============================================================================
                     coef    std err          z      P>|z|      [0.025      0.975]
    ------------------------------------------------------------------------------
    x              1.5000      0.500      3.000      0.003       0.520       2.480
    ==============================================================================
    """

    title: str
    left: Sequence[Pair]
    right: Sequence[Pair] = ()
    blocks: Sequence[Block] = ()
    warnings: Sequence[str] = ()
    bottom_left: Sequence[Pair] = ()
    bottom_right: Sequence[Pair] = ()
    notes: Sequence[str] = ()
    extra: Sequence[str] = ()
    _added: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not (self.left or self.right or self.blocks):
            raise ValueError("a summary needs a header or a block of coefficients: got neither")
        widths = {len(block.headers) for block in self.blocks}
        if len(widths) > 1:
            raise ValueError(f"the blocks of a summary need equally many columns: got {sorted(widths)}")

    @property
    def tables(self) -> list[Grid]:
        """The header, the coefficients (all blocks), the diagnostics."""
        grids = [pairs_grid(self.left, self.right)] if self.left or self.right else []
        if self.blocks:
            grids.append(blocks_grid([block.rows() for block in self.blocks]))
        if self.bottom_left or self.bottom_right:
            grids.append(pairs_grid(self.bottom_left, self.bottom_right))
        return [replace(grids[0], title=self.title), *grids[1:]]

    @property
    def closing(self) -> list[str]:
        """The lines below the tables: numbered notes, then the extra lines."""
        notes = [f"[{i}] {note}" for i, note in enumerate(self.notes, start=1)]
        lines = ["Notes:", *notes] if notes else []
        extra = [*self.extra, *self._added]
        gap = [""] if notes and extra else []
        return [line for part in (*lines, *gap, *extra) for line in part.split("\n")]

    @property
    def extra_txt(self) -> str | None:
        """The lines below the tables as one string, None without any (statsmodels' name)."""
        return "\n".join(self.closing) or None

    def add_extra_txt(self, etext: Iterable[str]) -> None:
        """Append lines below the notes: the one thing about a summary that can change.

        statsmodels' method of that name replaces the notes; here they stay.
        """
        self._added.extend([etext] if isinstance(etext, str) else etext)


def coefficient_table(
    names: Sequence[str],
    params: ArrayLike,
    bse: ArrayLike,
    tvalues: ArrayLike,
    pvalues: ArrayLike,
    conf_int: ArrayLike,
    *,
    alpha: float = 0.05,
    use_t: bool = False,
    heading: str = "",
    estimate: str = "coef",
) -> Block:
    """The usual coefficient table: estimate, standard error, test and interval.

    Parameters
    ----------
    names : sequence of str
        k row labels.
    params, bse, tvalues, pvalues : array_like
        k numbers each; NaN prints as ``nan``.
    conf_int : array_like, shape (k, 2)
        Limits of the 1 - `alpha` intervals, which head their columns.
    alpha : float
    use_t : bool
        Whether the p-values are of the t distribution; heads the columns ``t`` or ``z``.
    heading : str
        Of a block among several.
    estimate : str
        Header of the estimates, such as ``'dy/dx'`` for marginal effects.

    Raises
    ------
    ValueError
        If there is not one name per parameter.
    """
    columns = [np.asarray(c, dtype=float).ravel() for c in (params, bse, tvalues, pvalues)]
    limits = np.asarray(conf_int, dtype=float).reshape(-1, 2)
    if any(len(column) != len(names) for column in (*columns, limits)):
        raise ValueError(
            "xnames and params do not have the same length: "
            f"{len(names)} names, {[len(column) for column in (*columns, limits)]} values"
        )
    formats = (coefficient, statistic, statistic, probability, statistic, statistic)
    cells = tuple(
        tuple(write(value) for write, value in zip(formats, row, strict=True))
        for row in np.column_stack([*columns, limits]).tolist()
    )
    letter = "t" if use_t else "z"
    headers = (estimate, "std err", letter, f"P>|{letter}|", *interval_headers(alpha))
    return Block(headers, tuple(map(str, names)), cells, heading)
