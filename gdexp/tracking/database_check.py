"""Checks of the path of a SQLite database before anything is written there."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from gdexp.core import BadInput, StorageFailed, failure_reason, shown_path
from gdexp.tracking.database_connection import table_names

DATABASE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
"""Under such a name an empty file counts as a new database: SQLite itself leaves some."""

MLFLOW_TABLES = {"experiments", "runs", "alembic_version"}
"""Tables that every MLflow database has."""


def check_path(path: Path, reading: bool = False) -> None:
    """Check that a database can be used, or created, at a path.

    Args:
        path: of the database.
        reading: whether it is only read.

    Raises:
        BadInput: the folder is missing, or the file is not a database.
        StorageFailed: the folder or the file cannot be read or written.
    """
    folder = path.parent
    check_name("tracking.uri", path)
    if re.search(r"\?|%[0-9A-Fa-f]{2}", str(path)):
        raise BadInput(
            "tracking.uri",
            str(path),
            "holds ? or a %-escape, which mean something else in MLflow's address; rename the "
            "folder, or use another",
        )
    if path.is_dir():
        raise BadInput("tracking.uri", shown_path(path), "is a folder; name a database file in it")
    if path.is_symlink() and not path.exists():
        target = path.readlink()
        raise BadInput(
            "tracking.uri", shown_path(path), f"is a link to {target}, which is not there"
        )
    if path.exists() and not path.is_file():
        raise BadInput("tracking.uri", shown_path(path), "is no regular file; name another")
    if not folder.is_dir():
        raise BadInput(
            "tracking.uri", shown_path(path), f"the folder {folder} does not exist; create it"
        )
    if not reading and not os.access(folder, os.W_OK | os.X_OK):
        raise StorageFailed(
            f"tracking.uri={shown_path(path)}: the folder {folder} cannot be written to; "
            "give the right to, or name another"
        )
    if path.exists():
        _check_file(path, reading)


def check_name(key: str, path: Path) -> None:
    """Check that a path is text: addresses, logs and the study cannot hold other bytes.

    Raises:
        BadInput: names the key.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="replace")
        raise BadInput(key, shown, "has bytes that are no UTF-8; rename the folder") from None


def check_tables(path: Path) -> None:
    """Check that a SQLite file has MLflow's tables, or none at all.

    Raises:
        BadInput: the file is no database, or belongs to another program.
        StorageFailed: the file cannot be read.
    """
    try:
        tables = table_names(path)
    except sqlite3.DatabaseError as error:
        if "file is not a database" in str(error):
            raise BadInput(
                "tracking.uri",
                shown_path(path),
                "is not an MLflow database; it is left as it is, name another",
            ) from None
        raise StorageFailed(f"tracking.uri={shown_path(path)}: {failure_reason(error)}") from None
    if tables and not tables >= MLFLOW_TABLES:
        raise BadInput(
            "tracking.uri",
            shown_path(path),
            "is a database of something else than MLflow; name another",
        )


def _check_file(path: Path, reading: bool) -> None:
    """Check the file by SQLite alone: see `database_connection.connect`."""
    rights = {os.R_OK: "read"} if reading else {os.R_OK: "read", os.W_OK: "written to"}
    for right, verb in rights.items():
        if not os.access(path, right):
            raise StorageFailed(
                f"tracking.uri={shown_path(path)}: the file cannot be {verb}; "
                "give the right to, or name another"
            )
    if path.stat().st_size == 0 and path.suffix not in DATABASE_SUFFIXES:
        raise BadInput(
            "tracking.uri",
            shown_path(path),
            "is an empty file that gdexp did not make; remove it, or name another",
        )
    check_tables(path)
