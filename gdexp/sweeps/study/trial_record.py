"""The record of a finished trial in the study; the sweep's results need no other file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdexp.descent import ITERATIONS, PENALTY, SECONDS, THRESHOLDS, Cap, Result, Status
from gdexp.sweeps.failure import Failure
from gdexp.sweeps.objective import COUNTED, HITTING_TIME, RETURNED, THRESHOLD, Objective
from gdexp.sweeps.pruning import Reading
from gdexp.sweeps.study.attributes import READINGS
from gdexp.sweeps.study.threshold_counts import (
    Column,
    ThresholdCounts,
    of_earlier_version,
    of_one_seed,
    threshold_counts,
)
from gdexp.sweeps.study.told_values import Told, objective_value, told_values

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RECORD = "gdexp.record"

UNTRACKED = ""
"""In place of a run's id where a sweep has no runs."""

ADDED = "added"
"""What stands in place of a status where the user added the trial to the study."""

_COLUMNS = ("counts", "hits", "bounds", "values", "unreached", "each", "ends")
"""The fields of a record that JSON holds as lists."""


def counts(trial: FrozenTrial) -> bool:
    """Return whether a trial counts: it is complete, or it failed and its failure is recorded."""
    from optuna.trial import TrialState

    failed = trial.state is TrialState.FAIL and RECORD in trial.user_attrs
    return failed or trial.state is TrialState.COMPLETE


def is_added(trial: FrozenTrial) -> bool:
    """Return whether a finished trial was added by the user (`study.add_trial`, a dashboard).

    It counts, and the sampler learns from it. It never wins: no descent shows its value.
    """
    return RECORD not in trial.user_attrs


def readings_of(trial: FrozenTrial) -> list[Reading]:
    """Return the readings that a study stores of a trial; none without a pruner."""
    steps, values = trial.user_attrs.get(READINGS, ([], []))
    return [Reading(int(step), float(value)) for step, value in zip(steps, values, strict=True)]


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One finished trial.

    Attributes:
        run_id: its run, a child of the sweep's run.
        status: why its descent ended; of several, converged if all did, else the first other.
        iterations: updates until the end; of several seeds the expected running time, or all
            updates where no seed converged.
        hitting_time: the value that Optuna is told.
        final_loss: the last loss; of several seeds the mean.
        threshold: the target.
        counts: updates of each seed; fewer than the seeds if the cap ended the trial.
        successes: the number of seeds that converged.
        saved: an estimate of the iterations that the cap saved; 0 if it did not end the trial.
        hits: iterations to each of the study's thresholds (of several seeds the expected running
            time); None where not reached. `at_thresholds` tells failures from censored counts.
        steps: updates that this sweep made itself.
        reused: the number of descents that were taken from earlier runs.
        reason: why the trial failed, in one line; empty where it did not.
        bounds: for each of these the fewest iterations where the trial was not continued to
            it, else None. None in all: follows from the other fields.
        updates: updates of all traces, continuations included; None: the sum of `counts`.
        values: what Optuna is told, one number for each objective; None: the hitting time, and
            the threshold where it is the second objective.
        estimated: True where one of the objectives is not known, and what Optuna is told is an
            estimate: the trial cannot win.
        unreached: positions of the seeds that did not converge, where others did; else None.
        each: on each of several problems what is told; the mean of all is told. None: one problem.
        ends: the status on each of several problems; None: converged on all, or not known.
        beside: hits and bounds in the other unit: iterations where `sweep.cost` counts gradients
            or evaluations, which `hits` hold then; seconds where it is seconds. None: no other
            unit, or a study of an earlier version.
    """

    run_id: str
    status: str
    iterations: float
    hitting_time: float
    final_loss: float
    threshold: float
    counts: tuple[int, ...]
    successes: int
    saved: float
    hits: Column
    steps: int
    reused: int = 0
    reason: str = ""
    bounds: Column | None = None
    updates: int | None = None
    values: tuple[float, ...] | None = None
    estimated: bool | None = None
    unreached: tuple[int, ...] | None = None
    each: tuple[float, ...] | None = None
    ends: tuple[str, ...] | None = None
    beside: tuple[Column, Column] | None = None

    @classmethod
    def build(
        cls,
        run_id: str,
        results: Sequence[Result],
        cap: Cap,
        seeds: int,
        reused: Sequence[bool],
        goal: Sequence[Objective] = (),
        *,
        thresholds: Sequence[float] = THRESHOLDS,
        pruned: bool = False,
        worst: float | None = None,
    ) -> TrialRecord:
        """Return the record of a trial from the results of its seeds.

        Args:
            run_id: of the trial.
            results: in the order of the seeds.
            cap: as it was before this trial.
            seeds: the number of seeds of a trial.
            reused: for each result, whether it was taken from an earlier run.
            goal: the objectives of the sweep, where hitting times are not the only ones.
            thresholds: of the study's tables.
            pruned: whether the pruner ended the trial after one of its seeds.
            worst: the worst value of the trials before; of a pruned one nothing better is told.
        """
        first = results[0]
        counts = [result.iterations for result in results]
        reached = [result.converged for result in results]
        updates = [result.updates for result in results]
        counted = [each.kind for each in goal if each.kind in COUNTED]
        hits, bounds = threshold_counts(results, seeds, thresholds, *counted[:1])
        other = ITERATIONS if counted else SECONDS
        timed = any(each.kind == SECONDS for each in goal)
        iterations: float = counts[0] if seeds == 1 else sum(counts) / max(sum(reached), 1)
        status = _status(results, pruned)
        hitting = objective_value(results, cap, seeds, status)
        told = told_values(goal, results, status, hitting, first.threshold) if goal else None
        if status is Status.PRUNED and worst is not None:
            told = _told_of_pruned(goal, hitting if told is None else told.values[0], worst)
        return cls(
            run_id=run_id,
            status=str(status),
            iterations=iterations,
            hitting_time=hitting,
            final_loss=_final_loss(results),
            threshold=first.threshold,
            counts=tuple(counts),
            successes=sum(reached),
            saved=sum(map(_saved, results)),
            hits=hits,
            steps=sum(n for n, known in zip(updates, reused, strict=True) if not known),
            reused=sum(reused),
            bounds=None if seeds == 1 and updates == counts and not counted else bounds,
            updates=None if updates == counts else sum(updates),
            values=None if told is None else told.values,
            estimated=told.estimated or None if told is not None else None,
            unreached=_unreached(reached),
            beside=threshold_counts(results, seeds, thresholds, other)
            if counted or timed
            else None,
        )

    @classmethod
    def of_failure(
        cls,
        run_id: str,
        failure: Failure,
        stopping: Mapping[str, Any],
        done: Sequence[Result],
        goal: Sequence[Objective] = (),
        thresholds: Sequence[float] = THRESHOLDS,
        penalised: bool = True,
    ) -> TrialRecord:
        """Return the record of a trial that failed.

        Args:
            run_id: of the trial.
            failure: why it has no result.
            stopping: the group `stopping` of its config.
            done: results of the seeds before the one that failed.
            goal: as in `build`.
            thresholds: as in `build`.
            penalised: whether it is told with the worst value there is; else with no number.
        """
        counts = [result.iterations for result in done]
        projected = sum(result.hitting_time for result in done)
        hitting = projected + float(PENALTY * int(stopping["max_iterations"]))
        given = stopping["threshold"]
        threshold = -math.inf if given is None else float(given)
        worst = {HITTING_TIME: hitting, THRESHOLD: threshold}
        told = tuple(worst.get(each.kind, each.worst) if penalised else math.nan for each in goal)
        return cls(
            run_id=run_id,
            status=str(Status.FAILED),
            iterations=sum(counts),
            hitting_time=hitting,
            final_loss=math.nan,
            threshold=threshold,
            counts=tuple(counts),
            successes=0,
            saved=0.0,
            hits=(None,) * len(thresholds),
            steps=sum(result.updates for result in done),
            reason=failure.reason,
            bounds=(None,) * len(thresholds),
            values=told if goal else None,
            estimated=True if goal else None,
        )

    @property
    def can_win(self) -> bool:
        """Whether the trial has what is looked for: of a count, some seed converged, and f* holds.

        A trial that was pruned never wins, whatever its readings were.
        """
        if self.status in (Status.BELOW_MINIMUM, Status.PRUNED, Status.FAILED):
            return False
        if self.each is not None:
            return all(self.solved)
        return self.successes > 0 if self.values is None else not self.estimated

    @property
    def solved(self) -> list[int]:
        """How many seeds converged on each of several problems."""
        reached = self.reached or []
        seeds = len(self.counts) // len(self.each or (0,))
        return [sum(reached[at : at + seeds]) for at in range(0, len(reached), seeds)]

    @property
    def is_estimate(self) -> bool:
        """Whether the trial ended before what is looked for was known."""
        return self.status == Status.PRUNED or bool(self.estimated)

    def told(self, count: int) -> tuple[float, ...]:
        """Return what Optuna is told.

        Args:
            count: the objectives of the study.
        """
        return (self.hitting_time, self.threshold)[:count] if self.values is None else self.values

    def at_thresholds(self, seeds: int) -> ThresholdCounts:
        """Return the counts at each of the thresholds, with bounds where they are censored.

        Args:
            seeds: the number of seeds of a trial.
        """
        if self.bounds is not None:
            return ThresholdCounts(self.hits, self.bounds)
        if seeds == 1:
            return of_one_seed(self.hits, self.status, self.counts[0])
        capped = self.status == Status.CAPPED or self.saved > 0 or len(self.counts) < seeds
        return of_earlier_version(self.hits, self.threshold, self.counts, self.successes, capped)

    @property
    def trace_updates(self) -> int:
        """The updates of all traces together."""
        return sum(self.counts) if self.updates is None else self.updates

    @property
    def reached(self) -> list[bool] | None:
        """Whether each seed converged; None where an earlier version stored only how many did."""
        if self.unreached is None and 0 < self.successes < len(self.counts):
            return None
        missed = self.unreached or () if self.successes else range(len(self.counts))
        return [at not in missed for at in range(len(self.counts))]

    def count(self, cap: Cap) -> None:
        """Let the trial limit later trials, if it converged from every seed."""
        if self.status == Status.CONVERGED:
            cap.add(self.threshold, self.counts)

    def as_attribute(self) -> dict[str, Any]:
        """Return the record as Optuna stores it; without what follows from the rest."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None and value != ""
        }

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialRecord:
        """Return the record of a finished trial."""
        given = {"run_id": UNTRACKED, **trial.user_attrs[RECORD]}
        for name in _COLUMNS:
            if name in given:
                given[name] = tuple(given[name])
        if "beside" in given:
            hits, bounds = given["beside"]
            given["beside"] = tuple(hits), tuple(bounds)
        return cls(**given)


def _final_loss(results: Sequence[Result]) -> float:
    """Return the last loss; of several seeds their mean."""
    if len(results) == 1:  # most trials, and the mean of numpy takes longer than the rest
        return results[0].final_loss
    return float(np.mean([result.final_loss for result in results]))


def _unreached(reached: Sequence[bool]) -> tuple[int, ...] | None:
    """Return the positions of the seeds that did not converge, where others did."""
    if not any(reached) or all(reached):
        return None
    return tuple(at for at, each in enumerate(reached) if not each)


def _status(results: Sequence[Result], pruned: bool) -> Status:
    """Return the status of a trial: converged if all seeds did, else the first other one."""
    others = [result.status for result in results if not result.converged]
    others += [Status.PRUNED] if pruned else []
    return min(others, key=_concerns_fewer, default=results[0].status)


def _told_of_pruned(goal: Sequence[Objective], known: float, worst: float) -> Told:
    """Return what is told of a pruned trial: nothing better than the worst trial before it."""
    first = goal[0] if goal else Objective(HITTING_TIME)
    if first.kind == RETURNED:  # it was pruned before it returned a value
        known = worst
    return Told((max(known, worst, key=first.signed),), estimated=True)


def _concerns_fewer(status: Status) -> int:
    """Return the order in which statuses of seeds count for their trial."""
    return {Status.BELOW_MINIMUM: 0, Status.PRUNED: 1}.get(status, 2)


def _saved(result: Result) -> float:
    """Return the iterations from the cap to the projected end, or to the limit."""
    if result.status is not Status.CAPPED:
        return 0.0
    return min(result.hitting_time, result.stopping.max_iterations) - result.iterations
