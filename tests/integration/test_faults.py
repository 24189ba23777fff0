"""Disks, databases and servers that fail: one line, the right status, and nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from scripts.benchmarks.audit import Audit, audit
from tests.integration.conditions import HERE
from tests.support.fork_server import CompletedCommand, ForkServer

TRIALS = 4
SWEEP = [
    *("+sweep", "sweep.name=s", "sweep.sampler=random", "sweep.batch=2"),
    *("stopping.threshold=1e-5", "stopping.max_iterations=3000", f"sweep.n_trials={TRIALS}"),
]
BEGUN = [*SWEEP[:-1], "sweep.n_trials=2"]


@pytest.fixture
def folder(tmp_path: Path, new_database: Path) -> Path:
    """A folder with a database that has no run yet."""
    shutil.copy(new_database, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture(scope="module")
def straight(
    ready: ForkServer, new_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Audit:
    """The sweep where nothing fails."""
    folder = tmp_path_factory.mktemp("straight")
    shutil.copy(new_database, folder / "mlflow.db")
    assert ready.run(*SWEEP, cwd=folder).status == 0
    return look(folder)


def look(folder: Path) -> Audit:
    """What a sweep left there."""
    return audit(folder / "sweeps/s/study.journal", folder / "mlflow.db", TRIALS)


def line(done: CompletedCommand, status: int) -> str:
    """The one line on stderr of a command that ended with this status."""
    assert done.status == status, (done.out, done.err)
    (only,) = done.err.splitlines()
    assert only.startswith("gdexp: error: ")
    assert "Traceback" not in done.out
    return only


FULL = {
    "the journal, at its beginning": ("full", ["study.journal", 3], "study.journal"),
    "the journal, in the middle": ("full", ["study.journal", 8], "study.journal"),
    "an artifact": ("full", ["trace.npy"], "trace.npy"),
    "an artifact, later": ("full", ["final.npy", 4], "final.npy"),
    "the sweep's own files": ("full", ["trials.csv"], "trials.csv"),
    "the database": ("full_database", ["mlflow.db", 150_000], "mlflow.db"),
}


@pytest.mark.parametrize("where", FULL)
def test_a_disk_that_is_full_ends_a_sweep_and_with_room_the_same_command_completes_it(
    ready: ForkServer, folder: Path, straight: Audit, where: str
) -> None:
    condition, given, named = FULL[where]
    said = line(ready.run(*SWEEP, cwd=folder, before=f"{HERE}:{condition}", given=given), 74)
    assert named in said
    assert "room" in said
    assert ready.run(*SWEEP, cwd=folder).status == 0
    after = look(folder)
    assert after.whole, after
    assert after.told == straight.told


@pytest.mark.parametrize(
    ("condition", "given"),
    [("full", ["final.npy"]), ("full_database", ["mlflow.db", 150_000])],
    ids=["an artifact", "the database"],
)
def test_a_disk_that_is_full_ends_a_run(
    ready: ForkServer, folder: Path, condition: str, given: list[object]
) -> None:
    run = ["optimizer.lr=0.001", "stopping.max_iterations=5000"]
    said = line(ready.run(*run, cwd=folder, before=f"{HERE}:{condition}", given=given), 74)
    assert str(given[0]) in said
    assert "room" in said
    assert ready.run(*run, cwd=folder).status == 0
    assert statuses(folder / "mlflow.db") == ["FAILED", "FINISHED"]


def statuses(database: Path) -> list[str]:
    """Of all runs."""
    with closing(sqlite3.connect(database)) as connection:
        return sorted(row[0] for row in connection.execute("SELECT status FROM runs"))


def allow(path: Path, write: bool) -> None:
    """Give the right to write to all that is below, or take it."""
    for each in (path, *path.rglob("*")):
        mode = each.stat().st_mode
        each.chmod(mode | 0o200 if write else mode & ~0o222)


@pytest.mark.parametrize("command", [["optimizer.lr=2"], SWEEP], ids=["run", "sweep"])
def test_a_folder_without_the_right_to_write_is_named_and_nothing_is_made(
    ready: ForkServer, tmp_path: Path, command: list[str]
) -> None:
    allow(tmp_path, False)
    said = line(ready.run(*command, cwd=tmp_path, before=f"{HERE}:bound_by_modes"), 74)
    assert f"the folder {tmp_path} cannot be written to" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", ["mlflow.db", "sweeps", "sweeps/s", "mlartifacts"])
def test_what_lost_the_right_to_write_is_named_and_given_back_the_sweep_goes_on(
    ready: ForkServer, folder: Path, straight: Audit, kept: str
) -> None:
    assert ready.run(*BEGUN, cwd=folder).status == 0
    allow(folder / kept, False)
    said = line(ready.run(*SWEEP, cwd=folder, before=f"{HERE}:bound_by_modes"), 74)
    assert kept in said
    allow(folder / kept, True)
    assert ready.run(*SWEEP, cwd=folder).status == 0
    after = look(folder)
    assert after.whole, after
    assert after.told == straight.told


WRITE = "gdexp.tracking.sql_writer:SqlWriter.write"


def test_a_database_that_another_process_locks_for_a_while_is_waited_for(
    ready: ForkServer, folder: Path, straight: Audit
) -> None:
    done = ready.run(*SWEEP, cwd=folder, before=f"{HERE}:locked_at", given=[WRITE, 0.5, 20_000])
    assert done.status == 0, done.err
    after = look(folder)
    assert after.whole, after
    assert after.told == straight.told


def test_a_database_that_stays_locked_ends_the_sweep_which_later_goes_on(
    ready: ForkServer, folder: Path, straight: Audit
) -> None:
    given = [WRITE, 3, 100]
    said = line(ready.run(*SWEEP, cwd=folder, before=f"{HERE}:locked_at", given=given), 74)
    assert "mlflow.db: another process keeps it locked" in said
    assert ready.run(*SWEEP, cwd=folder).status == 0  # once the lock is gone, if it is not yet
    after = look(folder)
    assert after.whole, after
    assert after.told == straight.told


def damaged(folder: Path) -> None:
    """Half of the pages overwritten, the first ones not."""
    path = folder / "mlflow.db"
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))


def cut(folder: Path) -> None:
    """The second half of the file is gone."""
    os.truncate(folder / "mlflow.db", (folder / "mlflow.db").stat().st_size // 2)


def text(folder: Path) -> None:
    """No database at all."""
    (folder / "mlflow.db").write_text("my thesis")


def of_another_program(folder: Path) -> None:
    """A database of something else."""
    (folder / "mlflow.db").unlink()
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.commit()


@pytest.mark.parametrize("command", [["optimizer.lr=2"], SWEEP], ids=["run", "sweep"])
@pytest.mark.parametrize(
    ("spoil", "status", "words"),
    [
        (damaged, 74, "restore a copy of it, or name another"),
        (cut, 74, "restore a copy of it, or name another"),
        (text, 2, "is not an MLflow database; it is left as it is, name another"),
        (of_another_program, 2, "is a database of something else than MLflow; name another"),
    ],
)
def test_a_file_that_is_no_good_database_is_refused_and_left_as_it_is(
    ready: ForkServer,
    folder: Path,
    command: list[str],
    spoil: Callable[[Path], None],
    status: int,
    words: str,
) -> None:
    spoil(folder)
    before = (folder / "mlflow.db").read_bytes()
    said = line(ready.run(*command, cwd=folder), status)
    assert "mlflow.db" in said
    assert words in said
    assert (folder / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize("there", [True, False])
def test_one_file_for_mlflow_and_optuna_is_refused(
    ready: ForkServer, folder: Path, there: bool
) -> None:
    if not there:
        (folder / "mlflow.db").unlink()
    said = line(ready.run(*SWEEP, "sweep.storage=mlflow.db", cwd=folder), 2)
    assert "is MLflow's database; two files are needed" in said
    assert [path.name for path in folder.iterdir()] == ["mlflow.db"] * there


def test_a_journal_with_a_spoilt_line_is_named(ready: ForkServer, folder: Path) -> None:
    assert ready.run(*BEGUN, cwd=folder).status == 0
    journal = folder / "sweeps/s/study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b"\x00\xff" * 20 + b"\n", *lines[5:]]))
    said = line(ready.run(*SWEEP, cwd=folder), 74)
    assert "study.journal" in said
    assert "restore a copy of it, or give another sweep.name" in said
