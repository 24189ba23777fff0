"""Holding a study: one driver at a time, and never in a file that is something else."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdexp.core import BadInput, StorageFailed, StudyHeld, reason, signals
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.settings import STORAGES
from gdexp.tracking import check_server, database_key, has_password, is_postgresql, mask_uri

WORKERS_SECONDS = 10.0
"""Workers whose driver is gone end by themselves, within so long."""


@contextmanager
def held(plan: Plan) -> Iterator[int | None]:
    """Hold the study for this process, and for those that it gives the open lock file to.

    Yields:
        The lock file's descriptor; None where the study is on a server.

    Raises:
        StudyHeld: another process holds it; its pid is named.
        StorageFailed: the folder cannot be written to, or the server cannot be used.
    """
    if plan.served is None:
        with _file(plan, plan.journal) as handle:
            yield handle
        return
    from gdexp.sweeps.study.postgres_storage import held_there

    with held_there(plan.served, plan.name) as holder:
        if holder is not None:
            raise _taken(plan, holder)
        yield None


@contextmanager
def _file(plan: Plan, journal: Path) -> Iterator[int]:
    lock = journal.with_name(f".{journal.name}.held")
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageFailed(f"sweep.storage={journal}: {reason(error)}") from error
    try:
        _lock(plan, handle)
        with contextlib.suppress(OSError):  # the pid is for people alone; the disk may be full
            os.truncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        # The file stays: removing it would let two processes hold two files of one name.
        try:
            yield handle
        finally:
            os.truncate(handle, 0)
    finally:
        os.close(handle)


def _lock(plan: Plan, handle: int) -> None:
    """Take the lock, at once or when the workers of a driver that was killed are gone."""
    until = time.monotonic() + WORKERS_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode().strip()
            if not holder.isdigit() or _there(int(holder)) or time.monotonic() > until:
                raise _taken(plan, holder or "unknown") from None
        else:
            return
        signals.check()
        time.sleep(0.1)


def _there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _taken(plan: Plan, holder: str) -> StudyHeld:
    return StudyHeld(
        f"sweep.name={plan.name}: process {holder} holds this study; wait for it, end it, "
        "or give another sweep.name"
    )


def check_open(plan: Plan) -> None:
    """Refuse a password in an address where a launcher keeps the config of its jobs in files.

    Raises:
        BadInput: names the key, and where the password belongs.
    """
    for key, address in (
        ("sweep.storage", plan.served or ""),
        ("tracking.uri", plan.tracking.mlflow_uri),
    ):
        if has_password(address):
            instead = (
                "~/.pgpass, or the file that PGPASSFILE names"
                if is_postgresql(address)
                else "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
            raise BadInput(
                key,
                mask_uri(address),
                "holds a password, which jobs of a launcher would keep in their files; "
                f"put it in {instead}",
            )


def check_storage(plan: Plan) -> None:
    """Refuse a storage that is something else, before anything is written to it.

    Raises:
        BadInput: MLflow's database, a folder, a file of another kind.
        StorageFailed: it cannot be read, or no server answers.
    """
    if plan.served is not None:
        check_server("sweep.storage", plan.served, STORAGES)
        tracked = plan.tracking.mlflow_uri
        if is_postgresql(tracked) and database_key(tracked) == database_key(plan.served):
            raise BadInput(
                "sweep.storage", mask_uri(plan.served), "is MLflow's database; two are needed"
            )
        return
    path, database = plan.journal, plan.tracking.database
    if database is not None and path.resolve() == database.resolve():
        raise BadInput("sweep.storage", str(path), "is MLflow's database; two files are needed")
    if path.is_dir():
        raise BadInput("sweep.storage", str(path), "is a folder; name a journal file in it")
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageFailed(f"sweep.storage={path}: {reason(error)}") from error
    if first not in (b"", b"{"):
        raise BadInput("sweep.storage", str(path), "is no Optuna journal file; name another")
