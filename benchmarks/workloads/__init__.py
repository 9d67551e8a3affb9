"""The workloads: each module has `cases(setting)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.timing import Case

from . import design, imports, kernels, large, normal, ols, poisson, regression, survival
from .setting import Setting

WORKLOADS: dict[str, Callable[[Setting], Iterator[Case]]] = {
    "ols": ols.cases,
    "survival": survival.cases,
    "poisson": poisson.cases,
    "normal": normal.cases,
    "regression": regression.cases,
    "kernels": kernels.cases,
    "large": large.cases,
    "design": design.cases,
    "import": imports.cases,
}
