"""The predictions of a result and what is made of them: methods that `Results` has, each a call into `inference`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..inference.margins import margeff, margins
from ..inference.predictions import prediction
from ..inference.predictions.prediction import Prediction
from ..inference.predictions.predictive import Predictive
from ..inference.predictions.rows import new_rows, warn_of_broken_dependence
from ..influence.likelihood import MLEInfluence


class Predictions:
    """Predicted values with standard errors and intervals, distributions, marginal effects."""

    def predict(
        self: Any,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        interval: str | None = None,
        level: float = 0.95,
        unseen: str = "raise",
        **arguments: Any,
    ) -> Any:
        """Predicted values of the rows of the fit, or of new ones.

        Parameters
        ----------
        exog : DataFrame or array, optional
            New rows; through the formula unless ``transform=False``.
        which : str
            "mean", "linear", the name of a parameter, or what else ``model.predictable()`` lists.
        interval : {"mean", "obs"}, optional
            Also limits: of the predicted quantity ("mean"), or of a new observation ("obs"; see
            `torchmle.inference.predictions.predictive`).  For an ordered response "obs" gives categories, with the median one.
        level : float
            Their coverage.
        unseen : {"raise", "nan"}
            What to do with rows whose level of a factor the fit has not seen.
        **arguments
            Offset or exposure of the new rows.

        Returns
        -------
        Series or ndarray (n,); a DataFrame or ndarray with a column for each value of a quantity that has several
            Arrays for the rows of the fit.  Rows with missing values give NaN.  With `interval`, columns predicted,
            lower and upper; of a quantity of c values a row for each, or an array (n, c, 3).
        """
        data, index = new_rows(self.model, exog, transform, arguments, unseen)
        if exog is not None:
            warn_of_broken_dependence(self, data)
        if interval is None:
            values = prediction.predicted_values(self.model, self.fit.z, data, which)
            return labelled(values, None if exog is None else index)
        return with_limits(prediction.prediction(self, data, which, index), interval, level)

    def get_prediction(
        self: Any,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        row_labels: Any = None,
        average: bool = False,
        agg_weights: Any = None,
        y_values: Any = None,
        **arguments: Any,
    ) -> Prediction:
        """Predictions with standard errors and intervals; arguments as for `predict`.

        Parameters
        ----------
        row_labels : sequence, optional
            Labels in place of the index.
        average : bool
            The mean over the rows, instead of each row.
        agg_weights : array_like, optional
            What rows are multiplied by before the mean is taken; not normalised.
        y_values : array_like, optional
            Counts whose probabilities ``which="prob"`` predicts, by default 0 to the largest seen.
        """
        data, index = new_rows(self.model, exog, transform, arguments)
        if exog is not None:
            warn_of_broken_dependence(self, data)
        values = prediction.counts_of(self.model, which, y_values)
        if average:
            return prediction.average_prediction(self, data, which, agg_weights, values)
        return prediction.prediction(self, data, which, index if row_labels is None else row_labels, values)

    def get_distribution(self: Any, exog: Any = None, transform: bool = True, **arguments: Any) -> Any:
        """The estimated distribution of each row of the fit, or of new ones, as scipy freezes it.

        Raises
        ------
        ValueError
            The model does not say its distribution.
        """
        data, _ = new_rows(self.model, exog, transform, arguments)
        return Predictive(self.model, self.fit.z, None, data, self.scale).frozen()

    def sampler(self: Any) -> Callable[[np.random.Generator], Any]:
        """What draws the responses of the fit's rows anew, as the model codes them, from their estimated distributions."""
        distribution, n = self.get_distribution(), self.model.rows.n
        return lambda generator: np.asarray(distribution.rvs(size=n, random_state=generator), float)

    def margins(
        self: Any,
        variables: Any = None,
        at: Any = "overall",
        method: str = "dydx",
        which: str = "mean",
        contrast: Any = "reference",
        **arguments: Any,
    ) -> margins.Margins:
        """Marginal effects in the variables of the formula, which is evaluated again as they move.

        Interactions, polynomials, splines and factors are followed through.  Numeric variables have slopes; factors
        and booleans have contrasts of levels.  For models of matrices the variables are the columns.

        Parameters
        ----------
        variables : str or list of str, optional
            All variables when left out.
        at : {"overall", "mean"}, dict or frame
            "overall" averages the effects over the rows of the fit (frequency weights count), "mean" takes them at one
            row of means (of the most frequent level, for factors).  A dict sets variables in all rows, once for each
            combination of the values given; a frame has one effect for each of its rows.
        method : {"dydx", "eyex", "dyex", "eydx"}
            Slope dy/dx, elasticity, and the two semi-elasticities.  Contrasts are differences, of logs for "eydx".
        which : str
            What is predicted; see `predict`.
        contrast : {"reference", "sequential", "pairwise"} or dict
            Which levels are compared: each with the first, with the one before, or all pairs.  A dict says it for each
            variable, or gives two values to compare: ``{"g": "pairwise", "x": (0, 1)}``.
        **arguments
            Offset or exposure, where not those of the fit.

        Returns
        -------
        Margins
            With ``frame()``, ``summary()``, ``conf_int()``, ``t_test()``.

        Examples
        --------
        >>> res = tm.OLS.from_formula("y ~ x * w", df).fit()
        >>> res.margins().frame()[["term", "estimate"]].round(2)
          term  estimate
        0    x      1.79
        1    w      0.03
        """
        return margins.margins(self, variables, at, method, which, contrast, arguments)

    def get_margeff(
        self: Any,
        at: str = "overall",
        method: str = "dydx",
        atexog: Any = None,
        dummy: bool = False,
        count: bool = False,
        which: str = "mean",
    ) -> margeff.ColumnMargins:
        """Marginal effects of the columns of the design, in statsmodels' form; `margins` follows the formula.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero", "all"}
            Averages over the rows, effects at one middle row, or at each row (without standard errors).
        method : {"dydx", "eyex", "dyex", "eydx"}
        atexog : dict or array_like, optional
            Columns to set, by position or name, or a whole matrix.
        dummy, count : bool
            Changes from 0 to 1 for columns of zeros and ones; half the change over two units for counts.
        """
        return margeff.get_margeff(self, at, method, atexog, dummy, count, which)

    def get_influence(self: Any) -> Any:
        """Leverages and changes as single rows are left out; see `torchmle.influence.likelihood.MLEInfluence`."""
        return MLEInfluence(self)


def labelled(values: np.ndarray, index: pd.Index | None, columns: list[str] | None = None) -> Any:
    """Predictions as they came: pandas where there are labels."""
    if index is None:
        return values
    return pd.Series(values, index=index) if values.ndim == 1 else pd.DataFrame(values, index=index, columns=columns)


def with_limits(found: Prediction, interval: str, level: float) -> Any:
    """Predictions with limits that are asked for by name, labelled as `labelled` does."""
    if interval not in ("mean", "obs"):
        raise ValueError(f"interval={interval!r} is not known; use 'mean' or 'obs'")
    centre, limits = found.predicted, found.conf_int(obs=interval == "obs", alpha=1 - level)
    if len(limits) != centre.size:  # an ordered response, one category in each row
        assert found.predictive is not None
        centre = found.predictive.quantile(0.5)
    table = np.column_stack([centre.ravel(), limits])
    if found.index is None:
        return table.reshape(*centre.shape, 3)
    return labelled(table, found.index if centre.ndim == 1 else found.frame_index(), ["predicted", "lower", "upper"])
