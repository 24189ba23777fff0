"""`+delete`: a run, or a sweep with its study, runs and files; nothing else is touched."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

import gdexp
from gdexp.cli.main import main
from gdexp.tracking import deletion
from gdexp.tracking.record import RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.runs.test_runs import record, swept

SWEEP = ["+sweep", "problem=quadratic", "optimizer.lr=interval(0.5,1.5)", "sweep.n_trials=2"]


def left(folder: Path) -> dict[str, int]:
    """The rows that the database has of runs, by table."""
    with closing(sqlite3.connect(f"file:{folder}/mlflow.db?mode=ro", uri=True)) as connection:
        tables = ("runs", "metrics", "latest_metrics", "params", "tags")
        return {t: connection.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in tables}


@pytest.mark.slow
def test_a_sweep_goes_with_its_study_runs_and_files_and_others_stay(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = record(Store(TrackingSettings()), RunHeader("kept", "run"))
    before, folders = left(here), set((here / "mlartifacts/gdexp").iterdir())
    assert main([*SWEEP, "sweep.seeds=2", "sweep.name=mine"]) == 0
    sweep = gdexp.load_runs().sweep
    assert sweep is not None
    study = here / "sweeps/mine/study.journal"
    (here / "sweeps/mine/note.txt").write_text("of the user's own")
    with (here / "sweeps/mine/.study.journal.held").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main([f"+delete={sweep.run_id}", "yes=true"]) == 75
    capsys.readouterr()
    assert main([f"+delete={sweep.run_id}"]) == 2
    assert "nobody can be asked here; yes=true" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert main([f"+delete={sweep.run_id[:8]}"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "runs 7" in shown  # the sweep, two trials, two seeds of each
    assert "study sweeps/mine/study.journal" in shown
    assert shown.endswith("Nothing was deleted.")
    assert study.exists()
    assert len(gdexp.load_runs(sweep.run_id)) == 4
    removed: list[str] = []
    real = shutil.rmtree

    def killed(path: Path) -> None:
        if len(removed) == 3:
            raise KeyboardInterrupt
        removed.append(str(path))
        real(path)

    monkeypatch.setattr(deletion.shutil, "rmtree", killed)
    assert main([f"+delete={sweep.run_id}", "yes=true"]) != 0
    monkeypatch.setattr(deletion.shutil, "rmtree", real)
    assert not study.exists()
    assert main([f"+delete={sweep.run_id}", "yes=true"]) == 0  # goes on
    assert left(here) == before
    assert set((here / "mlartifacts/gdexp").iterdir()) == folders
    assert os.listdir(here / "sweeps/mine") == ["note.txt"]
    assert [run.run_id for run in gdexp.load_runs()] == [kept]
    assert main([f"+delete={kept}", "yes=true", "output=json"]) == 0
    assert set(left(here).values()) == {0}
    assert main([*SWEEP, "sweep.name=mine"]) == 0  # the name is free again


@pytest.mark.slow
def test_a_part_of_a_sweep_and_what_runs_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(TrackingSettings())
    parent, children = swept(store, 0.5, 4.5)
    running = store.start(RunHeader("running", "run"))
    before = left(here)
    for line, said in (
        ([f"+delete={children[0]}", "yes=true"], f"is a part of {parent[:8]}"),
        ([f"+delete={running}", "yes=true"], "is RUNNING: end its process first"),
        (["+delete"], "must name a run or a sweep"),
        (["+delete=ffffffff", "yes=true"], "no such run"),
        (["yes=true"], "is only read with +delete=RUN_ID"),
        ([f"+delete={parent}", "yes=perhaps"], "yes=perhaps"),
        ([f"+delete={parent}", "optimizer.lr=1"], "comes from the run itself"),
    ):
        assert main(line) == 2
        assert said in capsys.readouterr().err
    assert left(here) == before
    assert main([f"+delete={running}", "yes=true", "delete.killed=true"]) == 0
    assert left(here)["runs"] == before["runs"] - 1
