"""Gradient steps that `sweep.cap=1` saves, and whether the winner stays the winner."""

from __future__ import annotations

from benchmarks.measure import Figure, figure
from benchmarks.studies import Swept, elsewhere, swept

TRIALS, LIMIT = 50, 20_000
WIDE = "tag(log, interval(1e-3, 10))"
"""The learning rates of the default sweep."""

CASES = {
    "matrix": (("problem=matrix",), WIDE, 50),
    "logistic": (("problem=logistic",), WIDE, 50),
    "quadratic, condition 100": (
        ("problem=quadratic", "problem.mu=0.01", "problem.L=1"),
        WIDE,
        10,
    ),
    "rosenbrock": (("problem=rosenbrock",), "tag(log, interval(2e-4, 2e-3))", 2),
}
"""Problem, learning rates, and how many times fewer steps there should be.

Rosenbrock's valley is stable below 0.0019968 only: there it is the decade below.
"""


def run(rounds: int) -> list[Figure]:
    """Steps without the cap over steps with it, one sampler seed for each round."""
    found = []
    with elsewhere():
        for name, (problem, rates, target) in CASES.items():
            fewer, same, steps = [], [], []
            for seed in range(rounds):
                whole, capped = (
                    swept(
                        f"{name.split(',')[0]}-{seed}-{cap}",
                        *problem,
                        f"optimizer.lr={rates}",
                        "stopping.threshold=1e-5",
                        f"stopping.max_iterations={LIMIT}",
                        "sweep.sampler=random",
                        f"sweep.n_trials={TRIALS}",
                        f"sweep.cap={cap}",
                        f"seed={seed}",
                        "tracking.points=10",
                    )
                    for cap in ("null", "1")
                )
                steps.append((_steps(whole), _steps(capped)))
                fewer.append(steps[-1][0] / steps[-1][1])
                same.append(float(_winner(whole) == _winner(capped)))
            behind = ", ".join(f"{a:,}/{b:,}" for a, b in steps)
            found.append(
                figure(f"{name}: steps without cap / with", fewer, target, "higher", behind)
            )
            found.append(figure(f"{name}: winner the same", [min(same)], 1, "higher"))
    return found


def _steps(sweep: Swept) -> int:
    return sum(record.steps for record in sweep.records)


def _winner(sweep: Swept) -> tuple[int, float | None]:
    return sweep.study.best_trial.number, sweep.study.best_trial.value
