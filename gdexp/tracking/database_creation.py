"""Creating MLflow's database in SQLite so that neither a kill nor a second start can damage it.

MLflow itself applies its migrations without a lock: two processes that create one database at once
can leave it unusable for ever. Here the database is created in a temporary file, under a lock, and
then renamed. Under its own name it is absent or complete.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from gdexp.tracking import mlflow_internals
from gdexp.tracking.database_check import check_tables
from gdexp.tracking.database_connection import schema_revision
from gdexp.tracking.database_migration import migrate_database
from gdexp.tracking.database_template import copy_template, keep_template, template_revision
from gdexp.tracking.mlflow_process import configure_mlflow_process
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
        if not _is_up_to_date(schema_revision(path)):
            configure_mlflow_process()
            with folder_lock(path.parent):
                migrate_database(path)
        return
    with folder_lock(path.parent):
        if _holds_data(path):
            return
        with temporary_database(path) as temporary:
            artifacts = (path.parent / "mlartifacts").as_uri()
            if not copy_template(temporary, artifacts):
                configure_mlflow_process()
                mlflow_internals.create_database(temporary, artifacts)
                keep_template(temporary)
            temporary.replace(path)


def _holds_data(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def prepare_template() -> None:
    """Make the template of new databases, so that the first command need not do it."""
    with tempfile.TemporaryDirectory() as folder:
        ensure_database(Path(folder, "mlflow.db"))


def _is_up_to_date(revision: str | None) -> bool:
    """Return whether tables are those of MLflow's newest migration; mostly without MLflow."""
    known = mlflow_internals.NEWEST_REVISIONS.get(mlflow_internals.mlflow_version())
    if revision is not None and revision in (known, template_revision()):
        return True
    configure_mlflow_process()
    return mlflow_internals.is_latest(revision)
