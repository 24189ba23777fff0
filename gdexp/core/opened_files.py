"""The files that Python opens for reading while a block of code runs."""

from __future__ import annotations

import os
import sys
import threading
from functools import cache
from types import FrameType

from gdexp.core.own_files import is_own

_CREATES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class OpenedFiles:
    """Collects the files that code reads inside a `with` block.

    Python's audit event sees every open of this process that goes through Python: `open`, `Path`,
    `numpy.load`, `torch.load`. It does not see what another process or a C library opens.

    What is not collected: a file that the block itself wrote, a file that a library reads while it
    is imported (such as a cache of fonts), and what threads open that ran before the block.
    """

    def __init__(self) -> None:
        self._read: dict[str, None] = {}
        self._written: set[str] = set()
        self._others: frozenset[int] = frozenset()

    def __enter__(self) -> OpenedFiles:
        own = threading.get_ident()
        self._others = frozenset(t.ident or 0 for t in threading.enumerate()) - {own}
        _watchers().append(self)
        return self

    def __exit__(self, *ended: object) -> None:
        _watchers().remove(self)

    @property
    def paths(self) -> list[str]:
        """The absolute paths of the files, in the order in which they were first read."""
        return [path for path in self._read if path not in self._written]

    def note(self, name: object, flags: object, frame: FrameType | None) -> None:
        """Note one open.

        Args:
            name: what is opened; a number is a descriptor, which was noted when it was made.
            flags: of the operating system's call.
            frame: of the caller.
        """
        if threading.get_ident() in self._others or not isinstance(name, str | bytes):
            return
        path = os.path.abspath(os.fsdecode(name))
        if isinstance(flags, int) and flags & _CREATES:
            self._written.add(path)
        elif is_own(path) and not _imports_library(frame):
            self._read.setdefault(path)


@cache
def _watchers() -> list[OpenedFiles]:
    """The blocks that run now. Made once, with the audit hook, which cannot be removed."""
    watchers: list[OpenedFiles] = []

    def hook(event: str, given: tuple[object, ...]) -> None:
        if event == "open" and watchers:
            name, _, flags = given
            if isinstance(name, os.PathLike):
                name = os.fspath(name)
            for each in tuple(watchers):
                each.note(name, flags, sys._getframe(1))

    sys.addaudithook(hook)
    return watchers


def _imports_library(frame: FrameType | None) -> bool:
    """Return whether the code runs because a module of a library is being imported."""
    while frame is not None:
        code = frame.f_code
        if is_own(code.co_filename):
            return False
        if code.co_name == "<module>" and not code.co_filename.startswith("<"):
            return True
        frame = frame.f_back
    return False
