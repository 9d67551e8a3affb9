"""``offset(name)`` in a formula, as in R: a column that is added to the linear predictor with no coefficient."""

from __future__ import annotations

import re

from ..errors import FormulaError

_LAST = re.compile(r"\+\s*offset\(\s*([A-Za-z_]\w*)\s*\)")
_FIRST = re.compile(r"~\s*offset\(\s*([A-Za-z_]\w*)\s*\)\s*\+")


def without_offset(formula: str) -> tuple[str, str | None]:
    """A formula without its term ``offset(name)``, and the name; None when it has none, or an expression.

    Raises
    ------
    FormulaError
        More than one offset.
    """
    names = [*_FIRST.findall(formula), *_LAST.findall(formula)]
    if len(names) > 1:
        raise FormulaError(f"the formula has {len(names)} offsets, {', '.join(names)}; add them up in one column")
    return _LAST.sub("", _FIRST.sub("~ ", formula)), names[0] if names else None
