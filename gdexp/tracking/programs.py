"""The programs of portable descents among the artifacts of the run that holds their runs.

The name of a file is the sha256 of what it holds, so many descents name one file, and a file never
changes. It is written before the runs that name it: a finished run has its program.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gdexp.engine import StoredPlan
from gdexp.tracking.temporary_database import folder_lock

FOLDER = "programs"
"""The folder among the artifacts of a sweep, or of a run that holds reruns."""


def program_name(sha256: str) -> str:
    """Return the name of a program's file, relative to the artifacts."""
    return f"{FOLDER}/{sha256}.z"


def write_program(home: Path, program: StoredPlan) -> None:
    """Write a program into a folder of artifacts: whole or not at all, and only if it is new."""
    path = home / program_name(program.sha256)
    if path.is_file() and path.read_bytes() == program.packed:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under the lock the file beside it is another process's only where a kill left it.
    with folder_lock(path.parent):
        unfinished = path.with_name(f".{path.name}.new")
        try:
            unfinished.write_bytes(program.packed)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


class SharedPrograms:
    """The programs of many descents that one process records, each stored once.

    Args:
        keep: stores a program.
    """

    def __init__(self, keep: Callable[[StoredPlan], None]) -> None:
        self._keep = keep
        self._new: dict[str, StoredPlan] = {}
        self._kept: set[str] = set()

    def add(self, program: StoredPlan) -> None:
        """Add the program of a descent whose run is going to be written."""
        if program.sha256 not in self._kept:
            self._new.setdefault(program.sha256, program)

    def write(self) -> None:
        """Store the programs that were added and are not stored yet.

        Raises:
            StorageFailed: one cannot be written.
        """
        while self._new:
            sha256 = next(iter(self._new))
            self._keep(self._new[sha256])
            self._kept.add(sha256)
            del self._new[sha256]
