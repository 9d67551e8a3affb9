"""What a table reads off a results object: public attributes, and blanks for those it lacks.

Results of this package, of statsmodels, and one's own classes all look the same from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

LIMITS = "conf_int"


def fit_of(thing: Any) -> Any:
    """The object itself if it has ``params``, marginal effects in the shape of a fit.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if hasattr(thing, "params"):
        return thing
    if is_margins(thing):
        return Margins(thing)
    raise TypeError(
        f"table needs results with params, or marginal effects with summary_frame(): got {type(thing).__name__}"
    )


def is_fit(thing: Any) -> bool:
    """Whether it is one model's column rather than a list of several."""
    return hasattr(thing, "params") or is_margins(thing)


def is_margins(thing: Any) -> bool:
    """Whether it has effects to show, but not under the names of a fit."""
    return hasattr(thing, "summary_frame") and not hasattr(thing, "params")


class Margins:
    """Marginal effects under the names of a fit; whatever else is asked is the fit's own.

    Parameters
    ----------
    effects : object
        With ``summary_frame()`` of effect, standard error, statistic, p-value and two limits in
        this order, and ``results``, the fit.
    """

    def __init__(self, effects: Any):
        frame = effects.summary_frame()
        self.params, self.bse, self.tvalues, self.pvalues = (frame.iloc[:, j] for j in range(4))
        self._limits = frame.iloc[:, 4:6]
        self._fit = getattr(effects, "results", None)

    def conf_int(self) -> pd.DataFrame:
        """Limits of the effects."""
        return self._limits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fit, name)


def attribute(thing: Any, name: str) -> Any:
    """The attribute, or None where it does not exist or is not defined for this fit."""
    try:
        return getattr(thing, name)
    except (AttributeError, NotImplementedError, ValueError):
        return None


def parameters(fit: Any) -> tuple[list[str], list[float]]:
    """Names and values of the parameters, several equations one after the other."""
    params = fit.params
    if isinstance(params, pd.Series):
        return [_name(label) for label in params.index], params.astype(float).tolist()
    values = np.asarray(params, dtype=float)
    if isinstance(params, pd.DataFrame):
        names = _equation_names(fit, params)
    else:
        names = _exog_names(fit, len(values))
        if values.ndim == 2:
            names = [f"{j}: {name}" for j in range(values.shape[1]) for name in names]
    return names, values.ravel(order="F").tolist()


def numbers(fit: Any, name: str, k: int) -> np.ndarray | None:
    """An attribute as k rows of one number, or of two for limits; None if the fit has none."""
    value = attribute(fit, name)
    value = value() if callable(value) else value
    if value is None:
        return None
    values = np.asarray(value, dtype=float)
    # Limits come as one pair per parameter, everything else in the shape of the parameters.
    return values.reshape(k, 2) if name == LIMITS else values.reshape(k, 1, order="F")


def response(fit: Any) -> str:
    """Name of what the model explains."""
    names = attribute(attribute(fit, "model"), "endog_names")
    if names is None:
        return ""
    return names if isinstance(names, str) else ", ".join(map(str, names))


def kind(fit: Any) -> str:
    """Name of the model's class."""
    model = attribute(fit, "model")
    return "" if model is None else type(model).__name__


def _equation_names(fit: Any, params: pd.DataFrame) -> list[str]:
    """Equation and parameter of each column's each row.

    The columns of a statsmodels multinomial fit are merely counted; its intervals are labelled
    with the outcome that each equation is about.
    """
    limits = attribute(fit, LIMITS)
    index = getattr(limits() if callable(limits) else limits, "index", None)
    if isinstance(index, pd.MultiIndex) and len(index) == params.size:
        return [_name(label) for label in index]
    return [_name((column, label)) for column in params.columns for label in params.index]


def _exog_names(fit: Any, k: int) -> list[str]:
    """The model's names for k unlabelled parameters, or x1, x2 … if it has not as many."""
    known = attribute(attribute(fit, "model"), "exog_names")
    if known and len(known) == k:
        return [str(name) for name in known]
    return [f"x{j}" for j in range(1, k + 1)]


def _name(label: Any) -> str:
    return ": ".join(map(str, label)) if isinstance(label, tuple) else str(label)
