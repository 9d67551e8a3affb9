"""Conditional logit: binary choices within groups, group constants conditioned away."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data import Data
from ...errors import SpecificationWarning
from ...fitting.sampling import fresh_copy, of_rows
from ...formula import Rows, constant_columns, late_column
from ...likelihood import LikelihoodModel
from ...linalg import dependent_columns, triangular_factor
from ...results.estimates import Array
from ...structured import Coefficients
from ...sums import row_map
from ..penalised import ElasticNet
from . import chosen
from .conditional_predictions import COUNT
from .conditional_results import ConditionalResults
from .conditional_separation import SeparableGroups


class ConditionalLogit(ElasticNet, LikelihoodModel):
    """Logit with a constant for every group, given the number of ones in each: exact conditional likelihood.

    In group g with members i, of which d_g have y = 1,

        ``l_g = sum_i y_i eta_i - log sum_S exp(sum_{i in S} eta_i)``,   S over all sets of d_g members,

    with ``eta = x'b + offset``.  The sum is built up member by member (`torchmle.models.choices.chosen`), with its derivatives.

    Parameters
    ----------
    endog : array_like
        0 or 1, (n,).
    exog : array_like
        Columns (n, k) without a constant; that of a formula is left out.
    groups : array_like or str
        Labels of the groups, (n,), or the name of their column.
    offset : array_like, optional
        Added to the linear predictor.
    freq_weights : array_like, optional
        How many times each group counts; the same for all its members.

    Notes
    -----
    A probability is that of a row given how many of its group have y = 1; new rows say it by their response or by
    ``ones=``, see `ConditionalResults.predict`.

    Groups in which all y are equal say nothing of the coefficients and are left out, with a warning.  Columns that are
    constant in every group are left out too.

    The independent units are groups, not rows: `llf_obs` and `score_obs` have one entry per group, and HC0 is the
    sandwich clustered by group.  Coarser clusters must consist of whole groups.

    References
    ----------
    Gail, Lubin and Rubinstein (1981), "Likelihood calculations for matched case-control studies", Biometrika 68.

    Examples
    --------
    >>> ConditionalLogit.from_formula("visited ~ age", df, groups="firm").fit(disp=False).converged
    True
    """

    parameters = {"beta": Coefficients()}
    row_arguments: ClassVar[tuple[str, ...]] = ("offset", "groups")
    prediction_arguments: ClassVar[tuple[str, ...]] = (COUNT,)
    results_class = ConditionalResults
    default_disp = True

    def __init__(self, endog: Any, exog: Any = None, *, groups: Any = None, **arguments: Any):
        if groups is None and not isinstance(endog, Rows):
            raise ValueError("'groups' is a required argument: the labels of the groups, or the name of their column")
        if arguments.get("process_group") is not None:
            raise ValueError("ConditionalLogit does not share groups out to processes: fit it in one")
        super().__init__(endog, exog, groups=groups, **arguments)

    # -- groups ------------------------------------------------------------------------------------------------

    def prepare(self, data: Data) -> Data:
        """Rows become groups: their places among the members, which the model keeps beside them."""
        data = self._checked(data)
        if "Intercept" in self.design.columns["X"] and self.design.formulas:
            kept = [j for j, name in enumerate(self.design.columns["X"]) if name != "Intercept"]
            self.design = self.design.without("X", ["Intercept"])
            data = data.with_designs({"X": data.x["X"][:, kept]})
        constant = constant_columns(data.x["X"])
        if len(constant) and self.hasconst is not False:
            raise ValueError(
                "Conditional models should not have an intercept in the design matrix: the constants of the groups take its "
                f"place; leave out {self.design.columns['X'][int(constant[0])]!r}"
            )
        sizes, ones = group_sizes(data)
        informative = (ones > 0) & (ones < sizes)
        self._leave_out(sizes, informative)
        return self._arranged(data.take(informative[data.groups]))

    def _arranged(self, data: Data) -> Data:
        """Groups as rows; their members, one after the other, go into the model."""
        codes = data.groups.unique(return_inverse=True)[1]
        self.order = torch.argsort(codes, stable=True)
        self._members: Data | None = data.with_columns(groups=codes)
        sizes, ones = group_sizes(self._members)
        first = sizes.cumsum(0) - sizes
        self.within = within_groups(data.x["X"].double()[self.order], first, sizes)
        columns = {"first": first, "size": sizes, "ones": ones}
        if "freq_weights" in data.columns:
            columns["freq_weights"] = _constant_in_groups(data.freq_weights[self.order], first, sizes)
        self.group_statistics = [len(sizes), int(sizes.min()), int(sizes.max()), len(codes) / len(sizes)]
        return Data(ones.double(), {}, columns)

    def _checked(self, data: Data) -> Data:
        if "groups" not in data.columns:
            raise ValueError("'groups' is a required argument: the labels of the groups, or the name of their column")
        if "X" not in data.x:
            raise ValueError("ConditionalLogit needs columns: without any there is nothing to estimate")
        if not bool(((data.y == 0) | (data.y == 1)).all()):
            raise ValueError(f"endog must be coded as 0, 1; {self.endog_names} has other values")
        return data

    def _leave_out(self, sizes: Tensor, informative: Tensor) -> None:
        """Take note of groups without variation, and their rows out of the index."""
        gone = ~informative & (sizes > 0)
        groups, rows = int(gone.sum()), int(sizes[gone].sum())
        self.left_out = [groups, rows]
        if not bool(informative.any()):
            raise ValueError(
                f"{self.endog_names} is constant in all {groups} groups: they say nothing of the coefficients"
            )
        if groups:
            warnings.warn(
                f"Dropped {groups} groups and {rows} observations for having no within-group variance of {self.endog_names}",
                SpecificationWarning,
                stacklevel=5,
            )

    def _ready(self, data: Data, process_group: Any) -> Data:
        codes = data.get("groups")
        ready = super()._ready(data, process_group)
        assert codes is not None
        sizes, ones = group_sizes(data)
        self._keep_members(((ones > 0) & (ones < sizes))[codes].cpu().numpy())
        return ready

    def _keep_members(self, mask: np.ndarray) -> None:
        """Index and kept rows without some members."""
        if mask.all():
            return
        kept = np.ones(len(mask), dtype=bool) if self.kept is None else self.kept.copy()
        kept[np.flatnonzero(kept)[~mask]] = False
        self.kept = kept
        self.index = None if self.index is None else self.index[mask]

    @property
    def observed_rows(self) -> Data:
        """The members of the groups that count."""
        _ = self.rows  # or say that they are gone
        assert self._members is not None
        return self._members

    def forget_rows(self) -> None:
        super().forget_rows()
        vars(self).update(_members=None, order=None, within=None)

    def at_members(self, data: Data) -> Any:
        """The same model at other groups, those of these members."""
        other: Any = fresh_copy(self)
        other._rows = other._arranged(data)
        return other

    def keep_rows(self, mask: np.ndarray) -> Any:
        """The same model of fewer groups."""
        other: Any = of_rows(self, torch.from_numpy(mask))
        kept = mask[self.observed_rows.groups.cpu().numpy()]
        other._rows = other._arranged(self.observed_rows.take(kept))
        other._keep_members(kept)
        return other

    def row_column(self, value: Any, name: str) -> np.ndarray:
        """Labels of the members, or of the groups, as one per group; a cluster is made of whole groups."""
        values = late_column(value, self.frame, self.kept, self.index, name)
        if len(values) == self.observed_rows.n:
            values = values[self.order.cpu().numpy()]
            first = self.rows.first.cpu().numpy()
            codes = pd.factorize(values)[0]  # by which missing values are equal to each other
            if not bool((np.repeat(codes[first], self.rows.size.cpu().numpy()) == codes).all()):
                raise ValueError(f"{name} differ within a group: clusters must be made of whole groups")
            return values[first]
        return super().row_column(value, name)

    # -- names and counts --------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "group_statistics": self.group_statistics, "left_out": self.left_out}

    @property
    def endog(self) -> Array:
        """The response of the members, (n,) ndarray."""
        return self.observed_rows.y.cpu().numpy()

    @property
    def exog(self) -> Array:
        """The columns of the members, (n, k) ndarray."""
        return self.observed_rows.x["X"].cpu().numpy()

    @cached_property
    def nobs(self) -> float:
        """Members of the groups that count."""
        weights = self.rows.get("freq_weights")
        return float(self.rows.size.sum() if weights is None else self.rows.size.double() @ weights.double())

    def _get_init_kwds(self) -> dict[str, Any]:
        names = [name for name in ("groups", "offset", "freq_weights") if name in self.observed_rows.columns]
        return {name: self.observed_rows.columns[name].cpu().numpy() for name in names}

    def aliased(self) -> tuple[int, ...]:
        """Columns that are, within groups, combinations of earlier ones; among them those that do not vary in any."""
        return tuple(dependent_columns(triangular_factor([self.within]).cpu(), self.observed_rows.n))

    def predictable(self) -> tuple[str, ...]:
        """Valid values of ``predict(which=...)``."""
        return ("mean", "linear")

    # -- the likelihood ----------------------------------------------------------------------------------------

    def start(self) -> Tensor:
        return torch.zeros(self.layout.size, dtype=torch.float64)

    def _padded(self, z: Tensor, rows: Data) -> tuple[chosen.Groups, Tensor, Tensor]:
        """Groups as padded tensors with at most half their members chosen; the sum of eta and of x over those observed.

        Choosing d of m by eta is leaving out m - d by -eta.
        """
        m = int(rows.size.max())
        place = torch.arange(m, device=z.device)
        present = place < rows.size[:, None]
        at = torch.where(present, rows.first[:, None] + place, 0)
        x = torch.where(present[:, :, None], self.within[at], 0.0)
        eta, y = x @ z, self.observed_rows.y.double()[self.order[at]]
        if "offset" in self.observed_rows.columns:
            eta = eta + self.observed_rows.offset.double()[self.order[at]]
        many = (2 * rows.ones > rows.size)[:, None]
        eta, y = torch.where(many, -eta, eta), torch.where(present, torch.where(many, 1 - y, y), 0.0)
        number = torch.where(many[:, 0], rows.size - rows.ones, rows.ones)
        groups = chosen.Groups(torch.where(present, eta, -torch.inf), torch.where(many[:, :, None], -x, x), number)
        return groups, (torch.where(present, eta, 0.0) * y).sum(1), (groups.x * y[:, :, None]).sum(1)

    def _batches(self, data: Data) -> list[Tensor]:
        fewer = torch.minimum(data.ones, data.size - data.ones)
        return chosen.batches(data.size, fewer, self.layout.size)

    def row_loglike(self, z: Tensor, data: Data) -> Tensor:
        """Log-likelihood of each group of a block."""
        out = z.new_zeros(data.n)
        for part in self._batches(data):
            groups, observed, _ = self._padded(z, data.take(part))
            out[part] = observed - chosen.moments(groups, False).log_sum
        return out

    def block_scores(self, z: Tensor, data: Data) -> Tensor:
        """Score of each group of a block, (G, k)."""
        out = z.new_zeros(data.n, len(z))
        for part in self._batches(data):
            groups, _, observed = self._padded(z, data.take(part))
            out[part] = observed - chosen.moments(groups, False).mean
        return out

    def block_curvatures(self, z: Tensor, data: Data) -> Tensor:
        """Second derivatives of each group of a block, (G, k, k)."""
        out = z.new_zeros(data.n, len(z), len(z))
        for part in self._batches(data):
            groups, _, _ = self._padded(z, data.take(part))
            out[part] = -chosen.covariances(chosen.moments(groups, True), groups.chosen)
        return out

    def block_sums(self, z: Tensor, data: Data, order: int) -> tuple[Tensor, ...]:
        value, score, hessian = z.new_zeros(()), z.new_zeros(len(z)), z.new_zeros(len(z), len(z))
        weights = data.get("freq_weights", torch.ones(data.n, dtype=z.dtype, device=z.device))
        assert weights is not None
        for part in self._batches(data):
            groups, eta, x = self._padded(z, data.take(part))
            found, w = chosen.moments(groups, order > 1), weights[part]
            value = value + (eta - found.log_sum) @ w
            score = score + w @ (x - found.mean)
            if order > 1:
                hessian = hessian - chosen.covariance_sum(found, groups.chosen, w)
        return (value, score, hessian)[: order + 1]

    def expected_information(self, z: Tensor) -> Tensor:
        """The observed one: given how many of a group are chosen, it does not depend on which."""
        return -self.sums(z, 2)[2]

    def inclusion(self, z: Tensor) -> chosen.Inclusion:
        """Probability that each member has y = 1, given how many of its group have, with its slopes in z; on the CPU."""
        n, z = self.observed_rows.n, z.to(self.rows.device)
        out = chosen.Inclusion(*(torch.zeros(n, *more, dtype=torch.float64) for more in ((), (), (len(z),))))

        def block(rows: Data) -> Tensor:
            for part in self._batches(rows):
                some = rows.take(part)
                groups, _, _ = self._padded(z, some)
                found = chosen.inclusion(chosen.moments(groups, True), groups.chosen).swapped(2 * some.ones > some.size)
                place = torch.arange(groups.eta.shape[1], device=z.device)
                present = place < some.size[:, None]
                at = self.order[(some.first[:, None] + place)[present]].cpu()
                for whole, values in zip(out, found, strict=True):
                    whole[at] = values[present].cpu()
            return rows.ones

        row_map(block, self.rows)
        return out

    @property
    def separable(self) -> SeparableGroups:
        """What members of groups say of directions in which they are predicted perfectly."""
        return SeparableGroups(self)

    def null_loglike(self) -> float:
        """Log-likelihood at coefficients of zero."""
        return float(self.sums(torch.zeros(self.layout.size, dtype=torch.float64), 0)[0])


def group_sizes(data: Data) -> tuple[Tensor, Tensor]:
    """Members and ones of each group, by the groups' codes."""
    sizes = torch.bincount(data.groups)
    return sizes, torch.zeros_like(sizes).index_add_(0, data.groups, data.y.double().round().long())


def within_groups(x: Tensor, first: Tensor, sizes: Tensor) -> Tensor:
    """Columns less those of the first member of each group, then less the mean of that: what is constant becomes exactly 0."""
    x = x - torch.repeat_interleave(x[first], sizes, 0)
    owner = torch.repeat_interleave(torch.arange(len(sizes), device=x.device), sizes)
    means = x.new_zeros(len(sizes), x.shape[1]).index_add_(0, owner, x) / sizes[:, None]
    return x - means[owner]


def _constant_in_groups(values: Tensor, first: Tensor, sizes: Tensor) -> Tensor:
    found = values[first]
    if not bool((torch.repeat_interleave(found, sizes) == values).all()):
        raise ValueError("freq_weights differ within a group: a group counts as a whole")
    return found
