"""Control of Python's garbage collector: no search during imports, and none at the end.

The libraries make a million objects that live until the end of the process. Python would search
all of them several times during the imports and once more at the end: more than a second.
"""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager
from contextvars import ContextVar

from gdexp.core.contexts import context_value


class GarbageCollection:
    """The garbage collection of a process that does one thing and ends."""

    def __init__(self) -> None:
        self._postponed = False

    def postpone(self) -> None:
        """Collect nothing until `begin`."""
        self._postponed = True
        gc.disable()

    def begin(self) -> None:
        """Collect from now on, but never search what exists already.

        Does nothing when the collection was not postponed.
        """
        if self._postponed:
            self._postponed = False
            gc.freeze()
            gc.enable()

    def current(self) -> AbstractContextManager[None]:
        """Make this the object that `begin` of this module acts on."""
        return context_value(_CURRENT, self)


_CURRENT: ContextVar[GarbageCollection | None] = ContextVar("gdexp_garbage", default=None)


def begin() -> None:
    """Begin the collection that the running command postponed, if it did.

    Call this after all large imports and before any long work.
    """
    garbage = _CURRENT.get()
    if garbage is not None:
        garbage.begin()


def skip_last_collection() -> None:
    """Let the process end without a last search: the system frees its memory as a whole."""
    gc.disable()
    gc.freeze()
