"""Sweeps of every sampler that are killed, interrupted and continued at places drawn at random."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.sweeps.ends import Order, carry_out
from tests.sweeps.test_resume import check_whole, finished, told

pytestmark = pytest.mark.slow

TRIALS = 6
LIMIT = ["sweep.name=s", f"sweep.n_trials={TRIALS}", "stopping.max_iterations=200"]
SWEEPS = {
    "tpe": ["+sweep", "sweep.sampler={name: tpe, n_startup_trials: 3}"],
    "tpe, capped": ["+sweep=fast", "sweep.sampler={name: tpe, n_startup_trials: 3}"],
    "tpe, rules": ["+sweep=rules", "sweep.sampler={name: tpe, n_startup_trials: 3}"],
    "tpe, pareto": ["+sweep=pareto", "sweep.sampler={name: tpe, n_startup_trials: 3}"],
    "tpe, pruned": [
        "+sweep",
        "sweep.sampler={name: tpe, n_startup_trials: 3}",
        "sweep.pruner={name: median, n_startup_trials: 2}",
        "stopping.every=5",
    ],
    "random": ["+sweep", "sweep.sampler=random", "sweep.batch=3"],
    "grid": ["+sweep=thresholds", "sweep.batch=3"],
    "cmaes": ["+sweep", "sweep.sampler=cmaes"],
    "qmc": ["+sweep", "sweep.sampler=qmc", "sweep.batch=3"],
}

NUMBERED = ("cmaes", "qmc")
"""Samplers that go by the trial's number, which the trial after one that was half asked lacks.

So they are ended between two trials, not between the two parameters of one.
"""

TOGETHER = ("random", "grid")
"""Samplers whose trials are created together."""


def orders(folder: Path, name: str, line: list[str]) -> list[Order]:
    """One sweep left alone, and one that is killed, then interrupted, then let go on."""
    drawn = random.Random(name)
    parts = str(folder / "parts")
    # So often every sweep comes there, and so often again when it is continued.
    point, first, second = "study changed", drawn.randint(2, 22), drawn.randint(1, 6)
    if name in NUMBERED:
        point, first, second = "asked", drawn.randint(1, 3), drawn.randint(1, 2)
    again = point
    if name in TOGETHER:
        point, again = drawn.choice(["created together", "told"]), "recorded in the study"
        first, second = drawn.randint(1, 2), 1
    return [
        Order(str(folder / "straight"), line),
        Order(parts, line, point, first, signal.SIGKILL),
        Order(parts, line, again, second, signal.SIGINT),
        Order(parts, line),
    ]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each of `SWEEPS`, in it `straight` and `parts`."""
    folder = tmp_path_factory.mktemp("ended")
    given = [
        order
        for name, line in SWEEPS.items()
        for order in orders(folder / name, name, [*line, *LIMIT])
    ]
    statuses = carry_out(given)
    wanted = [0, -signal.SIGKILL, 128 + signal.SIGINT, 0]
    assert statuses == wanted * len(SWEEPS)
    return folder


@pytest.mark.parametrize("name", SWEEPS)
def test_an_interrupted_sweep_is_the_same_as_one_that_was_left_alone(
    ended: Path, name: str
) -> None:
    straight, parts = ended / name / "straight", ended / name / "parts"
    check_whole(straight, TRIALS)
    check_whole(parts, TRIALS)
    assert told(finished(parts)) == told(finished(straight))
    assert "the same command continues" in (parts / "said.txt").read_text()
