"""Bringing the database of an older MLflow up to date, with a copy of it as it was.

MLflow itself changes the file in place, partly without a word, and a kill in between can leave it
unusable. Here a temporary copy is changed, and then written back in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from gdexp.core import BadInput, StorageFailed, shown_path
from gdexp.display import terminal
from gdexp.tracking import mlflow_internals
from gdexp.tracking.database_connection import connect, schema_revision
from gdexp.tracking.temporary_database import temporary_database


def migrate_database(path: Path) -> None:
    """Bring the tables of a database to the version of the MLflow that is installed.

    One line says so and names the copy; the caller holds the lock of the folder.

    Raises:
        BadInput: a newer MLflow made it.
        StorageFailed: another process wrote to it at the same time.
    """
    revision = schema_revision(path)
    if mlflow_internals.is_latest(revision):
        return
    if not mlflow_internals.is_earlier(revision):
        raise BadInput(
            "tracking.uri",
            shown_path(path),
            "was made by a newer MLflow than the one that is installed; install that one, or "
            "name another database",
        )
    copy = _free_name(path, str(revision))
    with connect(path) as original, temporary_database(path) as temporary:
        before = _writes_of_others(original)
        with _created(temporary) as made:
            original.backup(made)
        with _created(copy) as made:
            original.backup(made)
        terminal.print_warning(
            f"{shown_path(path)} was made by an older MLflow and is converted now; "
            f"{shown_path(copy)} is a copy of it as it was"
        )
        mlflow_internals.upgrade_database(temporary)
        if _writes_of_others(original) != before:
            raise StorageFailed(
                f"tracking.uri={shown_path(path)}: another process wrote to it while it was "
                "converted; end that process, then give the same command again"
            )
        with connect(temporary) as made:
            made.backup(original)


def _writes_of_others(connection: sqlite3.Connection) -> int:
    """Return a number that changes when another connection writes."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


@contextmanager
def _created(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def _free_name(path: Path, revision: str) -> Path:
    """Return the name of a file that does not exist yet, beside the database."""
    names = (f"{path.name}.{revision}{f'-{n}' if n > 1 else ''}" for n in count(1))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())
