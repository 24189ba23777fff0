"""The check that a study's files are gdexp's or Optuna's, before any of them is touched.

Beside a journal stand the lock of its driver and the lock of Optuna. Opening a study cuts a torn
last line off the journal and removes a lock that a kill left, which would destroy files of
somebody else.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from gdexp.core import BadInput, check_file_name

KEY = "sweep.storage"
FIRST_LINE = 2**20
"""The most bytes of a journal's first line that are read."""

BEGINNING = b'{"op_code":0,"worker_id":"'
"""How the first line of a journal begins, which creates a study."""

LONGEST_ENDING = 60
"""Bytes that Optuna adds to the name of a journal for its lock files."""


def held_file(journal: Path) -> Path:
    """Return the file that the driver of a study locks; people read its pid there."""
    return journal.with_name(f".{journal.name}.held")


def check_journal(journal: Path) -> None:
    """Check that a path can hold a journal, and that nothing there is somebody else's.

    Raises:
        BadInput: the path cannot be a file's name; or a file is there that is no journal of
            Optuna's; or one in the place of a lock is no lock.
        OSError: a file cannot be read.
    """
    check_file_name(KEY, journal, LONGEST_ENDING)
    if journal.is_dir():
        raise BadInput(KEY, str(journal), "is a folder; name a journal file in it")
    held, lock = held_file(journal), Path(f"{journal}.lock")
    there, owned = os.path.lexists(journal), os.path.lexists(held)
    if owned and not _is_pid(held):
        raise _other(journal, held)
    if os.path.lexists(lock) and not (there and _is_empty(lock)):
        raise _other(journal, lock)
    if not there:
        return
    if not journal.is_file():
        raise BadInput(KEY, str(journal), "is no regular file; name another")
    with journal.open("rb") as file:
        first = file.readline(FIRST_LINE)
    # A kill can leave an empty journal or a torn first line; a driver held the lock before.
    if not (_is_journal(first) if first else owned):
        raise BadInput(
            KEY, str(journal), "is no Optuna journal file; it is left as it is, name another"
        )


def _is_journal(first: bytes) -> bool:
    """Return whether a file's first line is that of a journal."""
    if not first.endswith(b"\n"):
        return first.startswith(BEGINNING)
    try:
        change = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(change, dict)
        and type(change.get("op_code")) is int
        and isinstance(change.get("worker_id"), str)
    )


def _is_pid(path: Path) -> bool:
    """Return whether a file holds nothing but a process id, or nothing."""
    if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > 20:
        return False
    content = path.read_bytes().strip()
    return not content or content.isdigit()


def _is_empty(path: Path) -> bool:
    """Return whether this is an empty file, as Optuna's locks are."""
    try:
        found = path.lstat()
    except FileNotFoundError:  # another process of the study released it meanwhile
        return True
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


def _other(journal: Path, path: Path) -> BadInput:
    return BadInput(
        KEY,
        str(journal),
        f"needs the name {path.name} for a lock, and a file that is no lock has it; name another",
    )
