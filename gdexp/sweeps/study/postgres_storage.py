"""A study on a PostgreSQL server, for workers that share no file system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from optuna.storages import BaseStorage, RDBStorage

from gdexp.sweeps.optuna_internals import with_cache
from gdexp.sweeps.study.postgres_lock import connect_args, server_claim_lock, server_errors
from gdexp.sweeps.study.study_storage import StudyStorage
from gdexp.tracking import masked, with_driver


class PostgresStudyStorage(StudyStorage):
    """Optuna's tables on a server.

    Args:
        uri: `postgresql://…`.

    Raises:
        StorageFailed: the server cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self._shown = masked(uri)
        with self.guard():
            self._tables = RDBStorage(
                with_driver(uri),
                engine_kwargs={"pool_pre_ping": True, "connect_args": connect_args()},
            )
        self._cached = with_cache(self._tables)

    @property
    def inner(self) -> BaseStorage:
        """Return Optuna's storage."""
        return self._cached

    def guard(self) -> AbstractContextManager[None]:
        """Name the server in errors."""
        return server_errors(self._shown)

    @contextmanager
    def claim_lock(self, study_name: str) -> Iterator[None]:
        """Keep all other workers from claiming trials of a study."""
        with self.guard(), server_claim_lock(self._tables.engine, study_name):
            yield
