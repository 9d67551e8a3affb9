"""The outcomes as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from .timing import Outcome

HEADER = ("workload", "peer", "ours", "peer's", "ratio (quartiles)", "CPU ratio", "difference", "asked")


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "ms" and value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def factor(value: float) -> str:
    return f"{value:.0f}x" if value >= 20 else f"{value:.2g}x"


def cells(outcome: Outcome) -> tuple[str, ...]:
    case, peer = outcome.case, outcome.peer
    ratio = ""
    if outcome.ratios is not None:
        low, middle, high = outcome.ratios
        ratio = f"**{factor(middle)}** ({factor(low)} to {factor(high)})"
    apart = "" if outcome.difference is None else f"{outcome.difference:.0e}"
    return (
        case.name,
        "" if peer is None else peer.name if peer.run is not None else f"{peer.name} (not installed)",
        amount(outcome.ours, case.unit),
        amount(outcome.theirs, case.unit),
        ratio,
        "" if outcome.cpu_ratio is None or case.unit != "ms" else factor(outcome.cpu_ratio),
        apart if outcome.agrees else f"{apart} WRONG",
        outcome.verdict,
    )


def row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def heading() -> str:
    return "\n".join([row(HEADER), row(["---"] * len(HEADER))])


def table(outcomes: Sequence[Outcome]) -> str:
    """All rows; a workload is named once."""
    lines, last = [heading()], ""
    for outcome in outcomes:
        values = cells(outcome)
        lines.append(row(("" if values[0] == last else values[0], *values[1:])))
        last = values[0]
    return "\n".join(lines)
