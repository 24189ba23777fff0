"""INT, TERM and HUP as one exception, so that a run or sweep can put its records in order.

A signal's exception is raised wherever the program happens to be. In the middle of a write it
would leave a transaction open, which then locks out the writes that put things in order; so
whatever writes is `shielded`, and the exception comes right after it. Elsewhere a library may
swallow it (in a finalizer, for one): so the signal is also remembered, and `check` raises it again
at the next place where stopping is in order.

A second signal ends the process at once, also while it waits for a lock or computes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
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
_shields = 0
_endings = 0
_wakeups: list[int] = []


def check() -> None:
    """Raise `Interrupted` when a signal has asked for the end."""
    if _asked and not _endings:
        raise Interrupted(_asked[0])


@contextmanager
def shielded() -> Iterator[None]:
    """Keep a signal back until what is written here is written whole."""
    global _shields
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return
    _shields += 1
    try:
        yield
    finally:
        _shields -= 1
    if not _shields:
        check()


@contextmanager
def ending() -> Iterator[None]:
    """Put things in order after a signal or an error; no first signal comes in between."""
    global _endings
    _endings += 1
    try:
        yield
    finally:
        _endings -= 1


@contextmanager
def raising(others: tuple[signal.Signals, ...] = (), patient: bool = False) -> Iterator[None]:
    """Raise `Interrupted` at the first signal; a second one ends the process at once.

    Args:
        others: signals beside INT, TERM and HUP that are to do so.
        patient: whether a second signal changes nothing, where it comes by itself.
    """
    global _shields, _endings
    numbers = (*SIGNALS, *others)
    previous = {number: signal.getsignal(number) for number in numbers}
    report = sys.unraisablehook

    def quiet(swallowed: sys.UnraisableHookArgs) -> None:
        # Raised inside a finalizer it could only be printed; `check` raises it again.
        if not isinstance(swallowed.exc_value, Interrupted):
            report(swallowed)

    def first(number: int, frame: FrameType | None) -> None:
        if _asked:
            return
        _asked.append(number)
        if not _shields and not _endings:
            raise Interrupted(number)

    sys.unraisablehook = quiet
    for number in numbers:
        signal.signal(number, first)
    try:
        with nullcontext() if patient else _second_ends(numbers):
            yield
    finally:
        _asked.clear()
        _shields = _endings = 0
        sys.unraisablehook = report
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _second_ends(numbers: Collection[int]) -> Iterator[None]:
    """Let a thread count the signals: a handler would wait until the main thread is in Python."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def count() -> None:
        seen = 0
        while received := os.read(reader, 1):
            seen += received[0] in numbers
            if seen > 1:
                os._exit(128 + received[0])
        os.close(reader)

    threading.Thread(target=count, name="gdexp-second-signal", daemon=True).start()
    _wakeups.append(writer)
    try:
        yield
    finally:
        _wakeups.remove(writer)
        signal.set_wakeup_fd(before)
        os.close(writer)


def _forget() -> None:
    """A forked child's signals are its own."""
    if _wakeups:
        _wakeups.clear()
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_forget)
