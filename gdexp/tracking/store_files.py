"""The files of a store on this machine, watched so that a writer sees when they are taken away.

A file that is deleted while SQLite has it open still takes writes, which nobody ever sees.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gdexp.core import StorageChanged

Identity = tuple[int, int]
"""Device and number of a file."""

LOG_ENDINGS = ("-wal", "-shm")
"""What SQLite adds to a database's name for the files of its write-ahead log."""


class StoreFiles:
    """The database file, its log and the folder of artifacts.

    Args:
        shown: the store's address in messages.

    Attributes:
        database: the SQLite file; None for servers, and before it is created.
        connections: returns what stays the same while connections to the database stay open;
            None while there are none.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self.database: Path | None = None
        self._artifacts: Path | None = None
        self.connections: Callable[[], object | None] = lambda: None
        self._known: dict[Path, Identity] = {}
        self._pool: object = None

    def watch_artifacts(self, folder: Path | None) -> None:
        """Watch the folder of the experiment's artifacts, which is made if it is missing.

        Args:
            folder: None where the artifacts are on a server.
        """
        self._artifacts = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def check(self) -> None:
        """Check that all files are the ones that were first seen.

        Raises:
            StorageChanged: names the one that was deleted or replaced.
        """
        for path in filter(None, (self.database, self._artifacts, *self._watched_logs())):
            found = _identity(path)
            known = self._known.setdefault(path, found) if found else self._known.get(path)
            if found != known:
                raise StorageChanged(
                    f"tracking.uri={self._shown}: {path.name} was deleted or replaced while it "
                    "was in use; what was written there is lost: restore a copy, or name another"
                )

    def _watched_logs(self) -> list[Path]:
        """Return the files of the log. They stay while a connection is open, and no longer."""
        pool = self.connections()
        if self.database is None or pool is None:
            return []
        logs = [self.database.with_name(self.database.name + end) for end in LOG_ENDINGS]
        if self._pool is not pool:  # the connections were closed meanwhile
            self._pool = pool
            for path in logs:
                self._known.pop(path, None)
        return logs


def _identity(path: Path) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
