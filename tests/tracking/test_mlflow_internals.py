"""The undocumented parts of MLflow are there, and the tables decide how runs are written."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from sqlite3 import connect
from types import ModuleType

import numpy as np
import pytest
import sqlalchemy

import gdexp
from gdexp.tracking import mlflow_internals
from gdexp.tracking.client_writer import ClientWriter
from gdexp.tracking.mlflow_internals import TABLES, UnknownSchema, check_schema, engine_of
from gdexp.tracking.record import Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.sql_writer import SqlWriter
from gdexp.tracking.store import Store
from gdexp.ui import mlflow_internals as ui_internals
from tests.support.artifacts import run_folder

PUBLIC = {"mlflow", "mlflow.entities", "mlflow.exceptions"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("internals", [mlflow_internals, ui_internals])
def test_mlflow_has_every_private_name(internals: ModuleType) -> None:
    missing = []
    for name in internals.PRIVATE_NAMES:
        module, _, attribute = name.rpartition(".")
        try:
            resolve_name(f"{module}:{attribute}")
        except (AttributeError, ImportError):
            missing.append(name)
    assert not missing, f"this MLflow has no {', '.join(missing)}"


@pytest.mark.filterwarnings("ignore")
def test_the_command_of_uvicorn_takes_the_same_parameters() -> None:
    build = resolve_name("mlflow.server:_build_uvicorn_command")
    assert tuple(inspect.signature(build).parameters) == ui_internals.UVICORN_PARAMETERS


@pytest.mark.slow
def test_the_private_names_are_used_in_their_modules_only() -> None:
    package = Path(gdexp.__file__).parent
    used = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "mlflow":
                if node.module not in PUBLIC:
                    used |= {path.name}
            elif isinstance(node, ast.Attribute) and node.attr == "_tracking_client":
                used |= {path.name}
    assert used == {"mlflow_internals.py"}


@pytest.fixture
def tables() -> Iterator[sqlalchemy.Engine]:
    """A database with no more than what is written."""
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        for name, layout in TABLES.items():
            columns = ", ".join(layout.columns)
            key = ", ".join(layout.key)
            connection.exec_driver_sql(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}))")
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ALTER TABLE runs DROP COLUMN source_name", "table runs has no column source_name"),
        ("ALTER TABLE tags RENAME TO labels", "there is no table tags"),
        (
            "CREATE TABLE params (key, value, run_uuid, owner TEXT NOT NULL, "
            "PRIMARY KEY (key, run_uuid))",
            "column params.owner is new and needs a value",
        ),
        (
            "CREATE TABLE params (key, value, run_uuid, PRIMARY KEY (key))",
            "table params has the primary key (key)",
        ),
        (
            "CREATE TABLE runs (RUNS, PRIMARY KEY (run_uuid))",
            "column runs.end_time does not accept NULL",
        ),
    ],
)
def test_a_change_that_matters_is_named(
    tables: sqlalchemy.Engine, change: str, reason: str
) -> None:
    with tables.begin() as connection:
        if change.startswith("CREATE TABLE "):
            connection.exec_driver_sql(f"DROP TABLE {change.split()[2]}")
        runs = ", ".join(TABLES["runs"].columns).replace("end_time", "end_time INT NOT NULL")
        connection.exec_driver_sql(change.replace("RUNS", runs))
    with pytest.raises(UnknownSchema) as error:
        check_schema(tables)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE something_new (id INT NOT NULL)",
        "ALTER TABLE runs ADD COLUMN owner TEXT",
        "ALTER TABLE tags ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'",
    ],
)
def test_a_change_that_does_not_matter_is_accepted(tables: sqlalchemy.Engine, change: str) -> None:
    with tables.begin() as connection:
        runs = ", ".join(TABLES["runs"].columns).replace("end_time", "end_time INT NOT NULL")
        connection.exec_driver_sql(change.replace("RUNS", runs))
    check_schema(tables)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrackingSettings:
    """A store that is there already."""
    made = TrackingSettings(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
    Store(made)
    return made


RECORD = Record({"a": "1"}, {"m": 0.5}, np.array([3.0, 1.0]), {"t": "x"}, {"f.txt": b"1"})


def written(store: Store) -> dict[str, object]:
    """What is read back of a new run."""
    folder = store.settings.folder
    assert folder is not None
    run_id = store.start(RunHeader("one", "run"))
    store.finish(run_id, RECORD)
    run = store.client.get_run(run_id)
    losses = store.client.get_metric_history(run_id, "loss")
    return {
        "data": (run.data.metrics, run.data.params, run.data.tags),
        "info": (run.info.status, run.info.run_name, run.info.user_id, run.info.lifecycle_stage),
        "losses": sorted((point.step, point.value) for point in losses),
        "files": sorted(os.listdir(run_folder(folder, run_id))),
    }


def test_another_revision_alone_changes_nothing(
    settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_internals, "is_latest", lambda revision: True)  # of that MLflow
    engine = engine_of(Store(settings).client)
    update = "UPDATE alembic_version SET version_num = ?"
    with engine.begin() as connection:
        query = "SELECT version_num FROM alembic_version"
        known = connection.exec_driver_sql(query).scalar_one()
        connection.exec_driver_sql(update, ("f4a9b2c7d1e6",))
    try:
        store = Store(settings)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(update, (known,))
    assert isinstance(store._writer, SqlWriter)
    assert store.warning is None


# What the tables lack or have in addition, as gdexp sees it: the client knows the real ones.
@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("runs", "+colour", "table runs has no column colour"),
        ("latest_metrics", "-step", "column latest_metrics.step is new and needs a value"),
    ],
)
def test_unexpected_columns_are_named_and_the_client_writes_the_same(
    settings: TrackingSettings,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    change: str,
    reason: str,
) -> None:
    name, columns = change[1:], TABLES[table].columns
    columns = (*columns, name) if change[0] == "+" else tuple(c for c in columns if c != name)
    expected = written(Store(settings))
    monkeypatch.setitem(TABLES, table, replace(TABLES[table], columns=columns))  # type: ignore[arg-type]
    store = Store(settings)
    assert isinstance(store._writer, ClientWriter)
    assert store.warning is not None
    assert reason in store.warning
    assert written(store) == expected


@pytest.mark.slow
def test_a_command_says_once_why_it_writes_slowly(
    settings: TrackingSettings, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from gdexp.cli.main import main

    path = here / "mlflow.db"
    with closing(connect(str(settings.database))) as source, closing(connect(path)) as copy:
        source.backup(copy)
        copy.executescript(
            "CREATE TABLE plain AS SELECT * FROM tags; DROP TABLE tags;"
            "ALTER TABLE plain RENAME TO tags;"
        )
    assert main([f"tracking.uri=sqlite:///{path}", "+sweep", "sweep.n_trials=2"]) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "table tags has the primary key ()" in warnings[0]
