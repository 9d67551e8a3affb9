"""Covariance matrices of the estimates: one object per kind, each computes what its name says or raises.

With bread ``A = (-H)^-1`` and row scores s_i (of weight w_i when a row counts w_i times):

=============  ==================================================================================================
nonrobust      A, times the dispersion where a model has one: observed information ("oim" is the same)
eim            inverse of the expected information, for models that have it
opg            inverse of sum w_i s_i s_i' (Berndt, Hall, Hall and Hausman 1974)
HC0            A (sum w_i s_i s_i') A (Eicker 1967, Huber 1967, White 1980)
HC1            HC0 times n / (n - k)
HC2, HC3       scores divided by sqrt(1 - h_i), by 1 - h_i, with the leverages of the weighted design
               (MacKinnon and White 1985; for nonlinear models as R's sandwich)
cluster        A (sum over clusters of S_g S_g') A, S_g the sum of a cluster's scores; several groupings by
               inclusion and exclusion (Cameron, Gelbach and Miller 2011)
HAC            Newey and West (1987), Bartlett weights, rows in time order
=============  ==================================================================================================

``convention`` names whose small-sample factors are used.  For clusters with G groups:

==============  ==================================================  =====================================
convention      OLS and WLS                                         other models
==============  ==================================================  =====================================
"statsmodels"   G/(G-1) (n-1)/(n-k)                                 the same
"R"             G/(G-1) (n-1)/(n-k)  (sandwich::vcovCL)             G/(G-1)
"stata"         G/(G-1) (n-1)/(n-k)                                 G/(G-1);  HC1 is n/(n-1)
"none"          1                                                   1
==============  ==================================================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .formula.missing import missing_rows
from .linalg import invert_information
from .processes import everywhere
from .sandwich import cluster_meat, meat, nonnegative, sandwich, subsets

if TYPE_CHECKING:
    from .fit import Fit
    from .likelihood import LikelihoodModel

CONVENTIONS = ("statsmodels", "R", "stata", "none")


@dataclass(frozen=True)
class Estimate:
    """A covariance matrix and what it is.

    Attributes
    ----------
    matrix : Tensor
        (k, k) in the data's coordinates z.
    description : str
        The note that a summary prints.
    df : float or None
        Degrees of freedom for t and F tests when they are not those of the residuals (clusters: G - 1).
    n_groups : tuple of int
        Clusters in each grouping.
    """

    matrix: Tensor
    description: str
    df: float | None = None
    n_groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Covariance:
    """Base of the kinds. ``robust`` ones do not rest on the model's own variance."""

    robust: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return type(self).__name__

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        """Look up row-shaped options in the model's frame; rows without them leave the model."""
        return model, self

    def estimate(self, fit: Fit) -> Estimate:
        raise NotImplementedError


@dataclass(frozen=True)
class Nonrobust(Covariance):
    """Inverse of the observed information, times the dispersion."""

    name: str = "nonrobust"
    robust: ClassVar[bool] = False

    def estimate(self, fit: Fit) -> Estimate:
        note = "Standard Errors assume that the covariance matrix of the errors is correctly specified."
        return Estimate(fit.bread * fit.scale, note)


@dataclass(frozen=True)
class Expected(Covariance):
    """Inverse of the expected information, times the dispersion."""

    name: str = "eim"
    robust: ClassVar[bool] = False

    def estimate(self, fit: Fit) -> Estimate:
        information = fit.model.expected_information(fit.z)
        inverse = invert_information(fit.coordinates.free_hessian(information)).matrix
        return Estimate(fit.coordinates.spread(inverse) * fit.scale, "Standard Errors by the expected information.")


@dataclass(frozen=True)
class OPG(Covariance):
    """Inverse of the outer product of the scores."""

    name: str = "opg"
    robust: ClassVar[bool] = False

    def estimate(self, fit: Fit) -> Estimate:
        inverse = invert_information(fit.coordinates.free_hessian(meat(fit))).matrix
        return Estimate(
            fit.coordinates.spread(inverse) * fit.scale**2,
            "Standard Errors by the outer product of the gradients (OPG).",
        )


@dataclass(frozen=True)
class HC(Covariance):
    """Heteroscedasticity robust: HC0 to HC3."""

    name: str = "HC0"
    convention: str = "statsmodels"

    def estimate(self, fit: Fit) -> Estimate:
        power = {"HC2": 0.5, "HC3": 1.0}.get(self.name, 0.0)
        factor = self._factor(fit) if self.name == "HC1" else 1.0
        matrix = sandwich(fit.bread, meat(fit, leverage_power=power)) * factor
        return Estimate(matrix, f"Standard Errors are heteroscedasticity robust ({self.name})")

    def _factor(self, fit: Fit) -> float:
        lost = 1 if self.convention == "stata" and not fit.model.linear else fit.rank
        return fit.nobs / (fit.nobs - lost) if fit.nobs > lost else float("nan")


@dataclass(frozen=True)
class Cluster(Covariance):
    """Robust to correlation within groups, of one grouping or several.

    Attributes
    ----------
    groups : column name, array, Series, or a list of them
    convention : {"statsmodels", "R", "stata", "none"}
    use_correction, df_correction : bool
        statsmodels' switches: a small-sample factor at all; G - 1 degrees of freedom.
    """

    groups: Any = None
    convention: str = "statsmodels"
    use_correction: bool = True
    df_correction: bool = True
    name: str = "cluster"

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if self.groups is None:
            raise KeyError(
                "cov_type='cluster' needs cov_kwds={'groups': ...}: a column name, an array or a list of them"
            )
        columns = [model.row_column(group, "groups") for group in groupings(self.groups, model.column_names)]
        missing = [rows for column in columns if (rows := missing_rows(column)) is not None]
        present = ~np.any(missing, axis=0) if missing else np.ones(model.rows.n, dtype=bool)
        if not bool(everywhere(torch.tensor(bool(present.all())), model.rows.group)):
            model, columns = model.keep_rows(present), [column[present] for column in columns]
        return model, replace(self, groups=tuple(columns))

    def estimate(self, fit: Fit) -> Estimate:
        k = len(fit.z)
        total = torch.zeros(k, k, dtype=torch.float64)
        pieces = subsets(self.groups, fit.model.rows)
        counts = [size for _, size, _ in pieces[: len(self.groups)]]
        if min(counts) < 2:
            raise ValueError(
                "the groups are a single cluster, and one cluster says nothing of the variation between them"
            )
        for codes, size, sign in pieces:
            size_used = min(counts) if self.convention == "stata" else size
            total += sign * self._factor(fit, size_used) * cluster_meat(fit, codes, size)
        matrix, repaired = nonnegative(sandwich(fit.bread, total)) if len(self.groups) > 1 else (
            sandwich(fit.bread, total), False)  # fmt: skip
        df = float(min(counts) - 1) if self.df_correction else None
        return Estimate(matrix, self._note(counts, repaired), df, tuple(counts))

    def _factor(self, fit: Fit, groups: int) -> float:
        if not self.use_correction or self.convention == "none":
            return 1.0
        factor = groups / (groups - 1) if groups > 1 else float("nan")
        if self.convention == "statsmodels" or fit.model.linear:
            factor *= (fit.nobs - 1) / (fit.nobs - fit.rank) if fit.nobs > fit.rank else float("nan")
        return factor

    def _note(self, counts: list[int], repaired: bool) -> str:
        factor = "no small-sample factor"
        if self.use_correction and self.convention != "none":
            factor = f"small-sample factor of {self.convention}"
        groups = " x ".join(str(count) for count in counts)
        note = f"Standard Errors are robust to cluster correlation (cluster); {groups} clusters, {factor}"
        return note + ("; negative eigenvalues of the multi-way matrix set to zero" if repaired else "")


@dataclass(frozen=True)
class HAC(Covariance):
    """Robust to heteroscedasticity and autocorrelation, rows in time order.

    Attributes
    ----------
    maxlags : int
        Lags with positive Bartlett weight ``1 - l / (maxlags + 1)``.
    use_correction : bool
        Multiply by n / (n - k).
    """

    maxlags: int | None = None
    kernel: str = "bartlett"
    use_correction: bool = False
    name: str = "HAC"

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if self.maxlags is None:
            raise KeyError("cov_type='HAC' needs cov_kwds={'maxlags': ...}")
        if not isinstance(self.maxlags, Integral) or self.maxlags < 0:
            raise ValueError(f"maxlags must be a whole number of rows, 0 or more, not {self.maxlags!r}")
        if model.rows.group is not None:
            raise ValueError("cov_type='HAC' needs all rows in their order in one process; use cluster or HC0")
        if self.kernel != "bartlett":
            raise ValueError(f"kernel must be 'bartlett', not {self.kernel!r}")
        return model, self

    def estimate(self, fit: Fit) -> Estimate:
        scores = fit.model.scores(fit.z)
        total = scores.T @ scores
        for lag in range(1, min(int(self.maxlags or 0), len(scores) - 1) + 1):
            cross = scores[lag:].T @ scores[:-lag]
            total += (1 - lag / (int(self.maxlags or 0) + 1)) * (cross + cross.T)
        factor = fit.nobs / (fit.nobs - fit.rank) if self.use_correction else 1.0
        correction = "with" if self.use_correction else "without"
        return Estimate(
            sandwich(fit.bread, total) * factor,
            "Standard Errors are heteroscedasticity and autocorrelation robust (HAC) using "
            f"{self.maxlags} lags and {correction} small sample correction",
        )


KINDS: Mapping[str, Callable[..., Covariance]] = {
    "nonrobust": Nonrobust,
    "oim": Nonrobust,
    "eim": Expected,
    "opg": OPG,
    **{
        name.lower(): (lambda convention="statsmodels", name=name: HC(name, convention))
        for name in ("HC0", "HC1", "HC2", "HC3")
    },
    "cluster": Cluster,
    "hac": HAC,
}
OPTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("hc0", "hc1", "hc2", "hc3"), ("convention",)),
    "cluster": ("groups", "convention", "use_correction", "df_correction"),
    "hac": ("maxlags", "kernel", "use_correction"),
}


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
    key = cov_type.lower()
    if key not in KINDS:
        names = ", ".join(["nonrobust", "oim", "eim", "opg", "HC0", "HC1", "HC2", "HC3", "cluster", "HAC"])
        raise ValueError(f"cov_type not recognized: {cov_type!r}; choose from {names}")
    options = dict(cov_kwds or {})
    known = OPTIONS.get(key, ())
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(
            f"cov_type={cov_type!r} does not take {unknown[0]!r}; it takes {', '.join(known) or 'no options'}"
        )
    if options.get("convention", "none") not in CONVENTIONS:
        raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}, not {options['convention']!r}")
    return KINDS[key](**options)


def groupings(groups: Any, columns: tuple[str, ...]) -> list[Any]:
    """The groupings in what a user gives: one of them, a list of them, or the columns of a matrix or frame.

    A list of strings is a list of column names when every one is a column, else one grouping's labels.
    """
    if isinstance(groups, (list, tuple)):
        scalars = all(np.isscalar(group) or group is None for group in groups)
        named = all(isinstance(group, str) and group in columns for group in groups)
        return list(groups) if named or not scalars else [np.asarray(groups, dtype=object)]
    if getattr(groups, "ndim", 1) == 2:
        take = groups.iloc if hasattr(groups, "iloc") else np.asarray(groups)  # columns of a frame keep their index
        return [take[:, j] for j in range(groups.shape[1])]
    return [groups]
