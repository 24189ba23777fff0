"""Writing runs straight into MLflow's tables, many in one transaction.

MLflow's client makes a dozen transactions for a run and an object for every point. Here a batch
of runs is a handful of bulk inserts through SQLAlchemy Core into MLflow's own table definitions
(`mlflow.store.tracking.dbmodels.models`). That is no public interface, so it is used for SQLite
and PostgreSQL only, and only where the schema is one that this module was written for; the rows
are the client's own, as a differential test shows.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gdexp.tracking.artifacts import local_folder, write_files
from gdexp.tracking.downsampling import kept_iterations
from gdexp.tracking.record import PlannedRun, Record, RunHeader

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import Connection, Table

REVISIONS = {"dc11669786a5"}
"""Alembic revisions of the schemas that this was written for: MLflow 3.17."""

_COLUMNS = {
    "SqlRun": (
        *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id"),
        *("status", "start_time", "end_time", "deleted_time", "source_version"),
        *("lifecycle_stage", "artifact_uri", "experiment_id"),
    ),
    "SqlTag": ("key", "value", "run_uuid"),
    "SqlParam": ("key", "value", "run_uuid"),
    "SqlMetric": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "SqlLatestMetric": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
}
LARGEST = float(np.finfo(np.float64).max)
"""What MLflow writes for infinity, which SQL has no number for."""

ROWS = 50_000
"""Points in one statement, and points after which a transaction ends: nobody waits long for it."""

BUSY_MS = 20_000
"""Milliseconds to wait for another process's write to SQLite, as MLflow itself does."""


class SqlWriter:
    """Runs written into the tables of a store. Made by `of`, which says whether it can be.

    Args:
        store: of MLflow, open.
        experiment_id: that the runs go to.
        location: the experiment's home for artifacts.
        client: for artifacts that are on a server.
        points: to keep of a trace in the metric history; None keeps all.
    """

    def __init__(
        self,
        store: SqlAlchemyStore,
        experiment_id: str,
        location: str,
        client: MlflowClient,
        points: int | None = None,
    ) -> None:
        self._engine = store.engine
        self._experiment_id = int(experiment_id)
        self._location = location
        self._client = client
        self._points = points

    @classmethod
    def of(
        cls, client: MlflowClient, experiment_id: str, points: int | None = None
    ) -> SqlWriter | None:
        """A writer into the client's store; None where its schema is not a known one."""
        from mlflow.store.tracking.dbmodels import models
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        from sqlalchemy import text

        store = client._tracking_client.store
        if type(store) is not SqlAlchemyStore:
            return None
        if store.engine.dialect.name not in ("sqlite", "postgresql"):
            return None
        for name, columns in _COLUMNS.items():
            known = getattr(models, name, None)
            if known is None or set(known.__table__.columns.keys()) != set(columns):
                return None
        with store.engine.connect() as connection:
            revisions = set(connection.execute(text("SELECT version_num FROM alembic_version")))
        if {revision for (revision,) in revisions} - REVISIONS or not revisions:
            return None
        location = client.get_experiment(experiment_id).artifact_location
        return cls(store, experiment_id, str(location), client, points)

    def prepare(self, header: RunHeader, started: int | None = None) -> PlannedRun:
        """Choose an id; nothing is written."""
        return PlannedRun(uuid.uuid4().hex, header, started or _now())

    def show(self, pending: PlannedRun, status: str = "RUNNING") -> None:
        """Write the row of a run and the tags that it begins with."""
        ended = None if status == "RUNNING" else _now()
        with self._transaction() as connection:
            self._insert(connection, "SqlRun", [self._row(pending, status, ended)])
            self._insert(connection, "SqlTag", self._tags(pending))
        pending.shown = True

    def write(
        self, runs: Sequence[tuple[PlannedRun, Record]], status: str | None = "FINISHED"
    ) -> None:
        """Write everything of several runs; again is harmless.

        Args:
            runs: artifacts first, then all rows in one transaction, or in several where the
                traces are long: then the rows of the runs themselves come with the last.
            status: that the runs end with; None leaves them RUNNING.
        """
        checked = [(pending, record, _checked(record)) for pending, record in runs]
        for pending, record in runs:
            if record.artifacts:
                self.log_files(pending.run_id, record.sealed())
        self._early(runs)
        with self._transaction() as connection:
            ended = None if status is None else _now()
            fresh = [pending for pending, _ in runs if not pending.shown]
            rows = [self._row(pending, status or "RUNNING", ended) for pending in fresh]
            self._insert(connection, "SqlRun", rows)
            tags = [row for pending in fresh for row in self._tags(pending)]
            params: list[dict[str, Any]] = []
            points: list[tuple[object, ...]] = []
            latest: list[tuple[object, ...]] = []
            for pending, record, (its_params, its_tags) in checked:
                run_id = pending.run_id
                tags += [{"key": k, "value": v, "run_uuid": run_id} for k, v in its_tags]
                params += [{"key": k, "value": v, "run_uuid": run_id} for k, v in its_params]
                single = [_point(run_id, pending.started, *each) for each in record.metrics.items()]
                steps = self._steps(record)
                points += single
                if len(steps) <= ROWS:
                    points += _points(pending, record, steps)
                latest += single
                latest += _points(pending, record, steps[-1:])
            self._insert(connection, "SqlTag", tags)
            self._insert(connection, "SqlParam", params)
            self._bulk(connection, "SqlMetric", points)
            self._bulk(connection, "SqlLatestMetric", latest)
            if status is not None:
                self._end(connection, [p.run_id for p, _ in runs if p.shown], status, ended)
        for pending, _ in runs:
            pending.shown = True

    def log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Write artifacts by name."""
        folder = local_folder(self._artifacts(run_id))
        if folder is not None:
            write_files(folder, artifacts)
            return
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        from gdexp.tracking.client_writer import upload

        upload(get_artifact_repository(self._artifacts(run_id)).log_artifacts, artifacts)

    def log_values(self, run_id: str, started: int, record: Record) -> None:
        """Write trace, metrics, params and tags of a run that is there."""
        pending = PlannedRun(run_id, RunHeader("", ""), started, shown=True)
        self.write(
            [
                (
                    pending,
                    Record(
                        record.params,
                        record.metrics,
                        record.trace,
                        record.tags,
                        levels=record.levels,
                    ),
                )
            ],
            status=None,
        )

    def _early(self, runs: Sequence[tuple[PlannedRun, Record]]) -> None:
        """Write the points of long traces in transactions of their own, before the rest."""
        for pending, record in runs:
            steps = self._steps(record)
            if len(steps) <= ROWS:
                continue
            if not pending.shown:
                self.show(pending)
            for begin in range(0, len(steps), ROWS):
                points = _points(pending, record, steps[begin : begin + ROWS])
                with self._transaction() as connection:
                    self._bulk(connection, "SqlMetric", points)

    def _steps(self, record: Record) -> npt.NDArray[np.int64]:
        return kept_iterations(record.trace, self._points, record.levels)

    def _row(self, pending: PlannedRun, status: str, ended: int | None) -> dict[str, Any]:
        """The row of a run as `SqlAlchemyStore.create_run` makes it."""
        return {
            "run_uuid": pending.run_id,
            "name": pending.header.name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": pending.header.all_tags().get("mlflow.user", "unknown"),
            "status": status,
            "start_time": pending.started,
            "end_time": ended,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": self._artifacts(pending.run_id),
            "experiment_id": self._experiment_id,
        }

    def _tags(self, pending: PlannedRun) -> list[dict[str, Any]]:
        tags = {**pending.header.all_tags(), "mlflow.runName": pending.header.name}
        _, checked = _checked(Record(tags=tags))
        return [{"key": key, "value": value, "run_uuid": pending.run_id} for key, value in checked]

    def _artifacts(self, run_id: str) -> str:
        from mlflow.utils import uri

        joined: Callable[..., str] = uri.append_to_uri_path
        return joined(self._location, run_id, "artifacts")

    def _end(
        self, connection: Connection, run_ids: Sequence[str], status: str, ended: int | None
    ) -> None:
        if not run_ids:
            return
        from sqlalchemy import bindparam, update

        table = _table("SqlRun")
        statement = update(table).where(table.c.run_uuid == bindparam("it"))
        rows = [{"it": run_id} for run_id in run_ids]
        connection.execute(statement.values(status=status, end_time=ended), rows)

    def _insert(self, connection: Connection, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that may be there already; of a tag the new value counts."""
        columns = _COLUMNS[name]
        self._bulk(connection, name, [tuple(row[each] for each in columns) for row in rows])

    def _bulk(self, connection: Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert tuples in the order of `_COLUMNS`, past SQLAlchemy's work for every row."""
        if not rows:
            return
        words, named = self._statements[name]
        for begin in range(0, len(rows), ROWS):
            part = rows[begin : begin + ROWS]
            if named:
                columns = _COLUMNS[name]
                connection.exec_driver_sql(
                    words, [dict(zip(columns, row, strict=True)) for row in part]
                )
            else:
                connection.exec_driver_sql(words, list(part))

    @cached_property
    def _statements(self) -> dict[str, tuple[str, bool]]:
        """The insert of each table in the dialect of the store; whether its values have names."""
        return {name: self._statement(name) for name in _COLUMNS}

    def _statement(self, name: str) -> tuple[str, bool]:
        from sqlalchemy import tuple_
        from sqlalchemy.dialects import postgresql, sqlite

        dialect, table = self._engine.dialect, _table(name)
        make: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        columns = _COLUMNS[name]
        statement = make(table).values(dict.fromkeys(columns))
        new = statement.excluded
        if name == "SqlTag":
            statement = statement.on_conflict_do_update(
                index_elements=["key", "run_uuid"], set_={"value": new.value}
            )
        elif name == "SqlLatestMetric":  # the order by which MLflow calls a point the latest
            order = ("step", "timestamp", "value")
            statement = statement.on_conflict_do_update(
                index_elements=["key", "run_uuid"],
                set_={each: new[each] for each in (*order, "is_nan")},
                where=tuple_(*(new[each] for each in order))
                > tuple_(*(table.c[each] for each in order)),
            )
        else:
            statement = statement.on_conflict_do_nothing()
        compiled = statement.compile(dialect=dialect)
        return str(compiled), not compiled.positional

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_MS}")
                connection.commit()
            with connection.begin():
                yield connection


def _table(name: str) -> Table:
    from mlflow.store.tracking.dbmodels import models

    found: Table = getattr(models, name).__table__
    return found


def _checked(record: Record) -> tuple[Iterable[tuple[str, str]], Iterable[tuple[str, str]]]:
    """Params and tags as MLflow's client would take them, refused or cut by its own rules."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils import validation

    check: Callable[..., Any] = validation._validate_batch_log_data
    _, params, tags = check(
        [Metric(key, value, 0, 0) for key, value in record.metrics.items()],
        [Param(key, value) for key, value in record.params.items()],
        [RunTag(key, value) for key, value in record.tags.items()],
    )
    return [(p.key, p.value) for p in params], [(t.key, t.value) for t in tags]


def _points(
    pending: PlannedRun, record: Record, steps: npt.NDArray[np.int64]
) -> list[tuple[object, ...]]:
    """The rows of a loss trace at some iterations."""
    values = record.trace[steps]
    wrong = np.isnan(values).tolist()
    finite = np.nan_to_num(values, nan=0.0, posinf=LARGEST, neginf=-LARGEST).tolist()
    run_id, started = pending.run_id, pending.started
    return [
        ("loss", value, started, step, nan, run_id)
        for value, step, nan in zip(finite, steps.tolist(), wrong, strict=True)
    ]


def _point(run_id: str, started: int, key: str, value: float) -> tuple[object, ...]:
    """A single metric, at step 0."""
    number = float(value)
    wrong = number != number
    finite = 0.0 if wrong else min(max(number, -LARGEST), LARGEST)
    return key, finite, started, 0, wrong, run_id


def _now() -> int:
    return int(time.time() * 1000)
