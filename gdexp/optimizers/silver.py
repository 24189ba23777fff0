"""The silver stepsize schedule of gradient descent on smooth convex functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.core import BadInput, validation
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedules import Schedule

RHO = 1 + math.sqrt(2)
"""The silver ratio."""


def _steps() -> npt.NDArray[np.float64]:
    """Return `1 + ρ^(j − 1)` for j = 0 … 62, by products: the same bits everywhere."""
    powers = [math.sqrt(2) - 1, 1.0]
    while len(powers) < 63:
        powers.append(powers[-1] * RHO)
    return 1 + np.array(powers)


STEPS = _steps()


@dataclass(frozen=True)
class Silver(Schedule):
    """`lr * (1 + ρ^(j − 1))` at update k, where 2^j is the largest power of 2 that divides k.

    ρ = 1 + √2. The steps are √2, 2, √2, 2 + √2, √2, 2, √2, 4 + 2√2, … times lr. J. M. Altschuler,
    P. A. Parrilo, Acceleration by stepsize hedging II: silver stepsize schedule for smooth convex
    optimization, 2023.

    On a convex function with an L-Lipschitz gradient, with gd and lr = 1 / L, in exact arithmetic,
    the gap after N = 2^m − 1 updates is at most `silver_bound(N)` times L ‖x0 − x*‖². So the
    number of updates to a gap grows as its inverse to the power of log_ρ 2 = 0.786, not 1.

    The bound is proven for these N alone. Update 2^m is the longest so far and may raise the loss:
    after another number of updates the gap can be above the bound of a smaller N. So read the
    loss at N = 1, 3, 7, 15, 31, …, or stop at a threshold.
    """

    name = "silver"
    in_blocks = True

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return lr times the step of this update."""
        lowest: Any = iteration & -iteration  # the largest power of 2 that divides it
        if not isinstance(lowest, np.ndarray):
            return lr * float(STEPS[lowest.bit_length() - 1])
        rate: float = lr * STEPS[np.frexp(lowest.astype(np.float64))[1] - 1]
        return rate

    def constant_from(self, iteration: Iteration) -> bool:
        """Return False."""
        return False


def silver_bound(updates: int) -> float:
    """Return what the gap after `updates` silver steps is at most, as a share of L ‖x0 − x*‖².

    `1 / (1 + √(4 ρ^(2m) − 3))`, theorem 1.1 of the paper, for convex functions with an
    L-Lipschitz gradient, lr = 1 / L, in exact arithmetic. It is not tight: see `silver_worst`.

    Args:
        updates: 2^m − 1.

    Raises:
        BadInput: it is another number; nothing is proven for it.
    """
    return 1 / (1 + math.sqrt(4 * RHO ** (2 * _exponent(updates)) - 3))


def silver_worst(updates: int) -> float:
    """Return the gap of Huber's function after `updates` silver steps, as such a share.

    `1 / (4 Σh + 2)`, where Σh = ρ^m − 1 is the sum of the steps, with the bend at
    ‖x0 − x*‖ / (2 Σh + 1). No bound can be below it. PEPit finds nothing worse for
    N = 3, 7, 15 and 31.

    Args:
        updates: 2^m − 1.

    Raises:
        BadInput: it is another number.
    """
    return 1 / (4 * (RHO ** _exponent(updates) - 1) + 2)


def _exponent(updates: int) -> int:
    """Return m of 2^m − 1."""
    number = validation.integer("updates", updates, low=1, high=2**62 - 1)
    if number & (number + 1):
        raise BadInput("updates", updates, "must be 2^m - 1: 1, 3, 7, 15, …")
    return number.bit_length()
