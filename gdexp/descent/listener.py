"""What gives the losses of a descent to its monitor, whichever engine computes them."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gdexp.core import BadInput
from gdexp.descent.monitor import Monitor, Monitors, Plateau
from gdexp.descent.stopping import LOSS, Status, Stopping


class EarlyEnd(NamedTuple):
    """Where a descent ends from outside, and its status."""

    iteration: int
    status: Status


class Losses(Protocol):
    """Losses of iterations in a row: a list, an array or a column of one."""

    def __len__(self) -> int:
        """Return how many they are."""

    def __getitem__(self, place: int, /) -> float:
        """Return one of them."""


class Listener:
    """Gives the readings of one descent to its monitor: the loss at every so many iterations.

    It begins again where it is given iteration 0 again.

    Args:
        stopping: the stopping rule, which says how often the loss is read.
        monitor: that hears the readings.

    Attributes:
        every: the iterations between two readings.
        heard: the seconds at which the readings so far were heard.
    """

    def __init__(self, stopping: Stopping, monitor: Monitor) -> None:
        self._monitor, self.every, self._most = monitor, stopping.every, stopping.max_seconds
        self.begin()

    def begin(self) -> None:
        """Stand before iteration 0; the time counts from here."""
        self._next, self._began = 0, time.perf_counter()
        self.heard = array("d")

    def resume(self, losses: Losses, heard: Sequence[float], seconds: float) -> None:
        """Let the monitor hear again what it heard before a kill, which ends nothing.

        Args:
            losses: of the iterations 0 … so far.
            heard: the seconds of their readings.
            seconds: that the descent had taken.
        """
        self.begin()
        for then in heard:
            self._monitor.reading(self._next, {LOSS: float(losses[self._next])}, then)
            self._next += self.every
        self.heard.extend(heard)
        self._began -= seconds

    @property
    def seconds(self) -> float:
        """The time since the descent began, without pauses between a kill and a resume."""
        return time.perf_counter() - self._began

    def hears(self, last: int) -> bool:
        """Return whether an iteration until this one is still to be read."""
        return self._next <= last

    def hear(self, first: int, losses: Losses) -> EarlyEnd | None:
        """Hear the losses of iterations in a row, of which those heard before are left out.

        Args:
            first: the iteration of the first of them.
            losses: until the descent ended by itself, if it did.

        Returns:
            Where the monitor ends the descent; None where it goes on.
        """
        if first == 0 and len(losses):  # what was made ready for the first loss does not count
            self._began = time.perf_counter()
        seconds = self.seconds
        while self._next < first + len(losses):
            k, self._next = self._next, self._next + self.every
            self.heard.append(seconds)
            status = self._monitor.reading(k, {LOSS: float(losses[k - first])}, seconds)
            if status is not None:
                return EarlyEnd(k, status)
        return None

    def ends(self, first: int, losses: Losses, *, runs: bool) -> EarlyEnd | None:
        """Hear the losses of a block, and return where the descent ends early.

        Args:
            first: the iteration of the first loss.
            losses: until the descent ended by itself, if it did.
            runs: whether it goes on after them.

        Returns:
            By the monitor or, after the last of the losses, by time; None where it does not end.
        """
        last = first + len(losses) - 1
        end = self.hear(first, losses)
        if end is not None and (runs or end.iteration < last):
            return end
        return EarlyEnd(last, Status.OUT_OF_TIME) if runs and self.is_late() else None

    def is_late(self) -> bool:
        """Return whether the descent's time is over."""
        return self._most is not None and self.seconds >= self._most


def listener_of(stopping: Stopping, monitor: Monitor | None = None) -> Listener | None:
    """Return what listens to a descent; None where nothing may end it early.

    Raises:
        BadInput: the stopping rule counts epochs.
    """
    if stopping.max_epochs is not None:
        raise BadInput("max_epochs", stopping.max_epochs, "must be null: a descent has no epochs")
    monitors: list[Monitor] = [] if monitor is None else [monitor]
    if stopping.patience is not None:
        monitors.insert(0, Plateau(stopping.patience, stopping.min_delta))
    if not monitors and stopping.max_seconds is None:
        return None
    return Listener(stopping, monitors[0] if len(monitors) == 1 else Monitors(monitors))


Listeners = Sequence[Listener | None]
"""One for each row of a batch."""


def listeners_of(
    stoppings: Sequence[Stopping],
    distinct: Sequence[Stopping],
    monitors: Sequence[Monitor | None] | None,
) -> Listeners | None:
    """Return what listens to each row of a batch; None where nothing may end one early.

    Args:
        stoppings: of the rows.
        distinct: the different ones among them.
        monitors: of the rows; None: they have none.

    Raises:
        BadInput: there is not one monitor for each row.
    """
    if monitors is not None and len(monitors) != len(stoppings):
        raise BadInput("monitors", f"{len(monitors)} entries", f"must be {len(stoppings)}")
    if monitors is None and all(listener_of(each) is None for each in distinct):
        return None
    each = monitors or [None] * len(stoppings)
    return [listener_of(stopping, own) for stopping, own in zip(stoppings, each, strict=True)]
