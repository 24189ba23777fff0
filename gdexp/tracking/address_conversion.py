"""Make the addresses of artifacts relative in a store that an earlier version wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gdexp.core import format_count, shown_path
from gdexp.display import terminal
from gdexp.tracking.artifact_address import ARTIFACTS, local_folder, relative_address, store_folder
from gdexp.tracking.database_connection import connect

Change = tuple[str, object]
"""A new address, and the key of its row."""


@dataclass(frozen=True)
class _Column:
    """Where MLflow keeps addresses."""

    table: str
    key: str
    name: str

    def absolute(self, connection: sqlite3.Connection) -> list[tuple[object, str]]:
        """Return key and address of the rows with an absolute local address."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if connection.execute(query, (self.table,)).fetchone() is None:
            return []
        return connection.execute(
            f"SELECT {self.key}, {self.name} FROM {self.table} "
            f"WHERE {self.name} GLOB 'file:*' OR {self.name} GLOB '/*'"
        ).fetchall()

    def update(self, connection: sqlite3.Connection, changes: list[Change]) -> None:
        """Write new addresses."""
        statement = f"UPDATE {self.table} SET {self.name} = ? WHERE {self.key} = ?"
        connection.executemany(statement, changes)


EXPERIMENTS = _Column("experiments", "experiment_id", "artifact_location")
RUNS = _Column("runs", "run_uuid", "artifact_uri")
MODELS = _Column("logged_models", "model_id", "artifact_location")


def convert_addresses(database: Path) -> None:
    """Make the absolute addresses of a SQLite store relative, all or none.

    One line says so where runs get another address. Only if an experiment has an absolute address,
    the other tables are read. What is not below `mlartifacts` stays where it is.
    """
    folder = store_folder(database)
    with connect(database) as connection:
        if not any(_experiments(connection, folder)):
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")  # another process may convert it too
            EXPERIMENTS.update(connection, list(_experiments(connection, folder)))
            MODELS.update(connection, list(_changes(connection, MODELS, folder)))
            runs = list(_changes(connection, RUNS, folder))
            RUNS.update(connection, runs)
    if runs:
        terminal.print_warning(
            f"{shown_path(database)}: the artifacts of {format_count(len(runs), 'run')} are "
            "addressed relative to its folder now, so that it can be moved and copied; scripts/ui "
            "shows them, and mlflow ui where it is started in that folder"
        )


def _experiments(connection: sqlite3.Connection, folder: Path) -> Iterator[Change]:
    """Yield the changes of experiments.

    One of gdexp's is changed even if its files are in another folder alone. Then the database was
    copied without them, and new runs must not be written into the original.
    """
    yield from _changes(connection, EXPERIMENTS, folder)
    for key, address in EXPERIMENTS.absolute(connection):
        place = local_folder(address)
        if relative_address(address, folder) is None and place and place.parent.name == ARTIFACTS:
            yield f"{ARTIFACTS}/{quote(place.name)}", key


def _changes(connection: sqlite3.Connection, column: _Column, folder: Path) -> Iterator[Change]:
    for key, address in column.absolute(connection):
        relative = relative_address(address, folder)
        if relative is not None and relative.startswith(f"{ARTIFACTS}/"):
            yield relative, key
