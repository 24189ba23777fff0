"""The numbers of a benchmark as rows: expected running times, and a line for each solver."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gdexp.core import csv_bytes
from gdexp.suite.outcome import Attempts, Outcome, finite
from gdexp.suite.profile_bands import Profiles
from gdexp.suite.running_times import running_times, share_met
from gdexp.suite.targets import DECADES, TARGETS

RUNNING_TIMES, SOLVERS, WHOLE = "running_times.csv", "solvers.csv", "benchmark.json"
"""The names of the files."""


def running_time_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a row for each solver, task and decade: the expected running time with its interval.

    An expected running time is empty where no descent met the target; so is the upper edge of an
    interval where a resample has no success.
    """
    rows = []
    for solver, task, attempts in outcome.cells():
        for target, found in zip(DECADES, running_times(attempts, DECADES), strict=True):
            value, low, high = (finite(each) for each in found.evaluations)
            rows.append(
                {
                    "solver": solver.name,
                    **task._asdict(),
                    "rate": attempts.rate,
                    "target": target,
                    "running_time": value,
                    "low": low,
                    "high": high,
                    "successes": found.successes,
                    "descents": found.descents,
                }
            )
    return rows


def solver_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a row for each solver and dimension, the largest share of targets first."""
    rows = []
    for dimension in outcome.dimensions:
        scores = Profiles(outcome, dimension).scores()
        free = Profiles(outcome.by_iterates, dimension, resamples=0).plain_scores()
        found: list[dict[str, Any]] = []
        for solver in outcome.solvers:
            attempts = solver.of_dimension(dimension)
            share = share_met(attempts)
            solved = sum(
                bool(running_times(a, TARGETS[-1:])[0].successes) for a in attempts.values()
            )
            found.append(
                {
                    "dimension": dimension,
                    "solver": solver.name,
                    "targets_met": share.value,
                    "low": share.low,
                    "high": share.high,
                    "functions_solved": solved,
                    "functions": len(attempts),
                    "score": scores[solver.name].value,
                    "score_low": scores[solver.name].low,
                    "score_high": scores[solver.name].high,
                    "evaluations_per_iterate": evaluations_per_iterate(attempts),
                    "score_by_iterates": free[solver.name],
                }
            )
        rows += sorted(found, key=lambda row: -float(row["targets_met"]))
    return rows


def evaluations_per_iterate(attempts: Mapping[int, Attempts]) -> float:
    """Return how many evaluations the descents of some functions made for each iterate."""
    spent = sum(float(each.spent.sum()) for each in attempts.values())
    return spent / sum(float(each.by_iterates.spent.sum()) for each in attempts.values())


def cell_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a row for each solver and task, with a digest of its descents to the last bit."""
    return [
        {
            "solver": solver.name,
            **task._asdict(),
            "rate": attempts.rate,
            "share": share_met({task.function: attempts}).value,
            "sha256": digest(attempts),
        }
        for solver, task, attempts in outcome.cells()
    ]


def digest(attempts: Attempts) -> str:
    """Return the sha256 of the descents: statuses, evaluations, gaps."""
    text = json.dumps([each.as_data() for each in attempts.descents], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def table(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return rows with equal keys as CSV, the keys first."""
    return csv_bytes([list(rows[0]), *([*row.values()] for row in rows)])
