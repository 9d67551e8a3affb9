"""RegressionModel: a likelihood that sees its parameters through linear predictors, and the eta-space engine.

With ``l_i = f(y_i, eta_i1 ... eta_im)`` and ``eta_j = X_j beta_j``, derivatives are taken in eta, row by row:
g (n, m) by one backward pass, h (n, m, m) by m more.  Then the score is ``X_j' g_j`` and a block of the Hessian
``X_j' diag(h_jk) X_k``: exact Newton steps at the cost of iteratively reweighted least squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base.observed import Observed
from ..base.reported import row_factors
from ..compute.autodiff import Curvature, Eta, full_curvature, row_derivatives
from ..covariance.leverage import RowTerms
from ..data import Data
from ..fitting import starts
from ..fitting.columns import (
    centres,
    columns_times,
    combinations_of_others,
    gram,
    has_offset,
    intercept_column,
    linear_offset,
    spans_constant,
)
from ..fitting.coordinates import Coordinates
from ..fitting.separable import SeparableRows
from ..formula import Design
from ..inference.hypotheses.null import constant_only
from ..inference.predictions.by_numbers import Seen
from ..likelihood import LikelihoodModel
from ..linalg import Inverse, invert_information
from ..parameters import Parameters, Values
from ..structured import Coefficients, VectorTransform
from ..sums import row_sums
from ..transforms import Transform


class RegressionModel(Observed, LikelihoodModel):
    """A likelihood whose parameters vary over rows, each through a linear predictor and a transform.

    `parameters` maps names to scalar transforms.  The first takes the main formula; the others are constant
    unless they are given a formula (``sigma="~ w"``) or a matrix.  In `loglike_obs`, ``p.mu`` and ``p.sigma`` are
    natural values per row and ``p.real.mu`` is the linear predictor.

    ``offset=``, or ``offset(...)`` in the main formula, is added to the first linear predictor (`MNLogit`, where none is first,
    takes none).

    A constant parameter is reported on its natural scale under its own name.  A parameter with a formula is
    reported as coefficients of its linear predictor, named ``sigma[w]``.

    Examples
    --------
    >>> class Gumbel(tm.RegressionModel):
    ...     parameters = {"mu": tm.Identity(), "sigma": tm.Log()}
    ...     def loglike_obs(self, p, data):
    ...         z = (data.y - p.mu) / p.sigma
    ...         return -z - torch.exp(-z) - torch.log(p.sigma)
    """

    parameters: ClassVar[Mapping[str, Transform]] = MappingProxyType({})
    row_arguments: ClassVar[tuple[str, ...]] = ("offset",)
    remembered: ClassVar[tuple[str, ...]] = (*LikelihoodModel.remembered, "seen")

    @classmethod
    def predictors(cls) -> tuple[str, ...]:
        if not cls.parameters:
            raise TypeError(f"{cls.__name__} must say its parameters, such as parameters = {{'mu': Identity()}}")
        return tuple(cls.parameters)

    def prepare(self, data: Data) -> Data:
        self.intercepts = {
            name: at for name, x in data.x.items() if (at := intercept_column(x, data.group)) is not None
        }
        return data.with_shift(centres(data, self.intercepts))

    def state(self) -> dict[str, Any]:
        return {**super().state(), "intercepts": self.intercepts, "seen": self.seen}

    @classmethod
    def without_rows(cls, design: Design, shift: Mapping[str, Tensor], state: Mapping[str, Any]) -> Any:
        told = state["seen"]
        return super().without_rows(design, shift, {**state, "seen": None if told is None else Seen(*told)})

    def make_layout(self) -> Parameters:
        return Parameters(self.parameter_blocks())

    def parameter_blocks(self) -> list[tuple[str, Transform | VectorTransform, tuple[str, ...] | None]]:
        """Name, transform and labels of each parameter: coefficients for those that have a design."""
        blocks: list[tuple[str, Transform | VectorTransform, tuple[str, ...] | None]] = []
        for i, (name, transform) in enumerate(self.parameters.items()):
            columns = self.design.columns.get(name)
            if columns is None:
                blocks.append((name, transform, None))
            else:
                labels = columns if i == 0 else tuple(f"{name}[{column}]" for column in columns)
                blocks.append((name, Coefficients(labels), None))
        return blocks

    # -- coordinates -------------------------------------------------------------------------------------------

    @cached_property
    def coordinates(self) -> Coordinates:
        """Coordinates of the centred columns: ``intercept_theta = intercept_z - shift @ beta``."""
        k = self.layout.size
        if not self.shift:
            return Coordinates(None, torch.zeros(k, dtype=torch.float64))
        uncentre = torch.eye(k, dtype=torch.float64)
        for name, shift in self.shift.items():
            block = self.layout.block(name).reals
            uncentre[block.start + self.intercepts[name], block] -= shift.to("cpu", torch.float64)
        return Coordinates(uncentre, torch.zeros(k, dtype=torch.float64))

    @property
    def separable(self) -> SeparableRows:
        """What rows say of directions in which they are predicted perfectly."""
        return SeparableRows(self)

    def aliased(self) -> tuple[int, ...]:
        dropped = []
        for name in self.rows.x:
            start = self.layout.block(name).reals.start
            dropped += [start + column for column in combinations_of_others(self.rows, name)]
        return tuple(dropped)

    def start(self) -> Tensor:
        return starts.best(self, starts.candidates(self))

    # -- the engine --------------------------------------------------------------------------------------------

    def eta(self, z: Tensor, data: Data) -> Eta:
        """The linear predictors of a block: m vectors of n rows."""
        out = []
        for i, block in enumerate(self.layout.blocks):
            x = data.x.get(block.name)
            values = z[block.reals].expand(data.n) if x is None else x @ z[block.reals]
            out.append(values + linear_offset(data) if i == 0 and has_offset(data) else values)
        return tuple(out)

    def values(self, eta: Sequence[Tensor]) -> Values:
        """Natural values by name of linear predictors."""
        return Values(dict(zip(self.parameters, eta, strict=True)), self.parameters)

    def row_loglike(self, z: Tensor, data: Data) -> Tensor:
        return self.checked_loglike(self.values(self.eta(z, data)), data)

    def eta_derivatives(self, eta: Eta, data: Data, order: int) -> tuple[Tensor, Eta, Curvature]:
        """Log-likelihood (n,), gradient and Hessian of each row in the linear predictors.

        Derived by automatic differentiation; a model with closed forms overrides it.

        Returns
        -------
        loglike : Tensor (n,)
        g : m tensors (n,)
        h : m rows; row j holds the second derivatives with predictors j, j+1, ...  Empty when order < 2.
        """
        return row_derivatives(lambda point: self.checked_loglike(self.values(point), data), eta, order)

    def block_sums(self, z: Tensor, data: Data, order: int) -> tuple[Tensor, ...]:
        eta, weights = self.eta(z, data), data.get("freq_weights")
        if order == 0:
            values = self.checked_loglike(self.values(eta), data)
            return (values.sum() if weights is None else values @ weights,)
        loglike, g, h = self.eta_derivatives(eta, data, order)
        if weights is not None:
            loglike, g = loglike * weights, tuple(gj * weights for gj in g)
        xs = [data.x.get(block.name) for block in self.layout.blocks]
        score = torch.cat([columns_times(x, gj) for x, gj in zip(xs, g, strict=True)])
        if order == 1:
            return loglike.sum(), score
        return loglike.sum(), score, self.assemble(h, data)

    def assemble(self, h: Curvature, data: Data) -> Tensor:
        """The Hessian in z of a block's second derivatives in eta, weighted."""
        k, blocks, weights = self.layout.size, self.layout.blocks, data.get("freq_weights")
        if weights is not None:
            h = tuple(tuple(hjk * weights for hjk in row) for row in h)
        xs = [data.x.get(block.name) for block in blocks]
        hessian = h[0][0].new_zeros(k, k)
        for j, row in enumerate(h):
            for offset, hjk in enumerate(row):
                part = gram(xs[j], hjk, xs[j + offset])
                hessian[blocks[j].reals, blocks[j + offset].reals] = part
                if offset:
                    hessian[blocks[j + offset].reals, blocks[j].reals] = part.T
        return hessian

    def information_scores(self, z: Tensor, data: Data) -> Tensor:
        """Derivatives of each row's log-likelihood in its linear predictors, (n, m)."""
        return torch.stack(self.eta_derivatives(self.eta(z, data), data, 1)[1], 1)

    def information_of(self, products: Tensor, data: Data) -> Tensor:
        """The weighted sum over rows, (k, k) in z, of outer products (n, m, m) of `information_scores`."""
        m = products.shape[1]
        return self.assemble(tuple(tuple(products[:, j, k] for k in range(j, m)) for j in range(m)), data)

    def expected_hessian(self, z: Tensor, curvature: Callable[[Eta], Curvature]) -> Tensor:
        """Sum over rows of expected second derivatives, given as a function of the linear predictors, (k, k)."""
        point = z.to(self.rows.device)
        return row_sums(lambda block: (self.assemble(curvature(self.eta(point, block)), block),), self.rows)[0]

    def invert_information(
        self, information: Tensor, coordinates: Coordinates, z: Tensor, expected: bool = False
    ) -> Inverse:
        unknown = expected and not self.knows_expected_curvature
        if len(self.layout.blocks) > 1 or type(self).block_sums is not RegressionModel.block_sums or unknown:
            return super().invert_information(information, coordinates, z, expected)
        point, name = z.to(self.rows.device), self.layout.blocks[0].name

        def along(directions: Tensor) -> Tensor:
            moved = (directions if coordinates.basis is None else coordinates.basis @ directions).to(point.device)

            def block_sums(block: Data) -> tuple[Tensor]:
                eta, x = self.eta(point, block), block.x.get(name)
                h = self.expected_curvature(eta, block) if expected else self.eta_derivatives(eta, block, 2)[2][0][0]
                weights = block.get("freq_weights")
                columns = moved.expand(block.n, -1) if x is None else x @ moved
                return (gram(columns, -h if weights is None else -h * weights, columns),)

            return row_sums(block_sums, self.rows)[0]

        return invert_information(information, along)

    def score_factor(self, params: Any) -> Any:
        """Derivative of each row's log-likelihood in its linear predictor, (n,) ndarray; (n, m) for m predictors."""
        return row_factors(self, self._z(params), 1).numpy()

    def hessian_factor(self, params: Any) -> Any:
        """Second derivative of each row's log-likelihood in its linear predictor, (n,) ndarray; (n, m, m) for m of them."""
        return row_factors(self, self._z(params), 2).numpy()

    def block_scores(self, z: Tensor, data: Data) -> Tensor:
        _, g, _ = self.eta_derivatives(self.eta(z, data), data, 1)
        parts = []
        for block, gj in zip(self.layout.blocks, g, strict=True):
            x = data.x.get(block.name)
            parts.append(gj[:, None] if x is None else x * gj[:, None])
        return torch.cat(parts, 1)

    def expected_curvature(self, eta: Eta, data: Data) -> Tensor:
        """Expected second derivative of each row in its one linear predictor, (n,).

        The observed one, which it is for a canonical link; models with others override it.
        """
        return self.eta_derivatives(eta, data, 2)[2][0][0]

    def expected_curvatures(self, eta: Eta, data: Data) -> Curvature:
        """Expected second derivatives of each row in its several linear predictors.

        The observed ones; models in which they differ override it.
        """
        return self.eta_derivatives(eta, data, 2)[2]

    @property
    def knows_expected_curvature(self) -> bool:
        own = type(self)
        if len(self.layout.blocks) > 1:
            return own.expected_curvatures is not RegressionModel.expected_curvatures
        return own.expected_curvature is not RegressionModel.expected_curvature

    @property
    def predictor_count(self) -> int:
        """Linear predictors of a row."""
        return len(self.layout.blocks)

    def block_terms(self, z: Tensor, data: Data, expected: bool = False) -> RowTerms:
        """How the rows of a block depend on z through their predictors, by the observed or the expected information."""
        eta, blocks = self.eta(z, data), self.layout.blocks
        _, g, h = self.eta_derivatives(eta, data, 2)
        information = -full_curvature(self.expected_curvatures(eta, data) if expected else h)
        designs = tuple(data.x.get(block.name) for block in blocks)
        return RowTerms(designs, tuple(block.reals for block in blocks), torch.stack(g, 1), information)

    def block_leverage(self, z: Tensor, data: Data, bread: Tensor, expected: bool = False) -> Tensor:
        """Diagonal of the hat matrix of the weighted design, (n,): ``w_i x_i' (X'WX)^-1 x_i`` with W = -h.

        h is the observed second derivative, or the expected one.  With several predictors, the trace of each row's matrix.
        """
        if len(self.layout.blocks) > 1:
            return super().block_leverage(z, data, bread, expected)
        eta = self.eta(z, data)
        h = self.expected_curvature(eta, data) if expected else self.eta_derivatives(eta, data, 2)[2][0][0]
        x = data.x.get(self.layout.blocks[0].name)
        quadratic = bread[0, 0].expand(data.n) if x is None else ((x @ bread) * x).sum(1)
        return -h * quadratic

    @cached_property
    def k_constant(self) -> int:
        """1 when the main design has a constant: a column, or a combination of columns such as a full set of dummies."""
        if self.hasconst is not None:
            return int(self.hasconst)
        name = next(iter(self.parameters))
        if name not in self.design.columns:
            return 1
        return int(name in self.intercepts or spans_constant(self.rows, name))

    def null_loglike(self) -> float:
        """Maximum of the log-likelihood with a constant in place of the main design."""
        return constant_only(self).fit(cov_type=None, disp=False).llf

    # -- predictions -------------------------------------------------------------------------------------------

    def mean(self, p: Values, data: Data) -> Tensor:
        """Expected response of each row; the first parameter unless a model says otherwise."""
        return getattr(p, next(iter(self.parameters)))

    def predict_rows(self, which: str, p: Values, data: Data) -> Tensor:
        """A predicted quantity of each row: "mean", "linear" or the name of a parameter."""
        if which == "mean":
            return self.mean(p, data)
        if which == "linear":
            return getattr(p.real, next(iter(self.parameters)))
        if which in self.parameters:
            return getattr(p, which)
        known = ", ".join(repr(name) for name in self.predictable())
        raise ValueError(f"which={which!r} is not something {type(self).__name__} predicts; choose from {known}")

    def predictable(self) -> tuple[str, ...]:
        """Valid values of ``predict(which=...)``."""
        return ("mean", "linear", *self.parameters)

    def is_first(self, which: str) -> bool:
        """Whether a predicted quantity is the first parameter itself."""
        return which == next(iter(self.parameters)) or (which == "mean" and type(self).mean is RegressionModel.mean)

    def every_design(self, designs: Mapping[str, Any]) -> dict[str, Any]:
        """The designs of all predictors that these determine; more than given where predictors share one."""
        return dict(designs)

    def predicted_scale(self, which: str) -> Transform | None:
        """The transform on whose real line intervals of a quantity are made; None: on its own scale."""
        return self.parameters.get(next(iter(self.parameters)) if self.is_first(which) else which)
