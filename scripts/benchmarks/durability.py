"""What checks and durability add to the default sweep, and what outside readers take from one."""

from __future__ import annotations

import itertools
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

from tests.support.fork_server import ForkServer

from . import outside_readers
from .measure import Figure, by_turns, figure, ratios

if TYPE_CHECKING:
    from gdexp.sweeps.plan import Plan

MOST = 1.10
OFF = "scripts.benchmarks.durability:off"


def run(rounds: int) -> list[Figure]:
    """The default sweep into an existing database, by turns; then sweeps beside readers."""
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        folder, numbers = Path(name) / "sweeps", itertools.count()
        folder.mkdir()

        def swept(before: str) -> float:
            done = ready.run("+sweep", f"sweep.name=s{next(numbers)}", cwd=folder, before=before)
            if done.status:
                raise RuntimeError(f"the sweep ended with status {done.status}: {done.err}")
            return done.seconds

        times = by_turns({"with": lambda: swept(""), "without": lambda: swept(OFF)}, rounds)
    both = [sorted(each)[len(each) // 2] for each in times.values()]
    return [
        figure(
            "default sweep: all checks and durability / without them",
            ratios(times["with"], times["without"]),
            MOST,
            note=f"{both[0]:.2f} s, {both[1]:.2f} s",
        ),
        *outside_readers.run(),
    ]


def off() -> None:
    """Switch off, in this process, what guards against bad input, kills and other processes.

    That is: every fsync, SQLite's included; locks of study and journal; the checks of store,
    study and space before the sweep; recovery; the manifests' digests.
    """
    from optuna.storages.journal import JournalFileOpenLock
    from sqlalchemy import Engine, event

    import gdexp.sweeps.driver as driver
    import gdexp.sweeps.opened_sweep as opened_sweep
    import gdexp.tracking.record as record
    from gdexp.sweeps.plan import Plan
    from gdexp.tracking.settings import TrackingSettings
    from gdexp.tracking.sqlite_pool import SqlitePool

    def nothing(*args: object, **kwargs: object) -> None:
        """Do nothing."""

    def unlocked(*args: object) -> bool:
        return True

    os.fsync = nothing
    for owner, name in (
        (TrackingSettings, "preflight"),
        (Plan, "_check_space"),
        (driver, "check_storage"),
        (opened_sweep, "wait_for_other_workers"),
    ):
        setattr(owner, name, nothing)
    setattr(driver, "recover_trials", lambda *args: 0)  # noqa: B010
    setattr(driver, "study_lock", _free)  # noqa: B010
    for name in ("acquire", "release"):
        setattr(JournalFileOpenLock, name, unlocked)
    setattr(record, "manifest", lambda artifacts: b"{}")  # noqa: B010

    @event.listens_for(Engine, "connect")
    def careless(connection: object, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")  # type: ignore[attr-defined]

    opened = SqlitePool._open

    def opened_carelessly(self: SqlitePool) -> Connection:
        connection = opened(self)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    SqlitePool._open = opened_carelessly  # type: ignore[method-assign]


def _free(plan: Plan) -> nullcontext[None]:
    """The study's folder, which its lock makes otherwise, without the lock."""
    plan.journal.parent.mkdir(parents=True, exist_ok=True)
    return nullcontext()
