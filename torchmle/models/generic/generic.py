"""GenericLikelihoodModel: a log-likelihood of one's own, written as for statsmodels."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...compute.threads import one_thread
from ...data import Data
from ...errors import DifferencesWarning, ValueWarning
from ...fitting.columns import spans_constant
from ...fitting.fit import Fit
from ...formula import caller_environment, design_from_formula
from ...likelihood import LikelihoodModel
from ...parameters import Parameters
from ...results.estimates import Array
from ...structured import Coefficients
from .derivatives import Evaluation, Given, evaluation
from .expected import expected_information
from .results import GenericResults, resampled

FEW_ROWS = 20_000  # up to which one thread is faster than several


@dataclass
class GenericData:
    """What statsmodels calls ``model.data``: arrays and names, which may be renamed before a fit.

    Attributes
    ----------
    endog, exog : ndarray
    xnames : list of str
        Names of the parameters; ``model.exog_names`` is the same list.
    ynames : str
    row_labels : Index or None
    """

    endog: Array
    exog: Array | None
    xnames: list[str]
    ynames: str
    row_labels: Any = None


class GenericLikelihoodModel(LikelihoodModel):
    """Maximum likelihood for a log-likelihood that a subclass writes down as a function of a parameter vector.

    Define one of ``loglike(self, params)`` (a number), ``loglikeobs(self, params)`` (one value per row) or
    ``nloglikeobs(self, params)`` (its negative); or pass ``loglike=``.  Robust standard errors need one of the two
    that give rows.  `endog` and `exog` are ndarrays, as in statsmodels.

    Written with torch operations (``torch.as_tensor(self.exog) @ params``), the log-likelihood is differentiated
    exactly, by autograd.  Written with numpy, or where autograd loses track of the parameters, it is differentiated by
    central differences, and the fit says so in a warning.  ``score(params)``, ``hessian(params)`` and
    ``score_obs(params)`` may be defined or, the first two, passed; they are then used as they are.

    Parameters
    ----------
    endog : array_like
        The response.
    exog : array_like, optional
        Columns (n, k); each gives a parameter its name.  No constant is added.
    loglike, score, hessian : callable, optional
        Functions of the parameters, in place of methods.
    missing : {"none", "drop", "raise"}
        What to do with incomplete rows.
    extra_params_names : list of str, optional
        Names of the parameters after those of exog.
    **kwds
        Kept as attributes of the model, rows left out by ``missing="drop"`` also left out of vectors among them.

    Examples
    --------
    >>> class Poisson(tm.GenericLikelihoodModel):
    ...     def loglikeobs(self, params):
    ...         eta, y = torch.as_tensor(self.exog) @ params, torch.as_tensor(self.endog)
    ...         return y * eta - torch.exp(eta) - torch.lgamma(y + 1)
    """

    results_class: ClassVar[type[GenericResults]] = GenericResults
    default_disp: ClassVar[bool] = True
    likelihood_of_params: ClassVar[bool] = True
    blockwise: ClassVar[bool] = False

    # a subclass may set each of these, before or after the data are there
    endog: Any = None
    exog: Any = None
    df_model: Any = float("nan")
    df_resid: Any = float("nan")
    k_extra: int = 0
    data: Any = None
    fixed_params: Any = None
    fixed_paramsmask: Any = None
    evaluation: Evaluation | None = None

    def __init__(
        self,
        endog: Any,
        exog: Any = None,
        loglike: Callable[[Any], Any] | None = None,
        score: Callable[[Any], Any] | None = None,
        hessian: Callable[[Any], Any] | None = None,
        missing: str = "none",
        extra_params_names: Sequence[str] | None = None,
        hasconst: bool | None = None,
        **kwds: Any,
    ):
        functions = {"loglike": loglike, "score": score, "hessian": hessian}
        vars(self).update({name: function for name, function in functions.items() if function is not None})
        super().__init__(endog, exog, missing=missing)
        self.design = replace(self.design, pandas=False)
        rows = self.rows
        self.endog, self.exog = rows.y.numpy(), rows.x["X"].numpy() if "X" in rows.x else None
        names = list(self.design.columns.get("X", ()))
        self.data = GenericData(self.endog, self.exog, names, self.design.response_label, self.index)
        vars(self).update({name: kept_rows(value, self.kept) for name, value in kwds.items()})
        has_constant = int(self.exog is not None and spans_constant(rows, "X"))
        self.k_constant = has_constant if hasconst is None else int(hasconst)
        self.initialize()
        if extra_params_names is not None:
            self._set_extra_params_names(extra_params_names)
        self.nparams = len(self.exog_names)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *args: Any,
        missing: str = "drop",
        eval_env: int = 0,
        **kwds: Any,
    ) -> Any:
        """A model of a formula and a frame; vectors among the keywords lose the rows that the formula loses."""
        n = len(next(iter(data.values()))) if isinstance(data, dict) else len(data)
        vectors = {name: value for name, value in kwds.items() if is_rows(value, n)}
        rows = design_from_formula(
            {"X": formula}, data, arguments=vectors, env=caller_environment(eval_env), missing=missing,
            subset=subset, drop_cols=drop_cols,
        )  # fmt: skip
        kept = {name: rows.data.columns[name].numpy() for name in vectors}
        model = cls(rows.data.y.numpy(), rows.data.x["X"].numpy(), *args, **{**kwds, **kept})
        model.design, model.frame = replace(rows.design, pandas=False), data
        model.index, model.kept, model.dropped_rows = rows.index, rows.kept, rows.dropped
        model.data.xnames[: len(rows.design.columns["X"])] = rows.design.columns["X"]
        model.data.ynames, model.data.row_labels = rows.design.response_label, rows.index
        return model

    # -- what a subclass may rely on, after statsmodels --------------------------------------------------------

    def initialize(self) -> None:
        """Called once the data are there; a subclass may add to it."""
        if self.exog is not None:
            rank = float(np.linalg.matrix_rank(self.exog))
            self.df_model, self.df_resid = rank - 1, len(self.endog) - rank

    def _set_extra_params_names(self, extra_params_names: Sequence[str]) -> None:
        if self.exog is None:
            self.data.xnames = list(extra_params_names)
        else:
            self.exog_names.extend(extra_params_names)
        self.k_extra = len(extra_params_names)
        self.df_resid -= self.k_extra
        self.nparams = len(self.exog_names)

    @property
    def exog_names(self) -> list[str]:
        """Names of the parameters."""
        return self.data.xnames

    @property
    def endog_names(self) -> str:
        """Label of the response."""
        return self.data.ynames

    def expandparams(self, params: Any) -> Any:
        """All parameters: those of `fixed_params` that are NaN there (`fixed_paramsmask`) are taken from `params`."""
        full = self.fixed_params.copy()
        if isinstance(params, Tensor):
            full = torch.as_tensor(full).to(params)
        full[self.fixed_paramsmask] = params
        return full

    def reduceparams(self, params: Any) -> Any:
        """The inverse of `expandparams`: the parameters that are free."""
        return params[self.fixed_paramsmask]

    # -- the likelihood ----------------------------------------------------------------------------------------

    def loglike(self, params: Any) -> Any:
        """Log-likelihood: the sum of `loglikeobs`."""
        return self.loglikeobs(params).sum(0)

    def nloglike(self, params: Any) -> Any:
        """Negative log-likelihood."""
        return -self.loglikeobs(params).sum(0)

    def loglikeobs(self, params: Any) -> Any:
        """Log-likelihood of each row, (n,)."""
        return -self.nloglikeobs(params)

    def nloglikeobs(self, params: Any) -> Any:
        """Negative log-likelihood of each row, (n,)."""
        raise NotImplementedError(
            f"{type(self).__name__} must define loglikeobs(self, params) or nloglikeobs(self, params), one value per "
            "row; loglike(self, params), their sum, is enough for everything but robust standard errors"
        )

    def predict(self, params: Any, exog: Any = None, which: str = "mean", **arguments: Any) -> Any:
        """Predicted mean of each row, for subclasses that define it."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it predicts: define predict(params, exog)")

    def score(self, params: Any) -> Any:
        """Gradient of the log-likelihood, (k,) ndarray."""
        return self._evaluated(params).sums(_vector(params), 1)[1].numpy()

    def hessian(self, params: Any) -> Any:
        """Second derivatives of the log-likelihood, (k, k) ndarray."""
        return self._evaluated(params).sums(_vector(params), 2)[2].numpy()

    def score_obs(self, params: Any) -> Any:
        """Gradient of the log-likelihood of each row, (n, k) ndarray."""
        return self._evaluated(params).row_scores(_vector(params)).numpy()

    def _own(self, name: str) -> Any:
        """A method that the user wrote, or a function that was passed; None when it is this class's."""
        found = getattr(self, name)
        return None if getattr(found, "__func__", None) is getattr(GenericLikelihoodModel, name) else found

    def _evaluated(self, params: Any) -> Evaluation:
        return self.evaluation or self._choose(_vector(params))[0]

    def _choose(self, start: Tensor) -> tuple[Evaluation, str | None]:
        """How to evaluate, and the reason when derivatives are differences."""
        with one_thread(len(self.endog) <= FEW_ROWS):
            found, reason = evaluation(self.loglike, self.loglikeobs, start)
        score, hessian, rows = self._own("score"), self._own("hessian"), self._own("score_obs")
        if score is None and hessian is None and rows is None:
            return found, reason
        given = Given(found, score, hessian, rows)
        return given, None if given.exact else reason

    # -- what the engine asks for ------------------------------------------------------------------------------

    def prepare(self, data: Data) -> Data:
        return data.with_columns(position=torch.arange(data.n))

    def make_layout(self) -> Parameters:
        return Parameters([])

    def start(self) -> Tensor:
        return torch.full((self.layout.size,), 0.1, dtype=torch.float64)

    def sums(self, z: Tensor, order: int, data: Data | None = None) -> tuple[Tensor, ...]:
        if data is not None and data.n < self.rows.n:
            found: tuple[Tensor, ...] = self._of_rows(data.columns["position"].numpy(), z).sums(z, order)
            return found
        assert self.evaluation is not None
        with one_thread(self.rows.n <= FEW_ROWS):
            return self.evaluation.sums(z, order)

    def scores(self, z: Tensor) -> Tensor:
        assert self.evaluation is not None
        self._rows_given("score_obs")
        found = self.evaluation.row_scores(z)
        if len(found) != self.rows.n:
            raise ValueError(f"loglikeobs gives {len(found)} values; the model has {self.rows.n} rows")
        return found

    def expected_information(self, z: Tensor) -> Tensor:
        """Averaged over responses that take the place of ``self.endog``; see `expected`."""
        self._rows_given()
        return expected_information(self, z)

    @property
    def knows_expected_information(self) -> bool:
        return type(self).expected_information is not GenericLikelihoodModel.expected_information

    def block_scores(self, z: Tensor, data: Data) -> Tensor:
        return self.scores(z)[data.columns["position"]]

    def block_curvatures(self, z: Tensor, data: Data) -> Tensor:
        assert self.evaluation is not None
        return self.evaluation.row_hessians(z)[data.columns["position"]]

    def loglike_rows(self, fit: Fit) -> Tensor:
        assert self.evaluation is not None
        self._rows_given()
        return self.evaluation.rows(fit.theta)

    def _rows_given(self, *others: str) -> None:
        """Refuse what needs rows where only their sum is known."""
        if not any(self._own(name) is not None for name in ("loglikeobs", "nloglikeobs", *others)):
            raise ValueError(
                f"{type(self).__name__} gives the log-likelihood of all rows together; robust standard errors and "
                "whatever else needs each row's own are there when it defines loglikeobs(self, params)"
            )

    def reweighted(self, weights: np.ndarray) -> Any:
        """The model of rows repeated as often as `weights` say, with every attribute that is an array of the rows."""
        return self._of_rows(np.repeat(np.arange(len(weights)), weights.astype(int)), self._first_point(None))

    def _of_rows(self, rows: np.ndarray, point: Tensor) -> Any:
        """The model of these rows, by position, whose evaluation is chosen at a point."""
        other = resampled(self, rows)
        other.evaluation = other._choose(point)[0]
        return other

    def keep_rows(self, mask: np.ndarray) -> Any:
        raise ValueError(
            "groups are missing for some rows, which a model of one's own cannot leave out: drop them first"
        )

    def fit(  # type: ignore[override]
        self,
        start_params: Any = None,
        method: str | None = None,
        maxiter: int = 500,
        full_output: bool = True,
        disp: bool = True,
        callback: Any = None,
        retall: bool = False,
        **options: Any,
    ) -> Any:
        """Maximise the likelihood.

        Parameters
        ----------
        start_params : array_like, optional
            Where to start; `self.start_params` if the class has it, else 0.1 for each name.  Their number is that
            of the parameters.
        method : str, optional
            By default "newton" where derivatives are exact and "nm", as in statsmodels, where they are differences.
        full_output, retall : bool
            For compatibility: everything there is to know is always kept, in `optim`.
        maxiter, disp, callback, **options
            As for every model, `torchmle.LikelihoodModel.fit`.

        Warns
        -----
        DifferencesWarning
            The log-likelihood could not be differentiated automatically; the reason is in the message.
        """
        start = self._first_point(start_params)
        found, reason = self._choose(start)
        if reason is not None:
            warnings.warn(
                f"{type(self).__name__}: derivatives are finite differences, because autograd cannot follow the "
                f"log-likelihood ({reason}); written with torch operations throughout it has exact ones",
                DifferencesWarning,
                stacklevel=2,
            )
        model = copy.copy(self)  # the names and the way to evaluate belong to this fit
        model.evaluation = found
        model.layout = Parameters([("params", Coefficients(self._parameter_names(len(start))), None)])
        method = method or ("newton" if found.exact else "nm")
        return LikelihoodModel.fit(model, start.numpy(), method, maxiter, disp=disp, callback=callback, **options)

    def _first_point(self, start_params: Any) -> Tensor:
        """Where a search starts."""
        told = getattr(self, "start_params", None) if start_params is None else start_params
        return torch.full((self.nparams,), 0.1, dtype=torch.float64) if told is None else _vector(told)

    def _parameter_names(self, count: int) -> tuple[str, ...]:
        """A name for each parameter; those without one are par0, par1, ..."""
        names = list(self.exog_names or ())
        if len(names) > count:
            warnings.warn(f"more exog_names than parameters: {len(names)} and {count}", ValueWarning, stacklevel=3)
        missing = [f"par{i}" for i in range(count - len(names))]
        return tuple(names[:count] + missing)


def _vector(params: Any) -> Tensor:
    return torch.as_tensor(np.asarray(params, dtype=np.float64)).reshape(-1)


def is_rows(value: Any, n: int) -> bool:
    """Whether a value is a numeric vector with one entry per row."""
    vector = isinstance(value, Sequence | np.ndarray) or (hasattr(value, "index") and hasattr(value, "to_numpy"))
    return vector and np.shape(value) == (n,)


def kept_rows(value: Any, kept: Array | None) -> Any:
    """A vector without the rows that were left out; anything else as it is."""
    return np.asarray(value)[kept] if kept is not None and is_rows(value, len(kept)) else value
