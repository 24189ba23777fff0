"""The database file: opened by SQLite alone, whole by itself at the end, and never another one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from gdexp.core.errors import BadInput, StorageChanged
from gdexp.core.process import Process
from gdexp.tracking.database_creation import ensure_database
from gdexp.tracking.database_migration import schema_revision
from gdexp.tracking.mlflow_internals import NEWEST_REVISIONS, engine_of, is_latest
from gdexp.tracking.record import Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from gdexp.tracking.write_ahead_log import begin_log, file_system

MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / /home rw - nfs4 server:/home rw
41 40 0:41 / /home/my\\040disk rw - xfs /dev/vdb rw
42 27 0:42 / /cluster rw - fuse.sshfs far: rw
43 27 0:43 / /cluster rw - tmpfs over rw
"""


def journal_mode(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def count_runs(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def write_run(store: Store) -> str:
    run_id = store.start(RunHeader(name="one", kind="run"))
    store.finish(run_id, Record(metrics={"iterations": 1.0}, artifacts={"a.npy": b"1"}))
    return run_id


def locked_by_others(path: Path) -> bool:
    """Whether another process sees that this one keeps a lock on the database."""
    code = f"""
import sqlite3
import subprocess
import sys
c = sqlite3.connect({str(path)!r}, timeout=0)
try:
    print(c.execute("PRAGMA journal_mode=DELETE").fetchone()[0])
except sqlite3.OperationalError as error:
    print(error)
"""

    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True)
    return done.stdout.strip() == "database is locked"


def test_a_second_store_leaves_the_locks_of_the_first_in_place(here: Path) -> None:
    store = Store(TrackingSettings())
    write_run(store)
    assert journal_mode(here / "mlflow.db") == "wal"
    assert locked_by_others(here / "mlflow.db")
    again = Store(TrackingSettings())
    TrackingSettings().preflight()
    assert locked_by_others(here / "mlflow.db")
    assert engine_of(again.client) is engine_of(store.client)


def test_a_plain_open_would_drop_them(here: Path) -> None:
    """The test above can fail: this is what a plain open does."""
    write_run(Store(TrackingSettings()))
    (here / "mlflow.db").read_bytes()
    assert not locked_by_others(here / "mlflow.db")


def test_a_forked_child_has_connections_of_its_own(here: Path) -> None:
    store = Store(TrackingSettings())
    write_run(store)
    pool = engine_of(store.client).pool
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        own = engine_of(store.client).pool
        os.write(writer, b"own" if own is not pool and own.status().count(": 0") else b"same")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"own"
    assert engine_of(store.client).pool is pool
    assert locked_by_others(here / "mlflow.db")


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt, SystemExit])
def test_at_the_end_the_file_alone_has_everything(
    here: Path, error: type[BaseException] | None
) -> None:
    def command() -> None:
        with Process().running():
            write_run(Store(TrackingSettings()))
            assert (here / "mlflow.db-wal").stat().st_size
            if error is not None:
                raise error

    if error is None:
        command()
    else:
        with pytest.raises(error):
            command()
    assert {path.name for path in here.iterdir()} == {"mlflow.db", "mlartifacts"}
    assert journal_mode(here / "mlflow.db") == "delete"
    shutil.copy(here / "mlflow.db", here / "copy.db")
    assert count_runs(here / "copy.db") == 1


def test_with_a_reader_at_the_end_the_file_alone_has_everything(here: Path) -> None:
    ensure_database(here / "mlflow.db")
    with closing(sqlite3.connect(here / "mlflow.db")) as reader:
        with Process().running():
            write_run(Store(TrackingSettings()))
            reader.execute("SELECT count(*) FROM runs").fetchall()
        assert (here / "mlflow.db-wal").exists()
        shutil.copy(here / "mlflow.db", here / "copy.db")
    assert count_runs(here / "copy.db") == 1


def test_a_child_that_leaves_closes_nothing_of_its_parent(here: Path) -> None:
    with Process().running():
        store = Store(TrackingSettings())
        write_run(store)
        child = os.fork()
        if child == 0:
            try:
                store.settings.preflight()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert locked_by_others(here / "mlflow.db")
        write_run(store)
    assert count_runs(here / "mlflow.db") == 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/mlflow.db", "nfs4"),
        ("/home/my disk/mlflow.db", "xfs"),
        ("/homes/mlflow.db", "ext4"),
        ("/cluster/mlflow.db", "tmpfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_its_mount(
    here: Path, path: str, expected: str
) -> None:
    (here / "mounts").write_text(MOUNTS)
    assert file_system(Path(path), here / "mounts") == expected
    assert file_system(Path(path), here / "none") == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "lustre", "9p", "fuse.sshfs"])
def test_no_log_where_it_does_not_work(here: Path, kind: str) -> None:
    (here / "mounts").write_text(f"27 1 254:0 / / rw - {kind} server rw\n")
    ensure_database(here / "mlflow.db")
    begin_log(here / "mlflow.db")
    warning = begin_log(here / "mlflow.db", here / "mounts")
    assert warning is not None
    assert warning.startswith(f"mlflow.db is on {kind}, where SQLite's write-ahead log does not")
    assert journal_mode(here / "mlflow.db") == "delete"


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "apfs"])
def test_a_log_where_it_works(here: Path, kind: str) -> None:
    (here / "mounts").write_text(f"27 1 254:0 / / rw - {kind} disk rw\n")
    ensure_database(here / "mlflow.db")
    assert begin_log(here / "mlflow.db", here / "mounts") is None
    assert journal_mode(here / "mlflow.db") == "wal"


def replace_by_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def move_away(path: Path) -> None:
    path.rename(path.with_name("moved"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mlflow.db", Path.unlink),
        ("mlflow.db", replace_by_copy),
        ("mlflow.db-wal", Path.unlink),
        ("mlflow.db-shm", Path.unlink),
        ("mlartifacts", shutil.rmtree),
        ("mlartifacts", move_away),
    ],
)
def test_a_file_that_is_taken_away_is_named(
    here: Path, name: str, change: Callable[[Path], object]
) -> None:
    store = Store(TrackingSettings())
    write_run(store)
    write_run(store)
    change(here / name)
    with pytest.raises(StorageChanged, match="was deleted or replaced while it was in use"):
        write_run(store)


def test_what_a_command_closed_is_no_change(here: Path) -> None:
    store = Store(TrackingSettings())
    write_run(store)
    with Process().running():
        write_run(Store(TrackingSettings()))
    write_run(store)
    assert count_runs(here / "mlflow.db") == 3


def test_leftovers_of_a_kill_are_removed(here: Path) -> None:
    (here / ".mlflow.db.999.new").write_text("half")
    (here / ".mlflow.db.999.new-journal").write_text("half")
    ensure_database(here / "mlflow.db")
    assert [path.name for path in here.iterdir()] == ["mlflow.db"]


def test_a_file_that_is_no_database_is_left_as_it_is(here: Path) -> None:
    (here / "mlflow.db").write_text("my notes")
    with pytest.raises(BadInput, match="is not an MLflow database"):
        TrackingSettings().preflight()
    assert (here / "mlflow.db").read_text() == "my notes"


def make_old_database(path: Path, new_database: Path) -> str:
    """Make a database of an earlier MLflow; return the id of its newest migration."""
    import sqlalchemy
    from alembic import command
    from mlflow.store.db import utils

    shutil.copy(new_database, path)
    config = utils._get_alembic_config(f"sqlite:///{path}")
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
        connection.exec_driver_sql("UPDATE experiments SET name = 'old'")
    engine.dispose()
    return str(schema_revision(path))


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_database_of_an_older_mlflow_is_kept_as_a_copy(
    here: Path, new_database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    revision = make_old_database(here / "mlflow.db", new_database)
    before = content(here / "mlflow.db")
    ensure_database(here / "mlflow.db")
    said = capfd.readouterr().err
    assert said == (
        "gdexp: warning: mlflow.db was made by an older MLflow and is converted now; "
        f"mlflow.db.{revision} is a copy of it as it was\n"
    )
    assert content(here / f"mlflow.db.{revision}") == before != content(here / "mlflow.db")
    assert MlflowClient(f"sqlite:///{here}/mlflow.db").get_experiment_by_name("old") is not None
    ensure_database(here / "mlflow.db")
    assert capfd.readouterr().err == ""
    assert len(list(here.iterdir())) == 2


def test_a_database_of_a_newer_mlflow_is_refused(here: Path, new_database: Path) -> None:
    shutil.copy(new_database, here / "mlflow.db")
    with closing(sqlite3.connect(here / "mlflow.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()
    with pytest.raises(BadInput, match="was made by a newer MLflow"):
        ensure_database(here / "mlflow.db")


def test_the_newest_migration_of_a_version_is_the_one_that_is_listed() -> None:
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils
    from mlflow.version import VERSION

    newest = ScriptDirectory.from_config(utils._get_alembic_config("")).get_current_head()
    assert is_latest(newest)
    assert NEWEST_REVISIONS.get(VERSION, newest) == newest
