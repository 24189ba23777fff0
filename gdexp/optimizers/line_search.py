"""Gradient descent whose rate is found by a backtracking line search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers.base import CONSTANT, Coefficient, Search, SearchingRule, State
from gdexp.optimizers.schedules import Schedule

MOST_TRIALS = 60
"""After so many trials in a row the last one is taken, whatever its loss."""


@dataclass(frozen=True)
class Armijo(SearchingRule):
    """`x = x - t * gradient` with the first t of t0, shrink t0, shrink² t0, … that is good enough.

    It is where `loss(x - t * g) <= loss(x) - decrease * t * |g|²` (L. Armijo, Minimization of
    functions having Lipschitz continuous first partial derivatives, Pacific Journal of
    Mathematics 16, 1966). t0 is lr at the first iteration, and then the last t / shrink, at most
    lr. After 60 trials t is taken as it is. An iteration is a point that was taken; trials are
    evaluations only, of the loss alone.

    Args:
        lr: the largest t, > 0.
        shrink: above 0 and below 1.
        decrease: the share of the linear decrease that is asked for, above 0 and below 1.
        schedule: of lr; constant by default.
    """

    name = "armijo"
    in_blocks = True
    reads_gradients = False
    lr: float = 1.0
    shrink: float = 0.5
    decrease: float = 1e-4
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, shrink=share, decrease=share)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Return lr, shrink, its inverse, the decrease, and the t that is taken in any case."""
        rate = self.schedule.rate(self.lr, iteration)
        return (rate, self.shrink, 1 / self.shrink, self.decrease, rate * self._least)

    @property
    def _least(self) -> float:
        """Return shrink to the power of the most trials, by products: the same everywhere."""
        least = 1.0
        for _ in range(MOST_TRIALS):
            least = least * self.shrink
        return least

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point, the state, and whether x is an iterate.

        The state: the iterate that the search began at, its gradient, its loss, |gradient|² and t.
        """
        rate, shrink, grow, decrease, least = coefficients
        slope = (gradient * gradient).sum()
        if not state:
            first = torch.zeros_like(loss) + rate
            return x - rate * gradient, (x, gradient, loss, slope, first), None
        base, direction, base_loss, base_slope, t = state
        accepted = (loss <= base_loss - decrease * t * base_slope) | (t <= least)
        grown = t * grow
        again = torch.where(grown < rate, grown, torch.zeros_like(t) + rate)
        base, direction = torch.where(accepted, x, base), torch.where(accepted, gradient, direction)
        base_loss = torch.where(accepted, loss, base_loss)
        base_slope = torch.where(accepted, slope, base_slope)
        t = torch.where(accepted, again, t * shrink)
        return base - t * direction, (base, direction, base_loss, base_slope, t), accepted


def share(key: str, value: object) -> float:
    """Return a number above 0 and below 1.

    Raises:
        BadInput: it is another.
    """
    number = validation.fraction(key, value)
    if number == 0:
        raise BadInput(key, value, "must be above 0 and below 1")
    return number
