"""Ending hopeless trials early, without changing which one wins."""

from __future__ import annotations

import bisect
import math


class Cap:
    """How many iterations a trial may make before it cannot win any more.

    A trial ends once it has made `factor` times the fewest iterations of any finished trial that
    converged to an equal or tighter threshold. With factor 1 the winner is the same as without
    a cap: a trial that is not within its threshold after K iterations has a hitting time above
    K, and the trial that set the cap has one of at most K. (F. Hutter et al., ParamILS, 2009,
    cap runs by the incumbent's time in the same way; here a looser threshold never caps a
    tighter one, so that the front of threshold against iterations stays whole too.)

    Args:
        factor: >= 1; None never caps.
    """

    def __init__(self, factor: float | None) -> None:
        self._factor = factor
        # The front of what was reached: thresholds rising, iterations falling.
        self._thresholds: list[float] = []
        self._iterations: list[int] = []

    def add(self, threshold: float, iterations: int) -> None:
        """Count a finished trial that converged."""
        at = bisect.bisect_right(self._thresholds, threshold)
        if at and self._iterations[at - 1] <= iterations:
            return
        end = at
        while end < len(self._iterations) and self._iterations[end] >= iterations:
            end += 1
        begin = at
        while begin and self._thresholds[begin - 1] == threshold:
            begin -= 1
        self._thresholds[begin:end] = [threshold]
        self._iterations[begin:end] = [iterations]

    def limit(self, threshold: float) -> int | None:
        """The iterations that a trial with this threshold may make; None for no limit."""
        if self._factor is None:
            return None
        at = bisect.bisect_right(self._thresholds, threshold)
        return math.floor(self._factor * self._iterations[at - 1]) if at else None
