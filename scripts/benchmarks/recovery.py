"""How long a study of 1,000 trials takes from the command after a kill to its next trial."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from time import monotonic, sleep

from tests.support.fork_server import ForkServer, RunningCommand

from .measure import Figure, figure

TRIALS, MOST_SECONDS = 1_000, 5
SWEEP = ("+sweep", "sweep.name=s", "sweep.sampler=random", "stopping.max_iterations=300")


def run(rounds: int) -> list[Figure]:
    """Kill a sweep that has its 1,000 trials and goes on; begin it again, round after round."""
    times = []
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        folder = Path(name) / "sweep"
        folder.mkdir()
        done = ready.run(*SWEEP, f"sweep.n_trials={TRIALS}", cwd=folder)
        if done.status:
            raise RuntimeError(f"the sweep ended with status {done.status}: {done.err}")
        for _ in range(rounds + 1):
            began = monotonic()
            going = ready.start(*SWEEP, f"sweep.n_trials={10 * TRIALS}", cwd=folder)
            _await_trials(going, folder / "sweeps/s/study.journal")
            times.append(monotonic() - began)
            os.kill(going.pid, signal.SIGKILL)
            going.wait()
    return [
        figure(
            f"seconds from the command to the next trials of a study of {TRIALS:,}",
            times[1:],  # before the first there was no kill
            MOST_SECONDS,
            note="the imports of Python apart",
        )
    ]


def _await_trials(going: RunningCommand, journal: Path) -> None:
    """Until a trial is begun: a new one, or one that the kill had left and that waited again."""
    read = journal.stat().st_size
    while True:
        with journal.open("rb") as file:
            file.seek(read)
            new = file.read().replace(b" ", b"")
        if b"optimizer.lr" in new or b'"state":0' in new:  # 0: RUNNING
            return
        going.written()
        sleep(0.005)
