"""Functions of the parameters with standard errors by the delta method, derivatives by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..parameters import Parameters
from .hypotheses.wald import Array, TTest

if TYPE_CHECKING:
    from ..results import Results


class NaturalValues:
    """Estimates as a function sees them: by label, by parameter, or by position.

    ``p["C(g)[T.b]"]`` and ``p.x`` are entries of the table, ``p.cov`` a parameter as it is (a matrix, say), ``p[0]`` and
    ``p[1:3]`` entries by their place.  A label goes before a parameter of the same name.
    """

    def __init__(self, entries: Tensor, layout: Parameters):
        self._entries, self._layout = entries, layout

    def __getitem__(self, key: Any) -> Tensor:
        if not isinstance(key, str):
            return self._entries[key]
        if key in self._layout.names:
            return self._entries[self._layout.names.index(key)]
        for block in self._layout.blocks:
            if block.name == key:
                return block.structured(self._entries[block.reported])
        raise KeyError(f"no parameter {key!r}; the parameters are {', '.join(self._layout.names)}")

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True)
class Delta(TTest):
    """Values of a function of the parameters, with standard errors, tests against zero and intervals.

    Attributes
    ----------
    effect, sd : ndarray (q,)
        Values and standard errors; also as `estimate` and `se`, plain numbers when the function gives one.
    cov : ndarray (q, q)
    names : tuple of str
    """

    cov: Array
    names: tuple[str, ...]
    scalar: bool

    @property
    def estimate(self) -> Any:
        """The values; a float when the function gives one number."""
        return float(self.effect[0]) if self.scalar else self.effect

    @property
    def se(self) -> Any:
        """The standard errors."""
        return float(self.sd[0]) if self.scalar else self.sd

    def summary_frame(self, xname: list[str] | None = None, alpha: float = 0.05) -> pd.DataFrame:
        """One row per value: estimate, se, statistic, p_value, conf_low, conf_high."""
        low, high = self.conf_int(alpha).T
        columns = {
            "estimate": self.effect, "se": self.sd, "statistic": self.statistic, "p_value": np.atleast_1d(self.pvalue),
            "conf_low": low, "conf_high": high,
        }  # fmt: skip
        return pd.DataFrame(columns, index=self._names(xname))

    def _names(self, xname: list[str] | None) -> list[str]:
        return xname or list(self.names)


def delta(results: Results, function: Callable[[NaturalValues], Any], names: list[str] | None = None) -> Delta:
    """A function of the parameters with standard errors: ``V_f = J V J'``, J its exact Jacobian.

    Parameters
    ----------
    results : Results
    function : callable
        From the natural values (see `NaturalValues`) to a tensor, a list of tensors or a dict of named ones, by torch
        operations.
    names : list of str, optional
        Labels of the values.

    Returns
    -------
    Delta

    Raises
    ------
    TypeError
        The function left torch, so that nothing can be differentiated.
    """
    point = torch.from_numpy(results.params_array.copy()).requires_grad_()
    with torch.enable_grad():
        values, labels, scalar = _stacked(_call(function, NaturalValues(point, results.model.layout)))
        rows = [torch.autograd.grad(value, point, retain_graph=True, allow_unused=True)[0] if value.requires_grad else None
                for value in values]  # fmt: skip
    if not len(values):
        raise ValueError("delta: the function gives no values")
    jacobian = np.stack([np.zeros(len(point)) if row is None else row.numpy() for row in rows])
    covariance = results.covariance_array
    used = np.flatnonzero(
        (jacobian != 0).any(0)
    )  # what was left out of the fit, and has no variance, need not be asked for
    matrix = jacobian[:, used] @ covariance[np.ix_(used, used)] @ jacobian[:, used].T
    labels = tuple(names) if names is not None else labels
    if len(labels) != len(values):
        raise ValueError(f"names has {len(labels)} labels; the function gives {len(values)} values")
    effect = values.detach().numpy().copy()
    df = results.df_inference if results.use_t else None
    sd = np.where(np.isnan(effect), np.nan, np.sqrt(np.diag(matrix)))
    return Delta(effect, sd, np.zeros(len(effect)), df, matrix, labels, scalar)


def _call(function: Callable[[NaturalValues], Any], values: NaturalValues) -> Any:
    try:
        return function(values)
    except RuntimeError as error:
        if "requires grad" not in str(error):
            raise
        raise TypeError(
            "delta: the function uses numpy or other operations that cannot be differentiated; use those of torch, such as "
            "torch.exp"
        ) from None


def _stacked(found: Any) -> tuple[Tensor, tuple[str, ...], bool]:
    """The values as one vector, their labels, and whether there is just one number."""
    if isinstance(found, Mapping):
        parts, labels = list(found.values()), tuple(map(str, found))
    elif isinstance(found, (list, tuple)):
        parts, labels = list(found), tuple(f"f{i}" for i in range(len(found)))
    else:
        parts, labels = [found], ()
    wrong = next((part for part in parts if not isinstance(part, Tensor)), None)
    if wrong is not None:
        raise TypeError(
            f"delta: the function must give tensors made of the parameters by torch operations, not {type(wrong).__name__}"
        )
    if labels:
        large = [label for label, part in zip(labels, parts, strict=True) if part.numel() != 1]
        if large:
            raise ValueError(
                f"delta: {large[0]!r} has {parts[labels.index(large[0])].numel()} values; name single numbers"
            )
        return torch.stack([part.reshape(()) for part in parts]), labels, False
    values = parts[0].reshape(-1)
    return values, tuple(f"f{i}" for i in range(len(values))), parts[0].ndim == 0
