"""The tasks by which solvers are judged, and the hitting time of each solver at each task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gdexp.comparison.comparison import Comparison
from gdexp.descent import SECONDS
from gdexp.runs import SEED_PARAM

Task = tuple[str, Any, float]
"""A problem, a seed and a threshold."""


@dataclass(frozen=True)
class Tasks:
    """The tasks that the traces of every solver answer, by a hit or by a failure.

    At the others a solver's smallest hitting time is not known: a run that may need less was not
    continued. They are left out for all solvers, so that each is judged by the same tasks.

    Attributes:
        tasks: the tasks.
        times: solver to its smallest hitting time at each of `tasks`; None: not reached.
        left_out: how many tasks are left out.
    """

    tasks: Sequence[Task]
    times: Mapping[str, Sequence[float | None]]
    left_out: int

    @classmethod
    def of(cls, comparison: Comparison) -> Tasks:
        """Return the tasks of a comparison: every one with at least one run."""
        pairs = dict.fromkeys(
            (comparison.problem_of[run.run_id], run.params.get(SEED_PARAM))
            for run in comparison.runs
        )
        every: list[Task] = [(*pair, t) for pair in pairs for t in comparison.thresholds]
        least: dict[str, dict[Task, float]] = {}
        censored: set[Task] = set()
        for solver in comparison.solvers:
            least[solver], made = _least(comparison, solver)
            censored |= {t for t, n in made.items() if least[solver].get(t, math.inf) > n}
        tasks = [task for task in every if task not in censored]
        times = {solver: [own.get(task) for task in tasks] for solver, own in least.items()}
        return cls(tasks, times, len(every) - len(tasks))


def _least(comparison: Comparison, solver: str) -> tuple[dict[Task, float], dict[Task, float]]:
    """Return a solver's smallest hitting times, and the fewest iterations of its censored runs."""
    times: dict[Task, float] = {}
    made: dict[Task, float] = {}
    unit = 0 if comparison.cost == SECONDS else 1
    for run in comparison.solvers[solver]:
        pair = (comparison.problem_of[run.run_id], run.params.get(SEED_PARAM))
        known = zip(comparison.times[run.run_id], comparison.bounds[run.run_id], strict=True)
        for threshold, (time, bound) in zip(comparison.thresholds, known, strict=True):
            task = (*pair, threshold)
            if time is not None:
                times[task] = min(time, times.get(task, math.inf))
            if bound is not None:
                made[task] = min(bound - unit, made.get(task, math.inf))
    return times, made
