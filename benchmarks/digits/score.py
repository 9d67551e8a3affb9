"""One row of the table: correct digits of coefficients, standard errors and log-likelihood, ours and the peers'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from reference.digits import digits

SLACK = 0.5  # digits by which a peer may be ahead
ROUNDING = 14.0  # digits beyond which being ahead is an accident of the last two bits or so of a double
QUANTITIES = ("coefficients", "standard errors", "log-likelihood")


@dataclass(frozen=True)
class Answer:
    """Coefficients, standard errors and log-likelihood; None for what is not offered or not the same quantity."""

    coef: Any = None
    se: Any = None
    llf: float | None = None

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        return self.coef, self.se, self.llf


Digits = tuple[float | None, float | None, float | None]
Known = float | tuple[float, float, float]  # digits to which the truth is known, of all parts or of each


def score(answer: Answer, truth: Answer, known: Known) -> Digits:
    """Digits of each part; None where there is nothing to compare."""
    limits = known if isinstance(known, tuple) else (known,) * 3
    found = [
        None if ours is None or theirs is None else max(0.0, digits(ours, theirs, most=most))
        for ours, theirs, most in zip(answer.parts, truth.parts, limits, strict=True)
    ]
    return found[0], found[1], found[2]


@dataclass(frozen=True)
class Row:
    """A case.

    Attributes
    ----------
    known : digits to which the truth is known, at which scores are capped
    ours : digits of ours
    peers : digits of each peer by its name
    note : what our fit said of itself where it was not "converged"
    """

    name: str
    known: Known
    ours: Digits
    peers: dict[str, Digits] = field(default_factory=dict)
    note: str = ""

    def best(self, part: int) -> float | None:
        """The best peer's digits."""
        found = [value for peer in self.peers.values() if (value := peer[part]) is not None]
        return max(found, default=None)

    @property
    def behind(self) -> list[str]:
        """Quantities in which a peer is ahead by more than the slack."""
        return [
            quantity
            for part, quantity in enumerate(QUANTITIES)
            if (best := self.best(part)) is not None and (self.ours[part] or 0.0) < min(best, ROUNDING) - SLACK
        ]


def attempt(fit: Callable[[], Answer]) -> Answer | None:
    """A peer's answer; None if it raises, whatever it raises."""
    try:
        with np.errstate(all="ignore"):
            return fit()
    except Exception:  # noqa: BLE001  (a peer that fails has no digits)
        return None


def compare(
    name: str,
    truth: Answer,
    ours: Answer,
    peers: dict[str, Callable[[], Answer]],
    known: Known = 15.0,
    note: str = "",
) -> Row:
    """The digits of all."""
    answers = {label: attempt(fit) for label, fit in peers.items()}
    scores = {label: score(answer, truth, known) if answer else failed(truth) for label, answer in answers.items()}
    return Row(name, known, score(ours, truth, known), scores, note)


def failed(truth: Answer) -> Digits:
    """The digits of a fit that gave no answer."""
    found = [None if part is None else 0.0 for part in truth.parts]
    return found[0], found[1], found[2]


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line for each case, three columns for us and for each peer."""
    labels = list(dict.fromkeys(label for row in rows for label in row.peers))
    heads = [f"{who} {part}" for who in ("ours", *labels) for part in ("coef", "se", "llf")]
    lines = [_line(["set", *heads, ""]), _line(["---", *["--:"] * len(heads), "---"])]
    for row in rows:
        values = [row.ours, *(row.peers.get(label, (None, None, None)) for label in labels)]
        cells = [_number(value) for digits_of in values for value in digits_of]
        remark = f"BEHIND in {', '.join(row.behind)}" if row.behind else ""
        lines.append(_line([row.name, *cells, "; ".join(filter(None, (row.note, remark)))]))
    return "\n".join(_without_empty_columns(lines))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _without_empty_columns(lines: list[str]) -> list[str]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    kept = [j for j in range(len(cells[0])) if any(row[j] for row in cells[2:])]
    return [_line([row[j] for j in kept]) for row in cells]
