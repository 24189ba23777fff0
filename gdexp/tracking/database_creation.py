"""Creating MLflow's database in SQLite so that neither a kill nor a second start can damage it.

MLflow itself applies its migrations without a lock: two processes that create one database at once
can leave it unusable for ever. Here the database is created in a temporary file, under a lock, and
then renamed. Under its own name it is absent or complete.
"""

from __future__ import annotations

from pathlib import Path

from gdexp.tracking import mlflow_internals
from gdexp.tracking.database_check import check_tables
from gdexp.tracking.database_migration import migrate_database, schema_revision
from gdexp.tracking.temporary_database import folder_lock, temporary_database


def ensure_database(path: Path) -> None:
    """Create the database when there is none; convert that of an older MLflow.

    Another process that does the same is waited for.

    Raises:
        BadInput: the file is a SQLite database of another program, or of a newer MLflow.
        StorageFailed: the file cannot be written.
    """
    if _holds_data(path):
        check_tables(path)
        if not mlflow_internals.is_latest(schema_revision(path)):
            with folder_lock(path.parent):
                migrate_database(path)
        return
    with folder_lock(path.parent):
        if _holds_data(path):
            return
        with temporary_database(path) as temporary:
            mlflow_internals.create_database(temporary, (path.parent / "mlartifacts").as_uri())
            temporary.replace(path)


def _holds_data(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
