"""A million descents: 1,000 learning rates from each of 1,000 starts.

The map is made in a process of its own, so that its peak memory is nobody else's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import torch

from benchmarks.loops import notebook_loop
from benchmarks.measure import Figure, figure
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.momentum import GradientDescent
from gdexp.problems.matrix import Matrix

RATES, STARTS, THRESHOLD, MOST = 1000, 1000, 1e-5, 1000
SLOWEST, FASTEST = 0.01, 9.5
GIGABYTE = 10**9


def run(rounds: int) -> list[Figure]:
    """Peak memory, and iterations per second against the notebook's before and after."""
    del rounds  # one map is a round
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.learning_rate_map"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(child.stdout)
    speed = told["iterations"] / told["seconds"]
    note = f"{told['iterations']:,} iterations in {told['seconds']:.1f} s, {speed:,.0f} per second"
    return [
        figure("peak memory in GB", [told["peak"] / GIGABYTE], 2.0, note=told["summary"]),
        figure(
            "a million descents / notebook's loop, iterations/s",
            [speed / each for each in told["notebook"]],
            500,
            "higher",
            note,
        ),
    ]


def _notebook_speed() -> float:
    start = torch.rand(3, 3, generator=torch.Generator().manual_seed(0))
    iterations, seconds = notebook_loop(start, 1e-4, THRESHOLD, 4_000)
    return iterations / seconds


def _map() -> dict[str, object]:
    rates = torch.linspace(SLOWEST, FASTEST, RATES, dtype=torch.float64).tolist()
    rules = [rule for rule in map(GradientDescent, rates) for _ in range(STARTS)]
    starts = torch.rand(STARTS, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.set_num_threads(1)
    notebook = [_notebook_speed() for _ in range(4)][1:]
    began = time.perf_counter()
    result = descend_batch(
        Matrix(),
        rules,
        Stopping(THRESHOLD, MOST),
        x0=starts.repeat(RATES, 1, 1),
        keep_traces=False,
    )
    seconds = time.perf_counter() - began
    notebook += [_notebook_speed() for _ in range(3)]
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there
    return {
        "iterations": int(result.iterations.sum()),
        "seconds": seconds,
        "summary": result.summary(),
        "notebook": notebook,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }


if __name__ == "__main__":
    print(json.dumps(_map()))
