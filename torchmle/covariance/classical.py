"""Covariances that rest on the likelihood: observed and expected information, outer product of scores, a given scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..linalg import invert_information, pseudo_inverse
from .base import Covariance, Estimate
from .heteroscedastic import HC
from .sandwich import expected_bread, meat

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel


@dataclass(frozen=True, kw_only=True)
class Classical(Covariance):
    """A covariance that holds when the likelihood does, which it cannot where rows are weighted by how they were sampled."""

    robust: ClassVar[bool] = False
    normal: ClassVar[bool] = False

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        if "sampling_weights" not in model.rows.columns:
            return model, self
        if self.name == "nonrobust":
            return model, HC(name="HC1", use_t=self.use_t, scaling_factor=self.scaling_factor)
        raise ValueError(
            f"cov_type={self.name!r} does not hold under sampling weights; use HC0, HC1, cluster or survey, which are robust"
        )


@dataclass(frozen=True, kw_only=True)
class Nonrobust(Classical):
    """Inverse of the observed information, times the dispersion."""

    name: str = "nonrobust"

    def estimate(self, fit: Fit) -> Estimate:
        note = "Standard Errors assume that the covariance matrix of the errors is correctly specified."
        if self.name == "oim":
            note = "Standard Errors by the observed information."
        return Estimate(self.scaled(fit.bread * fit.scale), note)


@dataclass(frozen=True, kw_only=True)
class Expected(Classical):
    """Inverse of the expected information, times the dispersion; see `torchmle.inference.expected` for where it comes from."""

    name: str = "eim"

    def estimate(self, fit: Fit) -> Estimate:
        matrix = self.scaled(expected_bread(fit) * fit.scale)
        return Estimate(matrix, "Standard Errors by the expected information.")


@dataclass(frozen=True, kw_only=True)
class OPG(Classical):
    """Inverse of the outer product of the scores."""

    name: str = "opg"

    def estimate(self, fit: Fit) -> Estimate:
        inverse = invert_information(fit.coordinates.free_hessian(meat(fit))).matrix
        return Estimate(
            self.scaled(fit.coordinates.spread(inverse) * fit.scale**2),
            "Standard Errors by the outer product of the gradients (OPG).",
        )


@dataclass(frozen=True, kw_only=True)
class PseudoInverse(Classical):
    """Pseudo-inverse of the observed information, times the dispersion: for parameters not all of which are identified.

    Right for functions of the parameters that the likelihood determines; of the others it gives the least that agrees.
    """

    name: str = "pinv"

    def estimate(self, fit: Fit) -> Estimate:
        inverse = pseudo_inverse(-fit.optimum.hessian)
        return Estimate(
            self.scaled(fit.coordinates.spread(inverse) * fit.scale),
            "Standard Errors by a pseudo-inverse of the observed information: directions that the likelihood does not "
            "determine count as known.",
        )


@dataclass(frozen=True, kw_only=True)
class FixedScale(Classical):
    """Inverse of the observed information times a dispersion that is known, 1 unless one is given."""

    normal: ClassVar[bool] = True  # no dispersion was estimated
    options: ClassVar[tuple[str, ...]] = ("scale",)
    name: str = "fixed scale"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < float(self.scale) < float("inf"):
            raise ValueError(f"scale must be positive and finite, not {self.scale!r}")

    @property
    def fixed_scale(self) -> float:
        return float(self.scale)

    def estimate(self, fit: Fit) -> Estimate:
        return Estimate(self.scaled(fit.bread * self.scale), "Standard Errors are based on fixed scale")
