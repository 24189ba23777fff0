"""INT, TERM and HUP as one exception, so that a run or a sweep can finish its records.

The exception of a signal can come at any point of the program. In the middle of a write it would
leave a transaction open, which would lock out the writes that finish the records. So every write is
`shielded`, and the exception comes right after it. At other points a library may swallow the
exception, for example in a finalizer. So the signal is also stored, and `check` raises it again at
the next point where the program may stop.

A second signal ends the process at once, even when it waits for a lock or computes.

`check`, `shielded` and `ending` act on the `Signals` of the running command. Outside of a command
they do nothing. `handlers_kept` is for code of others, which may set handlers of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import weakref
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from types import FrameType

from gdexp.core.contexts import context_thread, context_value
from gdexp.core.errors import WorkEnded

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(WorkEnded):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)

    @property
    def exit_status(self) -> int:
        """128 + the signal's number."""
        return 128 + self.number


class Signals:
    """The signals of one command."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._shields = 0
        self._endings = 0
        self._wakeup: int | None = None

    def check(self, within_shields: bool = False) -> None:
        """Raise `Interrupted` when a signal has come and is not held back.

        Args:
            within_shields: whether shields do not hold it back here.
        """
        held = self._endings or (self._shields and not within_shields)
        if self._received is not None and not held:
            raise Interrupted(self._received)

    @property
    def is_waiting(self) -> bool:
        """Whether a signal has come and is held back."""
        return self._received is not None and not self._endings

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Hold a signal back until the block is done."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals come to the main thread alone
            return
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if not self._shields:
            self.check()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Hold a first signal back inside the block, and do not raise it after the block."""
        self._endings += 1
        try:
            yield
        finally:
            self._endings -= 1

    @contextmanager
    def raising(
        self, others: tuple[signal.Signals, ...] = (), patient: bool = False
    ) -> Iterator[None]:
        """Raise `Interrupted` at the first signal; a second one ends the process at once.

        Args:
            others: signals to handle beside INT, TERM and HUP.
            patient: whether a second signal changes nothing, for a system that sends several.
        """
        if threading.current_thread() is not threading.main_thread():
            with context_value(_CURRENT, self):  # signals come to the main thread alone
                yield
            return
        numbers = (*SIGNALS, *others)
        previous = {number: signal.getsignal(number) for number in numbers}
        report = sys.unraisablehook

        def report_others(error: sys.UnraisableHookArgs) -> None:
            # Raised inside a finalizer it could only be printed; `check` raises it again.
            if not isinstance(error.exc_value, Interrupted):
                report(error)

        sys.unraisablehook = report_others
        for number in numbers:
            signal.signal(number, self._receive)
        try:
            with (
                context_value(_CURRENT, self),
                nullcontext() if patient else self._second_ends(numbers),
            ):
                yield
        finally:
            self._received = None
            self._shields = self._endings = 0
            sys.unraisablehook = report
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            return
        self._received = number
        if not self._shields and not self._endings:
            raise Interrupted(number)

    @contextmanager
    def _second_ends(self, numbers: Collection[int]) -> Iterator[None]:
        """Count the signals in a thread: a handler would wait until the main thread is in Python.

        The thread reads their numbers from a pipe, into which Python writes them.
        """
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

        def count() -> None:
            seen = 0
            while received := os.read(reader, 1):
                seen += received[0] in numbers
                if seen > 1:
                    with suppress(OSError):  # a terminal that is gone
                        name = signal.Signals(received[0]).name
                        os.write(2, f"gdexp: a second signal, {name}, ended it at once\n".encode())
                    os._exit(128 + received[0])
            os.close(reader)

        context_thread(count, "gdexp-second-signal").start()
        self._wakeup = writer
        self._leave_pipe_in_children()
        try:
            yield
        finally:
            if self._wakeup is not None:
                signal.set_wakeup_fd(before)
            self._wakeup = None
            os.close(writer)

    def _leave_pipe_in_children(self) -> None:
        """Let a forked child write nothing into the pipe: its signals are its own.

        The hook cannot be removed. It holds this object weakly, so it does nothing afterwards.
        """
        known = weakref.ref(self)

        def leave() -> None:
            signals = known()
            if signals is not None and signals._wakeup is not None:
                signals._wakeup = None
                signal.set_wakeup_fd(-1)

        os.register_at_fork(after_in_child=leave)


_CURRENT: ContextVar[Signals | None] = ContextVar("gdexp_signals", default=None)


def check(within_shields: bool = False) -> None:
    """Raise `Interrupted` when a signal has asked the running command to end.

    Args:
        within_shields: whether it is raised inside of `shielded` too, at a place where that is
            right.
    """
    signals = _CURRENT.get()
    if signals is not None:
        signals.check(within_shields)


def received() -> bool:
    """Return whether a signal has asked the running command to end, and is held back."""
    signals = _CURRENT.get()
    return signals is not None and signals.is_waiting


def shielded() -> AbstractContextManager[None]:
    """Hold a signal back until the block is done; for a write that must be complete."""
    signals = _CURRENT.get()
    return nullcontext() if signals is None else signals.shielded()


def ending() -> AbstractContextManager[None]:
    """Hold a first signal back while records are finished after a signal or an error."""
    signals = _CURRENT.get()
    return nullcontext() if signals is None else signals.ending()


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put the handlers of `SIGNALS` back after a block of other people's code."""
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in kept.items():
                if signal.getsignal(number) is not handler:
                    signal.signal(number, handler)
