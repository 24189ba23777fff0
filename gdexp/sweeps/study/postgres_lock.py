"""Locks of a study on a PostgreSQL server, and the errors of that server."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gdexp.core import StorageFailed, failure_reason, signals
from gdexp.tracking import masked, with_driver

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CONNECT_SECONDS = 5
CLAIM, HOLD = "claim", "hold"
"""Kinds of locks: for claiming trials, and for driving the study."""


@contextmanager
def server_lock(uri: str, study: str) -> Iterator[str | None]:
    """Hold a study for this process.

    Args:
        uri: of the server.
        study: its name.

    Yields:
        None; or the process that holds the study already, as `HOST:PID`.

    Raises:
        StorageFailed: the server cannot be used.
    """
    import sqlalchemy

    engine = sqlalchemy.create_engine(
        with_driver(uri), poolclass=sqlalchemy.NullPool, connect_args=connect_args()
    )
    with server_errors(masked(uri)), engine.connect() as connection:
        taken = _query(connection, "SELECT pg_try_advisory_lock(:key)", HOLD, study)
        connection.commit()  # the lock is the connection's, not the transaction's
        yield None if taken else _holder(engine, study)


@contextmanager
def server_claim_lock(engine: Engine, study: str) -> Iterator[None]:
    """Keep all others from claiming trials of a study."""
    with engine.connect() as connection:
        _query(connection, "SELECT pg_advisory_xact_lock(:key)", CLAIM, study)
        try:
            yield
        finally:
            with signals.shielded():
                connection.rollback()  # a lock of the transaction ends with it


@contextmanager
def server_errors(shown: str) -> Iterator[None]:
    """Raise the server's errors as `StorageFailed`.

    Args:
        shown: the server's address without its password.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ or error
        raise StorageFailed(f"sweep.storage={shown}: {failure_reason(cause)}") from error


def connect_args() -> dict[str, Any]:
    """Return how this process connects: with a short time limit and a name that others see."""
    name = f"gdexp {socket.gethostname()}:{os.getpid()}"
    return {"connect_timeout": CONNECT_SECONDS, "application_name": name}


def _query(connection: Connection, statement: str, kind: str, study: str) -> object:
    from sqlalchemy import text

    return connection.execute(text(statement), {"key": _key(kind, study)}).scalar()


def _key(kind: str, study: str) -> int:
    """Return the 64-bit number by which PostgreSQL knows a lock."""
    digest = hashlib.sha256(f"gdexp/{kind}/{study}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _holder(engine: Engine, study: str) -> str:
    """Return the process that holds a study, by the name that it connected with."""
    from sqlalchemy import text

    high, low = divmod(_key(HOLD, study) % 2**64, 2**32)
    with engine.connect() as connection:
        name = connection.execute(
            text(
                "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
                "WHERE locktype = 'advisory' AND granted "
                "AND classid = CAST(:high AS oid) AND objid = CAST(:low AS oid)"
            ),
            {"high": high, "low": low},
        ).scalar()
    return str(name or "unknown").removeprefix("gdexp ")
