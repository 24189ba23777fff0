"""Rules that scale every coordinate by the gradients it has seen.

All start from averages of 0. Where a formula divides by a number, its inverse is computed in
double precision and multiplied instead (see `UpdateRule`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.core import validation
from gdexp.optimizers.base import CONSTANT, Coefficient, State, UpdateRule, elementwise
from gdexp.optimizers.schedules import Schedule


@dataclass(frozen=True)
class Adagrad(UpdateRule):
    """`s = s + gradient²; x = x - rate * gradient / (√s + eps)`.

    At update k, `rate = lr / (1 + (k - 1) * lr_decay)`. J. Duchi, E. Hazan, Y. Singer, Adaptive
    subgradient methods for online learning and stochastic optimization, JMLR 12, 2011. Defaults
    are torch.optim.Adagrad's.

    Args:
        lr: learning rate, > 0.
        lr_decay: >= 0.
        initial_accumulator_value: the s that the descent starts with, >= 0.
        eps: keeps the denominator above 0, >= 0.
        schedule: of the learning rate; constant by default.
    """

    name = "adagrad"
    lr: float = 0.01
    lr_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(
            lr=validation.positive,
            lr_decay=validation.non_negative,
            initial_accumulator_value=validation.non_negative,
            eps=validation.non_negative,
        )

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """The decayed rate, the first accumulator and eps."""
        rate = self.schedule.rate(self.lr, iteration) / (1 + (iteration - 1) * self.lr_decay)
        return (rate, self.initial_accumulator_value, self.eps)

    def settled(self, iteration: int) -> bool:
        """When neither the schedule nor lr_decay changes the rate any more."""
        return self.schedule.settled(iteration) & (self.lr_decay == 0)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """One sum of squares."""
        rate, first, eps = coefficients
        before = state[0] if state else torch.zeros_like(gradient) + first
        squares = before + gradient * gradient
        return x - (rate * gradient) / (squares.sqrt() + eps), (squares,)


@dataclass(frozen=True)
class RMSprop(UpdateRule):
    """`s = alpha * s + (1 - alpha) * gradient²; b = momentum * b + gradient / (√s + eps)`.

    Then `x = x - lr * b`. Centered, the variance `s - m²` takes the place of s, with m the
    running mean of the gradient; where rounding makes it negative it counts as 0 (torch.optim's
    point becomes NaN there). T. Tieleman, G. Hinton, Lecture 6.5 of Neural Networks for
    Machine Learning, 2012; centered: A. Graves, Generating sequences with recurrent neural
    networks, 2013. Defaults are torch.optim.RMSprop's.

    Args:
        lr: learning rate, > 0.
        alpha: share of the averages that is kept, in [0, 1).
        eps: keeps the denominator above 0, >= 0.
        momentum: share of the last step that is kept, in [0, 1).
        centered: divide by the standard deviation of the gradient instead of its size.
        schedule: of the learning rate; constant by default.
    """

    name = "rmsprop"
    lr: float = 0.01
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(
            lr=validation.positive,
            alpha=validation.fraction,
            eps=validation.non_negative,
            momentum=validation.fraction,
        )
        validation.boolean("centered", self.centered)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Learning rate, alpha, its complement, eps, momentum and which formula."""
        rate = self.schedule.rate(self.lr, iteration)
        return (rate, self.alpha, 1 - self.alpha, self.eps, self.momentum, self.centered)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Average square and step; centered, also the average gradient."""
        rate, alpha, taken, eps, momentum, centered = coefficients
        if not state:
            zero = torch.zeros_like(gradient)
            state = (zero, zero, zero) if centered else (zero, zero)
        square = alpha * state[0] + (taken * gradient) * gradient
        if centered:
            mean = state[2] + taken * (gradient - state[2])
            scale = (square - mean * mean).clamp_min(0).sqrt()
        else:
            scale = square.sqrt()
        step = momentum * state[1] + gradient / (scale + eps)
        return x - rate * step, (square, step, mean) if centered else (square, step)


@dataclass(frozen=True)
class Adam(UpdateRule):
    """`m = beta1 * m + (1 - beta1) * gradient; s = beta2 * s + (1 - beta2) * gradient²`.

    Then `x = x - lr * m̂ / (√ŝ + eps)` with the averages freed of their start at 0:
    `m̂ = m / (1 - beta1^k)`, `ŝ = s / (1 - beta2^k)`. The first step is therefore
    `lr * gradient / (|gradient| + eps)`. D. P. Kingma, J. Ba, Adam: a method for stochastic
    optimization, 2015. Defaults are torch.optim.Adam's.

    Args:
        lr: learning rate, > 0.
        beta1: share of the average gradient that is kept, in [0, 1).
        beta2: share of the average square that is kept, in [0, 1).
        eps: keeps the denominator above 0, >= 0.
        schedule: of the learning rate; constant by default.
    """

    name = "adam"
    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(
            lr=validation.positive,
            beta1=validation.fraction,
            beta2=validation.fraction,
            eps=validation.non_negative,
        )

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """The corrected rate, the shares of both averages, the inverse of √(1 - beta2^k), eps."""
        rate = self.schedule.rate(self.lr, iteration)
        return (
            rate / elementwise(lambda beta: 1 - beta**iteration, self.beta1),
            1 - self.beta1,
            self.beta2,
            1 - self.beta2,
            elementwise(lambda beta: 1 / math.sqrt(1 - beta**iteration), self.beta2),
            self.eps,
        )

    def settled(self, iteration: int) -> bool:
        """When the schedule is and both corrections have become exactly 1."""

        def gone(beta: float) -> bool:
            return 1 - beta**iteration == 1

        # Not `and`: in a batch these are arrays.
        corrected: bool = elementwise(gone, self.beta1) & elementwise(gone, self.beta2)
        return self.schedule.settled(iteration) & corrected

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Average gradient and average square."""
        rate, moved, kept, taken, correction, eps = coefficients
        if not state:
            zero = torch.zeros_like(gradient)
            state = (zero, zero)
        mean = state[0] + moved * (gradient - state[0])
        square = kept * state[1] + (taken * gradient) * gradient
        return x - (rate * mean) / (square.sqrt() * correction + eps), (mean, square)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam on `x = x - lr * weight_decay * x`: the decay does not pass through the averages.

    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019. Defaults are
    torch.optim.AdamW's. The decay moves the point at which the descent comes to rest away from
    the problem's minimum.

    Args:
        lr: learning rate, > 0.
        beta1: share of the average gradient that is kept, in [0, 1).
        beta2: share of the average square that is kept, in [0, 1).
        eps: keeps the denominator above 0, >= 0.
        weight_decay: share of x, times the rate, that every update takes away, >= 0.
        schedule: of the learning rate; constant by default.
    """

    name = "adamw"
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(weight_decay=validation.non_negative)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """The share of x that is kept, then Adam's."""
        kept = 1 - self.schedule.rate(self.lr, iteration) * self.weight_decay
        return (kept, *super().coefficients(iteration))

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Decay, then Adam."""
        kept, *others = coefficients
        return Adam.update(kept * x, gradient, state, *others)
