"""What measures of influence share, whatever the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plots.influence import InfluencePlots

Array = NDArray[np.float64]


class Measures(InfluencePlots):
    """Measures of the influence of each row on a fit.

    Names are statsmodels'.  Rows are those of the fit; arrays have shape (n,) unless said otherwise.

    Attributes
    ----------
    results : Results
    """

    results: Any

    @property
    def endog(self) -> Array:
        """The response."""
        return self.results.model.endog

    @property
    def exog(self) -> Array:
        """The main design, (n, columns)."""
        return self.results.model.exog
