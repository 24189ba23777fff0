"""Several workers on one study: nothing is lost, done twice or left over, whoever is killed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from optuna import Study
from optuna.trial import TrialState

from gdexp.sweeps.study.trial_record import RECORD
from gdexp.sweeps.study.worker_identity import SIGN
from gdexp.tracking.mlflow_internals import engine_of
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.support.applications import (
    WAITING,
    WAITING_SPACE,
    application,
    check_waited,
    sweep,
)
from tests.support.commands import gdexp, start
from tests.support.fork_server import RunningCommand
from tests.support.long_form import share
from tests.support.postgres import postgres
from tests.sweeps.test_resume import check_trials, check_whole, finished, load, told

pytestmark = pytest.mark.slow

SWEEP = [
    *("+sweep", "sweep.name=s", "stopping.threshold=1e-5", "stopping.max_iterations=2000"),
    "engine=torch",  # native descents are done before all workers are there
]
TRIALS, FEW = 100, 40
RANDOM = [*SWEEP, "sweep.sampler=random", f"sweep.n_trials={TRIALS}"]
END_SECONDS = 30
"""So soon after the last trial a driver has ended, whatever became of its workers."""


def workers(driver: RunningCommand) -> list[int]:
    """The processes that a driver started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError):
                continue
            if parent == driver.pid and b"gdexp.sweeps.launchers.worker_process" in line:
                found.append(int(entry.name))
    return sorted(found)


def at_work(folder: Path, count: int) -> Study:
    """Wait until so many trials are finished; returns the study as it is then."""
    until = time.monotonic() + 300
    journal = folder / "sweeps/s/study.journal"
    while time.monotonic() < until:
        # Reading the file is cheap, replaying it is not.
        if journal.exists() and journal.read_bytes().count(RECORD.encode()) >= count:
            study = load(folder)
            trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if len(trials) >= count:
                return study
        time.sleep(0.05)
    raise TimeoutError(f"there were never {count} trials")


def ended(driver: RunningCommand, status: int) -> str:
    """What a driver said until it ended with this status."""
    said, complained = driver.communicate(timeout=300)
    assert driver.returncode == status, said + complained
    return said + complained


def check_prompt(study: Study) -> None:
    """Called when the driver has just ended: the last trial was told not long before."""
    last = max(t.datetime_complete for t in study.get_trials() if t.datetime_complete)
    assert (datetime.now() - last).total_seconds() <= END_SECONDS


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random sweep that one worker made."""
    folder = tmp_path_factory.mktemp("alone")
    gdexp(*RANDOM, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same by two workers, one of which is killed in the middle."""
    folder = tmp_path_factory.mktemp("shared")
    driver = start(*RANDOM, "sweep.workers=2", "sweep.batch=3", cwd=folder)
    at_work(folder, TRIALS // 4)
    os.kill(workers(driver)[0], signal.SIGKILL)
    said = ended(driver, 0)
    check_prompt(load(folder))
    assert "worker 0 was ended by SIGKILL; others take over its trials" in " ".join(said.split())
    return folder


def test_two_workers_one_of_them_killed_finish_every_trial_once(shared: Path) -> None:
    check_whole(shared, TRIALS)


def test_what_random_trials_find_does_not_depend_on_how_many_workers_there_are(
    alone: Path, shared: Path
) -> None:
    assert told(finished(shared)) == told(finished(alone))


def test_both_workers_had_a_share_and_the_study_says_whose_each_trial_is(shared: Path) -> None:
    owners = {trial.user_attrs["gdexp.worker"] for trial in finished(shared)}
    assert len(owners) == 2


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with a sweep of two workers whose driver got a signal, and its command."""
    folder = tmp_path_factory.mktemp("interrupted")
    line = [*SWEEP, f"sweep.n_trials={FEW}", "sweep.workers=2"]
    line += ["sweep.sampler=random"]
    driver = start(*line, "sweep.batch=2", cwd=folder)
    at_work(folder, 4)
    crew = workers(driver)
    driver.send_signal(signal.SIGINT)
    assert "the same command continues" in ended(driver, 130)
    assert not any(Path(f"/proc/{pid}").exists() for pid in crew)
    return folder, line


def test_a_signal_to_the_driver_leaves_no_worker_and_nothing_running(
    interrupted: tuple[Path, list[str]],
) -> None:
    folder, _ = interrupted
    trials = load(folder).get_trials(deepcopy=False)
    assert not [trial for trial in trials if trial.state is TrialState.RUNNING]


def test_the_same_command_continues_also_when_the_driver_is_killed(
    interrupted: tuple[Path, list[str]],
) -> None:
    folder, line = interrupted
    before = len(finished(folder))
    driver = start(*line, "sweep.batch=2", cwd=folder)
    at_work(folder, before + 2)
    crew = workers(driver)
    driver.kill()
    driver.communicate()
    said = gdexp(*line, cwd=folder).stdout  # at once: it waits for workers that are still going
    assert not any(Path(f"/proc/{pid}").exists() for pid in crew)
    assert re.search(rf"\d+ of {FEW} trials are there|{FEW}/{FEW}", said)
    check_whole(folder, FEW)


def test_workers_of_a_launcher_finish_too_when_one_of_them_is_killed(tmp_path: Path) -> None:
    line = [*SWEEP, "sweep.sampler=random", f"sweep.n_trials={FEW}"]
    line += ["sweep.workers=2", "sweep.batch=3"]
    driver = start(*line, "hydra/launcher=submitit_local", cwd=tmp_path)
    study = at_work(tmp_path, FEW // 4)
    signs = [sign for key, sign in study.user_attrs.items() if key.startswith(SIGN) and sign]
    os.kill(signs[0]["pid"], signal.SIGKILL)
    ended(driver, 0)
    check_prompt(load(tmp_path))
    check_whole(tmp_path, FEW)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of two databases of a PostgreSQL server: for a study and for its runs."""
    import psycopg

    with postgres(tmp_path_factory.mktemp("server") / "data") as uri:
        runs = uri.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(runs, autocommit=True) as connection:
            connection.execute("CREATE DATABASE study")
        yield runs.replace("/postgres?", "/study?"), runs


def told_there(study: str) -> int:
    """How many trials of the studies in a database of PostgreSQL are finished."""
    import psycopg

    with psycopg.connect(study) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'")
        except psycopg.errors.UndefinedTable:
            return 0
        return int((found.fetchone() or [0])[0])


def test_workers_share_a_study_and_a_store_in_postgresql(
    server: tuple[str, str], tmp_path: Path
) -> None:
    study, runs = server
    places = [f"sweep.storage='{study}'", f"tracking.uri='{runs}'"]
    line = [*SWEEP, "sweep.sampler=random", f"sweep.n_trials={FEW}", "sweep.batch=3"]
    driver = start(*line, f"sweep.workers={share(4, 2)}", *places, cwd=tmp_path)
    until = time.monotonic() + 120
    while told_there(study) < FEW // 4 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(workers(driver)[0], signal.SIGKILL)
    ended(driver, 0)
    storage = optuna.storages.RDBStorage(study.replace("postgresql:", "postgresql+psycopg:"))
    try:
        found = optuna.load_study(study_name="s", storage=storage)
        check_prompt(found)
        check_trials(found, runs, FEW)
    finally:
        storage.engine.dispose()
        engine_of(Store(TrackingSettings(uri=runs)).client).dispose()


def test_workers_of_another_application_share_a_study_in_postgresql(
    server: tuple[str, str], tmp_path: Path
) -> None:
    address = server[0]
    script = application(tmp_path, WAITING)
    line = [*WAITING_SPACE, f"hydra.sweeper.storage='{address}'", "hydra.sweeper.study_name=other"]
    sweep(script, *line)
    assert not list(tmp_path.glob("sweeps/**/*.journal"))
    storage = optuna.storages.RDBStorage(address.replace("postgresql:", "postgresql+psycopg:"))
    try:
        check_waited(optuna.load_study(study_name="other", storage=storage))
    finally:
        storage.engine.dispose()
    assert "All 4 trials are there." in sweep(script, *line).stdout


def test_a_study_and_its_runs_need_two_databases(server: tuple[str, str], tmp_path: Path) -> None:
    _, runs = server
    places = [f"sweep.storage='{runs}'", f"tracking.uri='{runs}'"]
    done = gdexp(*SWEEP, *places, cwd=tmp_path, expect=2)
    assert "is MLflow's database; two are needed" in done.stderr


def test_workers_learn_from_one_another(tmp_path: Path) -> None:
    line = [*SWEEP, "sweep.n_trials=24", "sweep.workers=2", "sweep.cap=1"]
    said = gdexp(*line, "optimizer.lr=tag(log,interval(1e-3,10))", cwd=tmp_path).stdout
    check_whole(tmp_path, 24)
    assert "capped" in said  # by what another one found, or it itself
    best = min(trial.values[0] for trial in finished(tmp_path))
    assert best <= 10


def test_a_failing_worker_ends_the_sweep_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(
        "import os, torch\n"
        "MADE = os.getpid()\n"
        "def loss(x):\n"
        "    import sys\n"
        "    if 'gdexp.sweeps.worker.worker' in sys.modules:\n"
        "        raise RuntimeError('not today')\n"
        "    return (x ** 2).sum()\n"
    )
    done = gdexp(
        *SWEEP,
        *("problem=custom", "problem.path=picky.loss", "problem.x0=[1.0,2.0]"),
        *("sweep.workers=2", "optimizer.lr=interval(0.1,0.4)"),
        cwd=tmp_path,
        expect=1,
    )
    assert "problem=picky.loss: its code failed: RuntimeError: not today" in done.stderr


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many", "100000"])
def test_what_is_no_number_of_workers_is_refused(tmp_path: Path, given: str) -> None:
    done = gdexp("+sweep", f"sweep.workers={given}", cwd=tmp_path, expect=2)
    assert f"sweep.workers={given}: must be" in done.stderr
