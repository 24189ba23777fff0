"""Monitors: what hears the readings of a descent or training while it goes, and may end it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from gdexp.descent.stopping import LOSS, Status


class Monitor(Protocol):
    """Hears every reading of a descent or training, in order; may end it.

    What it says at the iteration at which the descent ends by itself changes nothing. A descent
    that begins again gives its readings again: the first of them has no larger iteration than the
    one before. So does a descent that is resumed, until it is where it was; what the monitor says
    of readings that it heard before the resume changes nothing.
    """

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        """Hear a reading.

        Args:
            iteration: the updates made; it rises from reading to reading.
            metrics: numbers by name, NaN and infinities among them; not every reading has each.
            seconds: since the descent began, without pauses between a kill and a resume.

        Returns:
            The status with which the descent ends here; None: it goes on.
        """


class Monitors:
    """Several monitors as one: all hear every reading, the first that ends the descent counts.

    Args:
        monitors: in the order in which they are asked.
    """

    def __init__(self, monitors: Sequence[Monitor]) -> None:
        self._monitors = tuple(monitors)

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        """Hear a reading; see `Monitor`."""
        said = [each.reading(iteration, metrics, seconds) for each in self._monitors]
        return next((status for status in said if status is not None), None)


class EndsAt:
    """Ends a descent at its reading of an iteration, such as one that was recorded.

    Args:
        iteration: of the reading.
        status: with which it ends.
    """

    def __init__(self, iteration: int, status: Status) -> None:
        self._iteration, self._status = iteration, status

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        """Hear a reading; see `Monitor`."""
        return self._status if iteration >= self._iteration else None


class Plateau:
    """Ends a descent after so many readings of a metric in a row without improvement.

    The first number is the first best. A reading that is not a number is no improvement; one
    without the metric does not count.

    Args:
        patience: the readings without improvement that end the descent.
        min_delta: an improvement is better than the best reading before it by more than this.
        metric: that is read.
        maximize: whether larger is better.
    """

    def __init__(
        self, patience: int, min_delta: float = 0.0, metric: str = LOSS, maximize: bool = False
    ) -> None:
        self._patience, self._min_delta = patience, min_delta
        self._metric, self._sign = metric, -1.0 if maximize else 1.0
        self._begin()

    def _begin(self) -> None:
        self._last, self._best, self._waited = -1, math.nan, 0

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        """Hear a reading; see `Monitor`."""
        if iteration <= self._last:
            self._begin()
        self._last = iteration
        if self._metric not in metrics:
            return None
        value = self._sign * metrics[self._metric]
        first = math.isnan(self._best) and not math.isnan(value)
        if first or value < self._best - self._min_delta:
            self._best, self._waited = value, 0
            return None
        self._waited += 1
        return Status.PLATEAU if self._waited >= self._patience else None
