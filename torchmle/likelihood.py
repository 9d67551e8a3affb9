"""LikelihoodModel: one row's log-likelihood in, everything else derived."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from . import covariance as covariances
from .base.derivatives import Derivatives
from .base.names import Names
from .compute.autodiff import derivatives, row_curvatures, row_gradients
from .covariance.leverage import RowTerms
from .data import Data
from .fitting import controls, separation, starts
from .fitting.columns import combinations_of_others
from .fitting.constraints import Restrictions, read_restrictions
from .fitting.coordinates import Coordinates
from .fitting.fit import Fit
from .fitting.maximum import NOTHING, maximum
from .fitting.objective import Objective
from .inference.expected import expected_information
from .linalg import Inverse, invert_information
from .model import Model
from .optim import Optimum, maximize, resolve_method
from .parameters import Parameters, Values
from .results import Results
from .structured import Coefficients
from .sums import row_map, row_sums, weighted


class LikelihoodModel(Derivatives, Names, Model):
    """A model that says what one row's log-likelihood is.

    Write a subclass with `parameters` and `loglike_obs`; estimates, exact derivatives, standard errors, tests,
    predictions and tables follow.

    Parameters
    ----------
    endog : array_like
        The response: (n,) or (n, q).
    exog : array_like, optional
        The columns of the main design, (n, k). No constant is added.
    missing : {"none", "drop", "raise"}
        What to do with incomplete rows. "none" refuses them by name.
    device, dtype : optional
        Where to compute ("auto", "cpu", "cuda", ...) and how to hold the data; see `torchmle.compute.devices`.
    freq_weights : array_like, optional
        How many times each row counts.
    sampling_weights : array_like, optional
        Inverse probabilities of being in the sample, up to a factor.  Estimates maximise the weighted log-likelihood;
        standard errors are robust ("HC1" where no kind is asked for), for others would not hold.
    **arguments
        The model's further row-shaped arguments, and designs or fixed values of its other parameters.

    Attributes
    ----------
    parameters : mapping of str to Transform
        Name and transform of each parameter. In a `LikelihoodModel` they are free-standing values;
        ``Coefficients()`` stands for one coefficient per column of the design, ``data.X``.
    row_arguments : tuple of str
        Names of further row-shaped arguments; the likelihood finds them as ``data.name``.
    raise_on_perfect_prediction : bool
        Set it to True and `fit` raises `PerfectSeparationError` where it would warn.

    Examples
    --------
    >>> class Exponential(tm.LikelihoodModel):
    ...     parameters = {"rate": tm.Log()}
    ...     def loglike_obs(self, p, data):
    ...         return torch.log(p.rate) - p.rate * data.y
    """

    default_method: ClassVar[str] = "newton"
    default_disp: ClassVar[bool] = False
    linear: ClassVar[bool] = False
    blockwise: ClassVar[bool] = True  # whether rows can be evaluated a block at a time
    raise_on_perfect_prediction: bool = False
    secondary: bool = False  # fitted for the sake of another model, which speaks of perfect prediction itself
    results_class: ClassVar[type[Results]] = Results

    def make_layout(self) -> Parameters:
        """Order, labels and transforms of the parameters."""
        columns = self.design.columns.get("X", ())
        blocks = []
        for name, transform in self.parameters.items():
            if isinstance(transform, Coefficients) and transform.names is None:
                transform = Coefficients(columns)
            blocks.append((name, transform, None))
        return Parameters(blocks)

    # -- the likelihood ----------------------------------------------------------------------------------------

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        """Log-likelihood of each row, (n,), from natural values ``p`` and the data's named tensors.

        This is what a subclass must say.  Write it with torch operations; leave weights out, they are applied
        for you, and keep all constants.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loglike_obs(self, p, data)")

    def row_loglike(self, z: Tensor, data: Data) -> Tensor:
        """Unweighted log-likelihood of each row of a block, differentiable in z."""
        return self.checked_loglike(self.layout.values(z), data)

    def checked_loglike(self, p: Values, data: Data) -> Tensor:
        """`loglike_obs`, held to one value per row."""
        values = self.loglike_obs(p, data)
        if not isinstance(values, Tensor):
            raise TypeError(
                f"{type(self).__name__}.loglike_obs returned {type(values).__name__}; it must compute with torch operations, "
                "from p and data to the result (a GenericLikelihoodModel takes numpy)"
            )
        if values.shape != (data.n,):
            raise ValueError(
                f"{type(self).__name__}.loglike_obs returned shape {tuple(values.shape)}; it must give one value "
                f"for each of the {data.n} rows, shape ({data.n},), not their sum"
            )
        return values

    def block_sums(self, z: Tensor, data: Data, order: int) -> tuple[Tensor, ...]:
        """Weighted log-likelihood of a block with `order` derivatives in z."""
        return derivatives(lambda point: weighted(self.row_loglike(point, data), data).sum(), z, order)

    def block_scores(self, z: Tensor, data: Data) -> Tensor:
        """Unweighted scores of each row of a block, (n, k)."""
        return row_gradients(lambda point: self.row_loglike(point, data), z)

    def block_curvatures(self, z: Tensor, data: Data) -> Tensor:
        """Unweighted second derivatives in z of each row of a block, (n, k, k)."""
        return row_curvatures(lambda point: self.row_loglike(point, data), z)

    def sums(self, z: Tensor, order: int, data: Data | None = None) -> tuple[Tensor, ...]:
        """Log-likelihood, score and Hessian, up to `order`, over all rows."""
        data = self.rows if data is None else data
        point = z.to(data.device)
        return row_sums(lambda block: self.block_sums(point, block, order), data)

    # -- at the estimate ---------------------------------------------------------------------------------------

    def dispersion(self, fit: Fit) -> float:
        """Dispersion that the unit information is divided by; 1 unless a model estimates one beside its likelihood."""
        return 1.0

    def loglike_at(self, fit: Fit) -> float:
        """Log-likelihood at the estimate, with all constants."""
        return float(fit.optimum.value)

    def loglike_rows(self, fit: Fit) -> Tensor:
        """Unweighted log-likelihood of each row at the estimate, (n,)."""
        z = fit.z.to(self.rows.device)
        return row_map(lambda block: self.row_loglike(z, block).detach(), self.rows)

    def expected_information(self, z: Tensor) -> Tensor:
        """Expected information in z, (k, k): by numbers, from the likelihood alone; models with a closed form override it.

        See `torchmle.inference.expected`, also for what has none.
        """
        return expected_information(self, z)

    @property
    def knows_expected_information(self) -> bool:
        """Whether the expected information has a closed form here, which convention "R" then takes for the observed one."""
        return type(self).expected_information is not LikelihoodModel.expected_information

    @property
    def knows_expected_curvature(self) -> bool:
        """Whether the model also says each row's share of it, of which leverages are made; else they are of the observed one."""
        return False

    def information_scores(self, z: Tensor, data: Data) -> Tensor:
        """Derivatives of each row's log-likelihood in what it sees of the parameters, (n, m): here all of z."""
        return self.block_scores(z, data)

    def information_of(self, products: Tensor, data: Data) -> Tensor:
        """The weighted sum over rows, (k, k) in z, of outer products (n, m, m) of `information_scores`."""
        return weighted(products.flatten(1), data).sum(0).reshape(products.shape[1:])

    def with_responses(self, data: Data, y: Tensor) -> Data:
        """Rows with other responses; a model that keeps functions of the response as columns overrides it."""
        return data.with_response(y)

    # -- leverages ---------------------------------------------------------------------------------------------

    @property
    def predictor_count(self) -> int:
        """Linear predictors of a row; a free-standing parameter is one by itself."""
        return self.layout.size

    def block_terms(self, z: Tensor, data: Data, expected: bool = False) -> RowTerms:
        """How the rows of a block depend on z through their predictors, by the observed or the expected information."""
        k = self.layout.size
        places = tuple(slice(j, j + 1) for j in range(k))
        return RowTerms((None,) * k, places, self.block_scores(z, data), -self.block_curvatures(z, data))

    def block_leverage(self, z: Tensor, data: Data, bread: Tensor, expected: bool = False) -> Tensor:
        """Leverage of each row, (n,): ``trace(W_i X_i V X_i')``; over all rows they add up to the free parameters."""
        terms = self.block_terms(z, data, expected)
        return (terms.information * terms.spread(bread)).sum((1, 2))

    # -- fitting -----------------------------------------------------------------------------------------------

    def reweighted(self, weights: np.ndarray) -> Any:
        """The model with other frequency weights, (n,); rows without weight leave."""
        kept = weights > 0
        other = self.keep_rows(kept)
        other._rows = other.rows.with_columns(freq_weights=torch.from_numpy(weights[kept]).to(self.rows.device))
        return other

    @property
    def coordinates(self) -> Coordinates:
        """Coordinates without restrictions."""
        return Coordinates(None, torch.zeros(self.layout.size, dtype=torch.float64))

    def start(self) -> Tensor:
        """Starting values in z, (k,)."""
        return starts.best(self, starts.free_standing(self))

    def start_within(self, objective: Objective, start: Tensor) -> Tensor:
        """A start in the domain of the likelihood, given one; models that have edges override it."""
        return start

    def at_boundary(self, z: Tensor) -> Mapping[int, float]:
        """Entries of theta that z puts at the boundary of their range, with the real values that stand for it."""
        return NOTHING

    def aliased(self) -> tuple[int, ...]:
        """Entries of theta whose columns are linear combinations of earlier ones; coefficients of the columns mean X @ beta.

        They are left out only where the information is as good as singular.
        """
        columns = self.design.columns.get("X", ())
        starts = [
            block.reals.start
            for block in self.layout.blocks
            if isinstance(block.transform, Coefficients) and columns and block.labels[: len(columns)] == columns
        ]
        return tuple(start + column for start in starts for column in combinations_of_others(self.rows, "X"))

    @cached_property
    def rank(self) -> int:
        """Linearly independent columns of the main design."""
        main = self.layout.blocks[0].reals if self.layout.blocks else slice(0, 0)
        return main.stop - main.start - sum(main.start <= entry < main.stop for entry in self.aliased())

    @cached_property
    def df_model(self) -> float:
        """Rank of the main design, less its constant."""
        return float(self.rank - (1 if self.results_class.assumes_constant else self.k_constant))

    @cached_property
    def df_resid(self) -> float:
        """Observations less the rank of the main design."""
        return float(self.nobs - self.rank)

    def invert(self, optimum: Optimum, coordinates: Coordinates) -> Inverse:
        """Inverse of the information at the optimum, in free coordinates."""
        return self.invert_information(-optimum.hessian, coordinates, coordinates.z(optimum.x))

    def invert_information(
        self, information: Tensor, coordinates: Coordinates, z: Tensor, expected: bool = False
    ) -> Inverse:
        """Inverse of the observed or the expected information at z, which is given in free coordinates."""
        return invert_information(information)

    @classmethod
    def method_name(cls, method: str | None, options: Mapping[str, Any]) -> str:
        """The method's own name; unknown methods and options are refused."""
        try:
            return resolve_method(method or cls.default_method, options)
        except TypeError as error:
            own = [name for name in inspect.signature(cls.fit).parameters if name not in ("self", "options")]
            raise TypeError(f"{error}; fit itself takes {', '.join(own)}") from None

    def choose_covariance(
        self, cov_type: str | None, cov_kwds: Mapping[str, Any] | None, method: str
    ) -> covariances.Covariance | None:
        """The covariance of a name, after a search by `method`; None when none is wanted."""
        return covariances.choose(cov_type, cov_kwds)

    def maximize(self, objective: Objective, start: Tensor, method: str, **options: Any) -> Optimum:
        """The maximum over free coordinates; models with a closed form override it."""
        return maximize(objective, start, method, **options)

    def separated(self, fit: Fit) -> Fit:
        """A fit, or its limit where rows are predicted perfectly."""
        return separation.resolve(fit)

    def fit(
        self,
        start_params: Any = None,
        method: str | None = None,
        maxiter: int | None = None,
        tol: float | None = None,
        cov_type: str | None = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        disp: bool | None = None,
        callback: Any = None,
        progress: bool = False,
        fix: Mapping[str, Any] | None = None,
        constraints: Any = None,
        bounds: Any = None,
        rank: str = "drop",
        **options: Any,
    ) -> Results:
        """Maximise the likelihood.

        Parameters
        ----------
        start_params : array_like, optional
            Reported parameter values to start from.
        method : str, optional
            "newton" (default), a method of pytorch-minimize ("bfgs", "l-bfgs", "cg", "newton-cg", "newton-exact",
            "dogleg", "trust-ncg", "trust-exact"), "sgd", "adam", "nm", "powell" or "basinhopping".  Whichever it is, the verdict
            on convergence is made here.
        maxiter, tol : optional
            Iterations, and the Newton decrement (squared distance to the maximum in standard errors) to stop at.
        cov_type, cov_kwds :
            Kind of standard errors; see `torchmle.covariance`.  None computes none until asked.
        use_t : bool, optional
            Student's t instead of the normal distribution in tests and intervals.
        disp : bool, optional
            Print how the optimisation ended.
        callback : callable, optional
            Called with the free parameters after each iteration.
        progress : bool
            Show a progress bar.
        fix : mapping, optional
            Values to hold fixed, by name, on the reported scale.
        constraints : str, list of str, matrix or pair (R, q), optional
            Linear equations that hold, such as ``"x1 = x2, x3 = 1"``.
        bounds : mapping, optional
            Lowest and highest values by name, None for no limit: ``{"x1": (0, None)}``.
        rank : {"drop", "pinv", "raise"}
            Columns that are linear combinations of earlier ones are left out, with NaN in the tables, as in R; share
            their effect with those by the shortest vector of coefficients, as a pseudo-inverse has it and statsmodels;
            or are refused by name ("error" does so too).  Fitted values are the same.
        **options
            Of the method, e.g. ``lr`` and ``batch_size`` of "adam"; ``warn_convergence=False`` for a quiet failure,
            ``on_separation="raise"`` for an error where rows are predicted perfectly.
            Other controls of statsmodels' fits are accepted without effect, see `torchmle.fitting.controls`.

        Returns
        -------
        Results

        Raises
        ------
        FitInterrupted
            After Ctrl-C, with the point reached as ``optimum``.
        """
        started = time.perf_counter()
        told = controls.told(method or self.default_method, options)
        method, options = self.method_name(told.method, told.options), told.options
        covariance, model = self.choose_covariance(cov_type, cov_kwds, method), self
        if covariance is not None:
            model, covariance = covariance.bind(self)
        restrictions = read_restrictions(self.layout, {**self.fixed_values, **(fix or {})}, constraints, bounds, rank)
        objective, optimum = model._maximum(
            restrictions, start_params, method,
            maxiter=maxiter, tol=tol, callback=callback, progress=progress, **options,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        searched = {"start_params": start_params, "maxiter": maxiter, "tol": tol, **told.settings}
        settings = {"controls": searched, "constraints": restrictions.constraints, "bounds": restrictions.bounds}
        fit = model.separated(Fit(model, objective.coordinates, optimum, seconds, settings))
        results = model.results_class(fit, covariance, use_t)
        results.announce(self.default_disp if disp is None else disp)
        return results

    def fit_constrained(self, constraints: Any, start_params: Any = None, **fit_kwds: Any) -> Any:
        """Maximise the likelihood under linear constraints: ``fit(constraints=...)`` under statsmodels' name."""
        return self.fit(start_params=start_params, constraints=constraints, **fit_kwds)

    def _maximum(
        self,
        restrictions: Restrictions,
        start_params: Any,
        method: str,
        boundary: Mapping[int, float] = NOTHING,
        **options: Any,
    ) -> tuple[Objective, Optimum]:
        """The objective and its maximum; models that look for it at the boundary of a parameter's range override it."""
        return maximum(self, restrictions, start_params, method, boundary, **options)
