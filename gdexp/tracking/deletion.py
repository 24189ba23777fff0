"""Runs deleted for good: their files, then their rows in the database.

A kill in between leaves runs whose files are gone in part. Their rows are still there, so the same
deletion finds them again.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gdexp.core import StorageFailed, failure_reason, signals
from gdexp.tracking.artifact_address import local_folder
from gdexp.tracking.database_connection import connect
from gdexp.tracking.mlflow_ui import chart_views

AT_ONCE = 200
"""Runs whose rows are deleted in one transaction."""


class DoomedRun(NamedTuple):
    """A run that is to be deleted.

    Attributes:
        run_id: its id.
        home: the absolute address of its artifacts.
    """

    run_id: str
    home: str

    @property
    def folder(self) -> Path | None:
        """The folder of the run on this machine; None where its name is not the run's."""
        place = local_folder(self.home)
        if place is None or place.name != "artifacts" or place.parent.name != self.run_id:
            return None
        return place.parent


def delete_runs(database: Path, runs: Sequence[DoomedRun], parent: str | None = None) -> None:
    """Delete runs from a SQLite store for good, in their order.

    Args:
        database: the file.
        runs: children before their parents.
        parent: the sweep, whose chart view is deleted with the last runs.

    Raises:
        StorageFailed: a file or a row cannot be deleted; the same call goes on.
    """
    try:
        for first in range(0, len(runs), AT_ONCE):
            chosen = runs[first : first + AT_ONCE]
            for run in chosen:
                signals.check()
                if run.folder is not None:
                    with suppress(FileNotFoundError):
                        shutil.rmtree(run.folder)
            with signals.shielded(), connect(database) as connection:
                _delete_rows(connection, [run.run_id for run in chosen])
                connection.commit()
        if parent is not None:
            with signals.shielded(), connect(database) as connection:
                key = chart_views.view_tag(parent)
                connection.execute("DELETE FROM experiment_tags WHERE key = ?", (key,))
                connection.commit()
    except (OSError, sqlite3.Error) as error:
        raise StorageFailed(f"{database}: {failure_reason(error)}") from error


def _delete_rows(connection: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    """Delete the rows of runs from every table that has them, `runs` last."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = [str(name) for (name,) in connection.execute(query)]
    marks = ", ".join("?" * len(run_ids))
    for table in sorted(tables, key=lambda name: name == "runs"):
        columns = {str(row[1]) for row in connection.execute(f'PRAGMA table_info("{table}")')}
        if "run_uuid" in columns:
            connection.execute(f'DELETE FROM "{table}" WHERE run_uuid IN ({marks})', run_ids)
