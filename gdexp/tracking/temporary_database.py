"""A temporary database beside the real one, and the lock under which it is made."""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_database(path: Path) -> Iterator[Path]:
    """Yield the path of a file that does not exist; remove it, its journal and earlier leftovers.

    The caller holds the folder's lock, so that only killed processes left such files.

    Args:
        path: of the database that the file is for.
    """
    _remove(path, "*")
    try:
        yield path.with_name(f".{path.name}.{os.getpid()}.new")
    finally:
        _remove(path, str(os.getpid()))


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Lock a folder: this needs no lock file, and the lock ends with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove(path: Path, process: str) -> None:
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.{process}.new*"):
        leftover.unlink(missing_ok=True)
