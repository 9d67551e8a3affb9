"""Count correct digits, ours beside the peers': `python benchmarks/accuracy.py [--only linear nonlinear corpus] [--quick]`.

NIST's certified linear, analysis of variance, univariate and nonlinear sets, and the fits by R in `tests/reference`.
The page goes to `docs/accuracy.md`; the exit status is 1 where a peer is ahead of us by more than half a digit, or where
Filip has fewer than 7.5 digits.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent)]  # this checkout, installed or not

from digits import corpus_rows, linear, nonlinear  # noqa: E402
from digits.score import Row, table  # noqa: E402
from harness.machine import PACKAGES, version  # noqa: E402

FILIP = 7.5  # digits: more are lost where x**2 to x**10 are rounded to doubles
PAGE = HERE.parent / "docs" / "accuracy.md"

HOW_TO_READ = """\
Written by `python benchmarks/accuracy.py`, which fails where a peer is ahead of us by more than half a digit.

A number is the log relative error -log10(|x - c| / |c|) of the worst coefficient (coef), the worst standard error (se) or the
log-likelihood (llf): how many digits are right. 0 is none, or no answer; blank is not offered, or another quantity."""

SECTIONS: dict[str, tuple[str, str, Callable[[list[str] | None], Iterator[Row]], list[str]]] = {
    "linear": (
        "NIST: linear regression, analysis of variance, univariate samples",
        """\
Certified to 15 digits. Rounding the published data to doubles limits what any program can show: Filip (a polynomial of degree
10) to some 8 digits, smls04 and numacc3 likewise. Peer: statsmodels OLS by pseudo-inverse (its default) and by QR. A lead beyond
14 digits is not counted. Of univariate samples (lew, mavro, numacc1, numacc3) coef is the mean, se the standard deviation.""",
        linear.rows,
        ["nist_lls_longley", "nist_lls_filip", "nist_lls_wampler4", "nist_univ_mavro"],
    ),
    "nonlinear": (
        "NIST: nonlinear regression as normal maximum likelihood",
        """\
y = f(x, b) + sigma * noise, written as a `LikelihoodModel` with sigma on the log scale, from both of NIST's starts (1 is the
far one; sigma starts at the root mean square of the residuals there). Certified to 11 digits, at which scores are capped. An
empty remark is the default call, `fit(start_params=...)`; otherwise the remark says what has to be added to it, and why: the
far starts of hard sets take Newton's method more than its 100 steps, which it then says. From its far start Thurber has a
second, lower maximum with a pole among the data, which Newton's method reports as converged, being one; from Eckerle4's it
runs off to a plateau, and says so.

Standard errors are by the expected information times sqrt(n / (n - p)), which is what NIST certifies; for Lanczos2,
Lanczos3, MGH10, MGH17 and Bennett5 J'J is so badly conditioned that 6 to 11 digits of it are left in double precision.
Lanczos1 has no noise but the rounding of its 14th digit: residuals of 1e-13 are known to 3 digits in doubles, so are the
standard errors (their scores are capped there), and the fit says that precision ran out. statsmodels has no nonlinear least
squares; peers are scipy's curve_fit and statsmodels' GenericLikelihoodModel by two of its methods (whose standard errors are
of another kind).""",
        nonlinear.rows,
        ["misra1a", "boxbod", "rat43", "eckerle4"],
    ),
    "corpus": (
        "Fits by R",
        """\
The cases of `tests/reference` that have a maximum; of normal distributions statsmodels has no model. The truth is the exact
maximum stored with a case, known to 15 digits; R's closed forms count as such. Standard errors by the expected information
come from R alone and are capped at the digits that R's coefficients have there (50-digit arithmetic bears it out: of
cloglog_wells R's have 11, ours 14); other numbers that only R's iterations gave are capped at 10. statsmodels runs at its
tightest tolerances, counts by two methods. Known reasons for its low scores: the Pearson scale of grouped binomial data
(quasibinomial), Hessians by finite differences (ordered and conditional models, zero inflation).""",
        corpus_rows.rows,
        [
            "glm_gamma_log_trees",
            "glm_poisson_offset_ships",
            "negbin_quine_main",
            "ols_mtcars_factors",
            "mnlogit_womenlf",
        ],
    ),
}


def measure(section: str, quick: bool) -> list[Row]:
    """The rows of a section; some of them when it must be quick."""
    _, _, rows, some = SECTIONS[section]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(rows(some if quick else None))


def complaints(section: str, rows: Sequence[Row]) -> list[str]:
    """What must not be: a peer ahead of us, too few digits of Filip."""
    found = [f"{row.name}: a peer is ahead in {', '.join(row.behind)}" for row in rows if row.behind]
    for row in rows:
        if row.name == "filip" and min(value or 0.0 for value in row.ours[:2]) < FILIP:
            found.append(f"filip: fewer than {FILIP} digits")
    return found


def page(measured: dict[str, list[Row]]) -> str:
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    parts = ["# Accuracy", HOW_TO_READ, f"Versions: {versions}."]
    for section, rows in measured.items():
        title, text, *_ = SECTIONS[section]
        parts += [f"## {title}", text, table(rows)]
    return "\n\n".join(parts) + "\n"


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="some sections")
    parser.add_argument("--quick", action="store_true", help="some sets of each section; writes no page by itself")
    parser.add_argument("--out", type=Path, help="the page; by default docs/accuracy.md when everything was measured")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Print and write the page; 1 when there is something to complain of."""
    args = arguments(given)
    measured = {section: measure(section, args.quick) for section in args.only}
    text = page(measured)
    print(text)
    everything = not args.quick and len(measured) == len(SECTIONS)
    target = args.out or (PAGE if everything else None)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    wrong = [complaint for section, rows in measured.items() for complaint in complaints(section, rows)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
