"""A training with everything recorded against the loop that one writes by hand.

One MLP of 1.86 million weights, mini-batches of 128. CPU time, for other work on the machine does
not change it; imports are made before.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, by_turns, elsewhere, figure, one_thread, ratios
from benchmarks.wide_net import hand_loop
from gdexp.cli import run as runs
from gdexp.tracking import live_curves

UPDATES, EVERY = 1_000, 50
WEIGHTS = 1_863_690
MEGABYTE = 1e6

CONFIG: dict[str, Any] = {
    "problem": {"name": "training", "path": "benchmarks.wide_net.WideNet", "arguments": None},
    "optimizer": {"name": "torch", "class_name": "SGD", "lr": 0.01, "options": {"momentum": 0.9}},
    "stopping": {"threshold": 1e-9, "max_iterations": UPDATES, "every": EVERY},
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
    "tracking": {},
}


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
"""Of the processes that are started in another folder."""

PEAK = """
import ctypes, gc, pathlib, torch
from benchmarks import training
from benchmarks.measure import elsewhere

torch.set_num_threads(1)
with elsewhere():
    training.UPDATES = training.CONFIG["stopping"]["max_iterations"] = 30
    lines = lambda: pathlib.Path("/proc/self/status").read_text().splitlines()
    size = lambda name: next(int(l.split()[1]) for l in lines() if l.startswith(name)) * 1024
    training.{work}()  # imports, and what is made once
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = size("VmRSS")
    training.{work}()
    print(size("VmHWM") - before)
"""
"""A program that prints the memory that `_by_hand` or `_run` needs; its second time is measured."""


def run(rounds: int) -> list[Figure]:
    """CPU seconds of whole runs, memory above the hand loop's, and bytes of a sweep."""
    with one_thread(), elsewhere():
        contenders = {"hand": _by_hand, "gdexp": _run, "at the end": _run_without_curves}
        times = by_turns({name: partial(_cpu, work) for name, work in contenders.items()}, rounds)
        peaks = {name: [_peak(name) for _ in range(rounds)] for name in ("_by_hand", "_run")}
    seconds = {name: statistics.median(values) for name, values in times.items()}
    copies = [
        (ours - hand) / (4 * WEIGHTS)
        for ours, hand in zip(peaks["_run"], peaks["_by_hand"], strict=True)
    ]
    return [
        figure(
            f"CPU time of {UPDATES} updates, recorded / hand loop",
            ratios(times["gdexp"], times["hand"]),
            1.05,
            note=f"{seconds['gdexp']:.2f} against {seconds['hand']:.2f} s",
        ),
        figure(
            "CPU time with curves in MLflow while it runs / at its end alone",
            ratios(times["gdexp"], times["at the end"]),
            1.02,
        ),
        figure("peak memory above the hand loop's, in copies of the weights", copies, 1.0),
        figure("MB that a sweep of 3 trials leaves", [_sweep_size()], 10.0),
    ]


def _by_hand() -> None:
    hand_loop(UPDATES, EVERY)


def _run() -> None:
    _quiet(CONFIG)


def _run_without_curves() -> None:
    """Write the curves with the record alone."""
    seconds, live_curves.SECONDS = live_curves.SECONDS, math.inf
    try:
        _run()
    finally:
        live_curves.SECONDS = seconds


def _quiet(config: dict[str, Any]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        runs.run_config(config)


def _cpu(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _peak(work: str) -> float:
    """Return the largest memory of a process of its own while it works, above that before it."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK.format(work=work)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def _sweep_size() -> float:
    """Return the megabytes of a sweep without weights."""
    arguments = [
        *("-m", "problem=training", "problem.path=benchmarks.wide_net.WideNet"),
        *("optimizer.lr=0.01,0.02,0.03", "stopping.max_iterations=20", "stopping.threshold=1e-9"),
        *("tracking.tensors=false", "tracking.model=none"),
    ]
    with elsewhere():
        done = subprocess.run(
            [sys.executable, "-m", "gdexp", *arguments],
            env=ENVIRONMENT,
            capture_output=True,
            check=False,
        )
        if done.returncode not in (0, 1):  # 1: none of 20 updates converges
            raise RuntimeError(done.stderr.decode())
        files = [path for path in Path().rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files) / MEGABYTE
