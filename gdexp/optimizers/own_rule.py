"""The update rule of what gdexp knows nothing of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.optimizers.base import CONSTANT, Coefficient, State, UpdateRule
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedules import Schedule


@dataclass(frozen=True)
class OwnRule(UpdateRule):
    """Stands for the optimizer of a loop of the user's own, of which gdexp knows nothing."""

    name = "own"
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Raise TypeError: the loop makes its updates itself."""
        raise TypeError("a loop of the user's own makes its updates itself")

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Raise TypeError: the loop makes its updates itself."""
        raise TypeError("a loop of the user's own makes its updates itself")
