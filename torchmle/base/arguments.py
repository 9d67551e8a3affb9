"""Sorting a model's keyword arguments: row-shaped ones, designs of its parameters, fixed values, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

EVERY_MODEL = ("freq_weights", "sampling_weights")

STATA = {
    "freq_weights": ("fweights", "fweight", "fw", "frequency_weights", "freq_weight"),
    "sampling_weights": ("pweights", "pweight", "pw", "probability_weights", "survey_weights", "sampling_weight"),
    "var_weights": ("aweights", "aweight", "aw", "analytic_weights", "var_weights", "var_weight"),
}
"""What Stata and others call weights of each meaning; the last are WLS's `weights`."""


@dataclass(frozen=True)
class Arguments:
    """Keyword arguments of a model by what they are.

    Attributes
    ----------
    rows : row-shaped arguments: arrays, Series or column names
    formulas : formulas of further parameters
    designs : matrices of further parameters
    fixed : numbers at which parameters are held
    """

    rows: dict[str, Any] = field(default_factory=dict)
    formulas: dict[str, str] = field(default_factory=dict)
    designs: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)


def sort_arguments(
    owner: str,
    arguments: Mapping[str, Any],
    rows: tuple[str, ...],
    parameters: tuple[str, ...],
    designs: tuple[str, ...],
    settings: tuple[str, ...] = (),
) -> Arguments:
    """Sort keyword arguments; refuse the ones a model does not know, with the list of those it does.

    Weights may go by Stata's names, which say what they mean.

    Parameters
    ----------
    owner : str
        Name of the model.
    arguments : mapping
    rows, parameters, designs : tuple of str
        The model's row arguments, its parameters, and those of its parameters that take a formula or a matrix.
    settings : tuple of str
        Further keywords, taken out before; named in the message.
    """
    sorted_, rows = Arguments(), (*EVERY_MODEL, *rows)
    for name, value in arguments.items():
        if value is None:
            continue
        own = name if name in parameters else _own_name(name, rows)
        if own in rows:
            if own in sorted_.rows:
                raise TypeError(f"{owner} got {own}= twice, also as {name}=")
            sorted_.rows[own] = value
        elif name in parameters:
            kind = _kind(value, name in designs)
            if kind != "constant":
                getattr(sorted_, kind)[name] = value
        else:
            raise TypeError(_unknown(owner, name, (*rows, *parameters, *settings)))
    return sorted_


def _own_name(name: str, rows: tuple[str, ...]) -> str:
    """What a model with these row arguments calls what another package calls `name`."""
    meant = next((kind for kind, names in STATA.items() if name in names), name)
    return "weights" if meant == "var_weights" and meant not in rows else meant


def _kind(value: Any, predictor: bool) -> str:
    """What a parameter's own argument is."""
    if isinstance(value, str):
        return "constant" if value.replace(" ", "") in ("1", "~1") else "formulas"
    if isinstance(value, Real) or not predictor:
        return "fixed"
    return "designs"


def _unknown(owner: str, name: str, known: tuple[str, ...]) -> str:
    if name in ("weights", "sample_weight", "weight"):
        return (
            f"{owner} does not take a bare {name}=, which could mean several things: freq_weights= repeats rows; "
            "sampling_weights= are inverse probabilities of being in the sample; "
            f"analytic (inverse-variance) weights {_analytic(known)}"
        )
    if name in STATA["var_weights"]:
        return (
            f"{owner} does not take {name}=: analytic weights, inverse variances of the rows (Stata's [aweight]), "
            f"{_analytic(known)}"
        )
    takes = ", ".join((*known, "missing", "device", "dtype"))
    return f"{owner} got an unexpected keyword argument {name!r}; it takes {takes}"


def _analytic(known: tuple[str, ...]) -> str:
    if "weights" in known:
        return "are weights= here"
    return "are var_weights= here" if "var_weights" in known else "belong to WLS (weights=) and GLM (var_weights=)"
