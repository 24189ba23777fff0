"""Update rules as pure functions of the point, its gradient, the rule's state and its coefficients.

A rule is a frozen dataclass of hyperparameters. What depends on hyperparameters alone is
computed in double precision by `coefficients`; what touches tensors is `update`, which knows
nothing else, so that the same function serves one descent (coefficients are floats) and a
batch (coefficients are tensors with one value per row).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gdexp import checks

State = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class UpdateRule(ABC):
    """How the next point follows from the gradient.

    Attributes:
        name: the word that chooses the rule in a config.
        constant: whether `coefficients` is the same at every iteration. A rule whose
            coefficients change cannot be called stalled when its state repeats.
    """

    name: ClassVar[str] = ""
    constant: ClassVar[bool] = True

    @abstractmethod
    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """What `update` needs besides tensors, at the iteration that is made (from 1)."""

    @staticmethod
    @abstractmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Any
    ) -> tuple[torch.Tensor, State]:
        """The next x and state; neither argument is changed. The first state is ()."""


@dataclass(frozen=True)
class GradientDescent(UpdateRule):
    """Plain gradient descent, `x = x - lr * gradient`, in that order of operations.

    Args:
        lr: learning rate, > 0.
    """

    name = "gd"
    lr: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("lr", self.lr)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """The learning rate."""
        return (self.lr,)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Any
    ) -> tuple[torch.Tensor, State]:
        """The notebook's line."""
        (lr,) = coefficients
        return x - lr * gradient, state


@dataclass(frozen=True)
class Momentum(UpdateRule):
    """Heavy ball: `v = momentum * v + (1 - dampening) * gradient; x = x - lr * v`.

    The first v is the gradient itself, undamped, as in torch.optim.SGD. B. T. Polyak, Some
    methods of speeding up the convergence of iteration methods, 1964.

    Args:
        lr: learning rate, > 0.
        momentum: share of the last step that is kept, in [0, 1).
        dampening: share of the gradient that is left out, in [0, 1).
    """

    name = "momentum"
    lr: float = 1.0
    momentum: float = 0.9
    dampening: float = 0.0

    def __post_init__(self) -> None:
        checks.positive("lr", self.lr)
        checks.fraction("momentum", self.momentum)
        checks.fraction("dampening", self.dampening)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Learning rate, momentum and the share of the gradient that is taken."""
        return (self.lr, self.momentum, 1 - self.dampening)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Any
    ) -> tuple[torch.Tensor, State]:
        """One velocity, started at the first gradient."""
        lr, momentum, taken = coefficients
        velocity = momentum * state[0] + taken * gradient if state else gradient
        return x - lr * velocity, (velocity,)


RULES: dict[str, type[UpdateRule]] = {cls.name: cls for cls in (GradientDescent, Momentum)}
