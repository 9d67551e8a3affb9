"""The workloads: each module has `cases(setting)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.timing import Case

from . import bootstrap, design, glm, imports, kernels, large, normal, ols, poisson, regression, survival
from .setting import Setting

WORKLOADS: dict[str, Callable[[Setting], Iterator[Case]]] = {
    "ols": ols.cases,
    "survival": survival.cases,
    "poisson": poisson.cases,
    "normal": normal.cases,
    "regression": regression.cases,
    "kernels": kernels.cases,
    "large": large.cases,
    "glm": glm.cases,
    "design": design.cases,
    "bootstrap": bootstrap.cases,
    "import": imports.cases,
}
