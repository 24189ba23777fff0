"""The lock of a study: one driver at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdexp.core import StorageFailed, StudyInUse, failure_reason, process_exists, signals
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.journal_check import held_file

WORKERS_SECONDS = 10.0
"""Workers whose driver was killed end by themselves within this time."""


@contextmanager
def study_lock(plan: Plan) -> Iterator[int | None]:
    """Hold the study for this process, and for the processes that it gives the lock file to.

    Yields:
        The lock file's descriptor; None where the study is on a server.

    Raises:
        StudyInUse: another process holds it; its pid is named.
        StorageFailed: the folder cannot be written to, or the server cannot be used.
    """
    if plan.storage_server is None:
        with _file_lock(plan, plan.journal) as handle:
            yield handle
        return
    from gdexp.sweeps.study.postgres_lock import server_lock

    with server_lock(plan.storage_server, plan.name) as holder:
        if holder is not None:
            raise _held(plan, holder)
        yield None


@contextmanager
def _file_lock(plan: Plan, journal: Path) -> Iterator[int]:
    lock = held_file(journal)
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageFailed(f"sweep.storage={journal}: {failure_reason(error)}") from error
    try:
        _take(plan, handle)
        with contextlib.suppress(OSError):  # only people read the pid, and the disk may be full
            os.truncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        # The file stays: removing it would let two processes hold two files of one name.
        try:
            yield handle
        finally:
            os.truncate(handle, 0)
    finally:
        os.close(handle)


def _take(plan: Plan, handle: int) -> None:
    """Take the lock; wait for workers whose driver was killed."""
    until = time.monotonic() + WORKERS_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode().strip()
            if not holder.isdigit() or process_exists(int(holder)) or time.monotonic() > until:
                raise _held(plan, holder or "unknown") from None
        else:
            return
        signals.check()
        time.sleep(0.1)


def _held(plan: Plan, holder: str) -> StudyInUse:
    return StudyInUse(
        f"sweep.name={plan.name}: process {holder} holds this study; wait for it, end it, "
        "or give another sweep.name"
    )
