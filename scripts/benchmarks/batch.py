"""Ten thousand descents at once against the notebook's loop."""

from __future__ import annotations

import statistics
import time

import torch

from benchmarks.loops import notebook_loop
from benchmarks.measure import Figure, by_turns, figure, one_thread, ratios
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.momentum import GradientDescent
from gdexp.problems.matrix import Matrix

ROWS, THRESHOLD, MOST = 10_000, 1e-5, 100_000
SLOWEST, FASTEST = 0.01, 0.02
NOTEBOOK_ITERATIONS = 4_000
TARGETS = {"without": 1000, "with": 500}
"""Writing 60 MB of traces row by row costs about a third of the time."""


def run(rounds: int) -> list[Figure]:
    """Iterations per second, summed over all descents, with everything that a call costs."""
    rates = torch.linspace(SLOWEST, FASTEST, ROWS, dtype=torch.float64).tolist()
    rules = [GradientDescent(lr=lr) for lr in rates]
    starts = torch.rand(ROWS, 3, 3, generator=torch.Generator().manual_seed(0))

    def batch(keep_traces: bool) -> float:
        began = time.perf_counter()
        result = descend_batch(
            Matrix(), rules, Stopping(THRESHOLD, MOST), x0=starts, keep_traces=keep_traces
        )
        return float(result.iterations.sum()) / (time.perf_counter() - began)

    def notebook() -> float:
        iterations, seconds = notebook_loop(starts[0], 1e-4, THRESHOLD, NOTEBOOK_ITERATIONS)
        return iterations / seconds

    with one_thread():
        speeds = by_turns(
            {
                "without": lambda: batch(keep_traces=False),
                "notebook": notebook,
                "with": lambda: batch(keep_traces=True),
            },
            rounds,
        )
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    return [
        figure(
            f"{ROWS:,} descents {name} traces / notebook's loop, iterations/s",
            ratios(speeds[name], speeds["notebook"]),
            target,
            "higher",
            f"{medians[name]:,.0f} against {medians['notebook']:,.0f} per second",
        )
        for name, target in TARGETS.items()
    ]
