"""The comparison of a plan with torch's own loss and gradient, during its first descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from gdexp.descent.portable.descents import Descents


class Checks:
    """Compares at the start, at iterations 1, 2, 4, 8, … and at the end, of the first row.

    Args:
        check: raises `NotPortable` where plan and torch disagree at a point.
    """

    def __init__(self, check: Callable[[torch.Tensor], None]) -> None:
        self._check = check
        self._next: float = 1

    def at_start(self, x: torch.Tensor) -> None:
        """Compare at a start.

        Raises:
            NotPortable: they disagree.
        """
        self._check(x)

    def go_on(self, k: int) -> None:
        """Stand before iteration k, which an earlier process came to."""
        self._next = 1 << k.bit_length()

    def length(self, length: int, k: int) -> int:
        """Return how many iterations a block may make before the next comparison."""
        return int(min(length, self._next - k))

    def look(self, descents: Descents) -> None:
        """Compare at the present point, where it is due.

        Raises:
            NotPortable: they disagree.
        """
        if (descents.open[0] and descents.k < self._next) or self._next == math.inf:
            return
        self._check(torch.from_numpy(descents.rows.x[0].reshape(descents.plan.shape).copy()))
        self._next = 2 * descents.k if descents.open[0] else math.inf
