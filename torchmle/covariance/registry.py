"""Kinds of covariance by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .base import Covariance
from .bootstrap import Bootstrap
from .classical import OPG, Expected, FixedScale, Nonrobust, PseudoInverse
from .cluster import Cluster
from .hac import HAC, GroupsumHAC, PanelHAC
from .heteroscedastic import HC
from .jackknife import Jackknife
from .survey import Survey

EVERY_KIND = ("use_t", "scaling_factor")
ALIASES = {"nw-panel": "hac-panel", "nw-groupsum": "hac-groupsum", "fixed_scale": "fixed scale"}
KINDS: Mapping[str, tuple[type[Covariance], Mapping[str, Any]]] = {
    "nonrobust": (Nonrobust, {}),
    "oim": (Nonrobust, {"name": "oim"}),
    "eim": (Expected, {}),
    "opg": (OPG, {}),
    "pinv": (PseudoInverse, {}),
    "fixed scale": (FixedScale, {}),
    **{name.lower(): (HC, {"name": name}) for name in ("HC0", "HC1", "HC2", "HC3")},
    "cluster": (Cluster, {}),
    "cluster-jk": (Jackknife, {"name": "cluster-jk"}),
    "cluster-crv3": (Jackknife, {"name": "cluster-crv3"}),
    "hac": (HAC, {}),
    "hac-panel": (PanelHAC, {}),
    "hac-groupsum": (GroupsumHAC, {}),
    "survey": (Survey, {}),
    "bootstrap": (Bootstrap, {}),
}
SPELLINGS = {"hc0": "HC0", "hc1": "HC1", "hc2": "HC2", "hc3": "HC3", "hac": "HAC"}


def choose(cov_type: str | None, cov_kwds: Mapping[str, Any] | None = None) -> Covariance | None:
    """The covariance of a name and its options; None when none is wanted.

    Raises
    ------
    ValueError
        An unknown name, with the known ones.
    TypeError
        An option the kind does not have, with those it has.
    """
    if cov_type is None:
        return None
    key = ALIASES.get(str(cov_type).lower(), str(cov_type).lower())
    if key not in KINDS:
        names = ", ".join(SPELLINGS.get(name, name) for name in KINDS)
        raise ValueError(f"cov_type not recognized: {cov_type!r}; choose from {names}")
    kind, settings = KINDS[key]
    if not isinstance(cov_kwds or {}, Mapping):
        raise TypeError(f"cov_kwds must be a dict of options such as {{'groups': 'firm'}}, not {cov_kwds!r}")
    options = dict(cov_kwds or {})
    if "kernel" in kind.options and "weights_func" in options:
        options.setdefault("kernel", options.pop("weights_func"))
    unknown = [name for name in options if name not in (*kind.options, *EVERY_KIND)]
    if unknown:
        known = ", ".join((*kind.options, *EVERY_KIND))
        raise TypeError(f"cov_type={cov_type!r} does not take {unknown[0]!r}; it takes {known}")
    make: Callable[..., Covariance] = partial(kind, **settings)
    return make(**options)
