"""Zero-inflated count regression."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor

from ...data import Data
from ...fitting.constraints import Restrictions
from ...fitting.maximum import NOTHING
from ...fitting.objective import Objective
from ...inference.hypotheses.null import constant_only
from ...optim import Optimum
from ...parameters import Block, Parameters, Values
from ...structured import Coefficients
from .consul import Consul, ConsulResults
from .counts import CountModel
from .distributions import CountDistribution, GeneralizedPoissonCounts, NegativeBinomialCounts, PoissonCounts
from .results import DispersedResults
from .starts import explanations
from .zero_inflation import LINKS, ZeroInflatedCounts

FEW_ROWS = 5_000  # up to which a likelihood is searched from more than one start; with many it hardly has two maxima
HIGHER = 1e-6  # by which another maximum must be higher
QUANTITIES = ("mean-main", "mean-nonzero", "prob-main", "prob-zero")


class ZeroInflatedResults(DispersedResults):
    """A count model with added zeros."""

    def predict(
        self, exog: Any = None, transform: bool = True, which: str = "mean", y_values: Any = None, **arguments: Any
    ) -> Any:
        """Predicted values; see `CountResults.predict`.

        `which` may also be "mean-main" (of the counts before inflation), "mean-nonzero", "prob-main" (one less the share of
        added zeros) and "prob-zero".  ``exog_infl=`` are new rows of the inflation model, where that was given as a matrix.
        """
        exog = self.model.both_designs(exog, arguments.pop("exog_infl", None))
        return super().predict(exog, transform, which, y_values, **arguments)

    def get_prediction(self, exog: Any = None, transform: bool = True, which: str = "mean", **arguments: Any) -> Any:
        """Predictions with standard errors and intervals; arguments as for `predict`."""
        exog = self.model.both_designs(exog, arguments.pop("exog_infl", None))
        return super().get_prediction(exog, transform, which, **arguments)

    def term_positions(self) -> dict[str, list[int]]:
        """Positions of each term, the inflation's first and named as its coefficients."""
        found = super().term_positions()
        named = {term.replace("inflate[", "inflate_", 1)[:-1] if term.startswith("inflate[") else term: at
                 for term, at in found.items()}  # fmt: skip
        return dict(sorted(named.items(), key=lambda item: item[1]))

    @property
    def llr_df(self) -> float:
        """Coefficients that the constant-only model does not have, those of the inflation included."""
        return self.df_model + self.model.inflation_slopes


if TYPE_CHECKING:
    Counts = CountModel
else:
    Counts = object


class ZeroInflation(Counts):
    """What the zero-inflated models have over the model of their counts."""

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        exog_infl: Any = None,
        offset: Any = None,
        exposure: Any = None,
        inflation: str = "logit",
        **arguments: Any,
    ):
        """The inflation model's matrix comes after the main one, where statsmodels has it."""
        if exog_infl is not None:
            arguments["inflate"] = exog_infl
        rows = {"offset": offset, "exposure": exposure}
        super().__init__(endog, exog, inflation=inflation, **rows, **arguments)

    def smooth_response(self, y: Tensor) -> None:
        return None

    def inflate(self, base: CountDistribution, inflation: str) -> None:
        """Take a distribution of counts, with zeros added."""
        if inflation not in LINKS:
            raise ValueError(f"inflation must be one of {', '.join(LINKS)}; got {inflation!r}")
        self.inflation = inflation
        self.use(ZeroInflatedCounts(base, inflation))

    def make_layout(self) -> Parameters:
        """The inflation's coefficients come first in tables, as in statsmodels."""
        columns = self.design.columns.get("inflate", ("const",))
        inflate = Coefficients(tuple(f"inflate_{column}" for column in columns))
        blocks = [block for block in self.parameter_blocks() if block[0] != "inflate"]
        return Parameters([*blocks, ("inflate", inflate, None)], order=("inflate", *(name for name, _, _ in blocks)))

    def _maximum(
        self,
        restrictions: Restrictions,
        start_params: Any,
        method: str,
        boundary: Mapping[int, float] = NOTHING,
        **options: Any,
    ) -> tuple[Objective, Optimum]:
        """The highest of the maxima that the plain start and two accounts of the zeros lead to, where rows are few."""
        found = super()._maximum(restrictions, start_params, method, boundary, **options)
        told = start_params is not None or method != "newton" or boundary or self.secondary
        if told or "alpha" not in self.parameters or self.rows.n > FEW_ROWS or self.rows.group is not None:
            return found
        quiet = copy.copy(self)
        quiet.secondary = True
        rest = {**options, "callback": None, "progress": False}
        for point in explanations(quiet):
            start = self.layout.natural(self.coordinates.theta(point)).numpy()
            other = quiet._maximum(restrictions, start, method, **rest)
            if other[1].converged and (not found[1].converged or other[1].value > found[1].value + HIGHER):
                found = other
        return found

    @property
    def inflation_slopes(self) -> int:
        """Coefficients of the inflation model beside its constant."""
        block: Block = self.layout.block("inflate")
        return len(block.labels) - 1

    @property
    def exog_infl(self) -> Any:
        """The inflation model's design, an ndarray; None when it is a constant alone."""
        x = self.rows.x.get("inflate")
        return None if x is None else x.cpu().numpy()

    def both_designs(self, exog: Any, exog_infl: Any) -> Any:
        """New rows of both models in one argument; a single row of either goes with every row of the other."""
        if exog_infl is None:
            return exog
        pair = [_as_matrix(self.exog if exog is None else exog, self.exog), _as_matrix(exog_infl, self.exog_infl)]
        n = max(len(matrix) for matrix in pair)
        return dict(zip(("mu", "inflate"), (_repeated(matrix, n) for matrix in pair), strict=True))

    def null_loglike(self) -> float:
        """Maximum of the log-likelihood with constants in place of both designs."""
        null = constant_only(self)
        null.shift, null.intercepts = (_others(part, "inflate") for part in (null.shift, null.intercepts))
        null._rows = null.rows.with_designs(_others(null.rows.x, "inflate")).with_shift(null.shift)
        parts = ("formulas", "columns", "terms")
        null.design = replace(null.design, **{part: _others(getattr(null.design, part), "inflate") for part in parts})
        null.layout = null.make_layout()
        return null.fit(cov_type=None, disp=False).llf

    # -- predictions -------------------------------------------------------------------------------------------

    def predictable(self) -> tuple[str, ...]:
        return (*super().predictable(), *QUANTITIES)

    def mean(self, p: Values, data: Data) -> Tensor:
        return self.distribution.moments(self._eta_of(p))[0]

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        if which == "mean-main":
            return p.mu
        if which == "prob-main":
            return LINKS[self.inflation](-p.real.inflate)  # symmetric links
        if which == "prob-zero":
            return self.predict_rows("prob[0]", p, data)
        if which == "mean-nonzero":
            return self.mean(p, data) / (1 - self.predict_rows("prob[0]", p, data))
        return super().predict_rows(which, p, data)

    def predict(
        self, params: Any, exog: Any = None, which: str = "mean", y_values: Any = None, **arguments: Any
    ) -> Any:
        """Predicted values at reported parameter values; `exog_infl` are rows of the inflation model's design."""
        exog = self.both_designs(exog, arguments.pop("exog_infl", None))
        return super().predict(params, exog, which, y_values, **arguments)


class ZeroInflatedPoisson(ZeroInflation, CountModel):
    """Poisson counts with added zeros (Lambert 1992): a row is zero with probability ``pi``, else Poisson.

    ``E[y] = (1 - pi) mu`` with ``mu = exp(X b + offset) * exposure`` and ``pi = logistic(Z c)``.  The coefficients c come first
    in tables, named ``inflate_...``.  Where there are no more zeros than Poisson has, a constant ``pi`` is zero: the estimates
    are then those of Poisson, and a warning says so.

    Parameters
    ----------
    endog, exog : array_like
        Counts (n,) and design (n, k); no constant is added.
    exog_infl : array_like, optional
        Design of the inflation, a constant by default.  With a formula: ``inflate="~ z"``.
    offset : array_like, optional
        Added to the linear predictor of the counts.
    exposure : array_like, optional
        Multiplies the mean of the counts; positive.
    inflation : {"logit", "probit"}
        Link of ``pi``.
    """

    parameters = ZeroInflatedCounts(PoissonCounts()).parameters
    settings: ClassVar[tuple[str, ...]] = ("inflation",)
    results_class = ZeroInflatedResults

    def configure(self, **settings: Any) -> None:
        self.inflate(PoissonCounts(), settings.get("inflation", "logit"))


class ZeroInflatedNegativeBinomialP(ZeroInflation, CountModel):
    """Negative binomial counts with added zeros; see `ZeroInflatedPoisson` and `NegativeBinomialP`.

    Parameters
    ----------
    endog, exog, exog_infl, offset, exposure, inflation :
        As for `ZeroInflatedPoisson`.
    p : float
        The variance of the counts is ``mu + alpha mu^p``.
    """

    parameters = ZeroInflatedCounts(NegativeBinomialCounts()).parameters
    settings: ClassVar[tuple[str, ...]] = ("inflation", "p")
    results_class = ZeroInflatedResults

    def configure(self, **settings: Any) -> None:
        self.p = settings.get("p", 2)
        self.inflate(NegativeBinomialCounts(float(self.p)), settings.get("inflation", "logit"))


class ZeroInflatedGeneralizedResults(ZeroInflatedResults, ConsulResults):
    """Generalized Poisson counts with added zeros."""


class ZeroInflatedGeneralizedPoisson(Consul, ZeroInflation, CountModel):
    """Generalized Poisson counts with added zeros; see `ZeroInflatedPoisson` and `GeneralizedPoisson`.

    Parameters
    ----------
    endog, exog, exog_infl, offset, exposure, inflation :
        As for `ZeroInflatedPoisson`.
    p : float
        The variance of the counts is ``mu (1 + alpha mu^(p - 1))^2``.
    """

    parameters = ZeroInflatedCounts(GeneralizedPoissonCounts()).parameters
    settings: ClassVar[tuple[str, ...]] = ("inflation", "p")
    results_class = ZeroInflatedGeneralizedResults

    def configure(self, **settings: Any) -> None:
        self.p = settings.get("p", 2)
        self.inflate(GeneralizedPoissonCounts(float(self.p) - 1), settings.get("inflation", "logit"))


def _as_matrix(rows: Any, like: Any) -> Any:
    """A vector as one row, or as a column where there is but one."""
    if getattr(rows, "ndim", 1) == 2:
        return rows
    return np.asarray(rows, dtype=float).reshape(-1, 1 if like is None else like.shape[1])


def _repeated(matrix: Any, n: int) -> Any:
    return np.repeat(np.asarray(matrix, dtype=float), n, axis=0) if len(matrix) == 1 < n else matrix


def _others(entries: Mapping[str, Any], name: str) -> Any:
    """The entries of all predictors but one."""
    return {key: value for key, value in entries.items() if key != name}
