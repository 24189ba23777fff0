"""Workers that a real SLURM starts, kills and queues again, on one node of this machine."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from gdexp.cli.main import main
from gdexp.sweeps.study.worker_identity import SIGN
from tests.support.applications import (
    WAITING,
    WAITING_SPACE,
    application,
    check_waited,
    study_of,
    sweep,
)
from tests.support.artifacts import run_folder
from tests.support.commands import start
from tests.support.fork_server import RunningCommand
from tests.support.slurm import LOOPBACK, Slurm, slurm
from tests.sweeps.launchers.test_workers import at_work
from tests.sweeps.test_resume import check_whole, finished, load

pytestmark = pytest.mark.slurm

SWEEP = [
    *("+sweep=slurm", "sweep.name=s", "sweep.sampler=random"),
    *("engine=torch", "sweep.workers=2"),  # native descents are done before both workers are there
]
KILLED, LIMITED = 200, 92

SLOW = """
import time

def loss(x):
    time.sleep(0.02)
    return (x ** 2).sum()
"""
OUTLASTING = [
    *("problem=custom", "problem.path=slow.loss", "problem.x0=[1.0,2.0]"),
    *("optimizer.lr=interval(1e-3, 1e-2)", "stopping.threshold=1e-5"),
    "stopping.max_iterations=50",
]
"""Trials of a second each: more of them than two workers make until they are told to go."""

NET = """
import time
from tests.training.small_training import Small


class Net(Small):
    def loss(self, model, batch):
        with open("losses", "a") as file:
            file.write(".")
        time.sleep(0.02)
        return super().loss(model, batch)
"""
UPDATES = 250
TRAINED = [
    *("problem=training", "problem.path=net.Net", "optimizer.lr=interval(0.01, 0.1)"),
    *("stopping.metric=accuracy", "stopping.threshold=2", "stopping.every=50"),
    *(f"stopping.max_iterations={UPDATES}", "checkpoint.every=0.1"),
]

LIMIT = ["hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=8"]
"""SLURM looks at its limits every half a minute: a job is told to go 22 to 52 s after its start."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    with slurm() as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.variables.items():
            patch.setenv(name, value)
        yield started


@dataclass
class Swept:
    """What a sweep left.

    Attributes:
        folder: that it was made in.
        said: on its stdout.
        complained: on its stderr.
        after: how long the driver was there after the last trial.
        addresses: where SLURM and its jobs listened meanwhile.
        then: the trials that were finished while the sweep still went on.
        left: jobs in the queue that are this sweep's and stay there after its end.
    """

    folder: Path
    said: str
    complained: str
    after: timedelta
    addresses: set[str]
    then: list[FrozenTrial]
    left: set[str]


def swept(driver: RunningCommand, folder: Path, cluster: Slurm, status: int = 0) -> Swept:
    """Wait for the end of a driver."""
    addresses, then = cluster.addresses(), finished(folder)
    said, complained = driver.communicate(timeout=240)
    gone = datetime.now()
    assert driver.returncode == status, said + complained
    last = max(trial.datetime_complete or datetime.min for trial in finished(folder))
    return Swept(folder, said, complained, gone - last, addresses, then, left(folder, cluster))


def left(folder: Path, cluster: Slurm) -> set[str]:
    """Jobs of a sweep that stay in the queue; one that has left its result is soon gone."""
    own = {path.name for path in folder.rglob(".submitit/*")}
    until = time.monotonic() + 30
    while own & set(cluster.jobs()) and time.monotonic() < until:
        time.sleep(0.2)
    return own & set(cluster.jobs())


def signs(folder: Path) -> list[dict[str, Any] | None]:
    """Of all workers that a study ever had; of one that left in order nothing is left."""
    attributes = load(folder).user_attrs
    return [sign for key, sign in attributes.items() if key.startswith(SIGN)]


def known(folder: Path, count: int) -> None:
    """Wait until a study has had so many workers."""
    until = time.monotonic() + 90
    while len(signs(folder)) < count and time.monotonic() < until:
        time.sleep(0.1)


@contextmanager
def driving(*line: str, cwd: Path) -> Iterator[RunningCommand]:
    """A driver; it is not left alone when something goes wrong."""
    driver = start(*line, cwd=cwd)
    try:
        yield driver
    finally:
        if driver.poll() is None:
            driver.kill()
            driver.communicate()


def kill_one(folder: Path, cluster: Slurm) -> Swept:
    """A sweep by two jobs that stand in another folder, one of which is killed in the middle."""
    (folder / "elsewhere").mkdir()
    line = [*SWEEP, f"sweep.n_trials={KILLED}", "sweep.batch=4", "stopping.max_iterations=2000"]
    shell = f"['unset OMP_NUM_THREADS MKL_NUM_THREADS', 'cd {folder}/elsewhere']"
    with driving(*line, f"hydra.launcher.setup={shell}", cwd=folder) as driver:
        at_work(folder, 20)
        known(folder, 2)
        one = next(sign for sign in signs(folder) if sign)
        os.kill(one["pid"], signal.SIGKILL)
        return swept(driver, folder, cluster)


def outlast(folder: Path, cluster: Slurm) -> Swept:
    """A sweep that takes longer than its jobs may."""
    (folder / "slow.py").write_text(SLOW)
    line = [*SWEEP, *OUTLASTING, *LIMIT, f"sweep.n_trials={LIMITED}", "sweep.batch=3"]
    with driving(*line, cwd=folder) as driver:
        at_work(folder, 4)
        return swept(driver, folder, cluster, 1)  # none of the trials converges


def requeue_and_interrupt(folder: Path, cluster: Slurm) -> Swept:
    """A sweep whose one job has to wait again for others; after that its driver gets a signal."""
    (folder / "slow.py").write_text(SLOW)
    line = [*SWEEP[:-1], *OUTLASTING, "sweep.n_trials=100", "sweep.batch=3", "sweep.workers=1"]
    with driving(*line, cwd=folder) as driver:
        at_work(folder, 2)
        (job,) = (path.name for path in folder.glob("sweeps/.submitit/[0-9]*"))
        cluster.say("scontrol", "requeue", job)
        known(folder, 2)
        driver.send_signal(signal.SIGINT)
        return swept(driver, folder, cluster, 130)


@pytest.fixture(scope="module")
def sweeps(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Swept]:
    """All of them; the others while the long one waits."""
    folder = {name: tmp_path_factory.mktemp(name) for name in ("limited", "killed", "interrupted")}
    with ThreadPoolExecutor() as pool:
        limited = pool.submit(outlast, folder["limited"], cluster)
        killed = kill_one(folder["killed"], cluster)
        interrupted = requeue_and_interrupt(folder["interrupted"], cluster)
    return {"killed": killed, "interrupted": interrupted, "limited": limited.result()}


@pytest.fixture
def killed(sweeps: dict[str, Swept]) -> Swept:
    return sweeps["killed"]


@pytest.fixture
def interrupted(sweeps: dict[str, Swept]) -> Swept:
    return sweeps["interrupted"]


@pytest.fixture
def limited(sweeps: dict[str, Swept]) -> Swept:
    return sweeps["limited"]


def test_two_jobs_one_of_them_killed_finish_every_trial_once(killed: Swept) -> None:
    check_whole(killed.folder, KILLED)
    assert len(killed.then) < KILLED
    assert len({trial.user_attrs["gdexp.worker"] for trial in finished(killed.folder)}) == 2
    assert len([sign for sign in signs(killed.folder) if sign]) == 1  # of the one that was killed


def test_the_driver_is_done_within_thirty_seconds_of_the_last_trial(
    killed: Swept, limited: Swept
) -> None:
    assert killed.after < timedelta(seconds=30)
    assert limited.after < timedelta(seconds=30)


@pytest.mark.parametrize("name", ["killed", "limited"])
def test_the_screen_shows_the_sweep_and_nothing_of_the_machinery(
    sweeps: dict[str, Swept], name: str
) -> None:
    sweep = sweeps[name]
    assert sweep.complained == ""
    assert f"{len(finished(sweep.folder))}/{len(finished(sweep.folder))} trials" in sweep.said
    for word in ("sacct", "submitit", "accounting", "WARNING"):
        assert word not in sweep.said


def test_jobs_that_stand_in_another_folder_write_nothing_there(killed: Swept) -> None:
    assert list((killed.folder / "elsewhere").iterdir()) == []


def test_a_worker_computes_with_the_cores_of_its_job_and_says_so(killed: Swept) -> None:
    run_id = finished(killed.folder)[-1].user_attrs["gdexp.record"]["run_id"]
    environment = run_folder(killed.folder, run_id) / "environment.json"
    assert json.loads(environment.read_text())["torch"]["threads"] == 1


def test_the_files_of_jobs_are_for_their_owner_alone(killed: Swept) -> None:
    assert stat.S_IMODE((killed.folder / "sweeps/.submitit").stat().st_mode) == 0o700


def test_a_sweep_longer_than_the_time_limit_of_its_jobs_completes_by_itself(limited: Swept) -> None:
    check_whole(limited.folder, LIMITED)
    logs = [path.read_text() for path in limited.folder.glob("sweeps/.submitit/*/*_log.out")]
    starts = [log.count("Starting with") for log in logs]
    assert len(starts) == 2
    assert min(starts) >= 2


def test_at_the_time_limit_each_worker_hands_back_its_trials_and_keeps_those_that_are_done(
    limited: Swept,
) -> None:
    assert len(signs(limited.folder)) > 2  # each start of a job is a new worker
    assert not any(signs(limited.folder))
    trials = load(limited.folder).get_trials(deepcopy=False)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * LIMITED
    assert 0 < len(limited.then) < LIMITED
    for before in limited.then:
        assert trials[before.number].values == before.values
        assert trials[before.number].user_attrs == before.user_attrs


def test_a_job_that_the_cluster_queues_again_is_a_worker_again(interrupted: Swept) -> None:
    assert len(signs(interrupted.folder)) == 2
    assert "was ended" not in interrupted.said


def test_an_interrupt_ends_the_jobs_and_hands_their_trials_back(interrupted: Swept) -> None:
    assert "the same command continues" in interrupted.said
    assert not any(signs(interrupted.folder))
    states = {trial.state for trial in load(interrupted.folder).get_trials(deepcopy=False)}
    assert states <= {TrialState.COMPLETE, TrialState.WAITING}


@pytest.mark.slow
def test_a_training_that_the_cluster_queues_again_goes_on_from_its_checkpoint(
    cluster: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.py").write_text(NET)
    line = [*SWEEP[:-1], *TRAINED, "sweep.n_trials=1", "sweep.workers=1"]
    with driving(*line, cwd=tmp_path) as driver:
        until = time.monotonic() + 90
        while not list(tmp_path.glob("sweeps/*/checkpoints/s/0/*/*.safetensors")):
            assert time.monotonic() < until
            time.sleep(0.05)
        (job,) = (path.name for path in tmp_path.glob("sweeps/.submitit/[0-9]*"))
        cluster.say("scontrol", "requeue", job)
        swept(driver, tmp_path, cluster, 1)  # no accuracy is 2
    assert len((tmp_path / "losses").read_text()) < UPDATES + 50  # not from the start again
    assert not list(tmp_path.glob("sweeps/*/checkpoints"))
    run_id = finished(tmp_path)[0].user_attrs["gdexp.record"]["run_id"]
    monkeypatch.chdir(tmp_path)
    assert main([f"+rerun={run_id}", "trust=[net.Net]"]) == 0  # the bits of an unbroken training


def test_jobs_make_the_trials_of_another_application_and_none_waits_for_a_batch(
    cluster: Slurm, tmp_path: Path
) -> None:
    script = application(tmp_path, WAITING)
    said = sweep(script, *WAITING_SPACE, "hydra/launcher=submitit_slurm", **cluster.variables)
    check_waited(study_of(tmp_path))
    assert "4/4 trials, 4 finished" in said.stdout
    assert said.stderr == ""
    assert not left(tmp_path, cluster)


def test_nothing_is_left_in_the_queue(cluster: Slurm, sweeps: dict[str, Swept]) -> None:
    assert [sweep.left for sweep in sweeps.values()] == [set()] * len(sweeps)
    assert cluster.jobs() == {}


def test_the_slurm_of_the_tests_listens_on_loopback_alone(
    cluster: Slurm, sweeps: dict[str, Swept]
) -> None:
    meanwhile = set().union(*(sweep.addresses for sweep in sweeps.values()))
    assert meanwhile | cluster.addresses() == {LOOPBACK}


def test_what_the_cluster_refuses_is_one_line(
    cluster: Slurm, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, "sweep.n_trials=4", "hydra.launcher.partition=nonsense"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "gdexp: error: hydra.launcher.partition=nonsense: refused (invalid partition specified: "
        "nonsense; Batch job submission failed: Invalid partition name specified)"
    ]
