"""A store that an earlier version left: its runs are read and rerun, its sweeps continue.

`tests/data/earlier/0.1.0.tar.xz` is a folder as gdexp 0.1.0 left it: single runs, an export, and
sweeps with a name and without one, with seeds and a cap, with rows in Parquet files, over a
problem of the user's own, over two update rules, and with two objectives.
`0.1.0.json` holds the trials that gdexp 0.1.0 itself went on to make from there.

MLflow and the names of sweeps without one hold the folder's absolute path, so the folder is
unpacked where it was made.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data" / "earlier"
FOLDER = Path("/tmp/gdexp-0.1.0")
"""Where the store was made."""

RANGES = (
    "optimizer.lr=tag(log,interval(0.5,6))",
    "stopping.threshold=tag(log,interval(1e-5,1e-2))",
    "stopping.max_iterations=400",
)
SHORT = ("stopping.threshold=1e-3", "stopping.max_iterations=300")
SWEEPS = {
    "matrix-gd-d1fe2f9b": ("+sweep", *RANGES),
    "named": (
        *("+sweep", *RANGES, "sweep.name=named", "sweep.sampler=random"),
        *("sweep.seeds=2", "sweep.cap=2"),
    ),
    "rows": (
        *("+sweep", *RANGES, "sweep.name=rows", "sweep.sampler=random"),
        "tracking.children=best:2",
    ),
    "custom-gd-9b083511": (
        *("+sweep", "problem=custom", "problem.path=valley.Valley", *SHORT),
        "optimizer.lr=tag(log,interval(0.001,0.05))",
    ),
    "matrix-rules-d91368c2": ("+sweep=rules", "optimizer=choice(gd,momentum)", *SHORT),
    "front": ("+sweep=pareto", "sweep.name=front", "stopping.max_iterations=300"),
}
"""The command of each sweep, without `sweep.n_trials`."""

BEGUN = {"rows": 12, "named": 6, "matrix-gd-d1fe2f9b": 6}
"""Trials that were there; 5 of the others."""


@pytest.fixture(scope="module")
def unpacked() -> Iterator[Path]:
    """The folder where it was made, for one process at a time."""
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(FOLDER, ignore_errors=True)
        with tarfile.open(DATA / "0.1.0.tar.xz") as packed:
            packed.extractall(FOLDER, filter="data")
        yield FOLDER
        shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture
def folder(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(unpacked)
    monkeypatch.setenv("COLUMNS", "80")
    return unpacked


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints, runs of blanks as one."""
    from gdexp.cli.main import main

    capsys.readouterr()
    status = main(list(arguments))
    printed = capsys.readouterr()
    assert status == 0, f"{status}\n{printed.out}\n{printed.err}"
    return " ".join(printed.out.split())


def trials(name: str) -> list[dict[str, Any]]:
    """The trials of a study, as plain data."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal = JournalFileBackend(f"sweeps/{name}/study.journal")
    study = optuna.load_study(study_name=None, storage=JournalStorage(journal))
    return [{"params": t.params, "values": t.values, "state": t.state.name} for t in study.trials]


def is_identical(text: str) -> bool:
    """Whether a rerun gave the same bits, or another machine explains that it did not."""
    from gdexp.experiment.provenance import environment

    made_on = json.loads(next(FOLDER.glob("export/*/environment.json")).read_text())
    here = environment()
    same = all(made_on[key] == here[key] for key in ("processor", "machine")) and (
        made_on["torch"]["build"] == here["torch"]["build"]
    )
    return "identical" in text if same else "identical" in text or "close" in text


def test_all_its_runs_are_read(folder: Path) -> None:
    from gdexp import load_runs

    begun = {name: load_runs(name_to_id(name)) for name in SWEEPS}
    assert {name: len(runs) for name, runs in begun.items() if name != "named"} == {
        name: BEGUN.get(name, 5) for name in SWEEPS if name != "named"
    }
    assert all(len(run.trace) == run.iterations + 1 for runs in begun.values() for run in runs)


def name_to_id(name: str) -> str:
    """The run of a sweep, by its name."""
    import sqlite3

    with sqlite3.connect(f"file:{FOLDER}/mlflow.db?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT run_uuid FROM runs WHERE name = ?", (name,)).fetchone()
    connection.close()
    return str(found[0])


@pytest.mark.parametrize("name", SWEEPS)
def test_its_runs_rerun_identical(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, f"+rerun={name_to_id(name)}", "rerun_all=true", "trust=[valley.Valley]")
    assert is_identical(text), text


def test_its_export_reruns_identical(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [exported] = (folder / "export").iterdir()
    assert is_identical(said(capsys, f"+rerun={exported}"))


@pytest.mark.parametrize("name", SWEEPS)
def test_its_sweeps_continue_as_it_would_have(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = json.loads((DATA / "0.1.0.json").read_text())[name]
    begun = BEGUN.get(name, 5)
    text = said(capsys, *SWEEPS[name], f"sweep.n_trials={len(wanted)}")
    assert f"Continuing: {begun} of {len(wanted)} trials are there." in text
    unknown = "valley.py: taken as it was; this study began without its digest."
    assert (unknown in text) == (name == "custom-gd-9b083511")
    found = trials(name)
    assert [each["state"] for each in found] == [each["state"] for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        # Another processor may round differently; a sampler that learns then draws differently.
        assert one["params"] == {
            key: value if isinstance(value, str) else pytest.approx(value, rel=1e-6)
            for key, value in other["params"].items()
        }
        assert one["values"] == pytest.approx(other["values"], rel=1e-4)


def test_its_runs_of_a_users_own_problem_are_reused_and_this_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lr = trials("custom-gd-9b083511")[0]["params"]["optimizer.lr"]
    # Of another engine no run is taken.
    line = ("problem=custom", "problem.path=valley.Valley", *SHORT, "engine=torch")
    line = (*line, "sweep.name=again")
    text = said(capsys, "-m", *line, f"optimizer.lr=choice({lr!r},0.03)", "sweep.reuse=true")
    assert "1 descents taken from earlier runs" in text
