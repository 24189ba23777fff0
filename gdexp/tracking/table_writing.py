"""Writing many rows at once: into SQLite without a library, into PostgreSQL by SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from gdexp.tracking.sqlite_pool import SqlitePool

if TYPE_CHECKING:
    from sqlalchemy import Engine

Values = tuple[object, ...]
"""The values of one row, in the order of the table's columns."""

Execute = Callable[[str, Sequence[Values]], object]
"""Executes one statement for each of many rows."""


class Tables(Protocol):
    """A database that rows are written into."""

    @property
    def mark(self) -> str:
        """What stands for a value in a statement."""

    def transaction(self) -> AbstractContextManager[Execute]:
        """Open a transaction, which is committed at the end."""


class SqliteTables:
    """The tables of a SQLite file.

    Args:
        pool: the connections to it.
    """

    mark = "?"

    def __init__(self, pool: SqlitePool) -> None:
        self._pool = pool

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Open a transaction, which is committed at the end."""
        with self._pool.transaction() as connection:
            yield connection.executemany


class ServerTables:
    """The tables of a PostgreSQL server.

    Args:
        engine: of the database.
    """

    mark = "%s"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Open a transaction, which is committed at the end."""
        with self._engine.begin() as connection:
            # Past SQLAlchemy's work for every row, which would take most of the time.
            yield lambda statement, rows: connection.exec_driver_sql(statement, list(rows))
