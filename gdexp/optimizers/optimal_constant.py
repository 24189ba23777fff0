"""The constant step with the least worst case after N updates of gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gdexp.core import validation
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedules import Schedule


@dataclass(frozen=True)
class OptimalConstant(Schedule):
    """`lr * h` at every update, where h in (1, 2) solves `1 / (2 N h + 1) = (1 - h)^(2 N)`.

    For convex functions with an L-Lipschitz gradient and lr = 1 / L, the gap after N updates of gd
    is then at least 1 / (4 N h + 2) times L ‖x0 − x*‖² at worst, in exact arithmetic: Huber's
    function and a parabola both attain it. That nothing is worse, and that no other constant step
    has a smaller worst case, is a conjecture that solvers confirm: A. B. Taylor,
    J. M. Hendrickx, F. Glineur, Smooth strongly convex interpolation and exact worst-case
    performance of first-order methods, Mathematical Programming 161, 2017.

    Args:
        horizon: N, the updates after which the loss counts, >= 1.
    """

    name = "optimal_constant"
    in_blocks = True
    horizon: int = 100

    def __post_init__(self) -> None:
        validation.integer("horizon", self.horizon, low=1, high=10**7)

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return `lr * h`."""
        return lr * optimal_constant_step(self.horizon)

    def constant_from(self, iteration: Iteration) -> bool:
        """Return True."""
        return True


@lru_cache(maxsize=64)
def optimal_constant_step(horizon: int) -> float:
    """Return h; by bisection and products alone, so that it has the same bits everywhere."""
    low, high = 1.0, 2.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return low
        if power(middle - 1, 2 * horizon) * (2 * horizon * middle + 1) < 1:
            low = middle
        else:
            high = middle


def power(base: float, exponent: int) -> float:
    """Return a power by repeated squaring."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result
