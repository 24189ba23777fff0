"""Sweeps that are killed between any two changes on disk, and begun again by the same command.

Each command is killed at the first two changes between which none was killed before, be it in a
trial, in the sweep's own run, at its beginning, at its end or while an earlier kill is put in
order. So the last one, which nothing kills, has only been where others were.
"""

from __future__ import annotations

import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from scripts.benchmarks.audit import Audit, audit
from tests.integration.conditions import HERE
from tests.support.fork_server import ForkServer
from tests.support.long_form import share

TRIALS, MOST_KILLS = 5, 150
TPE = ["+sweep", "sweep.sampler={name: tpe, n_startup_trials: 2}"]
LIMITS = ["sweep.name=s", f"sweep.n_trials={TRIALS}", "stopping.max_iterations=200"]
SWEEPS = {
    "tpe": (TPE, []),
    "random, two seeds": (["+sweep", "sweep.sampler=random", "sweep.seeds=2", "sweep.batch=2"], []),
    "tpe, runs shown, long traces": (TPE, [["shown_at_once", [60]]]),
}
"""What is typed, and what holds while it runs."""

LIVED = [*SWEEPS][: share(len(SWEEPS), len(SWEEPS))]
"""The sweeps that are made: all but the first only in the long form."""

OF_A_TRIAL = [
    "open study.journal",  # asked
    "open study.journal",  # what came of it
    "open initial.npy", "open final.npy", "open trace.npy", "open config.yaml",
    "open environment.json", "open manifest.json",
    "commit runs, tags, params, metrics, latest_metrics",
    "open study.journal",  # told
]  # fmt: skip
"""The changes on disk that a trial makes, in order."""


@pytest.fixture(scope="module")
def ended(ready: ForkServer, new_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each of `SWEEPS`, in it `straight` and `killed`.

    And the file `places`, with all pairs of changes between which a command was killed.
    """
    folder = tmp_path_factory.mktemp("ended")

    def live(name: str) -> None:
        line, conditions = SWEEPS[name]
        armed = [*conditions, ["killed_where_none_was", [str(folder / "places")]]]
        for part, holding in (("straight", conditions), ("killed", armed)):
            here = folder / name / part
            here.mkdir(parents=True)
            shutil.copy(new_database, here / "mlflow.db")
            for _ in range(MOST_KILLS):
                done = ready.run(*line, *LIMITS, cwd=here, before=f"{HERE}:all_of", given=holding)
                if done.status != -signal.SIGKILL:
                    break
            assert done.status == 0, done.err

    with ThreadPoolExecutor(len(LIVED)) as threads:
        list(threads.map(live, LIVED))
    return folder


def look(folder: Path) -> Audit:
    """What a sweep left there."""
    return audit(folder / "sweeps/s/study.journal", folder / "mlflow.db", TRIALS)


def test_sweeps_are_killed_between_all_the_writes_of_a_trial(ended: Path) -> None:
    places = (ended / "places").read_text()
    plain = re.sub(r"(study.journal) in \w+", r"\1", places).splitlines()
    for earlier, later in pairwise(OF_A_TRIAL):
        assert f"{earlier} -> {later}" in plain
    assert "in requeue" in places


@pytest.mark.parametrize("name", LIVED)
def test_a_sweep_that_is_killed_again_and_again_is_the_same_as_one_left_alone(
    ended: Path, name: str
) -> None:
    straight, killed = look(ended / name / "straight"), look(ended / name / "killed")
    assert straight.whole, straight
    assert killed.whole, killed
    assert killed.told == straight.told
