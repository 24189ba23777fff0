"""What others wrote is read strictly, named where it is not used, and changes nothing here."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdexp import load_runs
from gdexp.cli.main import main
from gdexp.core.errors import StorageFailed
from gdexp.core.regular_file import open_regular, read_regular
from gdexp.reruns.reference import DamagedReference
from gdexp.reruns.reference_reader import reference_of_run
from gdexp.runs.artifact_reader import AlteredRun, UnreadableRun
from gdexp.tracking.record import MANIFEST, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.runs.test_runs import record


@pytest.fixture
def run(here: Path) -> str:
    """The id of a run recorded here."""
    return record(Store(TrackingSettings()), RunHeader("one", "run"))


def folder(here: Path) -> Path:
    """The artifacts of the only run."""
    (found,) = here.glob("mlartifacts/*/*/artifacts")
    return found


def other_losses(path: Path) -> None:
    """A trace of the same length with other losses."""
    np.save(path, np.load(path) / 2)


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def a_link_out(path: Path) -> None:
    outside = path.parents[4].parent / "outside.npy"
    path.rename(outside)
    path.symlink_to(outside)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_huge_file(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate((1 << 30) + 1)


SPOILT = [
    (other_losses, "its trace.npy was altered: manifest.json lists another sha256"),
    (a_fifo, "its trace.npy cannot be read (is no regular file)"),
    (a_device, "its trace.npy cannot be read (lies outside of the store)"),
    (a_link_out, "its trace.npy cannot be read (lies outside of the store)"),
    (a_folder, "its trace.npy cannot be read (is no regular file)"),
    (a_huge_file, "its trace.npy cannot be read (is larger than 1,073,741,824 bytes)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_a_spoilt_trace_is_named_and_not_used(
    run: str, here: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(folder(here) / "trace.npy")
    (loaded,) = load_runs(run)
    with pytest.raises(UnreadableRun) as error:
        _ = loaded.trace
    assert str(error.value) == said
    assert loaded.why_not_comparable() == said
    with pytest.raises(DamagedReference, match=r"trace\.npy"):
        reference_of_run(loaded)


def test_only_a_check_finds_an_altered_trace_and_it_can_be_left_out(run: str, here: Path) -> None:
    before = load_runs(run)[0].trace
    other_losses(folder(here) / "trace.npy")
    with pytest.raises(AlteredRun):
        _ = load_runs(run)[0].trace
    assert load_runs(run, verify=False)[0].trace.tobytes() == (before / 2).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["final.npy", "initial.npy", "config.yaml"])
def test_every_file_of_the_record_is_checked(run: str, here: Path, name: str) -> None:
    path = folder(here) / name
    path.write_bytes(path.read_bytes().replace(b"matrix", b"ols   ")[:-1] + b"\n")
    with pytest.raises(AlteredRun, match=f"its {name} was altered"):
        getattr(load_runs(run)[0], name.partition(".")[0])


def test_a_record_without_a_manifest_is_not_used(run: str, here: Path) -> None:
    (folder(here) / MANIFEST).unlink()
    with pytest.raises(UnreadableRun, match=r"holds no manifest.json, so its trace.npy cannot be"):
        _ = load_runs(run)[0].trace


@pytest.mark.slow
def test_compare_names_the_altered_runs_and_uses_the_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(TrackingSettings())
    good, bad = (record(store, RunHeader(name, "run")) for name in ("good", "bad"))
    other_losses(next(here.glob(f"mlartifacts/*/{bad}/artifacts")) / "trace.npy")
    assert main([f"+compare=[{good},{bad}]"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{bad[:8]}" in said
    assert "its trace.npy was altered" in said
    assert main([f"+export={bad}", "export.folder=x"]) == 4
    assert "trace.npy is not the file of its sha256" in capsys.readouterr().err
    assert not (here / "x").exists()


def test_an_address_outside_of_the_store_is_not_followed(
    run: str, here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "artifacts"
    folder(here).rename(elsewhere)
    with sqlite3.connect(here / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (elsewhere.as_uri(),))
    connection.close()
    (loaded,) = load_runs(run)
    with pytest.raises(UnreadableRun, match="lies outside of the store"):
        _ = loaded.trace


@pytest.mark.slow
@pytest.mark.parametrize("text", ["²", "٣", "9" * 5_000, "-1", "1e3", "x", ""])
def test_a_tag_that_is_no_count_is_none(here: Path, text: str) -> None:
    store = Store(TrackingSettings())
    tags = {"gdexp.trial": text, "gdexp.seed": text}
    parent = store.start(RunHeader("s", "sweep"))
    store.start(RunHeader("t", "trial", parent, tags))
    store.end(parent, "FINISHED")
    (found,) = load_runs(parent)
    assert found.trial is None


def test_tags_are_bounded(run: str, here: Path) -> None:
    with sqlite3.connect(here / "mlflow.db") as connection:
        connection.execute("INSERT INTO tags VALUES ('long', ?, ?)", ("x" * 100_000, run))
    connection.close()
    assert len(load_runs(run)[0].tags["long"]) == 8_000


def state() -> dict[str, Any]:
    """What a library must leave alone."""
    names = [None, *logging.root.manager.loggerDict]
    loggers = [logging.getLogger(name) for name in names]
    return {
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "loggers": {each: (each.level, each.propagate, [*each.handlers]) for each in loggers},
        "factory": logging.getLogRecordFactory(),
        "disabled": logging.root.manager.disable,
        "folder": Path.cwd(),
        "hook": sys.excepthook,
    }


@pytest.mark.slow
def test_the_caller_s_process_is_left_as_it_was(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    monkeypatch.setattr(logging.getLogger("mlflow"), "level", logging.INFO)
    before = state()
    (loaded,) = load_runs(run)
    _ = loaded.trace, loaded.final, loaded.config, loaded.f_star
    assert state() == before


FIRST = """
import logging, os, sys, warnings
from gdexp import load_runs  # torch and NumPy set filters when they are imported
before = dict(os.environ), list(warnings.filters), logging.root.level, list(logging.root.handlers)
assert "mlflow" not in sys.modules
(run,) = load_runs(sys.argv[1])
run.trace
after = dict(os.environ), list(warnings.filters), logging.root.level, list(logging.root.handlers)
assert before[0] == after[0], set(after[0].items()) ^ set(before[0].items())
assert before[1] == after[1], after[1]
assert before[2:] == after[2:]
assert logging.getLogger("mlflow").level != logging.ERROR
"""


@pytest.mark.slow
def test_also_where_the_caller_never_imported_mlflow(run: str) -> None:
    subprocess.run([sys.executable, "-c", FIRST, run], check=True, timeout=120)


def test_a_device_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    with pytest.raises(ValueError, match="no regular file"):
        read_regular(Path("/dev/zero"), 100)


def test_a_link_inside_the_store_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b", 3, [tmp_path]) == b"abc"
    with pytest.raises(ValueError, match="larger than 2 bytes"):
        read_regular(tmp_path / "b", 2, [tmp_path])
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "c", 2, [tmp_path])


def test_a_sweep_whose_shards_lie_elsewhere_is_refused(here: Path) -> None:
    store = Store(TrackingSettings())
    parent = store.start(RunHeader("s", "sweep", tags={"gdexp.children": "best:1"}))
    store.end(parent, "FINISHED")
    with sqlite3.connect(here / "mlflow.db") as connection:
        connection.execute("UPDATE runs SET artifact_uri = 'file:///usr'")
    connection.close()
    with pytest.raises(StorageFailed, match="its artifacts lie outside of the store"):
        load_runs(parent)
