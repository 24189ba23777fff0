"""The record of a trial on several problems: the geometric means of its counts.

The geometric mean of the counts and that of their ratios to the best known count of each problem
differ by a factor that is the same for all trials, so one order of the trials is that of both. The
first is told, as it stays what it was when a better count becomes known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gdexp.descent import SECONDS, THRESHOLDS, Cap, Result, Status
from gdexp.sweeps.means import LEAST, LEAST_SECONDS, geometric_mean
from gdexp.sweeps.objective import Objective
from gdexp.sweeps.study.threshold_counts import ThresholdCounts
from gdexp.sweeps.study.trial_record import TrialRecord


def record_of_problems(
    run_id: str,
    results: Sequence[Result],
    problems: int,
    seeds: int,
    reused: Sequence[bool],
    goal: Sequence[Objective] = (),
    thresholds: Sequence[float] = THRESHOLDS,
) -> TrialRecord:
    """Return the record of a trial from its results on several problems.

    Args:
        run_id: of the trial.
        results: in the order of the problems, then of the seeds.
        problems: how many.
        seeds: on each of them.
        reused: for each result, whether it was taken from an earlier run.
        goal: the objective of the sweep, where it is not the hitting time.
        thresholds: of the study's tables.
    """
    parts = [slice(at * seeds, (at + 1) * seeds) for at in range(problems)]
    each = [
        TrialRecord.build(
            run_id, results[part], Cap(None), seeds, reused[part], goal, thresholds=thresholds
        )
        for part in parts
    ]
    told = [record.told(1)[0] for record in each]
    least = LEAST_SECONDS if goal and goal[0].kind == SECONDS else LEAST
    hits, bounds = _means([record.at_thresholds(seeds) for record in each])
    beside = [ThresholdCounts(*record.beside) for record in each if record.beside is not None]
    reached = [result.converged for result in results]
    counts = tuple(result.iterations for result in results)
    updates = sum(result.updates for result in results)
    return TrialRecord(
        run_id=run_id,
        status=_status(each),
        iterations=geometric_mean([record.iterations for record in each]),
        hitting_time=geometric_mean([record.hitting_time for record in each]),
        final_loss=float(np.mean([result.final_loss for result in results])),
        threshold=each[0].threshold,
        counts=counts,
        successes=sum(reached),
        saved=0.0,
        hits=hits,
        steps=sum(record.steps for record in each),
        reused=sum(reused),
        bounds=bounds,
        updates=None if updates == sum(counts) else updates,
        values=(geometric_mean(told, least),) if goal else None,
        estimated=True if any(record.estimated for record in each) else None,
        unreached=tuple(at for at, known in enumerate(reached) if not known)
        if any(reached) and not all(reached)
        else None,
        each=tuple(told),
        beside=_means(beside, least) if beside else None,
        ends=None if all(reached) else tuple(record.status for record in each),
    )


def _status(each: Sequence[TrialRecord]) -> str:
    """Return converged if all are, else the first other status."""
    others = [record.status for record in each if record.status != Status.CONVERGED]
    others.sort(key=lambda status: status != Status.BELOW_MINIMUM)
    return others[0] if others else str(Status.CONVERGED)


def _means(columns: Sequence[ThresholdCounts], least: float = LEAST) -> ThresholdCounts:
    """Return the mean counts at all thresholds."""
    found = (_mean_at(columns, at, least) for at in range(len(columns[0].hits)))
    return ThresholdCounts(*(tuple(column) for column in zip(*found, strict=True)))


def _mean_at(
    columns: Sequence[ThresholdCounts], at: int, least: float
) -> tuple[float | None, float | None]:
    """Return the mean count at a threshold, or its lower bound where one is censored."""
    known = [
        column.hits[at] if column.hits[at] is not None else column.bounds[at] for column in columns
    ]
    found = [each for each in known if each is not None]
    if len(found) < len(columns):
        return None, None  # it fails on one of the problems
    mean = geometric_mean(found, least)
    censored = any(column.hits[at] is None for column in columns)
    return (None, mean) if censored else (mean, None)
