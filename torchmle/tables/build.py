"""From results objects to the lines of a table."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ..summary.numbers import count
from . import fits
from .document import ESTIMATE, Line, Table

STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))
"""p-values below which an estimate carries stars."""

STATISTICS = {
    "cov_type": "Std. errors",
    "nobs": "N",
    "llf": "Log-likelihood",
    "aic": "AIC",
    "bic": "BIC",
    "rsquared": "R-squared",
    "rsquared_adj": "Adj. R-squared",
    "prsquared": "Pseudo R-squared",
    "df_model": "Df model",
    "df_resid": "Df residuals",
    "deviance": "Deviance",
    "scale": "Scale",
}
"""Row label of each known statistic; any other attribute is labelled by its own name."""

CRITERIA = ("aic", "bic")  # that a quasi-likelihood does not have
DEFAULT_STATS = ("cov_type", "nobs", "llf", "aic", "bic", "rsquared", "prsquared")
COUNTS = ("nobs", "df_model", "df_resid")

Writer = Callable[[float], str]
Term = tuple[str, int]
"""A parameter's name, and how many of that name came before it in the model."""


class Below(NamedTuple):
    """What stands under an estimate: attribute, pattern, name, note."""

    attribute: str
    pattern: str
    name: str
    note: str


BELOW = {
    "parentheses": Below("bse", "({})", "std err", "Standard errors in parentheses."),
    "brackets": Below("bse", "[{}]", "std err", "Standard errors in brackets."),
    "t": Below("tvalues", "({})", "statistic", "t or z statistics in parentheses."),
    "p": Below("pvalues", "({})", "p-value", "p-values in parentheses."),
    "conf_int": Below(fits.LIMITS, "[{}, {}]", "interval", "95% confidence intervals in brackets."),
}
"""Choices of `table`'s argument `se`."""


def table(
    results: Any,
    *,
    names: Sequence[str] | None = None,
    stars: bool = True,
    se: str | None = "parentheses",
    stats: Sequence[str] | None = None,
    fmt: str | Writer = "%.3f",
    title: str | None = None,
) -> Table:
    """Fits side by side: estimates with stars over standard errors, then statistics.

    Parameters
    ----------
    results : results object, sequence of them, or mapping of names to them
        Read are ``params bse pvalues`` (Series, arrays, or frames with one column per
        equation), ``model.endog_names`` and the attributes named in `stats`. Marginal effects
        enter by their ``summary_frame()``.
    names : sequence of str, optional
        Column headers; by default the mapping's keys, or ``(1)``, ``(2)`` …
    stars : bool
        Mark estimates with p < 0.1, 0.05 and 0.01 with one, two and three stars. The p-values
        are those of the results object, hence of its `cov_type`, before rounding.
    se : {"parentheses", "brackets", "t", "p", "conf_int"} or None
        What stands under an estimate: its standard error, its test statistic, its p-value, its
        95% confidence interval, or nothing.
    stats : sequence of str, optional
        Attributes shown below the estimates. A model without one has a blank cell. The default
        is the type of the standard errors, N, log-likelihood, AIC, BIC and (pseudo) R-squared,
        without those that no model has.
    fmt : str or callable
        ``%`` format of a number, or a function of it. What the format would print as zero is
        printed with three significant digits.
    title : str, optional

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If there are no results, `names` has another length, or `se` is unknown.
    TypeError
        If a results object has neither ``params`` nor ``summary_frame``.

    Notes
    -----
    Rows are the union of the parameter names in the order in which they first appear. A name
    that a model has twice gets two rows. Estimates of several equations are named
    ``equation: parameter``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> small = SimpleNamespace(params=[1.25], bse=[0.5], pvalues=[0.0124], nobs=40)
    >>> large = SimpleNamespace(params=[1.5, 0.25], bse=[0.5, 0.25], pvalues=[0.0027, 0.32], nobs=40)
    >>> print(table({"small": small, "large": large}))
    ================================
                 small      large
    --------------------------------
    x1           1.250**    1.500***
                (0.500)    (0.500)
    x2                      0.250
                           (0.250)
    --------------------------------
    N               40         40
    ================================
    <BLANKLINE>
    Standard errors in parentheses.
    * p < 0.1, ** p < 0.05, *** p < 0.01.
    """
    if se is not None and se not in BELOW:
        raise ValueError(f"se must be one of {', '.join(map(repr, BELOW))} or None: got {se!r}")
    models, columns = _models(results, names)
    write = fmt if callable(fmt) else fmt.__mod__
    below = BELOW[se] if se else None
    estimates = [_estimates(model, below, stars, write) for model in models]
    body, foot = tuple(_body(estimates, below)), tuple(_foot(models, stats, write))
    notes = [below.note] if below else []
    if stars:
        notes.append(", ".join(f"{mark} p < {level:g}" for level, mark in reversed(STARS)) + ".")
    quasi = [name for name, model in zip(columns, models, strict=True) if fits.attribute(model, "is_quasi") is True]
    if quasi and stats is None:
        notes.append(f"Log-likelihood of {', '.join(quasi)} is a quasi-likelihood, without AIC and BIC.")
    sections = tuple(lines for lines in (body, foot) if lines)
    return Table(columns, _head(models), sections, title or "", tuple(notes))


def _models(results: Any, names: Sequence[str] | None) -> tuple[list[Any], tuple[str, ...]]:
    """The fits and a column header for each."""
    if isinstance(results, Mapping):
        names = list(results) if names is None else names
        results = list(results.values())
    models = [fits.fit_of(fit) for fit in ([results] if fits.is_fit(results) else results)]
    if not models:
        raise ValueError("table needs at least one results object: got none")
    if names is None:
        names = [f"({i})" for i in range(1, len(models) + 1)]
    if len(names) != len(models):
        raise ValueError(f"names needs one entry per model: got {len(names)} for {len(models)} models")
    return models, tuple(str(name) for name in names)


def _head(models: Sequence[Any]) -> tuple[Line, ...]:
    """What each model explains, and its kind."""
    head = {"Dep. variable": map(fits.response, models), "Model": map(fits.kind, models)}
    lines = [Line(term, "", tuple(cells)) for term, cells in head.items()]
    return tuple(line for line in lines if any(line.cells))


def _estimates(model: Any, below: Below | None, stars: bool, write: Writer) -> dict[Term, tuple[str, str]]:
    """Cells of a model by term: the estimate, and what stands below it."""
    names, params = fits.parameters(model)
    upper = [_written(value, write) for value in params]
    pvalues = fits.numbers(model, "pvalues", len(names)) if stars else None
    if pvalues is not None:
        upper = [cell + _stars(p) for cell, p in zip(upper, pvalues[:, 0], strict=True)]
    lower = _lower(model, below, len(names), write)
    seen: Counter[str] = Counter()
    cells = {}
    for name, above, under in zip(names, upper, lower, strict=True):
        cells[name, seen[name]] = (above, under)
        seen[name] += 1
    return cells


def _lower(model: Any, below: Below | None, k: int, write: Writer) -> list[str]:
    """What stands below each of a model's k estimates."""
    rows = fits.numbers(model, below.attribute, k) if below else None
    if below is None or rows is None:
        return [""] * k
    return [below.pattern.format(*(_written(x, write) for x in row)) for row in rows.tolist()]


def _body(estimates: Sequence[Mapping[Term, tuple[str, str]]], below: Below | None) -> Iterator[Line]:
    """The union of the models' terms in order of first appearance."""
    for term in dict.fromkeys(chain.from_iterable(estimates)):
        upper, lower = zip(*(cells.get(term, ("", "")) for cells in estimates), strict=True)
        yield Line(term[0], ESTIMATE, upper)
        if below:
            yield Line(term[0], below.name, lower)


def _foot(models: Sequence[Any], stats: Sequence[str] | None, write: Writer) -> Iterator[Line]:
    """The statistics; of the default ones those that some model has."""
    for name in DEFAULT_STATS if stats is None else stats:
        withheld = name in CRITERIA and stats is None
        cells = tuple(
            "" if withheld and fits.attribute(model, "is_quasi") is True else _statistic(model, name, write)
            for model in models
        )
        if stats is not None or any(cells):
            yield Line(STATISTICS.get(name, name), "", cells)


def _statistic(model: Any, name: str, write: Writer) -> str:
    value = fits.attribute(model, name)
    if value is None or callable(value):
        return ""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return count(number) if name in COUNTS else _written(number, write)


def _written(value: float, write: Writer) -> str:
    """The value as the user wants it, but never a zero that is none."""
    text = write(value)
    hidden = math.isfinite(value) and value != 0 and not re.search("[1-9]", text)
    return f"{value:.3g}" if hidden else text


def _stars(pvalue: float) -> str:
    return next((mark for level, mark in STARS if pvalue < level), "")
