"""Families and links as plain values, for files without code."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from .. import families
from . import links
from .family import Family

OPTIONS = ("alpha", "var_power", "eql", "power", "dbn")


def describe(family: Family) -> dict[str, Any]:
    """A family by name, with its options and its link.

    Raises
    ------
    ValueError
        A family or link of the user's own, which a file cannot hold.
    """
    return {"family": _described(family, families), "link": _described(family.link, links)}


def restore(description: Mapping[str, Any]) -> Family:
    """The family that `describe` was given."""
    name, options = description["link"]
    link = getattr(links, name)(**options)
    name, options = description["family"]
    return getattr(families, name)(link, check_link=False, **options)


def _described(value: Any, room: ModuleType) -> tuple[str, dict[str, Any]]:
    name = type(value).__name__
    if getattr(room, name, None) is not type(value):
        raise ValueError(f"{name} is not one of torchmle's families and links; a saved result cannot hold it")
    fixed = isinstance(value, links.Power) and type(value) is not links.Power
    found = {key: getattr(value, key) for key in OPTIONS if hasattr(value, key) and not (fixed and key == "power")}
    if "dbn" in found:
        found["dbn"] = getattr(found["dbn"], "name", found["dbn"])
    return name, found
