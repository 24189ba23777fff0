"""Runs that are kept as test data, so that what was tracked once can be rerun by any later code.

`python -m tests.reruns.kept FOLDER` made them, from a clean copy of the repository. They are never
made anew: a new case gets a new name beside the old ones.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from gdexp import load_runs
from gdexp.cli.main import main

FOLDER = Path(__file__).parents[1] / "data" / "reruns"

EXACT = {
    "booth-converged": ["problem=booth", "optimizer.lr=0.05", "stopping.threshold=1e-6"],
    "rosenbrock-capped": [
        *("problem=rosenbrock", "optimizer.lr=0.001", "dtype=float64", "stopping.cap=300"),
    ],
    "matyas-momentum": [
        *("problem=matyas", "optimizer=momentum", "optimizer.lr=0.1", "optimizer.momentum=0.5"),
    ],
    "himmelblau-nesterov-schedule": [
        *("problem=himmelblau", "optimizer=nesterov", "optimizer.lr=0.005", "seed=3"),
        *("optimizer/schedule=step", "optimizer.schedule.every=20", "stopping.threshold=1e-3"),
        "stopping.max_iterations=200",
    ],
    "hyperbola-diverged": ["problem=hyperbola", "optimizer.lr=100"],
    "booth-stalled": ["problem=booth", "optimizer.lr=0.05", "stopping.threshold=1e-30"],
    "notebook-graph": ["experiment=autograd"],
}
"""Elementwise sums and products of a few numbers: IEEE 754 leaves no processor a choice."""

CLOSE = {
    "matrix-converged": ["optimizer.lr=4.4"],
    "function-bfloat16": [
        *("problem=function", "problem.hidden=[4]", "optimizer=momentum", "optimizer.lr=0.1"),
        *("dtype=bfloat16", "stopping.max_iterations=40"),
    ],
    "rastrigin-adam": [
        *("problem=rastrigin", "optimizer=adam", "optimizer.lr=0.05", "stopping.max_iterations=60"),
    ],
}
"""Longer sums, products of matrices, tanh and cos, whose last bits depend on the processor."""

SWEEP = "matyas-of-a-batch"
SWEPT = [
    *("+sweep", "sweep.sampler=random", "sweep.n_trials=8", "problem=matyas"),
    *("optimizer.lr=interval(0.5,2)", "stopping.threshold=1e-4"),
]
"""The best trial of this sweep is among the exact ones: its descents were the rows of a batch."""


def make(place: Path) -> None:
    """Run every case and export it."""
    cases: dict[str, list[str]] = {**EXACT, **CLOSE, SWEEP: SWEPT}
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name, arguments in cases.items():
                _done(arguments)
                newest = max(load_runs(), key=lambda run: run.started).run_id
                named = "+export" if name == SWEEP else f"+export={newest}"
                _done([named, f"export.folder={name}"])
                shutil.copytree(name, place / name)
        finally:
            os.chdir(before)


def _done(arguments: list[str]) -> None:
    if main(arguments):
        raise SystemExit(1)


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
