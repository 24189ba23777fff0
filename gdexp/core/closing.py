"""Functions that are called when the running command ends, or else when the interpreter exits."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gdexp.core import signals
from gdexp.core.contexts import context_value


class Closing:
    """What a command closes at its end."""

    def __init__(self) -> None:
        self._functions: dict[Hashable, Callable[[], object]] = {}

    def add(self, key: Hashable, function: Callable[[], object]) -> None:
        """Call a function at the end of the command; a later one with the same key replaces it."""
        self._functions[key] = function

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the object that `at_end` acts on; call the functions after the block.

        A first signal does not interrupt them.
        """
        try:
            with context_value(_CURRENT, self):
                yield
        finally:
            with signals.ending():
                while self._functions:
                    self._functions.popitem()[1]()


_CURRENT: ContextVar[Closing | None] = ContextVar("gdexp_closing", default=None)


def at_end(key: Hashable, function: Callable[[], object]) -> None:
    """Call a function when the running command ends; without a command, when Python exits.

    Args:
        key: of what the function closes, so that a command closes it once.
        function: must be harmless when it is called twice, and in a forked child.
    """
    closing = _CURRENT.get()
    if closing is None:
        atexit.register(function)
    else:
        closing.add(key, function)
