"""Workers that a real Ray starts, on loopback: killed, interrupted, failing, on a Ray elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.support import ray
from tests.support.applications import (
    WAITING,
    WAITING_SPACE,
    application,
    check_waited,
    plugin,
    study_of,
)
from tests.support.artifacts import run_folder
from tests.support.fork_server import ForkServer, RunningCommand
from tests.support.processes import addresses, descendants, there
from tests.sweeps.launchers.test_workers import SWEEP, at_work, check_prompt, ended
from tests.sweeps.test_resume import check_whole, finished, load, told

pytestmark = pytest.mark.ray

ON_RAY = ["+sweep=ray", *SWEEP[1:], "sweep.sampler=random", "sweep.batch=3"]
TRIALS = 60
WORKER = "ray::_run_job"
"""What Ray calls the process of a worker."""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[ForkServer]:
    """A process from which drivers are forked; Ray is installed, in an environment of its own."""
    ray.prepare()
    with ray.drivers(tmp_path_factory.mktemp("ready")) as server:
        yield server


def start(ready: ForkServer, *line: str, cwd: Path, home: Path) -> RunningCommand:
    """Start a driver."""
    return ready.start(*line, cwd=cwd, variables=ray.variables(home), unbuffered=True)


def workers(driver: RunningCommand) -> list[int]:
    """The processes in which workers run."""
    return sorted(pid for pid, line in descendants(driver.pid).items() if line.startswith(WORKER))


def folders() -> set[Path]:
    """Where a Ray of a sweep's own has its files."""
    return set(Path("/tmp").glob("gdexp-ray-*"))


@dataclass(frozen=True)
class Swept:
    """A sweep whose driver got a signal, and which the same command has completed.

    Attributes:
        folder: where it was typed.
        home: the user's.
        interrupted: all that was on the screen until the signal.
        states: of the trials then.
        said: all that was on the screen after it; a worker was killed meanwhile.
        processes: that both commands had started.
        alive: those that the first one left.
        addresses: where these listened.
        folders: that their Rays had made.
    """

    folder: Path
    home: Path
    interrupted: str
    states: list[TrialState]
    said: str
    processes: set[int]
    alive: set[int]
    addresses: set[str]
    folders: set[Path]


@pytest.fixture(scope="module")
def swept(ready: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """Random trials by two workers: interrupted, begun again, and one worker is killed then."""
    folder, home = tmp_path_factory.mktemp("swept"), tmp_path_factory.mktemp("home")
    before = folders()
    line = [*ON_RAY, f"sweep.n_trials={TRIALS}", "sweep.workers=2"]
    line += ["hydra.launcher.ray.remote.num_cpus=2"]
    driver = start(ready, *line, cwd=folder, home=home)
    at_work(folder, 6)
    first, made = set(descendants(driver.pid)), folders() - before
    driver.send_signal(signal.SIGINT)
    interrupted = ended(driver, 130)
    alive = there(first)
    states = [trial.state for trial in load(folder).get_trials(deepcopy=False)]
    driver = start(ready, *line, cwd=folder, home=home)
    at_work(folder, states.count(TrialState.COMPLETE) + 6)
    second = set(descendants(driver.pid))
    listened, made = addresses(second), made | (folders() - before)
    os.kill(workers(driver)[0], signal.SIGKILL)
    said = ended(driver, 0)
    check_prompt(load(folder))
    processes = first | second
    return Swept(folder, home, interrupted, states, said, processes, alive, listened, made)


def test_an_interrupt_leaves_nothing_running(swept: Swept) -> None:
    assert "the same command continues" in swept.interrupted
    assert "Traceback" not in swept.interrupted
    assert not swept.alive
    assert TrialState.RUNNING not in swept.states
    assert swept.states.count(TrialState.COMPLETE) < TRIALS


def test_the_same_command_with_two_workers_one_of_them_killed_finishes_every_trial_once(
    swept: Swept,
) -> None:
    check_whole(swept.folder, TRIALS)


def test_one_line_says_that_a_worker_was_killed_and_nothing_of_ray_is_on_the_screen(
    swept: Swept,
) -> None:
    words = " ".join(swept.said.split())
    assert words.count("a worker of Ray was ended; others take over its trials") == 1
    assert "raylet" not in words
    assert "WARNING" not in words


def test_ray_listens_on_loopback_alone(swept: Swept) -> None:
    assert {host.removeprefix("::ffff:") for host in swept.addresses} == {ray.LOOPBACK}


def test_nothing_of_ray_is_left_when_the_sweep_is_over(swept: Swept) -> None:
    assert len(swept.folders) >= 2  # of each command
    assert not there(swept.processes)
    assert not [folder for folder in swept.folders if folder.exists()]
    assert not (swept.home / ".ray").exists()


def test_a_worker_has_as_many_threads_as_cores_and_its_runs_say_so(swept: Swept) -> None:
    run = finished(swept.folder)[0].user_attrs["gdexp.record"]["run_id"]
    environment = json.loads((run_folder(swept.folder, run) / "environment.json").read_text())
    assert environment["torch"]["threads"] == 2


@pytest.fixture(scope="module")
def cluster(ready: ForkServer) -> Iterator[str]:
    """The address of a Ray that is there."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: sockets are in it
    try:
        with ray.cluster(folder) as address:
            yield f"hydra.launcher.ray.init.address={address}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_ray_that_is_there_is_used_and_stays(
    ready: ForkServer, cluster: str, tmp_path: Path
) -> None:
    before = folders()
    line = [*ON_RAY, "sweep.n_trials=3", "sweep.workers=1", cluster]
    ended(start(ready, *line, cwd=tmp_path, home=tmp_path), 0)
    check_whole(tmp_path, 3)
    assert folders() == before
    host, _, port = cluster.rpartition("=")[2].rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()


def test_tasks_make_the_trials_of_another_application_and_none_waits_for_a_batch(
    cluster: str, tmp_path: Path
) -> None:
    script = application(tmp_path, WAITING)
    line = ["-m", "hydra/sweeper=gdexp", "hydra/launcher=ray", cluster, *WAITING_SPACE]
    driver = ray.start(*line, cwd=tmp_path, home=tmp_path, program=[script], path=plugin(script))
    assert "4/4 trials, 4 finished" in ended(driver, 0)
    check_waited(study_of(tmp_path))


def test_a_failing_worker_of_ray_ends_the_sweep_with_its_own_words(
    ready: ForkServer, cluster: str, tmp_path: Path
) -> None:
    (tmp_path / "picky.py").write_text(
        "import sys\n"
        "def loss(x):\n"
        "    if 'ray' in sys.argv[0] or 'default_worker' in sys.argv[0]:\n"
        "        raise RuntimeError('not today')\n"
        "    return (x ** 2).sum()\n"
    )
    own = ["problem=custom", "problem.path=picky.loss", "problem.x0=[1.0,2.0]", "sweep.workers=1"]
    driver = start(ready, *ON_RAY, *own, cluster, cwd=tmp_path, home=tmp_path)
    assert "problem=picky.loss: its code failed: RuntimeError: not today" in ended(driver, 1)


SLOW = """
import os, time
from pathlib import Path
from tests.training.small_training import Small

HERE = Path(__file__).parent

class Net(Small):
    def loss(self, model, batch):
        if (HERE / "seen").exists():
            (HERE / "seen" / f"{os.getpid()} {time.monotonic_ns()}").mkdir()
            time.sleep(0.02)
        return super().loss(model, batch)
"""
"""A training that leaves a folder for each loss that it reads, where there is a place for them."""


def test_a_trial_of_a_killed_worker_of_ray_goes_on_from_its_checkpoint(
    ready: ForkServer, cluster: str, tmp_path: Path
) -> None:
    updates, early = 150, 60
    line = ["sweep.name=s", "sweep.sampler=random", "sweep.n_trials=1", "problem=training"]
    line += ["problem.path=slow.Net", "optimizer.lr=interval(0.01,0.1)", "checkpoint.every=0.01"]
    line += ["stopping.threshold=1e-9", f"stopping.max_iterations={updates}"]
    twin, killed = tmp_path / "twin", tmp_path / "killed"
    for folder in (twin, killed):
        folder.mkdir()
        (folder / "slow.py").write_text(SLOW)
    ended(start(ready, "+sweep", *line, cwd=twin, home=tmp_path), 1)  # it does not converge
    (killed / "seen").mkdir()
    line = ["+sweep=ray", *line, "sweep.workers=1", cluster]
    driver = start(ready, *line, cwd=killed, home=tmp_path)
    while not any(int(each.stem) >= early for each in killed.glob("sweeps/s/checkpoints/**/*.s*")):
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    made = Counter(int(each.name.split()[0]) for each in (killed / "seen").iterdir())
    os.kill(made.most_common(1)[0][0], signal.SIGKILL)
    ended(driver, 1)
    assert len([*(killed / "seen").iterdir()]) < updates + early  # else it had begun again
    assert told(finished(killed)) == told(finished(twin))
    traces = [
        sorted(path.read_bytes() for path in each.glob("mlartifacts/**/trace.npy"))
        for each in (twin, killed)
    ]
    assert len(traces[0]) == 1
    assert traces[0] == traces[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("init.address=127.0.0.1:1", "init.address=127.0.0.1:1: no Ray is there"),
        ("remote.num_cpus=0", "remote.num_cpus=0: must be a number > 0"),
    ],
)
def test_what_ray_cannot_do_is_said_before_anything_is_written(
    ready: ForkServer, tmp_path: Path, given: str, words: str
) -> None:
    line = [*ON_RAY, f"hydra.launcher.ray.{given}"]
    said = ended(start(ready, *line, cwd=tmp_path, home=tmp_path), 2)
    assert f"gdexp: error: hydra.launcher.ray.{words}" in said
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_ray_has_every_undocumented_part_that_is_used(ready: ForkServer, tmp_path: Path) -> None:
    code = (
        "from gdexp.sweeps.launchers.library_parts import missing_parts\n"
        "from gdexp.sweeps.launchers.ray_internals import PARTS\n"
        "print(missing_parts(PARTS))\n"
    )
    line = [ray.PYTHON, "-c", code]
    done = subprocess.run(
        line, env=ray.variables(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_its_file_opens_with_a_command_that_composes_it(ready: ForkServer, tmp_path: Path) -> None:
    lines = (ray.PROJECT / "conf/sweep/ray.yaml").read_text().splitlines()
    lead = "# python -m gdexp "
    assert lines[1].startswith(lead)
    line = [*lines[1].removeprefix(lead).split(), "sweep.preview=true"]
    said = ended(start(ready, *line, cwd=tmp_path, home=tmp_path), 0)
    assert "optimizer.lr" in said
    assert "stopping.threshold" in said
