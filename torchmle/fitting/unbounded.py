"""Estimates that are not finite, or were still on the run, among the reported parameters of a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..optim import Status
from .fit import Fit

EVERYWHERE = (Status.EDGE, Status.NOT_FINITE_START, Status.INFEASIBLE, Status.SINGULAR_RESPONSES)


def infinite(fit: Fit) -> NDArray[np.int_]:
    """For each reported entry the sign of its estimate where that is infinite, else 0, (k,).

    Perfect prediction makes estimates infinite; so does the boundary of a share that is reported as its logit.
    """
    signs = _entries(fit, 0 if fit.separation is None else fit.separation.signs)
    if fit.coordinates.boundary:
        ends = torch.zeros_like(fit.theta)
        ends[list(fit.coordinates.boundary)] = fit.theta[list(fit.coordinates.boundary)]
        told = _entries(fit, ends.numpy())  # what stands for infinity, where it is reported as it is
        signs += np.sign(told) * (told == fit.model.layout.natural(fit.theta).numpy())
    return signs.astype(int)


def undetermined(fit: Fit) -> NDArray[np.bool_]:
    """Which reported entries perfect prediction leaves without a finite estimate, (k,)."""
    return _entries(fit, 0 if fit.separation is None else fit.separation.undetermined).astype(bool)


def at_the_edge(fit: Fit) -> NDArray[np.bool_]:
    """Which reported entries rows at the edge of the domain hold where they are, (k,)."""
    none = fit.separation is None or fit.separation.edge is None
    return _entries(fit, 0 if none else fit.separation.edge).astype(bool)  # type: ignore[union-attr]


def running_away(fit: Fit) -> NDArray[np.bool_]:
    """Which reported entries the search was still driving when it ended: without limit, or into an edge of the domain, (k,).

    All of them where there was no likelihood to start from, or its limit is known to be infinite.
    """
    separation = fit.separation
    if separation is not None and separation.edge is not None and separation.settled:
        return _entries(fit, separation.edge).astype(bool)
    if fit.optimum.status in EVERYWHERE:
        return _entries(fit, 1).astype(bool)
    if fit.optimum.status is not Status.DIVERGING or separation is not None:
        return _entries(fit, 0).astype(bool)
    concerned = fit.optimum.concerned()
    return _entries(fit, [name in concerned for name in fit.model.layout.real_names]).astype(bool)


def _entries(fit: Fit, values: Any) -> NDArray[np.float64]:
    """What is said of entries of theta, for the reported ones; a parameter made of several reals hears of any."""
    layout = fit.model.layout
    if isinstance(values, int) and layout.is_identity:
        return np.full(layout.size, float(values))
    out, told = np.zeros(len(layout.names)), np.broadcast_to(np.asarray(values, dtype=float), layout.size)
    for block in layout.blocks:
        own = told[block.reals]
        out[block.reported] = own if len(own) == len(block.labels) else np.abs(own).max(initial=0.0)
    return out
