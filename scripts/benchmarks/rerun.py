"""The rerun of a run of 10,000 iterations against the run itself, what starting costs left out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, by_turns, figure, one_thread, ratios
from gdexp import load_runs
from gdexp.cli import rerun as reruns
from gdexp.cli import run as runs

ITERATIONS = 10_000
CONFIG: dict[str, Any] = {
    "problem": {"name": "matrix"},
    "optimizer": {"name": "gd", "lr": 0.001},
    "stopping": {"threshold": 1e-30, "max_iterations": ITERATIONS},
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
    "tracking": {},
}


def run(rounds: int) -> list[Figure]:
    """Seconds of whole commands, recording and all, in a process that has started."""
    with one_thread(), tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path(folder)):
        _quiet(lambda: runs.run_config(CONFIG))
        (first,) = load_runs()
        wanted = {**CONFIG, "rerun": {"run": first.run_id}, "rerun_all": False, "trust": []}
        times = by_turns(
            {
                "run": lambda: _quiet(lambda: runs.run_config(CONFIG)),
                "rerun": lambda: _quiet(lambda: reruns.rerun(wanted)),
                "loop": lambda: first.experiment().run().seconds,
                "start": _start,
            },
            rounds,
        )
    seconds = {name: statistics.median(values) for name, values in times.items()}
    start = f"; starting a process, not counted, takes {seconds['start']:.1f} s"
    return [
        figure(
            f"+rerun / run of {ITERATIONS:,} iterations, both recorded",
            ratios(times["rerun"], times["run"]),
            1.3,
            note=f"{seconds['rerun']:.2f} against {seconds['run']:.2f} s{start}",
        ),
        figure(
            "+rerun / bare gdexp.descend, which records nothing",
            ratios(times["rerun"], times["loop"]),
            1.3,
            note=f"{seconds['rerun']:.2f} against {seconds['loop']:.2f} s",
        ),
        _whole_matrix(),
    ]


def _whole_matrix() -> Figure:
    """Rerun every problem with every rule in every way to end; count what is not identical."""
    environment = {**os.environ, "WAYS": "all"}
    with tempfile.TemporaryDirectory() as place:
        out = ""
        for command in ("make", "again"):
            line = [sys.executable, "-m", "tests.reruns.matrix", command, place, "0", "1"]
            out = subprocess.run(
                line, env=environment, capture_output=True, text=True, check=True
            ).stdout
    verdicts = json.loads(out)["verdicts"]
    identical = verdicts.pop("identical", 0)
    return figure(
        "reruns of every problem × rule × way to end that are not identical",
        [float(sum(verdicts.values()))],
        0,
        note=f"{identical} are",
    )


def _quiet(command: Callable[[], object]) -> float:
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        command()
    return time.perf_counter() - began


def _start() -> float:
    """A process that imports what both commands need and does nothing."""
    code = "import gdexp.cli.rerun, gdexp.cli.run, mlflow.store.tracking.sqlalchemy_store"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began
