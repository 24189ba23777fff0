"""Creating MLflow's database in SQLite so that neither a kill nor a second start can damage it.

MLflow itself applies its migrations without a lock: two processes that create one database at once
can leave it unusable for ever. Here the database is created in a temporary file, under a lock, and
then renamed. Under its own name it is absent or complete.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdexp.tracking import mlflow_internals
from gdexp.tracking.database_check import check_tables
from gdexp.tracking.database_connection import use_write_ahead_log


def ensure_database(path: Path) -> None:
    """Create the database when there is none; wait while another process creates it.

    Raises:
        BadInput: the file is a SQLite database of another program.
        StorageFailed: the file cannot be written.
    """
    if path.exists() and path.stat().st_size:
        check_tables(path)
        return
    with _lock(path.parent):
        if path.exists() and path.stat().st_size:
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            mlflow_internals.create_database(temporary, (path.parent / "mlartifacts").as_uri())
            use_write_ahead_log(temporary)
            temporary.replace(path)
        finally:
            for leftover in path.parent.glob(temporary.name + "*"):
                leftover.unlink(missing_ok=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Lock a folder: this needs no lock file, and the lock ends with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
