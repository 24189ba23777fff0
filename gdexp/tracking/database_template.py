"""An empty database of MLflow's, kept so that new ones are copies of it.

MLflow needs seconds to create one, by all its migrations; a copy takes milliseconds. The template
is in the user's cache folder, under the version of MLflow that made it. It can be removed at any
time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from gdexp.tracking import mlflow_internals
from gdexp.tracking.database_connection import schema_revision

CACHE_VARIABLE = "XDG_CACHE_HOME"
"""The environment variable that names the user's folder for what can be made again."""


def template_path() -> Path | None:
    """Return where the template is, or would be; None without a home folder."""
    given = os.environ.get(CACHE_VARIABLE, "")
    try:
        cache = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return cache / "gdexp" / f"mlflow-{mlflow_internals.mlflow_version()}.db"


def copy_template(path: Path, artifacts: str) -> bool:
    """Copy the template to a new file.

    A template that is damaged is removed.

    Args:
        path: of the new file. It is left empty or removed where this fails.
        artifacts: URI of the folder for artifacts of MLflow's default experiment.

    Returns:
        Whether the file is there now, whole.
    """
    template = template_path()
    try:
        content = b"" if template is None else template.read_bytes()
    except OSError:
        return False
    if template is None or not content:
        return False
    path.write_bytes(content)
    if _is_whole(path):
        _adopt(path, artifacts)
        return True
    path.unlink()
    with suppress(OSError):
        template.unlink()
    return False


def keep_template(path: Path) -> None:
    """Keep a copy of a database that was just created as the template, if there is none.

    It appears whole, and never changes. Where the cache folder cannot be written, nothing happens.
    """
    template = template_path()
    if template is None or template.exists():
        return
    unfinished = template.with_name(f".{template.name}.{os.getpid()}.new")
    with suppress(OSError):
        template.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(path.read_bytes())
            unfinished.replace(template)
        finally:
            unfinished.unlink(missing_ok=True)


def template_revision() -> str | None:
    """Return the version of MLflow's tables in the template; None where there is no template.

    MLflow made it with all its migrations, so this is the newest.
    """
    template = template_path()
    if template is None or not template.exists():
        return None
    try:
        return schema_revision(template)
    except sqlite3.Error:
        return None


def _is_whole(path: Path) -> bool:
    """Return whether a file is a database without a run, with the tables of a migration."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            mlflow_internals.check_sqlite_schema(connection)
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return (
                connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
                and connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
                and connection.execute("SELECT experiment_id FROM experiments").fetchall() == [(0,)]
                and revision is not None
            )
    except (sqlite3.Error, mlflow_internals.UnknownSchema):
        return False


def _adopt(path: Path, artifacts: str) -> None:
    """Give the default experiment its own address and time."""
    now = int(time.time() * 1000)
    change = "artifact_location = ?, creation_time = ?, last_update_time = ?"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"UPDATE experiments SET {change} WHERE experiment_id = 0",
            (f"{artifacts}/0", now, now),
        )
