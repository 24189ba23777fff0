"""A long sweep: does a trial cost more the more there were before it?"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Figure, figure
from benchmarks.studies import elsewhere

TRIALS, PART = 5_000, 500
MOST_BYTES = 1.5e9

PROGRAM = f"""
from benchmarks.studies import swept
sweep = swept("long", "sweep.sampler=random", "sweep.n_trials={TRIALS}", "sweep.batch=50",
              "optimizer.lr=tag(log, interval(0.05, 5))", "stopping.threshold=1e-5")
print([t.datetime_complete.timestamp() for t in sweep.study.get_trials()])
"""


def run(rounds: int) -> list[Figure]:
    """Each round is a process of its own, so that its peak of memory is its own too."""
    ratios, peaks, notes = [], [], []
    for _ in range(min(rounds, 2)):
        with elsewhere():
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            )
        told = json.loads(done.stdout.strip().splitlines()[-1])
        first, last = (told[PART] - told[0]) / PART, (told[-1] - told[-1 - PART]) / PART
        ratios.append(last / first)
        notes.append((first, last))
        peaks.append(1024.0 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    first, last = (1000 * statistics.median(each) for each in zip(*notes, strict=True))
    return [
        figure(
            f"time per trial, last {PART} / first {PART} of {TRIALS:,}",
            ratios,
            2,
            note=f"{last:.1f} against {first:.1f} ms",
        ),
        figure("peak memory / 1.5 GB", [peak / MOST_BYTES for peak in peaks], 1),
    ]
