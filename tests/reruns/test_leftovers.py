"""What a killed rerun or export leaves, and that it does not stand in the way of the next."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gdexp.core.errors import StorageFailed
from gdexp.reruns.export_folder import write_folder
from gdexp.reruns.rerun_recorder import PROCESS_TAG, _machine, _process
from gdexp.tracking.record import RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.reruns.conftest import Ask


def ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.slow
def test_the_run_of_a_killed_rerun_ends_with_the_next_one(ask: Ask, here: Path) -> None:
    ask("stopping.threshold=1e-3")
    store = Store(TrackingSettings())
    dead = {PROCESS_TAG: f"{_machine()} {ended_process()} 7"}
    # Another process has the number of this one's parent now.
    reused = {PROCESS_TAG: f"{_process()}1"}
    elsewhere = {PROCESS_TAG: f"0123456789abcdef {ended_process()} 7"}
    alive = {PROCESS_TAG: _process()}
    runs = [
        store.start(RunHeader("rerun", "rerun", tags=tags))
        for tags in (dead, reused, elsewhere, alive, {})
    ]
    ask("+rerun")
    states = [store.client.get_run(run).info.status for run in runs]
    assert states == ["KILLED", "KILLED", "RUNNING", "RUNNING", "RUNNING"]
    assert len(store.client.search_runs([store.experiment_id], "attributes.status='FINISHED'")) == 2


def test_an_export_is_whole_or_not_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a": b"1", "b": b"2"}
    write = Path.write_bytes

    def fail_at_b(path: Path, content: bytes) -> int:
        if path.name == "b":
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail_at_b)
        with pytest.raises(StorageFailed):
            write_folder(here / "out/run", files, "out/run")
    assert list((here / "out").iterdir()) == []
    left = here / f"out/.run.{ended_process()}.unfinished"
    left.mkdir()
    (left / "a").write_bytes(b"1")
    write_folder(here / "out/run", files, "out/run")
    assert [path.name for path in (here / "out").iterdir()] == ["run"]
    assert {path.name: path.read_bytes() for path in (here / "out/run").iterdir()} == files


def test_an_empty_folder_takes_an_export(here: Path) -> None:
    (here / "run").mkdir()
    write_folder(here / "run", {"a": b"1"}, "run")
    assert (here / "run/a").read_bytes() == b"1"
