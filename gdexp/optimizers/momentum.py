"""Rules with one learning rate for all coordinates: plain, heavy-ball and Nesterov descent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.core import validation
from gdexp.optimizers.base import CONSTANT, Coefficient, State, UpdateRule
from gdexp.optimizers.schedules import Schedule


@dataclass(frozen=True)
class GradientDescent(UpdateRule):
    """Plain gradient descent, `x = x - lr * gradient`, in that order of operations.

    A.-L. Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées,
    1847.

    Args:
        lr: learning rate, > 0.
        schedule: of the learning rate; constant by default.
    """

    name = "gd"
    in_blocks = True
    lr: float = 1.0
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Return the learning rate."""
        return (self.schedule.rate(self.lr, iteration),)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x, as the notebook computes it."""
        (lr,) = coefficients
        return x - lr * gradient, state

    @classmethod
    def update_in_place(
        cls, x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> State:
        """Change x; the gradient's memory takes the step."""
        (lr,) = coefficients
        x.sub_(gradient.mul_(lr))
        return state


@dataclass(frozen=True)
class Momentum(UpdateRule):
    """Heavy ball: `v = momentum * v + (1 - dampening) * gradient; x = x - lr * v`.

    The first v is the gradient itself, undamped, as in torch.optim.SGD. B. T. Polyak, Some
    methods of speeding up the convergence of iteration methods, 1964.

    Args:
        lr: learning rate, > 0.
        momentum: the weight of the last step, in [0, 1).
        dampening: the gradient is multiplied by 1 - dampening, in [0, 1).
        schedule: of the learning rate; constant by default.
    """

    name = "momentum"
    in_blocks = True
    lr: float = 1.0
    momentum: float = 0.9
    dampening: float = 0.0
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(
            lr=validation.positive, momentum=validation.fraction, dampening=validation.fraction
        )

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Return learning rate, momentum and 1 - dampening."""
        return (self.schedule.rate(self.lr, iteration), self.momentum, 1 - self.dampening)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x and the velocity, at first the gradient."""
        lr, momentum, one_minus_dampening = coefficients
        velocity = momentum * state[0] + one_minus_dampening * gradient if state else gradient
        return x - lr * velocity, (velocity,)

    @classmethod
    def update_in_place(
        cls, x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> State:
        """Change x and the velocity; the gradient's memory takes the step."""
        lr, momentum, one_minus_dampening = coefficients
        if not state:
            x.sub_(lr * gradient)
            return (gradient,)
        (velocity,) = state
        velocity.mul_(momentum).add_(gradient.mul_(one_minus_dampening))
        x.sub_(torch.mul(velocity, lr, out=gradient))
        return state


@dataclass(frozen=True)
class Nesterov(UpdateRule):
    """`v = momentum * v + gradient; x = x - lr * (gradient + momentum * v)`.

    Nesterov's method written for the point at which the gradient is taken, as in
    torch.optim.SGD; the first v is the gradient itself. Y. Nesterov, A method of solving a
    convex programming problem with convergence rate O(1/k²), 1983; I. Sutskever et al., On the
    importance of initialization and momentum in deep learning, 2013.

    Args:
        lr: learning rate, > 0.
        momentum: the weight of the last step, in [0, 1).
        schedule: of the learning rate; constant by default.
    """

    name = "nesterov"
    in_blocks = True
    lr: float = 1.0
    momentum: float = 0.9
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, momentum=validation.fraction)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Return learning rate and momentum."""
        return (self.schedule.rate(self.lr, iteration), self.momentum)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x and the velocity, at first the gradient."""
        lr, momentum = coefficients
        velocity = momentum * state[0] + gradient if state else gradient
        return x - lr * (gradient + momentum * velocity), (velocity,)

    @classmethod
    def update_in_place(
        cls, x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> State:
        """Change x and the velocity; the gradient's memory takes the step."""
        lr, momentum = coefficients
        if not state:
            x.sub_(lr * (gradient + momentum * gradient))
            return (gradient,)
        (velocity,) = state
        velocity.mul_(momentum).add_(gradient)
        x.sub_(gradient.add_(momentum * velocity).mul_(lr))
        return state
