"""What every kind of covariance is: a name, options, and a matrix made of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

if TYPE_CHECKING:
    from ..fitting.fit import Fit
    from ..likelihood import LikelihoodModel

CONVENTIONS = ("statsmodels", "R", "stata", "none")


@dataclass(frozen=True)
class Estimate:
    """A covariance matrix and what it is.

    Attributes
    ----------
    matrix : Tensor
        (k, k) in the data's coordinates z.
    description : str
        The note that a summary prints.
    df : float or None
        Degrees of freedom for t and F tests when they are not those of the residuals (clusters: G - 1).
    n_groups : tuple of int
        Clusters in each grouping.
    """

    matrix: Tensor
    description: str
    df: float | None = None
    n_groups: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Covariance:
    """Base of the kinds.

    ``robust`` ones do not rest on the model's own variance; least squares are read by the normal distribution under
    ``normal`` ones, by Student's t under the others.

    Attributes
    ----------
    use_t : bool or None
        Student's t instead of the normal distribution; None leaves it to the model.
    scaling_factor : float or None
        A factor of one's own on the whole matrix.
    """

    robust: ClassVar[bool] = True
    normal: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()
    use_t: bool | None = None
    scaling_factor: float | None = None

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def fixed_scale(self) -> float | None:
        """A dispersion that was given rather than estimated."""
        return None

    def bind(self, model: LikelihoodModel) -> tuple[LikelihoodModel, Covariance]:
        """Look up row-shaped options in the model's frame; rows without them leave the model."""
        return model, self

    def estimate(self, fit: Fit) -> Estimate:
        """The matrix, with what is to be said of it."""
        raise NotImplementedError

    def described(self) -> Mapping[str, Any]:
        """The options in force, as ``results.cov_kwds`` shows them."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name in self.options}

    def scaled(self, matrix: Tensor) -> Tensor:
        """The matrix times the user's own factor."""
        return matrix if self.scaling_factor is None else matrix * self.scaling_factor


def refuse_unknown(convention: str) -> None:
    """Refuse a convention that is none."""
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}, not {convention!r}")


def per_degree(observations: float, lost: float) -> float:
    """``n / (n - k)``; NaN where nothing is left."""
    return observations / (observations - lost) if observations > lost else float("nan")
