"""Keeping a result: files, pickles, and a result without its rows."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pandas as pd

from .. import io
from ..covariance import choose

OF_THE_FIT = ("z", "theta", "inverse", "bread", "nobs", "scale")
OF_THE_ESTIMATES = (
    "params_array", "_jacobian", "_dropped", "fixed", "_unquestioned", "estimate", "covariance_array", "_bse", "_tvalues",
    "_normalized",
)  # fmt: skip


class Filing:
    """What `Results` has for being kept."""

    @property
    def _results(self) -> Any:
        """The result with arrays for labelled objects, which other libraries look for behind statsmodels' wrapper."""
        return unlabelled(self)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        if self.model.has_rows:
            return super().__reduce_ex__(protocol)
        return io.from_bytes, (io.to_bytes(self),)  # what a file holds is all there is, in a third of the space

    def __copy__(self: Any) -> Any:
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other

    def save(self: Any, fname: Any, remove_data: bool = False) -> None:
        """Write the result to a file, without any training row; `torchmle.load` reads it.

        Parameters
        ----------
        fname : path or binary file
        remove_data : bool
            Also take the rows from this result and its model; the file never has them.
        """
        io.save(self, fname)
        if remove_data:
            self.remove_data()

    @classmethod
    def load(cls, fname: Any) -> Any:
        """Read a result that `save` wrote; the same as `torchmle.load`."""
        return io.load(fname)

    def remove_data(self: Any) -> None:
        """Take the rows of the fit from the result and from its model, which other results may share.

        Estimates, tests, predictions of new rows and the summary stay; what needs the rows raises `ModelError` from
        now on.  Pickles become as small as the number of parameters.
        """
        forget_rows(self)


def unlabelled(results: Any) -> Any:
    """The same result with arrays in place of pandas objects."""
    model, fit, other = copy.copy(results.model), copy.copy(results.fit), copy.copy(results)
    model.design, model.index = replace(model.design, pandas=False), None
    vars(model)["hidden_labels"] = results.model.index
    vars(fit)["model"] = model
    labelled = [name for name, value in vars(other).items() if isinstance(value, pd.Series | pd.DataFrame)]
    for name in labelled:
        del vars(other)[name]
    vars(other)["fit"] = fit
    return other


def forget_rows(results: Any) -> None:
    """Compute what is to be kept of a result, then drop its rows and all that was derived from them."""
    if not results.model.has_rows:
        return
    for name in OF_THE_FIT:
        getattr(results.fit, name)
    if results.covariance is not None:
        for name in OF_THE_ESTIMATES:
            getattr(results, name)
    kept = {name: getattr(results, name) for name in results.saved}
    held = {name: value for name, value in vars(results).items() if name in ("fit", "use_t", *OF_THE_ESTIMATES)}
    groups_are_gone = choose(results.cov_type)
    vars(results).clear()
    vars(results).update(held, **kept, covariance=groups_are_gone)
    vars(results.fit)["others"] = None
    results.model.forget_rows()
