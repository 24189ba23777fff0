"""How a store is read and written: SQLite by its tables, anything else by MLflow's client.

MLflow is imported when its client is first used. A SQLite file with the expected tables needs none.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.core import at_end
from gdexp.tracking import mlflow_internals
from gdexp.tracking.client_runs import ClientRuns
from gdexp.tracking.client_writer import ClientWriter
from gdexp.tracking.database_closing import close_at_end
from gdexp.tracking.mlflow_internals import UnknownSchema
from gdexp.tracking.mlflow_process import configure_mlflow_process
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.sql_writer import SqlWriter
from gdexp.tracking.sqlite_pool import SqlitePool
from gdexp.tracking.stored_run import StoredExperiment, StoredRuns
from gdexp.tracking.table_runs import TableRuns
from gdexp.tracking.table_writing import ServerTables, SqliteTables, Tables
from gdexp.tracking.write_ahead_log import settle_log

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Engine


class StoreAccess:
    """The ways into one store.

    Args:
        settings: where the store is. A SQLite file exists.

    Attributes:
        runs: reads and changes runs.
        warning: why runs are written slowly into this database; None where they are not.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._pool: SqlitePool | None = None
        self.warning: str | None = None
        self._tables: Tables | None = None
        try:
            if settings.database is not None:
                self._pool = _opened(settings.database)
                self._tables = SqliteTables(self._pool)
            elif not settings.is_server:
                engine = mlflow_internals.engine_of(self.client)
                mlflow_internals.check_schema(engine)
                self._tables = ServerTables(engine)
        except UnknownSchema as error:
            self.warning = (
                f"runs are written slowly, through MLflow's client: its database is not as "
                f"gdexp expects ({error})"
            )
        self.runs: StoredRuns = (
            ClientRuns(self.client) if self._pool is None else TableRuns(self._pool)
        )

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of the store, made at its first use."""
        configure_mlflow_process()
        from mlflow import MlflowClient

        made = MlflowClient(tracking_uri=self._settings.mlflow_uri)
        self._engine = close_at_end(made, self._settings.database)
        return made

    def connections(self) -> object | None:
        """Return what stays the same while connections to a database stay open; else None."""
        if self._pool is not None:
            return self._pool.generation
        if self._engine is None:
            return None
        from sqlalchemy.pool import QueuePool

        return self._engine.pool if isinstance(self._engine.pool, QueuePool) else None

    def writer(self, experiment: StoredExperiment) -> SqlWriter | ClientWriter:
        """Return the fast writer where the database has the expected tables, else the client's."""
        number, points = experiment.experiment_id, self._settings.max_points
        folder = self._settings.folder
        if self._tables is None:
            return ClientWriter(self.client, number, points, folder)
        return SqlWriter(self._tables, number, experiment.location, points, folder)


def _opened(database: Path) -> SqlitePool:
    """Return connections to a database with the expected tables, closed at the end.

    Raises:
        UnknownSchema: it has other tables.
    """
    pool, own = SqlitePool(database), os.getpid()
    try:
        with pool.connection() as connection:
            mlflow_internals.check_sqlite_schema(connection)
    except BaseException:
        pool.close()
        raise

    def settle() -> None:
        if os.getpid() == own and database.exists():
            settle_log(database)

    def close() -> None:
        if os.getpid() == own:
            pool.close()

    at_end(database, settle)  # what is registered later comes earlier
    at_end(pool, close)
    return pool
