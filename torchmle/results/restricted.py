"""What a result says of the restrictions under which its parameters were found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitting.constraints import LinearConstraints


class Restricted:
    """Linear constraints, bounds and penalties of a fit."""

    @property
    def constraints(self: Any) -> LinearConstraints:
        """The linear constraints of the fit, R and q with `coefs` and `constants`; only where there are some."""
        if self.fit.settings.get("constraints") is None:
            raise AttributeError("the model was fitted without constraints")
        return self.fit.settings["constraints"]

    @property
    def k_constr(self: Any) -> int:
        """Number of independent linear constraints."""
        return int(np.linalg.matrix_rank(self.constraints.coefs)) if hasattr(self, "constraints") else 0

    @property
    def results_constrained(self: Any) -> Any:
        """This result, where there are constraints: statsmodels keeps the fit of a transformed model here."""
        return self if self.constraints else None

    @property
    def at_bounds(self: Any) -> dict[str, float]:
        """Parameters held at bounds that were asked for, with their values."""
        return {name: float(self.params_array[self.names.index(name)]) for name in self.optim.bound}

    @property
    def trimmed(self: Any) -> NDArray[np.bool_]:
        """Which parameters a penalty on absolute values has set to zero; only where there was one."""
        if "trimmed" not in self.fit.settings:
            raise AttributeError("the model was fitted without a penalty")
        return self._reported_entries(self.fit.settings["trimmed"])

    @property
    def nnz_params(self: Any) -> int:
        """Number of parameters that a penalty on absolute values has left."""
        return int((~self.trimmed).sum())
