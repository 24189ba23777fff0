"""Sweeps beside three programs that open and close their database: what is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.fork_server import ForkServer
from tests.support.outside_readers import check_sweep, outside_readers

from .measure import Figure, figure

SWEEPS, TRIALS = 20, 200
HANGS_SECONDS = 600.0


def run() -> list[Figure]:
    """Twenty sweeps of 200 trials, half of them with one worker and half with two.

    Raises:
        RuntimeError: a sweep ended with another status than 0.
    """
    lost = []
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        for number in range(SWEEPS):
            folder = Path(name) / f"sweep{number}"
            folder.mkdir()
            limits = f"sweep.n_trials={TRIALS}", f"sweep.workers={1 + number % 2}"
            with outside_readers(ready, folder):
                done = ready.start("+sweep", "sweep.name=s", *limits, cwd=folder).wait(
                    HANGS_SECONDS
                )
            if done.status:
                raise RuntimeError(f"a sweep ended with status {done.status}: {done.err}")
            lost.append(float(not _is_whole(folder)))
    return [
        figure(
            f"{SWEEPS} sweeps of {TRIALS} trials beside three outside readers: sweeps that lost",
            [sum(lost)],
            0,
            note="the sqlite3 program, load_runs, MLflow's store; one and two workers",
        )
    ]


def _is_whole(folder: Path) -> bool:
    try:
        check_sweep(folder, TRIALS)
    except AssertionError:
        return False
    return True
