"""Connections to the database: how long they wait, their pragmas, and SQLite's statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_MS = 20_000
"""Milliseconds to wait while another process writes to SQLite; MLflow waits as long."""


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Open a connection and a transaction, which is committed at the end.

    Args:
        engine: of SQLite or PostgreSQL.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.commit()
        with connection.begin():
            yield connection


def table_names(path: Path) -> set[str]:
    """Return the names of the tables in a SQLite file, which is opened read-only.

    Raises:
        sqlite3.DatabaseError: the file cannot be read.
    """
    with connect(path, "ro") as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return {name for (name,) in connection.execute(query)}


def has_statistics(path: Path) -> bool:
    """Return whether statistics of a SQLite file were ever collected."""
    with connect(path) as connection:
        query = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'"
        return connection.execute(query).fetchone() is not None


def collect_statistics(path: Path) -> None:
    """Collect statistics; without them SQLite reads metric history sixty times slower."""
    with connect(path) as connection:
        connection.execute("PRAGMA analysis_limit=1000")
        connection.execute("ANALYZE")
        connection.commit()


@contextmanager
def connect(
    path: Path, mode: str = "rw", seconds: float = BUSY_MS / 1000
) -> Iterator[sqlite3.Connection]:
    """Open a connection to a SQLite file that exists, and close it after the block.

    No other way may open the file, not even to read a byte: when any descriptor of a file is
    closed, the system drops all locks that the process has on it, those of SQLite too
    (https://sqlite.org/howtocorrupt.html, 2.2). SQLite itself does so for `immutable=1`.

    Args:
        path: of the file.
        mode: `rw`, or `ro` to read only.
        seconds: how long to wait while another process writes.
    """
    uri = f"{path.as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=seconds)) as connection:
        yield connection
