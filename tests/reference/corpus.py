"""Read the cases of this folder: one fit by other software each, with its data and its answers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
# pandas 3 reads every digit unasked and deprecates the argument that asks for it
EXACT = {"float_precision": "round_trip"} if int(pd.__version__.split(".")[0]) < 3 else {}


def cases(*kinds: str) -> list[str]:
    """Names of the cases of some kinds; all of them without any."""
    names = sorted(path.stem for path in (HERE / "cases").glob("*.json"))
    return [name for name in names if not kinds or load(name)["kind"] in kinds]


@cache
def load(name: str) -> dict[str, Any]:
    """A case: kind, source, formula, model, options, expected, and mle_check where there is one."""
    return json.loads((HERE / "cases" / f"{name}.json").read_text())


@cache
def frame(name: str) -> pd.DataFrame:
    """The data of a case; factors are categoricals in R's order of levels."""
    data = load(name)["data"]
    levels = data.get("categories") or {}
    found = pd.read_csv(
        HERE / data["file"],
        keep_default_na=False,
        na_values=[""],
        dtype=dict.fromkeys(levels, str),
        **EXACT,
    )
    return _with_levels(found, levels)


def newdata(name: str) -> pd.DataFrame:
    """The rows for which a case has predictions."""
    case = load(name)
    return _with_levels(pd.DataFrame(case["newdata"]), case["data"].get("categories") or {})


def _with_levels(found: pd.DataFrame, levels: dict[str, list[str]]) -> pd.DataFrame:
    for column, order in levels.items():
        if column in found:
            found[column] = pd.Categorical(found[column], categories=order)
    return found


def numbers(value: Any) -> np.ndarray:
    """Lists of numbers as a float array; null is NaN."""
    return np.array(value, dtype=float)
