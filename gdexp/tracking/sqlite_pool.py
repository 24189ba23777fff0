"""Connections to one SQLite file that stay open between transactions, without MLflow."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdexp.tracking.database_connection import BUSY_MS


class SqlitePool:
    """The connections of this process to a SQLite file.

    A connection is used by one thread at a time. A forked child opens connections of its own, and
    leaves those of its parent as they are: SQLite would let go of locks that it thinks are the
    child's.

    Args:
        path: of the file, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = os.getpid()
        self._free: list[sqlite3.Connection] = []
        self._left: list[list[sqlite3.Connection]] = []
        self._generation: object | None = None

    @property
    def generation(self) -> object | None:
        """What stays the same while a connection is open; None while there is none."""
        self._leave_parent()
        return self._generation

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction for writing, which is committed at the end."""
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection, in which each statement is a transaction of its own."""
        self._leave_parent()
        connection = self._free.pop() if self._free else self._open()
        try:
            yield connection
        finally:
            self._free.append(connection)

    def close(self) -> None:
        """Close all connections; a later use opens new ones."""
        self._leave_parent()
        self._generation = None
        while self._free:
            self._free.pop().close()

    def _open(self) -> sqlite3.Connection:
        made = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        made.execute("PRAGMA foreign_keys = ON")
        self._generation = self._generation or object()
        return made

    def _leave_parent(self) -> None:
        if self._process != os.getpid():
            self._left.append(self._free)
            self._free, self._generation, self._process = [], None, os.getpid()
