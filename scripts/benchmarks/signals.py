"""How long a run or a sweep takes from a signal to its end, everything put in order."""

from __future__ import annotations

import os
import signal
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

from tests.support.fork_server import ForkServer, RunningCommand

from .measure import Figure, figure

MOST_SECONDS = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDLESS = ("stopping.threshold=1e-30", "stopping.max_iterations=1000000000", "problem=rosenbrock")
WORK = {
    "a long run": (*ENDLESS, "optimizer.lr=1e-4"),
    "a sweep in a long descent": ("+sweep", *ENDLESS, "optimizer.lr=interval(1e-5,1e-4)"),
    "a sweep in a batch": (
        *("+sweep", "sweep.sampler=random", *ENDLESS),
        *("optimizer.lr=interval(1e-5,1e-4)", "sweep.batch=32"),
    ),
    "a sweep of short trials": ("+sweep", "sweep.sampler=random", "sweep.n_trials=100000"),
}
"""What is typed after `python -m gdexp`."""


def run(rounds: int) -> list[Figure]:
    """Each kind of work, ended by each signal in turn."""
    figures = []
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        for number, (work, line) in enumerate(WORK.items()):
            times = []
            for count in range(rounds):
                folder = Path(name) / f"{number}-{count}"
                folder.mkdir()
                sent = SIGNALS[count % len(SIGNALS)]
                going = ready.start(*line, cwd=folder)
                _await_runs(going, folder / "mlflow.db")
                began = monotonic()
                os.kill(going.pid, sent)
                done = going.wait()
                times.append(monotonic() - began)
                if done.status != 128 + sent:
                    raise RuntimeError(f"{work} ended with status {done.status}: {done.err}")
            figures.append(
                figure(f"seconds from a signal to the end of {work}", times, MOST_SECONDS)
            )
    return figures


def _await_runs(going: RunningCommand, database: Path) -> None:
    """Until the work is in the middle: a run beside the sweep's own is there."""
    query = "SELECT COUNT(*) FROM tags WHERE key = 'gdexp.kind' AND value IN ('run', 'trial')"
    while True:
        going.written()
        sleep(0.05)
        if database.exists():
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                if connection.execute(query).fetchone()[0]:
                    return
