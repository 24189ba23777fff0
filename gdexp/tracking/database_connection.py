"""Connections to the database: how long they wait, their pragmas, and SQLite's statistics."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote

from gdexp.core import StorageFailed, shown_path

BUSY_MS = 20_000
"""Milliseconds to wait while another process writes to SQLite; MLflow waits as long."""


def table_names(path: Path) -> set[str]:
    """Return the names of the tables in a SQLite file, which is opened read-only.

    Raises:
        sqlite3.DatabaseError: the file cannot be read.
    """
    with connect(path, reading_mode(path)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return {name for (name,) in connection.execute(query)}


def reading_mode(path: Path) -> str:
    """Return the mode in which a SQLite file can be read.

    SQLite does not open a file with write-ahead logging in a read-only folder, unless it may take
    for granted that nothing changes. Where a process was killed, that would hide what is in the
    log.

    Raises:
        StorageFailed: a log or a journal was left that SQLite would have to write.
    """
    if os.access(path.parent, os.W_OK):
        return "ro"
    try:
        with connect(path, "ro") as connection:
            connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError:
        for kind in ("wal", "journal"):
            left = path.with_name(f"{path.name}-{kind}")
            if left.exists() and left.stat().st_size:
                raise StorageFailed(
                    f"tracking.uri={shown_path(path)}: its newest runs are in {left.name}, which "
                    "cannot be read in a read-only folder; copy the folder and read the copy"
                ) from None
        return "ro&immutable=1"
    return "ro"


def reading_uri(path: Path) -> str:
    """Return the address for SQLAlchemy of a SQLite file that is only read."""
    from sqlalchemy import URL

    options = parse_qs(f"mode={reading_mode(path)}&uri=true")
    url = URL.create("sqlite+pysqlite", database=f"file:{quote(str(path))}")
    return url.update_query_dict(options).render_as_string()


def holds_run(path: Path, run_id: str) -> bool:
    """Return whether a SQLite file holds a run; one that is not MLflow's holds none."""
    query = "SELECT 1 FROM runs WHERE run_uuid = ?"
    try:
        with connect(path, "ro") as connection:
            return connection.execute(query, (run_id,)).fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def schema_revision(path: Path) -> str | None:
    """Return the version of MLflow's tables, as Alembic names it; None where there is none."""
    with connect(path, "ro") as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


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
