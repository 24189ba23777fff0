"""A folder with a store and its studies works where it is moved, copied, packed or read-only."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.test_earlier_versions import BEGUN
from tests.integration.test_earlier_versions import SWEEPS as EARLIER
from tests.support.commands import environment, gdexp, one_error_line, start
from tests.support.read_only import HERE, is_possible

SWEEP = (
    *("+sweep", "optimizer.lr=tag(log,interval(0.5,4))", "stopping.max_iterations=300"),
    "sweep.sampler=random",
)
ROWS = (*SWEEP, "sweep.name=rows", "tracking.children=best:1")
ELSEWHERE = Path("/gdexp-test/before")
"""A folder that does not exist, in which a store may once have been."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, a sweep without a name, and one with rows; tests use copies of it."""
    folder = tmp_path_factory.mktemp("made")
    gdexp(cwd=folder)
    gdexp(*SWEEP, "sweep.n_trials=3", cwd=folder)
    gdexp(*ROWS, "sweep.n_trials=4", cwd=folder)
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "a copy")


def moved(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "first")
    return (tmp_path / "first").rename(tmp_path / "second")


def zipped(made: Path, tmp_path: Path) -> Path:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", made)
    shutil.unpack_archive(packed, tmp_path / "unpacked")
    return tmp_path / "unpacked"


def copied(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "copied")


def content(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(database: Path, query: str, *values: object) -> list[tuple[str, ...]]:
    """What a query of the database gives; a change is committed."""
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(query, values).fetchall()


def sweep_id(folder: Path, name: str) -> str:
    return rows(folder / "mlflow.db", "SELECT run_uuid FROM runs WHERE name GLOB ?", name)[0][0]


def make_absolute(folder: Path, before: Path) -> None:
    """Write absolute addresses into a store, as earlier versions did in the folder `before`."""
    for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
        query = f"UPDATE {table} SET {column} = ? || {column}"
        rows(folder / "mlflow.db", query, f"{before.as_uri()}/")


def addresses(folder: Path) -> set[str]:
    """Every address in a store, with what comes after `mlartifacts` left out."""
    found = rows(
        folder / "mlflow.db",
        "SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM experiments",
    )
    return {re.sub("mlartifacts/.*", "mlartifacts", address) for (address,) in found}


def test_the_tables_and_studies_hold_no_path(made: Path) -> None:
    assert addresses(made) == {"mlartifacts"}
    holders = [made / "mlflow.db", *made.glob("sweeps/*/study.journal")]
    assert not [path.name for path in holders if str(made).encode() in path.read_bytes()]


@pytest.mark.parametrize("way", [moved, zipped, copied])
def test_elsewhere_everything_goes_on_and_the_original_is_left_alone(
    way: Callable[[Path, Path], Path], made: Path, tmp_path: Path
) -> None:
    before = content(made)
    folder = way(made, tmp_path)
    again = gdexp(f"+rerun={sweep_id(folder, 'rows')}", "rerun_all=true", cwd=folder)
    assert "4 identical" in again.stdout
    if way is copied:
        assert "report" in gdexp("+compare", cwd=folder).stdout
        assert "report.html" in "".join(content(folder / "mlartifacts"))
        gdexp(cwd=folder)
        for sweep, begun in ((SWEEP, 3), (ROWS, 4)):
            printed = gdexp(*sweep, "sweep.n_trials=5", cwd=folder).stdout
            assert f"{begun} of 5 trials are there" in " ".join(printed.split())
        assert addresses(folder) == {"mlartifacts"}
        assert len(list(folder.glob("sweeps/*"))) == 2
    assert content(made) == before


def test_a_command_from_another_directory_uses_the_folder_of_the_database(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gdexp import load_runs

    monkeypatch.chdir(tmp_path)
    copy.rename("store")
    before = len(content(tmp_path / "store/mlartifacts"))
    said = gdexp("tracking.uri=sqlite:///store/mlflow.db", cwd=tmp_path).stdout
    look = "python -m gdexp.ui tracking.uri=sqlite:///store/mlflow.db then open"
    assert look in " ".join(said.split())
    runs = load_runs(uri="sqlite:///store/mlflow.db")
    assert all(run.trace.size == run.iterations + 1 for run in runs)
    assert len(content(tmp_path / "store/mlartifacts")) > before
    assert os.listdir() == ["store"]


def test_mlflow_gc_in_a_copy_leaves_the_files_of_the_original(made: Path, copy: Path) -> None:
    before = content(made)
    run_id = sweep_id(copy, "matrix gd*")
    assert (copy / "mlartifacts/gdexp" / run_id).is_dir()
    rows(
        copy / "mlflow.db",
        "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1 WHERE run_uuid = ?",
        run_id,
    )
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", "sqlite:///mlflow.db"]
    command += ["--tracking-uri", "sqlite:///mlflow.db"]
    subprocess.run(
        [*command, "--run-ids", run_id],
        cwd=copy,
        env=environment() | {"PYTHONWARNINGS": "ignore"},
        check=True,
        capture_output=True,
    )
    assert not (copy / f"mlartifacts/gdexp/{run_id}/artifacts/trace.npy").exists()
    assert content(made) == before


@pytest.mark.parametrize("original", ["is gone", "is there"])
def test_an_earlier_store_is_read_where_it_was_copied_and_converted_once(
    original: str, made: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gdexp import load_runs

    make_absolute(copy, made if original == "is there" else ELSEWHERE)
    before, database = content(made), (copy / "mlflow.db").read_bytes()
    monkeypatch.chdir(copy)
    assert all(run.home.startswith(copy.as_uri()) for run in load_runs())
    assert (copy / "mlflow.db").read_bytes() == database
    assert "the artifacts of 9 runs are addressed relative" in gdexp(cwd=copy).stderr
    assert addresses(copy) == {"mlartifacts"}
    assert not gdexp("+rerun", cwd=copy).stderr
    assert content(made) == before


def test_a_database_that_was_copied_alone_reads_the_original_and_does_not_write_there(
    made: Path, copy: Path
) -> None:
    make_absolute(copy, made)
    shutil.rmtree(copy / "mlartifacts")
    before = content(made)
    assert "identical" in gdexp("+rerun", cwd=copy).stdout
    assert addresses(copy) == {"mlartifacts", f"{made.as_uri()}/mlartifacts"}
    assert content(made) == before


def test_a_folder_of_version_0_1_0_goes_on_elsewhere(tmp_path: Path) -> None:
    with tarfile.open(Path(__file__).parents[1] / "data/earlier/0.1.0.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    for name in ("matrix-gd-d1fe2f9b", "rows"):
        begun, command = BEGUN[name], EARLIER[name]
        said = gdexp(*command, f"sweep.n_trials={begun + 1}", cwd=tmp_path).stdout
        assert f"{begun} of {begun + 1} trials are there" in " ".join(said.split())
    assert addresses(tmp_path) == {"mlartifacts"}


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_in_a_read_only_folder_runs_are_compared_and_rerun_without_a_record(
    mode: str, copy: Path
) -> None:
    if not is_possible(copy):
        assert os.environ.get("CI") != "true", "CI must allow a process to mount a folder"
        pytest.skip("a process may not mount a folder for itself here")
    rows(copy / "mlflow.db", f"PRAGMA journal_mode={mode}")
    before = content(copy)
    mount = {"before": f"{HERE}:mount_read_only", "given": [str(copy)]}
    compared = start("+compare", cwd=copy, **mount)
    again = start("+rerun", cwd=copy, **mount)
    refused = start(cwd=copy, **mount)
    out, err = compared.communicate()
    assert "no report: the folder for it is read-only" in out, err
    out, err = again.communicate()
    assert "verdict identical" in " ".join(out.split()), err
    assert "recorded no, mlflow.db is read-only" in " ".join(out.split())
    out, err = refused.communicate()
    assert (refused.returncode, err.count("\n")) == (74, 1)
    assert content(copy) == before


@pytest.mark.server
def test_the_ui_shows_the_files_of_a_read_only_folder(copy: Path) -> None:
    if not is_possible(copy):
        assert os.environ.get("CI") != "true", "CI must allow a process to mount a folder"
        pytest.skip("a process may not mount a folder for itself here")
    rows(copy / "mlflow.db", "PRAGMA journal_mode=WAL")
    mount = {"before": f"{HERE}:mount_read_only", "given": [str(copy)]}
    process = start(cwd=copy, module="gdexp.ui", **mount)
    try:
        while "\nCtrl-C" not in (said := process.written()[0]):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        printed = next(line for line in said.splitlines() if line.startswith("http"))
        address = printed.partition("/#")[0].strip()
        run_id = sweep_id(copy, "matrix gd*")
        page = f"{address}/get-artifact?path=trace.npy&run_uuid={run_id}"
        with urllib.request.urlopen(page) as answer:
            stored = copy / f"mlartifacts/gdexp/{run_id}/artifacts/trace.npy"
            assert answer.read() == stored.read_bytes()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def test_a_folder_with_an_odd_name_works(tmp_path: Path) -> None:
    folder = tmp_path / "a #1 größe 100% 'x' a:b"
    folder.mkdir()
    gdexp(*SWEEP, "sweep.n_trials=2", cwd=folder)
    assert "identical" in gdexp("+rerun", cwd=folder).stdout
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", [b"what?", b"x%41", b"\xff\xfe"])
def test_a_folder_whose_name_cannot_be_used_is_refused_before_anything_is_written(
    name: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    for arguments in ((), (*SWEEP, "sweep.n_trials=2")):
        error = one_error_line(gdexp(*arguments, cwd=folder, expect=2))
        assert error.startswith("tracking.uri=")
        assert "rename the folder" in error
    assert not list(folder.iterdir())
    assert os.listdir(os.fsencode(tmp_path)) == [name]
