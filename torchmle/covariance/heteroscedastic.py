"""Heteroscedasticity-robust covariances, HC0 to HC3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import Covariance, Estimate, per_degree, refuse_unknown
from .sandwich import bread, meat, sandwich

if TYPE_CHECKING:
    from ..fitting.fit import Fit

LEVERAGE_POWER = {"HC2": 0.5, "HC3": 1.0}


@dataclass(frozen=True, kw_only=True)
class HC(Covariance):
    """Heteroscedasticity robust: HC0 to HC3 (Eicker 1967, Huber 1967, White 1980, MacKinnon and White 1985).

    For every model: a row's leverage is a number with one linear predictor, a matrix with several
    (`torchmle.covariance.leverage`).  Where one is 1 or more, HC2 and HC3 are refused.

    Attributes
    ----------
    convention : {"statsmodels", "R", "stata", "none"}
        "R": bread and leverages of the expected information, as sandwich::vcovHC of a glm.  "stata": HC1 of a
        nonlinear model is n / (n - 1).  In all of them n counts the rows that are predicted perfectly, as R's nobs does
        (Stata leaves these out first), and k the parameters that are free.
    """

    options: ClassVar[tuple[str, ...]] = ("convention",)
    name: str = "HC0"
    convention: str = "statsmodels"

    def __post_init__(self) -> None:
        refuse_unknown(self.convention)

    def estimate(self, fit: Fit) -> Estimate:
        expected = self.convention == "R"
        filling = meat(fit, leverage_power=LEVERAGE_POWER.get(self.name, 0.0), expected=expected)
        factor = self._factor(fit) if self.name == "HC1" else 1.0
        note = f"Standard Errors are heteroscedasticity robust ({self.name})"
        note += f", small-sample factor {factor:.6g}" if self.name == "HC1" else ""
        return Estimate(self.scaled(sandwich(bread(fit, expected), filling) * factor), note)

    def _factor(self, fit: Fit) -> float:
        return per_degree(fit.nobs, 1 if self.convention == "stata" and not fit.model.linear else fit.rank)
