"""Everything undocumented in MLflow that gdexp uses to record runs, in one place.

MLflow 3.17 offers no public way to do these things:

- `create_database`: make a database with a given folder for artifacts.
- `is_latest`, `is_earlier`, `upgrade_database`: tell how old a database is, and convert it.
- `engine_of`: get the engine that a client reads and writes with.
- `TABLES`: write many runs in one transaction. The client makes a dozen transactions for a run.
- `checked_values`: apply MLflow's rules for keys and values before rows are written.
- `artifact_uri`, `log_artifacts`: write the files of a run before the run itself exists.

MLflow takes longer to import than most descents take. So it is imported only where it must be: the
tables of a SQLite file are checked and written without it, and so are plain keys and values.
"""

from __future__ import annotations

import posixpath
import re
import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from mlflow import MlflowClient
    from sqlalchemy import Engine

Pairs = list[tuple[str, str]]

PRIVATE_NAMES = (
    "mlflow.store.artifact.artifact_repository_registry.get_artifact_repository",
    "mlflow.store.db.utils._get_alembic_config",
    "mlflow.store.db.utils._upgrade_db",
    "mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore",
    "mlflow.utils.uri.append_to_uri_path",
    "mlflow.utils.validation._validate_batch_log_data",
)
"""The undocumented names that this module imports."""

ENGINE_PATH = ("_tracking_client", "store", "engine")
"""The attributes that lead from an `MlflowClient` to its engine."""


@dataclass(frozen=True)
class TableLayout:
    """What gdexp relies on in one table of MLflow.

    Attributes:
        columns: the columns that are written, in the order of the values.
        key: the primary key. A row that is written again is recognised by it.
        nulls: the columns that may receive NULL.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    nulls: tuple[str, ...] = ()


_METRIC_COLUMNS = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")

TABLES: Mapping[str, TableLayout] = {
    "runs": TableLayout(
        columns=(
            *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id"),
            *("status", "start_time", "end_time", "deleted_time", "source_version"),
            *("lifecycle_stage", "artifact_uri", "experiment_id"),
        ),
        key=("run_uuid",),
        nulls=("end_time", "deleted_time"),
    ),
    "tags": TableLayout(("key", "value", "run_uuid"), key=("key", "run_uuid")),
    "params": TableLayout(("key", "value", "run_uuid"), key=("key", "run_uuid")),
    "metrics": TableLayout(_METRIC_COLUMNS, key=_METRIC_COLUMNS),
    "latest_metrics": TableLayout(_METRIC_COLUMNS, key=("key", "run_uuid")),
}
"""The tables that gdexp writes the rows of runs into, by name."""

EXPERIMENT_TABLES: Mapping[str, TableLayout] = {
    "experiments": TableLayout(
        columns=(
            *("experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time"),
            "last_update_time",
        ),
        key=("experiment_id",),
    ),
    "experiment_tags": TableLayout(("key", "value", "experiment_id"), key=("key", "experiment_id")),
}
"""The tables of experiments; gdexp writes them in SQLite files only."""

PLAIN_KEY = re.compile(r"[\w.\- :][\w.\- :/]{0,249}")
"""Keys of metrics, params and tags that MLflow accepts, if they are also normal paths."""

LONGEST_PARAM, LONGEST_TAG, LONGEST_EXPERIMENT_TAG = 6000, 8000, 20_000
"""Most characters of values that MLflow keeps whole."""


NEWEST_REVISIONS = {"3.17.2": "dc11669786a5"}
"""The newest migration by version of MLflow; to look one up takes a tenth of a second."""


class UnknownSchema(Exception):
    """Rows cannot be written into the tables of a store; the text says why."""


@dataclass(frozen=True)
class Column:
    """A column of a table as it is in the database.

    Attributes:
        nullable: whether it may stay empty.
        filled: whether the database gives it a value itself.
    """

    nullable: bool
    filled: bool


def mlflow_version() -> str:
    """Return the version of MLflow that is installed; MLflow is not imported."""
    return version("mlflow")


def create_database(path: Path, artifacts: str) -> None:
    """Create an MLflow database in a new SQLite file, with all migrations applied.

    Args:
        path: of the file.
        artifacts: URI of the folder for artifacts of MLflow's default experiment.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    make: Callable[[str, str], SqlAlchemyStore] = SqlAlchemyStore
    make(f"sqlite:///{path}", artifacts).engine.dispose()


def is_latest(revision: str | None) -> bool:
    """Return whether MLflow's newest migration has this id."""
    newest = NEWEST_REVISIONS.get(mlflow_version())
    return revision == (newest or _migrations().get_current_head())


def is_earlier(revision: str | None) -> bool:
    """Return whether an earlier migration of MLflow has this id, so that a database can follow."""
    return revision in {each.revision for each in _migrations().walk_revisions()}


def upgrade_database(path: Path) -> None:
    """Apply all migrations to a SQLite file, in place."""
    import sqlalchemy
    from mlflow.store.db import utils

    upgrade: Callable[[sqlalchemy.Engine], None] = utils._upgrade_db
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _migrations() -> ScriptDirectory:
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils

    config: Callable[[str], Any] = utils._get_alembic_config
    return ScriptDirectory.from_config(config(""))


def engine_of(client: MlflowClient) -> Engine:
    """Return the SQLAlchemy engine that a client uses.

    Raises:
        UnknownSchema: the client's store is not a SQLite or PostgreSQL database.
    """
    found: Any = client
    for name in ENGINE_PATH:
        if not hasattr(found, name):
            raise UnknownSchema(f"{type(found).__name__} has no attribute {name}")
        found = getattr(found, name)
    if found.dialect.name not in ("sqlite", "postgresql"):
        raise UnknownSchema(f"the database is {found.dialect.name}")
    engine: Engine = found
    return engine


def check_schema(engine: Engine) -> None:
    """Check in the database itself that rows can be written into the tables of runs.

    Only the columns count. A later version of MLflow may change other tables, or add columns that
    may stay empty.

    Args:
        engine: of the database.

    Raises:
        UnknownSchema: a table or column is missing, or a column needs a value that is not written.
    """
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine)
    names = set(inspector.get_table_names())
    for table, layout in TABLES.items():
        columns = {}
        for column in inspector.get_columns(table) if table in names else ():
            filled = column["default"] is not None or "computed" in column or "identity" in column
            columns[column["name"]] = Column(bool(column["nullable"]), filled)
        key = inspector.get_pk_constraint(table)["constrained_columns"] if columns else []
        _check_table(table, layout, columns, key)


def check_sqlite_schema(connection: sqlite3.Connection) -> None:
    """Check as `check_schema` does, in a SQLite file; the tables of experiments too.

    Raises:
        UnknownSchema: a table or column is missing, or a column needs a value that is not written.
    """
    for table, layout in {**TABLES, **EXPERIMENT_TABLES}.items():
        columns, key = {}, []
        for _, name, _, required, default, key_part, hidden in connection.execute(
            f"PRAGMA table_xinfo({table})"
        ):
            columns[name] = Column(not required, default is not None or bool(hidden))
            if key_part:
                key.append(name)
        _check_table(table, layout, columns, key)


def _check_table(
    table: str, layout: TableLayout, columns: Mapping[str, Column], key: Collection[str]
) -> None:
    if not columns:
        raise UnknownSchema(f"there is no table {table}")
    for name in layout.columns:
        if name not in columns:
            raise UnknownSchema(f"table {table} has no column {name}")
    for name, column in columns.items():
        if column.nullable:
            continue
        if name in layout.nulls:
            raise UnknownSchema(f"column {table}.{name} does not accept NULL")
        if name not in layout.columns and not column.filled:
            raise UnknownSchema(f"column {table}.{name} is new and needs a value")
    if set(key) != set(layout.key):
        raise UnknownSchema(f"table {table} has the primary key ({', '.join(key)})")


def checked_values(
    metrics: Mapping[str, float], params: Mapping[str, str], tags: Mapping[str, str]
) -> tuple[Pairs, Pairs]:
    """Return params and tags as MLflow's client would write them: it refuses some and cuts others.

    MLflow is asked only where a key or a value is not one that it takes as it is.

    Raises:
        MlflowException: MLflow does not accept a key or a value.
    """
    if (
        all(map(_is_plain, [*metrics, *params, *tags]))
        and all(isinstance(v, int | float) and type(v) is not bool for v in metrics.values())
        and all(type(v) is str and len(v) <= LONGEST_PARAM for v in params.values())
        and all(type(v) is str and len(v) <= LONGEST_TAG for v in tags.values())
    ):
        return list(params.items()), list(tags.items())
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils import validation

    check: Callable[..., tuple[Any, Any, Any]] = validation._validate_batch_log_data
    _, checked_params, checked_tags = check(
        [Metric(key, value, 0, 0) for key, value in metrics.items()],
        [Param(key, value) for key, value in params.items()],
        [RunTag(key, value) for key, value in tags.items()],
    )
    return [(p.key, p.value) for p in checked_params], [(t.key, t.value) for t in checked_tags]


def artifact_uri(location: str, run_id: str) -> str:
    """Return the URI of a run's artifacts below the location of its experiment."""
    if re.fullmatch(r"(file:///)?[^?#;:]*[^?#;:/]", location) and "//" not in location[8:]:
        return f"{location}/{run_id}/artifacts"
    from mlflow.utils import uri

    append: Callable[..., str] = uri.append_to_uri_path
    return append(location, run_id, "artifacts")


def log_artifacts(uri: str, folder: str) -> None:
    """Copy the files of a folder to the URI of a run's artifacts."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(uri)
    repository.log_artifacts(folder)


def _is_plain(key: str) -> bool:
    """Return whether MLflow accepts a key for certain, in any kind of record."""
    return (
        PLAIN_KEY.fullmatch(key) is not None
        and posixpath.normpath(key) == key
        and not key.startswith(".")
    )
