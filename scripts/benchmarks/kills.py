"""Sweeps killed at random times and begun again, compared with ones that were left alone.

`scripts/bench kills 200` kills 200 times.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from tests.support.fork_server import ForkServer

from .audit import Audit, audit
from .measure import Figure, figure

TRIALS = 12
LIMITS = ("sweep.name=s", f"sweep.n_trials={TRIALS}", "stopping.max_iterations=2000")
TPE = "sweep.sampler={name: tpe, n_startup_trials: 3}"
SWEEPS = {
    "tpe": ("+sweep", TPE),
    "tpe, capped": ("+sweep=fast", TPE),
    "two goals": ("+sweep=pareto", TPE),
    "update rules": ("+sweep=rules", TPE),
    "random, in batches": ("+sweep", "sweep.sampler=random", "sweep.batch=4"),
    "grid": ("+sweep=thresholds", "sweep.batch=4"),
    "three seeds": ("+sweep", "sweep.sampler=random", "sweep.seeds=3", "sweep.batch=4"),
}
"""What is typed after `python -m gdexp`."""


@dataclass
class Life:
    """A sweep that is begun until it is at its end.

    Attributes:
        name: of `SWEEPS`.
        folder: that it is in.
        kills: that it met.
    """

    name: str
    folder: Path
    kills: int = 0


def run(rounds: int) -> list[Figure]:
    """So many kills, over all sweeps in turn."""
    drawn = random.Random(0)
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        folder = Path(name)
        straight: dict[str, tuple[Audit, float]] = {}
        for sweep in SWEEPS:
            life = _born(folder, sweep, "straight")
            done = ready.run(*SWEEPS[sweep], *LIMITS, cwd=life.folder)
            if done.status:
                raise RuntimeError(f"{sweep} ended with status {done.status}: {done.err}")
            straight[sweep] = _audited(life), done.seconds
        lives: list[Life] = []
        names = list(SWEEPS)
        while (left := rounds - sum(life.kills for life in lives)) > 0:
            lives.append(_born(folder, names[len(lives) % len(names)], str(len(lives))))
            _live(ready, lives[-1], straight[lives[-1].name][1], left, drawn)
        found = [_audited(life) for life in lives]
    for life, each in zip(lives, found, strict=True):
        if not each.whole:
            print(f"{life.name}, {life.kills} kills: {each}")
    kills = sum(life.kills for life in lives)
    others = sum(
        each.told != straight[life.name][0].told for life, each in zip(lives, found, strict=True)
    )
    note = f"{kills} kills, {len(lives)} sweeps of {len({life.name for life in lives})} kinds"
    return [
        figure("trials lost", [sum(each.lost for each in found)], 0, note=note),
        figure("trials counted twice", [sum(each.twice for each in found)], 0),
        figure("trials or runs left running", [sum(each.running for each in found)], 0),
        figure("records that are not whole", [sum(len(each.damaged) for each in found)], 0),
        figure("sweeps that differ from the one left alone", [others], 0),
    ]


def _born(folder: Path, name: str, which: str) -> Life:
    life = Life(name, folder / f"{name} {which}")
    life.folder.mkdir()
    return life


def _live(ready: ForkServer, life: Life, seconds: float, most: int, drawn: random.Random) -> None:
    """Begin a sweep and kill it, until it is at its end or was killed often enough."""
    while True:
        running = ready.start(*SWEEPS[life.name], *LIMITS, cwd=life.folder)
        if life.kills < most:
            sleep(drawn.uniform(0, seconds))
            os.kill(running.pid, signal.SIGKILL)  # of one that has ended too: nobody waited for it
        done = running.wait()
        if done.status == 0:
            return
        if done.status != -signal.SIGKILL:
            raise RuntimeError(f"{life.name} ended with status {done.status}: {done.err}")
        life.kills += 1


def _audited(life: Life) -> Audit:
    return audit(life.folder / "sweeps/s/study.journal", life.folder / "mlflow.db", TRIALS)
