"""Trials that the default sampler needs until it has found a good learning rate."""

from __future__ import annotations

import torch

from benchmarks.measure import Figure, figure
from benchmarks.studies import elsewhere, swept
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.momentum import GradientDescent
from gdexp.problems.quadratic import Quadratic

SEEDS = 20
THRESHOLD = 1e-5
GOOD_MATRIX = 3
WITHIN = 1.1


def run(rounds: int) -> list[Figure]:
    """Median over 20 sampler seeds, whatever `rounds` is: nothing here is a time."""
    best = best_count()
    with elsewhere():
        matrix = [_until("matrix", 40, seed, GOOD_MATRIX) for seed in range(SEEDS)]
        quadratic = [_until("quadratic", 100, seed, WITHIN * best) for seed in range(SEEDS)]
    solved = sum(trials <= 100 for trials in quadratic)
    return [
        figure(
            f"matrix: trials until <= {GOOD_MATRIX} iterations, {SEEDS} seeds",
            matrix,
            16,
            note=_listed(matrix),
        ),
        figure(
            f"quadratic: trials until within 10 % of {best} iterations, {SEEDS} seeds",
            quadratic,
            22,
            note=_listed(quadratic),
        ),
        figure("quadratic: seeds that got there in 100 trials", [solved], SEEDS, "higher"),
    ]


def best_count() -> int:
    """The fewest iterations of any constant learning rate on the quadratic."""
    rates = torch.linspace(1.5, 2.0, 2001, dtype=torch.float64).tolist()
    rules = [GradientDescent(lr=rate) for rate in rates]
    batch = descend_batch(Quadratic(), rules, Stopping(THRESHOLD, 20_000))
    return min(result.iterations for result in batch if result.converged)


def _until(problem: str, trials: int, seed: int, good: float) -> int:
    """The number of the first trial that is good, counted from 1; one more than all if none is."""
    sweep = swept(
        f"{problem}-{seed}",
        f"problem={problem}",
        f"stopping.threshold={THRESHOLD}",
        "stopping.max_iterations=20000",
        f"sweep.n_trials={trials}",
        f"seed={seed}",
        "tracking.points=10",
    )
    for number, record in enumerate(sweep.records, 1):
        if record.status == "converged" and record.iterations <= good:
            return number
    return trials + 1


def _listed(trials: list[int]) -> str:
    return " ".join(map(str, sorted(trials)))
