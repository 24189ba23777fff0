"""Trainings killed at random times, inside checkpoint writes too, against ones left alone.

`scripts/bench checkpoints 200` kills 200 times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tests.support.fork_server import ForkServer

from .measure import Figure, figure

TRAINING = """
import random, time
import numpy as np, torch
import torch.nn.functional as F
from torch import nn
import gdexp

class Net(gdexp.Training):
    modes = {"accuracy": "max"}

    def __init__(self, width=512, pause=0.002):
        own = torch.Generator().manual_seed(1)
        self.x, self.width, self.pause = torch.randn(96, 8, generator=own), width, pause
        self.y = (self.x.sum(1) > 0).long()

    def model(self):
        return nn.Sequential(
            nn.Linear(8, self.width), nn.BatchNorm1d(self.width), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(self.width, 2),
        )

    def batches(self, generator):
        for rows in torch.randperm(96, generator=generator).split(16):
            noise = np.random.rand() + random.random() + torch.rand(()).item()
            yield self.x[rows] + 0.01 * noise, self.y[rows]

    def loss(self, model, batch):
        time.sleep(self.pause)
        return F.cross_entropy(model(batch[0]), batch[1])

    def evaluate(self, model):
        return {"accuracy": (model(self.x).argmax(1) == self.y).float().mean()}
"""
"""The user's module `net.py`."""

SAVES = 0.02
"""Seconds between two checkpoints."""

PATIENCE = 20.0
"""Seconds that a kill waits for a checkpoint."""

MOST = 10
"""Kills of one run or sweep; then it may end."""

COMMON = (
    *("problem=training", "problem.path=net.Net", "optimizer=adamw", "optimizer.lr=0.01"),
    *("optimizer.ema=0.9", "optimizer/schedule=warmup_cosine", "stopping.threshold=1e-9"),
    *("stopping.max_iterations=150", "stopping.every=20", f"checkpoint.every={SAVES}"),
)
SINGLE = (*COMMON, "tracking.model=none")
SWEEP = (
    *("+sweep", *COMMON, "optimizer.lr=interval(0.001,0.02)", "sweep.name=s", "sweep.n_trials=2"),
    *("sweep.sampler=random", "sweep.seeds=2", "tracking.model=none"),
)
DESCENT = (
    *("problem=quadratic", "problem.dimension=3000", "problem.mu=1e-6", "optimizer=momentum"),
    *("stopping.threshold=1e-9", "stopping.max_iterations=20000", f"checkpoint.every={SAVES}"),
)
"""A function of x, which either engine minimises for a second."""

KINDS: dict[str, tuple[str, ...]] = {
    "run": SINGLE,
    "sweep": SWEEP[0:1] + tuple(line for line in SWEEP[1:] if line != "optimizer.lr=0.01"),
    "descent": (*DESCENT, "engine=portable"),
    "descent with torch": (*DESCENT, "engine=torch"),
    "sweep of descents": (
        *("+sweep", *DESCENT, "optimizer.lr=interval(0.1,0.5)", "sweep.name=s", "sweep.n_trials=2"),
        *("sweep.sampler=random", "sweep.batch=1"),
    ),
    "sweep of a batch": (
        *("+sweep", *DESCENT, "optimizer.lr=interval(0.1,0.5)", "sweep.name=s", "sweep.n_trials=4"),
        "sweep.sampler=random",
    ),
}
"""What is typed after `python -m gdexp`."""

TRUST = "trust=[net.Net]"


def save_often() -> None:
    """Let checkpoints take half of the time, so that many kills come inside their writes."""
    from gdexp.checkpoints import checkpointing

    checkpointing.SHARE = 0.5


@dataclass
class Life:
    """A run or sweep that is begun until it is at its end.

    Attributes:
        kind: of `KINDS`.
        folder: that it is in.
        kills: that it met.
        inside: kills that came inside a write.
        resumed: how often it went on from a checkpoint.
    """

    kind: str
    folder: Path
    kills: int = 0
    inside: int = 0
    resumed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a run or sweep left.

    Attributes:
        descents: of each finished descent its losses, metrics and weights, as digests.
        twice: points of metrics that MLflow holds twice.
        left: files of checkpoints that are still there.
    """

    descents: list[str]
    twice: int
    left: int


def run(rounds: int) -> list[Figure]:
    """So many kills, over runs and sweeps in turn."""
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        lives, straight = lives_of(ready, Path(name), rounds)
        found = [(life, outcome(life.folder)) for life in lives]
    kills, inside = (sum(getattr(life, each) for life in lives) for each in ("kills", "inside"))
    others = [life for life, each in found if each.descents != straight[life.kind].descents]
    for life in others:
        print(f"{life.kind} in {life.folder.name} differs after {life.kills} kills")
    resumed = sum(life.resumed for life in lives)
    note = f"{kills} kills, {inside} inside a write, {resumed} resumes, {len(lives)} runs or sweeps"
    return [
        figure("endings with other bits than the unbroken", [len(others)], 0, note=note),
        figure("points that MLflow holds twice", [sum(each.twice for _, each in found)], 0),
        figure("checkpoints left behind", [sum(each.left for _, each in found)], 0),
    ]


def lives_of(
    ready: ForkServer, folder: Path, kills: int, kinds: Sequence[str] = tuple(KINDS)
) -> tuple[list[Life], dict[str, Outcome]]:
    """Return runs and sweeps that were killed so often in all, and the outcome of unbroken ones."""
    drawn = random.Random(0)
    own = ready.preparing("scripts.benchmarks.checkpoints:save_often")
    straight = {}
    for kind in kinds:
        life = _born(folder, kind, "straight")
        done = own.run(*KINDS[kind], cwd=life.folder)
        if done.status not in (0, 1):  # 1: no trial converged
            raise RuntimeError(f"{kind} ended with status {done.status}: {done.err}")
        straight[kind] = outcome(life.folder)
    lives: list[Life] = []
    while (left := kills - sum(life.kills for life in lives)) > 0:
        kind = kinds[len(lives) % len(kinds)]
        lives.append(_born(folder, kind, str(len(lives))))
        _live(own, lives[-1], min(left, MOST), drawn)
    return lives, straight


def outcome(folder: Path) -> Outcome:
    """Return what is left in a folder."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        runs = database.execute("SELECT run_uuid FROM runs WHERE status = 'FINISHED'").fetchall()
        twice = database.execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM metrics WHERE key IN ('loss', 'accuracy') "
            "GROUP BY run_uuid, key, step HAVING COUNT(*) > 1)"
        ).fetchone()[0]
    finished = {name for (name,) in runs}
    descents = []
    for path in folder.glob("mlartifacts/**/manifest.json"):
        if path.parents[1].name in finished:
            made = json.loads(path.read_text())
            kept = {name: each for name, each in made.items() if name.endswith(".npy")}
            if "trace.npy" in kept:
                facts = path.parent / "training.json"
                weights = json.loads(facts.read_text())["final"] if facts.exists() else None
                descents.append(json.dumps([kept, weights], sort_keys=True))
    left = [*folder.glob("checkpoints/**/*"), *folder.glob("sweeps/*/checkpoints/**/*")]
    return Outcome(sorted(descents), twice, len(left))


def _is_finished(folder: Path) -> bool:
    """Return whether the kill came after the end."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        try:
            found = database.execute("SELECT 1 FROM runs WHERE status = 'FINISHED'").fetchone()
        except sqlite3.OperationalError:  # killed before the tables were made
            return False
    return found is not None


def _born(folder: Path, kind: str, which: str) -> Life:
    life = Life(kind, folder / f"{kind} {which}")
    life.folder.mkdir()
    (life.folder / "net.py").write_text(TRAINING)
    return life


def _await(folder: Path, drawn: random.Random) -> None:
    """Wait for a random time: mostly from the next checkpoint on, else from the start."""
    if drawn.random() < 0.2:
        sleep(drawn.uniform(0, 1))
        return
    before, began = _saved(folder), monotonic()
    while _saved(folder) <= before and monotonic() - began < PATIENCE:
        sleep(0.002)
    sleep(drawn.uniform(0, 3 * SAVES))


def _saved(folder: Path) -> set[str]:
    """Return the checkpoints that are there."""
    found = set()
    for place in ("checkpoints", "sweeps"):
        for where, _, names in os.walk(folder / place):  # no error of a folder that goes meanwhile
            found |= {os.path.join(where, name) for name in names if name.endswith(".safetensors")}
    return found


def _live(ready: ForkServer, life: Life, most: int, drawn: random.Random) -> None:
    """Begin a run or sweep, kill it and go on, until it is at its end."""
    while True:
        line = KINDS[life.kind]
        if _saved(life.folder):
            life.resumed += 1
            line = line if "+sweep" in line else ("+resume", TRUST)
        running = ready.start(*line, cwd=life.folder)
        if life.kills < most:
            _await(life.folder, drawn)
            os.kill(running.pid, signal.SIGKILL)  # of one that has ended too: nobody waited for it
        done = running.wait()
        if done.status in (0, 1) and not _saved(life.folder):
            return
        if done.status != -signal.SIGKILL:
            raise RuntimeError(f"{life.kind} ended with status {done.status}: {done.err}")
        life.kills += 1
        if "+sweep" not in line and not _saved(life.folder) and _is_finished(life.folder):
            return
        life.inside += bool([*life.folder.glob("**/checkpoints/**/new.part")])
