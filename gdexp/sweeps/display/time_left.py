"""How long trials take, and so how long the rest of them will."""

from __future__ import annotations

import math

PACE_SECONDS, PACE_TRIALS = 30.0, 20.0
"""The time left is judged by the last trials: by those of so many seconds, and by so many."""

PACE_EVERY_SECONDS = 0.5
"""Trials that end within it, as those of a batch do, are one observation of the pace."""


class TimeLeft:
    """How long a trial takes, from the trials of this process.

    The mean over the last trials, since the mean is what the rest will take in all: it is right
    for capped and short ones as often as they come. Old observations fade.
    """

    def __init__(self, now: float) -> None:
        self._seconds = self._trials = 0.0
        # The observation that goes on: its trials, the first and last of them, what came before.
        self._since = self._first = self._last = now
        self._new = 0

    def add(self, now: float) -> None:
        """A trial ended."""
        if self._new and now - self._first >= PACE_EVERY_SECONDS:
            elapsed = self._last - self._since
            fading = math.exp(-min(elapsed / PACE_SECONDS, self._new / PACE_TRIALS))
            self._seconds = self._seconds * fading + elapsed
            self._trials = self._trials * fading + self._new
            self._since, self._new = self._last, 0
        if not self._new:
            self._first = now
        self._last = now
        self._new += 1

    def seconds(self, now: float, trials: int) -> float | None:
        """Seconds that so many more trials will take; None before the first has ended."""
        seconds = self._seconds + self._last - self._since
        ended = self._trials + self._new
        if not ended or trials <= 0:
            return None
        # The one that goes on counts once it is longer than the others.
        each = max(seconds / ended, (seconds + now - self._last) / (ended + 1))
        return each * trials
