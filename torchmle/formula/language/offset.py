"""``offset(expression)`` in a formula, as in R: what is added to the linear predictor with no coefficient."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import numpy as np

from ...errors import FormulaError

_OFFSET = re.compile(r"(?<![\w.])offset\s*\(")
_NAME = re.compile(r"[A-Za-z_]\w*")

FUNCTIONS = {"log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10, "exp": np.exp, "sqrt": np.sqrt}
"""What R's names mean in an offset, unless the caller's variables of these names mean something else."""


@dataclass(frozen=True)
class Code:
    """A row argument that is an expression of the data's columns, evaluated anew for new rows."""

    text: str

    def __str__(self) -> str:
        return self.text


def without_offset(formula: str) -> tuple[str, str | Code | None]:
    """A formula without its term ``offset(...)``, and the column's name or the expression; None when it has none.

    Raises
    ------
    FormulaError
        More than one offset, or one that is not a term of a sum; an expression that cannot be read.
    """
    found = [span for match in _OFFSET.finditer(formula) if (span := _span(formula, match)) is not None]
    if len(found) > 1:
        inside = [formula[start:end] for _, start, end, _ in found]
        raise FormulaError(
            f"the formula has {len(found)} offsets, {', '.join(inside)}; add them up in one, offset({' + '.join(inside)})"
        )
    if not found:
        return formula, None
    ((first, start, end, last),) = found
    before, after, text = formula[:first].rstrip(), formula[last:].lstrip(), formula[start:end].strip()
    if before[-1:] not in ("+", "~") or after[:1] not in ("", "+", "-"):
        raise FormulaError(
            f"offset({text}) must be a term of its own, as in 'y ~ x + offset({text})', in {formula!r}; or pass offset="
        )
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        raise FormulaError(f"cannot read offset({text}): its inside must be an expression of columns") from None
    return _closed(before, after), text if _NAME.fullmatch(text) else Code(text)


def _closed(before: str, after: str) -> str:
    """The formula with nothing where the offset was."""
    if before.endswith("+"):
        return f"{before[:-1].rstrip()} {after}".rstrip()
    return f"{before} {after[1:].lstrip() if after.startswith('+') else f'1 {after}'.rstrip()}"


def _span(formula: str, match: re.Match[str]) -> tuple[int, int, int, int] | None:
    """Where an offset begins, where its inside does, where that ends, and what follows; None inside of something else."""
    if "~" not in formula[: match.start()] or _depth(formula[: match.start()]):
        return None
    depth, quote = 0, ""
    for at in range(match.end() - 1, len(formula)):
        character = formula[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        if not depth and not quote:
            return match.start(), match.end(), at, at + 1
    raise FormulaError(f"the parenthesis of offset( is not closed in {formula!r}")


def _depth(text: str) -> int:
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", text)
    return sum(character in "([{" for character in bare) - sum(character in ")]}" for character in bare)
