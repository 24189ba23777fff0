"""Standard output and standard error of a command, whatever the user's code does to them.

That code runs in the command's own process. It may close a stream, put another one into its place
or give its descriptor to a file, and the command would lose its report. So a command keeps its
streams. What it prints goes to them, and after the user's code they are in their places again.

`own_stream` and `streams_kept` act on the streams of the running command. Outside of a command
they take the streams as they are, and change nothing.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Literal, TextIO

from gdexp.core.contexts import context_value

Name = Literal["stdout", "stderr"]
NAMES: tuple[Name, Name] = ("stdout", "stderr")
NUMBERS = (1, 2)
CLOSED = "standard output cannot be written: the user's code closed it"
"""What is said where nothing could be printed."""


class OwnStream:
    """One stream of a command. A closed one is opened again, if its descriptor is a standard one.

    Attributes:
        number: of its descriptor; None where it has none.
        is_lost: whether it was closed and cannot be opened again: what is printed goes nowhere.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.number = descriptor_of(stream)
        self.is_lost = False
        found = stream is not None and not is_closed(stream)
        self._stream = stream if stream is not None and found else io.StringIO()
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._writes_through = bool(getattr(stream, "write_through", False))

    def opened(self) -> TextIO:
        """Return the stream, which can be written."""
        if not is_closed(self._stream):
            return self._stream
        if self.number not in NUMBERS:
            self.is_lost = True
            self._stream = io.StringIO()
            return self._stream
        self._stream = open(  # noqa: SIM115
            self.number,
            "w",
            buffering=1 if self.number == 2 or os.isatty(self.number) else -1,
            encoding=self._encoding,
            errors="replace",
            closefd=False,
        )
        self._stream.reconfigure(write_through=self._writes_through)
        return self._stream


class Streams:
    """The streams of one command as it found them, and copies of their descriptors."""

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        self._own: dict[Name, OwnStream] = {}
        self._copies: dict[int, int] = {}
        self.note()

    def note(self) -> None:
        """Take the streams as they are now for the command's own."""
        self.close()
        self._own = {name: OwnStream(getattr(sys, name)) for name in NAMES}
        for number in NUMBERS:
            with suppress(OSError):
                self._copies[number] = os.dup(number)

    def close(self) -> None:
        """Close the copies of the descriptors."""
        for copy in self._copies.values():
            os.close(copy)
        self._copies = {}

    def opened(self, name: Name) -> TextIO:
        """Return the command's own stream of this name, which can be written."""
        number = self._own[name].number
        if number in self._copies and not _is_open(number):
            os.dup2(self._copies[number], number)
        return self._own[name].opened()

    @property
    def lost_output(self) -> bool:
        """Whether standard output was closed and cannot be opened again."""
        self.opened("stdout")
        return self._own["stdout"].is_lost

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put the streams back after a block of the user's code; a closed one is opened again."""
        if threading.current_thread() is not self._thread:
            yield  # another thread may have changed them for a moment
            return
        before = {name: getattr(sys, name) for name in NAMES}
        for stream in before.values():  # what was printed before goes where it was printed to
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        try:
            yield
        finally:
            self._restore(before)

    def put_back(self) -> None:
        """Put the command's own streams into their places."""
        self._restore({})

    def _restore(self, before: Mapping[Name, Any]) -> None:
        for number, copy in self._copies.items():
            if not _is_same(number, copy):
                with suppress(OSError, ValueError, AttributeError):
                    getattr(sys, NAMES[number - 1]).flush()  # it belongs to what is there now
                os.dup2(copy, number)
        for name in NAMES:
            stream = before.get(name)
            if stream is None or is_closed(stream):
                stream = self.opened(name)
            if getattr(sys, name) is not stream:
                setattr(sys, name, stream)


_CURRENT: ContextVar[Streams | None] = ContextVar("gdexp_streams", default=None)


@contextmanager
def current() -> Iterator[Streams]:
    """Keep the streams as they are now for the command that runs inside the block."""
    streams = Streams()
    with context_value(_CURRENT, streams):
        try:
            yield streams
        finally:
            streams.put_back()
            streams.close()


def own_stream(name: Name) -> TextIO:
    """Return the running command's stream, which can be written. Nothing shows where it is lost."""
    streams = _CURRENT.get()
    if streams is not None:
        return streams.opened(name)
    stream: TextIO | None = getattr(sys, name)
    return io.StringIO() if stream is None or is_closed(stream) else stream


def note() -> None:
    """Take the streams as they are now for those of the running command: it changed them."""
    streams = _CURRENT.get()
    if streams is not None:
        streams.note()


@contextmanager
def streams_kept() -> Iterator[None]:
    """Put the streams back after a block of the user's code."""
    streams = _CURRENT.get()
    if streams is None:
        yield
        return
    with streams.kept():
        yield


def descriptor_of(stream: object) -> int | None:
    """Return the descriptor of a stream; None where it has none."""
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None


def is_closed(stream: object) -> bool:
    """Return whether a stream was closed, or lost what it writes to."""
    try:
        return bool(getattr(stream, "closed", False))
    except ValueError:  # its buffer was detached
        return True


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _is_same(number: int, copy: int) -> bool:
    """Return whether two descriptors are of one open file, as far as the system shows it."""
    try:
        return os.path.samestat(os.fstat(number), os.fstat(copy))
    except OSError:
        return False
