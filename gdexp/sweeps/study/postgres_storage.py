"""A study in PostgreSQL, for workers that share no file system."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage

from gdexp.core import StorageFailed, reason, signals
from gdexp.sweeps.study.skip_waiting import Queueless
from gdexp.tracking import mask_uri, with_driver

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CONNECT_SECONDS = 5
CLAIM, HOLD = "claim", "hold"


class ServedStorage(RDBStorage):
    """Optuna's tables on a server, with a lock for changes that must not be made by two at once.

    Args:
        uri: `postgresql://…`.

    Raises:
        StorageFailed: the server cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self.shown = mask_uri(uri)
        with reported(self.shown):
            super().__init__(
                with_driver(uri),
                engine_kwargs={"pool_pre_ping": True, "connect_args": _own()},
            )

    @contextmanager
    def claiming(self, study: str) -> Iterator[None]:
        """Keep all others from claiming trials of a study meanwhile."""
        with reported(self.shown), self.engine.connect() as connection:
            _locked(connection, CLAIM, study)
            try:
                yield
            finally:
                with signals.shielded():
                    connection.rollback()  # a lock of the transaction ends with it


class ServedStudy(Queueless, _CachedStorage):
    """A study on a server as Optuna uses it: what is finished is read once.

    Args:
        uri: `postgresql://…`.

    Raises:
        StorageFailed: the server cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self._served = ServedStorage(uri)
        super().__init__(self._served)

    def claiming(self, study: str) -> AbstractContextManager[None]:
        """Keep all others from claiming trials of a study meanwhile."""
        return self._served.claiming(study)


@contextmanager
def held_there(uri: str, study: str) -> Iterator[str | None]:
    """Hold a study for this process.

    Args:
        uri: of the server.
        study: by name.

    Yields:
        None, or who holds it already: `HOST:PID`.

    Raises:
        StorageFailed: the server cannot be used.
    """
    import sqlalchemy

    shown = mask_uri(uri)
    engine = sqlalchemy.create_engine(
        with_driver(uri), poolclass=sqlalchemy.NullPool, connect_args=_own()
    )
    with reported(shown), engine.connect() as connection:
        taken = _asked(connection, "SELECT pg_try_advisory_lock(:key)", HOLD, study)
        connection.commit()  # the lock is the connection's, not the transaction's
        yield None if taken else _holder(engine, study)


def _own() -> dict[str, Any]:
    """How this process connects: soon or not at all, and under a name that others see."""
    name = f"gdexp {socket.gethostname()}:{os.getpid()}"
    return {"connect_timeout": CONNECT_SECONDS, "application_name": name}


def _locked(connection: Connection, kind: str, study: str) -> None:
    _asked(connection, "SELECT pg_advisory_xact_lock(:key)", kind, study)


def _asked(connection: Connection, question: str, kind: str, study: str) -> Any:  # noqa: ANN401
    from sqlalchemy import text

    return connection.execute(text(question), {"key": _key(kind, study)}).scalar()


def _key(kind: str, study: str) -> int:
    """Eight bytes that stand for a lock, as PostgreSQL numbers them."""
    digest = hashlib.sha256(f"gdexp/{kind}/{study}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _holder(engine: Engine, study: str) -> str:
    """The process that has the lock, by the name that it gave itself."""
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


@contextmanager
def reported(shown: str) -> Iterator[None]:
    """Around what a server does: its errors name the key and the remedy."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ or error
        raise StorageFailed(f"sweep.storage={shown}: {reason(cause)}") from error
