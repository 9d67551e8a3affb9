"""Multivariate normal regression: several responses, one set of columns, any covariance matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..compute.autodiff import derivatives
from ..compute.processes import total
from ..data import Data
from ..fitting.columns import centres, gram, intercept_column
from ..fitting.coordinates import Coordinates
from ..fitting.objective import Objective
from ..inference.predictions.prediction import MEAN, Prediction
from ..likelihood import LikelihoodModel
from ..linalg import EPS, dependent_columns, joint_factor, triangular_factor
from ..optim import Optimum, Status
from ..parameters import Parameters, Values
from ..results import Results
from ..results.estimates import Array
from ..results.predictions import with_limits
from ..structured import CholeskyCovariance, Coefficients
from ..sums import block_slices, row_map, row_sums
from ..transforms import Identity
from .normal import LOG_2PI

NEARLY = 1e-5  # share of a response's length that others leave of it, below which they may be why a search failed
TOUCHED = 1e-6  # share of a response's length from which another column counts as a part of it


class MVResults(Results):
    """Multivariate normal: the covariance and correlation matrices of the responses."""

    @property
    def cov(self) -> pd.DataFrame:
        """Maximum likelihood covariance matrix of the responses (divides by n)."""
        values = self.model.layout.values(self.fit.theta).cov.detach().numpy()
        names = list(self.model.design.response)
        return pd.DataFrame(values, index=names, columns=names)

    @property
    def corr(self) -> pd.DataFrame:
        """Correlation matrix of the responses."""
        sd = np.sqrt(np.diag(self.cov))
        return self.cov.div(sd, axis=0).div(sd, axis=1)

    def predict(  # type: ignore[override]  # it takes no offset
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        interval: str | None = None,
        level: float = 0.95,
    ) -> Any:
        """Predicted means, (n, q); with `interval` "mean" or "obs" also limits, as those of other models."""
        found = self.get_prediction(exog, transform, which)
        if interval is not None:
            return with_limits(found, interval, level)
        if found.index is None or exog is None:
            return found.predicted
        return pd.DataFrame(found.predicted, index=found.index, columns=list(self.model.design.response))

    def get_prediction(  # type: ignore[override]
        self, exog: Any = None, transform: bool = True, which: str = "mean", *, row_labels: Any = None
    ) -> Prediction:
        """Predicted means of each response, (n, q), with intervals of the means and of new observations of each.

        The variance of a new response about its mean is that response's, from the diagonal of `cov`.
        """
        if which != "mean":
            raise ValueError(f"which={which!r} is not something MVNormal predicts; choose 'mean'")
        model = self.model
        rows, index = (model.rows, model.index) if exog is None else model.predict_data(exog, transform, {})
        coefficients, (k, q) = model.coefficients(self.fit.z).to(rows.device), (rows.X.shape[1], len(self.cov))
        v = self.covariance_z[: k * q, : k * q].to(rows.device)

        def block_rows(block: Data) -> Tensor:
            parts = [v[j * k : (j + 1) * k, j * k : (j + 1) * k] for j in range(q)]
            errors = torch.stack([((block.X @ part) * block.X).sum(1).clamp_min(0).sqrt() for part in parts], 1)
            return torch.stack([block.X @ coefficients, errors], 2)

        mean, se = np.moveaxis(row_map(block_rows, rows).numpy(), 2, 0)
        spread = np.broadcast_to(np.diag(self.cov), mean.shape)
        df = self.df_inference if self.use_t else None
        labels = index if row_labels is None else row_labels
        return Prediction(
            mean, se, mean, se, Identity(), df, labels, spread, columns=MEAN, values=model.design.response
        )

    def get_distribution(self, *arguments: Any, **keywords: Any) -> Any:
        """Not offered: a row has several responses."""
        raise NotImplementedError(
            "the response of MVNormal is several numbers: those of a row are normal with means predict() and covariance `cov`; "
            "get_prediction() gives intervals of each"
        )

    def sampler(self) -> Callable[[np.random.Generator], Array]:
        means, factor = np.asarray(self.predict()), np.linalg.cholesky(self.cov)
        return lambda generator: means + generator.normal(size=means.shape) @ factor.T


class MVNormal(LikelihoodModel):
    """Multivariate normal regression: q responses, one set of columns, an unrestricted covariance matrix.

    ``l_i = -(q log 2 pi + log |S| + e_i' S^-1 e_i) / 2`` with ``e_i = y_i - B' x_i``.  The maximum has a closed form:
    least squares for each response and the residual covariance with divisor n (Anderson 2003, theorem 3.2.1).

    Parameters
    ----------
    endog : array_like
        Responses (n, q).
    exog : array_like
        Columns (n, k); a constant when left out.

    Examples
    --------
    >>> MVNormal.from_formula("a + b + c ~ 1", df).fit().cov.round(2)
          a     b     c
    a  1.09  0.09 -0.14
    b  0.09  0.82 -0.04
    c -0.14 -0.04  0.98
    """

    parameters = {"mean": Coefficients(), "cov": CholeskyCovariance(1)}
    results_class = MVResults

    def prepare(self, data: Data) -> Data:
        y = data.y if data.y.ndim == 2 else data.y[:, None]
        x = data.x or {"X": torch.ones(data.n, 1, dtype=data.y.dtype, device=data.device)}
        data = Data(y, x, data.columns, None, data.group)
        constant = intercept_column(data.X, data.group)
        self.intercepts = {} if constant is None else {next(iter(x)): constant}
        return data.with_shift(centres(data, self.intercepts))

    @cached_property
    def coordinates(self) -> Coordinates:
        """Coordinates of the centred columns, the constant of each response taking up the centres."""
        identity = torch.eye(self.layout.size, dtype=torch.float64)
        for name, shift in self.shift.items():
            for start in range(0, len(self.layout.block("mean").labels), len(shift)):
                identity[start + self.intercepts[name], start : start + len(shift)] -= shift.cpu()
        return Coordinates(identity if self.shift else None, torch.zeros(self.layout.size, dtype=torch.float64))

    def make_layout(self) -> Parameters:
        responses, columns = self.design.response, self.design.columns.get("X", ("const",))
        labels = tuple(f"{response}[{column}]" for response in responses for column in columns)
        return Parameters([("mean", Coefficients(labels), None), ("cov", CholeskyCovariance(responses), None)])

    @property
    def covariance_transform(self) -> CholeskyCovariance:
        """The transform of the covariance matrix, which also gives its Cholesky factor."""
        return CholeskyCovariance(self.design.response)

    def coefficients(self, theta: Tensor) -> Tensor:
        """B as (k, q)."""
        return theta[self.layout.block("mean").reals].reshape(len(self.design.response), -1).T

    def row_loglike(self, z: Tensor, data: Data) -> Tensor:
        return self.loglike_obs(Values({"mean": self.coefficients(z), "cov": z[self.layout.block("cov").reals]},
                                       {b.name: b.transform for b in self.layout.blocks}), data)  # fmt: skip

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        factor = self.covariance_transform.factor(p.real.cov)
        standard = torch.linalg.solve_triangular(factor, (data.y - data.X @ p.mean).T, upper=False)
        return -0.5 * (len(factor) * LOG_2PI + standard.square().sum(0)) - factor.diagonal().log().sum()

    def expected_information(self, z: Tensor) -> Tensor:
        """Second derivatives in (B, S) of the divergence from the normals at (B0, S0), the estimate:

        ``(n log |S| + n tr(S^-1 S0) + tr(S^-1 (B - B0)' X'X (B - B0))) / 2``.
        """

        def moments(block: Data) -> tuple[Tensor, Tensor]:
            weights = block.get("freq_weights", torch.ones(block.n, dtype=torch.float64, device=block.device))
            assert weights is not None
            return gram(block.X, weights, block.X), weights.sum()

        inner, n = row_sums(moments, self.rows)
        cov, transform = self.layout.block("cov").reals, self.covariance_transform
        mean, root = self.coefficients(z), transform.factor(z[cov])

        def divergence(point: Tensor) -> Tensor:
            factor, move = transform.factor(point[cov]), self.coefficients(point) - mean
            spread = torch.linalg.solve_triangular(factor, root, upper=False).square().sum()
            shift = torch.linalg.solve_triangular(factor, move.T, upper=False)
            return n * (factor.diagonal().log().sum() + spread / 2) + ((shift @ inner) * shift).sum() / 2

        return derivatives(divergence, z.detach().cpu(), 2)[2]

    def start(self) -> Tensor:
        """The closed form, from the QR of ``[X, Y]``: B by back substitution, S from what is left of Y.

        Of a response that is a combination of others and of columns nothing is left but rounding errors; in their place
        stands the precision of its own digits, so that the point is a finite one next to the singular limit.
        """
        factor, k = self.factor, self.rows.X.shape[1]
        gone = dependent_columns(factor, total(self.rows.n, self.rows.group))
        kept = [j for j in range(k) if j not in gone]
        triangle = triangular_factor([factor[:, [*kept, *range(k, factor.shape[1])]]])
        rank, mean = len(kept), torch.zeros(k, factor.shape[1] - k, dtype=factor.dtype)
        mean[kept] = torch.linalg.solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:], upper=True)
        rest = triangle[rank:, rank:]
        if any(j >= k for j in gone):
            lower = singular_factor(rest, [j - k for j in gone if j >= k], factor[:, k:].norm(dim=0))
        else:
            lower = (rest * rest.diagonal().sign()[:, None]).T  # of rest' rest, a product that would halve the digits
        reals = self.covariance_transform.reals(lower / self.nobs**0.5)
        return torch.cat([mean.T.reshape(-1), reals])

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        """As for every model; where responses are combinations of others there is nothing to search, and they are named."""
        gone, held = self.combined_responses, objective.coordinates
        if gone and not (held.fixed or held.tied or held.boundary):  # what is held may leave a maximum
            optimum = super().maximize(objective, held.phi(self.start()), method, **{**options, "maxiter": 0})
            what = " Means are those of least squares, the covariance matrix is that of the limit; neither has standard errors."
            return replace(optimum, status=Status.SINGULAR_RESPONSES, remark=self._named(gone) + what, direction=None)
        optimum = super().maximize(objective, start, method, **options)
        if optimum.converged or not (gone := gone or self._nearly_combined()):
            return optimum
        return replace(optimum, status=Status.SINGULAR_RESPONSES, remark=self._named(gone), direction=None)

    def aliased(self) -> tuple[int, ...]:
        k = self.rows.X.shape[1]
        columns = dependent_columns(self.factor[:, :k], total(self.rows.n, self.rows.group))
        return tuple(start + column for start in range(0, k * len(self.design.response), k) for column in columns)

    @cached_property
    def combined_responses(self) -> list[int]:
        """Columns of the factor that are responses and combinations of earlier responses and columns; mostly none."""
        gone = dependent_columns(self.factor, total(self.rows.n, self.rows.group))
        return [j for j in gone if j >= self.rows.X.shape[1]]

    def _nearly_combined(self) -> list[int]:
        k, left = self.rows.X.shape[1], self.factor.diagonal().abs()
        lengths = self.factor[k:].norm(dim=0)  # beside what columns of the design explain
        return [j for j in range(k, len(left)) if left[j] < NEARLY * lengths[j]]

    def _named(self, gone: list[int]) -> str:
        """The responses that are combinations, and what they are made of."""
        k, names, out = self.rows.X.shape[1], self.design.response, []
        lost = dependent_columns(self.factor, total(self.rows.n, self.rows.group))
        for j in gone:
            others = [i for i in range(j) if i not in lost]
            parts = [i for i in parts_of(self.factor, j, others) if i not in self.intercepts.values()]
            of = [names[i - k] for i in parts if i >= k] + ["the columns of the design"] * any(i < k for i in parts)
            what = f"a combination of {', '.join(of)}" if of else "constant"
            out.append(f"{names[j - k]} ({what})")
        return f"Responses concerned: {'; '.join(out)}."

    @cached_property
    def factor(self) -> Tensor:
        """R of the QR decomposition of ``[X, Y]``."""

        def blocks() -> Any:
            for rows in block_slices(self.rows):
                block = self.rows.block(rows)
                weights = block.get("freq_weights")
                both = torch.cat([block.X, block.y], 1)
                yield both if weights is None else both * weights.sqrt()[:, None]

        return joint_factor(blocks(), self.rows.group)


def singular_factor(rest: Tensor, gone: list[int], lengths: Tensor) -> Tensor:
    """Lower Cholesky factor (q, q) of ``rest' rest`` where some columns are combinations of earlier ones.

    What those have of their own is a rounding error, here one unit in the last place of their lengths (of 1 for zero).

    Parameters
    ----------
    rest : Tensor (r, q)
    gone : list of int
        The columns.
    lengths : Tensor (q,)
        Of the responses before columns of the design were projected out.
    """
    q = rest.shape[1]
    factor, basis = rest.new_zeros(q, q), list[tuple[int, Tensor]]()
    for j in range(q):
        left = rest[:, j].clone()
        for i, direction in basis:
            factor[j, i] = direction @ left
            left -= factor[j, i] * direction
        if j in gone:
            factor[j, j] = EPS * float(lengths[j] or 1.0)
        else:
            factor[j, j] = left.norm()
            basis.append((j, left / factor[j, j]))
    return factor


def parts_of(factor: Tensor, column: int, others: list[int]) -> list[int]:
    """Which of some independent columns a combination of them is made of."""
    target = factor[:, column]
    weights = torch.linalg.lstsq(factor[:, others], target[:, None]).solution[:, 0]
    sizes = (weights * factor[:, others].norm(dim=0)).abs()
    return [i for i, size in zip(others, sizes.tolist(), strict=True) if size > TOUCHED * float(target.norm())]
