"""The tests in their long form: all random cases, every kill, the full matrix of reruns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Figure, figure

PROJECT = Path(__file__).resolve().parents[2]


def run(rounds: int) -> list[Figure]:
    """Run pytest once; what it prints of a failed test is shown."""
    del rounds
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--numprocesses", "2", "--dist", "loadfile", "-q"],
        cwd=PROJECT,
        env={**os.environ, "GDEXP_LONG_TESTS": "1", "WAYS": "all"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    lost = counts.get("failed", 0) + counts.get("error", 0) or abs(done.returncode)
    minutes = (time.perf_counter() - began) / 60
    note = f"{counts.get('passed', 0):,} passed in {minutes:.0f} minutes"
    return [figure("tests that fail in the long form", [lost], 0, note=note)]
