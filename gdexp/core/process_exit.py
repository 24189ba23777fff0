"""`os._exit` in the user's code: it would end the command in the middle, with that code's status.

A status of 0 says that all went well, while trials are missing. So in the thread that runs the
user's code it raises instead, as `sys.exit` does, and the code has failed. Other threads and forked
processes end as they ask to. What ends the process below Python is not seen: a call of the C
library, or a name that was bound by `from os import _exit` before gdexp ran anything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NoReturn


class ExitCalled(BaseException):
    """The user's code called `os._exit`; no `Exception`, as `SystemExit` is none.

    Args:
        status: that it gave.
    """

    def __init__(self, status: object) -> None:
        self.status = status
        super().__init__(f"os._exit({status!r})")


class _Exit:
    """Stands for `os._exit`; it may be kept by the user's code after the block."""

    def __init__(self, real: Callable[[int], NoReturn]) -> None:
        self._real = real
        self._inside: list[tuple[int, int]] = []

    def __call__(self, status: int) -> NoReturn:
        """Raise in the thread of a block, else end the process."""
        if self._here() in self._inside:
            raise ExitCalled(status)
        self._real(status)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raise instead of an end inside the block."""
        here = self._here()
        self._inside.append(here)
        os._exit = self
        try:
            yield
        finally:
            self._inside.remove(here)
            if not self._inside:
                os._exit = self._real  # type: ignore[assignment]

    @staticmethod
    def _here() -> tuple[int, int]:
        return os.getpid(), threading.get_ident()


@cache
def _exit() -> _Exit:
    """The one of this process, made once: another one would take it for the real function."""
    return _Exit(os._exit)


@contextmanager
def exits_raise() -> Iterator[None]:
    """Let `os._exit` raise `ExitCalled` inside a block of the user's code."""
    with _exit().raising():
        yield
