"""The published table of update rules, made again, and read by COCO's post-processor.

`which_rule.csv` holds a digest of the descents of each solver on each function and dimension,
`which_rule_times.csv` their expected running times, and `which_rule_scores.csv` AlgoPerf's scores.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Figure, figure
from gdexp.suite import Benchmark, BenchmarkSettings

SECONDS = 1800.0
"""Of one processor, for the whole table."""

TABLE = Path(__file__).parent / "which_rule.csv"
TIMES, SCORES = (TABLE.with_name(f"which_rule_{name}.csv") for name in ("times", "scores"))
"""Expected running times of all cells, and AlgoPerf's scores with their intervals."""

Key = tuple[str, str, str]


def published() -> dict[Key, str]:
    """Return the digests by solver, dimension and function."""
    return digests(TABLE)


def digests(path: Path) -> dict[Key, str]:
    """Return the digests of a file `cells.csv`."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row["solver"], row["dimension"], row["function"]): row["sha256"]
            for row in csv.DictReader(file)
        }


def running_times() -> dict[Key, tuple[str, ...]]:
    """Return the published expected running times to 100, 10, …, 1e-8; empty: not met."""
    with TIMES.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return {(solver, dimension, function): tuple(own) for solver, dimension, function, *own in rows}


def made_times(path: Path) -> dict[Key, tuple[str, ...]]:
    """Return the same of a file `running_times.csv`, which has a row for each target."""
    found: dict[Key, tuple[str, ...]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["solver"], row["dimension"], row["function"]
            found[key] = (*found.get(key, ()), row["running_time"])
    return found


def different(found: Mapping[Key, str]) -> list[Key]:
    """Return the cells whose descents are not the published ones, to the last bit."""
    known = published()
    return [key for key in known if found.get(key) != known[key]]


def run(rounds: int) -> list[Figure]:
    """Make the whole table in each round; count differing cells, and read one with cocopp."""
    figures = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            began = time.process_time()
            made = Benchmark(BenchmarkSettings(), seed=0)
            made.run(lambda part, done, total: None)
            figures.append(
                figure(f"CPU seconds, round {number}", [time.process_time() - began], SECONDS)
            )
            wrong = different(digests(made.folder.path / "cells.csv"))
            figures.append(figure(f"cells that differ, round {number}", [len(wrong)], 0))
            times, known = made_times(made.folder.path / "running_times.csv"), running_times()
            unlike = sum(times.get(key) != own for key, own in known.items())
            figures.append(figure(f"running times that differ, round {number}", [unlike], 0))
            if number == 0:
                status = _cocopp(made.folder.path / "coco" / "adam", Path(folder) / "ppdata")
                figures.append(figure("exit status of cocopp", [status], 0))
            os.chdir("/")
    return figures


def _cocopp(data: Path, out: Path) -> int:
    """Run COCO's post-processor on the data of a solver; return its exit status."""
    environment = {**os.environ, "MPLBACKEND": "Agg", "HOME": str(out.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "cocopp", "-o", str(out), str(data)],
        env=environment,
        capture_output=True,
        check=False,
    )
    return done.returncode if (out / "index.html").is_file() else 1
