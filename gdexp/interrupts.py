"""INT, TERM and HUP as one exception, so that a run or sweep can put its records in order.

A signal's exception is raised wherever the program happens to be, and libraries swallow it there
(in a finalizer, or around a database call). So the signal is also remembered, and `check` raises
it again at the next place where stopping is in order.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the process to end; not an `Exception`, so that no library swallows it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)

    @property
    def exit_status(self) -> int:
        """128 + the signal's number."""
        return 128 + self.number


_asked: list[int] = []


def check() -> None:
    """Raise `Interrupted` when a signal has asked for the end."""
    if _asked:
        raise Interrupted(_asked[0])


@contextmanager
def raising() -> Iterator[None]:
    """Raise `Interrupted` at the first signal; a second one ends the process at once."""
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    report = sys.unraisablehook

    def quiet(swallowed: sys.UnraisableHookArgs) -> None:
        # Raised inside a finalizer it could only be printed; `check` raises it again.
        if not isinstance(swallowed.exc_value, Interrupted):
            report(swallowed)

    def first(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:
            signal.signal(other, second)
        _asked.append(number)
        raise Interrupted(number)

    def second(number: int, frame: FrameType | None) -> None:
        os._exit(128 + number)

    sys.unraisablehook = quiet
    for number in SIGNALS:
        signal.signal(number, first)
    try:
        yield
    finally:
        _asked.clear()
        sys.unraisablehook = report
        for number, handler in previous.items():
            signal.signal(number, handler)
