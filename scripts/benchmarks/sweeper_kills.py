"""Sweeps of another Hydra application, killed at random times and begun again.

They are compared with ones that were left alone. `scripts/bench sweeper_kills 200` kills 200 times.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

from tests.support.applications import CUSTOM, application, start, study_of, told

from .measure import Figure, figure

TRIALS = 6
HANGS_SECONDS = 1200.0
"""A sweep that has not ended after so long hangs, however busy the machine is."""

LIMITS = (f"hydra.sweeper.n_trials={TRIALS}", "x=interval(-5,5)", "hydra.sweeper.job_dirs=false")
TPE = ("hydra/sweeper/sampler=tpe", "hydra.sweeper.sampler.n_startup_trials=2")
SEEDS = ("hydra.sweeper.seeds=2", "hydra.sweeper.seed_key=y")
REPORTS = CUSTOM.replace("import hydra\n", "import gdexp\nimport hydra\n", 1).replace(
    "    return (cfg.x",
    """    for step in range(1, 4):
        gdexp.report(step, loss=(cfg.x - 1) ** 2 + 1 / step)
    return (cfg.x""",
)
"""An application that fails at some points, reports as it goes, and has a space of its own."""

SWEEPS = {
    "tpe": (*TPE, "y=choice(1,2)"),
    "random, with folders": ("hydra/sweeper/sampler=random", "hydra.sweeper.job_dirs=true"),
    "a space of its own": ("hydra.sweeper.custom_search_space=train.configure", *TPE),
    "pruned": (
        *("hydra/sweeper/sampler=random", "hydra.sweeper.metric=loss", "hydra.sweeper.mode=min"),
        *(
            "hydra.sweeper.objective=returned",
            "hydra.sweeper.pruner={name: median, n_startup_trials: 1}",
        ),
    ),
    "tracked, of two seeds": (*TPE, "hydra.sweeper.tracking=mlflow", *SEEDS),
}
"""What is typed after `python train.py -m hydra/sweeper=gdexp`."""


def run(rounds: int, kinds: Sequence[str] = tuple(SWEEPS)) -> list[Figure]:
    """So many kills, over sweeps of these kinds in turn."""
    drawn, kills, different, lost, sweeps = random.Random(0), 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        straight = {each: _straight(Path(name), each) for each in kinds}
        while kills < rounds:
            kind = kinds[sweeps % len(kinds)]
            folder = Path(name) / str(sweeps)
            folder.mkdir()
            wanted, seconds = straight[kind]
            kills += _live(application(folder, REPORTS), kind, seconds, rounds - kills, drawn)
            study = study_of(folder)
            # A trial whose parameters were not all chosen is begun again with another number.
            ended = [each for each in told(study) if each[2] is not None or "x" in each[0]]
            different += [each for each in ended if each[1] != "RUNNING"] != wanted
            lost += TRIALS - sum("gdexp.record" in each.user_attrs for each in study.trials)
            sweeps += 1
    note = f"{kills} kills, {sweeps} sweeps of {len(kinds)} kinds"
    return [
        figure("trials lost", [lost], 0, note=note),
        figure("sweeps that differ from the one left alone", [different], 0),
    ]


def _straight(folder: Path, kind: str) -> tuple[Sequence[object], float]:
    """What a sweep that is left alone tells, and how long it takes."""
    own = folder / f"straight {list(SWEEPS).index(kind)}"
    own.mkdir()
    running = start(application(own, REPORTS), *LIMITS, *SWEEPS[kind])
    began = monotonic()  # the first start waits for the process that is forked
    done = running.wait(HANGS_SECONDS)
    if done.status:
        raise RuntimeError(f"{kind} ended with status {done.status}: {done.err}")
    return told(study_of(own)), monotonic() - began


def _live(script: Path, kind: str, seconds: float, most: int, drawn: random.Random) -> int:
    """Begin a sweep and kill it, until it is at its end; return how often it was killed."""
    kills = 0
    while True:
        running = start(script, *LIMITS, *SWEEPS[kind])
        if kills < most:
            sleep(drawn.uniform(0, seconds))
            os.kill(running.pid, signal.SIGKILL)  # of one that has ended too: nobody waited for it
        done = running.wait(HANGS_SECONDS)
        if done.status == 0:
            return kills
        if done.status != -signal.SIGKILL:
            raise RuntimeError(f"{kind} ended with status {done.status}: {done.err}")
        kills += 1
