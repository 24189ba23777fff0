"""A new MLflow database in SQLite, made so that neither a kill nor a second start can spoil it.

Two processes that let MLflow create one database race in its migrations and can leave it
unusable for ever. Here it is made in a temporary file under a lock and then renamed: at its
own name it is absent or complete.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gdexp.core import BadInput, StorageFailed, failure_reason, shown_path


def ensure_database(path: Path) -> None:
    """Create the database when there is none; wait for another process that is at it.

    Raises:
        BadInput: the file is a SQLite database of something else.
        StorageFailed: it cannot be written.
    """
    if path.exists() and path.stat().st_size:
        _check_tables(path)
        return
    with _locked(path.parent):
        if path.exists() and path.stat().st_size:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            _create(temporary)
            temporary.replace(path)
        finally:
            for leftover in path.parent.glob(temporary.name + "*"):
                leftover.unlink(missing_ok=True)


def analyze(path: Path) -> None:
    """Gather the statistics without which SQLite reads metric history sixty times slower."""
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute("PRAGMA analysis_limit=1000")
        connection.execute("ANALYZE")
        connection.commit()


def is_analyzed(path: Path) -> bool:
    """Whether statistics were ever gathered."""
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        query = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'"
        return connection.execute(query).fetchone() is not None


def _create(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # Opening a store of MLflow's own on an empty file runs all its migrations.
    make: Callable[[str, str], SqlAlchemyStore] = SqlAlchemyStore
    store = make(f"sqlite:///{path}", (path.parent / "mlartifacts").as_uri())
    store.engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check_tables(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            tables = {row[0] for row in connection.execute(query)}
    except sqlite3.DatabaseError as error:
        raise StorageFailed(f"tracking.uri={shown_path(path)}: {failure_reason(error)}") from None
    if tables and not {"experiments", "runs", "alembic_version"} <= tables:
        raise BadInput(
            "tracking.uri",
            shown_path(path),
            "is a database of something else than MLflow; name another",
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder: the lock needs no file of its own, and ends with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
