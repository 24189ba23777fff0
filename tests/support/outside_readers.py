"""Programs that open and close the database beside a sweep: nothing of the sweep may be lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.support.fork_server import ForkServer

HERE = "tests.support.outside_readers"
PAUSE_SECONDS = 0.1
QUERY = "SELECT count(*) FROM runs"


@contextmanager
def outside_readers(server: ForkServer, folder: Path) -> Iterator[None]:
    """Let three programs open and close `mlflow.db` ten times a second inside the block.

    They are the program `sqlite3` (or Python's module), `load_runs`, and MLflow's own store, as
    each request of an `mlflow ui` without a pool of connections uses it.
    """
    counts = {name: folder.parent / f"{folder.name}.{name}" for name in ("load_runs", "mlflow")}
    program = shutil.which("sqlite3")
    line = [program] if program else [sys.executable, "-S", "-m", HERE]
    command = (
        f'while :; do [ -e mlflow.db ] && "$@" mlflow.db "{QUERY}"; sleep {PAUSE_SECONDS}; done'
    )
    readers: list[subprocess.Popen[bytes]] = []
    forked = [
        server.start(cwd=folder, before=f"{HERE}:read_by_{name}", given=[str(path)])
        for name, path in counts.items()
    ]
    with (folder.parent / f"{folder.name}.sqlite3").open("wb") as said:
        readers.append(
            subprocess.Popen(["sh", "-c", command, "sh", *line], cwd=folder, stdout=said)
        )
        try:
            yield
        finally:
            for reader in readers:
                reader.kill()
                reader.wait()
            for each in forked:
                each.kill()
                each.wait()
    for path in (*counts.values(), folder.parent / f"{folder.name}.sqlite3"):
        assert path.stat().st_size, f"{path.suffix[1:]} never read the database"


def check_sweep(folder: Path, trials: int) -> None:
    """Check that all trials of the sweep `s` are whole, in a copy of the database file alone."""
    copy = folder.parent / f"{folder.name}.db"
    shutil.copy(folder / "mlflow.db", copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = (
            "SELECT count(*) FROM runs JOIN tags USING (run_uuid) WHERE status = 'FINISHED' "
            "AND tags.key = 'gdexp.kind' AND tags.value = 'trial'"
        )
        assert connection.execute(query).fetchone() == (trials,)
        assert connection.execute(QUERY).fetchone() == (trials + 1,)


def open_plainly() -> None:
    """Let this process open the database as a plain file too, which drops SQLite's locks."""
    from gdexp.tracking.settings import TrackingSettings

    preflight = TrackingSettings.preflight

    def opening(self: TrackingSettings, reading: bool = False) -> None:
        preflight(self, reading)
        with suppress(FileNotFoundError), open("mlflow.db", "rb") as file:
            file.read(16)

    TrackingSettings.preflight = opening  # type: ignore[method-assign]


def read_by_load_runs(count: str) -> None:
    """Load the runs of the store here again and again."""
    from gdexp import load_runs
    from gdexp.core.errors import GdexpError

    for _ in _again(count):
        with suppress(GdexpError):
            load_runs()


def read_by_mlflow(count: str) -> None:
    """Search the runs of the store here again and again by MLflow's own store."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for _ in _again(count):
        with suppress(MlflowException):
            store = SqlAlchemyStore("sqlite:///mlflow.db", "mlartifacts")  # type: ignore[no-untyped-call]
            store.search_experiments()  # type: ignore[no-untyped-call]


def _again(count: str) -> Iterator[None]:
    """Yield for ever, once the database is there; close what was opened after each turn."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    while True:
        if Path("mlflow.db").exists():
            yield
            for engine in SqlAlchemyStore._engine_map.values():
                engine.dispose()
            with open(count, "a") as file:
                file.write(".")
        time.sleep(PAUSE_SECONDS)
        if os.getppid() == 1:
            os._exit(0)  # the test was killed


if __name__ == "__main__":
    with closing(sqlite3.connect(sys.argv[1])) as reader:
        print(*reader.execute(sys.argv[2]).fetchone())
