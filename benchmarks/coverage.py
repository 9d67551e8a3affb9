"""Simulate every model: are estimates unbiased, do 95 % intervals cover? `python benchmarks/coverage.py [--only poisson]`.

Samples are drawn from known parameters and fitted; the table says how far the mean of the estimates is from the truth,
what standard errors are of the estimates' standard deviation, and how many intervals hold the truth.  Rows outside the
band, 94 to 96 % unless a reason is stated, end the run with exit status 1.  `docs/coverage.md` is a full run.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

from coverage_cases import CASES, NOMINAL, Case, Expected  # noqa: E402
from harness import machine  # noqa: E402

from torchmle.errors import SpecificationWarning  # noqa: E402

Array = NDArray[np.float64]
SURE = 2.0  # Monte Carlo standard errors that pooled coverage may lie outside the band
ALL_SURE = 3.5  # and that of the worst of many coefficients, or the worst of their biases


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the replications of one kind of intervals say.

    Attributes
    ----------
    errors, std_errors : ndarray (r, k)
        Estimate less truth, and the standard error.
    covered : ndarray (r, k)
        Whether the interval held the truth; no limits hold nothing.
    warned : int
        Replications that gave a warning, such as no convergence.
    """

    case: Case
    kind: str
    errors: Array
    std_errors: Array
    covered: NDArray[np.bool_]
    warned: int

    @property
    def expected(self) -> Expected:
        return self.case.expected.get(self.kind, NOMINAL)

    @property
    def replications(self) -> int:
        return len(self.covered)

    @property
    def coverage(self) -> float:
        """Of all coefficients together."""
        return float(self.covered.mean())

    @property
    def coverage_error(self) -> float:
        """Monte Carlo standard error of `coverage`; the coefficients of a sample are not independent."""
        return float(np.std(self.covered.mean(1), ddof=1) / np.sqrt(self.replications))

    @property
    def each(self) -> Array:
        """Coverage of each coefficient, (k,)."""
        return self.covered.mean(0)

    @property
    def bias(self) -> Array:
        """Of each estimate in its standard deviations, (k,); the Monte Carlo standard error is 1 / sqrt(r)."""
        return self.errors.mean(0) / self.errors.std(0, ddof=1)

    @property
    def ratio(self) -> Array:
        """Root mean square of the standard errors over the standard deviation of the estimates, (k,)."""
        return np.sqrt((self.std_errors**2).mean(0)) / self.errors.std(0, ddof=1)

    @property
    def missed(self) -> list[str]:
        """What lies outside what is expected by more than chance explains."""
        band, sure = self.expected, SURE * self.coverage_error
        found = []
        if not band.low - sure <= self.coverage <= band.high + sure:
            found.append("coverage")
        spread = ALL_SURE * np.sqrt(np.array([band.low, band.high]) * (1 - np.array([band.low, band.high])))
        low, high = np.array([band.low, band.high]) + spread * [-1, 1] / np.sqrt(self.replications)
        if ((self.each < low) | (self.each > high)).any():
            found.append("coverage of a coefficient")
        if (np.abs(self.bias) > self.case.bias + ALL_SURE / np.sqrt(self.replications)).any():
            found.append("bias")
        return found

    @property
    def verdict(self) -> str:
        if self.missed:
            return f"MISSED: {', '.join(self.missed)}"
        return "as stated" if self.expected.reason or self.case.bias_reason else "yes"


def generator(seed: int, case: Case, i: int) -> np.random.Generator:
    """The generator of one replication, whatever else is run."""
    return np.random.default_rng([seed, zlib.crc32(case.name.encode()), i])


def simulate(case: Case, replications: int, seed: int, progress: bool = True) -> list[Outcome]:
    """The outcomes of a case, one for each kind of intervals."""
    names, truth = list(case.truth), np.array(list(case.truth.values()))
    count = max(2, round(case.share * replications))
    values: dict[str, list[Array]] = {}
    warned = 0
    for i in tqdm(range(count), case.name, disable=None if progress else True, leave=False):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", SpecificationWarning)
            found = case.intervals(case.simulate(generator(seed, case, i)))
        warned += bool(seen)
        for kind, frame in found.items():
            columns = ["estimate", "std_error", "conf_low", "conf_high"]
            values.setdefault(kind, []).append(frame.loc[names, columns].to_numpy())
    outcomes = []
    for kind, samples in values.items():
        estimates, std_errors, low, high = np.moveaxis(np.array(samples), 2, 0)
        inside = (low <= truth) & (truth <= high)
        outcomes.append(Outcome(case, kind, estimates - truth, std_errors, inside, warned))
    return outcomes


# -- the table ---------------------------------------------------------------------------------------------------

HEADING = ("case", "intervals", "samples", "bias", "s.e. / s.d.", "coverage, %", "of single ones, %", "in the band")


def between(values: Array, form: str) -> str:
    low, high = format(values.min(), form), format(values.max(), form)
    return low if low == high else f"{low} to {high}"


def cells(outcome: Outcome) -> tuple[str, ...]:
    worst = int(np.abs(outcome.bias).argmax())
    names = list(outcome.case.truth)
    noted = f" ({outcome.warned} warned)" if outcome.warned else ""
    return (
        outcome.case.name,
        outcome.kind,
        f"{outcome.replications}{noted}",
        f"{outcome.bias[worst]:+.3f} ({names[worst]})",
        between(outcome.ratio, ".3f"),
        f"{100 * outcome.coverage:.2f} ± {100 * outcome.coverage_error:.2f}",
        between(100 * outcome.each, ".1f"),
        outcome.verdict,
    )


def line(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """The stated reasons, one line each."""
    found = []
    for outcome in outcomes:
        band = outcome.expected
        if band.reason:
            asked = f"{100 * band.low:.3g} to {100 * band.high:.3g} %"
            found.append(f"- {outcome.case.name}, {outcome.kind} ({asked} asked): {band.reason}.")
        if outcome.case.bias_reason:
            found.append(
                f"- {outcome.case.name}, bias of at most {outcome.case.bias:g} asked: {outcome.case.bias_reason}."
            )
    return list(dict.fromkeys(found))


def document(outcomes: Sequence[Outcome], seed: int, seconds: float) -> str:
    """The table as committed."""
    parts = list(dict.fromkeys(outcome.case.part for outcome in outcomes))
    text = [INTRODUCTION.format(seed=seed, minutes=seconds / 60, machine=machine.hardware_line("cpu"))]
    for part in parts:
        chosen = [outcome for outcome in outcomes if outcome.case.part == part]
        rows = [line(cells(outcome)) for outcome in chosen]
        text += [f"## {PARTS[part]}", "\n".join([line(HEADING), line(["---"] * len(HEADING)), *rows])]
        if stated := reasons(chosen):
            text.append("Stated deviations:\n\n" + "\n".join(stated))
    return "\n\n".join(text) + "\n"


PARTS = {
    "models": "Every model, n = 500",
    "misspecified": "Where the model is wrong",
    "small samples": "Small samples",
}
INTRODUCTION = """\
# Coverage

Written by `python benchmarks/coverage.py` (seed {seed}, {minutes:.0f} minutes of one core) on
{machine}.

Samples are drawn from known parameters and fitted. Bias is the largest of the coefficients', the mean error over the
standard deviation of the estimates, so 0.1 is too small to matter to an interval. S.e. / s.d. is the root mean square of
the standard errors over that standard deviation, from the lowest to the highest of the coefficients. Coverage is how often
95 % intervals hold the truth, over all coefficients, ± the Monte Carlo standard error (samples are independent,
the coefficients of one are not); then the lowest and the highest of single coefficients, whose Monte Carlo error is
22 % over the square root of the number of samples. Asked are 94 to 96 %, or what is stated below the table and why.
A row is missed when it lies outside by more than two Monte Carlo standard errors (three and a half for the worst of several
coefficients, and for a bias above 0.1)."""


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000, help="samples of each case; slow ones get a share")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="cases whose names hold one of these words")
    parser.add_argument("--seed", type=int, default=20, help="a replication depends on it and its own number alone")
    parser.add_argument("--out", type=Path, help="the file to write; by default docs/coverage.md after a full run")
    return parser.parse_args(given)


def chosen(words: Sequence[str] | None) -> Iterator[Case]:
    """The cases whose names hold one of the words."""
    found = [case for case in CASES.values() if words is None or any(word in case.name for word in words)]
    if not found:
        raise SystemExit(f"no case holds any of {words}; there are {', '.join(CASES)}")
    yield from found


def main(given: Sequence[str] | None = None) -> int:
    """Run the study; 1 when something misses what is asked of it."""
    args = arguments(given)
    torch.set_num_threads(1)  # rows are few
    start, outcomes = time.process_time(), []
    print(line(HEADING), line(["---"] * len(HEADING)), sep="\n", flush=True)
    for case in chosen(args.only):
        for outcome in simulate(case, args.replications, args.seed):
            outcomes.append(outcome)
            print(line(cells(outcome)), flush=True)
    whole = args.only is None and args.replications >= arguments([]).replications
    target = args.out or (HERE.parent / "docs" / "coverage.md" if whole else None)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(document(outcomes, args.seed, time.process_time() - start))
        print(f"written to {target}")
    return 1 if any(outcome.missed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
