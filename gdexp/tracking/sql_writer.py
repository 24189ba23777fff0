"""Writing runs into MLflow's tables, many in one transaction.

MLflow's client makes a dozen transactions for a run and an object for every point. Here a batch of
runs is a handful of bulk inserts. They are used where the tables have the expected columns
(`mlflow_internals.TABLES`). The rows equal the client's; a test compares them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gdexp.tracking import mlflow_internals
from gdexp.tracking.artifact_address import absolute_address, local_folder
from gdexp.tracking.artifacts import upload, write_files
from gdexp.tracking.downsampling import kept_iterations, kept_points
from gdexp.tracking.live_curves import Points
from gdexp.tracking.mlflow_internals import TABLES
from gdexp.tracking.record import PlannedRun, Record, RunHeader
from gdexp.tracking.table_writing import Execute, Tables, Values

LARGEST = float(np.finfo(np.float64).max)
"""What MLflow writes for infinity: SQL has no number for it."""

ROWS = 50_000
"""Rows in one call, and points in one transaction, so that no other process waits long."""

GROUP = 160
"""Points that one statement inserts, in a fifth less time than one by one. SQLite before 3.32 takes
999 values in a statement."""


class SqlWriter:
    """Writes runs into the tables of a database, which are checked before.

    Args:
        tables: of the database.
        experiment_id: of the experiment that the runs belong to.
        location: address of the experiment's artifacts.
        points: how many points of a trace the metric history keeps; None keeps all.
        folder: where relative addresses begin; None where there are none.
    """

    def __init__(
        self,
        tables: Tables,
        experiment_id: str,
        location: str,
        points: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self._tables = tables
        self._experiment_id = int(experiment_id)
        self._location = location
        self._points = points
        self._folder = folder

    def prepare(self, header: RunHeader, started: int | None = None) -> PlannedRun:
        """Choose an id; write nothing."""
        return PlannedRun(uuid.uuid4().hex, header, started or _now())

    def show(self, run: PlannedRun, status: str = "RUNNING") -> None:
        """Write the row of a run and its first tags."""
        ended = None if status == "RUNNING" else _now()
        with self._tables.transaction() as execute:
            self._insert(execute, "runs", [self._run_row(run, status, ended)])
            self._insert(execute, "tags", self._first_tags(run))
        run.shown = True

    def write(
        self, runs: Sequence[tuple[PlannedRun, Record]], status: str | None = "FINISHED"
    ) -> None:
        """Write everything of several runs. To write them again is harmless.

        The artifacts come first, then all rows in one transaction. The points of long traces have
        earlier transactions of their own.

        Args:
            runs: with their records.
            status: the status that the runs end with; None leaves them RUNNING.
        """
        texts = [_checked_values(record) for _, record in runs]
        for run, record in runs:
            if record.artifacts:
                self.log_files(run.run_id, record.sealed())
        self._write_long_traces(runs)
        ended = None if status is None else _now()
        new = [run for run, _ in runs if not run.shown]
        rows: dict[str, list[Values]] = {name: [] for name in TABLES}
        rows["runs"] = [self._run_row(run, status or "RUNNING", ended) for run in new]
        rows["tags"] = [row for run in new for row in self._first_tags(run)]
        for (run, record), (params, tags) in zip(runs, texts, strict=True):
            rows["tags"] += [(*pair, run.run_id) for pair in tags]
            rows["params"] += [(*pair, run.run_id) for pair in params]
            numbers = [_metric_row(run, *each) for each in record.metrics.items()]
            steps = self._kept(record)
            rows["metrics"] += numbers
            if len(steps) <= ROWS:
                rows["metrics"] += _loss_rows(run, record, steps)
            rows["latest_metrics"] += [*numbers, *_loss_rows(run, record, steps[-1:])]
            if record.curves:
                rows["metrics"] += self._curve_rows(run, record)
                for name, points in record.curves.items():
                    rows["latest_metrics"] += _point_rows(run, name, points[-1:])
        with self._tables.transaction() as execute:
            for name in TABLES:
                self._insert(execute, name, rows[name])
            if status is not None:
                self._end(execute, [run.run_id for run, _ in runs if run.shown], status, ended)
        for run in new:
            run.shown = True

    def log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Write artifacts by name."""
        uri = mlflow_internals.artifact_uri(self._location, run_id)
        uri = absolute_address(uri, self._folder)
        folder = local_folder(uri)
        if folder is not None:
            write_files(folder, artifacts)
        else:
            upload(lambda made: mlflow_internals.log_artifacts(uri, made), artifacts)

    def log_values(self, run_id: str, started: int, record: Record) -> None:
        """Write the trace, metrics, params and tags of a run that exists."""
        run = PlannedRun(run_id, RunHeader("", ""), started, shown=True)
        self.write([(run, replace(record, artifacts={}))], status=None)

    def log_points(self, run_id: str, started: int, points: Points) -> None:
        """Write points of metrics of a run that exists; to do so again is harmless."""
        run = PlannedRun(run_id, RunHeader("", ""), started, shown=True)
        with self._tables.transaction() as execute:
            for name, rows in points.items():
                self._insert(execute, "metrics", _point_rows(run, name, rows))
                self._insert(execute, "latest_metrics", _point_rows(run, name, rows[-1:]))

    def _curve_rows(self, run: PlannedRun, record: Record) -> list[Values]:
        """Return the metric rows of a record's further curves."""
        return [
            row
            for name, points in record.curves.items()
            for row in _point_rows(run, name, kept_points(points, self._points))
        ]

    def _write_long_traces(self, runs: Sequence[tuple[PlannedRun, Record]]) -> None:
        """Write the points of each trace of more than `ROWS` points in transactions of its own."""
        for run, record in runs:
            steps = self._kept(record)
            if len(steps) <= ROWS:
                continue
            if not run.shown:
                self.show(run)
            for begin in range(0, len(steps), ROWS):
                points = _loss_rows(run, record, steps[begin : begin + ROWS])
                with self._tables.transaction() as execute:
                    self._insert(execute, "metrics", points)

    def _kept(self, record: Record) -> npt.NDArray[np.int64]:
        return kept_iterations(record.trace, self._points, record.levels)

    def _run_row(self, run: PlannedRun, status: str, ended: int | None) -> Values:
        """Return the row of a run, with the values that MLflow's client gives it."""
        row = {
            "run_uuid": run.run_id,
            "name": run.header.name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": run.header.all_tags().get("mlflow.user", "unknown"),
            "status": status,
            "start_time": run.started,
            "end_time": ended,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": mlflow_internals.artifact_uri(self._location, run.run_id),
            "experiment_id": self._experiment_id,
        }
        return tuple(row[name] for name in TABLES["runs"].columns)

    def _first_tags(self, run: PlannedRun) -> list[Values]:
        tags = {**run.header.all_tags(), "mlflow.runName": run.header.name}
        _, checked = _checked_values(Record(tags=tags))
        return [(*pair, run.run_id) for pair in checked]

    def _end(
        self, execute: Execute, run_ids: Sequence[str], status: str, ended: int | None
    ) -> None:
        if run_ids:
            mark = self._tables.mark
            statement = (
                f"UPDATE runs SET status = {mark}, end_time = {mark} WHERE run_uuid = {mark}"
            )
            execute(statement, [(status, ended, run_id) for run_id in run_ids])

    def _insert(self, execute: Execute, table: str, rows: Sequence[Values]) -> None:
        """Insert rows, also rows that exist already; tags and latest metrics are updated."""
        for begin in range(0, len(rows), ROWS):
            some = rows[begin : begin + ROWS]
            whole = len(some) - len(some) % GROUP if table == "metrics" else 0
            if whole:
                groups = (some[at : at + GROUP] for at in range(0, whole, GROUP))
                execute(self._grouped, [tuple(chain.from_iterable(each)) for each in groups])
            if some[whole:]:  # PostgreSQL's driver takes no rows for no values at all
                execute(self._statements[table], some[whole:])

    @cached_property
    def _statements(self) -> dict[str, str]:
        """The insert statement of each table."""
        return {name: _insertion(name, self._tables.mark) for name in TABLES}

    @cached_property
    def _grouped(self) -> str:
        """The statement that inserts `GROUP` points."""
        return _insertion("metrics", self._tables.mark, GROUP)


def _insertion(table: str, mark: str, rows: int = 1) -> str:
    """Return the statement that inserts rows, in the words that SQLite and PostgreSQL share."""
    columns = TABLES[table].columns
    values = ", ".join([f"({', '.join([mark] * len(columns))})"] * rows)
    insert = f"INSERT INTO {table} ({_names(columns)}) VALUES {values} ON CONFLICT"
    key = _names(TABLES[table].key)
    if table == "tags":
        return f"{insert} ({key}) DO UPDATE SET {_taken(('value',))}"
    if table == "latest_metrics":  # MLflow calls the largest by this order the latest
        order = ("step", "timestamp", "value")
        newer = f"({_names(order, 'excluded')}) > ({_names(order, table)})"
        return f"{insert} ({key}) DO UPDATE SET {_taken((*order, 'is_nan'))} WHERE {newer}"
    return f"{insert} DO NOTHING"


def _names(columns: Iterable[str], table: str = "") -> str:
    return ", ".join(f'{table}."{each}"' if table else f'"{each}"' for each in columns)


def _taken(columns: Iterable[str]) -> str:
    """Return the assignments that take the new values of columns."""
    return ", ".join(f'"{each}" = excluded."{each}"' for each in columns)


def _checked_values(record: Record) -> tuple[mlflow_internals.Pairs, mlflow_internals.Pairs]:
    return mlflow_internals.checked_values(record.metrics, record.params, record.tags)


def _loss_rows(run: PlannedRun, record: Record, steps: npt.NDArray[np.int64]) -> list[Values]:
    """Return the metric rows of a loss trace at some iterations."""
    return _rows(run, "loss", steps, record.trace[steps])


def _point_rows(run: PlannedRun, name: str, points: npt.NDArray[np.float64]) -> list[Values]:
    """Return the metric rows of a curve, of shape (points, 2)."""
    return _rows(run, name, points[:, 0].astype(np.int64), points[:, 1])


def _rows(
    run: PlannedRun, name: str, steps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> list[Values]:
    not_numbers = np.isnan(values).tolist()
    finite = np.nan_to_num(values, nan=0.0, posinf=LARGEST, neginf=-LARGEST).tolist()
    run_id, started = run.run_id, run.started
    return [
        (name, value, started, step, is_nan, run_id)
        for value, step, is_nan in zip(finite, steps.tolist(), not_numbers, strict=True)
    ]


def _metric_row(run: PlannedRun, key: str, value: float) -> Values:
    """Return the row of a single metric, at step 0."""
    number = float(value)
    is_nan = number != number
    finite = 0.0 if is_nan else min(max(number, -LARGEST), LARGEST)
    return key, finite, run.started, 0, is_nan, run.run_id


def _now() -> int:
    return int(time.time() * 1000)
