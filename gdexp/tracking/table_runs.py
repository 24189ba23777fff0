"""Runs and experiments of a SQLite store, read and changed in MLflow's tables."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from gdexp.core import StorageFailed
from gdexp.tracking.sqlite_pool import SqlitePool
from gdexp.tracking.stored_run import StoredExperiment, StoredRun

MOST_IDS = 500
"""Run ids in one query; SQLite takes some thousand values."""

_RUN = "run_uuid, experiment_id, status, start_time, artifact_uri, lifecycle_stage"
_EXPERIMENT = "experiment_id, name, artifact_location, creation_time, lifecycle_stage"

PLAIN_NAME = re.compile(r"[\w.][\w. -]{0,200}", re.ASCII)
"""Names of experiments that MLflow accepts for certain; of others it is asked."""


class TableRuns:
    """Reads and changes runs in the tables of a SQLite store.

    The tables are checked before (`table_check`).

    Args:
        pool: the connections to the database.
    """

    def __init__(self, pool: SqlitePool) -> None:
        self._pool = pool

    def run(self, run_id: str) -> StoredRun | None:
        """Return a run; None where there is none."""
        with self._pool.connection() as connection:
            query = f"SELECT {_RUN} FROM runs WHERE run_uuid = ?"
            rows = connection.execute(query, (run_id,)).fetchall()
            return next(_runs(connection, rows), None)

    def experiment(self, experiment_id: str) -> StoredExperiment:
        """Return an experiment that exists.

        Raises:
            StorageFailed: it does not.
        """
        found = self._experiment("experiment_id = ?", int(experiment_id))
        if found is None:
            raise StorageFailed(f"the experiment {experiment_id} was deleted in MLflow for good")
        return found

    def experiment_named(self, name: str) -> StoredExperiment | None:
        """Return the experiment with a name, also a deleted one; None where there is none."""
        return self._experiment("name = ?", name)

    def create_experiment(self, name: str, location: str | None) -> str | None:
        """Create an experiment; return its id, or None where another process was first."""
        now = _now()
        statement = (
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, "
            "last_update_time) VALUES (?, ?, 'active', ?, ?)"
        )
        try:
            with self._pool.transaction() as connection:
                made = connection.execute(statement, (name, location, now, now))
                return str(made.lastrowid)
        except sqlite3.IntegrityError:
            if self.experiment_named(name) is None:
                raise
            return None

    def search(
        self,
        experiment_id: str,
        tags: Mapping[str, str],
        status: str | None = None,
        run_ids: Collection[str] | None = None,
    ) -> list[StoredRun]:
        """Return the active runs of an experiment that meet all conditions, oldest first."""
        where = ["experiment_id = ?", "lifecycle_stage = 'active'"]
        values: list[object] = [int(experiment_id)]
        for key, value in tags.items():
            where.append("run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)")
            values += [key, value]
        if status is not None:
            where.append("status = ?")
            values.append(status)
        listed = [None] if run_ids is None else list(_parts(sorted(run_ids)))
        with self._pool.connection() as connection:
            rows: list[tuple[object, ...]] = []
            for part in listed:
                among = [] if part is None else [f"run_uuid IN ({', '.join('?' * len(part))})"]
                query = f"SELECT {_RUN} FROM runs WHERE {' AND '.join([*where, *among])}"
                rows += connection.execute(query, [*values, *(part or ())])
            rows.sort(key=lambda row: (row[3] or 0, row[0]))
            return list(_runs(connection, rows))

    def set_status(self, run_id: str, status: str) -> None:
        """Set the status of an active run; one that has ended gets the time of its end.

        Raises:
            StorageFailed: there is no such run.
        """
        ended = "" if status == "RUNNING" else ", end_time = ?"
        values = [status, *([_now()] if ended else []), run_id]
        statement = f"UPDATE runs SET status = ?{ended} WHERE run_uuid = ?"
        with self._pool.transaction() as connection:
            changed = connection.execute(f"{statement} AND lifecycle_stage = 'active'", values)
            if changed.rowcount == 0:
                raise StorageFailed(f"the MLflow run {run_id} was deleted")

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment."""
        with self._pool.transaction() as connection:
            connection.execute(
                "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?) "
                "ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value",
                (key, value, int(experiment_id)),
            )

    def _experiment(self, condition: str, value: object) -> StoredExperiment | None:
        query = f"SELECT {_EXPERIMENT} FROM experiments WHERE {condition} ORDER BY experiment_id"
        with self._pool.connection() as connection:
            row = connection.execute(query, (value,)).fetchone()
            if row is None:
                return None
            query = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?"
            tags = dict(connection.execute(query, (row[0],)))
        number, name, location, created, stage = row
        return StoredExperiment(
            str(number), str(name), str(location), int(created or 0), stage == "active", tags
        )


def _runs(
    connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]
) -> Iterator[StoredRun]:
    """Yield the runs of rows, in their order, with their tags."""
    tags: dict[object, dict[str, str]] = {row[0]: {} for row in rows}
    for part in _parts([str(row[0]) for row in rows]):
        query = f"SELECT run_uuid, key, value FROM tags WHERE run_uuid IN ({_marks(part)})"
        for run_id, key, value in connection.execute(query, part):
            tags[run_id][key] = value
    for run_id, number, status, started, address, stage in rows:
        yield StoredRun(
            run_id=str(run_id),
            experiment_id=str(number),
            status=str(status),
            started=int(str(started or 0)),
            address=str(address),
            active=stage == "active",
            tags=tags[run_id],
        )


def _parts(run_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(run_ids), MOST_IDS):
        yield run_ids[begin : begin + MOST_IDS]


def _marks(part: Sequence[str]) -> str:
    return ", ".join("?" * len(part))


def _now() -> int:
    return int(time.time() * 1000)
