"""`+compare` as a user types it: a sweep, a list, and everything that is none."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient

from gdexp import load_runs
from gdexp.cli.main import main
from gdexp.tracking.record import RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.runs.test_runs import record, swept
from tests.support.commands import gdexp, one_error_line


def compare(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `+compare` prints, its exit status checked."""
    capsys.readouterr()
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_a_sweep_is_compared_and_the_report_is_kept_with_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(TrackingSettings())
    parent, children = swept(store, 0.5, 4.5, 9.5, 2.0)
    out = compare(capsys, "+compare")
    assert "1 iteration (trial 1, converged" in out
    assert "python -m gdexp optimizer.lr=4.5" in out
    assert all(child[:8] in out for child in children)
    assert max(map(len, out.splitlines()[:-1])) <= 80
    client = MlflowClient(tracking_uri=f"sqlite:///{here}/mlflow.db")
    kept = {entry.path for entry in client.list_artifacts(parent, "compare")}
    assert {"compare/report.html", "compare/loss.png", "compare/iterations_by_lr.png"} <= kept
    assert (here / out.splitlines()[-1]).read_text().startswith("<!doctype html>")
    assert not (here / "compare").exists()
    assert client.get_run(parent).info.status == "FINISHED"


def test_a_list_is_compared_side_by_side_and_its_report_is_written_here(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(TrackingSettings())
    first = record(store, RunHeader("one", "run"))
    second = record(store, RunHeader("two", "run"), **{"optimizer.lr": 2.0, "seed": 3})
    out = compare(capsys, f"+compare=[{first},{second[:10]}]")
    shown = [" ".join(line.split()) for line in out.splitlines()]
    assert "optimizer.lr 1 2" in shown
    assert "seed 0 3" in shown
    assert not any(line.startswith("stopping.threshold") for line in shown)
    folder = here / "compare" / f"{first[:8]}-{second[:8]}"
    assert (folder / "report.html").exists()
    assert out.splitlines()[-1] == str((folder / "report.html").relative_to(here))
    before = sorted(path.name for path in folder.iterdir())
    compare(capsys, f"+compare={first},{second}")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert [path.name for path in (here / "compare").iterdir()] == [folder.name]


def test_runs_that_cannot_be_compared_are_left_out_with_a_reason(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(TrackingSettings())
    one = record(store, RunHeader("one", "run"))
    two = record(store, RunHeader("two", "run"), **{"optimizer.lr": 2.0})
    running = store.start(RunHeader("three", "run"))
    foreign = store.client.create_run(store.experiment_id).info.run_id
    store.client.set_terminated(foreign)
    out = compare(capsys, f"+compare=[{one},{two},{running},{foreign}]")
    shown = " ".join(out.split())
    assert f"left out {running[:8]}: is still running" in shown
    assert f"left out {foreign[:8]}: holds no trace.npy (not recorded by gdexp)" in shown
    assert len(load_runs()) == 4


def test_without_an_id_it_is_the_newest_sweep_or_run_and_says_which(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(TrackingSettings())
    before = record(store, RunHeader("before", "run"))
    out = compare(capsys, "+compare")
    assert f"run {before[:8]} before, the newest here" in " ".join(out.split())
    parent, _ = swept(store, 0.5, 4.5)
    assert "sweep a sweep, the newest here" in " ".join(compare(capsys, "+compare").split())
    assert main(["+rerun", "rerun.record=false"]) == 0
    assert f"{parent[:8]}, the newest here, its best" in " ".join(capsys.readouterr().out.split())
    after = record(store, RunHeader("after", "run"))
    assert main(["+rerun", "rerun.record=false"]) == 0
    assert f"run {after[:8]}, the newest here" in " ".join(capsys.readouterr().out.split())
    store.reopen(parent)  # as a sweep that goes on
    store.end(parent, "FINISHED")
    assert "sweep a sweep, the newest here" in " ".join(compare(capsys, "+compare").split())


@pytest.mark.parametrize("given", ["0123456789abcdef0123456789abcdef", "1e10", "00000012", "nope"])
def test_an_unknown_id_is_one_line_that_names_it(
    here: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    known = record(Store(TrackingSettings()), RunHeader("alone", "run"))
    if known.startswith(given):
        return
    before = files(here)
    assert main([f"+compare={given}"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"gdexp: error: +compare={given}: ")
    assert "mlflow runs list" in said.err
    assert len(said.err.splitlines()) == 1
    assert files(here) == before


def files(folder: Path) -> set[str]:
    """The names in a folder, but for SQLite's own beside an open database."""
    return {name for name in os.listdir(folder) if not name.startswith("mlflow.db-")}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("+compare=", r"\+compare: must name tracked runs"),
        ("+compare=[]", r"must name tracked runs"),
        ("+compare=${oc.env:HOME}", r"must name tracked runs"),
        ("+compare compare.rows=0", r"compare\.rows=0: must be an integer"),
        ("+compare compare.thresholds=[]", r"compare\.thresholds="),
        ("+compare compare.row=1", r"did you mean compare\.rows"),
        ("+compare +inspect", r"one command at a time"),
        ("+compare tracking.experiment=other", r"no such experiment"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], line: str, wanted: str
) -> None:
    Store(TrackingSettings())
    assert main(line.split()) == 2
    assert re.search(wanted, capsys.readouterr().err)


def test_nothing_here_is_an_error_and_stays_nothing(tmp_path: Path) -> None:
    done = gdexp("+compare", cwd=tmp_path, expect=2)
    assert "holds no runs yet" in one_error_line(done)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_storage_failure(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(Store(TrackingSettings()), RunHeader("one", "run"))
    (here / "compare").write_text("in the way")
    assert main(["+compare"]) == 74
    assert "cannot be written" in capsys.readouterr().err
    assert (here / "compare").read_text() == "in the way"


def test_help_and_completion_know_the_command(tmp_path: Path) -> None:
    assert "+compare" in gdexp("--help", cwd=tmp_path).stdout
    shown = gdexp("+compare=1e10", "--cfg", "job", cwd=tmp_path).stdout
    assert "- '1e10'" in shown
