"""An estimate of the time that the rest of a sweep takes."""

from __future__ import annotations

import math

FADE_SECONDS, FADE_TRIALS = 30.0, 20.0
"""Observations lose their weight within about so many seconds and so many trials."""

GROUP_SECONDS = 0.5
"""Trials that end within this time, as those of a batch do, are one observation."""


class TimeLeft:
    """Estimates the time left from the trials of this process.

    It uses the mean time of the last trials, because the sum of the rest depends on the mean,
    with as many short and capped trials as come. Old observations lose their weight.
    """

    def __init__(self, now: float) -> None:
        self._seconds = self._trials = 0.0
        # The current observation: the end of the one before, its first and last trial, its trials.
        self._since = self._first = self._last = now
        self._new = 0

    def add(self, now: float) -> None:
        """Count a trial that has just ended."""
        if self._new and now - self._first >= GROUP_SECONDS:
            elapsed = self._last - self._since
            weight = math.exp(-min(elapsed / FADE_SECONDS, self._new / FADE_TRIALS))
            self._seconds = self._seconds * weight + elapsed
            self._trials = self._trials * weight + self._new
            self._since, self._new = self._last, 0
        if not self._new:
            self._first = now
        self._last = now
        self._new += 1

    def seconds(self, now: float, trials: int) -> float | None:
        """Return the seconds that so many more trials take; None before the first has ended."""
        seconds = self._seconds + self._last - self._since
        ended = self._trials + self._new
        if not ended or trials <= 0:
            return None
        # The running trial counts once it takes longer than the others.
        each = max(seconds / ended, (seconds + now - self._last) / (ended + 1))
        return each * trials
