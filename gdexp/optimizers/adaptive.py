"""Rules that scale each coordinate by its past gradients: Adagrad, RMSprop, Adam and AdamW.

All averages start at 0. In place of a division by a number, the rules multiply by its inverse,
computed in double precision (see `UpdateRule`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.core import validation
from gdexp.optimizers.base import CONSTANT, Coefficient, State, UpdateRule
from gdexp.optimizers.mathematics import power, root
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
        initial_accumulator_value: the first s, >= 0.
        eps: keeps the denominator above 0, >= 0.
        schedule: of the learning rate; constant by default.
    """

    name = "adagrad"
    in_blocks = True
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
        """Return the decayed rate, the first accumulator and eps."""
        rate = self.schedule.rate(self.lr, iteration) / (1 + (iteration - 1) * self.lr_decay)
        return (rate, self.initial_accumulator_value, self.eps)

    def constant_from(self, iteration: int) -> bool:
        """Return whether neither the schedule nor lr_decay changes the rate any more."""
        return self.schedule.constant_from(iteration) & (self.lr_decay == 0)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x and the sum of squares."""
        rate, initial, eps = coefficients
        last = state[0] if state else torch.zeros_like(gradient) + initial
        squares = last + gradient * gradient
        return x - (rate * gradient) / (squares.sqrt() + eps), (squares,)


@dataclass(frozen=True)
class RMSprop(UpdateRule):
    """`s = alpha * s + (1 - alpha) * gradient²; b = momentum * b + gradient / (√s + eps)`.

    Then `x = x - lr * b`. When centered, the variance `s - m²` replaces s, where m is the running
    mean of the gradient. A variance that rounding makes negative counts as 0 (torch.optim's
    point becomes NaN there). T. Tieleman, G. Hinton, Lecture 6.5 of Neural Networks for
    Machine Learning, 2012; centered: A. Graves, Generating sequences with recurrent neural
    networks, 2013. Defaults are torch.optim.RMSprop's.

    Args:
        lr: learning rate, > 0.
        alpha: the weight of the last average, in [0, 1).
        eps: keeps the denominator above 0, >= 0.
        momentum: the weight of the last step, in [0, 1).
        centered: divide by the standard deviation of the gradient, not by its size.
        schedule: of the learning rate; constant by default.
    """

    name = "rmsprop"
    in_blocks = True
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
        """Return rate, alpha, 1 - alpha, eps, momentum and whether the rule is centered."""
        rate = self.schedule.rate(self.lr, iteration)
        return (rate, self.alpha, 1 - self.alpha, self.eps, self.momentum, self.centered)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x, the average square and the step; when centered also the average."""
        rate, alpha, one_minus_alpha, eps, momentum, centered = coefficients
        if not state:
            zero = torch.zeros_like(gradient)
            state = (zero, zero, zero) if centered else (zero, zero)
        square = alpha * state[0] + (one_minus_alpha * gradient) * gradient
        if centered:
            mean = state[2] + one_minus_alpha * (gradient - state[2])
            scale = (square - mean * mean).clamp_min(0).sqrt()
        else:
            scale = square.sqrt()
        step = momentum * state[1] + gradient / (scale + eps)
        return x - rate * step, (square, step, mean) if centered else (square, step)


@dataclass(frozen=True)
class Adam(UpdateRule):
    """`m = beta1 * m + (1 - beta1) * gradient; s = beta2 * s + (1 - beta2) * gradient²`.

    Then `x = x - lr * m̂ / (√ŝ + eps)` with the averages corrected for their start at 0:
    `m̂ = m / (1 - beta1^k)`, `ŝ = s / (1 - beta2^k)`. The first step is therefore
    `lr * gradient / (|gradient| + eps)`. D. P. Kingma, J. Ba, Adam: a method for stochastic
    optimization, 2015. Defaults are torch.optim.Adam's.

    Args:
        lr: learning rate, > 0.
        beta1: the weight of the last average gradient, in [0, 1).
        beta2: the weight of the last average square, in [0, 1).
        eps: keeps the denominator above 0, >= 0.
        schedule: of the learning rate; constant by default.
    """

    name = "adam"
    in_blocks = True
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
        """Return the corrected rate, the averages' weights, 1 / √(1 - beta2^k) and eps."""
        rate = self.schedule.rate(self.lr, iteration)
        return (
            rate / (1 - power(self.beta1, iteration)),
            1 - self.beta1,
            self.beta2,
            1 - self.beta2,
            1 / root(1 - power(self.beta2, iteration)),
            self.eps,
        )

    def constant_from(self, iteration: int) -> bool:
        """Return whether the rate is constant and both corrections are exactly 1."""
        # Not `and`: in a batch these are arrays.
        mean_is, square_is = (1 - power(beta, iteration) == 1 for beta in (self.beta1, self.beta2))
        uncorrected: bool = mean_is & square_is
        return self.schedule.constant_from(iteration) & uncorrected

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x, the average gradient and the average square."""
        rate, one_minus_beta1, beta2, one_minus_beta2, correction, eps = coefficients
        if not state:
            zero = torch.zeros_like(gradient)
            state = (zero, zero)
        mean = state[0] + one_minus_beta1 * (gradient - state[0])
        square = beta2 * state[1] + (one_minus_beta2 * gradient) * gradient
        return x - (rate * mean) / (square.sqrt() * correction + eps), (mean, square)

    @classmethod
    def update_in_place(
        cls, x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> State:
        """Change x and the averages; the gradient's memory takes the step."""
        rate, one_minus_beta1, beta2, one_minus_beta2, correction, eps = coefficients
        if not state:
            state = (torch.zeros_like(gradient), torch.zeros_like(gradient))
        mean, square = state
        mean.add_((gradient - mean).mul_(one_minus_beta1))
        square.mul_(beta2).add_((gradient * one_minus_beta2).mul_(gradient))
        step = torch.mul(mean, rate, out=gradient)
        x.sub_(step.div_(square.sqrt().mul_(correction).add_(eps)))
        return state


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam after `x = x - lr * weight_decay * x`: the decay does not enter the averages.

    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019. Defaults are
    torch.optim.AdamW's. The decay moves the limit of the descent away from the problem's
    minimum.

    Args:
        lr: learning rate, > 0.
        beta1: the weight of the last average gradient, in [0, 1).
        beta2: the weight of the last average square, in [0, 1).
        eps: keeps the denominator above 0, >= 0.
        weight_decay: every update subtracts rate * weight_decay * x, >= 0.
        schedule: of the learning rate; constant by default.
    """

    name = "adamw"
    in_blocks = True
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(weight_decay=validation.non_negative)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Return 1 - rate * weight_decay, then Adam's coefficients."""
        factor = 1 - self.schedule.rate(self.lr, iteration) * self.weight_decay
        return (factor, *super().coefficients(iteration))

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x and Adam's state."""
        factor, *others = coefficients
        return Adam.update(factor * x, gradient, state, *others)

    @classmethod
    def update_in_place(
        cls, x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> State:
        """Change x and Adam's state; the gradient's memory takes the step."""
        factor, *others = coefficients
        x.mul_(factor)
        return super().update_in_place(x, gradient, state, *others)
