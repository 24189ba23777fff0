"""Workers that are jobs of a launcher: what is refused before them, and what comes back of them."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.core.errors import BadInput
from gdexp.core.signals import Interrupted, Signals, ending
from gdexp.sweeps.launchers.slurm_workers import modules_found
from gdexp.sweeps.launchers.worker_job import LEAVE

pytestmark = pytest.mark.slow

SWEEP = ["+sweep", "sweep.name=s", "sweep.sampler=random", "sweep.n_trials=4"]
LOCAL = [*SWEEP, "hydra/launcher=submitit_local"]
PASSWORD = "correct-horse-42"


@pytest.fixture
def unseen(here: Path) -> Iterator[str]:
    """The path of a folder as only this process has it: jobs are as if on another machine."""
    folder = here / "own"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    yield f"/proc/self/fd/{handle}"
    os.close(handle)


def test_where_no_cluster_takes_jobs_nothing_is_begun(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(here))
    assert main(["+sweep=slurm", "sweep.n_trials=4"]) == 2
    assert "hydra/launcher=submitit_slurm: there is no sbatch here" in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (f"tracking.uri='http://me:{PASSWORD}@127.0.0.1:1'", "MLFLOW_TRACKING_PASSWORD"),
        (f"tracking.uri='postgresql://me:{PASSWORD}@127.0.0.1:1/runs'", "PGPASSFILE"),
        (f"sweep.storage='postgresql://me:{PASSWORD}@127.0.0.1:1/study'", "PGPASSFILE"),
        (f"sweep.storage='postgresql://127.0.0.1:1/study?password={PASSWORD}'", "PGPASSFILE"),
    ],
)
def test_no_password_goes_into_the_files_of_jobs(
    here: Path, capsys: pytest.CaptureFixture[str], given: str, where: str
) -> None:
    assert main([*LOCAL, given]) == 2
    said = capsys.readouterr().err
    assert "holds a password" in said
    assert where in said
    assert PASSWORD not in said
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("hydra.launcher.cpus_per_task=two", "must be an integer"),
        ("hydra.launcher.partitoin=short", "unknown key; --cfg hydra shows all there are"),
    ],
)
def test_a_key_of_the_launcher_that_cannot_be_used_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], given: str, words: str
) -> None:
    assert main(["+sweep=slurm", given]) == 2
    assert capsys.readouterr().err == f"gdexp: error: {given}: {words}\n"
    assert list(here.iterdir()) == []


def test_jobs_that_do_not_see_the_study_say_so_and_what_they_need(
    here: Path, unseen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LOCAL, f"sweep.storage={unseen}/study.journal"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"gdexp: error: sweep.storage={unseen}/study.journal: holds no study s as seen from "
        f"{socket.gethostname()}; workers on several machines need a shared folder, or "
        "sweep.storage=postgresql://…"
    ]


def test_jobs_that_do_not_see_the_store_say_so_and_what_they_need(
    here: Path, unseen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LOCAL, f"tracking.uri=sqlite:///{unseen}/mlflow.db"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert f"does not hold this sweep as seen from {socket.gethostname()}" in said[0]
    assert "a server's address" in said[0]


def test_what_a_job_was_refused_for_comes_back_without_its_secret() -> None:
    error = BadInput("tracking.uri", f"http://me:{PASSWORD}@host", "must be another")
    written = pickle.dumps(error)
    assert PASSWORD.encode() not in written
    back = pickle.loads(written)
    assert type(back) is BadInput
    assert str(back) == str(error)
    assert back.key == "tracking.uri"


def test_a_worker_in_a_job_takes_a_second_signal_for_the_first() -> None:
    told = []
    with Signals().raising((LEAVE,), patient=True):
        try:
            signal.raise_signal(LEAVE)
        except Interrupted as interrupted:
            with ending():
                signal.raise_signal(signal.SIGTERM)  # else this process would end here
            told.append(interrupted.number)
    assert told == [LEAVE]


def test_a_job_finds_the_modules_beside_the_script_that_started_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 3\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    line = [sys.executable, "-c", "import beside; print(beside.VALUE)"]
    with modules_found():
        done = subprocess.run(line, cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"
    assert "PYTHONPATH" not in os.environ
