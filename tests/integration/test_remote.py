"""A sweep into a real MLflow server, which dies in the middle of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from gdexp.runs.run_loader import load_runs
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from gdexp.ui.server import Server
from tests.support.commands import gdexp, one_error_line, start
from tests.support.ports import free_port

pytestmark = pytest.mark.server

TRIALS = 9
SWEEP = (
    *(
        "+sweep",
        "sweep.name=remote",
        "sweep.sampler=random",
        "sweep.batch=2",
        f"sweep.n_trials={TRIALS}",
    ),
    *("stopping.threshold=1e-5", "stopping.max_iterations=3000"),
    "sweep.storage=study.journal",
)


STEPS = """
import time
from pathlib import Path


def fit():
    k = 0
    while not Path("back").exists():  # the server is there again
        k += 1
        time.sleep(0.05)
        yield {"loss": 1 / k}
    for k in range(k + 1, k + 21):
        time.sleep(0.05)
        yield {"loss": 1 / k}
"""
TRAINING = (
    *("problem=loop", "problem.path=steps.fit", "tracking.experiment=steps"),
    "stopping.max_iterations=1000000",
)
"""A loop of the user's own that is there before the server goes, and until it is back."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server keeps its runs in."""
    path = tmp_path_factory.mktemp("server") / "server.db"
    Store(TrackingSettings(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="module")
def interrupted(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a sweep whose server was killed and started again; the server still runs."""
    folder = tmp_path_factory.mktemp("here")
    settings = TrackingSettings(f"sqlite:///{database}")
    port = free_port()  # which no other test's server takes while this one's is away
    (folder / "steps.py").write_text(STEPS)
    with Server(settings, port) as server:
        training = start(*TRAINING, f"tracking.uri={server.address}", cwd=folder)
        process = start(*SWEEP, f"tracking.uri={server.address}", cwd=folder)
        try:
            while not losses(database):
                assert training.poll() is None, training.communicate()
                time.sleep(0.1)
            while finished(database) < 4:
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
            os.killpg(server.pid, signal.SIGKILL)
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 74, said
    (error,) = [line for line in said.splitlines() if line.startswith("gdexp: ")]
    assert f"tracking.uri={server.address}: " in error
    assert "Traceback" not in said
    told = len(complete(folder))
    assert 0 < told < TRIALS
    with Server(settings, port) as server:
        done = gdexp(*SWEEP, f"tracking.uri={server.address}", cwd=folder)
        assert f"{TRIALS}/{TRIALS}" in done.stdout + done.stderr
        (folder / "address").write_text(server.address)
        (folder / "back").touch()
        _, said = training.communicate(timeout=120)
        assert training.returncode == 0, said
        yield folder


@pytest.fixture
def address(interrupted: Path) -> str:
    """Where the server is."""
    return (interrupted / "address").read_text()


def finished(database: Path) -> int:
    """How many runs of the server are whole."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as connection:
        query = "SELECT COUNT(*) FROM runs WHERE status = 'FINISHED'"
        return int(connection.execute(query).fetchone()[0])


def losses(database: Path) -> list[tuple[int, float]]:
    """The points of the loop's losses that the server has."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as connection:
        query = (
            "SELECT step, value FROM metrics JOIN runs USING (run_uuid) JOIN experiments "
            "USING (experiment_id) WHERE experiments.name = 'steps' AND key = 'loss' ORDER BY step"
        )
        return connection.execute(query).fetchall()


def study(folder: Path) -> optuna.Study:
    """The study of a sweep."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name="remote", storage=storage)


def complete(folder: Path) -> list[FrozenTrial]:
    """The trials of a study that were told."""
    return study(folder).get_trials(states=(TrialState.COMPLETE,))


def trials_of(database: Path) -> list[Run]:
    """The runs of trials that the server has."""
    client = MlflowClient(f"sqlite:///{database}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(experiments, "tags.`gdexp.kind` = 'trial'"))


def test_nothing_is_lost_or_made_twice(interrupted: Path, database: Path) -> None:
    told = complete(interrupted)
    whole = {run.info.run_id: run for run in trials_of(database) if run.info.status == "FINISHED"}
    records = [trial.user_attrs["gdexp.record"] for trial in told]
    assert [trial.number for trial in told] == list(range(TRIALS))
    assert len({record["run_id"] for record in records}) == TRIALS
    assert {record["run_id"] for record in records} <= set(whole)
    assert not [run for run in trials_of(database) if run.info.status == "RUNNING"]
    for trial, record in zip(told, records, strict=True):
        metrics = whole[record["run_id"]].data.metrics
        assert metrics["iterations"] == record["iterations"]
        assert metrics["hitting_time"] == trial.value


def test_a_training_goes_on_without_its_server_and_its_points_arrive_later(
    interrupted: Path, database: Path
) -> None:
    found = losses(database)
    assert len(found) > 20
    assert found == [(k, 1 / k) for k in range(1, len(found) + 1)]


def test_it_found_what_a_sweep_without_a_server_finds(interrupted: Path, tmp_path: Path) -> None:
    gdexp(*SWEEP, cwd=tmp_path)
    remote, local = complete(interrupted), complete(tmp_path)
    assert [(t.params, t.values) for t in remote] == [(t.params, t.values) for t in local]


def test_every_trace_and_tensor_is_whole_on_the_server(interrupted: Path, address: str) -> None:
    runs = load_runs(uri=address)
    assert len(runs) >= TRIALS
    for run in runs:
        if run.state == "FINISHED":
            assert len(run.trace) == run.iterations + 1
            assert run.final.shape == (3, 3)


def test_a_server_that_is_not_there_is_one_line_and_no_study(tmp_path: Path) -> None:
    done = gdexp(*SWEEP, "tracking.uri=http://127.0.0.1:9", cwd=tmp_path, expect=74)
    assert "http://127.0.0.1:9" in one_error_line(done)
    assert not list(tmp_path.iterdir())


def test_trials_that_are_rows_lie_on_the_server_and_come_back_as_they_are_here(
    address: str, tmp_path: Path
) -> None:
    line = [*SWEEP, "tracking.children=best:2"]
    folders = tmp_path / "there", tmp_path / "here"
    stores = address, f"sqlite:///{folders[1]}/mlflow.db"
    for folder, store in zip(folders, stores, strict=True):
        folder.mkdir()
        done = gdexp(*line, f"tracking.uri={store}", cwd=folder)
        assert "Downloading" not in done.stdout + done.stderr
    parents = [str(study(folder).user_attrs["gdexp.parent"]) for folder in folders]
    there, here = (load_runs(parent, uri=at) for parent, at in zip(parents, stores, strict=True))
    assert len(there) == len(here) == TRIALS
    for one, other in zip(there, here, strict=True):
        assert one.trace.tobytes() == other.trace.tobytes()
        assert one.final.tobytes() == other.final.tobytes()
    again = gdexp(f"+rerun={parents[0]}/3", f"tracking.uri={address}", cwd=folders[0])
    assert "identical" in again.stdout
