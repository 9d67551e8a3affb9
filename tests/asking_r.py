"""Questions to R about random problems, and its answers, by way of `reference/differential.R`."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from random_problems import Problem

SCRIPT = Path(__file__).parent / "reference" / "differential.R"
Answer = dict[str, Any]


def ask(problems: list[Problem]) -> tuple[list[Answer], dict[str, str]]:
    """R's answers, and the versions of what gave them."""
    with tempfile.TemporaryDirectory() as folder:
        questions, answers = Path(folder, "questions.json"), Path(folder, "answers.json")
        questions.write_text(json.dumps([problem.question() for problem in problems]))
        subprocess.run(["Rscript", str(SCRIPT), str(questions), str(answers)], check=True)
        said = json.loads(answers.read_text())
    return [read(answer) for answer in said["answers"]], said["versions"]


def read(answer: Any) -> Any:
    """Numbers that R writes as words."""
    if isinstance(answer, dict):
        return {name: read(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [read(value) for value in answer]
    return (
        {"NA": np.nan, "NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf}.get(answer, answer)
        if isinstance(answer, str)
        else answer
    )


def rounded(value: Any) -> Any:
    """Numbers with eleven digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.11g}") if isinstance(value, float) else value
