"""Score torchmle with statsmodels' own tests.

    python tests/conformance/run.py [--files genmod/tests/test_glm.py ...] [-k EXPRESSION] [--out FILE] [--verbose]

Needs statsmodels 0.15 with its tests, which its wheels contain.  A test counts unless it needs a model that torchmle does
not have, is skipped, is expected to fail in statsmodels itself, or is about private code of statsmodels.  `known_failures.txt` lists the failing tests with the
reason of each; the exit status is 1 when a test outside that list fails or the share that passes is below 95 %.
"""

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import statsmodels

HERE = Path(__file__).parent
INSTALLED = Path(statsmodels.__file__).parent
FLOOR = 0.95


def known_failures():
    """Patterns of test ids with the reason why they fail."""
    lines = (HERE / "known_failures.txt").read_text().splitlines()
    entries = (line.partition("  #") for line in lines if line.strip() and not line.startswith("#"))
    return {pattern.strip(): reason.strip() for pattern, _, reason in entries}


def outcomes(file, expression):
    """Outcome and last line of every test of one file, each file in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "outcomes.json"
        paths = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "CONFORMANCE_OUT": str(out), "PYTHONPATH": os.pathsep.join(paths),
                       "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-q", "-c", str(HERE / "pytest.ini"), "-p", "plugin", "--no-header",
                   "--tb=line", "--rootdir", str(INSTALLED.parent), str(INSTALLED / file)]  # fmt: skip
        command += ["-k", expression] if expression else []
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not out.exists() or done.returncode not in (0, 1, 5):
            sys.exit(f"{file} could not be run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return json.loads(out.read_text())


def verdict(found, known):
    """Counts, unexpected failures, and the share that passes of the tests that count."""
    failing = [test for test, (outcome, _) in found.items() if outcome == "failed"]
    listed = {test: [known[pattern] for pattern in known if matches(test, pattern)] for test in failing}
    counting = [test for test in failing if not any(reason.startswith("internal") for reason in listed[test])]
    passed = sum(outcome == "passed" for outcome, _ in found.values())
    counts = Counter(outcome for outcome, _ in found.values())
    counts["internal"] = len(failing) - len(counting)
    return counts, [test for test in failing if not listed[test]], passed / max(1, passed + len(counting))


def stale(found, known):
    """Listed patterns of which no test fails any more."""
    failing = [test for test, (outcome, _) in found.items() if outcome == "failed"]
    return [pattern for pattern in known if not any(matches(test, pattern) for test in failing)]


def matches(test, pattern):
    """Shell-style matching in which brackets stand for themselves."""
    return fnmatch.fnmatchcase(test, pattern.replace("[", "[[]"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    everything = (HERE / "files.txt").read_text().split()
    parser.add_argument("--files", nargs="*", default=everything)
    parser.add_argument("-k", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print every failing test with its last line")
    options = parser.parse_args()
    found = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(lambda file: outcomes(file, options.k), options.files):
            found.update(part)
            print(".", end="", flush=True)
    counts, unexpected, share = verdict(found, known_failures())
    print(f"\n{dict(counts)}; {share:.1%} of the tests that count pass; {len(unexpected)} unlisted failures")
    if not options.k and options.files == everything:
        for pattern in stale(found, known_failures()):
            print(f"listed, but no test of it fails: {pattern}")
    for test in found if options.verbose else unexpected:
        if found[test][0] == "failed":
            print(test, "|", found[test][1])
    if options.out:
        options.out.write_text(json.dumps({"share": share, "counts": counts, "tests": found}, indent=1))
    sys.exit(1 if unexpected or share < FLOOR else 0)


if __name__ == "__main__":
    main()
