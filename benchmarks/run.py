"""Time torchmle against its peers: `python benchmarks/run.py [--device cuda] [--only ols poisson] [--quick]`.

Each comparison runs ours and the peer in turns in one process, checks that both found the same, and reports medians.
The table goes to `benchmarks/results/<machine>.md`, with the line that says what it was measured on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # this checkout, installed or not

from harness import machine, table  # noqa: E402
from harness.timing import Outcome, compare  # noqa: E402
from workloads import WORKLOADS  # noqa: E402
from workloads.setting import Setting  # noqa: E402

HOW_TO_READ = """\
Medians of runs in turns; a ratio is the peer's time over ours, with the quartiles of the rounds, so above 1x ours is
the faster. The CPU ratio compares processor time of all threads: the better guide where other programs are running.
The difference is the largest between estimates, in standard errors, and between standard errors, relative."""


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--device", default="cpu", help="where ours and the torch peers compute: cpu (default), cuda, cuda:1"
    )
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS), help="some workloads")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: whether it runs, not how fast")
    parser.add_argument(
        "--out", type=Path, help="the file to write; by default results/<machine>.md (nothing with --quick)"
    )
    return parser.parse_args(given)


def outcomes(setting: Setting, names: Sequence[str]) -> Iterator[Outcome]:
    """The outcomes of some workloads, one after the other."""
    for name in names:
        for case in WORKLOADS[name](setting):
            yield from compare(case, setting.device, setting.quick)


def document(rows: Sequence[Outcome], device: str) -> str:
    return f"# {machine.hardware_line(device)}\n\n{HOW_TO_READ}\n\n{table.table(rows)}\n"


def main(given: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 1 when an answer differs from a peer's."""
    args = arguments(given)
    setting = Setting(args.device, args.quick)
    print(machine.hardware_line(args.device), table.heading(), sep="\n", flush=True)
    rows = []
    for outcome in outcomes(setting, args.only):
        rows.append(outcome)
        print(table.row(table.cells(outcome)), flush=True)
    target = args.out or (None if args.quick else HERE / "results" / f"{machine.file_name(args.device)}.md")
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(document(rows, args.device))
        print(f"written to {target}")
    return 0 if all(outcome.agrees for outcome in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
