"""Warm-up with cosine decay, the usual schedule of a training of known length."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gdexp.core import BadInput, validation
from gdexp.optimizers.mathematics import Iteration, choose, cosine
from gdexp.optimizers.schedules import Schedule


@dataclass(frozen=True)
class WarmupCosine(Schedule):
    """`lr * k / warmup` at update k, then down half a cosine wave to `floor * lr` at `steps`.

    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017, after the
    gradual warm-up of P. Goyal et al., Accurate, large minibatch SGD, 2017. The rate stays at the
    floor afterwards.

    Args:
        steps: the first update at the floor, which is the last one of the training, > warmup.
        warmup: the first update with the full `lr`; 0: the first of all.
        floor: the last rate, as a share of `lr`, in [0, 1].
    """

    name = "warmup_cosine"
    in_blocks = True
    steps: int = 100
    warmup: int = 10
    floor: float = 0.0

    def __post_init__(self) -> None:
        validation.integer("warmup", self.warmup, low=0, high=10**9)
        validation.integer("steps", self.steps, low=1, high=10**9)
        if self.steps <= self.warmup:
            raise BadInput("steps", self.steps, f"must be above warmup={self.warmup}")
        floor = validation.non_negative("floor", self.floor)
        if floor > 1:
            raise BadInput("floor", self.floor, "must be from 0 to 1")
        object.__setattr__(self, "floor", floor)

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return the rate: with w warm-up updates and n in all, of the share (k - w) / (n - w)."""
        top = max(self.warmup, 1)  # without warm-up the wave begins at update 1
        share = (iteration - top) / max(self.steps - top, 1)
        wave = (1 + cosine(math.pi * share)) / 2
        falling = lr * (self.floor + (1 - self.floor) * wave)
        late = choose(iteration >= self.steps, lr * self.floor, falling)
        rate: float = choose(iteration < top, lr * (iteration / top), late)
        return rate

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether the floor is reached."""
        reached: bool = iteration >= self.steps
        return reached
