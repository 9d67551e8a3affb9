"""A regression model of any distribution in torch.distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import constraints

from ..data import Data
from ..parameters import Values
from ..regression import RegressionModel
from ..transforms import Identity, Interval, Log, Logit, Transform


def distribution_model(
    distribution: type[torch.distributions.Distribution], main: str | None = None
) -> type[RegressionModel]:
    """A regression model class of a univariate distribution.

    Each parameter of the distribution becomes a parameter of the model, on the scale its constraint asks for:
    log for positive ones, logit for probabilities.

    Parameters
    ----------
    distribution : type
        A class of `torch.distributions` with a differentiable `log_prob`.
    main : str, optional
        The parameter that takes the main formula: ``loc`` if there is one, else the first.

    Returns
    -------
    type
        A subclass of `RegressionModel`, named after the distribution.

    Examples
    --------
    >>> StudentT = distribution_model(torch.distributions.StudentT)
    >>> res = StudentT.from_formula("y ~ x", df, scale="~ w").fit(fix={"df": 5})
    """
    names = _parameter_names(distribution)
    main = main or ("loc" if "loc" in names else names[0])
    if main not in names:
        raise ValueError(f"{distribution.__name__} has no parameter {main!r}; its parameters are {', '.join(names)}")
    ordered = [main, *(name for name in names if name != main)]
    transforms = {name: _transform(distribution.arg_constraints[name]) for name in ordered}  # type: ignore[index]
    return type(
        distribution.__name__,
        (DistributionModel,),
        {
            "parameters": transforms,
            "distribution": distribution,
            "__doc__": f"Regression model of torch's {distribution.__name__}.",
        },
    )


def _parameter_names(distribution: type[torch.distributions.Distribution]) -> list[str]:
    """Names of the parameters; of ``probs`` and ``logits``, the same thing twice, the first."""
    names: Any = distribution.arg_constraints  # a mapping, or a property of the class where each instance has its own
    if not isinstance(names, Mapping) or not names:
        raise ValueError(
            f"{distribution.__name__} has no list of parameters with constraints of their own; write a RegressionModel instead"
        )
    return [name for name in names if name != "logits" or "probs" not in names]


def _transform(constraint: Any) -> Transform:
    """The transform onto what a constraint allows."""
    if constraint is constraints.real:
        return Identity()
    low, high = getattr(constraint, "lower_bound", None), getattr(constraint, "upper_bound", None)
    if (low, high) == (0, 1) and not isinstance(constraint, constraints.integer_interval):
        return Logit()
    if low == 0 and high is None:
        return Log()
    if low is not None and high is not None and not isinstance(constraint, constraints.integer_interval):
        return Interval(float(low), float(high))
    raise ValueError(f"no transform is known for the constraint {constraint}; write a RegressionModel instead")


class DistributionModel(RegressionModel):
    """Base of the classes `distribution_model` makes."""

    distribution: type[torch.distributions.Distribution]

    @classmethod
    def origin(cls) -> dict[str, str]:
        made_here = cls.__module__ == DistributionModel.__module__
        if not made_here or getattr(torch.distributions, cls.distribution.__name__, None) is not cls.distribution:
            return super().origin()
        home = f"{DistributionModel.__module__}:{DistributionModel.__qualname__}"
        return {"class": home, "distribution": cls.distribution.__name__, "main": next(iter(cls.parameters))}

    @classmethod
    def from_origin(cls, origin: Mapping[str, str]) -> type[RegressionModel]:
        if cls is not DistributionModel:
            return cls
        return distribution_model(getattr(torch.distributions, origin["distribution"]), origin["main"])

    def __reduce_ex__(self, protocol: Any) -> Any:
        origin = type(self).origin()
        if "distribution" not in origin:
            return super().__reduce_ex__(protocol)
        return _remade, (origin, vars(self))  # the class has no name of its own that pickle could look up

    def at(self, p: Values) -> torch.distributions.Distribution:
        """The distribution of each row."""
        arguments: dict[str, Any] = {}
        for name, transform in self.parameters.items():
            stable = name == "probs" and isinstance(transform, Logit)
            arguments["logits" if stable else name] = p.real.probs if stable else getattr(p, name)
        return self.distribution(**arguments, validate_args=False)

    def loglike_obs(self, p: Values, data: Data) -> Tensor:
        try:
            return self.at(p).log_prob(data.y)
        except ValueError:  # of a distribution inside this one, which checks parameters whatever was said
            outside = [name for name in self.parameters if not self._valid(name, getattr(p, name))]
            if not outside:
                raise
            return data.y * getattr(p.real, outside[0]) * torch.nan  # rounded out of their range by a long step

    def _valid(self, name: str, value: Tensor) -> bool:
        constraint: Any = self.distribution.arg_constraints[name]  # type: ignore[index]
        return bool(constraint.check(value.detach()).all())

    def frozen(self, p: Values, data: Data, scale: float) -> Any:
        make = FROZEN.get(self.distribution.__name__)
        return (
            None if make is None else make(*(getattr(p, name).numpy() for name in _parameter_names(self.distribution)))
        )

    def mean(self, p: Values, data: Data) -> Tensor:
        """The distribution's mean."""
        return self.at(p).mean

    def prepare(self, data: Data) -> Data:
        data = super().prepare(data)
        support = self.distribution.support
        if constraints.is_dependent(support):  # on parameters: only the likelihood can tell
            return data
        outside = data.y[~support.check(data.y) | self._without_density(support, data.y)]  # type: ignore[attr-defined]
        if len(outside):
            raise ValueError(
                f"{self.endog_names}: {len(outside)} values lie outside the support of {self.distribution.__name__}, "
                f"{support}, or at an end of it without a finite density; the first is {float(outside[0]):g}"
            )
        return data

    def _without_density(self, support: Any, y: Tensor) -> Tensor:
        """Which values lie at an end of the support where the density is zero or infinite for some parameters."""
        ends = [getattr(support, name) for name in ("lower_bound", "upper_bound") if hasattr(support, name)]
        found = torch.zeros_like(y, dtype=torch.bool)
        for middle in (0.0, 2.0):
            real = {name: torch.full_like(y, middle) for name in self.parameters}
            for end in ends:
                found |= (y == end) & ~torch.isfinite(self.at(Values(real, self.parameters)).log_prob(y))
        return found


def _remade(origin: Mapping[str, str], state: Mapping[str, Any]) -> Any:
    """A model of a distribution from what a pickle holds."""
    model: Any = object.__new__(DistributionModel.from_origin(origin))
    vars(model).update(state)
    return model


FROZEN: Mapping[str, Callable[..., Any]] = {
    "Bernoulli": lambda probs: _stats().bernoulli(probs),
    "Beta": lambda a, b: _stats().beta(a, b),
    "Cauchy": lambda loc, scale: _stats().cauchy(loc, scale),
    "Exponential": lambda rate: _stats().expon(scale=1 / rate),
    "Gamma": lambda concentration, rate: _stats().gamma(concentration, scale=1 / rate),
    "Gumbel": lambda loc, scale: _stats().gumbel_r(loc, scale),
    "HalfNormal": lambda scale: _stats().halfnorm(scale=scale),
    "Laplace": lambda loc, scale: _stats().laplace(loc, scale),
    "LogNormal": lambda loc, scale: _stats().lognorm(scale, scale=np.exp(loc)),
    "Normal": lambda loc, scale: _stats().norm(loc, scale),
    "Poisson": lambda rate: _stats().poisson(rate),
    "StudentT": lambda df, loc, scale: _stats().t(df, loc, scale),
    "Weibull": lambda scale, concentration: _stats().weibull_min(concentration, scale=scale),
}
"""scipy's distributions by torch's names, from the parameters in torch's order."""


def _stats() -> Any:
    from scipy import stats  # loaded late: it is slow to import

    return stats
