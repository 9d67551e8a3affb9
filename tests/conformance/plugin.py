"""pytest plugin: statsmodels' tests on torchmle's models, outcomes to the file that CONFORMANCE_OUT names."""

import json
import os
import warnings

import swap

swap.install()
OUTCOMES: dict[str, list[str]] = {}


def short(nodeid):
    """Path below the package, and the test."""
    return nodeid.replace(os.sep, "/").rpartition("statsmodels/")[2] or nodeid


def pytest_runtest_logreport(report):
    if report.when != "call" and report.outcome == "passed":
        return
    expected = hasattr(report, "wasxfail") or "[XPASS(strict)]" in str(report.longrepr)
    text = str(report.longrepr or "")
    if expected:
        outcome = "xfailed"
    elif report.outcome == "failed" and "swap.NotHere" in text:
        outcome = "absent"
    else:
        outcome = report.outcome
    reason = text.strip().splitlines()[-1][:200] if outcome == "failed" and text.strip() else ""
    OUTCOMES[short(report.nodeid)] = [outcome, reason]


def pytest_sessionfinish(session):
    with open(os.environ["CONFORMANCE_OUT"], "w") as file:
        json.dump(OUTCOMES, file)


warnings.filterwarnings("ignore", category=DeprecationWarning, module="swap")
