"""Monitors: what hears the readings of a descent or training while it goes, and may end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gdexp.descent.stopping import Status


class Monitor(Protocol):
    """Hears every reading of a descent or training, in order; may end it.

    What it says at the iteration at which the descent ends by itself changes nothing.
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
