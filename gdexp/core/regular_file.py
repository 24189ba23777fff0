"""Open files that others may have written: regular files only, of a bounded size, in one place."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def open_regular(path: Path, most: int, within: Sequence[Path] = ()) -> BinaryIO:
    """Open a file for reading.

    The check comes before the file is opened, and again on the open file: to open a FIFO waits for
    ever, and to open a device can do anything.

    Args:
        path: the file.
        most: the largest size in bytes.
        within: the folders of which one must hold the file, links resolved; empty: any place.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a FIFO, a device or a folder, lies elsewhere, or is larger.
    """
    real = path.resolve()
    if within and not any(real.is_relative_to(folder.resolve()) for folder in within):
        raise ValueError("lies outside of the store")
    if not stat.S_ISREG(real.stat().st_mode):
        raise ValueError("is no regular file")
    file = open(os.open(real, _FLAGS), "rb")  # noqa: SIM115
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and found.st_size <= most:
        return file
    file.close()
    what = f"is larger than {most:,} bytes" if found.st_size > most else "is no regular file"
    raise ValueError(what)


def read_regular(path: Path, most: int, within: Sequence[Path] = ()) -> bytes:
    """Read a file whole; see `open_regular`."""
    with open_regular(path, most, within) as file:
        content = file.read(most + 1)
    if len(content) > most:  # it grew meanwhile
        raise ValueError(f"is larger than {most:,} bytes")
    return content
