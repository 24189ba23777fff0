"""A folder that is read-only for one process, root's too: a mount in a namespace of its own."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

HERE = "tests.support.read_only"

NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
"""Flags of unshare(2) and mount(2) on Linux."""


def mount_read_only(folder: str) -> None:
    """Make a folder read-only for this process and its children, and go into it.

    Raises:
        OSError: the system does not allow it.
    """
    _call("unshare", NEW_MOUNTS if os.geteuid() == 0 else NEW_MOUNTS | NEW_USER)
    path = os.fsencode(folder)
    _call("mount", b"none", b"/", None, RECURSIVE | PRIVATE, None)
    _call("mount", path, path, None, BIND, None)
    _call("mount", None, path, None, BIND | REMOUNT | READ_ONLY, None)
    os.chdir(folder)
    assert not os.access(folder, os.W_OK)


@cache
def is_possible(folder: Path) -> bool:
    """Return whether this system lets a process mount a folder for itself."""
    child = os.fork()
    if child == 0:
        try:
            mount_read_only(str(folder))
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
