"""Writing into MLflow's SQLite store: gdexp's way, the public client, and the bare database."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.measure import Figure, by_turns, figure, ratios
from gdexp.tracking.client_writer import ClientWriter
from gdexp.tracking.record import Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.sql_writer import SqlWriter
from gdexp.tracking.store import Store

POINTS = 100_000
RUNS, FEW_RUNS = 64, 16
"""Runs written together, and by the client, of which each takes as long as the other."""


def run(rounds: int) -> list[Figure]:
    """Points per second of one long trace, and seconds for a run of usual size."""
    with tempfile.TemporaryDirectory() as folder:
        return _measured(Path(folder), rounds)


def _measured(folder: Path, rounds: int) -> list[Figure]:
    store = Store(TrackingSettings(f"sqlite:///{folder}/mlflow.db"))
    tables = store._writer
    assert isinstance(tables, SqlWriter)
    client = ClientWriter(store.client, store.experiment_id)
    trace = np.geomspace(1.0, 1e-9, POINTS)
    long, usual = Record(trace=trace), _usual()

    def points(way: SqlWriter | ClientWriter) -> float:
        pending = way.prepare(RunHeader("long", "run"))
        began = time.perf_counter()
        way.write([(pending, long)])
        return POINTS / (time.perf_counter() - began)

    def bare() -> float:
        run_id = store.start(RunHeader("bare", "run"))
        rows = [("loss", v, 0, i, False, run_id) for i, v in enumerate(trace.tolist())]
        statement = (
            "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) "
            "VALUES (?, ?, ?, ?, ?, ?)"
        )
        with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
            began = time.perf_counter()
            connection.executemany(statement, rows)
            connection.commit()
            return POINTS / (time.perf_counter() - began)

    def runs(way: SqlWriter | ClientWriter, count: int) -> float:
        began = time.perf_counter()
        way.write([(way.prepare(RunHeader(f"run {i}", "trial")), usual) for i in range(count)])
        return (time.perf_counter() - began) / count

    speeds = by_turns(
        {"gdexp": lambda: points(tables), "client": lambda: points(client), "bare": bare}, rounds
    )
    each = by_turns(
        {"gdexp": lambda: runs(tables, RUNS), "client": lambda: runs(client, FEW_RUNS)}, rounds
    )
    return _figures(speeds, each)


def _figures(speeds: dict[str, list[float]], each: dict[str, list[float]]) -> list[Figure]:
    """Compare the points per second of the ways to write, and their seconds per run."""
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    costs = {name: 1000 * statistics.median(values) for name, values in each.items()}
    return [
        figure(
            f"gdexp / log_batch in 1,000s, points/s of {POINTS:,}",
            ratios(speeds["gdexp"], speeds["client"]),
            8,
            "higher",
            f"{medians['gdexp']:,.0f} against {medians['client']:,.0f} per second",
        ),
        figure(
            f"gdexp / bare executemany, points/s of {POINTS:,}",
            ratios(speeds["gdexp"], speeds["bare"]),
            0.4,
            "higher",
            f"{medians['gdexp']:,.0f} against {medians['bare']:,.0f} per second",
        ),
        figure(
            f"public client / gdexp, time per run, {RUNS} of 100 points",
            ratios(each["client"], each["gdexp"]),
            10,
            "higher",
            f"{costs['client']:.1f} against {costs['gdexp']:.2f} ms",
        ),
    ]


def _usual() -> Record:
    """A run of 100 points with 20 params, 8 tags and 5 files."""
    return Record(
        params={f"group.key{i}": str(i) for i in range(20)},
        metrics={"iterations": 99.0},
        trace=np.geomspace(1.0, 1e-5, 100),
        tags={f"tag{i}": "value" for i in range(8)},
        artifacts={f"file{i}.npy": bytes(200) for i in range(4)},  # the manifest is the fifth
    )
