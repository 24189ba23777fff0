"""The end of a sweep after many trials without improvement."""

from __future__ import annotations

import bisect

from gdexp.sweeps.study import TrialRecord


class Patience:
    """Counts the trials since the last improvement.

    An improvement is a smaller hitting time. Where the threshold is minimised too, it is a trial
    that no earlier one dominates.

    Args:
        limit: the sweep ends after so many trials in a row without improvement; None: never.
        pareto: whether the threshold is minimised too.
    """

    def __init__(self, limit: int | None, pareto: bool) -> None:
        self._limit = limit
        self._pareto = pareto
        # The Pareto front: rising thresholds, falling hitting times.
        self._thresholds: list[float] = []
        self._values: list[float] = []
        self.waited = 0

    @property
    def exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self._limit is not None and self.waited >= self._limit

    @property
    def remaining(self) -> int | None:
        """The least number of trials until the limit is reached; None: no limit."""
        return None if self._limit is None else max(self._limit - self.waited, 0)

    def add(self, record: TrialRecord) -> None:
        """Count a finished trial."""
        threshold = record.threshold if self._pareto else 0.0
        at = bisect.bisect_right(self._thresholds, threshold)
        if at and self._values[at - 1] <= record.hitting_time:
            self.waited += 1
            return
        self.waited = 0
        begin = bisect.bisect_left(self._thresholds, threshold)
        end = at
        while end < len(self._values) and self._values[end] >= record.hitting_time:
            end += 1
        self._thresholds[begin:end] = [threshold]
        self._values[begin:end] = [record.hitting_time]
