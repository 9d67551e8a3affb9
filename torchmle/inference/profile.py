"""Profile-likelihood curves and intervals of any parameter of any model.

The interval holds the values whose likelihood-ratio test is not significant: ``2 (l_max - l_p(b)) / scale <= q^2``, q the
normal quantile, or Student's t under `use_t` (Venables and Ripley 2002, 7.2; R's ``confint``).  It does not depend on the
scale on which a parameter is reported.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ..errors import ProfileWarning
from ..linalg import EPS
from ..transforms import Identity, Transform
from .distributions import critical_value
from .profile_path import Path, ProfilePoint, block_of, path_of

if TYPE_CHECKING:
    from ..results import Results

Array = NDArray[np.float64]

STEPS = 80  # constrained maximisations on the way to one limit
ROOT = 1e-10  # error of the signed root at a limit, in standard errors
FLAT = 1e-3  # share of the fall still missing that the slope would bring over the whole way so far, counting as none
FLATS = 2  # times in a row until the profile counts as level
GROWTH = 1.5  # the way from the estimate grows by this factor at most in a step
HIGHER = 1e-6  # rise above the log-likelihood of the fit that is no rounding
NO_ROOM = 1e-12  # of a gradient, relative to its largest part, that is rounding error


@dataclass(frozen=True)
class Limit:
    """One end of an interval on the real side, and what is to be said of it."""

    value: float
    statement: str = ""


@dataclass(frozen=True, eq=False)
class ProfileCurve:
    """The profile of one parameter.

    Attributes
    ----------
    name : str
    estimate : float
    value : ndarray (m,)
        Values of the parameter on the reported scale, increasing.
    loglike : ndarray (m,)
        The log-likelihood's maximum over the other parameters.
    signed_root : ndarray (m,)
        ``sign(value - estimate) sqrt(2 (l_max - loglike) / scale)``; a straight line where Wald's interval is right.
    """

    name: str
    estimate: float
    value: Array
    loglike: Array
    signed_root: Array

    @property
    def frame(self) -> pd.DataFrame:
        """The curve: parameter, value, loglike, signed_root."""
        columns = {"value": self.value, "loglike": self.loglike, "signed_root": self.signed_root}
        return pd.DataFrame({"parameter": self.name, **columns})


@dataclass(frozen=True, eq=False)
class ProfileLikelihood:
    """Profiles of some parameters; ``profiles["x1"]`` is one of them.

    Attributes
    ----------
    curves : tuple of ProfileCurve
    """

    results: Results
    curves: tuple[ProfileCurve, ...]

    @property
    def names(self) -> list[str]:
        return [curve.name for curve in self.curves]

    def __getitem__(self, name: str) -> ProfileCurve:
        return self.curves[self.names.index(name)]

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals with coverage 1 - alpha: columns 0 and 1."""
        return pd.DataFrame(intervals(self.results, alpha, self.names), index=self.names)

    @property
    def frame(self) -> pd.DataFrame:
        """All curves, one below the other: parameter, value, loglike, signed_root."""
        return pd.concat([curve.frame for curve in self.curves], ignore_index=True)

    def plot(self, ax: Any = None, alpha: float = 0.05) -> Any:
        """See `torchmle.plots.plot_profile`."""
        return self.results.plot_profile(self.names, ax, alpha)


def profile_likelihood(
    results: Results, name: str | Sequence[str] | None = None, points: int = 21, alpha: float = 0.01
) -> ProfileLikelihood:
    """Profiles of one parameter, of some, or of all free ones.

    Parameters
    ----------
    results : Results
    name : str or list of str, optional
    points : int
        Values at which each profile is taken, evenly spread between its limits at level `alpha`.
    alpha : float
        How far a curve goes: to the limits of its interval with coverage 1 - alpha; where there is no limit, as far
        as one by standard errors.
    """
    known = [label for label, held in zip(results.names, results.fixed | results._dropped, strict=True) if not held]
    wanted = known if name is None else [name] if isinstance(name, str) else list(name)
    _check(results, wanted)
    gone = [label for label in wanted if label not in known]
    if gone:
        raise ValueError(
            f"{gone[0]!r} has no profile: it was held at a value, or left out as a linear combination of other columns"
        )
    return ProfileLikelihood(results, tuple(_curve(results, label, points, alpha) for label in wanted))


def intervals(results: Results, alpha: float, names: Sequence[str] | None = None) -> Array:
    """Profile intervals (p, 2) on the reported scale.

    A fixed parameter keeps its value, one that was dropped has none (NaN).  Where the profile never falls far enough the
    limit is infinite, or the end of the parameter's range, and a `ProfileWarning` says so.
    """
    names = results.names if names is None else list(names)
    _check(results, names)
    limits, statements = np.full((len(names), 2), np.nan), []
    for row, name in enumerate(names):
        entry = results.names.index(name)
        if results.fixed[entry] or _determined(results, entry):
            limits[row] = results.params_array[entry]
        elif not results._dropped[entry]:
            ends = ends_of(results, entry, alpha)
            limits[row] = np.sort(_natural(_scale(results, entry), [end.value for end in ends]))
            statements += [f"{name}: {end.statement}" for end in ends if end.statement]
    if statements:
        warnings.warn("profile likelihood: " + "; ".join(statements), ProfileWarning, stacklevel=3)
    return limits


def _determined(results: Results, entry: int) -> bool:
    """Whether equations, together with what is held, leave an entry a single value."""
    coordinates = results.fit.coordinates
    if not coordinates.tied or results._at_boundary[entry]:
        return False
    gradient = results._jacobian[entry]
    free = coordinates.free_gradient(gradient)
    return bool((free.abs() <= NO_ROOM * gradient.abs().max()).all())


def ends_of(results: Results, entry: int, alpha: float) -> tuple[Limit, Limit]:
    """Both ends of an interval on the real side."""
    path = path_of(results, entry)
    q = critical_value(alpha, results.df_resid if results.use_t else None)
    away, statement = results.infinite[entry], "the estimate itself is infinite"
    if results._at_boundary[entry] and not away:  # infinite on the real side alone
        away, statement = np.sign(path.estimate), ""
    ends = (
        Limit(sign * math.inf, statement) if away == sign
        else _limit(path, results.fit.z, sign, q, results.scale, bool(away))
        for sign in (-1, 1)
    )  # fmt: skip
    low, high = _bounds(results, entry)
    return tuple(  # type: ignore[return-value]
        replace(end, value=min(max(end.value, low), high)) if not math.isnan(end.value) else end for end in ends
    )


def _bounds(results: Results, entry: int) -> tuple[float, float]:
    """Bounds of an entry on the real side, by the user; infinite where there are none."""
    block = block_of(results.model.layout, entry)
    index = block.reals.start + entry - block.reported.start
    return results.fit.settings.get("bounds", {}).get(index, (-math.inf, math.inf))


def signed_root(path: Path, point: ProfilePoint, scale: float) -> float:
    """Square root of twice the fall, with the sign of the way from the estimate."""
    return math.copysign(math.sqrt(max(2 * (path.top - point.loglike) / scale, 0.0)), point.value - path.estimate)


def _limit(path: Path, origin: torch.Tensor, sign: int, q: float, scale: float, runaway: bool) -> Limit:
    """Where the signed root reaches ``sign * q``: Newton steps on it, kept within a bracket.

    The slope of the profile, and with it of its root, comes with each constrained maximum (the envelope theorem).
    """
    inner, inner_z, outer, flats = path.estimate, origin, math.inf * sign, 0
    value = path.estimate + sign * q * path.unit
    tolerance = max(ROOT, 64 * EPS * abs(path.top) / (scale * q))
    for _ in range(STEPS):
        point = path.at(value, inner_z)
        if not point.finite:
            value = (value + inner) / 2
            if abs(value - inner) < 1e-6 * path.unit:
                return Limit(math.nan, "a constrained maximum was not found")
            continue
        if point.loglike > path.top + HIGHER * max(1.0, abs(path.top)):
            return Limit(
                math.nan, f"the log-likelihood rises to {point.loglike:.8g} at {value:.6g}, above that of the fit"
            )
        root = abs(signed_root(path, point, scale))
        if abs(root - q) <= tolerance:
            return Limit(value)
        way = value - path.estimate
        if root < q:
            inner, inner_z = value, point.z
            missing = (q * q - root * root) * scale / 2
            flats = flats + 1 if abs(point.slope * way) < FLAT * missing and not runaway else 0
            if flats == FLATS and math.isinf(outer):
                return Limit(sign * math.inf, "the profile never falls far enough, so there is no limit on this side")
        else:
            outer = value
        value = _next(value, way, inner, outer, point, root, q, scale)
        if abs(outer - inner) <= 4 * EPS * abs(value):
            return Limit(value)
    return Limit(sign * math.inf, "no limit was found on this side") if math.isinf(outer) else Limit(value)


def _next(
    value: float, way: float, inner: float, outer: float, point: ProfilePoint, root: float, q: float, scale: float
) -> float:
    """Newton's step on the root, or the middle of the bracket, or a longer way."""
    pull = abs(point.slope) / scale  # root * d root / d value
    newton = value + math.copysign((q - root) * root / pull, way) if pull > 0 and root > 0 else math.nan
    if math.isinf(outer):
        farthest = value + (GROWTH - 1) * way
        return newton if math.isfinite(newton) and abs(newton - value) <= abs(farthest - value) else farthest
    inside = min(inner, outer) < newton < max(inner, outer)
    return newton if inside else (inner + outer) / 2


def _curve(results: Results, name: str, points: int, alpha: float) -> ProfileCurve:
    """Values evenly spread between the limits, each started from its neighbour on the way out."""
    entry = results.names.index(name)
    path, transform = path_of(results, entry), _scale(results, entry)
    reach = critical_value(alpha) * path.unit
    low, high = (
        end.value if math.isfinite(end.value) else path.estimate + sign * reach
        for sign, end in zip((-1, 1), ends_of(results, entry, alpha), strict=True)
    )
    grid = np.linspace(low, high, max(points, 3))
    found: list[ProfilePoint] = [ProfilePoint(path.estimate, path.top, 0.0, results.fit.z)]
    for side in (grid[grid < path.estimate][::-1], grid[grid > path.estimate]):
        near = results.fit.z
        for value in side:
            point = path.at(float(value), near)
            near = point.z
            found.append(point)
    found.sort(key=lambda point: point.value)
    values = _natural(transform, [point.value for point in found])
    loglike = np.array([point.loglike for point in found])
    roots = np.array([signed_root(path, point, results.scale) for point in found])
    order = np.argsort(values, kind="stable")
    roots = roots if len(values) < 2 or values[0] <= values[-1] else -roots
    return ProfileCurve(name, float(results.params_array[entry]), values[order], loglike[order], roots[order])


def _scale(results: Results, entry: int) -> Transform:
    return results.model.layout.scales()[entry]


def _natural(transform: Transform, values: Sequence[float]) -> Array:
    if isinstance(transform, Identity):
        return np.asarray(values, dtype=float)
    return transform(torch.tensor(values, dtype=torch.float64)).numpy()


def _check(results: Results, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in results.names]
    if unknown:
        raise ValueError(f"there is no parameter {unknown[0]!r}; the parameters are {', '.join(results.names)}")
    if results.distrust:
        instead = (
            "" if "sampling_weights" in results.model.given_arguments else ", or with_covariance('nonrobust') first"
        )
        raise ValueError(f"{results.distrust}, and profile intervals are made of it; use method='wald'{instead}")
