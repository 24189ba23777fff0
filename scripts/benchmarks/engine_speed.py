"""The portable engine against the notebook's loop, torch's kernels, a C loop and imports."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.c_loop import CLoop
from benchmarks.loops import notebook_loop
from benchmarks.measure import Figure, by_turns, figure, one_thread, ratios
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum
from gdexp.problems.base import Problem
from gdexp.problems.function import Function
from gdexp.problems.matrix import Matrix
from gdexp.problems.regression import Logistic

LONG, NEVER = 100_000, 1e-300
FEW = 1_000
"""Short descents, or iterations of the notebook's loop, that are timed together."""


def run(rounds: int) -> list[Figure]:
    """Ratios of two times that are measured by turns."""
    with one_thread():
        figures = [*_matrix(rounds), *_against_torch(rounds)]
    return [*figures, *_million(rounds), *_starts(rounds)]


def _matrix(rounds: int) -> list[Figure]:
    """Return the figures of one long and of short descents against the notebook's loop."""
    problem, start = Matrix(), Matrix().start(0)

    def long() -> float:
        result = descend(
            problem, GradientDescent(1e-7), Stopping(NEVER, LONG), x0=start, engine="portable"
        )
        return result.seconds / result.iterations

    def short() -> float:
        began = time.perf_counter()
        for _ in range(FEW):
            descend(problem, GradientDescent(1.0), Stopping(NEVER, 19), x0=start, engine="portable")
        return (time.perf_counter() - began) / FEW / 19

    def notebook() -> float:
        iterations, seconds = notebook_loop(start, 1e-7, NEVER, 10 * FEW)
        return seconds / iterations

    times = by_turns({"long": long, "short": short, "notebook": notebook}, rounds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    usual = f"{1e6 * medians['notebook']:.1f} µs per iteration"
    return [
        figure(
            f"one descent of {LONG:,} iterations, with trace / notebook's loop",
            ratios(times["long"], times["notebook"]),
            0.001,
            note=f"{1e9 * medians['long']:.0f} ns against {usual}",
        ),
        figure(
            "whole descend() of 19 iterations / notebook's loop",
            ratios(times["short"], times["notebook"]),
            0.5,
            note=f"{1e6 * medians['short']:.1f} µs against {usual}",
        ),
    ]


def _against_torch(rounds: int) -> list[Figure]:
    """Return the figures of the network and of logistic regression against torch's engine."""

    def timed(problem: Problem, rule: UpdateRule, most: int, engine: str) -> Callable[[], float]:
        def per_iteration() -> float:
            result = descend(problem, rule, Stopping(NEVER, most), engine=engine)
            return result.seconds / max(result.iterations, 1)

        return per_iteration

    figures = []
    cases: Sequence[tuple[str, Problem, UpdateRule, int, float]] = (
        ("function, momentum", Function(), Momentum(0.01), 5_000, 0.15),
        ("logistic, gd", Logistic(), GradientDescent(0.1), 1_000, 1.0),
    )
    for name, problem, rule, most, target in cases:
        times = by_turns(
            {engine: timed(problem, rule, most, engine) for engine in ("portable", "torch")}, rounds
        )
        ours, theirs = (1e6 * statistics.median(times[each]) for each in ("portable", "torch"))
        figures.append(
            figure(
                f"{name}: portable / torch",
                ratios(times["portable"], times["torch"]),
                target,
                note=f"{ours:.1f} against {theirs:.1f} µs per iteration",
            )
        )
    return figures


def _million(rounds: int) -> list[Figure]:
    """Return the figures of a million descents with one and two threads against C with one."""
    rates = torch.linspace(0.01, 9.5, 1000, dtype=torch.float64).tolist()
    rules = [rule for rule in map(GradientDescent, rates) for _ in range(1000)]
    starts = torch.rand(1000, 3, 3, generator=torch.Generator().manual_seed(0))
    x0, stopping = starts.repeat(1000, 1, 1), Stopping(1e-5, 1000)
    problem, before = Matrix(), torch.get_num_threads()

    def ours(threads: int) -> float:
        torch.set_num_threads(threads)
        began = time.perf_counter()
        batch = descend_batch(problem, rules, stopping, x0=x0, keep_traces=False, engine="portable")
        seconds = time.perf_counter() - began
        counts.append(int(batch.iterations.sum()))
        return seconds

    counts: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        loop = CLoop(Path(folder))
        try:
            times = by_turns(
                {
                    "one": lambda: ours(1),
                    "two": lambda: ours(2),
                    "c": lambda: loop.seconds(starts, rates, 1e-5, 1000),
                },
                rounds,
            )
        finally:
            torch.set_num_threads(before)
    note = f"{counts[0]:,} and C {loop.iterations:,} in {statistics.median(times['c']):.2f} s"
    return [
        figure(
            f"a million descents, {name} / C loop",
            ratios(times[key], times["c"]),
            target,
            note=note,
        )
        for name, key, target in (("one thread", "one", 1.3), ("two threads", "two", 0.75))
    ]


def _starts(rounds: int) -> list[Figure]:
    """Return the figures of the first portable descent and of a default run against imports."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    first = (
        "import torch, time\n"
        "from gdexp import descend, Matrix, GradientDescent, Stopping\n"
        "began = time.perf_counter()\n"
        "descend(Matrix(), GradientDescent(1.0), Stopping(1e-5, 1000), engine='portable')\n"
        "print(time.perf_counter() - began)\n"
    )
    with tempfile.TemporaryDirectory() as folder:

        def output(*arguments: str) -> str:
            return subprocess.run(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout

        def seconds(*arguments: str) -> float:
            began = time.perf_counter()
            output(*arguments)
            return time.perf_counter() - began

        times = by_turns(
            {
                "torch": lambda: seconds("-c", "import torch"),
                "first": lambda: float(output("-c", first)),
                "run": lambda: seconds("-m", "gdexp"),
            },
            rounds,
        )
    note = f"import torch {statistics.median(times['torch']):.2f} s"
    return [
        figure(
            "the first portable descent / import torch",
            ratios(times["first"], times["torch"]),
            0.15,
            note=note,
        ),
        figure(
            "python -m gdexp / import torch", ratios(times["run"], times["torch"]), 1.5, note=note
        ),
    ]
