"""Time and memory of a long sweep: whether its last trials cost more than its first."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, figure
from benchmarks.studies import loaded

if TYPE_CHECKING:
    from optuna import Study

TRIALS, PART = 5_000, 500
GROWTH, GIGABYTES = 2, 1.5


def run(rounds: int) -> list[Figure]:
    """One tracked sweep in a process of its own; its many trials are the rounds."""
    del rounds
    with tempfile.TemporaryDirectory() as folder:
        gigabytes = _sweep(Path(folder))
        parts = _parts(loaded(Path(folder) / "long.journal", "long"))
    first, last = parts[0], parts[-1]
    return [
        figure(
            f"time per trial of the last {PART} / first {PART} of {TRIALS:,}",
            [last / first],
            GROWTH,
            note=f"{1000 * last:.1f} ms against {1000 * first:.1f} ms; of all {len(parts)} parts "
            f"{1000 * min(parts):.1f} to {1000 * max(parts):.1f}, "
            f"median {1000 * statistics.median(parts):.1f}",
        ),
        figure("peak memory of the process, GB", [gigabytes], GIGABYTES),
    ]


def _sweep(folder: Path) -> float:
    """Run the sweep; the most memory that it had, in gigabytes.

    Raises:
        RuntimeError: it did not end with status 0; what it said follows.
    """
    given = ["+sweep", "sweep.sampler=random", f"sweep.n_trials={TRIALS}", "sweep.name=long"]
    with (folder / "said.txt").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "gdexp", *given, "sweep.storage=long.journal"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            stdout=said,
            stderr=said,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"the sweep ended with status {process.returncode}: {said.read()}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def _parts(study: Study) -> list[float]:
    """Seconds per trial of each part of the trials, by when they were told."""
    told = [_told(trial.datetime_complete) for trial in study.get_trials(deepcopy=False)]
    began = _told(study.get_trials(deepcopy=False)[0].datetime_start)
    ends = [began, *sorted(told)[PART - 1 :: PART]]
    return [(b - a) / PART for a, b in pairwise(ends)]


def _told(time: datetime | None) -> float:
    assert time is not None
    return time.timestamp()
