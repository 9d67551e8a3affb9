"""Messages about formulas and the data they meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ...errors import FormulaError, MissingDataError

_SHOWN = 5


class IncompleteDataError(FormulaError, MissingDataError):
    """Missing values in a formula's rows where the caller asked for none: both kinds of error at once."""


def unknown_name(name: str, known: Iterable[str], role: str = "column") -> FormulaError:
    """Error for a name that is nowhere, with the near names as suggestions."""
    known = [str(other) for other in known]
    near = [other for other in known if other.lower() == name.lower()]
    near = near or difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    quoted = [repr(other) if other.isidentifier() or role != "variable" else f"Q({other!r})" for other in near]
    hint = f"did you mean {' or '.join(quoted)}?" if near else f"known: {shorten(known, 12)}"
    return FormulaError(f"there is no {role} {name!r}; {hint}")


def shorten(items: Iterable[object], shown: int = _SHOWN) -> str:
    """The first few items separated by commas, and how many more there are."""
    items = list(items)
    more = f", … ({len(items) - shown} more)" if len(items) > shown else ""
    return ", ".join(str(item) for item in items[:shown]) + more


def at_rows(labels: Iterable[object]) -> str:
    """``row 3`` or ``rows 3, 17, …``."""
    labels = list(labels)
    return f"row{'s' if len(labels) > 1 else ''} {shorten(labels)}"
