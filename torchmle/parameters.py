"""theta, the vector an optimiser moves, and the named natural values a user reads: order, labels, scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

from .structured import Coefficients, VectorTransform
from .transforms import Identity, Transform


class Values:
    """Natural values by name; ``values.real`` has the real ones. What a likelihood calls ``p``.

    A value is computed when it is asked for, so that a likelihood written on the linear predictor alone
    never pays for (or overflows in) the natural one.
    """

    def __init__(
        self, real: Mapping[str, Tensor], transforms: Mapping[str, Transform | VectorTransform], **given: Tensor
    ):
        self.real = RealValues(real)
        self._transforms = transforms
        self._given = given

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._given:
            return self._given[name]
        if name not in self._transforms:
            raise AttributeError(f"no parameter {name!r}; the parameters are {', '.join(self._transforms)}")
        return self._transforms[name](getattr(self.real, name))


class RealValues:
    """Values on the real line by name: linear predictors, or the reals of free-standing parameters."""

    def __init__(self, values: Mapping[str, Tensor]):
        self._values = values

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._values:
            raise AttributeError(f"no parameter {name!r}; the parameters are {', '.join(self._values)}")
        return self._values[name]


@dataclass(frozen=True)
class Block:
    """One parameter: its reals in theta, its distinct entries in the reported vector.

    Attributes
    ----------
    name : str
    transform : Transform or VectorTransform
    labels : tuple of str
        One per reported entry.
    reals, reported : slice
        Where it stands in theta and in the reported vector.
    """

    name: str
    transform: Transform | VectorTransform
    labels: tuple[str, ...]
    reals: slice
    reported: slice

    @property
    def is_identity(self) -> bool:
        return isinstance(self.transform, Coefficients | Identity)

    def natural(self, theta: Tensor) -> Tensor:
        """The structured natural value."""
        real = theta[self.reals]
        return self.transform(real) if isinstance(self.transform, VectorTransform) else self.transform(real[0])

    def entries(self, real: Tensor) -> Tensor:
        """The reported entries of these reals."""
        if isinstance(self.transform, VectorTransform):
            return self.transform.flatten(self.transform(real))
        return self.transform(real)

    def structured(self, entries: Tensor) -> Tensor:
        """The structured natural value of these reported entries."""
        return self.transform.unflatten(entries) if isinstance(self.transform, VectorTransform) else entries[0]

    def real(self, entries: Tensor) -> Tensor:
        """The reals of these reported entries."""
        if isinstance(self.transform, VectorTransform):
            return self.transform.inverse(self.transform.unflatten(entries))
        return self.transform.inverse(entries)

    def real_labels(self) -> tuple[str, ...]:
        """A label for each real."""
        size = self.reals.stop - self.reals.start
        return self.labels if size == len(self.labels) else tuple(f"{self.name}[{i}]" for i in range(size))

    def scales(self) -> tuple[Transform, ...]:
        return self.transform.scales() if isinstance(self.transform, VectorTransform) else (self.transform,)


def _labels(name: str, transform: Transform | VectorTransform) -> tuple[str, ...]:
    return transform.labels(name) if isinstance(transform, VectorTransform) else (name,)


class Parameters:
    """Order and labels of theta and of the reported vector, in one place.

    Parameters
    ----------
    blocks : sequence of (name, transform, labels)
        `labels` may be None: the transform's own, or the name.
    order : sequence of str, optional
        Names in the order of the reported vector, where that is not theirs in theta.
    """

    def __init__(
        self,
        blocks: Sequence[tuple[str, Transform | VectorTransform, tuple[str, ...] | None]],
        order: Sequence[str] | None = None,
    ):
        labelled = {name: labels or _labels(name, transform) for name, transform, labels in blocks}
        ends = accumulate((len(labelled[name]) for name in order or labelled), initial=0)
        reported = dict(zip(order or labelled, ends, strict=False))
        made, real = [], 0
        for name, transform, _ in blocks:
            vector = isinstance(transform, VectorTransform)
            size, labels = transform.size if isinstance(transform, VectorTransform) else 1, labelled[name]
            made.append(Block(name, transform, labels, slice(real, real + size),
                              slice(reported[name], reported[name] + len(labels))))  # fmt: skip
            real += size
            assert vector or len(labels) == 1
        self.blocks = tuple(made)
        self.size = real
        self._reported = tuple(sorted(made, key=lambda block: block.reported.start))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Labels of the reported vector."""
        return tuple(label for block in self._reported for label in block.labels)

    @cached_property
    def real_names(self) -> tuple[str, ...]:
        """A label for each entry of theta: that of the reported entry where they correspond."""
        return tuple(label for block in self.blocks for label in block.real_labels())

    def block(self, name: str) -> Block:
        """The block of one parameter."""
        return next(block for block in self.blocks if block.name == name)

    @property
    def is_identity(self) -> bool:
        """True when the reported vector is theta itself."""
        return self._reported == self.blocks and all(block.is_identity for block in self.blocks)

    def values(self, theta: Tensor) -> Values:
        """Natural values by name, differentiable in theta."""
        real = {
            b.name: theta[b.reals] if isinstance(b.transform, VectorTransform) else theta[b.reals][0]
            for b in self.blocks
        }
        return Values(real, {b.name: b.transform for b in self.blocks})

    def natural(self, theta: Tensor) -> Tensor:
        """The reported vector of theta."""
        return torch.cat([block.entries(theta[block.reals]) for block in self._reported])

    def real(self, natural: Tensor) -> Tensor:
        """The theta of a reported vector; not finite where a value is outside its domain."""
        return torch.cat([block.real(natural[block.reported]) for block in self.blocks])

    def scales(self) -> tuple[Transform, ...]:
        """For each reported entry, the scalar map on whose real side its interval is made."""
        return tuple(scale for block in self._reported for scale in block.scales())

    def jacobian(self, theta: Tensor) -> Tensor:
        """d reported / d theta, of shape (reported, size): one block per parameter."""
        whole = theta.new_zeros(len(self.names), self.size)
        for block in self.blocks:
            real = theta[block.reals]
            if block.is_identity:
                part = torch.eye(len(real), dtype=theta.dtype)
            else:
                part = torch.autograd.functional.jacobian(block.entries, real)
            whole[block.reported, block.reals] = part
        return whole

    def curvature(self, theta: Tensor, weights: Tensor) -> Tensor:
        """Hessian of ``weights @ reported(theta)``, of shape (size, size): block diagonal."""
        parts = []
        for block in self.blocks:
            real, weight = theta[block.reals], weights[block.reported]
            if block.is_identity:
                parts.append(theta.new_zeros(len(real), len(real)))
            else:

                def combined(x: Tensor, block: Block = block, weight: Tensor = weight) -> Tensor:
                    return (weight * block.entries(x)).sum()

                parts.append(torch.autograd.functional.hessian(combined, real))
        return torch.block_diag(*parts) if parts else theta.new_zeros(0, 0)
